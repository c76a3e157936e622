/* Inside SigV4: the canonical request, the string to sign and the derived key, shared by the verifier and the signer. */
#ifndef WEIR_NET_SIGV4_CANONICAL_H
#define WEIR_NET_SIGV4_CANONICAL_H

#include "net/sigv4.h"

#define SIGV4_HASH_SIZE 32 /* bytes of SHA-256 */
#define SIGV4_HEX_SIZE 64  /* characters of it */
#define SIGV4_ALGORITHM "AWS4-HMAC-SHA256"
#define SIGV4_TERMINATOR "aws4_request"
#define SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"

/* SHA-256 and HMAC with their OpenSSL contexts kept (sigv4_hash.c). One thread at a time. */
struct sigv4_hash;
struct sigv4_hash *sigv4_hash_create(void); /* NULL: no memory */
void sigv4_hash_destroy(struct sigv4_hash *hash);
bool sigv4_sha256(struct sigv4_hash *hash, struct text bytes, unsigned char out[SIGV4_HASH_SIZE]);
bool sigv4_hmac(struct sigv4_hash *hash, struct text key, struct text bytes, unsigned char out[SIGV4_HASH_SIZE]);
/* Overwrites a secret in a way that the compiler keeps. */
void sigv4_wipe(void *secret, size_t len);

/* "date/region/service" of a scope. */
struct sigv4_scope {
    struct text date; /* 8 digits */
    struct text region, service;
};

struct sigv4_canonical {
    struct text method, target;
    const struct sigv4_header *headers;
    size_t header_count;
    struct text signed_headers; /* "host;x-amz-date": lower case, in their order */
    struct text payload_hash;
    bool path_as_sent;          /* s3: neither normalised nor encoded again */
};

/* The target's two halves. */
void sigv4_target_split(struct text target, struct text *path, struct text *query);
/* Steps over "a;b;c" or "a&b": the next piece, false at the end. *at starts at 0. */
bool sigv4_piece_next(struct text list, char separator, size_t *at, struct text *piece);
/* Whether `name` is in a list of header names. */
bool sigv4_header_signed(struct text signed_headers, struct text name);
/* The first header of that name (any case), or NULL; `host` and `:authority` stand in for each other. */
const struct sigv4_header *sigv4_header_find(const struct sigv4_header *headers, size_t count, struct text name);

/* Appends the canonical request to `out` (cleared first; scratch too). 0, ERR_SYNTAX, ERR_MISSING (a signed header is not
   there), ERR_TOO_LARGE, ERR_MEMORY. */
int sigv4_canonical_format(const struct sigv4_canonical *canonical, struct buf *out, struct buf *scratch);
/* The signature in lower-case hexadecimal over a finished canonical request. `out` is scratch. 0, ERR_MEMORY, ERR_TOO_LARGE. */
int sigv4_signature(struct sigv4_hash *hash, const unsigned char key[SIGV4_HASH_SIZE], struct text amz_date,
                    const struct sigv4_scope *scope, struct text canonical, struct buf *out, char hex[SIGV4_HEX_SIZE]);
/* kSigning of the documentation. */
bool sigv4_signing_key(struct sigv4_hash *hash, struct text secret, const struct sigv4_scope *scope,
                       unsigned char key[SIGV4_HASH_SIZE]);
void sigv4_hex(const unsigned char bytes[SIGV4_HASH_SIZE], char hex[SIGV4_HEX_SIZE]);

#endif
