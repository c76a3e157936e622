/*
 * Staging: puts and deletes of items, with everything that follows from them (index entries, ordered counts,
 * expiry rows, the number of items, change records), as rows in the overlay. All or nothing: each call notes
 * where the undo log stands and returns there when anything fails, a cold block included.
 *
 * An item that is due but not swept yet is invisible. Overwriting one is therefore two events, REMOVE by the
 * service and INSERT, and that is what consumers are told.
 */
#include "store/internal.h"

#include "base/counter.h"

int store_stage_create(struct store *store, struct store_stage **out)
{
    struct store_stage *stage = calloc(1, sizeof(*stage));
    if (!stage)
        return ERR_MEMORY;
    stage->store = store;
    arena_init(&stage->arena, 256u << 10, STAGE_BYTES_MAX);
    for (int i = 0; i < 4; i++)
        buf_init(&stage->key[i], KEY_BYTES_MAX);
    buf_init(&stage->encoded, 2 * ITEM_LARGE_MAX);
    stage->batch = rocks_batch_create();
    int rc = stage->batch ? overlay_init(stage) : ERR_MEMORY;
    if (rc) {
        store_stage_destroy(stage);
        return rc;
    }
    *out = stage;
    return 0;
}

void store_stage_destroy(struct store_stage *stage)
{
    if (!stage)
        return;
    if (!stage->sealed)
        catalogue_rollback(stage, 0);
    overlay_fini(stage);
    arena_fini(&stage->arena);
    for (int i = 0; i < 4; i++)
        buf_fini(&stage->key[i]);
    buf_fini(&stage->encoded);
    rocks_batch_destroy(stage->batch);
    free(stage->change);
    free(stage->defined);
    free(stage->ended);
    free(stage);
}

void store_stage_reset(struct store_stage *stage)
{
    if (stage->sealed)
        catalogue_applied(stage);
    else
        catalogue_rollback(stage, 0);
    overlay_reset(stage);
    stage->change_count = 0;
    stage->defined_count = 0;
    stage->ended_count = 0;
    stage->sealed = false;
    rocks_batch_clear(stage->batch);
}

struct store_save store_stage_save(const struct store_stage *stage)
{
    return (struct store_save){
        .undo = stage->undo_count, .change = stage->change_count, .flags = stage->defined_count};
}

void store_stage_rollback(struct store_stage *stage, struct store_save save)
{
    overlay_undo(stage, save.undo);
    stage->change_count = save.change;
    catalogue_rollback(stage, save.flags);
}

bool store_stage_empty(const struct store_stage *stage)
{
    return !stage->rows && !stage->change_count;
}

bool store_stage_durable(const struct store_stage *stage)
{
    return stage->durable || stage->change_count;
}

size_t store_stage_bytes(const struct store_stage *stage)
{
    return stage->arena.used + stage->undo_count * sizeof(struct undo) +
           stage->change_count * sizeof(struct change);
}

void store_stage_follow(struct store_stage *next, struct store_stage *flight)
{
    ASSERT(flight->sealed && next != flight);
    next->flight = flight;
}

void store_stage_unfollow(struct store_stage *next)
{
    next->flight = NULL;
}

/* ---- change records ---- */

static int encode_keys(
    struct store_stage *stage, const struct definition *def, const struct attr *item, struct text *out)
{
    const struct attr *hash = item_get(item, def->decl.hash),
                      *range = def->decl.range.len ? item_get(item, def->decl.range) : NULL;
    struct attr first = *hash, second, keys = {.type = ATTR_MAP, .count = range ? 2 : 1, .first = &first};
    first.next = NULL;
    if (range) {
        second = *range;
        second.next = NULL;
        first.next = &second;
    }
    buf_clear(&stage->encoded);
    int rc = item_encode(&stage->encoded, &keys);
    if (rc)
        return rc;
    *out = arena_copy(&stage->arena, buf_text(&stage->encoded));
    return out->data ? 0 : ERR_MEMORY;
}

