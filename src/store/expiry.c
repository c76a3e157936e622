/*
 * Expiry. An item whose ttl attribute names a past second is invisible at once, whatever the sweep does; the
 * row 'e' second table pk only tells the sweep where to look, so it may be late, slow or interrupted. A row
 * may also be stale (the attribute was renamed): the sweep believes the item, not the row, and drops the row.
 *
 * As in DynamoDB an attribute that is no number, or lies more than five years back, is data and no due time.
 */
#include "store/internal.h"

int64_t due_of(const struct definition *def, const struct attr *item)
{
    struct decimal d;
    if (!def->decl.ttl.len)
        return INT64_MIN;
    const struct attr *value = item_get(item, def->decl.ttl);
    uint64_t whole;
    if (!value || value->type != ATTR_NUMBER)
        return INT64_MIN;
    if (text_to_u64(value->text, INT64_MAX, &whole) == 0)
        return (int64_t)whole;
    if (decimal_parse(value->text, &d) || d.negative)
        return INT64_MIN;
    /* Whole seconds: digits behind the point are dropped. */
    if (d.exponent < 0)
        return 0;
    if (d.count > d.exponent)
        d.count = (uint8_t)d.exponent;
    while (d.count && !d.digit[d.count - 1])
        d.count--;
    if (!d.count)
        return 0;
    int64_t due;
    return decimal_to_i64(&d, &due) ? INT64_MIN : due;
}

static int expiry_key(struct buf *key, const struct definition *def, const struct store_table *table,
    int64_t due, struct text pk)
{
    buf_clear(key);
    if (def->decl.volatile_rows)
        buf_add_u8(key, KEY_VOLATILE);
    buf_add_u8(key, KEY_EXPIRY);
    buf_add_be64(key, (uint64_t)due);
    buf_add_be32(key, table->id);
    buf_add_text(key, pk);
    return key->failed ? ERR_MEMORY : 0;
}

int expiry_update(const struct entry_change *c)
{
    bool active;
    if (c->due_before == c->due_after)
        return 0;
    int rc = part_active(c->view, c->table, c->def, &c->table->ttl_fill, PART_TTL, c->pk, &active);
    return rc || !active ? rc : expiry_apply(c);
}

int expiry_apply(const struct entry_change *c)
{
    struct store_stage *stage = c->view->stage;
    struct buf *key = &stage->key[1];
    int rc = 0;
    if (c->due_before != INT64_MIN) {
        rc = expiry_key(key, c->def, c->table, c->due_before, c->pk);
        if (!rc)
            rc = overlay_delete(stage, buf_text(key));
    }
    if (!rc && c->due_after != INT64_MIN) {
        rc = expiry_key(key, c->def, c->table, c->due_after, c->pk);
        if (!rc)
            rc = overlay_put(stage, buf_text(key), TEXT_NONE);
    }
    return rc;
}

/* [lower, upper) of the rows with due times in [from, to]. */
static void due_range(struct buf *lower, struct buf *upper, bool is_volatile, int64_t from, int64_t to)
{
    struct buf *both[2] = {lower, upper};
    int64_t due[2] = {from < 0 ? 0 : from, to};
    for (int i = 0; i < 2; i++) {
        buf_clear(both[i]);
        if (is_volatile)
            buf_add_u8(both[i], KEY_VOLATILE);
        buf_add_u8(both[i], KEY_EXPIRY);
        buf_add_be64(both[i], (uint64_t)due[i] + (i ? 1 : 0));
    }
}

struct due_row {
    int64_t due;
    uint32_t table;
    struct text pk;
};

static int due_row_parse(struct text key, bool is_volatile, struct due_row *row)
{
    struct cursor c = cursor_of(key);
    cursor_take(&c, is_volatile ? 2 : 1);
    row->due = (int64_t)cursor_be64(&c);
    row->table = cursor_be32(&c);
    row->pk = cursor_take(&c, cursor_left(&c));
    return c.failed ? ERR_CORRUPT : 0;
}

/* The key attributes of a pk. */
static int read_primary(struct arena *arena, const struct definition *def, struct text pk, struct attr **out)
{
    struct cursor c = cursor_of(pk);
    const struct store_table_decl *d = &def->decl;
    struct attr *key = item_create(arena);
    struct text text;
    if (!key)
        return ERR_MEMORY;
    for (int i = 0; i < (d->range.len ? 2 : 1); i++) {
        int rc = key_read(&c, i ? d->range_type : d->hash_type, arena, &text);
        if (rc)
            return rc;
        struct attr *member = item_set_string(arena, key, i ? d->range : d->hash, text);
        if (!member)
            return ERR_MEMORY;
        member->type = i ? d->range_type : d->hash_type;
    }
    *out = key;
    return 0;
}

