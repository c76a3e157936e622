/*
 * Staging definitions: tables made, changed and dropped.
 *
 * A changed index is a new index with a new number, filled by a backfill, and the old one's rows become
 * debris. So there is one way to change anything, and it works in slices. Numbers of tables and of their
 * parts are never used again: rows of the past go slowly, and must not be taken for rows of the present.
 */
#include "store/internal.h"

#include <ctype.h>

#define PARTS_MAX 0xFFF0 /* numbers of indexes and counts, over a table's whole life */

static bool name_is_valid(struct text name)
{
    if (name.len < 3 || name.len > 255)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!isalnum((unsigned char)name.data[i]) && !strchr("_.-", name.data[i]))
            return false;
    return true;
}

static bool key_is_valid(struct text name, enum attr_type type, bool optional)
{
    if (!name.len)
        return optional;
    return name.len <= 255 && (type == ATTR_STRING || type == ATTR_NUMBER || type == ATTR_BINARY);
}

static bool index_key_is_valid(const struct store_key *key)
{
    if (!key->hashes || key->hashes > STORE_INDEX_KEYS_MAX || key->ranges > STORE_INDEX_KEYS_MAX)
        return false;
    for (size_t i = 0; i < store_key_parts(key); i++) {
        if (!key_is_valid(key->part[i].name, key->part[i].type, false))
            return false;
        for (size_t k = 0; k < i; k++)
            if (text_equal(key->part[k].name, key->part[i].name))
                return false;
    }
    return true;
}

static int decl_check(const struct store_table_decl *decl, struct err *err)
{
    if (!name_is_valid(decl->name))
        return err_set(
            err, ERR_INVALID, "a table name has 3 to 255 characters of a-z, A-Z, 0-9, '_', '-' and '.'");
    if (!key_is_valid(decl->hash, decl->hash_type, false) ||
        !key_is_valid(decl->range, decl->range_type, true))
        return err_set(err, ERR_INVALID, "the key of table %.*s is not valid", TEXT_FMT(decl->name));
    if (decl->volatile_rows && decl->changes)
        return err_set(err, ERR_INVALID,
            "table %.*s: volatile rows are not journaled and have no change records", TEXT_FMT(decl->name));
    if (decl->counted && !decl->range.len)
        return err_set(
            err, ERR_INVALID, "table %.*s: an ordered count needs a range key", TEXT_FMT(decl->name));
    if (decl->indexes > STORE_INDEXES_MAX)
        return err_set(err, ERR_TOO_LARGE, "table %.*s has more than %d indexes", TEXT_FMT(decl->name),
            STORE_INDEXES_MAX);
    for (size_t i = 0; i < decl->indexes; i++) {
        const struct store_index_decl *index = &decl->index[i];
        if (!name_is_valid(index->name) || !index_key_is_valid(&index->key) || index->includes > 20)
            return err_set(err, ERR_INVALID, "index %zu of table %.*s is not valid", i, TEXT_FMT(decl->name));
        for (size_t k = 0; k < i; k++)
            if (text_equal(decl->index[k].name, index->name))
                return err_set(err, ERR_DUPLICATE, "index %.*s appears twice", TEXT_FMT(index->name));
    }
    return 0;
}

static bool key_equal(struct text a, enum attr_type a_type, struct text b, enum attr_type b_type)
{
    return text_equal(a, b) && (!a.len || a_type == b_type);
}

static bool index_key_equal(const struct store_key *a, const struct store_key *b)
{
    if (a->hashes != b->hashes || a->ranges != b->ranges)
        return false;
    for (size_t i = 0; i < store_key_parts(a); i++)
        if (!key_equal(a->part[i].name, a->part[i].type, b->part[i].name, b->part[i].type))
            return false;
    return true;
}

static bool index_equal(const struct store_index_decl *a, const struct store_index_decl *b)
{
    if (!text_equal(a->name, b->name) || !index_key_equal(&a->key, &b->key) || a->projection != b->projection ||
        a->counted != b->counted || a->includes != b->includes)
        return false;
    for (size_t i = 0; i < a->includes; i++)
        if (!text_equal(a->include[i], b->include[i]))
            return false;
    return true;
}

static struct store_index *index_reusable(const struct definition *old, const struct store_index_decl *decl)
{
    for (size_t i = 0; old && i < old->decl.indexes; i++)
        if (index_equal(&old->index[i]->decl, decl))
            return old->index[i];
    return NULL;
}

