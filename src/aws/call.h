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
#include "base/cbor.h"
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
    X(DDB_TABLE_EXISTS, 400, "com.amazonaws.dynamodb.v20120810#TableAlreadyExistsException")                                               \
    X(DDB_TABLE_IN_USE, 400, "com.amazonaws.dynamodb.v20120810#TableInUseException")                                                       \
    X(DDB_BACKUP_NOT_FOUND, 400, "com.amazonaws.dynamodb.v20120810#BackupNotFoundException")                                               \
    X(DDB_BACKUP_IN_USE, 400, "com.amazonaws.dynamodb.v20120810#BackupInUseException")                                                     \
    X(DDB_RESTORE_TIME, 400, "com.amazonaws.dynamodb.v20120810#InvalidRestoreTimeException")                                               \
    X(DDB_NO_RECOVERY, 400, "com.amazonaws.dynamodb.v20120810#PointInTimeRecoveryUnavailableException")                                    \
    X(DDB_EXPORT_NOT_FOUND, 400, "com.amazonaws.dynamodb.v20120810#ExportNotFoundException")                                               \
    X(DDB_EXPORT_TIME, 400, "com.amazonaws.dynamodb.v20120810#InvalidExportTimeException")                                                 \
    X(DDB_IMPORT_NOT_FOUND, 400, "com.amazonaws.dynamodb.v20120810#ImportNotFoundException")                                               \
    X(DDB_NO_BACKUPS, 400, "com.amazonaws.dynamodb.v20120810#ContinuousBackupsUnavailableException")                                       \
    X(DDB_TABLE_NOT_FOUND, 400, "com.amazonaws.dynamodb.v20120810#TableNotFoundException")                                                \
    X(DDB_GLOBAL_NOT_FOUND, 400, "com.amazonaws.dynamodb.v20120810#GlobalTableNotFoundException")                                         \
    X(DDB_LIMIT, 400, "com.amazonaws.dynamodb.v20120810#LimitExceededException")                                                          \
    X(DDB_DUPLICATE, 400, "com.amazonaws.dynamodb.v20120810#DuplicateItemException")                                                      \
    X(DDB_CONDITION, 400, "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException")                                             \
    X(DDB_CANCELED, 400, "com.amazonaws.dynamodb.v20120810#TransactionCanceledException")                                                 \
    X(DDB_TOKEN_MISMATCH, 400, "com.amazonaws.dynamodb.v20120810#IdempotentParameterMismatchException")                                  \
    X(STREAMS_EXPIRED, 400, "com.amazonaws.dynamodb.v20120810#ExpiredIteratorException")                                                  \
    X(STREAMS_TRIMMED, 400, "com.amazonaws.dynamodb.v20120810#TrimmedDataAccessException")                                                \
    X(KINESIS_NOT_FOUND, 400, "com.amazonaws.kinesis.v20131202#ResourceNotFoundException")                                                \
    X(KINESIS_IN_USE, 400, "com.amazonaws.kinesis.v20131202#ResourceInUseException")                                                      \
    X(KINESIS_INVALID, 400, "com.amazonaws.kinesis.v20131202#InvalidArgumentException")                                                   \
    X(KINESIS_LIMIT, 400, "com.amazonaws.kinesis.v20131202#LimitExceededException")                                                       \
    X(KINESIS_EXPIRED, 400, "com.amazonaws.kinesis.v20131202#ExpiredIteratorException")                                                   \
    X(KINESIS_EXPIRED_TOKEN, 400, "com.amazonaws.kinesis.v20131202#ExpiredNextTokenException")                                            \
    X(CW_INVALID, 400, "com.amazonaws.cloudwatch.v2010_08_01#InvalidParameterValueException")                                            \
    X(CW_MISSING, 400, "com.amazonaws.cloudwatch.v2010_08_01#MissingRequiredParameterException")                                         \
    X(CW_COMBINATION, 400, "com.amazonaws.cloudwatch.v2010_08_01#InvalidParameterCombinationException")                                  \
    X(CW_LIMIT, 400, "com.amazonaws.cloudwatch.v2010_08_01#LimitExceededFault")                                                          \
    X(CW_LIMIT_EXCEPTION, 400, "com.amazonaws.cloudwatch.v2010_08_01#LimitExceededException")                                           \
    X(CW_TOKEN, 400, "com.amazonaws.cloudwatch.v2010_08_01#InvalidNextToken")                                                            \
    X(CW_NOT_FOUND, 404, "com.amazonaws.cloudwatch.v2010_08_01#ResourceNotFound")                                                        \
    X(CW_RESOURCE_NOT_FOUND, 404, "com.amazonaws.cloudwatch.v2010_08_01#ResourceNotFoundException")                                      \
    X(CW_FORMAT, 400, "com.amazonaws.cloudwatch.v2010_08_01#InvalidFormatFault")                                                         \
    X(CW_DASHBOARD_INVALID, 400, "com.amazonaws.cloudwatch.v2010_08_01#DashboardInvalidInputError")                                      \
    X(CW_DASHBOARD_NOT_FOUND, 404, "com.amazonaws.cloudwatch.v2010_08_01#DashboardNotFoundError")                                        \
    X(LOGS_MALFORMED, 400, "com.amazonaws.logs#MalformedQueryException")                                                                  \
    X(LOGS_NOT_FOUND, 400, "com.amazonaws.logs#ResourceNotFoundException")                                                                \
    X(LOGS_EXISTS, 400, "com.amazonaws.logs#ResourceAlreadyExistsException")                                                              \
    X(LOGS_INVALID, 400, "com.amazonaws.logs#InvalidParameterException")                                                                  \
    X(LOGS_LIMIT, 400, "com.amazonaws.logs#LimitExceededException")                                                                       \
    X(LOGS_TOO_MANY_TAGS, 400, "com.amazonaws.logs#TooManyTagsException")                                                                 \
    X(LOGS_ABORTED, 400, "com.amazonaws.logs#OperationAbortedException")                                                                  \
    X(LOGS_OPERATION, 400, "com.amazonaws.logs#InvalidOperationException")                                                                \
    X(LOGS_UNAVAILABLE, 503, "com.amazonaws.logs#ServiceUnavailableException")

