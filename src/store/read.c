/* Point look-ups of items, and rows outside tables. */
#include "store/internal.h"

/* The row's stored item, copied and decoded into the arena. */
static int get_row(struct store_view *view, struct text row, struct arena *arena, struct text *bytes, struct attr **item)
{
    struct rocks_value value;
    int rc = view_get(view, row, &value);
    if (rc)
        return rc;
    view->items++;
    view->bytes += value.bytes.len;
    *bytes = arena_copy(arena, value.bytes);
    rocks_value_release(&value);
    return bytes->data ? item_decode(arena, *bytes, item) : ERR_MEMORY;
}

static int note_seen(const struct store_view *view, struct text row, struct arena *arena, struct store_seen *seen, struct text bytes, const struct attr *item)
{
    struct text own = arena_copy(arena, row);
    if (!own.data)
        return ERR_MEMORY;
    *seen = (struct store_seen){.stage = view->stage, .writes = view->stage->writes, .row = own, .bytes = bytes, .item = item};
    return 0;
}

int store_get_seen(struct store_view *view, const struct store_table *table, const struct attr *key, struct arena *arena, const struct attr **item,
    struct store_seen *seen)
{
    const struct definition *def = table_definition(view, table);
    struct attr *made = NULL;
    struct text bytes = TEXT_NONE;
    struct buf row;
    if (table_is_gone(view, table))
        return ERR_NOT_FOUND;
    buf_init(&row, KEY_BYTES_MAX);
    table_key(&row, def, KEY_ITEM, table);
    int rc = primary_add(&row, def, key, NULL);
    if (!rc) {
        rc = get_row(view, buf_text(&row), arena, &bytes, &made);
        if (seen && view->stage && (!rc || rc == ERR_NOT_FOUND) && note_seen(view, buf_text(&row), arena, seen, bytes, made))
            rc = ERR_MEMORY;
    }
    buf_fini(&row);
    if (!rc && due_is_past(due_of(def, made), view->now_s))
        rc = ERR_NOT_FOUND;
    if (!rc)
        *item = made;
    return rc;
}

int store_get(struct store_view *view, const struct store_table *table, const struct attr *key,
    struct arena *arena, const struct attr **item)
{
    return store_get_seen(view, table, key, arena, item, NULL);
}

/* ---- raw rows ---- */

static int raw_key(struct buf *row, uint8_t space, struct text key)
{
    ASSERT(space);
    buf_clear(row);
    buf_add_u8(row, KEY_RAW);
    buf_add_u8(row, space);
    buf_add_text(row, key);
    return row->failed ? ERR_TOO_LARGE : 0;
}

int store_raw_put(struct store_stage *stage, uint8_t space, struct text key, struct text value)
{
    int rc = raw_key(&stage->key[0], space, key);
    return rc ? rc : overlay_put(stage, buf_text(&stage->key[0]), value);
}

int store_raw_delete(struct store_stage *stage, uint8_t space, struct text key)
{
    int rc = raw_key(&stage->key[0], space, key);
    return rc ? rc : overlay_delete(stage, buf_text(&stage->key[0]));
}

int store_raw_get(
    struct store_view *view, uint8_t space, struct text key, struct arena *arena, struct text *value)
{
    struct rocks_value found;
    struct buf row;
    buf_init(&row, KEY_BYTES_MAX);
    int rc = raw_key(&row, space, key);
    if (!rc)
        rc = view_get(view, buf_text(&row), &found);
    buf_fini(&row);
    if (rc)
        return rc;
    *value = arena_copy(arena, found.bytes);
    rocks_value_release(&found);
    return value->data ? 0 : ERR_MEMORY;
}

static int scan_rows(
    struct merge *m, bool backward, struct arena *arena, int (*visit)(void *, struct text, struct text), void *context)
{
    int rc;
    for (rc = merge_first(m, backward); !rc; rc = merge_step(m)) {
        struct text key = arena_copy(arena, text_make(m->key.data + 2, m->key.len - 2)),
                    value = arena_copy(arena, m->value);
        rc = key.data && value.data ? visit(context, key, value) : ERR_MEMORY;
        if (rc)
            return rc;
    }
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

int store_raw_scan(struct store_view *view, uint8_t space, struct text from, struct arena *arena,
    int (*visit)(void *context, struct text key, struct text value), void *context)
{
    unsigned char end[2] = {KEY_RAW, (unsigned char)(space + 1)};
    struct text upper = space == 255 ? text_make("s", 1) : text_make(end, 2);
    struct buf lower;
    struct merge m;
    buf_init(&lower, KEY_BYTES_MAX);
    int rc = raw_key(&lower, space, from);
    if (!rc)
        rc = merge_open(&m, view, buf_text(&lower), upper, false);
    if (!rc) {
        rc = scan_rows(&m, false, arena, visit, context);
        merge_close(&m);
    }
    buf_fini(&lower);
    return rc;
}

int store_raw_scan_back(struct store_view *view, uint8_t space, struct text below, struct arena *arena,
    int (*visit)(void *context, struct text key, struct text value), void *context)
{
    unsigned char begin[2] = {KEY_RAW, space};
    struct buf upper;
    struct merge m;
    buf_init(&upper, KEY_BYTES_MAX);
    int rc = raw_key(&upper, space, below);
    if (!rc)
        rc = merge_open(&m, view, text_make(begin, 2), buf_text(&upper), false);
    if (!rc) {
        rc = scan_rows(&m, true, arena, visit, context);
        merge_close(&m);
    }
    buf_fini(&upper);
    return rc;
}
