/* The JSON is read by base/json.h; what is decided here is what it may mean. */
#include "main/import_format.h"

#include "base/codec.h"
#include <stdio.h>
#include <string.h>

#define ARENA_MAX (IMPORT_MANIFEST_MAX * 32)

static bool says(const struct json *value, const char *text)
{
    return json_is(value, JSON_STRING) && text_is(value->text, text);
}

static bool count_of(const struct json *value, uint64_t *out)
{
    int64_t number;
    bool known = json_to_i64(value, &number) == 0 && number >= 0;
    *out = known ? (uint64_t)number : 0;
    return known;
}

static bool keep_name(struct text name, char out[IMPORT_NAME_MAX + 1])
{
    out[0] = 0;
    if (!name.len || name.len > IMPORT_NAME_MAX || memchr(name.data, '/', name.len) || memchr(name.data, 0, name.len) || name.data[0] == '.')
        return false;
    memcpy(out, name.data, name.len);
    out[name.len] = 0;
    return true;
}

static struct text after_last(struct text path, char c)
{
    for (size_t i = path.len; i > 0; i--)
        if (path.data[i - 1] == c)
            return text_make(path.data + i, path.len - i);
    return path;
}

/* ---- manifests ---- */

static int read_summary(const struct json *root, struct import_summary *out, struct err *err)
{
    const struct json *arn = json_get_str(root, "tableArn"), *format = json_get_str(root, "outputFormat"), *type = json_get_str(root, "exportType");
    if (!json_is(root, JSON_OBJECT) || !json_is(json_get_str(root, "manifestFilesS3Key"), JSON_STRING))
        return err_set(err, ERR_SYNTAX, "it is not the summary of an export");
    if (format && !says(format, "DYNAMODB_JSON"))
        return err_set(err, ERR_UNSUPPORTED, "the export's format is not DYNAMODB_JSON; export the table in that one");
    if (type && !says(type, "FULL_EXPORT"))
        return err_set(err, ERR_UNSUPPORTED, "it is an incremental export, which is changes and not items; make a full one");
    if (json_is(arn, JSON_STRING) && arn->text.len)
        keep_name(after_last(arn->text, '/'), out->table);
    out->items_known = count_of(json_get_str(root, "itemCount"), &out->items);
    return 0;
}

int import_summary_parse(struct text bytes, struct import_summary *out, struct err *err)
{
    struct arena arena;
    const struct json *root;
    *out = (struct import_summary){0};
    if (bytes.len > IMPORT_MANIFEST_MAX)
        return err_set(err, ERR_SYNTAX, "it is too large");
    arena_init(&arena, 4096, ARENA_MAX);
    int code = json_parse(&arena, bytes, 0, &root, NULL) ? err_set(err, ERR_SYNTAX, "it is not JSON") : read_summary(root, out, err);
    arena_fini(&arena);
    return code;
}

/* In base64, as the manifest has it. */
static bool read_md5(const struct json *value, unsigned char out[MD5_BYTES])
{
    struct buf bytes;
    if (!json_is(value, JSON_STRING))
        return false;
    buf_init(&bytes, 64);
    bool ok = base64_decode(&bytes, value->text) == 0 && bytes.len == MD5_BYTES;
    if (ok)
        memcpy(out, bytes.data, MD5_BYTES);
    buf_fini(&bytes);
    return ok;
}

int import_data_file_parse(struct text line, struct import_data_file *out, struct err *err)
{
    struct arena arena;
    const struct json *root = NULL;
    *out = (struct import_data_file){0};
    if (line.len > IMPORT_MANIFEST_MAX)
        return err_set(err, ERR_SYNTAX, "a line is too long");
    arena_init(&arena, 4096, ARENA_MAX);
    bool parsed = json_parse(&arena, line, 0, &root, NULL) == 0;
    const struct json *key = parsed ? json_get_str(root, "dataFileS3Key") : NULL;
    bool named = json_is(key, JSON_STRING) && keep_name(after_last(key->text, '/'), out->name);
    if (named) {
        out->items_known = count_of(json_get_str(root, "itemCount"), &out->items);
        out->md5_known = read_md5(json_get_str(root, "md5Checksum"), out->md5);
    }
    arena_fini(&arena);
    return named ? 0 : err_set(err, ERR_SYNTAX, "a line does not name a data file");
}

/* ---- lines ---- */

/* {"S":"x"}: one member, named like a type. */
static bool is_value(const struct json *value)
{
    static const char *const types[] = {"S", "N", "B", "SS", "NS", "BS", "M", "L", "BOOL", "NULL"};
    if (!json_is(value, JSON_OBJECT) || value->count != 1)
        return false;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (text_is(value->first->name, types[i]))
            return true;
    return false;
}

static bool is_item(const struct json *value)
{
    if (!json_is(value, JSON_OBJECT) || !value->count)
        return false;
    for (const struct json *member = value->first; member; member = member->next)
        if (!is_value(member))
            return false;
    return true;
}

int import_line_parse(struct arena *arena, struct text line, struct text *item, struct err *err)
{
    const struct json *root;
    int code = json_parse(arena, line, 0, &root, err);
    if (code)
        return code == ERR_MEMORY ? code : err_set(err, ERR_SYNTAX, "it is not JSON");
    const struct json *inner = json_is(root, JSON_OBJECT) && root->count == 1 ? json_get_str(root, "Item") : NULL;
    if (!is_item(inner) && is_item(root))
        inner = root;
    if (!is_item(inner)) {
        bool change = json_get_str(root, "NewImage") || json_get_str(root, "OldImage") || json_get_str(root, "Keys");
        return change ? err_set(err, ERR_UNSUPPORTED, "it is a change of an incremental export; make a full one")
                      : err_set(err, ERR_SYNTAX, "it is neither {\"Item\":{...}} nor an item in DynamoDB JSON, {\"name\":{\"S\":\"value\"}}");
    }
    *item = inner->raw;
    return 0;
}