enum aws_fault {
    AWS_FINE,
#define X(name, status, type) name,
    AWS_FAULTS(X)
#undef X
};

/* How a client speaks. The operations do not know: requests become one tree of JSON, answers are written in JSON and dressed. */
enum aws_protocol {
    AWS_PROTOCOL_JSON,  /* awsJson 1.0 and 1.1, and Kinesis' CBOR 1.1 by X-Amz-Target */
    AWS_PROTOCOL_QUERY, /* forms; XML */
    AWS_PROTOCOL_RPC    /* smithy rpc-v2-cbor: /service/NAME/operation/OPERATION */
};

/* ---- wire.c ---- */
/* A body compressed (when that was asked for and pays) and summed: long ones on a worker, since they take milliseconds. */
struct aws_sealed {
    bool done, gzip;
    uint32_t crc;      /* of the bytes that leave */
    struct buf packed; /* when gzip */
};
void aws_seal(struct aws_sealed *sealed, struct text body, bool gzip);
struct aws_service;
struct aws_reply {
    int status;
    struct text body;
    bool gzip, cors, json11;
    bool json;     /* plain application/json, as it was asked */
    bool cbor;     /* the body is CBOR */
    bool no_sum;   /* no x-amz-crc32 */
    enum aws_protocol protocol;
    const char *plain;        /* the body's content type when it is none of a protocol's */
    const char *id;           /* of the request, when the body names it; NULL: any */
    const char *query_error;  /* x-amzn-query-error; NULL: none */
    struct aws_sealed *sealed; /* NULL, or not done: it is done now, on the io thread */
};
/* dress.c: an answer's JSON as CBOR, appended to `out`; an empty one stays empty. 0 or negative. */
int aws_dress(struct text json, const struct cbor_hints *hints, struct buf *out);
/* xml.c: the same in XML, which wraps it and ends on the request's id; and a fault. */
int aws_dress_xml(struct text json, const struct aws_service *service, const char *operation, const char *request_id, struct buf *out);
void aws_xml_fault(const struct aws_service *service, const char *code, bool receiver, struct text message, const char *request_id, struct buf *out);
/* Answers with the headers of AWS. Frees what was sealed. */
void aws_respond(struct net_conn *conn, const struct aws_reply *reply);
/* Begins an answer of events (net/event_stream.h) with AWS's headers: net_pour_begin's answers. */
int aws_pour_begin(struct net_conn *conn, const struct net_pour *pour, bool cors);
/* The request's body is CBOR, and the service knows that. */
bool aws_speaks_cbor(const struct aws_service *service, const struct http_request *request);
enum aws_protocol aws_protocol_of(const struct aws_service *service, const struct http_request *request);
/* The request's content type is that one, whatever its parameters. */
bool aws_content_is(const struct http_request *request, const char *type);

