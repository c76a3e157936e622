/*
 * Where dashboards are kept: items of one table with one hash key, so a name is a look-up and a listing is a scan of few rows (DASHBOARDS_MAX), put in order in memory. A
 * range key would give the order for nothing, and then a page that follows the table would see it as one partition's: the plain key is what live tables tell changes by.
 */
#include "watch/dashboard.h"

#include <stdlib.h>

static const struct store_table *find_table(const struct store *store)
{
    return store_table_find(store, TEXT(DASHBOARD_TABLE));
}

bool dashboard_name_valid(struct text name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return name.len > 0 && name.len <= DASHBOARD_NAME_MAX;
}

int dashboard_define(struct tick *tick, struct err *err)
{
    const struct store_table_decl decl = {.name = TEXT(DASHBOARD_TABLE), .hash = TEXT("name"), .hash_type = ATTR_STRING, .changes = true};
    const struct store_table *table;
    return store_table_define(tick_stage(tick), &decl, &table, err);
}

struct text dashboard_arn(struct arena *arena, struct text account, struct text name)
{
    return arena_format(arena, "arn:aws:cloudwatch::%.*s:dashboard/%.*s", TEXT_FMT(account), TEXT_FMT(name));
}

/* ---- items ---- */

static struct attr *key_of(struct arena *arena, struct text name)
{
    struct attr *key = item_create(arena);
    return key && item_set_string(arena, key, TEXT("name"), name) ? key : NULL;
}

static struct text text_in_item(const struct attr *item, const char *name)
{
    const struct attr *value = item_get_str(item, name);
    return value && value->type == ATTR_STRING ? value->text : TEXT_NONE;
}

static int from_item(const struct attr *item, struct dashboard *out)
{
    const struct attr *modified = item_get_str(item, "modified");
    *out = (struct dashboard){.name = text_in_item(item, "name"), .body = text_in_item(item, "body"), .declared = text_in_item(item, "declared")};
    out->size = (int64_t)out->body.len;
    return out->name.len && out->body.data && modified && attr_to_i64(modified, &out->modified_ms) == 0 ? 0 : ERR_CORRUPT;
}

int dashboard_put(struct tick *tick, struct arena *arena, struct dashboard *dashboard, struct err *err)
{
    const struct store_table *table = find_table(tick_view(tick)->store);
    struct attr *item = key_of(arena, dashboard->name);
    const struct attr *old = NULL;
    if (!table)
        return ERR_NOT_FOUND;
    dashboard->modified_ms = tick_now_ms(tick);
    dashboard->size = (int64_t)dashboard->body.len;
    bool made = item && item_set_string(arena, item, TEXT("body"), dashboard->body) && item_set_i64(arena, item, TEXT("modified"), dashboard->modified_ms) &&
        item_set_i64(arena, item, TEXT("size"), dashboard->size) &&
        (!dashboard->declared.len || item_set_string(arena, item, TEXT("declared"), dashboard->declared));
    if (!made)
        return err_set(err, ERR_MEMORY, "out of memory");
    int code = store_put(tick_view(tick), table, item, STORE_LARGE, arena, &old, err);
    if (!code && !old && store_table_count(table) >= DASHBOARDS_MAX)
        return err_set(err, ERR_FULL, "There are %d dashboards already.", DASHBOARDS_MAX);
    return code;
}

int dashboard_get(struct store_view *view, struct arena *arena, struct text name, struct dashboard *out)
{
    const struct store_table *table = find_table(view->store);
    const struct attr *item, *key = key_of(arena, name);
    if (!key)
        return ERR_MEMORY;
    int code = table ? store_get(view, table, key, arena, &item) : ERR_NOT_FOUND;
    return code ? code : from_item(item, out);
}

int dashboard_delete(struct tick *tick, struct arena *arena, struct text name)
{
    const struct store_table *table = find_table(tick_view(tick)->store);
    const struct attr *old = NULL, *key = key_of(arena, name);
    if (!key)
        return ERR_MEMORY;
    int code = table ? store_delete(tick_view(tick), table, key, 0, arena, &old, NULL) : ERR_NOT_FOUND;
    return code ? code : old ? 0 : ERR_NOT_FOUND;
}

/* ---- listing ---- */

int dashboard_each(struct store_view *view, struct text prefix, int (*visit)(void *context, const struct dashboard *dashboard), void *context)
{
    struct store_query query = {.table = find_table(view->store)};
    struct store_cursor *cursor = NULL;
    struct arena arena, item_arena;
    const struct attr *item;
    struct dashboard dashboard;
    if (!query.table)
        return 0;
    arena_init(&arena, 1024, 1 << 20);
    arena_init(&item_arena, 4096, 4 * DASHBOARD_BODY_MAX);
    int code = store_query_open(view, &query, &arena, &cursor, NULL);
    while (!code && (code = store_cursor_next(cursor, &item_arena, &item)) == 0) {
        code = from_item(item, &dashboard);
        if (!code && text_starts(dashboard.name, prefix))
            code = visit(context, &dashboard);
        arena_reset(&item_arena);
    }
    if (cursor)
        store_cursor_close(cursor);
    arena_fini(&arena);
    arena_fini(&item_arena);
    return code == ERR_NOT_FOUND ? 0 : code;
}

struct listing {
    struct arena *arena;
    struct dashboard_names *out;
    size_t room;
};

static int on_listed(void *context, const struct dashboard *dashboard)
{
    struct listing *listing = context;
    struct dashboard_names *out = listing->out;
    if (out->count == listing->room) {
        size_t room = listing->room ? listing->room * 2 : 32;
        struct dashboard *grown = arena_array(listing->arena, room, sizeof(*grown));
        if (!grown)
            return ERR_MEMORY;
        if (out->count)
            memcpy(grown, out->item, out->count * sizeof(*grown));
        out->item = grown;
        listing->room = room;
    }
    struct dashboard *copy = &out->item[out->count];
    *copy = (struct dashboard){.name = arena_copy(listing->arena, dashboard->name), .modified_ms = dashboard->modified_ms, .size = dashboard->size};
    if (!copy->name.data)
        return ERR_MEMORY;
    out->count++;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return text_compare(((const struct dashboard *)a)->name, ((const struct dashboard *)b)->name);
}

int dashboard_list(struct store_view *view, struct arena *arena, struct text prefix, struct dashboard_names *out)
{
    struct listing listing = {.arena = arena, .out = out};
    *out = (struct dashboard_names){0};
    int code = dashboard_each(view, prefix, on_listed, &listing);
    if (!code && out->count)
        qsort(out->item, out->count, sizeof(*out->item), by_name);
    return code;
}
