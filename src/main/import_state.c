/* One JSON object, written beside its name and renamed. What is for another endpoint is forgotten: it was another table. */
#include "main/import_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATE_MAX ((size_t)16 << 20)

struct entry {
    char set[IMPORT_NAME_MAX + 1], table[IMPORT_NAME_MAX + 1], table_id[64], file[IMPORT_NAME_MAX + 1];
    uint64_t offset, items, file_items;
    bool done;
};

struct import_state {
    char path[FOLDER_PATH_SIZE], endpoint[512];
    struct entry *entry;
    size_t count, cap;
};

/* ---- reading ---- */

static void copy_text(const struct json *object, const char *name, char *out, size_t size)
{
    const struct json *value = json_get_str(object, name);
    snprintf(out, size, "%.*s", json_is(value, JSON_STRING) ? (int)value->text.len : 0, json_is(value, JSON_STRING) ? value->text.data : "");
}

static uint64_t number_of(const struct json *object, const char *name)
{
    int64_t number = 0;
    return json_to_i64(json_get_str(object, name), &number) == 0 && number > 0 ? (uint64_t)number : 0;
}

static struct entry *add_entry(struct import_state *state)
{
    if (state->count == state->cap) {
        size_t cap = state->cap ? state->cap * 2 : 16;
        struct entry *more = cap > 2 * IMPORT_SETS_MAX ? NULL : realloc(state->entry, cap * sizeof(*more));
        if (!more)
            return NULL;
        state->entry = more;
        state->cap = cap;
    }
    struct entry *entry = &state->entry[state->count++];
    *entry = (struct entry){0};
    return entry;
}

static int take(struct import_state *state, const struct json *root, struct err *err)
{
    const struct json *imports = json_get_str(root, "imports"), *endpoint = json_get_str(root, "endpoint");
    if (!json_is(imports, JSON_ARRAY) || !json_is(endpoint, JSON_STRING))
        return err_set(err, ERR_SYNTAX, "%s is not the state of an import; name another file with --state", state->path);
    if (!text_is(endpoint->text, state->endpoint))
        return 0;
    for (const struct json *import = imports->first; import; import = import->next) {
        struct entry *entry = add_entry(state);
        if (!entry)
            return err_set(err, ERR_MEMORY, "out of memory");
        copy_text(import, "set", entry->set, sizeof(entry->set));
        copy_text(import, "table", entry->table, sizeof(entry->table));
        copy_text(import, "tableId", entry->table_id, sizeof(entry->table_id));
        copy_text(import, "file", entry->file, sizeof(entry->file));
        entry->offset = number_of(import, "offset");
        entry->items = number_of(import, "items");
        entry->file_items = number_of(import, "fileItems");
        entry->done = json_is(json_get_str(import, "done"), JSON_TRUE);
    }
    return 0;
}

int import_state_open(struct import_state **out, const char *path, const char *endpoint, struct err *err)
{
    struct import_state *state = calloc(1, sizeof(*state));
    struct arena arena;
    struct buf bytes;
    const struct json *root;
    if (!state)
        return err_set(err, ERR_MEMORY, "out of memory");
    snprintf(state->path, sizeof(state->path), "%s", path);
    snprintf(state->endpoint, sizeof(state->endpoint), "%s", endpoint);
    int code = import_read_small(path, STATE_MAX, &bytes, err);
    if (!code) {
        arena_init(&arena, 4096, STATE_MAX * 16);
        code = json_parse(&arena, buf_text(&bytes), 0, &root, NULL) ? err_set(err, ERR_SYNTAX, "%s is damaged; remove it to begin anew, or name another file with --state", path)
                                                                     : take(state, root, err);
        arena_fini(&arena);
    }
    buf_fini(&bytes);
    if (code && code != ERR_NOT_FOUND) {
        import_state_close(state);
        return code;
    }
    *out = state;
    return 0;
}

/* ---- places ---- */

static struct entry *find(const struct import_state *state, const struct import_set *set, const char *table)
{
    for (size_t i = 0; i < state->count; i++)
        if (strcmp(state->entry[i].set, set->name) == 0 && strcmp(state->entry[i].table, table) == 0)
            return &state->entry[i];
    return NULL;
}

void import_state_find(const struct import_state *state, const struct import_set *set, const char *table, const char *table_id, struct import_place *place)
{
    const struct entry *entry = find(state, set, table);
    *place = (struct import_place){0};
    if (!entry || strcmp(entry->table_id, table_id) != 0)
        return;
    for (size_t i = 0; i < set->files; i++)
        if (strcmp(set->file[i].name, entry->file) == 0)
            *place = (struct import_place){.file = i, .offset = entry->offset, .items = entry->items, .file_items = entry->file_items, .done = entry->done};
}

static void write_entries(const struct import_state *state, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_name(&w, "version");
    json_u64(&w, 1);
    json_name(&w, "endpoint");
    json_str(&w, state->endpoint);
    json_name(&w, "imports");
    json_begin_array(&w);
    for (size_t i = 0; i < state->count; i++) {
        const struct entry *entry = &state->entry[i];
        json_begin_object(&w);
        json_name(&w, "set");
        json_str(&w, entry->set);
        json_name(&w, "table");
        json_str(&w, entry->table);
        json_name(&w, "tableId");
        json_str(&w, entry->table_id);
        json_name(&w, "file");
        json_str(&w, entry->file);
        json_name(&w, "offset");
        json_u64(&w, entry->offset);
        json_name(&w, "items");
        json_u64(&w, entry->items);
        json_name(&w, "fileItems");
        json_u64(&w, entry->file_items);
        json_name(&w, "done");
        json_bool(&w, entry->done);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    buf_add_char(out, '\n');
}

int import_state_save(struct import_state *state, const struct import_set *set, const char *table, const char *table_id, const struct import_place *place, struct err *err)
{
    struct entry *entry = find(state, set, table);
    struct buf out;
    if (!entry && !(entry = add_entry(state)))
        return err_set(err, ERR_MEMORY, "out of memory");
    snprintf(entry->set, sizeof(entry->set), "%s", set->name);
    snprintf(entry->table, sizeof(entry->table), "%s", table);
    snprintf(entry->table_id, sizeof(entry->table_id), "%s", table_id);
    snprintf(entry->file, sizeof(entry->file), "%s", place->file < set->files ? set->file[place->file].name : set->files ? set->file[set->files - 1].name : "");
    entry->offset = place->offset;
    entry->items = place->items;
    entry->file_items = place->file_items;
    entry->done = place->done;
    buf_init(&out, STATE_MAX);
    write_entries(state, &out);
    int code = out.failed ? err_set(err, ERR_MEMORY, "out of memory") : file_write(state->path, out.data, out.len, err);
    buf_fini(&out);
    return code;
}

void import_state_remove(struct import_state *state)
{
    unlink(state->path);
}

void import_state_close(struct import_state *state)
{
    if (!state)
        return;
    free(state->entry);
    free(state);
}
