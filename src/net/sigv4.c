/*
 * The verifier. It reads the claim (from the Authorization header or the query), asks the owner of the keys for the secret,
 * computes what the signature should be, and compares in constant time.
 *
 * The derived key of a day, region and service is cached, since deriving it costs four of the five HMACs. The cache never
 * answers whether a key exists: the owner is asked for every request, so a deleted or changed key counts from that moment, and
 * a cached entry is used only for the secret that it was derived from.
 *
 * The checks go from cheap to dear, and from what needs no secret to what does. The wording of AWS's errors is not made here:
 * the wires (JSON, query, REST) name the same outcome differently, so this answers an enum.
 */
#include "net/sigv4.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "net/sigv4_canonical.h"

#define CACHE_ENTRIES 16 /* derived keys; replaced in turn */
#define DATE_LEN 8       /* "20150830" */
#define AMZ_DATE_LEN (SIGV4_DATE_SIZE - 1)

struct cached_key {
    size_t id_len, secret_len;
    char id[SIGV4_ACCESS_KEY_MAX + DATE_LEN + 2 * SIGV4_SCOPE_PART_MAX + 3]; /* "access key/date/region/service" */
    char secret[SIGV4_SECRET_MAX];
    unsigned char key[SIGV4_HASH_SIZE];
};

struct sigv4 {
    sigv4_lookup_fn *lookup;
    void *ctx;
    struct sigv4_hash *hash;
    struct buf canonical, scratch, decoded; /* decoded: values of a presigned query */
    unsigned cache_next;
    struct cached_key cache[CACHE_ENTRIES];
};

/* What the request says about its signature. */
struct claim {
    struct text access_key, credential, signed_headers, signature, amz_date, session_token;
    struct text content_hash; /* x-amz-content-sha256, only when the signature covers it */
    struct sigv4_scope scope;
    bool presigned;
    uint64_t expires_s; /* presigned; 0 = not said */
};

int sigv4_create(sigv4_lookup_fn *lookup, void *ctx, struct sigv4 **out)
{
    struct sigv4 *sigv4 = calloc(1, sizeof(*sigv4));
    if (!sigv4)
        return ERR_MEMORY;
    sigv4->lookup = lookup;
    sigv4->ctx = ctx;
    buf_init(&sigv4->canonical, SIGV4_CANONICAL_MAX);
    buf_init(&sigv4->scratch, SIGV4_CANONICAL_MAX);
    buf_init(&sigv4->decoded, SIGV4_CANONICAL_MAX);
    sigv4->hash = sigv4_hash_create();
    if (!sigv4->hash) {
        sigv4_destroy(sigv4);
        return ERR_MEMORY;
    }
    *out = sigv4;
    return 0;
}

void sigv4_destroy(struct sigv4 *sigv4)
{
    if (!sigv4)
        return;
    buf_fini(&sigv4->canonical);
    buf_fini(&sigv4->scratch);
    buf_fini(&sigv4->decoded);
    sigv4_hash_destroy(sigv4->hash);
    sigv4_wipe(sigv4, sizeof(*sigv4));
    free(sigv4);
}

static enum sigv4_status fail(struct sigv4_identity *identity, enum sigv4_status status, const char *reason)
{
    identity->reason = reason;
    return status;
}

/* ---- the query ---- */

