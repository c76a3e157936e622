/*
 * Integrity: everything is read once, with RocksDB's checksums on, from a snapshot of its own. Items must
 * decode and have their entries, entries must have their items, counts must add up. It takes time in
 * proportion to the data and memory in proportion to nothing.
 */
#include "store/internal.h"

#include <stdarg.h>
#include <stdio.h>

void report_damage(struct store_report *report, const char *format, ...)
{
    va_list arguments;
    report->damaged++;
    if (report->first[0])
        return;
    va_start(arguments, format);
    vsnprintf(report->first, sizeof(report->first), format, arguments);
    va_end(arguments);
}

struct check {
    struct store_view view;
    const struct store_table *table;
    const struct definition *def;
    struct store_report *report;
    struct arena arena;
    struct buf key;
};

static bool row_exists(struct check *c, struct text key)
{
    struct rocks_value value;
    int rc = view_get(&c->view, key, &value);
    if (!rc)
        rocks_value_release(&value);
    return !rc;
}

static void check_entries(struct check *c, const struct attr *item, struct text pk)
{
    for (size_t i = 0; i < c->def->decl.indexes; i++) {
        const struct store_index *index = c->def->index[i];
        bool found;
        if (!part_ready(&c->view, &index->fill))
            continue;
        buf_clear(&c->key);
        part_key(&c->key, c->def, KEY_INDEX, c->table, index->id);
        int rc = index_components(&c->key, &index->decl.key, item, &found, NULL);
        buf_add_text(&c->key, pk);
        if (rc || (found && !row_exists(c, buf_text(&c->key))))
            report_damage(c->report, "an item of table %.*s lacks its entry in index %.*s",
                TEXT_FMT(c->table->name), TEXT_FMT(index->decl.name));
    }
}

static void check_item(struct check *c, struct text key, struct text value)
{
    struct attr *item;
    size_t start = table_key_len(c->def);
    struct text pk = text_make(key.data + start, key.len - start);
    c->report->items++;
    arena_reset(&c->arena);
    if (item_decode(&c->arena, value, &item)) {
        report_damage(c->report, "an item of table %.*s cannot be decoded", TEXT_FMT(c->table->name));
        return;
    }
    buf_clear(&c->key);
    if (primary_add(&c->key, c->def, item, NULL) || !text_equal(buf_text(&c->key), pk))
        report_damage(
            c->report, "an item of table %.*s is stored under another key", TEXT_FMT(c->table->name));
    check_entries(c, item, pk);
}

/* An entry of an index: its item is there and leads back to it. */
static void check_index_row(struct check *c, const struct store_index *index, struct text key)
{
    struct cursor at = cursor_of(key);
    struct rocks_value value;
    struct attr *item;
    bool found = false;
    c->report->index_rows++;
    cursor_take(&at, table_key_len(c->def) + 2);
    key_skip_parts(&at, &index->decl.key, store_key_parts(&index->decl.key));
    struct text pk = cursor_take(&at, cursor_left(&at));
    buf_clear(&c->key);
    table_key(&c->key, c->def, KEY_ITEM, c->table);
    buf_add_text(&c->key, pk);
    if (at.failed || view_get(&c->view, buf_text(&c->key), &value)) {
        report_damage(c->report, "index %.*s of table %.*s names an item that is not there",
            TEXT_FMT(index->decl.name), TEXT_FMT(c->table->name));
        return;
    }
    arena_reset(&c->arena);
    buf_clear(&c->key);
    part_key(&c->key, c->def, KEY_INDEX, c->table, index->id);
    if (!item_decode(&c->arena, value.bytes, &item))
        index_components(&c->key, &index->decl.key, item, &found, NULL);
    buf_add_text(&c->key, pk);
    rocks_value_release(&value);
    if (!found || !text_equal(buf_text(&c->key), key))
        report_damage(c->report, "index %.*s of table %.*s has an entry that its item does not have",
            TEXT_FMT(index->decl.name), TEXT_FMT(c->table->name));
}

/* Counts are checked hash value by hash value, while the entries go by. */
struct group {
    struct buf start; /* entry key up to the last hash component */
    uint64_t entries;
};

static void check_group(struct check *c, const struct store_index *index, struct group *group)
{
    uint64_t total = 0;
    if (!group->start.len)
        return;
    int rc = count_verify(&c->view, c->table, c->def, index, buf_text(&group->start), c->report, &total);
    if (rc || total != group->entries)
        report_damage(c->report, "an ordered count of table %.*s is damaged", TEXT_FMT(c->table->name));
}

