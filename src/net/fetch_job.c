/*
 * A request is checked before it is queued, on the caller's thread: what libcurl would put on the wire as it is (a header with a
 * line break in it, a method with a space) is refused here, so a value from outside cannot become a second request.
 */
#include "net/fetch_job.h"

#include <stdlib.h>

#include "base/clock.h"

static bool is_token_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (!is_token_char((unsigned char)t.data[i]))
            return false;
    return t.len > 0;
}

/* RFC 9110 section 5.5, with tabs; bytes above 127 pass. */
static bool is_field_value(struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static size_t scheme_len(struct text url)
{
    static const struct text schemes[] = {{"http://", 7}, {"https://", 8}};
    for (int i = 0; i < 2; i++)
        if (url.len > schemes[i].len && text_equal_nocase(text_make(url.data, schemes[i].len), schemes[i]))
            return schemes[i].len;
    return 0;
}

struct text fetch_origin(struct text url)
{
    size_t end = scheme_len(url);
    if (!end)
        return TEXT_NONE;
    while (end < url.len && url.data[end] != '/' && url.data[end] != '?' && url.data[end] != '#')
        end++;
    return text_make(url.data, end);
}

static bool is_url(struct text url)
{
    struct text origin = fetch_origin(url);
    if (origin.len == 0 || origin.len == scheme_len(url) || text_find(origin, '@', 0) >= 0)
        return false;
    for (size_t i = 0; i < url.len; i++) {
        unsigned char c = (unsigned char)url.data[i];
        if (c <= 0x20 || c == 0x7f)
            return false;
    }
    return true;
}

/* Field names that the transport decides; a caller who sets them could desynchronise the connection. */
static bool is_reserved(struct text name)
{
    return text_equal_nocase(name, TEXT("content-length")) || text_equal_nocase(name, TEXT("transfer-encoding")) ||
           text_equal_nocase(name, TEXT("connection"));
}

static int headers_check(const struct fetch_request *request, size_t *bytes)
{
    *bytes = 0;
    if (request->header_count > FETCH_HEADERS_MAX)
        return ERR_TOO_LARGE;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct fetch_header *header = &request->headers[i];
        if (!is_token(header->name) || !is_field_value(header->value) || is_reserved(header->name))
            return ERR_INVALID;
        if (header->name.len > FETCH_HEADER_BYTES_MAX || header->value.len > FETCH_HEADER_BYTES_MAX)
            return ERR_TOO_LARGE;
        *bytes += header->name.len + header->value.len + 3; /* ": " and NUL */
    }
    return *bytes > FETCH_HEADER_BYTES_MAX ? ERR_TOO_LARGE : 0;
}

static int request_check(const struct fetch_request *request, const struct fetch_limits *limits, size_t *header_bytes)
{
    if (request->url.len > FETCH_URL_MAX || request->method.len > FETCH_METHOD_MAX ||
        request->body.len > limits->body_max)
        return ERR_TOO_LARGE;
    if (!is_url(request->url) || (request->method.len && !is_token(request->method)))
        return ERR_INVALID;
    if (text_is(request->method, "CONNECT") || (text_is(request->method, "HEAD") && request->body.len))
        return ERR_INVALID; /* neither has an answer that could be read */
    return headers_check(request, header_bytes);
}

/* Appends text and NUL at *at. */
static const char *place(char **at, struct text t)
{
    char *start = *at;
    if (t.len)
        memcpy(start, t.data, t.len);
    start[t.len] = 0;
    *at += t.len + 1;
    return start;
}

/* libcurl takes "Name: value", and "Name;" for a field that is sent without a value. */
static const char *place_header(char **at, const struct fetch_header *header)
{
    char *start = *at;
    struct text value = text_trim(header->value);
    memcpy(start, header->name.data, header->name.len);
    *at += header->name.len;
    if (value.len == 0) {
        place(at, TEXT(";"));
        return start;
    }
    memcpy(*at, ": ", 2);
    *at += 2;
    place(at, value);
    return start;
}

static void job_fill(struct fetch_job *job, const struct fetch_request *request)
{
    char *at = job->memory;
    job->headers = (const char **)(void *)at;
    at += request->header_count * sizeof(char *);
    for (size_t i = 0; i < request->header_count; i++) {
        struct text name = request->headers[i].name;
        job->has_content_type |= text_equal_nocase(name, TEXT("content-type"));
        job->has_expect |= text_equal_nocase(name, TEXT("expect"));
        job->headers[i] = place_header(&at, &request->headers[i]);
    }
    job->header_count = request->header_count;
    job->method = place(&at, request->method.len ? request->method : TEXT("GET"));
    job->url = place(&at, request->url);
    job->body = text_make(place(&at, request->body), request->body.len);
    job->is_get = strcmp(job->method, "GET") == 0;
    job->is_head = strcmp(job->method, "HEAD") == 0;
}

int fetch_job_create(const struct fetch_request *request, const struct fetch_limits *limits, fetch_done_fn *done,
                     void *ctx, struct fetch_job **out)
{
    size_t header_bytes;
    int code = request_check(request, limits, &header_bytes);
    if (code)
        return code;
    size_t size = request->header_count * sizeof(char *) + header_bytes + FETCH_METHOD_MAX + 1 + request->url.len + 1 +
                  request->body.len + 1;
    struct fetch_job *job = calloc(1, sizeof(*job) + size);
    if (!job)
        return ERR_MEMORY;
    uint32_t timeout = request->timeout_ms;
    if (timeout == 0 || timeout > limits->timeout_max_ms)
        timeout = limits->timeout_max_ms;
    job->response_max = request->response_max;
    if (job->response_max == 0 || job->response_max > limits->response_max)
        job->response_max = limits->response_max;
    job->done = done;
    job->ctx = ctx;
    job->started_ms = clock_mono_ms();
    job->deadline_ms = job->started_ms + timeout;
    buf_init(&job->response_headers, FETCH_HEADER_BYTES_MAX);
    buf_init(&job->response_body, job->response_max);
    job_fill(job, request);
    *out = job;
    return 0;
}

void fetch_job_destroy(struct fetch_job *job)
{
    buf_fini(&job->response_headers);
    buf_fini(&job->response_body);
    free(job);
}

bool fetch_job_header_line(struct fetch_job *job, struct text line)
{
    while (line.len && (line.data[line.len - 1] == '\r' || line.data[line.len - 1] == '\n'))
        line.len--;
    if (text_starts(line, TEXT("HTTP/"))) {
        buf_clear(&job->response_headers);
        return true;
    }
    if (line.len == 0)
        return true;
    size_t start = job->response_headers.len;
    if (buf_add_text(&job->response_headers, line) == 0 && buf_add_char(&job->response_headers, '\n') == 0)
        return true;
    job->response_headers.len = start;
    return false;
}

struct text fetch_response_header(const struct fetch_response *response, struct text name)
{
    struct text rest = response->headers;
    while (rest.len) {
        ptrdiff_t end = text_find(rest, '\n', 0);
        struct text line = text_make(rest.data, end < 0 ? rest.len : (size_t)end);
        ptrdiff_t colon = text_find(line, ':', 0);
        if (colon >= 0 && text_equal_nocase(text_make(line.data, (size_t)colon), name))
            return text_trim(text_make(line.data + colon + 1, line.len - (size_t)colon - 1));
        size_t skip = end < 0 ? rest.len : (size_t)end + 1;
        rest = text_make(rest.data + skip, rest.len - skip);
    }
    return TEXT_NONE;
}
