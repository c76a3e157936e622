/* Addresses of peers as plain values, and the list of trusted proxies. Any thread. */
#ifndef WEIR_NET_ADDRESS_H
#define WEIR_NET_ADDRESS_H

#include "base/err.h"
#include "base/text.h"

struct sockaddr_storage;

#define ADDRESS_TEXT 46 /* bytes of the longest text form, with its NUL */

/* IPv4 is kept as an IPv4-mapped IPv6 address (RFC 4291 2.5.5.2), so that one compare serves both. */
struct address {
    uint8_t byte[16];
};
struct address_range {
    struct address base;
    uint8_t bits; /* leading bits that must match, of 128 */
};

/* "1.2.3.4", "::1", "[::1]": 0 or ERR_SYNTAX. No names, no ports, no zones. */
int address_parse(struct text text, struct address *out);
/* "10.0.0.0/8", "fd00::/8" or a single address; ERR_SYNTAX also when bits below the prefix are set. */
int address_range_parse(struct text text, struct address_range *out);
bool address_in_range(const struct address *address, const struct address_range *range);
/* IPv4-mapped addresses are written as IPv4. */
struct text address_format(const struct address *address, char out[ADDRESS_TEXT]);
/* Of a socket's peer; all zero for other families. */
struct address address_of_socket(const struct sockaddr_storage *storage);

#endif
