/*
 * AWS Signature Version 4 (IAM User Guide, "Create a signed AWS API request"): verification of requests that are signed in the
 * Authorization header or in the query string (presigned URLs, wss $connect), and a signer. The canonical form follows what the
 * AWS CLIs and SDKs were measured to send; any region and any service name in the scope verifies, the caller decides
 * whether the service suits the request.
 */
#ifndef WEIR_NET_SIGV4_H
#define WEIR_NET_SIGV4_H

#include "base/buf.h"
#include "base/err.h"

#define SIGV4_SKEW_MS INT64_C(300000)      /* 5 minutes either way */
#define SIGV4_EXPIRES_MAX_S 604800         /* a presigned URL lives 7 days at most */
#define SIGV4_ACCESS_KEY_MAX 128           /* bytes */
#define SIGV4_SECRET_MAX 128               /* bytes */
#define SIGV4_SCOPE_PART_MAX 64            /* bytes of a region or service name */
#define SIGV4_SIGNED_HEADERS_MAX 64        /* names in SignedHeaders */
#define SIGV4_QUERY_PARAMETERS_MAX 256     /* parameters in a signed query */
#define SIGV4_CANONICAL_MAX (128 * 1024)   /* bytes of the canonical request */

/* One field as received; the name in any case. Repeated fields appear repeatedly, in order. */
struct sigv4_header {
    struct text name, value;
};

/* Borrowed for the call. */
struct sigv4_request {
    struct text method;   /* "GET" */
    struct text target;   /* the path and query exactly as on the wire, "/a%20b?x=1" */
    const struct sigv4_header *headers;
    size_t header_count;  /* with "host" or ":authority" among them (either answers for the other) */
    struct text body;     /* the bytes as received (compressed if they came compressed) */
    const unsigned char *body_sha256; /* their hash when it is known and they are not at hand, 32 bytes; NULL: of `body` */
};

/* Reasons that a wire puts into words of its own. */
#define SIGV4_LATE "the signature has expired"
#define SIGV4_EARLY "the signature is not yet current"
#define SIGV4_DIFFERS "the signature does not match"

enum sigv4_status {
    SIGV4_OK,
    SIGV4_MISSING,     /* not signed at all: MissingAuthenticationToken */
    SIGV4_UNKNOWN_KEY, /* UnrecognizedClientException, InvalidClientTokenId, InvalidAccessKeyId */
    SIGV4_INCOMPLETE,  /* a part is missing or malformed: IncompleteSignature */
    SIGV4_MISMATCH,    /* SignatureDoesNotMatch, InvalidSignatureException */
    SIGV4_EXPIRED      /* outside the 5 minutes, or a presigned URL past its time: SignatureDoesNotMatch / ExpiredToken */
};

/* What the owner of the keys answers for an access key. */
struct sigv4_credential {
    struct text secret;        /* borrowed until sigv4_verify returns; at most SIGV4_SECRET_MAX */
    struct text session_token; /* when not empty the request must carry the same X-Amz-Security-Token */
    const void *policy;        /* handed through */
};
/* false = no such key. */
typedef bool sigv4_lookup_fn(void *ctx, struct text access_key, struct sigv4_credential *out);

/* Who signed. The texts borrow the request (presigned: the verifier, until its next call). */
struct sigv4_identity {
    struct text access_key, region, service;
    const void *policy;
    bool presigned;
    bool payload_unsigned; /* UNSIGNED-PAYLOAD: the body is not covered */
    int64_t signed_at_ms;  /* wall clock, from the request's date */
    const char *reason;    /* static sentence when the status is not SIGV4_OK, never secret */
};

/* A verifier: a cache of derived signing keys and scratch memory. One thread at a time: one per io thread. */
struct sigv4;

/* 0 or ERR_MEMORY. lookup is called in sigv4_verify on the same thread, once a request, before any cached key is used. */
int sigv4_create(sigv4_lookup_fn *lookup, void *ctx, struct sigv4 **out);
void sigv4_destroy(struct sigv4 *sigv4);
/* Looks like a signed request at all (Authorization: AWS4-HMAC-SHA256, or X-Amz-Signature in the query): a cheap test for
   choosing the wire. */
bool sigv4_present(const struct sigv4_request *request);
enum sigv4_status sigv4_verify(struct sigv4 *sigv4, const struct sigv4_request *request, int64_t now_ms,
                               struct sigv4_identity *identity);

/* ---- signing ---- */

struct sigv4_signer {
    struct text access_key, secret;
    struct text session_token; /* empty = none */
    struct text region, service;
    bool payload_unsigned;     /* sign UNSIGNED-PAYLOAD instead of the body's hash */
    uint32_t expires_s;        /* presigning only: 1..SIGV4_EXPIRES_MAX_S */
};

#define SIGV4_DATE_SIZE 17 /* "20150830T123600Z" and NUL */

/*
 * Signs all headers of the request plus x-amz-date (and x-amz-security-token when there is one, x-amz-content-sha256 when
 * payload_unsigned), which the request must not contain yet. Appends the value of the Authorization header; `date` is
 * the value of x-amz-date to send. 0, ERR_INVALID, ERR_TOO_LARGE, ERR_MEMORY. Any thread.
 */
int sigv4_sign(const struct sigv4_signer *signer, const struct sigv4_request *request, int64_t now_ms,
               struct buf *authorization, char date[SIGV4_DATE_SIZE]);
/* Appends the target with the signature in its query. The request's headers (at least host) are signed. */
int sigv4_presign(const struct sigv4_signer *signer, const struct sigv4_request *request, int64_t now_ms,
                  struct buf *target);

#endif
