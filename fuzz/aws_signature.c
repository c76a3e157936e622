/* Refused signatures from anywhere: the first line is the Authorization header, the second one X-Amz-Date, the third one the query. There is always a sentence, and it ends within its room. */
#include "aws/call.h"
#include "net/sigv4.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct text line_take(struct text *rest)
{
    ptrdiff_t end = text_find(*rest, '\n', 0);
    struct text line = text_make(rest->data, end < 0 ? rest->len : (size_t)end);
    size_t skip = end < 0 ? rest->len : (size_t)end + 1;
    *rest = text_make(rest->data + skip, rest->len - skip);
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"MissingAuthenticationTokenException", "UnrecognizedClientException", "IncompleteSignatureException", "InvalidSignatureException"};
    static const char *const reasons[] = {SIGV4_LATE, SIGV4_EARLY, SIGV4_DIFFERS, "another one"};
    struct text rest = text_make(size ? (const char *)data : "", size);
    struct text authorization = line_take(&rest), date = line_take(&rest), query = line_take(&rest);
    if (authorization.len > 2048 || date.len > 512)
        return 0;
    struct http_request request = {.query = query, .headers = 2,
        .header = {{TEXT("Authorization"), authorization}, {TEXT("X-Amz-Date"), date}}};
    for (size_t i = 0; i < 16; i++) {
        struct err err = {0};
        struct buf out;
        err_set(&err, ERR_FORBIDDEN, "%s", reasons[i / 4]);
        buf_init(&out, 4096);
        const char *type = aws_signature_refusal(&request, types[i % 4], &err, &out);
        if (!type || out.failed || !out.len)
            abort();
        buf_fini(&out);
    }
    return 0;
}