/* Deletes the item if it is due by its own attribute; in any case the row goes. */
static int expire_row(struct store_view *view, struct text row_key, const struct due_row *row,
    struct arena *arena, struct store_table **deleted)
{
    struct store_table *table = catalogue_table(view->store, row->table);
    const struct definition *def =
        table && !atomic_load(&table->dropped) ? table_definition(view, table) : NULL;
    struct rocks_value value = {TEXT_NONE, NULL};
    struct buf key;
    struct attr *item = NULL, *primary;
    int rc = 0;
    *deleted = NULL;
    if (def && def->decl.ttl.len) {
        buf_init(&key, KEY_BYTES_MAX);
        table_key(&key, def, KEY_ITEM, table);
        buf_add_text(&key, row->pk);
        rc = key.failed ? ERR_MEMORY : view_get(view, buf_text(&key), &value);
        buf_fini(&key);
        if (!rc)
            rc = item_decode(arena, value.bytes, &item);
        bool due = !rc && due_is_past(due_of(def, item), view->now_s);
        rocks_value_release(&value);
        if (rc == ERR_NOT_FOUND)
            rc = 0;
        if (due)
            rc = read_primary(arena, def, row->pk, &primary);
        if (!rc && due) {
            rc = store_delete(view, table, primary, STORE_BY_SERVICE, arena, NULL, NULL);
            *deleted = rc ? NULL : table;
        }
    }
    return rc ? rc : overlay_delete(view->stage, row_key);
}

static int expire_space(struct store_view *view, bool is_volatile, size_t limit, struct arena *arena)
{
    struct buf lower, upper;
    struct merge m;
    size_t visited = 0;
    int deleted_count = 0;
    struct store_table **deleted = arena_array(arena, limit, sizeof(*deleted)); /* counted when all went well: a cold block begins anew */
    if (!deleted)
        return ERR_MEMORY;
    buf_init(&lower, 64);
    buf_init(&upper, 64);
    due_range(&lower, &upper, is_volatile, view->now_s - EXPIRY_AGE_MAX_S + 1, view->now_s);
    int rc = lower.failed || upper.failed ? ERR_MEMORY
                                          : merge_open(&m, view, buf_text(&lower), buf_text(&upper), false);
    if (rc)
        goto out;
    for (rc = merge_first(&m, false); !rc && visited < limit; rc = merge_step(&m), visited++) {
        struct due_row row;
        struct text key = arena_copy(arena, m.key);
        rc = key.data ? due_row_parse(key, is_volatile, &row) : ERR_MEMORY;
        if (!rc)
            rc = expire_row(view, key, &row, arena, &deleted[deleted_count]);
        if (rc)
            break;
        deleted_count += deleted[deleted_count] != NULL;
    }
    merge_close(&m);
out:
    buf_fini(&lower);
    buf_fini(&upper);
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    for (int i = 0; i < deleted_count; i++)
        atomic_fetch_add_explicit(&deleted[i]->expired, 1, memory_order_relaxed);
    return deleted_count;
}

int store_expire(struct store_view *view, size_t limit, struct arena *arena)
{
    int durable = expire_space(view, false, limit, arena);
    if (durable < 0 || (size_t)durable >= limit)
        return durable;
    int others = expire_space(view, true, limit - (size_t)durable, arena);
    return others < 0 ? others : durable + others;
}

static int64_t next_due(struct store_view *view, bool is_volatile)
{
    struct buf lower, upper;
    struct merge m;
    struct due_row row = {.due = INT64_MAX};
    buf_init(&lower, 64);
    buf_init(&upper, 64);
    due_range(&lower, &upper, is_volatile, view->now_s - EXPIRY_AGE_MAX_S + 1, INT64_MAX - 1);
    if (!lower.failed && !upper.failed && !merge_open(&m, view, buf_text(&lower), buf_text(&upper), false)) {
        if (merge_first(&m, false) || due_row_parse(m.key, is_volatile, &row))
            row.due = INT64_MAX;
        merge_close(&m);
    }
    buf_fini(&lower);
    buf_fini(&upper);
    return row.due;
}

int64_t store_next_expiry(struct store_view *view)
{
    int64_t durable = next_due(view, false), others = next_due(view, true);
    return durable < others ? durable : others;
}