static bool decl_equal(const struct definition *old, const struct store_table_decl *decl)
{
    if (old->decl.changes != decl->changes || old->decl.counted != decl->counted ||
        !text_equal(old->decl.ttl, decl->ttl) || old->decl.indexes != decl->indexes)
        return false;
    for (size_t i = 0; i < decl->indexes; i++)
        if (!index_reusable(old, &decl->index[i]))
            return false;
    return true;
}

static int copy_texts(struct arena *arena, struct text **texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct text copy = texts[i]->len ? arena_copy(arena, *texts[i]) : TEXT_NONE;
        if (texts[i]->len && !copy.data)
            return ERR_MEMORY;
        *texts[i] = copy;
    }
    return 0;
}

static struct store_index *index_create(
    struct arena *arena, const struct store_table *table, const struct store_index_decl *decl, uint16_t id)
{
    struct store_index *index = arena_zalloc(arena, sizeof(*index));
    if (!index)
        return NULL;
    index->table = table;
    index->id = id;
    index->decl = *decl;
    struct text *texts[1 + 2 * STORE_INDEX_KEYS_MAX + 20] = {&index->decl.name};
    size_t n = 1;
    for (size_t i = 0; i < store_key_parts(&decl->key); i++)
        texts[n++] = &index->decl.key.part[i].name;
    for (size_t i = 0; i < decl->includes; i++)
        texts[n++] = &index->decl.include[i];
    return copy_texts(arena, texts, n) ? NULL : index;
}

static struct definition *definition_make(
    struct store_table *table, const struct store_table_decl *decl, const struct definition *old)
{
    struct arena *arena = &table->store->arena;
    struct definition *def = arena_zalloc(arena, sizeof(*def));
    if (!def)
        return NULL;
    def->decl = *decl;
    def->next_part = old ? old->next_part : 1;
    struct text *texts[] = {&def->decl.name, &def->decl.hash, &def->decl.range, &def->decl.ttl};
    if (copy_texts(arena, texts, 4))
        return NULL;
    definition_key_set(def);
    if (decl->counted)
        def->count_part = old && old->count_part ? old->count_part : def->next_part++;
    for (size_t i = 0; i < decl->indexes; i++) {
        def->index[i] = index_reusable(old, &decl->index[i]);
        if (!def->index[i])
            def->index[i] = index_create(arena, table, &decl->index[i], def->next_part++);
        if (!def->index[i])
            return NULL;
        def->decl.index[i] = def->index[i]->decl;
    }
    return def;
}

/* ---- staging a definition ---- */

static int stage_debris(
    struct store_stage *stage, const struct store_table *table, const struct definition *def, uint16_t part)
{
    static const enum key_kind kinds[] = {KEY_INDEX, KEY_COUNT};
    struct buf *key = &stage->key[3];
    int rc = 0;
    for (int i = 0; i < 2 && !rc; i++) {
        buf_clear(key);
        buf_add_u8(key, KEY_DEBRIS);
        part_key(key, def, kinds[i], table, part);
        rc = key->failed ? ERR_MEMORY : overlay_put(stage, buf_text(key), TEXT_NONE);
    }
    buf_clear(key);
    part_key(key, def, KEY_PROGRESS, table, part);
    if (!rc)
        rc = overlay_delete(stage, buf_text(key));
    stage->store->debris = true;
    return rc;
}

static int stage_progress(
    struct store_stage *stage, struct store_table *table, const struct definition *def, uint16_t part)
{
    struct buf *key = &stage->key[3];
    buf_clear(key);
    part_key(key, def, KEY_PROGRESS, table, part);
    catalogue_pending_set(table, def, part, true);
    return key->failed ? ERR_MEMORY : overlay_put(stage, buf_text(key), TEXT_NONE);
}

static bool has_part(const struct definition *def, uint16_t part)
{
    if (!def || part == def->count_part)
        return def != NULL;
    for (size_t i = 0; i < def->decl.indexes; i++)
        if (def->index[i]->id == part)
            return true;
    return false;
}

/* What the old definition had and the new one lacks becomes debris; what is new over existing items is to be
 * filled. */
static int stage_parts(struct store_stage *stage, struct store_table *table, const struct definition *old,
    const struct definition *def)
{
    bool filled = table->sealed + overlay_count_get(stage, table) > 0;
    int rc = 0;
    for (size_t i = 0; i < old->decl.indexes && !rc; i++)
        if (!has_part(def, old->index[i]->id))
            rc = stage_debris(stage, table, def, old->index[i]->id);
    if (!rc && old->count_part && !has_part(def, old->count_part))
        rc = stage_debris(stage, table, def, old->count_part);
    for (size_t i = 0; filled && i < def->decl.indexes && !rc; i++)
        if (!has_part(old, def->index[i]->id))
            rc = stage_progress(stage, table, def, def->index[i]->id);
    if (!filled)
        atomic_store(
            &table->primary_fill.pending, false); /* perhaps left by a definition that was rolled back */
    if (!rc && filled && def->count_part && def->count_part != old->count_part)
        rc = stage_progress(stage, table, def, def->count_part);
    if (!rc && filled && def->decl.ttl.len && !text_equal(def->decl.ttl, old->decl.ttl))
        rc = stage_progress(stage, table, def, PART_TTL);
    return rc;
}

