/*
 * The signer: the same canonical form from the other side. It signs all the headers that it is given, as the AWS SDK for
 * JavaScript does; whoever sends through an intermediary that changes a header leaves that header out of the request here.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/codec.h"
#include "net/sigv4.h"
#include "net/sigv4_canonical.h"

#define HEADERS_MAX SIGV4_SIGNED_HEADERS_MAX
#define EXTRA_HEADERS 3 /* x-amz-date, x-amz-security-token, x-amz-content-sha256 */

/* Everything one signature needs; freed by signing_fini. */
struct signing {
    const struct sigv4_signer *signer;
    struct sigv4_hash *hash;
    struct sigv4_scope scope;
    char date[SIGV4_DATE_SIZE];
    struct sigv4_header headers[HEADERS_MAX];
    size_t header_count;
    struct buf names, canonical, scratch; /* names: the SignedHeaders list */
    char payload_hex[SIGV4_HEX_SIZE];
    struct text payload_hash;
    char signature[SIGV4_HEX_SIZE];
};

static void amz_date_format(int64_t wall_ms, char out[SIGV4_DATE_SIZE])
{
    char iso[CLOCK_ISO_SIZE]; /* 2015-08-30T12:36:00.000Z */
    clock_format_iso(wall_ms, iso);
    snprintf(out, SIGV4_DATE_SIZE, "%.4s%.2s%.2sT%.2s%.2s%.2sZ", iso, iso + 5, iso + 8, iso + 11, iso + 14, iso + 17);
}

static bool part_valid(struct text part, size_t max)
{
    return part.len > 0 && part.len <= max;
}

static int signing_init(struct signing *s, const struct sigv4_signer *signer, const struct sigv4_request *request,
                        int64_t now_ms)
{
    *s = (struct signing){.signer = signer};
    buf_init(&s->names, SIGV4_CANONICAL_MAX);
    buf_init(&s->canonical, SIGV4_CANONICAL_MAX);
    buf_init(&s->scratch, SIGV4_CANONICAL_MAX);
    if (!part_valid(signer->access_key, SIGV4_ACCESS_KEY_MAX) || !part_valid(signer->secret, SIGV4_SECRET_MAX) ||
        !part_valid(signer->region, SIGV4_SCOPE_PART_MAX) || !part_valid(signer->service, SIGV4_SCOPE_PART_MAX))
        return ERR_INVALID;
    if (request->header_count > HEADERS_MAX - EXTRA_HEADERS)
        return ERR_TOO_LARGE;
    if (!sigv4_header_find(request->headers, request->header_count, TEXT("host")))
        return ERR_INVALID;
    if (request->header_count)
        memcpy(s->headers, request->headers, request->header_count * sizeof(s->headers[0]));
    s->header_count = request->header_count;
    amz_date_format(now_ms, s->date);
    s->scope = (struct sigv4_scope){text_make(s->date, 8), signer->region, signer->service};
    s->hash = sigv4_hash_create();
    return s->hash ? 0 : ERR_MEMORY;
}

static void signing_fini(struct signing *s)
{
    sigv4_hash_destroy(s->hash);
    buf_fini(&s->names);
    buf_fini(&s->canonical);
    buf_fini(&s->scratch);
}

static int name_compare(const void *a, const void *b)
{
    return text_compare(*(const struct text *)a, *(const struct text *)b);
}

