/*
 * The catalogue: which tables there are, how they are declared, and how many items they hold.
 *
 * A struct store_table is a handle that lives as long as the store; what may change hangs below it as an
 * immutable struct definition. The handle has two: `newest`, by which the state thread works as soon as a
 * definition is staged (its rows and the definition commit together, so they cannot disagree), and
 * `committed`, by which others find the table. Readers take no lock: the list of committed tables is replaced
 * as a whole, old lists and definitions are kept until the store closes (definitions change a few times in a
 * life).
 *
 * This file looks up, publishes, loads and stores definitions; define.c stages new ones.
 */
#include "store/internal.h"

#define DEFINITION_VERSION 2 /* 1: indexes had one hash and perhaps one range attribute. Read, no longer written */
enum { FLAG_CHANGES = 1, FLAG_VOLATILE = 2, FLAG_COUNTED = 4, FLAG_FILLING = 8, FLAG_RECOVERY = 16, FLAG_FOLLOWED = 32, FLAG_TTL_SINCE = 64 };

/* ---- looking up ---- */

struct store_table *catalogue_table(struct store *store, uint32_t id)
{
    for (size_t i = 0; i < store->table_count; i++)
        if (store->tables[i]->id == id)
            return store->tables[i];
    return NULL;
}

struct store_table *catalogue_find(const struct store *store, struct text name)
{
    for (size_t i = 0; i < store->table_count; i++)
        if (text_equal(store->tables[i]->name, name) && !atomic_load(&store->tables[i]->dropped))
            return store->tables[i];
    return NULL;
}

const struct definition *catalogue_newest(const struct store_table *table)
{
    return atomic_load_explicit(&table->newest, memory_order_acquire);
}

const struct definition *table_definition(const struct store_view *view, const struct store_table *table)
{
    if (!view->snapshot)
        return catalogue_newest(table);
    const struct definition *def = atomic_load_explicit(&table->committed, memory_order_acquire);
    return def ? def : catalogue_newest(table);
}