static int stage_definition(
    struct store_stage *stage, struct store_table *table, const struct definition *def)
{
    struct buf *key = &stage->key[3], *value = &stage->encoded;
    buf_clear(key);
    buf_clear(value);
    key_add_kind(key, false, KEY_CATALOGUE, table->id);
    int rc = catalogue_encode(value, def);
    return rc ? rc : overlay_put(stage, buf_text(key), buf_text(value));
}

/* The row of table 0: the next table's number. Numbers are never used again, for the rows of a dropped table
 * go slowly. */
static int stage_next(struct store_stage *stage)
{
    struct buf *key = &stage->key[3], *value = &stage->encoded;
    buf_clear(key);
    buf_clear(value);
    key_add_kind(key, false, KEY_CATALOGUE, 0);
    buf_add_be32(value, stage->store->next_table);
    return key->failed || value->failed ? ERR_MEMORY : overlay_put(stage, buf_text(key), buf_text(value));
}

static int define(struct store_stage *stage, struct store_table *table, const struct store_table_decl *decl,
    const struct definition *old, bool created, struct table_state state)
{
    struct definition *def = definition_make(table, decl, old);
    int rc = def ? array_reserve((void **)&stage->defined, &stage->defined_cap, stage->defined_count,
                       sizeof(struct staged_definition))
                 : ERR_MEMORY;
    if (rc)
        return rc;
    def->state = state;
    stage->defined[stage->defined_count++] =
        (struct staged_definition){table, def, old, created ? STAGED_CREATE : STAGED_CHANGE};
    atomic_store_explicit(&table->newest, def, memory_order_release);
    rc = stage_definition(stage, table, def);
    if (!rc && created)
        rc = stage_next(stage);
    if (!rc && old)
        rc = stage_parts(stage, table, old, def);
    return rc;
}

void catalogue_rollback(struct store_stage *stage, size_t to)
{
    while (stage->defined_count > to) {
        struct staged_definition *staged = &stage->defined[--stage->defined_count];
        if (staged->kind == STAGED_CREATE)
            catalogue_forget(stage->store, staged->table);
        else if (staged->kind == STAGED_CHANGE)
            atomic_store_explicit(&staged->table->newest, staged->before, memory_order_release);
        else
            atomic_store(&staged->table->dropped, false);
    }
}

/* A chain of definitions of one table is stamped from its first to its last, whose row it is. A dropped table has none any more. */
int catalogue_stamp(struct store_stage *stage, int64_t time_ms)
{
    int rc = 0;
    for (size_t i = 0; i < stage->defined_count && !rc; i++) {
        const struct staged_definition *staged = &stage->defined[i];
        struct definition *def = (struct definition *)staged->definition; /* nobody else looks at it before it is committed */
        const struct definition *before = staged->before;
        if (staged->kind == STAGED_DROP || atomic_load(&staged->table->dropped))
            continue;
        bool same = before && text_equal(before->decl.ttl, def->decl.ttl);
        int64_t since_ms = !def->decl.ttl.len ? 0 : same ? before->state.ttl_since_ms : time_ms;
        if (since_ms == def->state.ttl_since_ms)
            continue;
        def->state.ttl_since_ms = since_ms;
        rc = stage_definition(stage, staged->table, def);
    }
    return rc;
}

void catalogue_applied(struct store_stage *stage)
{
    for (size_t i = 0; i < stage->defined_count; i++)
        if (stage->defined[i].kind == STAGED_DROP)
            catalogue_forget(stage->store, stage->defined[i].table);
}

