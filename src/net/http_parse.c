/*
 * The request head, line by line, in one pass, without memory of its own. A parser that is called again with more bytes starts again: heads come
 * in one read nearly always, they are at most 32 KiB, and a parser without state cannot be confused by how the bytes were cut.
 *
 * Strict on purpose. Where the RFC lets a recipient be lenient (bare LF, folded lines, spaces around the colon, lists of equal
 * lengths), leniency is what request smuggling is made of: two parsers in a row that read the same bytes in two ways. The one
 * leniency kept is RFC 9112 2.2: empty lines before the request line.
 *
 * Bodies: http_chunked.c. PROXY protocol and X-Forwarded-For: proxy.c. To derive another member from a field, add it to derive_field.
 */
#include "net/http_parse.h"

#define EMPTY_LINES_MAX 4 /* before the request line */
#define METHOD_MAX 32     /* bytes: 400 above */

/* Fails with a status and says why. */
static int refuse(const char **reason, int status, const char *sentence)
{
    if (reason)
        *reason = sentence;
    return -status;
}

/* RFC 9110 5.6.2 */
static bool token_char(unsigned char c)
{
    static const bool table[256] = {
        ['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true, ['&'] = true, ['\''] = true, ['*'] = true, ['+'] = true,
        ['-'] = true, ['.'] = true, ['^'] = true, ['_'] = true, ['`'] = true, ['|'] = true, ['~'] = true,
        ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
    };
    return table[c];
}

static size_t token_length(const char *data, size_t len)
{
    size_t n = 0;
    while (n < len && token_char((unsigned char)data[n]))
        n++;
    return n;
}

/* A line without its CRLF. 1; 0 when its end is not there yet; -1 for a bare CR or LF or NUL. */
static int line_take(const char *data, size_t len, size_t *at, struct text *line)
{
    const char *from = data + *at;
    size_t left = len - *at;
    const char *lf = memchr(from, '\n', left);
    size_t size = lf ? (size_t)(lf - from) : left;
    const char *cr = memchr(from, '\r', size);
    if (!lf)
        return cr && cr + 1 < from + left ? -1 : 0;
    if (!cr || cr + 1 != lf)
        return -1;
    *line = text_make(from, size - 1);
    *at += size + 1;
    return 1;
}

/* ---- the request line ---- */

/* Reduces absolute-form to its path; the authority becomes the host (RFC 9112 3.2.2). False when it is none. */
static bool absolute_split(struct text target, struct text *authority, struct text *rest)
{
    static const char *const schemes[] = {"http://", "https://", "ws://", "wss://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
        struct text scheme = text_of(schemes[i]);
        if (target.len <= scheme.len || !text_equal_nocase(text_make(target.data, scheme.len), scheme))
            continue;
        size_t end = scheme.len;
        while (end < target.len && target.data[end] != '/' && target.data[end] != '?')
            end++;
        *authority = text_make(target.data + scheme.len, end - scheme.len);
        *rest = text_make(target.data + end, target.len - end);
        return authority->len > 0;
    }
    return false;
}

static void target_split(struct text target, struct text *path, struct text *query)
{
    ptrdiff_t mark = text_find(target, '?', 0);
    *path = mark < 0 ? target : text_make(target.data, (size_t)mark);
    *query = mark < 0 ? TEXT_NONE : text_make(target.data + mark + 1, target.len - (size_t)mark - 1);
    if (!path->len)
        *path = TEXT("/");
}

