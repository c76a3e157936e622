/*
 * A small client of the AWS wires, for the commands: signed requests over connections that are kept, to weir or to AWS itself. Calls block, and any number of
 * threads may make them at once.
 */
#ifndef WEIR_MAIN_WIRE_CLIENT_H
#define WEIR_MAIN_WIRE_CLIENT_H

#include "base/arena.h"
#include "base/json.h"

#define WIRE_ENDPOINT "http://127.0.0.1:8080"
#define WIRE_BODY_MAX ((size_t)32 << 20)   /* bytes of a request */
#define WIRE_ANSWER_MAX ((size_t)64 << 20) /* bytes of an answer: a page of 1 MB takes up to about 16 as JSON */
#define WIRE_TRIES 12                      /* of a call, with growing pauses: about a minute and a half */
#define WIRE_ENDPOINT_HELP "http[s]://HOST[:PORT] (default " WIRE_ENDPOINT ")"
#define WIRE_KEYS_HELP                                                                                                                                         \
    "Requests are signed with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. Without them a loopback address gets the\n"                      \
    "development keys. The region is --region, else AWS_REGION, AWS_DEFAULT_REGION, the one in the host's name, us-east-1.\n"

struct wire_client;
/* NULL members: from the environment, and the defaults above. */
struct wire_options {
    const char *endpoint, *region, *ca_file;
    unsigned in_flight; /* calls at once; 0: 1 */
};
/* ERR_INVALID (the endpoint is no address), ERR_UNAUTHENTICATED (no keys for an address that is not loopback), ERR_MEMORY. */
int wire_client_create(struct wire_client **out, const struct wire_options *options, struct err *err);
/* NULL is allowed. No call is under way. */
void wire_client_destroy(struct wire_client *client);
/* "http://host:port" as it is asked. */
const char *wire_client_endpoint(const struct wire_client *client);

/* An answer; the caller's memory. wire_answer_init once, then any number of calls; each forgets the one before. */
struct wire_answer {
    int status;               /* of HTTP; 0: none came */
    struct buf body;
    struct arena arena;       /* of root */
    const struct json *root;  /* NULL: the body is not JSON */
    char error[64];           /* "ResourceNotFoundException"; empty for a success */
};
void wire_answer_init(struct wire_answer *answer);
void wire_answer_fini(struct wire_answer *answer);

/* DynamoDB's operation with a JSON body. Throttling, 5xx and a server that does not answer are tried again with growing pauses. 0 for a success; ERR_NOT_FOUND
   (ResourceNotFoundException), ERR_EXISTS (ResourceInUseException), ERR_INVALID (other refusals: answer->error has the name), ERR_RATE_LIMITED, ERR_IO,
   ERR_TIMEOUT; err has a sentence with what the server said. */
int wire_call(struct wire_client *client, const char *operation, struct text body, struct wire_answer *answer, struct err *err);
/* One request of weir's own administration, signed for execute-api; not repeated. 0 when an answer came, whatever its status. */
int wire_admin(struct wire_client *client, const char *method, const char *path, struct text body, struct wire_answer *answer, struct err *err);
/* The pause before try `number` (from 1): doubled, with jitter, at most 15 s. */
void wire_pause(unsigned number);

#endif