/* The lower-case, sorted, distinct names, joined with semicolons. */
static int names_format(struct signing *s)
{
    struct text names[HEADERS_MAX];
    size_t total = 0;

    for (size_t i = 0; i < s->header_count; i++)
        total += s->headers[i].name.len;
    buf_clear(&s->scratch);
    int code = buf_reserve(&s->scratch, total + 1); /* so the texts into it stay where they are */
    for (size_t i = 0; !code && i < s->header_count; i++) {
        struct text name = s->headers[i].name;
        names[i] = text_make(s->scratch.data + s->scratch.len, name.len);
        for (size_t j = 0; j < name.len; j++) {
            char c = name.data[j];
            buf_add_char(&s->scratch, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
        }
    }
    if (code)
        return code;
    qsort(names, s->header_count, sizeof(names[0]), name_compare);
    for (size_t i = 0; i < s->header_count; i++) {
        if (i && text_equal(names[i], names[i - 1]))
            continue;
        if (i)
            buf_add_char(&s->names, ';');
        buf_add_text(&s->names, names[i]);
    }
    return s->names.failed ? ERR_TOO_LARGE : 0;
}

static int payload_hash(struct signing *s, struct text body)
{
    unsigned char digest[SIGV4_HASH_SIZE];
    s->payload_hash = TEXT(SIGV4_UNSIGNED);
    if (s->signer->payload_unsigned)
        return 0;
    if (!sigv4_sha256(s->hash, body, digest))
        return ERR_MEMORY;
    sigv4_hex(digest, s->payload_hex);
    s->payload_hash = text_make(s->payload_hex, SIGV4_HEX_SIZE);
    return 0;
}

static int signature_make(struct signing *s, const struct sigv4_request *request, struct text target)
{
    unsigned char key[SIGV4_HASH_SIZE];
    struct sigv4_canonical canonical = {
        .method = request->method, .target = target, .headers = s->headers, .header_count = s->header_count,
        .signed_headers = buf_text(&s->names), .payload_hash = s->payload_hash,
        .path_as_sent = text_is(s->signer->service, "s3")};
    int code = sigv4_canonical_format(&canonical, &s->canonical, &s->scratch);
    if (code)
        return code == ERR_SYNTAX || code == ERR_MISSING ? ERR_INVALID : code;
    if (!sigv4_signing_key(s->hash, s->signer->secret, &s->scope, key))
        return ERR_MEMORY;
    code = sigv4_signature(s->hash, key, text_of(s->date), &s->scope, buf_text(&s->canonical), &s->scratch,
                           s->signature);
    sigv4_wipe(key, sizeof(key));
    return code;
}

int sigv4_sign(const struct sigv4_signer *signer, const struct sigv4_request *request, int64_t now_ms,
               struct buf *authorization, char date[SIGV4_DATE_SIZE])
{
    struct signing s;
    int code = signing_init(&s, signer, request, now_ms);
    if (!code) {
        s.headers[s.header_count++] = (struct sigv4_header){TEXT("x-amz-date"), text_of(s.date)};
        if (signer->session_token.len)
            s.headers[s.header_count++] = (struct sigv4_header){TEXT("x-amz-security-token"), signer->session_token};
        if (signer->payload_unsigned)
            s.headers[s.header_count++] = (struct sigv4_header){TEXT("x-amz-content-sha256"), TEXT(SIGV4_UNSIGNED)};
        code = names_format(&s);
    }
    if (!code)
        code = payload_hash(&s, request->body);
    if (!code)
        code = signature_make(&s, request, request->target);
    if (!code)
        code = buf_add_format(authorization,
                              SIGV4_ALGORITHM " Credential=%.*s/%.8s/%.*s/%.*s/" SIGV4_TERMINATOR
                                              ", SignedHeaders=%.*s, Signature=%.*s",
                              TEXT_FMT(signer->access_key), s.date, TEXT_FMT(signer->region), TEXT_FMT(signer->service),
                              TEXT_FMT(buf_text(&s.names)), SIGV4_HEX_SIZE, s.signature);
    if (!code)
        memcpy(date, s.date, SIGV4_DATE_SIZE);
    signing_fini(&s);
    return code;
}

/* The target with all parameters but the signature, in `out`. */
static int presigned_target(const struct signing *s, struct text target, struct buf *out)
{
    const struct sigv4_signer *signer = s->signer;
    struct buf credential;

    buf_init(&credential, SIGV4_CANONICAL_MAX);
    buf_add_format(&credential, "%.*s/%.8s/%.*s/%.*s/" SIGV4_TERMINATOR, TEXT_FMT(signer->access_key), s->date,
                   TEXT_FMT(signer->region), TEXT_FMT(signer->service));
    buf_add_text(out, target);
    buf_add_char(out, text_find(target, '?', 0) < 0 ? '?' : '&');
    buf_add_text(out, TEXT("X-Amz-Algorithm=" SIGV4_ALGORITHM "&X-Amz-Credential="));
    percent_encode(out, buf_text(&credential), false);
    buf_add_format(out, "&X-Amz-Date=%s&X-Amz-Expires=%u&X-Amz-SignedHeaders=", s->date, signer->expires_s);
    percent_encode(out, buf_text(&s->names), false);
    if (signer->session_token.len) {
        buf_add_text(out, TEXT("&X-Amz-Security-Token="));
        percent_encode(out, signer->session_token, false);
    }
    if (signer->payload_unsigned)
        buf_add_text(out, TEXT("&X-Amz-Content-Sha256=" SIGV4_UNSIGNED));
    bool failed = credential.failed || out->failed;
    buf_fini(&credential);
    return failed ? ERR_TOO_LARGE : 0;
}

int sigv4_presign(const struct sigv4_signer *signer, const struct sigv4_request *request, int64_t now_ms,
                  struct buf *target)
{
    struct signing s;
    size_t start = target->len;
    int code = signing_init(&s, signer, request, now_ms);
    if (!code && (signer->expires_s < 1 || signer->expires_s > SIGV4_EXPIRES_MAX_S))
        code = ERR_INVALID;
    if (!code)
        code = names_format(&s);
    if (!code)
        code = payload_hash(&s, request->body);
    if (!code)
        code = presigned_target(&s, request->target, target);
    if (!code)
        code = signature_make(&s, request, text_make(target->data + start, target->len - start));
    if (!code)
        code = buf_add_format(target, "&X-Amz-Signature=%.*s", SIGV4_HEX_SIZE, s.signature);
    if (code)
        target->len = start;
    signing_fini(&s);
    return code;
}
