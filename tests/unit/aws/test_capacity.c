/* Capacity units, the table's and its indexes'; and meta rows there and back. */
#include "aws/fixture.h"

static struct attr *item(struct arena *arena, const char *json)
{
    struct attr *made = NULL;
    const struct json *root;
    struct err err = {0};
    assert_int_equal(json_parse(arena, text_of(json), JSON_COPY, &root, NULL), 0);
    assert_int_equal(item_from_wire(arena, root, &made, &err), 0);
    return made;
}

static void units_are_rounded_up(void **state)
{
    (void)state;
    assert_true(ddb_read_units(0, true) == 1 && ddb_read_units(4096, true) == 1 && ddb_read_units(4097, true) == 2);
    assert_true(ddb_read_units(0, false) == 0.5 && ddb_read_units(4097, false) == 1);
    assert_true(ddb_write_units(0) == 1 && ddb_write_units(1024) == 1 && ddb_write_units(1025) == 2);
}

static void indexes_cost_when_they_change(void **state)
{
    (void)state;
    struct caller c;
    caller_open(&c);
    struct arena *a = &c.arena;
    const struct store_table *table = store_table_find(c.store.store, TEXT("rich"));
    const struct attr *bare = item(a, "{\"p\":{\"S\":\"a\"},\"r\":{\"N\":\"1\"}}");
    const struct attr *red = item(a, "{\"p\":{\"S\":\"a\"},\"r\":{\"N\":\"1\"},\"color\":{\"S\":\"red\"},\"mass\":{\"N\":\"1\"}}");
    const struct attr *noted = item(a, "{\"p\":{\"S\":\"a\"},\"r\":{\"N\":\"1\"},\"color\":{\"S\":\"red\"},\"mass\":{\"N\":\"1\"},\"note\":{\"S\":\"x\"}}");
    const struct attr *blue = item(a, "{\"p\":{\"S\":\"a\"},\"r\":{\"N\":\"1\"},\"color\":{\"S\":\"blue\"},\"mass\":{\"N\":\"1\"}}");
    const struct {
        const struct attr *before, *after;
        double table, all, keys;
    } rows[] = {
        {NULL, bare, 1, 0, 0}, {bare, red, 1, 1, 1}, {red, red, 1, 0, 0}, {red, noted, 1, 1, 0}, {red, blue, 1, 2, 2}, {blue, bare, 1, 1, 1}, {red, NULL, 1, 1, 1}, {NULL, NULL, 1, 0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ddb_capacity capacity = {.table = table};
        ddb_capacity_write(&capacity, rows[i].before, rows[i].after, 1);
        assert_true(capacity.writes == rows[i].table);
        assert_true(capacity.index[0] == rows[i].all);
        assert_true(capacity.index[1] == rows[i].keys);
    }
    caller_close(&c);
}

static void meta_rows_survive(void **state)
{
    (void)state;
    static struct ddb_meta meta, back;
    struct caller c;
    caller_open(&c);
    memset(&meta, 0, sizeof(meta));
    meta.made = meta.is_protected = true;
    meta.created_ms = 1700000000123;
    meta.reads = 5;
    meta.writes = INT64_MAX;
    meta.stream_view = TEXT("KEYS_ONLY");
    meta.on_demand = TEXT("{\"MaxReadRequestUnits\":5}");
    aws_uuid(meta.id);
    for (size_t i = 0; i < STORE_INDEXES_MAX; i++)
        meta.index[meta.indexes++] = (struct ddb_index_meta){.name = i % 2 ? TEXT("odd") : TEXT("even"), .local = i % 2, .reads = (int64_t)i};
    for (size_t i = 0; i < DDB_TAGS_MAX; i++)
        meta.tag[meta.tags++] = (struct ddb_tag){arena_format(&c.arena, "key \"%zu\"", i), TEXT("\xc3\xa4\n")};
    assert_int_equal(ddb_meta_put(c.store.stage, TEXT("simple"), &meta), 0);
    assert_int_equal(ddb_meta_get(&c.store.view, &c.arena, TEXT("simple"), &back), 0);
    assert_true(back.made && back.is_protected && !back.on_demand_mode);
    assert_int_equal(back.created_ms, meta.created_ms);
    assert_int_equal(back.writes, INT64_MAX);
    assert_string_equal(back.id, meta.id);
    assert_true(text_equal(back.on_demand, meta.on_demand) && text_equal(back.stream_view, meta.stream_view));
    assert_int_equal(back.indexes, STORE_INDEXES_MAX);
    assert_true(back.index[3].local && back.index[3].reads == 3);
    assert_int_equal(back.tags, DDB_TAGS_MAX);
    assert_true(text_equal(back.tag[7].key, TEXT("key \"7\"")) && text_equal(back.tag[7].value, TEXT("\xc3\xa4\n")));
    assert_int_equal(ddb_meta_delete(c.store.stage, TEXT("simple")), 0);
    assert_int_equal(ddb_meta_get(&c.store.view, &c.arena, TEXT("simple"), &back), 0);
    assert_true(!back.made && back.on_demand_mode && strlen(back.id) == 36);
    caller_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_are_rounded_up),
        cmocka_unit_test(indexes_cost_when_they_change),
        cmocka_unit_test(meta_rows_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
