/*
 * Why text again, when the fields were already apart: the parser for HTTP/1.1 holds the rules of this server, tested and fuzzed. A second
 * derivation of the same facts from other structures is how two front doors come to disagree. Writing 500 bytes and reading them costs a microsecond.
 *
 * What makes it safe: a value with CR, LF or NUL, a path with a space, a name that is no token cannot be written here; such a request is refused, so
 * one field can never become two. The fields that mean a connection in HTTP/1.1 (RFC 9113 8.2.2) are refused too; nghttp2 does so before, and
 * this file does not rely on it.
 */
#include "net/h2_head.h"

#include "net/http_parse.h"

void h2_head_init(struct h2_head *head)
{
    struct buf *all[] = {&head->method, &head->path, &head->authority, &head->host, &head->cookie, &head->lines};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        buf_init(all[i], HTTP_HEAD_MAX);
    head->total = 0;
    head->status = 0;
    head->reason = NULL;
}

void h2_head_fini(struct h2_head *head)
{
    struct buf *all[] = {&head->method, &head->path, &head->authority, &head->host, &head->cookie, &head->lines};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        buf_fini(all[i]);
}

void h2_head_clear(struct h2_head *head)
{
    struct buf *all[] = {&head->method, &head->path, &head->authority, &head->host, &head->cookie, &head->lines};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        buf_clear(all[i]);
    head->total = 0;
    head->status = 0;
    head->reason = NULL;
}

static void refuse(struct h2_head *head, int status, const char *reason)
{
    if (head->status)
        return;
    head->status = status;
    head->reason = reason;
}

static bool printable(struct text value, unsigned char from)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if ((c < from && !(c == '\t' && from == 0x20)) || c == 0x7f)
            return false;
    }
    return true;
}

/* Lower case and visible; the parser has the last word on tokens. */
static bool name_plain(struct text name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((name.data[i] >= 'A' && name.data[i] <= 'Z') || name.data[i] == ':')
            return false;
    return name.len != 0 && printable(name, 0x21);
}

/* Names that stand for the connection and not for the request. */
static bool means_connection(struct text name)
{
    static const char *const names[] = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (text_equal_nocase(name, text_of(names[i])))
            return true;
    return false;
}

static void take_once(struct h2_head *head, struct buf *into, struct text value)
{
    if (into->len != 0 || !printable(value, 0x21))
        refuse(head, 400, "a pseudo-header field is malformed");
    else
        buf_add_text(into, value);
}

static void take_pseudo(struct h2_head *head, struct text name, struct text value)
{
    if (text_is(name, ":method"))
        take_once(head, &head->method, value);
    else if (text_is(name, ":path"))
        take_once(head, &head->path, value);
    else if (text_is(name, ":authority"))
        take_once(head, &head->authority, value);
    else if (!text_is(name, ":scheme"))
        refuse(head, 400, "a pseudo-header field is not known");
}

static void take_field(struct h2_head *head, struct text name, struct text value)
{
    if (!name_plain(name) || !printable(value, 0x20) || means_connection(name)) {
        refuse(head, 400, "a header field is malformed");
    } else if (text_is(name, "host")) {
        take_once(head, &head->host, value);
    } else if (text_is(name, "cookie")) { /* RFC 9113 8.2.3: the crumbs become one again */
        if (head->cookie.len != 0)
            buf_add(&head->cookie, "; ", 2);
        buf_add_text(&head->cookie, value);
    } else {
        buf_add_text(&head->lines, name);
        buf_add(&head->lines, ": ", 2);
        buf_add_text(&head->lines, value);
        buf_add(&head->lines, "\r\n", 2);
    }
}

bool h2_head_field(struct h2_head *head, struct text name, struct text value)
{
    head->total += name.len + value.len + 4;
    if (head->total > H2_HEAD_HOPELESS)
        return false;
    if (head->total > HTTP_HEAD_MAX)
        refuse(head, 431, "the request head is too large");
    else if (name.len != 0 && name.data[0] == ':')
        take_pseudo(head, name, value);
    else
        take_field(head, name, value);
    return true;
}

bool h2_head_is_head(const struct h2_head *head)
{
    return text_is(buf_text(&head->method), "HEAD");
}

/* What the parser cannot see any more once it is text. */
static void check(struct h2_head *head)
{
    struct text path = buf_text(&head->path), authority = buf_text(&head->authority), host = buf_text(&head->host);
    if (text_is(buf_text(&head->method), "CONNECT"))
        refuse(head, 405, "CONNECT is not served; a WebSocket needs HTTP/1.1");
    else if (head->method.len == 0 || path.len == 0)
        refuse(head, 400, "the request is not well formed");
    else if (path.data[0] != '/' && !text_is(path, "*"))
        refuse(head, 400, "the path does not begin with a slash");
    else if (authority.len != 0 && host.len != 0 && !text_equal_nocase(authority, host))
        refuse(head, 400, "the Host is not the authority");
}

int h2_head_format(struct h2_head *head, struct buf *out, const char **reason)
{
    check(head);
    if (!head->status) {
        buf_add_text(out, buf_text(&head->method));
        buf_add_char(out, ' ');
        buf_add_text(out, buf_text(&head->path));
        buf_add_text(out, TEXT(" HTTP/1.1\r\n"));
        if (head->authority.len != 0 || head->host.len != 0) {
            buf_add_text(out, TEXT("host: "));
            buf_add_text(out, buf_text(head->authority.len != 0 ? &head->authority : &head->host));
            buf_add_text(out, TEXT("\r\n"));
        }
        buf_add_text(out, buf_text(&head->lines));
        if (head->cookie.len != 0) {
            buf_add_text(out, TEXT("cookie: "));
            buf_add_text(out, buf_text(&head->cookie));
            buf_add_text(out, TEXT("\r\n"));
        }
        buf_add_text(out, TEXT("\r\n"));
        if (out->failed || head->lines.failed || head->cookie.failed || head->path.failed)
            refuse(head, 431, "the request head is too large");
    }
    *reason = head->reason;
    return head->status;
}

bool h2_answer_next(struct text lines, size_t *at, char *lower, struct text *name, struct text *value)
{
    while (*at < lines.len) {
        ptrdiff_t colon = text_find(lines, ':', *at), end = text_find(lines, '\n', *at);
        size_t start = *at, stop = end < 0 ? lines.len : (size_t)end;
        *at = stop + 1;
        if (colon < 0 || (size_t)colon >= stop)
            continue;
        size_t len = (size_t)colon - start;
        for (size_t i = 0; i < len; i++) {
            char c = lines.data[start + i];
            lower[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
        }
        *name = text_make(lower, len);
        *value = text_make(lines.data + colon + 1, stop - (size_t)colon - 1);
        if (value->len != 0 && value->data[value->len - 1] == '\r')
            value->len--;
        *value = text_trim(*value);
        if (len != 0 && !means_connection(*name))
            return true;
    }
    return false;
}
