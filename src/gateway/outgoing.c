/* A prefix is compared as text, so whatever an HTTP client would rewrite before it sends (dot segments, also encoded ones, and backslashes) must not be in the address. */
#include "gateway/outgoing.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* A dot, plain or as %2e; answers its length. */
static size_t dot_at(struct text url, size_t at)
{
    if (at < url.len && url.data[at] == '.')
        return 1;
    return at + 2 < url.len && url.data[at] == '%' && url.data[at + 1] == '2' && lower(url.data[at + 2]) == 'e' ? 3 : 0;
}

static bool is_end(struct text url, size_t at)
{
    return at >= url.len || url.data[at] == '/' || url.data[at] == '?' || url.data[at] == '#';
}

static bool is_straight(struct text url)
{
    for (size_t i = 0; i < url.len; i++) {
        if (url.data[i] == '\\')
            return false;
        if (url.data[i] != '/')
            continue;
        size_t one = dot_at(url, i + 1), two = one ? dot_at(url, i + 1 + one) : 0;
        if (one && (is_end(url, i + 1 + one) || (two && is_end(url, i + 1 + one + two))))
            return false;
    }
    return true;
}

bool gw_outgoing_begins(struct text url, struct text prefix)
{
    if (!prefix.len || !text_starts(url, prefix) || !is_straight(url))
        return false;
    return prefix.data[prefix.len - 1] == '/' || is_end(url, prefix.len);
}

bool gw_outgoing_listed(const struct gw_outgoing *outgoing, struct text url)
{
    for (size_t i = 0; i < outgoing->count; i++)
        if (gw_outgoing_begins(url, outgoing->allow[i]))
            return true;
    return false;
}
