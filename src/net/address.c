/*
 * Addresses of peers. Sixteen bytes for both families keep the connection's record small and make "is this proxy trusted" one
 * masked compare. A range whose base has bits below its prefix ("10.0.0.1/8") is refused: it is a typing error, and guessing in
 * a list of trusted machines is how strangers become trusted.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool is_mapped(const struct address *address)
{
    return memcmp(address->byte, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

static void address_set_ipv4(struct address *address, const void *four)
{
    memcpy(address->byte, mapped_prefix, sizeof(mapped_prefix));
    memcpy(address->byte + 12, four, 4);
}

int address_parse(struct text text, struct address *out)
{
    char copy[ADDRESS_TEXT];
    if (text.len >= 2 && text.data[0] == '[' && text.data[text.len - 1] == ']')
        text = text_make(text.data + 1, text.len - 2);
    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.data, '\0', text.len) != NULL)
        return ERR_SYNTAX;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    struct in_addr four;
    if (inet_pton(AF_INET, copy, &four) == 1) {
        address_set_ipv4(out, &four);
        return 0;
    }
    return inet_pton(AF_INET6, copy, out->byte) == 1 ? 0 : ERR_SYNTAX;
}

int address_range_parse(struct text text, struct address_range *out)
{
    struct address_range range = {.bits = 128};
    ptrdiff_t slash = text_find(text, '/', 0);
    struct text base = slash < 0 ? text : text_make(text.data, (size_t)slash);
    if (address_parse(base, &range.base) != 0)
        return ERR_SYNTAX;
    if (slash >= 0) {
        bool four = text_find(base, ':', 0) < 0;
        uint64_t bits;
        if (text_to_u64(text_make(text.data + slash + 1, text.len - (size_t)slash - 1), four ? 32 : 128, &bits) != 0)
            return ERR_SYNTAX;
        range.bits = (uint8_t)(bits + (four ? 96 : 0));
    }
    for (unsigned bit = range.bits; bit < 128; bit++)
        if (range.base.byte[bit / 8] & (0x80 >> bit % 8))
            return ERR_SYNTAX;
    *out = range;
    return 0;
}

bool address_in_range(const struct address *address, const struct address_range *range)
{
    unsigned whole = range->bits / 8, rest = range->bits % 8;
    if (memcmp(address->byte, range->base.byte, whole) != 0)
        return false;
    return rest == 0 || ((address->byte[whole] ^ range->base.byte[whole]) >> (8 - rest)) == 0;
}

struct text address_format(const struct address *address, char out[ADDRESS_TEXT])
{
    const char *done = is_mapped(address) ? inet_ntop(AF_INET, address->byte + 12, out, ADDRESS_TEXT)
                                          : inet_ntop(AF_INET6, address->byte, out, ADDRESS_TEXT);
    return text_of(done != NULL ? out : "");
}

struct address address_of_socket(const struct sockaddr_storage *storage)
{
    struct address address = {{0}};
    if (storage->ss_family == AF_INET)
        address_set_ipv4(&address, &((const struct sockaddr_in *)storage)->sin_addr);
    else if (storage->ss_family == AF_INET6)
        memcpy(address.byte, &((const struct sockaddr_in6 *)storage)->sin6_addr, 16);
    return address;
}
