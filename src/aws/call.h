/*
 * One request of an AWS API and its life, whichever service it is for. Each service (DynamoDB, its streams, Kinesis) is a table of operations; to add one: a struct
 * aws_service, a row in wire.c. Nothing outside src/aws includes this.
 *
 * The life of a call:
 *   prepare (io thread)   parameters, expressions, the table, keys: everything that can be judged without reading
 *   perform               reads: on the io thread from the cache, or on a worker; writes: in the tick. May run again from the start
 *   answer  (io thread)   writes the body of what a write left behind; reads have written theirs in perform
 * A step that fails notes the fault (aws_fail) and answers a negative code. ERR_COLD is no fault: the step runs again elsewhere.
 */
#ifndef WEIR_AWS_CALL_H
#define WEIR_AWS_CALL_H

#include "aws/shape.h"
#include "gateway/host.h"
#include "store/expr.h"

/* X(name, status, type). To add a fault, add a row. */
#define AWS_FAULTS(X)                                                                                                                     \
    X(AWS_VALIDATION, 400, "com.amazon.coral.validate#ValidationException")                                                               \
    X(AWS_SERIALIZATION, 400, "com.amazon.coral.service#SerializationException")                                                          \
    X(AWS_UNKNOWN_OPERATION, 400, "com.amazon.coral.service#UnknownOperationException")                                                   \
    X(AWS_THROTTLING, 400, "com.amazon.coral.availability#ThrottlingException")                                                           \
    X(AWS_DENIED, 400, "com.amazon.coral.service#AccessDeniedException")                                                                  \
    X(AWS_INTERNAL, 500, "com.amazonaws.dynamodb.v20120810#InternalServerError")                                                          \
    X(DDB_NOT_FOUND, 400, "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException")                                                   \
    X(DDB_IN_USE, 400, "com.amazonaws.dynamodb.v20120810#ResourceInUseException")                                                         \
    X(DDB_TABLE_NOT_FOUND, 400, "com.amazonaws.dynamodb.v20120810#TableNotFoundException")                                                \
    X(DDB_LIMIT, 400, "com.amazonaws.dynamodb.v20120810#LimitExceededException")                                                          \
    X(DDB_CONDITION, 400, "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException")                                             \
    X(DDB_CANCELED, 400, "com.amazonaws.dynamodb.v20120810#TransactionCanceledException")                                                 \
    X(DDB_TOKEN_MISMATCH, 400, "com.amazonaws.dynamodb.v20120810#IdempotentParameterMismatchException")

enum aws_fault {
    AWS_FINE,
#define X(name, status, type) name,
    AWS_FAULTS(X)
#undef X
};

/* ---- wire.c ---- */
/* A body compressed (when that was asked for and pays) and summed: long ones on a worker, since they take milliseconds. */
struct aws_sealed {
    bool done, gzip;
    uint32_t crc;      /* of the bytes that leave */
    struct buf packed; /* when gzip */
};
void aws_seal(struct aws_sealed *sealed, struct text body, bool gzip);
struct aws_reply {
    int status;
    struct text body;
    bool gzip, cors, json11;
    struct aws_sealed *sealed; /* NULL, or not done: it is done now, on the io thread */
};
/* Answers with the headers of AWS. Frees what was sealed. */
void aws_respond(struct net_conn *conn, const struct aws_reply *reply);

struct aws_call;
enum aws_way {
    AWS_READ, /* on the io thread from the cache, else on a worker */
    AWS_SCAN, /* on a worker */
    AWS_WRITE /* in the tick */
};
enum aws_operation_flags {
    AWS_NAMES_TABLE = 1, /* AWS words a missing or too short TableName in its own way here */
    AWS_OWN_ACCESS = 2   /* what the key may do is asked by the operation itself (aws_may), as soon as it knows its resources */
};
struct aws_operation {
    const char *name;
    const struct shape *input;
    enum aws_way way;
    unsigned flags; /* enum aws_operation_flags */
    int (*prepare)(struct aws_call *call); /* may be NULL. 0 or negative with the fault noted. May turn call->way */
    int (*perform)(struct aws_call *call, struct store_view *view, struct tick *tick); /* NULL: all was said in prepare */
    void (*answer)(struct aws_call *call); /* may be NULL: the body was written in perform */
};