/* RFC 3986 reg-name, IPv4 or [IPv6], with an optional port. User information and lists are refused. */
static bool host_valid(struct text host)
{
    size_t end = host.len;
    size_t colon = end;
    while (colon > 0 && host.data[colon - 1] >= '0' && host.data[colon - 1] <= '9')
        colon--;
    if (colon > 0 && host.data[colon - 1] == ':')
        end = colon - 1;
    if (host.len - end > 6)
        return false;
    bool literal = end > 0 && host.data[0] == '[';
    if (literal && (end < 4 || host.data[end - 1] != ']'))
        return false;
    for (size_t i = literal; i < end - literal; i++) {
        char c = host.data[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.';
        if (!plain && !(literal ? c == ':' || c == '%' : c && strchr("-_~%!$&'()*+;=", c)))
            return false;
    }
    return true;
}

static int parse_target(struct http_request *request, const char **reason)
{
    struct text target = request->target;
    if (!target.len)
        return refuse(reason, 400, "the request has no target");
    if (target.len > HTTP_TARGET_MAX)
        return refuse(reason, 414, "the request target is too long");
    for (size_t i = 0; i < target.len; i++)
        if (target.data[i] < 0x21 || target.data[i] > 0x7e || target.data[i] == '#')
            return refuse(reason, 400, "the request target has a character that must be encoded");

    struct text rest = target;
    if (target.data[0] == '*' && target.len == 1) {
        if (!text_is(request->method, "OPTIONS"))
            return refuse(reason, 400, "the target * belongs to OPTIONS");
    } else if (target.data[0] != '/') {
        if (!absolute_split(target, &request->host, &rest) || !host_valid(request->host))
            return refuse(reason, 400, "the request target is neither a path nor an absolute URI");
    }
    target_split(rest, &request->path, &request->query);
    return 0;
}

static int parse_version(struct http_request *request, struct text version, const char **reason)
{
    const char *v = version.data;
    if (version.len != 8 || memcmp(v, "HTTP/", 5) || v[5] < '0' || v[5] > '9' || v[6] != '.' || v[7] < '0' || v[7] > '9')
        return refuse(reason, 400, "the request line has no valid HTTP version");
    if (v[5] != '1')
        return refuse(reason, 505, "the HTTP version is not supported");
    request->minor = v[7] == '0' ? 0 : 1;
    return 0;
}

static int parse_request_line(struct http_request *request, struct text line, const char **reason)
{
    size_t method = token_length(line.data, line.len);
    if (!method || method > METHOD_MAX || method >= line.len || line.data[method] != ' ')
        return refuse(reason, 400, "the request line does not begin with a method");
    request->method = text_make(line.data, method);
    ptrdiff_t space = text_find(line, ' ', method + 1);
    if (space < 0)
        return refuse(reason, line.len > HTTP_TARGET_MAX ? 414 : 400, "the request line is incomplete");
    request->target = text_make(line.data + method + 1, (size_t)space - method - 1);
    int err = parse_target(request, reason);
    return err ? err : parse_version(request, text_make(line.data + space + 1, line.len - (size_t)space - 1), reason);
}

/* The part of a request line that is there, when its end is not: refuse early what cannot become one. */
static int check_partial_line(struct text line, const char **reason)
{
    size_t method = token_length(line.data, line.len);
    if (method > METHOD_MAX || (method < line.len && line.data[method] != ' ' && line.data[method] != '\r') ||
        (method == 0 && line.len && line.data[0] == ' '))
        return refuse(reason, 400, "the request line does not begin with a method");
    if (line.len > METHOD_MAX + HTTP_TARGET_MAX + sizeof(" HTTP/1.1\r"))
        return refuse(reason, 414, "the request target is too long");
    return 0;
}

/* ---- fields ---- */

static int parse_field(struct http_request *request, struct text line, const char **reason)
{
    if (line.data[0] == ' ' || line.data[0] == '\t')
        return refuse(reason, 400, "a header line is folded");
    size_t name = token_length(line.data, line.len);
    if (!name || name >= line.len || line.data[name] != ':')
        return refuse(reason, 400, "a header name is malformed");
    for (size_t i = name + 1; i < line.len; i++) {
        unsigned char c = (unsigned char)line.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return refuse(reason, 400, "a header value has a control character");
    }
    if (request->headers == HTTP_HEADERS_MAX)
        return refuse(reason, 431, "there are too many header fields");
    struct http_header *header = &request->header[request->headers++];
    header->name = text_make(line.data, name);
    header->value = text_trim(text_make(line.data + name + 1, line.len - name - 1));
    return 0;
}

/* Facts that need all the fields of a name. */
struct seen {
    bool host, length, encoding, close, keep_alive, upgrade, websocket;
};

/* "gzip;q=0" says no. Weights are only compared with zero. */
static bool accepts_gzip(struct text list)
{
    for (size_t from = 0; from <= list.len;) {
        ptrdiff_t comma = text_find(list, ',', from);
        size_t end = comma < 0 ? list.len : (size_t)comma;
        struct text item = text_make(list.data + from, end - from);
        ptrdiff_t semicolon = text_find(item, ';', 0);
        struct text coding = text_trim(semicolon < 0 ? item : text_make(item.data, (size_t)semicolon));
        if (text_equal_nocase(coding, TEXT("gzip"))) {
            if (semicolon < 0)
                return true;
            for (size_t i = (size_t)semicolon; i < item.len; i++)
                if (item.data[i] >= '1' && item.data[i] <= '9')
                    return true;
            return false;
        }
        from = end + 1;
    }
    return false;
}

static int derive_length(struct http_request *request, struct seen *seen, struct text value, const char **reason)
{
    uint64_t length;
    if (seen->length)
        return refuse(reason, 400, "there is more than one Content-Length");
    if (text_to_u64(value, INT64_MAX, &length))
        return refuse(reason, 400, "the Content-Length is not a number");
    seen->length = true;
    request->content_length = (int64_t)length;
    return 0;
}

static int derive_encoding(struct http_request *request, struct seen *seen, struct text value, const char **reason)
{
    if (seen->encoding)
        return refuse(reason, 400, "there is more than one Transfer-Encoding");
    if (request->minor == 0)
        return refuse(reason, 400, "HTTP/1.0 has no Transfer-Encoding");
    if (!text_equal_nocase(value, TEXT("chunked")))
        return refuse(reason, 501, "the only transfer coding supported is chunked");
    seen->encoding = request->chunked = true;
    return 0;
}

static int derive_host(struct http_request *request, struct seen *seen, struct text value, const char **reason)
{
    if (seen->host)
        return refuse(reason, 400, "there is more than one Host");
    if (!host_valid(value))
        return refuse(reason, 400, "the Host is malformed");
    seen->host = true;
    if (!request->host.data) /* an absolute-form target wins */
        request->host = value;
    return 0;
}

static int derive_field(
    struct http_request *request, const struct http_header *header, struct seen *seen, const char **reason)
{
    struct text name = header->name, value = header->value;
    switch (name.len) {
    case 4:
        return text_equal_nocase(name, TEXT("host")) ? derive_host(request, seen, value, reason) : 0;
    case 6:
        if (text_equal_nocase(name, TEXT("expect")))
            request->expect_continue = request->minor && text_equal_nocase(value, TEXT("100-continue"));
        return 0;
    case 7:
        if (text_equal_nocase(name, TEXT("upgrade")))
            seen->websocket |= http_list_has(value, "websocket");
        return 0;
    case 10:
        if (text_equal_nocase(name, TEXT("connection"))) {
            seen->close |= http_list_has(value, "close");
            seen->keep_alive |= http_list_has(value, "keep-alive");
            seen->upgrade |= http_list_has(value, "upgrade");
        }
        return 0;
    case 14:
        return text_equal_nocase(name, TEXT("content-length")) ? derive_length(request, seen, value, reason) : 0;
    case 15:
        if (text_equal_nocase(name, TEXT("accept-encoding")))
            request->accept_gzip |= accepts_gzip(value);
        return 0;
    case 16:
        if (text_equal_nocase(name, TEXT("content-encoding"))) {
            request->gzip = text_equal_nocase(value, TEXT("gzip")) || text_equal_nocase(value, TEXT("x-gzip"));
            request->deflate = text_equal_nocase(value, TEXT("deflate"));
        }
        return 0;
    case 17:
        return text_equal_nocase(name, TEXT("transfer-encoding")) ? derive_encoding(request, seen, value, reason) : 0;
    default:
        return 0;
    }
}

static int derive(struct http_request *request, const char **reason)
{
    struct seen seen = {0};
    for (size_t i = 0; i < request->headers; i++) {
        int err = derive_field(request, &request->header[i], &seen, reason);
        if (err)
            return err;
    }
    if (request->minor && !seen.host)
        return refuse(reason, 400, "the Host is missing");
    if (seen.length && seen.encoding)
        return refuse(reason, 400, "there are both Content-Length and Transfer-Encoding");
    request->keep_alive = !seen.close && (request->minor || seen.keep_alive);
    request->upgrade_websocket = request->minor && seen.upgrade && seen.websocket; /* RFC 9110 7.8 */
    return 0;
}

/* ---- the head ---- */

static void request_reset(struct http_request *request)
{
    request->method = request->target = request->path = request->query = request->host = TEXT_NONE;
    request->minor = 0;
    request->headers = 0;
    request->content_length = -1;
    request->chunked = request->keep_alive = request->expect_continue = request->upgrade_websocket = false;
    request->gzip = request->deflate = request->accept_gzip = request->wire_hashed = false;
}

int http_request_parse(const char *data, size_t len, struct http_request *request, const char **reason)
{
    request_reset(request);
    bool cut = len > HTTP_HEAD_MAX;
    if (cut)
        len = HTTP_HEAD_MAX;
    size_t at = 0;
    for (int lines = 0;;) {
        struct text line;
        size_t from = at;
        int rc = line_take(data, len, &at, &line);
        if (rc < 0)
            return refuse(reason, 400, "a line does not end in CR LF");
        if (rc == 0) {
            int err = request->method.len ? 0 : check_partial_line(text_make(data + from, len - from), reason);
            if (!err && (cut || len == HTTP_HEAD_MAX))
                err = refuse(reason, 431, "the request head is too large");
            return err;
        }
        if (!line.len && request->method.len)
            break;
        if (!line.len && ++lines > EMPTY_LINES_MAX)
            return refuse(reason, 400, "there is no request line");
        if (!line.len)
            continue;
        int err = request->method.len ? parse_field(request, line, reason) : parse_request_line(request, line, reason);
        if (err)
            return err;
    }
    int err = derive(request, reason);
    return err ? err : (int)at;
}

/* ---- looking things up ---- */

struct text http_header_next(const struct http_request *request, const char *name, size_t *at)
{
    struct text wanted = text_of(name);
    while (*at < request->headers) {
        const struct http_header *header = &request->header[(*at)++];
        if (text_equal_nocase(header->name, wanted))
            return header->value;
    }
    return TEXT_NONE;
}

struct text http_header_get(const struct http_request *request, const char *name)
{
    size_t at = 0;
    return http_header_next(request, name, &at);
}

bool http_list_has(struct text list, const char *token)
{
    struct text wanted = text_of(token);
    for (size_t from = 0; from < list.len;) {
        ptrdiff_t comma = text_find(list, ',', from);
        size_t end = comma < 0 ? list.len : (size_t)comma;
        if (text_equal_nocase(text_trim(text_make(list.data + from, end - from)), wanted))
            return true;
        from = end + 1;
    }
    return false;
}

struct text http_query_get(struct text query, const char *name)
{
    struct text wanted = text_of(name);
    for (size_t from = 0; from < query.len;) {
        ptrdiff_t amp = text_find(query, '&', from);
        size_t end = amp < 0 ? query.len : (size_t)amp;
        struct text pair = text_make(query.data + from, end - from);
        ptrdiff_t equals = text_find(pair, '=', 0);
        size_t size = equals < 0 ? pair.len : (size_t)equals;
        if (text_equal(text_make(pair.data, size), wanted))
            return equals < 0 ? text_make(pair.data + size, 0) : text_make(pair.data + size + 1, pair.len - size - 1);
        from = end + 1;
    }
    return TEXT_NONE;
}

const char *http_status_text(int status)
{
    switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 424: return "Failed Dependency";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
    }
}
