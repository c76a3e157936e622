/*
 * Index entries. A row per item that has the index's attributes, keyed by them and then by the primary key,
 * so equal index keys do not collide. It holds no copy of the item (a query fetches it by the primary key at
 * the row's end): writes stay small, and an item is stored once. It does hold the due time, because a query
 * for keys alone must not show an expired item.
 *
 * While an index is being filled over existing items, in the order of their primary keys, an item beyond the
 * fill's progress has no entry yet and its changes leave the index alone; the fill will meet it in its latest
 * form.
 */
#include "store/internal.h"

int primary_add(struct buf *out, const struct definition *def, const struct attr *item, struct err *err)
{
    const struct store_table_decl *d = &def->decl;
    int rc = key_add_component(out, d->hash_type, item_get(item, d->hash), d->hash, ITEM_HASH_KEY_MAX, err);
    if (!rc && d->range.len)
        rc = key_add_component(
            out, d->range_type, item_get(item, d->range), d->range, ITEM_RANGE_KEY_MAX, err);
    return rc;
}

static int check_member(const struct attr *item, struct text name, enum attr_type type, size_t max,
    struct text index, struct err *err)
{
    const struct attr *value = item_get(item, name);
    if (!value)
        return 0;
    if (value->type != type)
        return err_set(err, ERR_TYPE,
            "One or more parameter values were invalid: Type mismatch for Index Key %.*s IndexName: %.*s",
            TEXT_FMT(name), TEXT_FMT(index));
    if (type != ATTR_NUMBER && !value->text.len)
        return err_set(err, ERR_INVALID,
            "One or more parameter values are not valid. A value specified for a secondary index key is not "
            "supported. "
            "IndexName: %.*s, IndexKey: %.*s",
            TEXT_FMT(index), TEXT_FMT(name));
    if (type != ATTR_NUMBER && value->text.len > max)
        return err_set(err, ERR_TOO_LARGE,
            "One or more parameter values were invalid: Size of index key %.*s has exceeded %zu bytes",
            TEXT_FMT(name), max);
    return 0;
}

int index_check(const struct definition *def, const struct attr *item, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < def->decl.indexes && !rc; i++) {
        const struct store_index_decl *d = &def->index[i]->decl;
        rc = check_member(item, d->hash, d->hash_type, ITEM_HASH_KEY_MAX, d->name, err);
        if (!rc && d->range.len)
            rc = check_member(item, d->range, d->range_type, ITEM_RANGE_KEY_MAX, d->name, err);
    }
    return rc;
}

static bool member_fits(const struct attr *value, enum attr_type type, size_t max)
{
    return value && value->type == type &&
           (type == ATTR_NUMBER || (value->text.len && value->text.len <= max));
}

int index_components(
    struct buf *out, const struct store_index_decl *d, const struct attr *item, bool *found, struct err *err)
{
    const struct attr *hash = item_get(item, d->hash),
                      *range = d->range.len ? item_get(item, d->range) : NULL;
    *found = member_fits(hash, d->hash_type, ITEM_HASH_KEY_MAX) &&
             (!d->range.len || member_fits(range, d->range_type, ITEM_RANGE_KEY_MAX));
    if (!*found)
        return 0;
    int rc = key_add_component(out, d->hash_type, hash, d->hash, ITEM_HASH_KEY_MAX, err);
    if (!rc && d->range.len)
        rc = key_add_component(out, d->range_type, range, d->range, ITEM_RANGE_KEY_MAX, err);
    return rc;
}

bool part_ready(const struct store_view *view, const struct part_fill *fill)
{
    return !atomic_load(&fill->pending) &&
           (!view->snapshot || view->snapshot->sequence >= atomic_load(&fill->ready_at));
}

int part_active(struct store_view *view, const struct store_table *table, const struct definition *def,
    const struct part_fill *fill, uint16_t part, struct text pk, bool *active)
{
    *active = true;
    if (!atomic_load(&fill->pending))
        return 0;
    struct buf key;
    struct rocks_value done;
    buf_init(&key, 64);
    part_key(&key, def, KEY_PROGRESS, table, part);
    int rc = key.failed ? ERR_MEMORY : view_get(view, buf_text(&key), &done);
    if (!rc) {
        *active = done.bytes.len && text_compare(pk, done.bytes) <= 0;
        rocks_value_release(&done);
    }
    buf_fini(&key);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* The row key of an item's entry; `found` false when it has none. */
static int row_key(struct buf *key, const struct entry_change *change, const struct store_index *index,
    const struct attr *item, bool *found)
{
    *found = false;
    buf_clear(key);
    if (!item)
        return 0;
    part_key(key, change->def, KEY_INDEX, change->table, index->id);
    int rc = index_components(key, &index->decl, item, found, NULL);
    buf_add_text(key, change->pk);
    return rc ? rc : key->failed ? ERR_MEMORY : 0;
}

static int put_row(const struct entry_change *change, struct text key)
{
    unsigned char due[8];
    if (change->due_after == INT64_MIN)
        return overlay_put(change->view->stage, key, TEXT_NONE);
    for (int i = 0; i < 8; i++)
        due[i] = (unsigned char)((uint64_t)change->due_after >> (56 - 8 * i));
    return overlay_put(change->view->stage, key, text_make(due, sizeof(due)));
}

int index_apply(const struct entry_change *change, const struct store_index *index)
{
    struct store_stage *stage = change->view->stage;
    struct buf *old_key = &stage->key[1], *new_key = &stage->key[2];
    bool had, has;
    int rc = row_key(old_key, change, index, change->before, &had);
    if (!rc)
        rc = row_key(new_key, change, index, change->after, &has);
    if (rc)
        return rc;
    if (had && has && text_equal(buf_text(old_key), buf_text(new_key)))
        return change->due_before == change->due_after ? 0 : put_row(change, buf_text(new_key));
    if (had) {
        rc = overlay_delete(stage, buf_text(old_key));
        if (!rc && index->decl.counted)
            rc = count_adjust(change->view, change->table, change->def, index, buf_text(old_key), -1);
    }
    if (!rc && has) {
        rc = put_row(change, buf_text(new_key));
        if (!rc && index->decl.counted)
            rc = count_adjust(change->view, change->table, change->def, index, buf_text(new_key), 1);
    }
    return rc;
}

int index_update(const struct entry_change *change, const struct store_index *index)
{
    bool active;
    int rc =
        part_active(change->view, change->table, change->def, &index->fill, index->id, change->pk, &active);
    return rc || !active ? rc : index_apply(change, index);
}

int entry_prefix(struct buf *out, const struct store_table *table, const struct definition *def,
    const struct store_index *index, const struct attr *hash, struct err *err)
{
    if (index)
        part_key(out, def, KEY_INDEX, table, index->id);
    else
        table_key(out, def, KEY_ITEM, table);
    if (!hash)
        return out->failed ? ERR_MEMORY : 0;
    return index
               ? key_add_component(out, index->decl.hash_type, hash, index->decl.hash, ITEM_HASH_KEY_MAX, err)
               : key_add_component(out, def->decl.hash_type, hash, def->decl.hash, ITEM_HASH_KEY_MAX, err);
}

int entry_key(struct buf *out, const struct store_table *table, const struct definition *def,
    const struct store_index *index, const struct attr *item, struct err *err)
{
    int rc = entry_prefix(out, table, def, index, NULL, err);
    if (!rc && index) {
        bool found;
        rc = index_components(out, &index->decl, item, &found, err);
        if (!rc && !found)
            rc = err_set(err, ERR_INVALID, "The provided starting key is invalid");
    }
    return rc ? rc : primary_add(out, def, item, err);
}