struct aws_call;
enum aws_way {
    AWS_READ, /* on the io thread from the cache, else on a worker */
    AWS_SCAN, /* on a worker */
    AWS_WRITE /* in the tick */
};
enum aws_operation_flags {
    AWS_NAMES_TABLE = 1, /* AWS words a missing or too short TableName in its own way here */
    AWS_OWN_ACCESS = 2,  /* what the key may do is asked by the operation itself (aws_may), as soon as it knows its resources */
    AWS_POURS = 4        /* its answer comes in pieces: answer() begins it with aws_pour_begin, and owns call->conn from there on. A fault is answered as ever */
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

/* A service that also takes forms and answers in XML. */
struct aws_query_code {
    enum aws_fault fault;
    const char *code;
};
struct aws_query {
    const char *version;                 /* the form's Version: what tells services apart */
    const char *xmlns;
    const char *const *maps;             /* members of answers that are maps, ended by NULL */
    const char *const *results;          /* operations whose result may have no members, ended by NULL; without members an answer of others has none */
    const struct aws_query_code *codes;  /* how faults are called there, ended by AWS_FINE. A JSON client that asks for it hears it as well (x-amzn-query-mode) */
};

/* One API on the wire. */
struct aws_service {
    const char *target;  /* what X-Amz-Target begins with, its dot included */
    const char *signing; /* the service's name in the scope of a signature, and in the actions of policies */
    const char *actions; /* its name in the actions of policies when that is another one */
    const char *rpc;     /* its name in the paths of rpc-v2-cbor; NULL: it does not speak that. Then `cbor` says how */
    const struct aws_query *query; /* NULL: JSON alone */
    const struct aws_operation *operations; /* ended by a name of NULL */
    int invalid;         /* the fault (enum aws_fault) of a violated constraint; 0: AWS_VALIDATION */
    bool json11;         /* answers are application/x-amz-json-1.1 by themselves */
    bool short_types;    /* __type without its namespace */
    bool no_sum;         /* answers carry no x-amz-crc32 */
    const struct cbor_hints *cbor; /* it also speaks application/x-amz-cbor-1.1; NULL: JSON alone */
};
const struct aws_operation *aws_operation_find(const struct aws_service *service, struct text name);

#define AWS_BODY_MAX (32u << 20) /* bytes of an answer */

/* What a request took of a table, in DynamoDB's units. */
struct aws_used {
    const struct store_table *table;
    double reads, writes;
};
#define AWS_USED_MAX 8 /* tables of a request that are told apart in the figures */

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
    struct text fault_location;         /* MalformedQueryException: JSON of queryCompileError */
    struct text host;      /* as the client knows us */
    bool gzip, cors, json11, json;
    bool cbor, dressed;    /* the client speaks CBOR; the body has become it, or XML */
    enum aws_protocol protocol;
    bool query_mode;       /* it wants to hear how a fault is called in the query protocol */
    char id[37];           /* of the request, where answers name it */
    size_t bytes;          /* of the request's body */
    struct aws_sealed sealed; /* what was done to the body on a worker already */
    int64_t began_ns;         /* monotonic: when the request was here */
    struct aws_used used[AWS_USED_MAX];
    unsigned used_count;
    int64_t returned;         /* items of a Query or a Scan; negative: it is none */
    struct net_conn *conn;    /* in answer() of an operation with AWS_POURS: who asked */
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

/* ---- signature.c ---- */
/* Why a signature was refused, as AWS says it, into `out` (at least 4 KB of room). Answers the exception's name: mostly `type`. */
const char *aws_signature_refusal(const struct http_request *request, const char *type, const struct err *err, struct buf *out);

/* ---- figures.c ---- */
/* Notes what the request took of a table; forgotten when it runs again. */
void aws_used(struct aws_call *call, const struct store_table *table, double reads, double writes);
/* io thread, once, when the outcome is known: the request becomes figures (gateway/figure_table.h). */
void aws_count(const struct aws_call *call);

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