static int add_change(
    const struct entry_change *c, bool by_service, struct text before, struct text after, struct node *node)
{
    struct store_stage *stage = c->view->stage;
    struct change change = {
        .table = c->table, .by_service = by_service, .before = before, .after = after, .node = node};
    if (!definition_keeps_changes(c->def))
        return 0;
    change.event = !c->before ? 'I' : !c->after ? 'R' : 'M';
    if (before.len) {
        change.before = arena_copy(&stage->arena, before);
        if (!change.before.data)
            return ERR_MEMORY;
    }
    int rc = encode_keys(stage, c->def, c->after ? c->after : c->before, &change.keys);
    if (!rc)
        rc = array_reserve(
            (void **)&stage->change, &stage->change_cap, stage->change_count, sizeof(struct change));
    if (!rc)
        stage->change[stage->change_count++] = change;
    return rc;
}

/* ---- one change of one item ---- */

static int update_entries(const struct entry_change *c, struct text item_key)
{
    int rc = 0;
    for (size_t i = 0; i < c->def->decl.indexes && !rc; i++)
        rc = index_update(c, c->def->index[i]);
    if (!rc && c->def->decl.ttl.len)
        rc = expiry_update(c);
    if (rc || !c->before == !c->after)
        return rc;
    int step = c->after ? 1 : -1;
    rc = overlay_count(c->view->stage, (struct store_table *)c->table, step);
    if (rc || !c->def->count_part)
        return rc;
    bool active;
    rc = part_active(c->view, c->table, c->def, &c->table->primary_fill, c->def->count_part, c->pk, &active);
    return rc || !active ? rc : count_adjust(c->view, c->table, c->def, NULL, item_key, step);
}

static int remove_item(struct entry_change *c, struct text item_key, struct text before, unsigned flags)
{
    c->after = NULL;
    c->due_after = INT64_MIN;
    int rc = overlay_delete(c->view->stage, item_key);
    if (!rc)
        rc = update_entries(c, item_key);
    if (!rc && !(flags & STORE_QUIET))
        rc = add_change(c, flags & STORE_BY_SERVICE, before, TEXT_NONE, NULL);
    counter_add(COUNTER_tick_writes, !rc);
    return rc;
}

static int write_item(
    struct entry_change *c, struct text item_key, struct text before, struct text encoded, bool by_service)
{
    struct store_stage *stage = c->view->stage;
    struct node *node;
    struct text own = arena_copy(&stage->arena, encoded);
    int rc = own.data ? overlay_put_own(stage, item_key, own, &node) : ERR_MEMORY;
    if (!rc)
        rc = update_entries(c, item_key);
    if (!rc)
        rc = add_change(c, by_service, before, own, node);
    counter_add(COUNTER_tick_writes, !rc);
    return rc;
}

/* Does what was read before still tell what the row holds? */
static bool seen_holds(const struct entry_change *c, struct text item_key)
{
    const struct store_seen *seen = c->seen;
    return seen && seen->stage == c->view->stage && seen->writes == c->view->stage->writes && text_equal(seen->row, item_key);
}

/* The stored item, copied and decoded into the arena; `bytes` empty when there is none. */
static int read_old(struct entry_change *c, struct text item_key, struct text *bytes)
{
    struct rocks_value value;
    struct attr *item;
    *bytes = TEXT_NONE;
    if (seen_holds(c, item_key)) {
        *bytes = c->seen->bytes;
        c->before = c->seen->item;
        c->due_before = c->before ? due_of(c->def, c->before) : INT64_MIN;
        return 0;
    }
    int rc = view_get(c->view, item_key, &value);
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    *bytes = arena_copy(c->arena, value.bytes);
    rocks_value_release(&value);
    if (!bytes->data)
        return ERR_MEMORY;
    rc = item_decode(c->arena, *bytes, &item);
    if (rc)
        return rc;
    c->view->items++;
    c->view->bytes += bytes->len;
    c->before = item;
    c->due_before = due_of(c->def, item);
    return 0;
}

static int make_key(struct entry_change *c, const struct attr *key, struct err *err)
{
    struct buf *row = &c->view->stage->key[0];
    buf_clear(row);
    table_key(row, c->def, KEY_ITEM, c->table);
    int rc = primary_add(row, c->def, key, err);
    size_t start = table_key_len(c->def);
    c->pk = rc ? TEXT_NONE : text_make(row->data + start, row->len - start);
    return rc;
}

static void change_init(
    struct entry_change *c, struct store_view *view, const struct store_table *table, struct arena *arena)
{
    ASSERT(view->stage && !view->snapshot && !view->stage->sealed);
    *c = (struct entry_change){.view = view,
        .table = table,
        .def = table_definition(view, table),
        .arena = arena,
        .due_before = INT64_MIN,
        .due_after = INT64_MIN};
}

