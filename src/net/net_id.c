/*
 * The text form of a connection id: base64url with its '=', sixteen characters, as the clients of the original see them. One id has
 * one spelling: the two bits that eleven bytes leave over in the last digit must be zero, so a revoked or banned id cannot come back as
 * another text. This is not base/codec.h's base64url because that one is JWT's, without padding, and because an id is parsed for each
 * management call: no buffer, no allocation.
 */
#include "net/server.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void net_id_format(const struct net_id *id, char out[NET_ID_TEXT + 1])
{
    uint32_t bits = 0;
    int held = 0;
    char *at = out;
    for (int i = 0; i < NET_ID_BYTES; i++) {
        bits = bits << 8 | id->byte[i];
        held += 8;
        while (held >= 6) {
            held -= 6;
            *at++ = digits[bits >> held & 63];
        }
    }
    *at++ = digits[bits << (6 - held) & 63];
    *at++ = '=';
    *at = '\0';
}

static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int net_id_parse(struct text text, struct net_id *id)
{
    if (text.len != NET_ID_TEXT || text.data[NET_ID_TEXT - 1] != '=')
        return ERR_SYNTAX;
    struct net_id parsed;
    uint32_t bits = 0;
    int held = 0, at = 0;
    for (int i = 0; i < NET_ID_TEXT - 1; i++) {
        int value = digit_value(text.data[i]);
        if (value < 0)
            return ERR_SYNTAX;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            parsed.byte[at++] = (uint8_t)(bits >> held);
        }
    }
    if (bits & ((1u << held) - 1))
        return ERR_SYNTAX;
    *id = parsed;
    return 0;
}
