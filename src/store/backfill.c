/*
 * Work in slices: filling a new index (or ordered count, or the expiry rows of a new ttl attribute, and the due
 * times in the index entries) over existing items, and removing the debris of dropped ones.
 *
 * A fill walks the items in the order of their primary keys and notes the last one done in a progress row, in
 * the same stage as the entries: it survives crashes and roll-backs, and writes meanwhile know by the same
 * row whether an item is already theirs to keep up (part_active). When it ends the row is deleted, and
 * applying that deletion makes the index readable.
 */
#include "store/internal.h"

struct slice {
    struct store_view *view;
    struct store_table *table;
    const struct definition *def;
    struct part_fill *fill;
    struct store_index *index; /* NULL: the primary count or the expiry rows */
    uint16_t part;
    struct arena *arena;
};

static int fill_item(const struct slice *s, struct text row, struct text value)
{
    struct attr *item;
    size_t start = table_key_len(s->def);
    struct text bytes = arena_copy(s->arena, value), key = arena_copy(s->arena, row);
    int rc = bytes.data && key.data ? item_decode(s->arena, bytes, &item) : ERR_MEMORY;
    if (rc)
        return rc;
    struct entry_change change = {.view = s->view,
        .table = s->table,
        .def = s->def,
        .arena = s->arena,
        .after = item,
        .pk = text_make(key.data + start, key.len - start),
        .due_before = INT64_MIN,
        .due_after = due_of(s->def, item)};
    if (s->index)
        return index_apply(&change, s->index);
    if (s->part == PART_TTL) {
        for (size_t i = 0; i < s->def->decl.indexes && !rc; i++)
            rc = index_mark(&change, s->def->index[i]);
        return rc ? rc : expiry_apply(&change);
    }
    return count_adjust(s->view, s->table, s->def, NULL, key, 1);
}

static int finish(const struct slice *s, struct text progress)
{
    struct store_stage *stage = s->view->stage;
    struct text key = arena_copy(&stage->arena, progress);
    int rc = key.data ? array_reserve((void **)&stage->ended, &stage->ended_cap, stage->ended_count,
                            sizeof(struct ended_fill))
                      : ERR_MEMORY;
    if (!rc)
        rc = overlay_delete(stage, key);
    if (!rc)
        stage->ended[stage->ended_count++] = (struct ended_fill){key, s->fill};
    return rc;
}

/* Fills from behind `done`; answers the number of items or an error. */
static int fill_from(const struct slice *s, struct text progress, struct text done, size_t limit)
{
    struct buf lower, upper;
    struct merge m;
    struct text last = TEXT_NONE;
    size_t n = 0, start = table_key_len(s->def);
    buf_init(&lower, KEY_BYTES_MAX);
    buf_init(&upper, KEY_BYTES_MAX);
    table_key(&lower, s->def, KEY_ITEM, s->table);
    buf_add_text(&upper, buf_text(&lower));
    key_successor(&upper);
    buf_add_text(&lower, done);
    if (done.len)
        buf_add_u8(&lower, 0);
    int rc = lower.failed || upper.failed ? ERR_MEMORY
                                          : merge_open(&m, s->view, buf_text(&lower), buf_text(&upper), true);
    if (rc)
        goto out;
    for (rc = merge_first(&m, false); !rc && n < limit; n++) {
        last = arena_copy(s->arena, text_make(m.key.data + start, m.key.len - start));
        rc = last.data ? fill_item(s, m.key, m.value) : ERR_MEMORY;
        if (!rc)
            rc = merge_step(&m);
        else
            break;
    }
    merge_close(&m);
    if (rc == ERR_NOT_FOUND)
        rc = finish(s, progress);
    else if (!rc && last.data)
        rc = overlay_put(s->view->stage, progress, last);
out:
    buf_fini(&lower);
    buf_fini(&upper);
    return rc ? rc : (int)n + 1; /* the progress row is work, too */
}