static int sentence(struct err *err, int rc)
{
    return rc ? err_set(err, rc, "%s", err_text(rc)) : 0;
}

static int put_checked(
    struct entry_change *c, const struct attr *item, unsigned flags, const struct attr **old, struct err *err)
{
    struct store_stage *stage = c->view->stage;
    struct text key = buf_text(&stage->key[0]), before = TEXT_NONE;
    int rc = flags & STORE_FRESH ? 0 : read_old(c, key, &before);
    if (rc)
        return sentence(err, rc);
    bool expired = c->before && due_is_past(c->due_before, c->view->now_s), visible = c->before && !expired;
    if (old)
        *old = visible ? c->before : NULL;
    if ((flags & STORE_IF_ABSENT) && visible)
        return sentence(err, ERR_EXISTS);
    if ((flags & STORE_IF_PRESENT) && !visible)
        return sentence(err, ERR_NOT_FOUND);
    if (expired) {
        rc = remove_item(c, key, before, STORE_BY_SERVICE);
        c->before = NULL;
        c->due_before = INT64_MIN;
        before = TEXT_NONE;
    }
    if (rc)
        return sentence(err, rc);
    c->after = item;
    c->due_after = due_of(c->def, item);
    buf_clear(&stage->encoded);
    rc = item_encode(&stage->encoded, item);
    if (rc)
        return sentence(err, rc);
    if (c->before && (text_equal(before, buf_text(&stage->encoded)) || attr_equal(c->before, item)))
        return 0; /* a write that changes nothing makes no record */
    return sentence(err, write_item(c, key, before, buf_text(&stage->encoded), flags & STORE_BY_SERVICE));
}

int store_put(struct store_view *view, const struct store_table *table, const struct attr *item,
    unsigned flags, struct arena *arena, const struct attr **old, struct err *err)
{
    return store_put_seen(view, table, item, flags, arena, NULL, old, err);
}

int store_put_seen(struct store_view *view, const struct store_table *table, const struct attr *item,
    unsigned flags, struct arena *arena, const struct store_seen *seen, const struct attr **old, struct err *err)
{
    struct entry_change c;
    change_init(&c, view, table, arena);
    c.seen = seen;
    if (old)
        *old = NULL;
    int rc = item_check_within(item, flags & STORE_LARGE ? ITEM_LARGE_MAX : ITEM_BYTES_MAX, err);
    if (!rc && atomic_load(&table->dropped))
        rc = sentence(err, ERR_NOT_FOUND);
    if (!rc)
        rc = make_key(&c, item, err);
    if (!rc && !(flags & STORE_LOOSE))
        rc = index_check(c.def, item, err);
    if (rc)
        return rc;
    struct store_save save = store_stage_save(view->stage);
    rc = put_checked(&c, item, flags, old, err);
    if (rc)
        store_stage_rollback(view->stage, save);
    return rc;
}

int store_delete(struct store_view *view, const struct store_table *table, const struct attr *key,
    unsigned flags, struct arena *arena, const struct attr **old, struct err *err)
{
    return store_delete_seen(view, table, key, flags, arena, NULL, old, err);
}

int store_delete_seen(struct store_view *view, const struct store_table *table, const struct attr *key,
    unsigned flags, struct arena *arena, const struct store_seen *seen, const struct attr **old, struct err *err)
{
    struct entry_change c;
    struct text before;
    change_init(&c, view, table, arena);
    c.seen = seen;
    if (old)
        *old = NULL;
    int rc = atomic_load(&table->dropped) ? sentence(err, ERR_NOT_FOUND) : make_key(&c, key, err);
    if (rc)
        return rc;
    struct text row = buf_text(&view->stage->key[0]);
    rc = read_old(&c, row, &before);
    if (rc)
        return sentence(err, rc);
    bool visible = c.before && ((flags & STORE_BY_SERVICE) || !due_is_past(c.due_before, view->now_s));
    if (!visible)
        return flags & STORE_IF_PRESENT ? sentence(err, ERR_NOT_FOUND) : 0;
    if (old)
        *old = c.before;
    struct store_save save = store_stage_save(view->stage);
    rc = remove_item(&c, row, before, flags);
    if (rc)
        store_stage_rollback(view->stage, save);
    return sentence(err, rc);
}