static void group_add(struct check *c, const struct store_index *index, struct group *group, struct text key)
{
    struct cursor at = cursor_of(key);
    cursor_take(&at, table_key_len(c->def) + (index ? 2 : 0));
    const struct store_key *schema = entry_schema(c->def, index);
    key_skip_parts(&at, schema, schema->hashes);
    struct text start = text_make(key.data, key.len - cursor_left(&at));
    if (!text_equal(start, buf_text(&group->start))) {
        check_group(c, index, group);
        buf_clear(&group->start);
        buf_add_text(&group->start, start);
        group->entries = 0;
    }
    group->entries++;
}

static int check_rows(struct check *c, const struct store_index *index, bool counted, uint64_t *rows)
{
    struct buf lower, upper;
    struct group group = {.entries = 0};
    struct merge m;
    buf_init(&lower, 64);
    buf_init(&upper, 64);
    buf_init(&group.start, KEY_BYTES_MAX);
    int rc = entry_prefix(&lower, c->table, c->def, index, NULL, NULL);
    buf_add_text(&upper, buf_text(&lower));
    key_successor(&upper);
    if (!rc)
        rc = merge_open(&m, &c->view, buf_text(&lower), buf_text(&upper), true);
    if (!rc) {
        for (rc = merge_first(&m, false), *rows = 0; !rc; rc = merge_step(&m), (*rows)++) {
            c->report->rows++;
            c->report->bytes += m.key.len + m.value.len;
            if (counted)
                group_add(c, index, &group, m.key);
            if (index)
                check_index_row(c, index, m.key);
            else
                check_item(c, m.key, m.value);
        }
        merge_close(&m);
    }
    if (rc == ERR_NOT_FOUND && counted)
        check_group(c, index, &group);
    buf_fini(&group.start);
    buf_fini(&lower);
    buf_fini(&upper);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static void check_number(struct check *c, uint64_t items)
{
    struct rocks_value value;
    uint64_t number = 0;
    buf_clear(&c->key);
    table_key(&c->key, c->def, KEY_NUMBER, c->table);
    int rc = view_get(&c->view, buf_text(&c->key), &value);
    if (!rc) {
        struct cursor at = cursor_of(value.bytes);
        number = cursor_be64(&at);
        rocks_value_release(&value);
    }
    if ((rc && rc != ERR_NOT_FOUND) || number != items)
        report_damage(c->report, "table %.*s counts %llu items but holds %llu", TEXT_FMT(c->table->name),
            (unsigned long long)number, (unsigned long long)items);
}

static int check_table(struct check *c)
{
    uint64_t items = 0, entries;
    c->def = table_definition(&c->view, c->table);
    int rc = check_rows(c, NULL, c->def->count_part && part_ready(&c->view, &c->table->primary_fill), &items);
    if (!rc)
        check_number(c, items);
    for (size_t i = 0; i < c->def->decl.indexes && !rc; i++) {
        const struct store_index *index = c->def->index[i];
        rc = check_rows(c, index, index->decl.counted && part_ready(&c->view, &index->fill), &entries);
    }
    return rc;
}

int store_verify(struct store *store, struct store_report *report)
{
    struct check c = {.view = {.store = store, .now_s = -1 /* nothing is due */}, .report = report};
    memset(report, 0, sizeof(*report));
    struct store_snapshot snapshot = {.rocks = rocks_snapshot_create(store->rocks), .sequence = UINT64_MAX};
    if (!snapshot.rocks)
        return ERR_MEMORY;
    c.view.snapshot = &snapshot;
    arena_init(&c.arena, 64u << 10, 64u << 20);
    buf_init(&c.key, KEY_BYTES_MAX);
    struct err err;
    int rc = rocks_verify(store->rocks, &err); /* names the file, which the walk below cannot */
    if (rc == ERR_CORRUPT) {
        report_damage(report, "%s", err.text);
        rc = 0;
    }
    while (!rc && (c.table = store_table_next(store, c.table))) {
        report->tables++;
        rc = check_table(&c);
        if (rc == ERR_CORRUPT) {
            report_damage(report, "table %.*s: a block fails its checksum", TEXT_FMT(c.table->name));
            rc = 0;
        }
    }
    buf_fini(&c.key);
    arena_fini(&c.arena);
    rocks_snapshot_destroy(store->rocks, snapshot.rocks);
    return rc;
}