static int fill_slice(const struct slice *s, size_t limit)
{
    struct rocks_value value;
    struct buf progress;
    if (!atomic_load(&s->fill->pending))
        return 0;
    buf_init(&progress, 64);
    part_key(&progress, s->def, KEY_PROGRESS, s->table, s->part);
    int rc = progress.failed ? ERR_MEMORY : view_get(s->view, buf_text(&progress), &value);
    if (!rc) {
        struct text done = arena_copy(s->arena, value.bytes);
        rocks_value_release(&value);
        rc = done.data ? fill_from(s, buf_text(&progress), done, limit) : ERR_MEMORY;
    }
    buf_fini(&progress);
    return rc == ERR_NOT_FOUND ? 0 : rc; /* staged as done; applying it clears the flag */
}

static int fill_table(struct store_view *view, struct store_table *table, size_t limit, struct arena *arena)
{
    struct slice s = {.view = view, .table = table, .def = table_definition(view, table), .arena = arena};
    s.fill = &table->primary_fill;
    s.part = s.def->count_part;
    int done = s.part ? fill_slice(&s, limit) : 0;
    if (done)
        return done;
    s.fill = &table->ttl_fill;
    s.part = PART_TTL;
    done = s.def->decl.ttl.len ? fill_slice(&s, limit) : 0;
    for (size_t i = 0; i < s.def->decl.indexes && !done; i++) {
        s.index = s.def->index[i];
        s.fill = &s.index->fill;
        s.part = s.index->id;
        done = fill_slice(&s, limit);
    }
    return done;
}

/* ---- debris ---- */

static int collect_keys(struct store_view *view, struct text lower, struct text upper, size_t limit,
    struct arena *arena, int (*on_key)(void *, struct text), void *context)
{
    struct merge m;
    size_t n = 0;
    int rc = merge_open(&m, view, lower, upper, true);
    if (rc)
        return rc;
    for (rc = merge_first(&m, false); !rc && n < limit; n++) {
        struct text key = arena_copy(arena, m.key);
        rc = key.data ? on_key(context, key) : ERR_MEMORY;
        if (!rc)
            rc = merge_step(&m);
    }
    merge_close(&m);
    return rc && rc != ERR_NOT_FOUND ? rc : (int)n;
}

static int delete_key(void *context, struct text key)
{
    return overlay_delete(context, key);
}

static int keep_key(void *context, struct text key)
{
    *(struct text *)context = key;
    return 0;
}

static int remove_debris(struct store_view *view, size_t limit, struct arena *arena)
{
    char from = KEY_DEBRIS, to = KEY_DEBRIS + 1;
    struct text row;
    int found = collect_keys(view, text_make(&from, 1), text_make(&to, 1), 1, arena, keep_key, &row);
    if (found <= 0) {
        if (!found)
            view->store->debris = false;
        return found;
    }
    struct text prefix = text_make(row.data + 1, row.len - 1), end = arena_copy(arena, prefix);
    struct buf upper = {.data = (char *)end.data, .len = end.len};
    if (!end.data || !prefix.len || !key_successor(&upper))
        return ERR_MEMORY;
    int n = collect_keys(view, prefix, buf_text(&upper), limit, arena, delete_key, view->stage);
    if (n < 0 || (size_t)n >= limit)
        return n;
    int rc = overlay_delete(view->stage, row);
    return rc ? rc : n + 1;
}

int store_backfill(struct store_view *view, size_t limit, struct arena *arena)
{
    struct store *store = view->store;
    ASSERT(view->stage && !view->snapshot && limit);
    for (size_t i = 0; i < store->table_count; i++) {
        int done =
            atomic_load(&store->tables[i]->dropped) ? 0 : fill_table(view, store->tables[i], limit, arena);
        if (done)
            return done;
    }
    return store->debris ? remove_debris(view, limit, arena) : 0;
}
