/* Inside the verifier: what jwt.c asks of a key set. OpenSSL stays behind jwt_keys.c. */
#ifndef WEIR_NET_JWT_KEYS_H
#define WEIR_NET_JWT_KEYS_H

#include "net/jwt.h"

#define JWT_HMAC_SIZE 32 /* bytes of HMAC-SHA-256 */

struct jwt_key;

enum jwt_find {
    JWT_FOUND,
    JWT_UNKNOWN_KID, /* the set has named keys, none of this name */
    JWT_OTHER_ALG,   /* the named key is for another algorithm */
    JWT_NO_ALG,      /* no key of the set is for this algorithm */
    JWT_AMBIGUOUS    /* no kid, several keys */
};

/* The one key for this header: by name when both have one, else the only key of the algorithm. Borrowed from the set. */
enum jwt_find jwt_keys_find(const struct jwt_keys *keys, struct text kid, enum jwt_alg alg, const struct jwt_key **out);
/* Whether `signature` (raw, as in JOSE) over `message` is the key's. Any thread. */
bool jwt_key_check(const struct jwt_key *key, struct text message, struct text signature);
/* HMAC-SHA-256; false when the library fails. */
bool jwt_hmac(struct text secret, struct text message, unsigned char out[JWT_HMAC_SIZE]);

#endif