static int stage_drop(struct store_stage *stage, struct store_table *table)
{
    static const enum key_kind kinds[] = {KEY_ITEM, KEY_INDEX, KEY_COUNT, KEY_PROGRESS};
    const struct definition *def = catalogue_newest(table);
    struct buf *key = &stage->key[3];
    int rc = array_reserve((void **)&stage->defined, &stage->defined_cap, stage->defined_count,
        sizeof(struct staged_definition));
    for (int i = 0; i < 4 && !rc; i++) {
        buf_clear(key);
        buf_add_u8(key, KEY_DEBRIS);
        table_key(key, def, kinds[i], table);
        rc = key->failed ? ERR_MEMORY : overlay_put(stage, buf_text(key), TEXT_NONE);
    }
    buf_clear(key);
    table_key(key, def, KEY_NUMBER, table);
    if (!rc)
        rc = overlay_delete(stage, buf_text(key));
    buf_clear(key);
    key_add_kind(key, false, KEY_CATALOGUE, table->id);
    if (!rc)
        rc = overlay_delete(stage, buf_text(key));
    if (rc)
        return rc;
    stage->defined[stage->defined_count++] = (struct staged_definition){table, def, def, STAGED_DROP};
    stage->store->debris = true;
    atomic_store(&table->dropped, true);
    return 0;
}

int store_table_drop(struct store_stage *stage, const struct store_table *table, struct err *err)
{
    struct store_save save = store_stage_save(stage);
    if (atomic_load(&table->dropped))
        return err_set(err, ERR_NOT_FOUND, "table %.*s does not exist", TEXT_FMT(table->name));
    int rc = stage_drop(stage, (struct store_table *)table);
    if (rc) {
        store_stage_rollback(stage, save);
        return err_set(err, rc, "%s", err_text(rc));
    }
    return 0;
}

int store_table_define(struct store_stage *stage, const struct store_table_decl *decl,
    const struct store_table **out, struct err *err)
{
    int rc = decl_check(decl, err);
    if (rc)
        return rc;
    struct store *store = stage->store;
    struct store_table *table = catalogue_find(store, decl->name);
    const struct definition *old = table ? catalogue_newest(table) : NULL;
    if (old && (!key_equal(old->decl.hash, old->decl.hash_type, decl->hash, decl->hash_type) ||
                   !key_equal(old->decl.range, old->decl.range_type, decl->range, decl->range_type) ||
                   old->decl.volatile_rows != decl->volatile_rows))
        return err_set(err, ERR_INVALID, "table %.*s exists with another key", TEXT_FMT(decl->name));
    if (old && old->next_part > PARTS_MAX - STORE_INDEXES_MAX - 1)
        return err_set(err, ERR_TOO_LARGE, "the indexes of table %.*s have been changed too often",
            TEXT_FMT(decl->name));
    if (!old || !decl_equal(old, decl)) {
        struct store_save save = store_stage_save(stage);
        bool created = !table;
        if (created)
            table = catalogue_handle(store, store->next_table, decl->name);
        rc = table ? define(stage, table, decl, old, created, old ? old->state : (struct table_state){0}) : ERR_MEMORY;
        if (rc) {
            store_stage_rollback(stage, save);
            return err_set(
                err, rc, "table %.*s could not be defined: %s", TEXT_FMT(decl->name), err_text(rc));
        }
    }
    if (out)
        *out = table;
    return 0;
}

/* ---- what a definition carries beside the declaration ---- */

static int set_state(
    struct store_stage *stage, const struct store_table *table, struct table_state state, struct err *err)
{
    const struct definition *old = catalogue_newest(table);
    struct store_save save = store_stage_save(stage);
    if (atomic_load(&table->dropped))
        return err_set(err, ERR_NOT_FOUND, "table %.*s does not exist", TEXT_FMT(table->name));
    int rc = define(stage, (struct store_table *)table, &old->decl, old, false, state);
    if (rc) {
        store_stage_rollback(stage, save);
        return err_set(
            err, rc, "table %.*s could not be defined: %s", TEXT_FMT(table->name), err_text(rc));
    }
    return 0;
}

int store_table_set_filling(
    struct store_stage *stage, const struct store_table *table, bool filling, struct err *err)
{
    struct table_state state = catalogue_newest(table)->state;
    state.filling = filling;
    return set_state(stage, table, state, err);
}

int store_table_set_recovery(struct store_stage *stage, const struct store_table *table,
    struct store_recovery recovery, struct err *err)
{
    struct table_state state = catalogue_newest(table)->state;
    if (catalogue_newest(table)->decl.volatile_rows || recovery.days > STORE_RECOVERY_DAYS_MAX)
        return err_set(err, ERR_INVALID, "table %.*s cannot be recovered by the journal", TEXT_FMT(table->name));
    state.recovery = recovery;
    return set_state(stage, table, state, err);
}

int store_table_set_followed(
    struct store_stage *stage, const struct store_table *table, uint64_t since, struct err *err)
{
    struct table_state state = catalogue_newest(table)->state;
    if (catalogue_newest(table)->decl.volatile_rows)
        return err_set(err, ERR_INVALID, "table %.*s is not in the journal", TEXT_FMT(table->name));
    state.followed_since = since;
    return set_state(stage, table, state, err);
}
