/*
 * Who is behind the proxy: the PROXY protocol (HAProxy's proxy-protocol.txt, sections 2.1 and 2.2) and X-Forwarded-For. Both are words of
 * another machine, so the caller asks only when the peer's address is trusted, and every address is checked by inet_pton before
 * anything believes it. Of version 2 the TLVs are skipped: none of them is needed.
 */
#include "net/http_parse.h"

#include <arpa/inet.h>

#define V1_MAX 107         /* bytes of a version 1 line, CR LF included */
#define V2_FIXED 16        /* bytes before the addresses */
#define V2_LENGTH_MAX 4096 /* bytes of addresses and TLVs that we accept */
#define ADDRESS_SIZE 46    /* INET6_ADDRSTRLEN */

_Static_assert(ADDRESS_SIZE == INET6_ADDRSTRLEN, "the contract's buffer holds any address");

static const char v1_signature[] = "PROXY ";
static const char v2_signature[] = "\r\n\r\n\0\r\nQUIT\n";

/* AF_INET, AF_INET6, or 0 when the text is no address. */
static int address_family(struct text address)
{
    char copy[ADDRESS_SIZE];
    unsigned char binary[16];
    if (!address.len || address.len >= sizeof(copy) || memchr(address.data, 0, address.len))
        return 0;
    memcpy(copy, address.data, address.len);
    copy[address.len] = 0;
    if (inet_pton(AF_INET, copy, binary) == 1)
        return AF_INET;
    return inet_pton(AF_INET6, copy, binary) == 1 ? AF_INET6 : 0;
}

/* Takes the word up to the next single space. */
static struct text word_take(struct text line, size_t *at)
{
    ptrdiff_t space = text_find(line, ' ', *at);
    size_t end = space < 0 ? line.len : (size_t)space;
    struct text word = *at <= line.len ? text_make(line.data + *at, end - *at) : TEXT_NONE;
    *at = end + 1;
    return word;
}

static bool port_parse(struct text word, uint16_t *port)
{
    uint64_t value;
    if (!word.len || (word.len > 1 && word.data[0] == '0') || text_to_u64(word, UINT16_MAX, &value))
        return false;
    *port = (uint16_t)value;
    return true;
}

/* "PROXY TCP4 source destination port port" */
static bool v1_parse(struct text line, char source[ADDRESS_SIZE], uint16_t *port)
{
    size_t at = sizeof(v1_signature) - 1;
    struct text protocol = word_take(line, &at);
    if (text_is(protocol, "UNKNOWN"))
        return true;
    int family = text_is(protocol, "TCP4") ? AF_INET : text_is(protocol, "TCP6") ? AF_INET6 : 0;
    struct text from = word_take(line, &at), to = word_take(line, &at);
    struct text from_port = word_take(line, &at), to_port = word_take(line, &at);
    uint16_t source_port, ignored;
    if (!family || address_family(from) != family || address_family(to) != family || at != line.len + 1 ||
        !port_parse(from_port, &source_port) || !port_parse(to_port, &ignored))
        return false;
    memcpy(source, from.data, from.len);
    source[from.len] = 0;
    *port = source_port;
    return true;
}

static int v1_header(const char *data, size_t len, char source[ADDRESS_SIZE], uint16_t *port)
{
    size_t most = len < V1_MAX ? len : V1_MAX;
    const char *lf = memchr(data, '\n', most);
    if (!lf)
        return len < V1_MAX ? 0 : -1;
    size_t size = (size_t)(lf - data) + 1;
    if (data[size - 2] != '\r' || memchr(data, '\r', size - 2))
        return -1;
    return v1_parse(text_make(data, size - 2), source, port) ? (int)size : -1;
}

static int v2_header(const char *data, size_t len, char source[ADDRESS_SIZE], uint16_t *port)
{
    const uint8_t *at = (const uint8_t *)data;
    if (len > 12 && (at[12] >> 4 != 2 || (at[12] & 0x0f) > 1))
        return -1;
    if (len < V2_FIXED)
        return 0;
    size_t length = (size_t)at[14] << 8 | at[15];
    bool local = (at[12] & 0x0f) == 0;
    int family = at[13] >> 4;
    if (length > V2_LENGTH_MAX || family > 3 || (at[13] & 0x0f) > 2)
        return -1;
    if (!local && ((family == 1 && length < 12) || (family == 2 && length < 36)))
        return -1;
    if (len < V2_FIXED + length)
        return 0;
    if (!local && family == 1) {
        inet_ntop(AF_INET, at + 16, source, ADDRESS_SIZE);
        *port = (uint16_t)(at[24] << 8 | at[25]);
    } else if (!local && family == 2) {
        inet_ntop(AF_INET6, at + 16, source, ADDRESS_SIZE);
        *port = (uint16_t)(at[48] << 8 | at[49]);
    }
    return (int)(V2_FIXED + length);
}

int proxy_header_parse(const char *data, size_t len, char source[46], uint16_t *port)
{
    source[0] = 0;
    *port = 0;
    size_t v1 = sizeof(v1_signature) - 1, v2 = sizeof(v2_signature) - 1;
    if (len == 0)
        return 0;
    if (data[0] == v1_signature[0]) {
        if (memcmp(data, v1_signature, len < v1 ? len : v1))
            return -1;
        return len < v1 ? 0 : v1_header(data, len, source, port);
    }
    if (memcmp(data, v2_signature, len < v2 ? len : v2))
        return -1;
    return len < v2 ? 0 : v2_header(data, len, source, port);
}

/* ---- X-Forwarded-For ---- */

/* Without brackets and port: "[::1]:443", "1.2.3.4:80". data NULL when it is no address. */
static struct text address_strip(struct text element)
{
    struct text address = element;
    if (element.len && element.data[0] == '[') {
        ptrdiff_t close = text_find(element, ']', 0);
        if (close < 0)
            return TEXT_NONE;
        address = text_make(element.data + 1, (size_t)close - 1);
        return address_family(address) == AF_INET6 ? address : TEXT_NONE;
    }
    ptrdiff_t colon = text_find(element, ':', 0);
    if (colon > 0 && text_find(element, ':', (size_t)colon + 1) < 0)
        address = text_make(element.data, (size_t)colon);
    return address_family(address) ? address : TEXT_NONE;
}

struct text forwarded_client(
    struct text forwarded_for, struct text peer, bool (*trusted)(void *context, struct text address), void *context)
{
    struct text client = peer;
    size_t end = forwarded_for.len;
    while (end > 0 && trusted && trusted(context, client)) {
        size_t from = end;
        while (from > 0 && forwarded_for.data[from - 1] != ',')
            from--;
        struct text address = address_strip(text_trim(text_make(forwarded_for.data + from, end - from)));
        if (!address.data)
            return client; /* a trusted proxy passed nonsense on: what it vouched for last is all there is */
        client = address;
        end = from ? from - 1 : 0;
    }
    return client;
}
