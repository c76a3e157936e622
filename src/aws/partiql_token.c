/*
 * NextToken: where a SELECT goes on. It holds the key of the last item that was examined, and a digest of the statement and its parameters, so that a token of
 * another statement is refused. It is checked, not signed: it says no more than an ExclusiveStartKey, which any client may make up, and the statement's filter
 * judges every item anew.
 *
 *   version (1 byte) · digest (8) · the key as an item's stored form, in base64
 */
#include "aws/partiql.h"
#include "aws/transact.h"

#include "base/codec.h"
#include "base/cursor.h"

#define TOKEN_VERSION 1
#define TOKEN_BYTES_MAX 24576 /* decoded; the shapes refuse longer text */

static uint64_t digest_of(const struct aws_call *call)
{
    const struct json *parameters = shape_get(call->in, "Parameters");
    uint64_t digest = ddb_digest(DDB_DIGEST_SEED, aws_param_text(call->in, "Statement"));
    return ddb_digest(digest, parameters ? parameters->raw : TEXT(""));
}

/* Appends copies of the attributes that `key` names; false without memory or when one is absent. */
static bool add_parts(struct arena *arena, struct attr *out, const struct store_key *key, const struct attr *item)
{
    for (size_t i = 0; i < store_key_parts(key); i++) {
        const struct attr *value = item_get(item, key->part[i].name);
        if (!value || (!item_get(out, key->part[i].name) && !item_set_copy(arena, out, key->part[i].name, value)))
            return false;
    }
    return true;
}

struct attr *partiql_page_key(struct arena *arena, const struct ddb_page *page, const struct attr *item)
{
    struct attr *key = item_create(arena);
    bool whole = key && add_parts(arena, key, store_key_of(page->table, NULL), item);
    return whole && (!page->index || add_parts(arena, key, store_key_of(page->table, page->index), item)) ? key : NULL;
}

struct text partiql_token_make(struct aws_call *call, const struct attr *key)
{
    struct buf bytes, text;
    struct text out = TEXT_NONE;
    buf_init(&bytes, TOKEN_BYTES_MAX);
    buf_init(&text, 2 * TOKEN_BYTES_MAX);
    buf_add_u8(&bytes, TOKEN_VERSION);
    buf_add_be64(&bytes, digest_of(call));
    if (!item_encode(&bytes, key) && !bytes.failed && !base64_encode(&text, buf_text(&bytes)) && !text.failed)
        out = arena_copy(call->arena, buf_text(&text));
    buf_fini(&bytes);
    buf_fini(&text);
    return out;
}

/* ---- reading ---- */

static bool has_parts(const struct attr *key, const struct store_key *of)
{
    for (size_t i = 0; i < store_key_parts(of); i++) {
        const struct attr *value = item_get(key, of->part[i].name);
        if (!value || value->type != of->part[i].type || (value->type != ATTR_NUMBER && !value->text.len))
            return false;
    }
    return true;
}

/* Exactly the key attributes, of their types. */
static bool fits(struct aws_call *call, const struct ddb_page *page, const struct attr *key)
{
    if (!has_parts(key, store_key_of(page->table, NULL)) || (page->index && !has_parts(key, store_key_of(page->table, page->index))))
        return false;
    const struct attr *same = partiql_page_key(call->arena, page, key);
    return same && same->count == key->count && item_check(key, NULL) == 0;
}

/* The range among the page's in which the key lies; negative when there is none. */
static int find_range(const struct ddb_page *page, const struct attr *key)
{
    const struct store_key *of = store_key_of(page->table, page->index);
    for (size_t i = 0; i < page->ranges; i++) {
        bool same = true;
        for (size_t k = 0; k < of->hashes; k++)
            same = same && attr_equal(page->each[i].hash[k], item_get(key, of->part[k].name));
        if (same)
            return (int)i;
    }
    return -1;
}

static bool decode(struct aws_call *call, struct text bytes, struct attr **key)
{
    struct cursor c = cursor_of(bytes);
    uint8_t version = cursor_u8(&c);
    uint64_t digest = cursor_be64(&c);
    struct text rest = cursor_take(&c, cursor_left(&c));
    return !c.failed && version == TOKEN_VERSION && digest == digest_of(call) && item_decode(call->arena, rest, key) == 0;
}

int partiql_token_read(struct aws_call *call, struct text token, struct ddb_page *page)
{
    struct attr *key = NULL;
    struct buf bytes;
    buf_init(&bytes, TOKEN_BYTES_MAX + 3);
    bool good = !base64_decode(&bytes, token) && !bytes.failed;
    struct text copy = good ? arena_copy(call->arena, buf_text(&bytes)) : TEXT_NONE; /* the key borrows it */
    buf_fini(&bytes);
    good = good && copy.data && decode(call, copy, &key) && fits(call, page, key);
    int range = good && page->ranges ? find_range(page, key) : 0;
    if (!good || range < 0)
        return aws_fail(call, AWS_VALIDATION, "The NextToken is not valid for this statement");
    page->first = (size_t)range;
    page->after = key;
    return 0;
}
