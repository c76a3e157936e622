/*
 * Requests: the first line of the input is "METHOD target", the following ones are "name: value", the body comes after an empty
 * line. Nothing may pass the verifier that was not signed; and what the signer signs over the same request, it must take.
 */
#include <stdint.h>
#include <stdlib.h>

#include "net/sigv4.h"

#define NOW_MS INT64_C(1795176000000) /* 2026-11-20T12:00:00Z */
#define HEADERS_MAX 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sigv4 *verifier;
static bool real_key;

static bool lookup(void *ctx, struct text access_key, struct sigv4_credential *out)
{
    (void)ctx, (void)access_key;
    out->secret = real_key ? TEXT("known to the signer") : TEXT("known to nobody");
    return true;
}

static struct text line_take(struct text *rest)
{
    ptrdiff_t end = text_find(*rest, '\n', 0);
    struct text line = text_make(rest->data, end < 0 ? rest->len : (size_t)end);
    size_t skip = end < 0 ? rest->len : (size_t)end + 1;
    *rest = text_make(rest->data + skip, rest->len - skip);
    return line;
}

static void request_read(struct text input, struct sigv4_request *request, struct sigv4_header *headers)
{
    struct text first = line_take(&input);
    ptrdiff_t space = text_find(first, ' ', 0);
    size_t method = space < 0 ? 0 : (size_t)space;
    *request = (struct sigv4_request){.method = text_make(first.data, method), .headers = headers};
    request->target = space < 0 ? first : text_make(first.data + method + 1, first.len - method - 1);
    while (input.len && request->header_count < HEADERS_MAX) {
        struct text line = line_take(&input);
        ptrdiff_t colon = text_find(line, ':', 1);
        if (colon < 0)
            break;
        headers[request->header_count++] = (struct sigv4_header){
            text_make(line.data, (size_t)colon), text_make(line.data + colon + 1, line.len - (size_t)colon - 1)};
    }
    request->body = input;
}

static void verify_signed(struct sigv4_request request, struct sigv4_header *headers)
{
    struct sigv4_signer signer = {TEXT("AK"), TEXT("known to the signer"), TEXT_NONE, TEXT("r"), TEXT("s"), false, 60};
    struct sigv4_identity identity;
    struct buf target;
    size_t kept = 0;
    for (size_t i = 0; i < request.header_count; i++) { /* names that signing does not expect yet */
        if (text_equal_nocase(headers[i].name, TEXT("authorization")) ||
            text_equal_nocase(headers[i].name, TEXT("x-amz-content-sha256")) ||
            text_find(headers[i].name, ';', 0) >= 0)
            continue;
        headers[kept++] = headers[i];
    }
    request.header_count = kept;
    if (memmem(request.target.data, request.target.len, "X-Amz-", 6))
        return;
    buf_init(&target, 1 << 20);
    real_key = true;
    if (sigv4_presign(&signer, &request, NOW_MS, &target) == 0 && target.len < 20000) {
        request.target = buf_text(&target);
        if (sigv4_verify(verifier, &request, NOW_MS, &identity) == SIGV4_MISMATCH)
            abort();
    }
    real_key = false;
    buf_fini(&target);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sigv4_header headers[HEADERS_MAX];
    struct sigv4_identity identity;
    struct sigv4_request request;
    if (!verifier && sigv4_create(lookup, NULL, &verifier))
        abort();
    request_read(text_make(data, size), &request, headers);
    bool present = sigv4_present(&request);
    enum sigv4_status status = sigv4_verify(verifier, &request, NOW_MS, &identity);
    if (status == SIGV4_OK || (status == SIGV4_MISSING) == present || identity.reason[0] == 0)
        abort();
    verify_signed(request, headers);
    return 0;
}
