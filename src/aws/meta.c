/*
 * What AWS knows of a table and the catalogue does not: how it is billed, its tags, its id, when it was made, which indexes are local. One raw row per table,
 * "t" and the name, JSON (it is read when somebody describes a table, never for an item). It is written in the same tick as the definition.
 * A table without a row was declared by an application.
 */
#include "aws/ddb.h"

#include "base/clock.h"
#include "base/hash.h"
#include "store/key.h"
#include <stdio.h>

#define META_BYTES_MAX (256u << 10)
#define KEY_MAX 300

static struct text row_key(struct text table, char out[KEY_MAX])
{
    out[0] = 't';
    size_t len = table.len < KEY_MAX - 1 ? table.len : KEY_MAX - 1;
    memcpy(out + 1, table.data, len);
    return text_make(out, len + 1);
}

/* ---- reading ---- */

static int64_t number(const struct json *object, const char *name)
{
    int64_t value = 0;
    const struct json *found = json_get_str(object, name);
    return found && json_to_i64(found, &value) == 0 ? value : 0;
}

static struct text raw_of(const struct json *object, const char *name)
{
    const struct json *found = json_get_str(object, name);
    return found ? found->raw : TEXT_NONE;
}

static struct ddb_changes read_changes(const struct json *object)
{
    return (struct ddb_changes){number(object, "raisedAt"), number(object, "loweredAt"), number(object, "lowered")};
}

static void read_indexes(const struct json *list, struct ddb_meta *meta)
{
    for (const struct json *at = list ? list->first : NULL; at && meta->indexes < STORE_INDEXES_MAX; at = at->next)
        meta->index[meta->indexes++] = (struct ddb_index_meta){
            .name = aws_param_text(at, "name"),
            .local = aws_param_true(at, "local"),
            .reads = number(at, "reads"),
            .writes = number(at, "writes"),
            .on_demand = raw_of(at, "onDemand"),
            .warm = raw_of(at, "warm"),
            .changes = read_changes(at),
        };
}

static void read_meta(const struct json *root, struct ddb_meta *meta)
{
    struct text id = aws_param_text(root, "id");
    meta->made = aws_param_true(root, "made");
    meta->created_ms = number(root, "created");
    if (id.len == 36)
        memcpy(meta->id, id.data, 36);
    meta->on_demand_mode = aws_param_true(root, "onDemandMode");
    meta->reads = number(root, "reads");
    meta->writes = number(root, "writes");
    meta->mode_ms = number(root, "modeAt");
    meta->table_class = aws_param_text(root, "class");
    meta->is_protected = aws_param_true(root, "protected");
    meta->stream_view = aws_param_text(root, "stream");
    meta->stream_ms = number(root, "streamAt");
    meta->on_demand = raw_of(root, "onDemand");
    meta->warm = raw_of(root, "warm");
    meta->sse = raw_of(root, "sse");
    meta->changes = read_changes(root);
    meta->restored_from = aws_param_text(root, "restoredFrom");
    meta->restored_backup = aws_param_text(root, "restoredBackup");
    meta->restored_ms = number(root, "restoredTo");
    read_indexes(json_get_str(root, "indexes"), meta);
    const struct json *tags = json_get_str(root, "tags");
    for (const struct json *at = tags ? tags->first : NULL; at && meta->tags < DDB_TAGS_MAX; at = at->next)
        meta->tag[meta->tags++] = (struct ddb_tag){at->name, at->text};
}

/* An id that a declared table keeps from start to start: made of its name. */
static void id_of_name(struct text table, char out[37])
{
    uint64_t h[2] = {UINT64_C(0xcbf29ce484222325), UINT64_C(0x84222325cbf29ce4)};
    for (size_t i = 0; i < table.len; i++)
        for (int k = 0; k < 2; k++)
            h[k] = (h[k] ^ (unsigned char)table.data[i]) * UINT64_C(0x100000001b3);
    snprintf(out, 37, "%08x-%04x-5%03x-8%03x-%012llx", (unsigned)(h[0] >> 32), (unsigned)(h[0] >> 16) & 0xffff, (unsigned)h[0] & 0xfff, (unsigned)(h[1] >> 52),
        (unsigned long long)(h[1] & UINT64_C(0xffffffffffff)));
}

int ddb_meta_get(struct store_view *view, struct arena *arena, struct text table, struct ddb_meta *meta)
{
    static int64_t started_ms;
    char key[KEY_MAX];
    struct text row;
    const struct json *root;
    memset(meta, 0, sizeof(*meta));
    int code = store_raw_get(view, STORE_SPACE_AWS, row_key(table, key), arena, &row);
    if (!code) {
        code = json_parse(arena, row, JSON_COPY, &root, NULL);
        if (code)
            return code == ERR_MEMORY ? code : ERR_CORRUPT;
        read_meta(root, meta);
    }
    if (code && code != ERR_NOT_FOUND)
        return code;
    int64_t start = __atomic_load_n(&started_ms, __ATOMIC_RELAXED);
    if (!start) {
        start = clock_wall_ms();
        __atomic_store_n(&started_ms, start, __ATOMIC_RELAXED);
    }
    if (!meta->id[0])
        id_of_name(table, meta->id);
    if (!meta->created_ms)
        meta->created_ms = start;
    if (!meta->made)
        meta->on_demand_mode = true;
    return 0;
}

