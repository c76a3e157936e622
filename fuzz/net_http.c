/*
 * The request head, chunked bodies and PROXY headers over any bytes. What is found must lie inside the input, a prefix must not be
 * accepted with another length, and a chunked body must be the same whole and byte by byte.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"
#include "net/http_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct text part, const char *data, size_t len)
{
    ASSERT(!part.len || text_is(part, "/") || (part.data >= data && part.data + part.len <= data + len));
}

static bool trust_all(void *context, struct text address)
{
    (void)context;
    ASSERT(address.len < 46);
    return true;
}

static void fuzz_head(const char *data, size_t len)
{
    static struct http_request request, again;
    const char *reason = NULL;
    int rc = http_request_parse(data, len, &request, &reason);
    ASSERT((rc < 0) == (reason != NULL));
    if (rc <= 0)
        return;
    ASSERT((size_t)rc <= len);
    ASSERT(!(request.chunked && request.content_length >= 0));
    for (size_t i = 0; i < request.headers; i++) {
        inside(request.header[i].name, data, (size_t)rc);
        inside(request.header[i].value, data, (size_t)rc);
        ASSERT(!memchr(request.header[i].value.data, '\n', request.header[i].value.len));
    }
    inside(request.path, data, (size_t)rc);
    inside(request.query, data, (size_t)rc);
    inside(request.host, data, (size_t)rc);
    ASSERT(http_request_parse(data, (size_t)rc - 1, &again, NULL) == 0);
    ASSERT(http_request_parse(data, (size_t)rc, &again, NULL) == rc);
    (void)http_query_get(request.query, "a");
    (void)forwarded_client(http_header_get(&request, "x-forwarded-for"), TEXT("127.0.0.1"), trust_all, NULL);
}

static ptrdiff_t chunked(const char *data, size_t len, size_t step, struct buf *body)
{
    struct http_chunked state;
    http_chunked_init(&state);
    bool done = false;
    size_t at = 0;
    while (at < len && !done) {
        struct text part;
        size_t size = len - at < step ? len - at : step;
        ptrdiff_t rc = http_chunked_feed(&state, data + at, size, &part, &done);
        if (rc < 0)
            return rc;
        ASSERT(rc > 0 && (size_t)rc <= size);
        inside(part, data + at, size);
        buf_add_text(body, part);
        at += (size_t)rc;
    }
    return done ? (ptrdiff_t)at : 0;
}

static void fuzz_chunked(const char *data, size_t len)
{
    struct buf a, b;
    buf_init(&a, len + 1);
    buf_init(&b, len + 1);
    ASSERT(chunked(data, len, SIZE_MAX, &a) == chunked(data, len, 1, &b));
    ASSERT(text_equal(buf_text(&a), buf_text(&b)));
    buf_fini(&a);
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);
    ASSERT(copy);
    if (size)
        memcpy(copy, data, size);
    copy = realloc(copy, size ? size : 1); /* exactly its size: a byte too far is seen */
    ASSERT(copy);
    fuzz_head(copy, size);
    fuzz_chunked(copy, size);
    char source[46];
    uint16_t port;
    int rc = proxy_header_parse(copy, size, source, &port);
    ASSERT(rc <= 0 || ((size_t)rc <= size && memchr(source, 0, sizeof(source))));
    free(copy);
    return 0;
}
