/* Functions on IP addresses: version 4 in dotted form, version 6 as RFC 4291 writes it, subnets in CIDR notation. A subnet that is none contains nothing. */
#include "watch/query_inside.h"

#include <arpa/inet.h>

#define ADDRESS_MAX 45 /* characters of the longest address */

struct address {
    int bits; /* 32 or 128; 0: none */
    unsigned char byte[16];
};

static struct address parse_address(struct text text)
{
    struct address address = {.bits = 0};
    char copy[ADDRESS_MAX + 1];
    if (!text.len || text.len > ADDRESS_MAX || memchr(text.data, 0, text.len))
        return address;
    memcpy(copy, text.data, text.len);
    copy[text.len] = 0;
    if (inet_pton(AF_INET, copy, address.byte) == 1)
        address.bits = 32;
    else if (inet_pton(AF_INET6, copy, address.byte) == 1)
        address.bits = 128;
    return address;
}

static bool in_subnet(const struct address *address, struct text subnet)
{
    ptrdiff_t slash = text_find(subnet, '/', 0);
    uint64_t prefix;
    if (slash < 0)
        return false;
    struct address net = parse_address(text_make(subnet.data, (size_t)slash));
    if (!net.bits || net.bits != address->bits || text_to_u64(text_make(subnet.data + slash + 1, subnet.len - (size_t)slash - 1), (uint64_t)net.bits, &prefix))
        return false;
    for (uint64_t bit = 0; bit < prefix; bit++)
        if ((net.byte[bit / 8] ^ address->byte[bit / 8]) & (0x80 >> bit % 8))
            return false;
    return true;
}

static bool arg(struct query_row *row, const struct query_node *node, size_t i, struct query_value *value)
{
    *value = query_eval(row, node->args[i]);
    return value->type == QUERY_TEXT;
}

struct query_value query_call_ip(struct query_row *row, const struct query_node *node)
{
    struct query_value value, subnet;
    if (!arg(row, node, 0, &value))
        return query_bool(false);
    struct address address = parse_address(value.text);
    switch (node->function) {
    case FUNCTION_isvalidip:
        return query_bool(address.bits != 0);
    case FUNCTION_isvalidipv4:
        return query_bool(address.bits == 32);
    case FUNCTION_isvalidipv6:
        return query_bool(address.bits == 128);
    default:
        break;
    }
    if (!arg(row, node, 1, &subnet) || !address.bits || (node->function == FUNCTION_isipv4insubnet && address.bits != 32) ||
        (node->function == FUNCTION_isipv6insubnet && address.bits != 128))
        return query_bool(false);
    return query_bool(in_subnet(&address, subnet.text));
}