/* ---- writing ---- */

static void name_i64(struct json_writer *w, const char *name, int64_t value)
{
    json_name(w, name);
    json_i64(w, value);
}

static void name_bool(struct json_writer *w, const char *name, bool value)
{
    json_name(w, name);
    json_bool(w, value);
}

static void name_text(struct json_writer *w, const char *name, struct text value)
{
    if (!value.len)
        return;
    json_name(w, name);
    json_text(w, value);
}

static void name_raw(struct json_writer *w, const char *name, struct text json)
{
    if (!json.len)
        return;
    json_name(w, name);
    json_raw(w, json);
}

static void write_changes(struct json_writer *w, const struct ddb_changes *changes)
{
    if (changes->raised_ms)
        name_i64(w, "raisedAt", changes->raised_ms);
    if (!changes->lowered_ms)
        return;
    name_i64(w, "loweredAt", changes->lowered_ms);
    name_i64(w, "lowered", changes->lowered);
}

static void write_index(struct json_writer *w, const struct ddb_index_meta *index)
{
    json_begin_object(w);
    name_text(w, "name", index->name);
    name_bool(w, "local", index->local);
    name_i64(w, "reads", index->reads);
    name_i64(w, "writes", index->writes);
    name_raw(w, "onDemand", index->on_demand);
    name_raw(w, "warm", index->warm);
    write_changes(w, &index->changes);
    json_end_object(w);
}

static void write_meta(struct json_writer *w, const struct ddb_meta *meta)
{
    json_begin_object(w);
    name_bool(w, "made", meta->made);
    name_i64(w, "created", meta->created_ms);
    name_text(w, "id", text_of(meta->id));
    name_bool(w, "onDemandMode", meta->on_demand_mode);
    name_i64(w, "reads", meta->reads);
    name_i64(w, "writes", meta->writes);
    name_i64(w, "modeAt", meta->mode_ms);
    name_text(w, "class", meta->table_class);
    name_bool(w, "protected", meta->is_protected);
    name_text(w, "stream", meta->stream_view);
    name_i64(w, "streamAt", meta->stream_ms);
    name_raw(w, "onDemand", meta->on_demand);
    name_raw(w, "warm", meta->warm);
    name_raw(w, "sse", meta->sse);
    write_changes(w, &meta->changes);
    name_text(w, "restoredFrom", meta->restored_from);
    name_text(w, "restoredBackup", meta->restored_backup);
    if (meta->restored_ms)
        name_i64(w, "restoredTo", meta->restored_ms);
    json_name(w, "indexes");
    json_begin_array(w);
    for (size_t i = 0; i < meta->indexes; i++)
        write_index(w, &meta->index[i]);
    json_end_array(w);
    json_name(w, "tags");
    json_begin_object(w);
    for (size_t i = 0; i < meta->tags; i++) {
        json_name_text(w, meta->tag[i].key);
        json_text(w, meta->tag[i].value);
    }
    json_end_object(w);
    json_end_object(w);
}

int ddb_meta_format(struct buf *out, const struct ddb_meta *meta)
{
    struct json_writer w;
    json_writer_init(&w, out);
    write_meta(&w, meta);
    return out->failed ? ERR_MEMORY : 0;
}

int ddb_meta_parse(struct arena *arena, struct text json, struct ddb_meta *meta)
{
    const struct json *root;
    memset(meta, 0, sizeof(*meta));
    int code = json_parse(arena, json, JSON_COPY, &root, NULL);
    if (code)
        return code == ERR_MEMORY ? code : ERR_CORRUPT;
    read_meta(root, meta);
    return 0;
}

int ddb_meta_put(struct store_stage *stage, struct text table, const struct ddb_meta *meta)
{
    char key[KEY_MAX];
    struct buf row;
    struct json_writer w;
    buf_init(&row, META_BYTES_MAX);
    json_writer_init(&w, &row);
    write_meta(&w, meta);
    int code = row.failed ? ERR_MEMORY : store_raw_put(stage, STORE_SPACE_AWS, row_key(table, key), buf_text(&row));
    buf_fini(&row);
    return code;
}

int ddb_meta_delete(struct store_stage *stage, struct text table)
{
    char key[KEY_MAX];
    return store_raw_delete(stage, STORE_SPACE_AWS, row_key(table, key));
}

bool ddb_meta_is_local(const struct ddb_meta *meta, struct text index)
{
    for (size_t i = 0; i < meta->indexes; i++)
        if (text_equal(meta->index[i].name, index))
            return meta->index[i].local;
    return false;
}

int ddb_locals(struct store_view *view, struct arena *arena, const struct store_table *table, bool local[STORE_INDEXES_MAX])
{
    const struct store_table_decl *decl = store_table_decl(table);
    struct ddb_meta *meta = arena_alloc(arena, sizeof(*meta));
    int code = meta ? ddb_meta_get(view, arena, store_table_name(table), meta) : ERR_MEMORY;
    for (size_t i = 0; i < decl->indexes && !code; i++)
        local[i] = ddb_meta_is_local(meta, decl->index[i].name);
    return code;
}