/* The raw value of a parameter, or the count of its appearances: 0, 1, 2 (more than one). */
static int query_find(struct text query, struct text name, struct text *value)
{
    struct text piece;
    int found = 0;
    *value = TEXT_NONE;
    for (size_t at = 0; sigv4_piece_next(query, '&', &at, &piece);) {
        if (!text_starts(piece, name) || (piece.len > name.len && piece.data[name.len] != '='))
            continue;
        if (piece.len > name.len)
            *value = text_make(piece.data + name.len + 1, piece.len - name.len - 1);
        found = found ? 2 : 1;
    }
    return found;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The decoded value in `out`, which has room for it. False when it appears twice or is badly escaped. */
static bool query_decoded(struct text query, const char *name, struct buf *out, struct text *value)
{
    struct text raw;
    size_t start = out->len;
    if (query_find(query, text_of(name), &raw) > 1)
        return false;
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.data[i];
        if (c == '%') {
            int high = i + 2 < raw.len ? hex_digit(raw.data[i + 1]) : -1;
            int low = i + 2 < raw.len ? hex_digit(raw.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        buf_add_char(out, c);
    }
    *value = text_make(out->data + start, out->len - start);
    return !out->failed;
}

/* ---- reading the claim ---- */

static bool part_fits(struct text part)
{
    return part.len > 0 && part.len <= SIGV4_SCOPE_PART_MAX;
}

/* "access key/date/region/service/aws4_request", read from the right: an access key of a user's choice may hold slashes. */
static bool credential_read(struct claim *claim)
{
    struct text rest = claim->credential, part[4];
    for (int i = 3; i >= 0; i--) {
        size_t start = rest.len;
        while (start > 0 && rest.data[start - 1] != '/')
            start--;
        if (start == 0)
            return false;
        part[i] = text_make(rest.data + start, rest.len - start);
        rest.len = start - 1;
    }
    claim->access_key = rest;
    claim->scope = (struct sigv4_scope){part[0], part[1], part[2]};
    return rest.len > 0 && rest.len <= SIGV4_ACCESS_KEY_MAX && part[0].len == DATE_LEN && part_fits(part[1]) &&
           part_fits(part[2]) && text_is(part[3], SIGV4_TERMINATOR);
}

static bool signature_is_hex(struct text signature)
{
    if (signature.len != SIGV4_HEX_SIZE)
        return false;
    for (size_t i = 0; i < signature.len; i++)
        if (hex_digit(signature.data[i]) < 0 || (signature.data[i] >= 'A' && signature.data[i] <= 'F'))
            return false;
    return true;
}

/* "Credential=..., SignedHeaders=..., Signature=..." in any order, each once, nothing else. */
static bool authorization_read(struct text fields, struct claim *claim)
{
    static const char *const names[] = {"Credential=", "SignedHeaders=", "Signature="};
    struct text *values[] = {&claim->credential, &claim->signed_headers, &claim->signature};
    struct text piece;

    for (size_t at = 0; sigv4_piece_next(fields, ',', &at, &piece);) {
        piece = text_trim(piece);
        size_t i = 0;
        while (i < 3 && !text_starts(piece, text_of(names[i])))
            i++;
        if (i == 3 || values[i]->len)
            return false;
        size_t skip = strlen(names[i]);
        *values[i] = text_make(piece.data + skip, piece.len - skip);
    }
    return claim->credential.len && claim->signed_headers.len && claim->signature.len;
}

static struct text header_value(const struct sigv4_request *request, const char *name)
{
    const struct sigv4_header *header = sigv4_header_find(request->headers, request->header_count, text_of(name));
    return header ? text_trim(header->value) : TEXT_NONE;
}

static size_t header_count(const struct sigv4_request *request, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < request->header_count; i++)
        count += text_equal_nocase(request->headers[i].name, text_of(name));
    return count;
}

static bool claim_from_header(const struct sigv4_request *request, struct text authorization, struct claim *claim)
{
    struct text scheme = TEXT(SIGV4_ALGORITHM " ");
    if (!text_starts(authorization, scheme) || header_count(request, "authorization") != 1)
        return false;
    if (!authorization_read(text_make(authorization.data + scheme.len, authorization.len - scheme.len), claim))
        return false;
    claim->amz_date = header_value(request, "x-amz-date");
    if (!claim->amz_date.len)
        claim->amz_date = header_value(request, "date"); /* allowed in the same form */
    claim->session_token = header_value(request, "x-amz-security-token");
    return true;
}

static bool claim_from_query(struct text query, struct buf *decoded, struct claim *claim)
{
    struct text algorithm = TEXT_NONE, expires = TEXT_NONE;

    claim->presigned = true;
    buf_clear(decoded);
    if (buf_reserve(decoded, query.len + 1))
        return false;
    if (!query_decoded(query, "X-Amz-Algorithm", decoded, &algorithm) ||
        !query_decoded(query, "X-Amz-Credential", decoded, &claim->credential) ||
        !query_decoded(query, "X-Amz-Date", decoded, &claim->amz_date) ||
        !query_decoded(query, "X-Amz-Expires", decoded, &expires) ||
        !query_decoded(query, "X-Amz-SignedHeaders", decoded, &claim->signed_headers) ||
        !query_decoded(query, "X-Amz-Signature", decoded, &claim->signature) ||
        !query_decoded(query, "X-Amz-Security-Token", decoded, &claim->session_token) ||
        !query_decoded(query, "X-Amz-Content-Sha256", decoded, &claim->content_hash))
        return false;
    if (expires.len && (text_to_u64(expires, SIGV4_EXPIRES_MAX_S, &claim->expires_s) || claim->expires_s == 0))
        return false;
    return text_is(algorithm, SIGV4_ALGORITHM);
}

static bool query_is_signed(struct text query)
{
    struct text value;
    return query_find(query, TEXT("X-Amz-Signature"), &value) || query_find(query, TEXT("X-Amz-Credential"), &value);
}

bool sigv4_present(const struct sigv4_request *request)
{
    struct text path, query;
    sigv4_target_split(request->target, &path, &query);
    return text_starts(header_value(request, "authorization"), TEXT("AWS4-")) || query_is_signed(query);
}

static enum sigv4_status claim_read(struct sigv4 *sigv4, const struct sigv4_request *request, struct claim *claim,
                                    struct sigv4_identity *identity)
{
    struct text path, query, authorization = header_value(request, "authorization");
    bool by_header = text_starts(authorization, TEXT("AWS4-"));

    sigv4_target_split(request->target, &path, &query);
    if (!by_header && !query_is_signed(query))
        return fail(identity, SIGV4_MISSING, "the request is not signed");
    if (by_header && query_is_signed(query))
        return fail(identity, SIGV4_INCOMPLETE, "the request is signed in its header and in its query");
    if (by_header ? !claim_from_header(request, authorization, claim) : !claim_from_query(query, &sigv4->decoded, claim))
        return fail(identity, SIGV4_INCOMPLETE,
                    "the signature needs the algorithm AWS4-HMAC-SHA256, Credential, SignedHeaders and Signature");
    if (!credential_read(claim))
        return fail(identity, SIGV4_INCOMPLETE, "Credential must be key/date/region/service/aws4_request");
    if (!signature_is_hex(claim->signature))
        return fail(identity, SIGV4_INCOMPLETE, "the signature must be 64 hexadecimal digits");
    return SIGV4_OK;
}

/* ---- what must be covered ---- */

/* host binds the request to this server; an unsigned x-amz-target could be exchanged, making another operation of it. */
static enum sigv4_status coverage_check(const struct sigv4_request *request, struct claim *claim,
                                        struct sigv4_identity *identity)
{
    struct text hash = header_value(request, "x-amz-content-sha256");

    if (!sigv4_header_signed(claim->signed_headers, TEXT("host")) &&
        !sigv4_header_signed(claim->signed_headers, TEXT(":authority")))
        return fail(identity, SIGV4_INCOMPLETE, "host must be among the signed headers");
    if (header_count(request, "x-amz-target") &&
        !sigv4_header_signed(claim->signed_headers, TEXT("x-amz-target")))
        return fail(identity, SIGV4_INCOMPLETE, "x-amz-target must be among the signed headers");
    if (hash.len && sigv4_header_signed(claim->signed_headers, TEXT("x-amz-content-sha256")))
        claim->content_hash = hash;
    if (!claim->content_hash.len && claim->presigned && text_is(claim->scope.service, "s3"))
        claim->content_hash = TEXT(SIGV4_UNSIGNED);
    if (text_starts(claim->content_hash, TEXT("STREAMING-")))
        return fail(identity, SIGV4_INCOMPLETE, "signatures over chunks are not supported");
    identity->payload_unsigned = text_is(claim->content_hash, SIGV4_UNSIGNED);
    return SIGV4_OK;
}

/* "20150830T123600Z" */
static bool amz_date_read(struct text date, int64_t *wall_ms)
{
    static const char form[] = "yyyy-mm-ddThh:mm:ssZ";
    char iso[sizeof(form)];
    if (date.len != AMZ_DATE_LEN || date.data[8] != 'T' || date.data[15] != 'Z')
        return false;
    const char *from = date.data;
    for (size_t i = 0; i < sizeof(form); i++)
        iso[i] = form[i] == '-' || form[i] == ':' || !form[i] ? form[i] : *from++;
    return clock_parse_iso(iso, sizeof(form) - 1, wall_ms) == 0;
}

static enum sigv4_status time_check(const struct claim *claim, int64_t now_ms, struct sigv4_identity *identity)
{
    int64_t at;
    if (!amz_date_read(claim->amz_date, &at))
        return fail(identity, SIGV4_INCOMPLETE, "X-Amz-Date must look like 20150830T123600Z");
    if (!text_equal(text_make(claim->amz_date.data, DATE_LEN), claim->scope.date))
        return fail(identity, SIGV4_MISMATCH, "the date in Credential is not the one of X-Amz-Date");
    int64_t life_ms = claim->expires_s ? (int64_t)claim->expires_s * SECOND_MS : SIGV4_SKEW_MS;
    if (now_ms - at > life_ms)
        return fail(identity, SIGV4_EXPIRED, SIGV4_LATE);
    if (at - now_ms > SIGV4_SKEW_MS)
        return fail(identity, SIGV4_EXPIRED, SIGV4_EARLY);
    identity->signed_at_ms = at;
    return SIGV4_OK;
}

/* ---- keys ---- */

static size_t cache_id(const struct claim *claim, char *out, size_t size)
{
    const struct text part[] = {claim->access_key, claim->scope.date, claim->scope.region, claim->scope.service};
    char *at = out;
    for (size_t i = 0; i < 4; i++) {
        if (part[i].len >= size - (size_t)(at - out))
            return 0;
        at = text_put(at, part[i]);
        *at++ = '/';
    }
    return (size_t)(at - out) - 1;
}

static const unsigned char *signing_key(struct sigv4 *sigv4, const struct claim *claim, struct text secret)
{
    char id[sizeof(sigv4->cache[0].id)];
    size_t len = cache_id(claim, id, sizeof(id));
    if (!len || !secret.len || secret.len > SIGV4_SECRET_MAX)
        return NULL;
    for (int i = 0; i < CACHE_ENTRIES; i++) {
        const struct cached_key *entry = &sigv4->cache[i];
        if (text_equal(text_make(entry->id, entry->id_len), text_make(id, len)) &&
            text_equal_secret(text_make(entry->secret, entry->secret_len), secret))
            return entry->key;
    }
    struct cached_key *entry = &sigv4->cache[sigv4->cache_next++ % CACHE_ENTRIES];
    sigv4_wipe(entry, sizeof(*entry));
    if (!sigv4_signing_key(sigv4->hash, secret, &claim->scope, entry->key))
        return NULL;
    memcpy(entry->id, id, len);
    memcpy(entry->secret, secret.data, secret.len);
    entry->id_len = len;
    entry->secret_len = secret.len;
    return entry->key;
}

/* ---- the signature ---- */

/* The payload's hash as the canonical request has it; a hash that was sent must also be the body's. */
static enum sigv4_status payload_check(struct sigv4 *sigv4, const struct sigv4_request *request, struct claim *claim,
                                       char hex[SIGV4_HEX_SIZE], struct sigv4_identity *identity)
{
    unsigned char digest[SIGV4_HASH_SIZE];
    if (identity->payload_unsigned)
        return SIGV4_OK;
    if (!request->body_sha256 && !sigv4_sha256(sigv4->hash, request->body, digest))
        return fail(identity, SIGV4_INCOMPLETE, "out of memory");
    sigv4_hex(request->body_sha256 ? request->body_sha256 : digest, hex);
    if (!claim->content_hash.len)
        claim->content_hash = text_make(hex, SIGV4_HEX_SIZE);
    else if (!text_equal(claim->content_hash, text_make(hex, SIGV4_HEX_SIZE)))
        return fail(identity, SIGV4_MISMATCH, "x-amz-content-sha256 is not the hash of the body");
    return SIGV4_OK;
}

static enum sigv4_status signature_check(struct sigv4 *sigv4, const struct sigv4_request *request, struct claim *claim,
                                         struct text secret, struct sigv4_identity *identity)
{
    char payload_hex[SIGV4_HEX_SIZE], expected[SIGV4_HEX_SIZE];
    enum sigv4_status status = payload_check(sigv4, request, claim, payload_hex, identity);
    if (status)
        return status;
    struct sigv4_canonical canonical = {
        .method = request->method, .target = request->target, .headers = request->headers,
        .header_count = request->header_count, .signed_headers = claim->signed_headers,
        .payload_hash = claim->content_hash, .path_as_sent = text_is(claim->scope.service, "s3")};
    int code = sigv4_canonical_format(&canonical, &sigv4->canonical, &sigv4->scratch);
    if (code == ERR_MISSING)
        return fail(identity, SIGV4_MISMATCH, "a signed header is not in the request");
    if (code)
        return fail(identity, SIGV4_INCOMPLETE, "the request cannot be brought into canonical form");
    const unsigned char *key = signing_key(sigv4, claim, secret);
    if (!key || sigv4_signature(sigv4->hash, key, claim->amz_date, &claim->scope, buf_text(&sigv4->canonical),
                                &sigv4->scratch, expected))
        return fail(identity, SIGV4_INCOMPLETE, "the signature cannot be computed");
    if (!text_equal_secret(text_make(expected, SIGV4_HEX_SIZE), claim->signature))
        return fail(identity, SIGV4_MISMATCH, SIGV4_DIFFERS);
    return SIGV4_OK;
}

enum sigv4_status sigv4_verify(struct sigv4 *sigv4, const struct sigv4_request *request, int64_t now_ms,
                               struct sigv4_identity *identity)
{
    struct claim claim = {0};
    struct sigv4_credential credential = {0};

    *identity = (struct sigv4_identity){.reason = ""};
    enum sigv4_status status = claim_read(sigv4, request, &claim, identity);
    if (!status)
        status = coverage_check(request, &claim, identity);
    if (!status)
        status = time_check(&claim, now_ms, identity);
    if (status)
        return status;
    if (!sigv4->lookup(sigv4->ctx, claim.access_key, &credential))
        return fail(identity, SIGV4_UNKNOWN_KEY, "the access key is not known");
    status = signature_check(sigv4, request, &claim, credential.secret, identity);
    if (status)
        return status;
    if (credential.session_token.len && !text_equal_secret(credential.session_token, claim.session_token))
        return fail(identity, SIGV4_UNKNOWN_KEY, "the session token is not the one of the access key");
    identity->access_key = claim.access_key;
    identity->region = claim.scope.region;
    identity->service = claim.scope.service;
    identity->presigned = claim.presigned;
    identity->policy = credential.policy;
    return SIGV4_OK;
}
