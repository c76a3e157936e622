/*
 * The canonical request. Both sides of a signature must arrive at the same bytes, so the rules here follow what clients were
 * measured to do, not what reads best:
 *
 * - The path is the one on the wire. Clients encode it once for the wire and once more for the signature, so '%' becomes
 *   %25; dot segments and empty segments are removed first (for every service but s3, which signs the path as sent).
 * - The query is decoded and encoded again, so that two spellings of one byte (%7e, ~) agree; '+' is a plus. Parameters are
 *   sorted by encoded name, then encoded value. X-Amz-Signature is left out, it cannot sign itself.
 * - Header values lose outer white space, inner runs become one space, repeated fields are joined with commas in their order.
 *
 * The result is built in memory and not hashed piece by piece: it is one small buffer that the verifier keeps, and a test can
 * compare it with the documentation's.
 */
#include "net/sigv4_canonical.h"

#include <stdlib.h>

#define SIGNATURE_PARAMETER "X-Amz-Signature"

struct parameter {
    struct text name, value; /* encoded */
};

void sigv4_target_split(struct text target, struct text *path, struct text *query)
{
    ptrdiff_t mark = text_find(target, '?', 0);
    size_t end = mark < 0 ? target.len : (size_t)mark;
    *path = text_make(target.data, end);
    *query = end < target.len ? text_make(target.data + end + 1, target.len - end - 1) : TEXT_NONE;
}

bool sigv4_piece_next(struct text list, char separator, size_t *at, struct text *piece)
{
    if (*at > list.len || list.len == 0)
        return false;
    ptrdiff_t found = text_find(list, separator, *at);
    size_t end = found < 0 ? list.len : (size_t)found;
    *piece = text_make(list.data + *at, end - *at);
    *at = end + 1;
    return true;
}

bool sigv4_header_signed(struct text signed_headers, struct text name)
{
    struct text piece;
    for (size_t at = 0; sigv4_piece_next(signed_headers, ';', &at, &piece);)
        if (text_equal(piece, name))
            return true;
    return false;
}

static struct text header_alias(struct text name)
{
    if (text_equal_nocase(name, TEXT("host")))
        return TEXT(":authority");
    if (text_is(name, ":authority"))
        return TEXT("host");
    return TEXT_NONE;
}

const struct sigv4_header *sigv4_header_find(const struct sigv4_header *headers, size_t count, struct text name)
{
    for (struct text wanted = name, alias = header_alias(name); wanted.len;
         wanted = alias, alias = TEXT_NONE)
        for (size_t i = 0; i < count; i++)
            if (text_equal_nocase(headers[i].name, wanted))
                return &headers[i];
    return NULL;
}

/* ---- encoding ---- */

static bool is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

static int add_encoded(struct buf *out, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";
    if (is_unreserved(c))
        return buf_add_char(out, (char)c);
    char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
    return buf_add(out, escape, sizeof(escape));
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decoded and encoded again, in one step. */
static int add_recoded(struct buf *out, struct text value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if (c == '%') {
            int high = i + 2 < value.len ? hex_value(value.data[i + 1]) : -1;
            int low = i + 2 < value.len ? hex_value(value.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return ERR_SYNTAX;
            c = (unsigned char)(high << 4 | low);
            i += 2;
        }
        add_encoded(out, c); /* a failure stays in out->failed */
    }
    return 0;
}

/* ---- path ---- */

static void path_pop(struct buf *out, size_t start)
{
    while (out->len > start && out->data[out->len - 1] != '/')
        out->len--;
    if (out->len > start)
        out->len--;
}

static int add_path(struct buf *out, struct text path, bool as_sent)
{
    size_t start = out->len;
    struct text segment;

    if (path.len && path.data[0] != '/')
        return ERR_SYNTAX;
    if (as_sent)
        return path.len ? buf_add_text(out, path) : buf_add_char(out, '/');
    for (size_t at = 0; sigv4_piece_next(path, '/', &at, &segment);) {
        if (segment.len == 0 || text_is(segment, "."))
            continue;
        if (text_is(segment, "..")) {
            path_pop(out, start);
            continue;
        }
        buf_add_char(out, '/');
        for (size_t i = 0; i < segment.len; i++)
            add_encoded(out, (unsigned char)segment.data[i]);
    }
    if (out->len == start || path.data[path.len - 1] == '/')
        buf_add_char(out, '/');
    return 0;
}

/* ---- query ---- */

static int parameter_compare(const void *a, const void *b)
{
    const struct parameter *left = a, *right = b;
    int order = text_compare(left->name, right->name);
    return order ? order : text_compare(left->value, right->value);
}

/* `scratch` has room for everything, so the texts into it stay where they are. */
static int parameter_read(struct text piece, struct buf *scratch, struct parameter *out)
{
    ptrdiff_t equals = text_find(piece, '=', 0);
    size_t name_len = equals < 0 ? piece.len : (size_t)equals;
    size_t start = scratch->len;
    int code = add_recoded(scratch, text_make(piece.data, name_len));
    size_t middle = scratch->len;
    if (!code && equals >= 0)
        code = add_recoded(scratch, text_make(piece.data + name_len + 1, piece.len - name_len - 1));
    out->name = text_make(scratch->data + start, middle - start);
    out->value = text_make(scratch->data + middle, scratch->len - middle);
    return code;
}

static int add_query(struct buf *out, struct text query, struct buf *scratch)
{
    struct parameter parameters[SIGV4_QUERY_PARAMETERS_MAX];
    size_t count = 0;
    struct text piece;
    int code = buf_reserve(scratch, 3 * query.len + 1);

    for (size_t at = 0; !code && sigv4_piece_next(query, '&', &at, &piece);) {
        if (piece.len == 0 || (text_starts(piece, TEXT(SIGNATURE_PARAMETER "="))))
            continue;
        if (count == SIGV4_QUERY_PARAMETERS_MAX)
            return ERR_TOO_LARGE;
        code = parameter_read(piece, scratch, &parameters[count++]);
    }
    if (code)
        return code;
    qsort(parameters, count, sizeof(parameters[0]), parameter_compare);
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_add_char(out, '&');
        buf_add_text(out, parameters[i].name);
        buf_add_char(out, '=');
        buf_add_text(out, parameters[i].value);
    }
    return 0;
}