/* One API on the wire. */
struct aws_service {
    const char *target;  /* what X-Amz-Target begins with, its dot included */
    const char *signing; /* the service's name in the scope of a signature, and in the actions of policies */
    const struct aws_operation *operations; /* ended by a name of NULL */
    bool json11;         /* answers are application/x-amz-json-1.1 by themselves */
    bool short_types;    /* __type without its namespace */
};
const struct aws_operation *aws_operation_find(const struct aws_service *service, struct text name);

#define AWS_BODY_MAX (32u << 20) /* bytes of an answer */

/* One request, in its own arena; `work` is lent by the gateway. */
struct aws_call {
    struct gw_work *work;
    const struct gateway_config *config;
    struct store *store;
    struct arena *arena;
    const struct aws_service *service;
    const struct aws_operation *op;
    enum aws_way way;
    const struct json *in; /* the request */
    void *state;           /* the operation's own, made in prepare */
    struct arena_mark mark; /* where perform began: it is rewound when it runs again elsewhere */
    struct buf body;
    struct json_writer w;  /* writes `body` */
    enum aws_fault fault;
    struct text message;
    const struct attr *fault_item;      /* ConditionalCheckFailedException.Item */
    struct text fault_reasons;          /* TransactionCanceledException: JSON of CancellationReasons */
    struct text host;      /* as the client knows us */
    bool gzip, cors, json11;
    struct aws_sealed sealed; /* what was done to the body on a worker already */
};

/* ---- call.c ---- */
void aws_begin(struct gw_io *io, struct net_conn *conn, const struct gateway_config *config, const struct aws_service *service,
    const struct http_request *request, struct text operation, struct text body);
/* Parses, checks and prepares a call whose other members are set. 0 or negative with the fault noted. */
int aws_prepare(struct aws_call *call, struct text body);
/* Notes a fault; answers a negative code to be passed on. The first fault of a run stays. */
int aws_fail(struct aws_call *call, enum aws_fault fault, const char *format, ...) __attribute__((format(printf, 3, 4)));
int aws_fail_text(struct aws_call *call, enum aws_fault fault, struct text message);
int aws_no_memory(struct aws_call *call);
/* A failure of an expression or of the store, as AWS says it. ERR_COLD is passed on without a fault. */
int aws_env_fail(struct aws_call *call, const struct expr_env *env);
int aws_store_fail(struct aws_call *call, int code, const struct err *err);
/* Empties the answer and begins it again. */
void aws_body_begin(struct aws_call *call);
const char *aws_fault_type(enum aws_fault fault);
int aws_fault_status(enum aws_fault fault);

/* ---- access.c ---- */
/* Whether the key may do this request, by the members that name resources. 0, or negative with AWS_DENIED noted. */
int aws_access_check(struct aws_call *call);
/* The same for an operation that finds its resources itself: `action` without the service, `resource` an ARN or "*". */
int aws_may(struct aws_call *call, const char *action, struct text resource);
/* `name` of a "table" or "stream", or its ARN; `index` may be empty. */
int aws_may_on(struct aws_call *call, const char *action, const char *kind, struct text name, struct text index);

/* ---- param.c ---- */
bool aws_param_is(const struct json *object, const char *name, const char *value);
bool aws_param_true(const struct json *object, const char *name);
struct text aws_param_text(const struct json *object, const char *name);
/* "name": seconds since the epoch, with milliseconds behind the point. */
void aws_time_json(struct json_writer *w, const char *name, int64_t ms);
void aws_uuid(char out[37]);

#endif
