/*
 * Answers a browser's GET of `/` and what the page loads from /@page/. A segment that begins with '@' cannot be the name of an API, so nothing is taken from
 * anybody. `/` itself belongs to browsers only where they say so (Accept: text/html); to everybody else it is an AWS address (aws/wire.c).
 *
 * The page runs nothing but its own files and talks to nobody but this server: the policy below says so to the browser, and leaves no inline script or style,
 * no frame around it, and no form that could send a key elsewhere.
 */
#include "gateway/internal.h"
#include "gateway/page.h"

#define PAGE_PREFIX "/@page/"
#define PAGE_HEADERS_MAX 1024

static const char policy[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n";

static bool wants_html(const struct http_request *request)
{
    struct text accept = http_header_get(request, "accept"), wanted = TEXT("text/html");
    for (size_t i = 0; i + wanted.len <= accept.len; i++)
        if (text_equal_nocase(text_make(accept.data + i, wanted.len), wanted))
            return true;
    return false;
}

static const struct gw_page_file *find(struct text path)
{
    if (!&gw_page_files)
        return NULL;
    for (size_t i = 0; i < gw_page_files.count; i++)
        if (text_is(path, gw_page_files.file[i].path))
            return &gw_page_files.file[i];
    return NULL;
}

static void respond_plain(struct net_conn *conn, int status, const char *sentence)
{
    net_http_respond(conn, status, TEXT("Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\nVary: Accept\r\nX-Content-Type-Options: nosniff\r\n"), text_of(sentence), 0);
}

/* A list of tags, or "*"; a weak one (a proxy's) names the same bytes. */
static bool has_tag(const struct http_request *request, const char *etag)
{
    struct text known = http_header_get(request, "if-none-match"), tag = text_of(etag);
    for (size_t i = 0; i + tag.len <= known.len; i++)
        if (memcmp(known.data + i, tag.data, tag.len) == 0)
            return true;
    return text_is(known, "*");
}

static void respond_file(struct net_conn *conn, const struct http_request *request, const struct gw_page_file *file)
{
    char headers[PAGE_HEADERS_MAX];
    bool zipped = file->gzip && request->accept_gzip, same = has_tag(request, file->etag);
    int len = snprintf(headers, sizeof(headers), "Content-Type: %s\r\nETag: %s\r\nCache-Control: %s\r\nVary: Accept, Accept-Encoding\r\n%s%s", file->type, file->etag,
        file->immutable ? "public, max-age=31536000, immutable" : "no-cache", zipped && !same ? "Content-Encoding: gzip\r\n" : "", policy);
    struct text body = zipped ? text_make((const char *)file->gzip, file->gzip_len) : text_make((const char *)file->data, file->len);
    net_http_respond(conn, same ? 304 : 200, text_make(headers, (size_t)len), same ? TEXT("") : body, same ? NET_HTTP_NO_BODY : 0);
}

bool gw_page(struct net_conn *conn, const struct http_request *request)
{
    bool asset = text_starts(request->path, TEXT(PAGE_PREFIX)), reads = text_is(request->method, "GET") || text_is(request->method, "HEAD");
    if (!asset && !(text_is(request->path, "/") && reads && wants_html(request)))
        return false;
    const struct gw_page_file *file = find(request->path);
    if (asset && !reads)
        respond_plain(conn, 405, "The page's files are only read.\n");
    else if (file)
        respond_file(conn, request, file);
    else if (asset)
        respond_plain(conn, 404, "The page has no such file; a reload gets its newest ones.\n");
    else
        respond_plain(conn, 200, "weir is running. It was built without its page: cmake -DWEIR_DASH=ON and a build add it (Node 20.19 or newer).\n");
    return true;
}