/* ---- headers ---- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Word by word. */
static void add_header_value(struct buf *out, struct text value)
{
    bool begun = false;
    for (size_t i = 0; i < value.len;) {
        size_t start = i;
        while (i < value.len && !is_space(value.data[i]))
            i++;
        if (i > start && begun)
            buf_add_char(out, ' ');
        begun = begun || i > start;
        buf_add(out, value.data + start, i - start);
        while (i < value.len && is_space(value.data[i]))
            i++;
    }
}

static bool name_is_lower(struct text name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((name.data[i] >= 'A' && name.data[i] <= 'Z') || is_space(name.data[i]))
            return false;
    return name.len > 0;
}

static int add_header(struct buf *out, const struct sigv4_canonical *canonical, struct text name)
{
    const struct sigv4_header *first = sigv4_header_find(canonical->headers, canonical->header_count, name);
    if (!name_is_lower(name))
        return ERR_SYNTAX;
    if (!first)
        return ERR_MISSING;
    buf_add_text(out, name);
    buf_add_char(out, ':');
    add_header_value(out, first->value);
    for (const struct sigv4_header *next = first + 1; next < canonical->headers + canonical->header_count; next++) {
        if (!text_equal_nocase(next->name, first->name))
            continue;
        buf_add_char(out, ',');
        add_header_value(out, next->value);
    }
    return buf_add_char(out, '\n');
}

static int add_headers(struct buf *out, const struct sigv4_canonical *canonical)
{
    struct text name;
    size_t count = 0;
    for (size_t at = 0; sigv4_piece_next(canonical->signed_headers, ';', &at, &name);) {
        if (++count > SIGV4_SIGNED_HEADERS_MAX)
            return ERR_TOO_LARGE;
        int code = add_header(out, canonical, name);
        if (code)
            return code;
    }
    return 0;
}

/* ---- the whole ---- */

int sigv4_canonical_format(const struct sigv4_canonical *canonical, struct buf *out, struct buf *scratch)
{
    struct text path, query;

    buf_clear(out);
    buf_clear(scratch);
    sigv4_target_split(canonical->target, &path, &query);
    buf_add_text(out, canonical->method);
    buf_add_char(out, '\n');
    int code = add_path(out, path, canonical->path_as_sent);
    buf_add_char(out, '\n');
    if (!code)
        code = add_query(out, query, scratch);
    buf_add_char(out, '\n');
    if (!code)
        code = add_headers(out, canonical);
    buf_add_char(out, '\n');
    buf_add_text(out, canonical->signed_headers);
    buf_add_char(out, '\n');
    buf_add_text(out, canonical->payload_hash);
    return code ? code : out->failed ? ERR_TOO_LARGE : 0;
}

void sigv4_hex(const unsigned char bytes[SIGV4_HASH_SIZE], char hex[SIGV4_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < SIGV4_HASH_SIZE; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
}

int sigv4_signature(struct sigv4_hash *hash, const unsigned char key[SIGV4_HASH_SIZE], struct text amz_date,
                    const struct sigv4_scope *scope, struct text canonical, struct buf *out, char hex[SIGV4_HEX_SIZE])
{
    unsigned char digest[SIGV4_HASH_SIZE];
    char digest_hex[SIGV4_HEX_SIZE];

    if (!sigv4_sha256(hash, canonical, digest))
        return ERR_MEMORY;
    sigv4_hex(digest, digest_hex);
    buf_clear(out);
    const struct text piece[] = {TEXT(SIGV4_ALGORITHM "\n"), amz_date, TEXT("\n"), scope->date, TEXT("/"), scope->region, TEXT("/"), scope->service,
        TEXT("/" SIGV4_TERMINATOR "\n"), text_make(digest_hex, SIGV4_HEX_SIZE)};
    for (size_t i = 0; i < sizeof(piece) / sizeof(piece[0]); i++) {
        int code = buf_add_text(out, piece[i]);
        if (code)
            return code;
    }
    if (!sigv4_hmac(hash, text_make(key, SIGV4_HASH_SIZE), buf_text(out), digest))
        return ERR_MEMORY;
    sigv4_hex(digest, hex);
    return 0;
}

bool sigv4_signing_key(struct sigv4_hash *hash, struct text secret, const struct sigv4_scope *scope,
                       unsigned char key[SIGV4_HASH_SIZE])
{
    char first[4 + SIGV4_SECRET_MAX] = "AWS4";
    if (secret.len > SIGV4_SECRET_MAX)
        return false;
    memcpy(first + 4, secret.data, secret.len);
    struct text own = text_make(key, SIGV4_HASH_SIZE);
    bool made = sigv4_hmac(hash, text_make(first, 4 + secret.len), scope->date, key) &&
                sigv4_hmac(hash, own, scope->region, key) && sigv4_hmac(hash, own, scope->service, key) &&
                sigv4_hmac(hash, own, TEXT(SIGV4_TERMINATOR), key);
    sigv4_wipe(first, sizeof(first));
    return made;
}
