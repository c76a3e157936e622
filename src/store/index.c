/*
 * Index entries. A row per item that has all of the index's attributes, keyed by them and then by the primary key,
 * so equal index keys do not collide. It holds no copy of the item (a query fetches it by the primary key at
 * the row's end): writes stay small, and an item is stored once. It does hold the due time, because a query
 * for keys alone must not show an expired item.
 *
 * While an index is being filled over existing items, in the order of their primary keys, an item beyond the
 * fill's progress has no entry yet and its changes leave the index alone; the fill will meet it in its latest
 * form.
 */
#include "store/internal.h"

/* Bytes that the hash attributes may have together, and the range attributes. */
static size_t part_max(const struct store_key *key, size_t part)
{
    return part < key->hashes ? ITEM_HASH_KEY_MAX : ITEM_RANGE_KEY_MAX;
}

static int add_part(struct buf *out, const struct store_key *key, size_t part, const struct attr *value,
    struct err *err)
{
    const struct store_key_part *of = &key->part[part];
    return key_add_component(out, of->type, value, of->name, part_max(key, part), err);
}

int primary_add(struct buf *out, const struct definition *def, const struct attr *item, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < store_key_parts(&def->key) && !rc; i++)
        rc = add_part(out, &def->key, i, item_get(item, def->key.part[i].name), err);
    return rc;
}

/* `used`: bytes of the parts of its kind before it, itself included. */
static int check_member(const struct attr *value, const struct store_index_decl *index, size_t part,
    size_t used, struct err *err)
{
    const struct store_key_part *of = &index->key.part[part];
    if (value->type != of->type)
        return err_set(err, ERR_TYPE,
            "One or more parameter values were invalid: Type mismatch for Index Key %.*s IndexName: %.*s",
            TEXT_FMT(of->name), TEXT_FMT(index->name));
    if (of->type != ATTR_NUMBER && !value->text.len)
        return err_set(err, ERR_INVALID,
            "One or more parameter values are not valid. A value specified for a secondary index key is not "
            "supported. "
            "IndexName: %.*s, IndexKey: %.*s",
            TEXT_FMT(index->name), TEXT_FMT(of->name));
    if (used > part_max(&index->key, part))
        return err_set(err, ERR_TOO_LARGE,
            "One or more parameter values were invalid: Size of index key %.*s has exceeded %zu bytes",
            TEXT_FMT(of->name), part_max(&index->key, part));
    return 0;
}

static int check_entry(const struct store_index_decl *index, const struct attr *item, struct err *err)
{
    size_t used[2] = {0, 0};
    for (size_t i = 0; i < store_key_parts(&index->key); i++) {
        const struct attr *value = item_get(item, index->key.part[i].name);
        if (!value)
            continue;
        bool is_range = i >= index->key.hashes;
        used[is_range] += key_value_bytes(value);
        int rc = check_member(value, index, i, used[is_range], err);
        if (rc)
            return rc;
    }
    return 0;
}

int index_check(const struct definition *def, const struct attr *item, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < def->decl.indexes && !rc; i++)
        rc = check_entry(&def->index[i]->decl, item, err);
    return rc;
}

/* The item's values for the key's parts; false when it cannot have an entry. */
static bool entry_values(const struct store_key *key, const struct attr *item, const struct attr *value[])
{
    size_t used[2] = {0, 0};
    for (size_t i = 0; i < store_key_parts(key); i++) {
        value[i] = item_get(item, key->part[i].name);
        if (!value[i] || value[i]->type != key->part[i].type)
            return false;
        if (value[i]->type != ATTR_NUMBER && !value[i]->text.len)
            return false;
        used[i >= key->hashes] += key_value_bytes(value[i]);
    }
    return used[0] <= ITEM_HASH_KEY_MAX && used[1] <= ITEM_RANGE_KEY_MAX;
}

int index_components(
    struct buf *out, const struct store_key *key, const struct attr *item, bool *found, struct err *err)
{
    const struct attr *value[2 * STORE_INDEX_KEYS_MAX];
    int rc = 0;
    *found = entry_values(key, item, value);
    for (size_t i = 0; *found && i < store_key_parts(key) && !rc; i++)
        rc = add_part(out, key, i, value[i], err);
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
    int rc = index_components(key, &index->decl.key, item, found, NULL);
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

int index_mark(const struct entry_change *change, const struct store_index *index)
{
    struct buf *key = &change->view->stage->key[2];
    bool active, has = false;
    int rc = part_active(change->view, change->table, change->def, &index->fill, index->id, change->pk, &active);
    if (!rc && active)
        rc = row_key(key, change, index, change->after, &has);
    return rc || !has ? rc : put_row(change, buf_text(key));
}

int index_update(const struct entry_change *change, const struct store_index *index)
{
    bool active;
    int rc =
        part_active(change->view, change->table, change->def, &index->fill, index->id, change->pk, &active);
    return rc || !active ? rc : index_apply(change, index);
}

int entry_prefix(struct buf *out, const struct store_table *table, const struct definition *def,
    const struct store_index *index, const struct attr *const *hash, struct err *err)
{
    const struct store_key *key = entry_schema(def, index);
    size_t bytes = 0;
    int rc = 0;
    if (index)
        part_key(out, def, KEY_INDEX, table, index->id);
    else
        table_key(out, def, KEY_ITEM, table);
    for (size_t i = 0; hash && hash[0] && i < key->hashes && !rc; i++) {
        bytes += key_value_bytes(hash[i]);
        if (bytes > ITEM_HASH_KEY_MAX)
            return err_set(err, ERR_TOO_LARGE, "the hash key's values are too large together");
        rc = add_part(out, key, i, hash[i], err);
    }
    return rc ? rc : out->failed ? ERR_MEMORY : 0;
}

int entry_key(struct buf *out, const struct store_table *table, const struct definition *def,
    const struct store_index *index, const struct attr *item, struct err *err)
{
    int rc = entry_prefix(out, table, def, index, NULL, err);
    if (!rc && index) {
        bool found;
        rc = index_components(out, &index->decl.key, item, &found, err);
        if (!rc && !found)
            rc = err_set(err, ERR_INVALID, "The provided starting key is invalid");
    }
    return rc ? rc : primary_add(out, def, item, err);
}
