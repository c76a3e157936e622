/*
 * The codec of row keys. An escape with an end mark instead of a length in front: a length would sort "b"
 * before "aa". The mark is 00 01 and an inner zero 00 FF, so a shorter string sorts first and the bytes that
 * follow the mark never decide wrongly.
 */
#include "store/key.h"

int key_add_kind(struct buf *out, bool is_volatile, enum key_kind kind, uint32_t table)
{
    if (is_volatile)
        buf_add_u8(out, KEY_VOLATILE);
    buf_add_u8(out, (uint8_t)kind);
    return buf_add_be32(out, table);
}

int key_add_partial(struct buf *out, struct text bytes)
{
    size_t from = 0;
    while (from < bytes.len) {
        const char *zero = memchr(bytes.data + from, 0, bytes.len - from);
        size_t end = zero ? (size_t)(zero - bytes.data) + 1 : bytes.len;
        buf_add(out, bytes.data + from, end - from);
        if (zero)
            buf_add_u8(out, 0xFF);
        from = end;
    }
    return out->failed ? ERR_MEMORY : 0;
}

static int add_number(struct buf *out, const struct attr *value)
{
    struct decimal d;
    int rc = decimal_parse(value->text, &d);
    return rc ? rc : decimal_key_add(out, &d);
}

int key_add_component(struct buf *out, enum attr_type type, const struct attr *value, struct text name,
    size_t max, struct err *err)
{
    if (!value)
        return err_set(err, ERR_TYPE,
            "One or more parameter values were invalid: Missing the key %.*s in the item", TEXT_FMT(name));
    if (value->type != type)
        return err_set(err, ERR_TYPE, "One or more parameter values were invalid: Type mismatch for key %.*s",
            TEXT_FMT(name));
    if (type == ATTR_NUMBER) {
        int rc = add_number(out, value);
        return rc ? err_set(err, rc, "the number in %.*s is not valid", TEXT_FMT(name)) : 0;
    }
    if (!value->text.len)
        return err_set(err, ERR_INVALID,
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
            "contain an empty %s value. Key: %.*s",
            type == ATTR_STRING ? "string" : "binary", TEXT_FMT(name));
    if (value->text.len > max)
        return err_set(err, ERR_TOO_LARGE,
            "One or more parameter values were invalid: Size of key %.*s has exceeded the maximum size limit "
            "of %zu bytes",
            TEXT_FMT(name), max);
    key_add_partial(out, value->text);
    buf_add_u8(out, 0);
    buf_add_u8(out, 1);
    return out->failed ? err_set(err, ERR_MEMORY, "out of memory") : 0;
}

static int skip_escaped(struct cursor *c)
{
    while (!c->failed && c->at < c->end) {
        const unsigned char *zero = memchr(c->at, 0, (size_t)(c->end - c->at));
        if (!zero || c->end - zero < 2)
            break;
        c->at = zero + 2;
        if (zero[1] == 1)
            return 0;
        if (zero[1] != 0xFF)
            break;
    }
    c->failed = true;
    return ERR_CORRUPT;
}

static int read_number(struct cursor *c, struct decimal *d)
{
    size_t used = 0;
    if (c->failed || decimal_key_parse(text_make(c->at, (size_t)(c->end - c->at)), d, &used)) {
        c->failed = true;
        return ERR_CORRUPT;
    }
    c->at += used;
    return 0;
}

int key_skip(struct cursor *c, enum attr_type type)
{
    struct decimal d;
    return type == ATTR_NUMBER ? read_number(c, &d) : skip_escaped(c);
}

static struct text unescape(struct arena *arena, const unsigned char *from, const unsigned char *end)
{
    char *out = arena_alloc(arena, (size_t)(end - from) + 1);
    size_t len = 0;
    if (!out)
        return TEXT_NONE;
    while (from < end) {
        out[len++] = (char)*from;
        from += *from ? 1 : 2;
    }
    out[len] = 0;
    return text_make(out, len);
}

int key_read(struct cursor *c, enum attr_type type, struct arena *arena, struct text *out)
{
    if (type == ATTR_NUMBER) {
        struct decimal d;
        char text[DECIMAL_TEXT_MAX];
        int rc = read_number(c, &d);
        if (rc)
            return rc;
        size_t len = decimal_format(&d, text);
        *out = arena_copy(arena, text_make(text, len));
    } else {
        const unsigned char *from = c->at;
        int rc = skip_escaped(c);
        if (rc)
            return rc;
        *out = unescape(arena, from, c->at - 2);
    }
    return out->data ? 0 : ERR_MEMORY;
}

bool key_successor(struct buf *key)
{
    while (key->len && (unsigned char)key->data[key->len - 1] == 0xFF)
        key->len--;
    if (!key->len)
        return false;
    key->data[key->len - 1]++;
    return true;
}
