/*
 * Why a request's signature is refused, in AWS's sentences. The verifier (net/sigv4.h) decides and tells a kind and a reason of its own; clients and people who debug
 * them know AWS's, which name each part that is missing, so the request is looked at once more here, when it has been refused already.
 *
 * Source of the sentences: IAM User Guide, "Troubleshooting Signature Version 4". Nothing of the header but its first word is repeated to the sender.
 */
#include "aws/call.h"

#include "base/clock.h"
#include "net/sigv4.h"

#define WINDOW_MIN 5 /* minutes that a request's date may be off */

static bool query_has(struct text query, const char *name)
{
    size_t len = strlen(name);
    for (size_t at = 0; at < query.len;) {
        ptrdiff_t end = text_find(query, '&', at);
        size_t stop = end < 0 ? query.len : (size_t)end;
        struct text pair = text_make(query.data + at, stop - at);
        if (text_starts(pair, text_of(name)) && pair.len > len + 1 && pair.data[len] == '=')
            return true;
        at = stop + 1;
    }
    return false;
}

static bool query_names(struct text query, const char *name)
{
    for (size_t at = 0; at < query.len;) {
        ptrdiff_t end = text_find(query, '&', at);
        size_t stop = end < 0 ? query.len : (size_t)end, len = strlen(name);
        struct text pair = text_make(query.data + at, stop - at);
        if (text_starts(pair, text_of(name)) && (pair.len == len || pair.data[len] == '='))
            return true;
        at = stop + 1;
    }
    return false;
}

/* `Name=` with something behind it, among the header's parts, which commas and spaces part. */
static bool header_has(struct text header, const char *name)
{
    size_t len = strlen(name);
    for (size_t at = 0; at < header.len;) {
        size_t stop = at;
        while (stop < header.len && header.data[stop] != ',' && header.data[stop] != ' ')
            stop++;
        struct text part = text_make(header.data + at, stop - at);
        if (text_starts(part, text_of(name)) && part.len > len + 1 && part.data[len] == '=')
            return true;
        at = stop + 1;
    }
    return false;
}

static void by_header(const struct http_request *request, struct text header, struct buf *out)
{
    static const char *const parts[] = {"Credential", "Signature", "SignedHeaders"};
    size_t first = 0;
    for (size_t i = 0; i < 3; i++)
        if (!header_has(header, parts[i]))
            buf_add_format(out, "Authorization header requires '%s' parameter. ", parts[i]);
    if (!http_header_get(request, "x-amz-date").len && !http_header_get(request, "date").len)
        buf_add_text(out, TEXT("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "));
    if (!out->len)
        return;
    while (first < header.len && header.data[first] != ' ' && header.data[first] != ',')
        first++;
    buf_add_format(out, "Authorization=%.*s", (int)first, header.data);
}

static void by_query(struct text query, struct buf *out)
{
    static const char *const parts[] = {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"};
    for (size_t i = 0; i < 5; i++)
        if (!query_has(query, parts[i]))
            buf_add_format(out, "AWS query-string parameters must include '%s'. ", parts[i]);
    if (out->len)
        buf_add_text(out, TEXT("Re-examine the query-string parameters."));
}

/* "20150830T123600Z" */
static void add_date(struct buf *out, int64_t wall_ms)
{
    char iso[CLOCK_ISO_SIZE];
    clock_format_iso(wall_ms, iso);
    for (const char *at = iso; *at && *at != '.'; at++)
        if (*at != '-' && *at != ':')
            buf_add_char(out, *at);
    if (out->len && out->data[out->len - 1] != 'Z')
        buf_add_char(out, 'Z');
}

static void out_of_time(const struct http_request *request, bool late, struct buf *out)
{
    int64_t now = clock_wall_ms();
    struct text date = http_header_get(request, "x-amz-date");
    buf_add_format(out, "Signature %s: %.*s is %s than ", late ? "expired" : "not yet current", TEXT_FMT(date), late ? "now earlier" : "still later");
    add_date(out, late ? now - WINDOW_MIN * MINUTE_MS : now + WINDOW_MIN * MINUTE_MS);
    buf_add_text(out, TEXT(" ("));
    add_date(out, now);
    buf_add_format(out, " %c %d min.)", late ? '-' : '+', WINDOW_MIN);
}

const char *aws_signature_refusal(const struct http_request *request, const char *type, const struct err *err, struct buf *out)
{
    struct text header = http_header_get(request, "authorization"), reason = text_of(err->text);
    bool missing = strcmp(type, "MissingAuthenticationTokenException") == 0, in_query = query_names(request->query, "X-Amz-Algorithm");
    if (header.len && in_query) {
        buf_add_text(out, TEXT("Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."));
        return "InvalidSignatureException";
    }
    if (missing && !in_query) {
        buf_add_text(out, TEXT("Request is missing Authentication Token"));
        return type;
    }
    if (missing || strcmp(type, "IncompleteSignatureException") == 0) {
        if (in_query)
            by_query(request->query, out);
        else
            by_header(request, header, out);
        type = "IncompleteSignatureException";
    } else if (strcmp(type, "UnrecognizedClientException") == 0) {
        buf_add_text(out, TEXT("The security token included in the request is invalid."));
    } else if (text_is(reason, SIGV4_LATE) || text_is(reason, SIGV4_EARLY)) {
        if (!in_query)
            out_of_time(request, text_is(reason, SIGV4_LATE), out);
    } else if (text_is(reason, SIGV4_DIFFERS)) {
        buf_add_text(out, TEXT("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult "
                               "the service documentation for details."));
    }
    if (!out->len)
        buf_add_text(out, reason);
    return type;
}