/* First position in the published list whose name is >= (or > when above). */
static size_t list_position(const struct catalogue_list *list, struct text name, bool above)
{
    size_t low = 0, high = list ? list->count : 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = text_compare(list->table[middle]->name, name);
        if (order < 0 || (order == 0 && above))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct store_table *store_table_find(const struct store *store, struct text name)
{
    const struct catalogue_list *list = atomic_load_explicit(&store->published, memory_order_acquire);
    size_t at = list_position(list, name, false);
    return list && at < list->count && text_equal(list->table[at]->name, name) ? list->table[at] : NULL;
}

const struct store_table *store_table_next(const struct store *store, const struct store_table *after)
{
    const struct catalogue_list *list = atomic_load_explicit(&store->published, memory_order_acquire);
    size_t at = after ? list_position(list, after->name, true) : 0;
    return list && at < list->count ? list->table[at] : NULL;
}

const struct store_index *store_index_find(const struct store_table *table, struct text name)
{
    const struct definition *def = catalogue_newest(table);
    for (size_t i = 0; i < def->decl.indexes; i++)
        if (text_equal(def->index[i]->decl.name, name))
            return def->index[i];
    return NULL;
}

bool store_index_ready(const struct store_index *index)
{
    return !atomic_load(&index->fill.pending);
}

const struct store_index_decl *store_index_decl(const struct store_index *index)
{
    return &index->decl;
}

const struct store_key *store_key_of(const struct store_table *table, const struct store_index *index)
{
    return entry_schema(catalogue_newest(table), index);
}

bool store_key_has(const struct store_key *key, struct text name)
{
    for (size_t i = 0; i < store_key_parts(key); i++)
        if (text_equal(key->part[i].name, name))
            return true;
    return false;
}

void definition_key_set(struct definition *def)
{
    const struct store_table_decl *decl = &def->decl;
    def->key = (struct store_key){.part = {{decl->hash, decl->hash_type}, {decl->range, decl->range_type}},
        .hashes = 1,
        .ranges = decl->range.len > 0};
}

struct text store_table_name(const struct store_table *table)
{
    return table->name;
}

uint32_t store_table_id(const struct store_table *table)
{
    return table->id;
}

const struct store_table_decl *store_table_decl(const struct store_table *table)
{
    return &catalogue_newest(table)->decl;
}

bool store_table_filling(const struct store_table *table)
{
    return catalogue_newest(table)->state.filling;
}

struct store_recovery store_table_recovery(const struct store_table *table)
{
    return catalogue_newest(table)->state.recovery;
}

int64_t store_table_ttl_since(const struct store_table *table)
{
    const struct definition *def = atomic_load_explicit(&table->committed, memory_order_acquire);
    return def && def->decl.ttl.len ? def->state.ttl_since_ms : INT64_MAX;
}

uint64_t store_table_followed_since(const struct store_table *table)
{
    return catalogue_newest(table)->state.followed_since;
}

bool store_table_keeps_changes(const struct store_table *table)
{
    return definition_keeps_changes(catalogue_newest(table));
}

int store_item_fits(const struct store_table *table, const struct attr *item, struct err *err)
{
    const struct definition *def = catalogue_newest(table);
    struct buf key;
    buf_init(&key, KEY_BYTES_MAX);
    int rc = primary_add(&key, def, item, err);
    buf_fini(&key);
    return rc ? rc : index_check(def, item, err);
}

bool store_item_expired(const struct store_table *table, const struct attr *item, int64_t now_s)
{
    return due_is_past(due_of(catalogue_newest(table), item), now_s);
}

int64_t store_table_count(const struct store_table *table)
{
    return atomic_load(&table->count);
}

int64_t store_table_expired(const struct store_table *table)
{
    return atomic_load_explicit(&table->expired, memory_order_relaxed);
}

/* ---- the committed list ---- */

/* A copy of the list without one table and with another; either may be NULL. */
static int list_publish(struct store *store, const struct store_table *without, struct store_table *with)
{
    struct catalogue_list *old = atomic_load(&store->published);
    size_t count = old ? old->count : 0;
    struct catalogue_list *list = malloc(sizeof(*list) + (count + 1) * sizeof(struct store_table *));
    if (!list)
        return ERR_MEMORY;
    list->older = old;
    list->count = 0;
    for (size_t i = 0; i < count; i++)
        if (old->table[i] != without)
            list->table[list->count++] = old->table[i];
    if (with) {
        size_t at = list_position(list, with->name, false);
        memmove(list->table + at + 1, list->table + at, (list->count - at) * sizeof(struct store_table *));
        list->table[at] = with;
        list->count++;
    }
    atomic_store_explicit(&store->published, list, memory_order_release);
    return 0;
}

int catalogue_commit(struct store_stage *stage, uint64_t sequence)
{
    int rc = 0;
    for (size_t i = 0; i < stage->defined_count && !rc; i++) {
        struct staged_definition *staged = &stage->defined[i];
        if (staged->kind != STAGED_DROP)
            ((struct definition *)staged->definition)->since = sequence; /* nobody reads it of one that is not committed */
        if (staged->kind != STAGED_DROP)
            atomic_store_explicit(&staged->table->committed, staged->definition, memory_order_release);
        if (staged->kind == STAGED_CREATE)
            rc = list_publish(stage->store, NULL, staged->table);
        else if (staged->kind == STAGED_DROP) {
            atomic_store(&staged->table->gone, true);
            rc = list_publish(stage->store, staged->table, NULL);
        }
    }
    return rc;
}

void catalogue_fini(struct store *store)
{
    struct catalogue_list *list = atomic_load(&store->published);
    while (list) {
        struct catalogue_list *older = list->older;
        free(list);
        list = older;
    }
    free(store->tables);
    arena_fini(&store->arena);
}

/* ---- the stored form ---- */

static void encode_key(struct buf *out, struct text name, enum attr_type type)
{
    buf_add_bytes(out, name);
    buf_add_u8(out, (uint8_t)type);
}

void index_key_encode(struct buf *out, const struct store_key *key)
{
    buf_add_u8(out, (uint8_t)key->hashes);
    buf_add_u8(out, (uint8_t)key->ranges);
    for (size_t i = 0; i < store_key_parts(key); i++)
        encode_key(out, key->part[i].name, key->part[i].type);
}

static void encode_index(struct buf *out, const struct store_index *index)
{
    const struct store_index_decl *decl = &index->decl;
    buf_add_be16(out, index->id);
    buf_add_bytes(out, decl->name);
    index_key_encode(out, &decl->key);
    buf_add_u8(out, (uint8_t)decl->projection);
    buf_add_u8(out, decl->counted);
    buf_add_u8(out, (uint8_t)decl->includes);
    for (size_t i = 0; i < decl->includes; i++)
        buf_add_bytes(out, decl->include[i]);
}

int catalogue_encode(struct buf *out, const struct definition *def)
{
    const struct store_table_decl *decl = &def->decl;
    buf_add_u8(out, DEFINITION_VERSION);
    buf_add_bytes(out, decl->name);
    encode_key(out, decl->hash, decl->hash_type);
    encode_key(out, decl->range, decl->range_type);
    buf_add_bytes(out, decl->ttl);
    buf_add_u8(out, (uint8_t)((decl->changes ? FLAG_CHANGES : 0) | (decl->volatile_rows ? FLAG_VOLATILE : 0) |
                              (decl->counted ? FLAG_COUNTED : 0) | (def->state.filling ? FLAG_FILLING : 0) |
                              (def->state.recovery.days ? FLAG_RECOVERY : 0) |
                              (def->state.followed_since ? FLAG_FOLLOWED : 0) |
                              (def->state.ttl_since_ms ? FLAG_TTL_SINCE : 0)));
    buf_add_be16(out, def->next_part);
    buf_add_be16(out, def->count_part);
    buf_add_u8(out, (uint8_t)decl->indexes);
    for (size_t i = 0; i < decl->indexes; i++)
        encode_index(out, def->index[i]);
    if (def->state.recovery.days) {
        buf_add_be64(out, (uint64_t)def->state.recovery.since_ms);
        buf_add_u8(out, (uint8_t)def->state.recovery.days);
    }
    if (def->state.followed_since)
        buf_add_be64(out, def->state.followed_since);
    if (def->state.ttl_since_ms)
        buf_add_be64(out, (uint64_t)def->state.ttl_since_ms);
    return out->failed ? ERR_MEMORY : 0;
}

/* Texts are copied: definitions outlive what they are read from. */
static struct text read_text(struct arena *arena, struct cursor *c)
{
    struct text text = cursor_bytes(c);
    return text.len ? arena_copy(arena, text) : TEXT_NONE;
}

static enum attr_type read_key_type(struct cursor *c)
{
    uint8_t type = cursor_u8(c);
    if (type > ATTR_BINARY)
        c->failed = true;
    return (enum attr_type)type;
}

void index_key_decode(struct arena *arena, struct cursor *c, struct store_key *key)
{
    key->hashes = cursor_u8(c);
    key->ranges = cursor_u8(c);
    if (!key->hashes || key->hashes > STORE_INDEX_KEYS_MAX || key->ranges > STORE_INDEX_KEYS_MAX)
        c->failed = true;
    for (size_t i = 0; !c->failed && i < store_key_parts(key); i++) {
        key->part[i].name = read_text(arena, c);
        key->part[i].type = read_key_type(c);
        if (!key->part[i].name.len)
            c->failed = true;
    }
}

/* Version 1: a hash and a range attribute, the latter with an empty name when there is none. */
static void decode_key_v1(struct arena *arena, struct cursor *c, struct store_key *key)
{
    for (size_t i = 0; i < 2; i++) {
        key->part[i].name = read_text(arena, c);
        key->part[i].type = read_key_type(c);
    }
    key->hashes = 1;
    key->ranges = key->part[1].name.len > 0;
    if (!key->part[0].name.len)
        c->failed = true;
}

static struct store_index *decode_index(struct arena *arena, struct cursor *c, uint8_t version,
    const struct store_table *table, const struct definition *old)
{
    struct store_index *index = arena_zalloc(arena, sizeof(*index));
    if (!index)
        return NULL;
    struct store_index_decl *decl = &index->decl;
    index->table = table;
    index->id = cursor_be16(c);
    decl->name = read_text(arena, c);
    if (version == 1)
        decode_key_v1(arena, c, &decl->key);
    else
        index_key_decode(arena, c, &decl->key);
    decl->projection = (enum store_projection)cursor_u8(c);
    decl->counted = cursor_u8(c) == 1;
    decl->includes = cursor_u8(c);
    if (c->failed || decl->includes > 20 || decl->projection > STORE_PROJECT_INCLUDE)
        return NULL;
    for (size_t i = 0; i < decl->includes; i++)
        decl->include[i] = read_text(arena, c);
    for (size_t i = 0; old && i < old->decl.indexes; i++)
        if (old->index[i]->id == index->id)
            return old->index[i];
    return index;
}

static struct definition *definition_decode(
    struct arena *arena, struct text bytes, const struct store_table *table, const struct definition *old)
{
    struct cursor c = cursor_of(bytes);
    struct definition *def = arena_zalloc(arena, sizeof(*def));
    uint8_t version = cursor_u8(&c);
    if (!def || !version || version > DEFINITION_VERSION)
        return NULL;
    struct store_table_decl *decl = &def->decl;
    decl->name = read_text(arena, &c);
    decl->hash = read_text(arena, &c);
    decl->hash_type = read_key_type(&c);
    decl->range = read_text(arena, &c);
    decl->range_type = read_key_type(&c);
    decl->ttl = read_text(arena, &c);
    uint8_t flags = cursor_u8(&c);
    decl->changes = flags & FLAG_CHANGES;
    decl->volatile_rows = flags & FLAG_VOLATILE;
    decl->counted = flags & FLAG_COUNTED;
    def->state.filling = flags & FLAG_FILLING;
    def->next_part = cursor_be16(&c);
    def->count_part = cursor_be16(&c);
    decl->indexes = cursor_u8(&c);
    if (c.failed || decl->indexes > STORE_INDEXES_MAX || !decl->name.len || !decl->hash.len)
        return NULL;
    definition_key_set(def);
    for (size_t i = 0; i < decl->indexes; i++) {
        def->index[i] = decode_index(arena, &c, version, table, old);
        if (!def->index[i])
            return NULL;
        decl->index[i] = def->index[i]->decl;
    }
    if (flags & FLAG_RECOVERY) {
        def->state.recovery.since_ms = (int64_t)cursor_be64(&c);
        def->state.recovery.days = cursor_u8(&c);
    }
    if (flags & FLAG_FOLLOWED)
        def->state.followed_since = cursor_be64(&c);
    if (flags & FLAG_TTL_SINCE)
        def->state.ttl_since_ms = (int64_t)cursor_be64(&c);
    return c.failed || cursor_left(&c) ? NULL : def;
}

/* ---- handles ---- */

struct store_table *catalogue_handle(struct store *store, uint32_t id, struct text name)
{
    if (store->table_count >= TABLES_MAX || array_reserve((void **)&store->tables, &store->table_cap,
                                                store->table_count, sizeof(struct store_table *)))
        return NULL;
    struct store_table *table = arena_zalloc(&store->arena, sizeof(*table));
    struct text own = arena_copy(&store->arena, name);
    if (!table || !own.data)
        return NULL;
    table->store = store;
    table->id = id;
    table->name = own;
    store->tables[store->table_count++] = table;
    if (id >= store->next_table)
        store->next_table = id + 1;
    return table;
}

void catalogue_forget(struct store *store, const struct store_table *table)
{
    for (size_t i = 0; i < store->table_count; i++)
        if (store->tables[i] == table) {
            memmove(store->tables + i, store->tables + i + 1,
                (store->table_count - i - 1) * sizeof(struct store_table *));
            store->table_count--;
            return;
        }
}

int catalogue_load(struct store *store, uint32_t id, struct text value)
{
    struct store_table *table = catalogue_table(store, id);
    struct store_table probe = {0};
    struct definition *def = definition_decode(
        &store->arena, value, table ? table : &probe, table ? catalogue_newest(table) : NULL);
    if (!def)
        return ERR_CORRUPT;
    bool created = !table;
    if (created) {
        if (catalogue_find(store, def->decl.name))
            return ERR_CORRUPT;
        table = catalogue_handle(store, id, def->decl.name);
        if (!table)
            return ERR_MEMORY;
    }
    for (size_t i = 0; i < def->decl.indexes; i++)
        def->index[i]->table = table;
    atomic_store(&table->newest, def);
    atomic_store(&table->committed, def);
    return created ? list_publish(store, NULL, table) : 0;
}

int catalogue_unload(struct store *store, uint32_t id)
{
    struct store_table *table = catalogue_table(store, id);
    if (!table)
        return 0;
    atomic_store(&table->dropped, true);
    atomic_store(&table->gone, true);
    catalogue_forget(store, table);
    return list_publish(store, table, NULL);
}

static struct store_table *table_in_key(struct store *store, struct text key, struct cursor *rest)
{
    struct cursor c = cursor_of(key);
    uint8_t kind = cursor_u8(&c);
    if (kind == KEY_VOLATILE)
        cursor_u8(&c);
    uint32_t id = cursor_be32(&c);
    *rest = c;
    return c.failed ? NULL : catalogue_table(store, id);
}

void catalogue_pending_set(
    struct store_table *table, const struct definition *def, uint16_t part, bool pending)
{
    if (part == PART_TTL)
        atomic_store(&table->ttl_fill.pending, pending);
    else if (def && part == def->count_part)
        atomic_store(&table->primary_fill.pending, pending);
    for (size_t i = 0; def && i < def->decl.indexes; i++)
        if (def->index[i]->id == part)
            atomic_store(&def->index[i]->fill.pending, pending);
}

void catalogue_pending(struct store *store, struct text key, bool pending)
{
    struct cursor c;
    struct store_table *table = table_in_key(store, key, &c);
    uint16_t part = cursor_be16(&c);
    if (table && !c.failed)
        catalogue_pending_set(table, catalogue_newest(table), part, pending);
}

void catalogue_count(struct store *store, struct text key, struct text value)
{
    struct cursor c, v = cursor_of(value);
    struct store_table *table = table_in_key(store, key, &c);
    int64_t count = (int64_t)cursor_be64(&v);
    if (!table || v.failed)
        return;
    atomic_store(&table->count, count);
    table->sealed = count;
}
