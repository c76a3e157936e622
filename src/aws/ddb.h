/*
 * What the files of the DynamoDB wire share. Nothing outside src/aws includes it.
 *
 * wire.c recognises and answers requests · shape.c types and constraints · shapes.c the shapes of DynamoDB's operations · ddb.c the life of a call and the table of
 * operations · name.c keys and names · meta.c what the catalogue does not hold · schema.c, describe.c, table.c, update_table.c, settings.c the control plane · item.c,
 * write.c single items · batch.c · transact.c, token.c · query.c, page.c · capacity.c
 *
 * The life of a call:
 *   prepare (io thread)   parameters, expressions, the table, keys: everything that can be judged without reading
 *   perform               reads: on the io thread from the cache, or on a worker; writes: in the tick. May run again from the start
 *   answer  (io thread)   writes the body of what a write left behind; reads have written theirs in perform
 * A step that fails notes the fault (ddb_fail) and answers a negative code. ERR_COLD is no fault: the step runs again elsewhere.
 */
#ifndef WEIR_AWS_DDB_H
#define WEIR_AWS_DDB_H

#include "aws/shape.h"
#include "gateway/host.h"
#include "store/expr.h"

/* X(name, status, type) */
#define DDB_FAULTS(X)                                                                                                                     \
    X(VALIDATION, 400, "com.amazon.coral.validate#ValidationException")                                                                   \
    X(SERIALIZATION, 400, "com.amazon.coral.service#SerializationException")                                                              \
    X(UNKNOWN_OPERATION, 400, "com.amazon.coral.service#UnknownOperationException")                                                       \
    X(THROTTLING, 400, "com.amazon.coral.availability#ThrottlingException")                                                               \
    X(NOT_FOUND, 400, "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException")                                                       \
    X(IN_USE, 400, "com.amazonaws.dynamodb.v20120810#ResourceInUseException")                                                             \
    X(TABLE_NOT_FOUND, 400, "com.amazonaws.dynamodb.v20120810#TableNotFoundException")                                                    \
    X(LIMIT, 400, "com.amazonaws.dynamodb.v20120810#LimitExceededException")                                                              \
    X(CONDITION, 400, "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException")                                                 \
    X(CANCELED, 400, "com.amazonaws.dynamodb.v20120810#TransactionCanceledException")                                                     \
    X(TOKEN_MISMATCH, 400, "com.amazonaws.dynamodb.v20120810#IdempotentParameterMismatchException")                                       \
    X(INTERNAL, 500, "com.amazonaws.dynamodb.v20120810#InternalServerError")

enum ddb_fault {
    DDB_FINE,
#define X(name, status, type) DDB_##name,
    DDB_FAULTS(X)
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

struct ddb_call;
enum ddb_way {
    DDB_READ, /* on the io thread from the cache, else on a worker */
    DDB_SCAN, /* on a worker */
    DDB_WRITE /* in the tick */
};
struct ddb_operation {
    const char *name;
    const struct shape *input;
    enum ddb_way way;
    bool names_table; /* AWS words a missing or too short TableName in its own way here */
    int (*prepare)(struct ddb_call *call); /* may be NULL. 0 or negative with the fault noted. May turn call->way */
    int (*perform)(struct ddb_call *call, struct store_view *view, struct tick *tick); /* NULL: all was said in prepare */
    void (*answer)(struct ddb_call *call); /* may be NULL: the body was written in perform */
};
extern const struct ddb_operation ddb_operations[];

#define DDB_BODY_MAX (32u << 20) /* bytes of an answer */

/* One request, in its own arena; `work` is lent by the gateway. */
struct ddb_call {
    struct gw_work *work;
    const struct gateway_config *config;
    struct store *store;
    struct arena *arena;
    const struct ddb_operation *op;
    enum ddb_way way;
    const struct json *in; /* the request */
    void *state;           /* the operation's own, made in prepare */
    struct arena_mark mark; /* where perform began: it is rewound when it runs again elsewhere */
    struct buf body;
    struct json_writer w;  /* writes `body` */
    enum ddb_fault fault;
    struct text message;
    const struct attr *fault_item;      /* ConditionalCheckFailedException.Item */
    struct text fault_reasons;          /* TransactionCanceledException: JSON of CancellationReasons */
    struct text host;      /* as the client knows us */
    bool gzip, cors, json11;
    struct aws_sealed sealed; /* what was done to the body on a worker already */
};

/* ---- ddb.c ---- */
void ddb_begin(struct gw_io *io, struct net_conn *conn, const struct gateway_config *config, const struct http_request *request, struct text operation,
    struct text body);
/* Parses, checks and prepares a call whose other members are set. 0 or negative with the fault noted. */
int ddb_prepare(struct ddb_call *call, struct text body);
/* Notes a fault; answers a negative code to be passed on. The first fault of a run stays. */
int ddb_fail(struct ddb_call *call, enum ddb_fault fault, const char *format, ...) __attribute__((format(printf, 3, 4)));
int ddb_fail_text(struct ddb_call *call, enum ddb_fault fault, struct text message);
int ddb_no_memory(struct ddb_call *call);
/* A failure of an expression or of the store, as AWS says it. ERR_COLD is passed on without a fault. */
int ddb_env_fail(struct ddb_call *call, const struct expr_env *env);
int ddb_store_fail(struct ddb_call *call, int code, const struct err *err);
/* Empties the answer and begins it again. */
void ddb_body_begin(struct ddb_call *call);
const char *ddb_fault_type(enum ddb_fault fault);
int ddb_fault_status(enum ddb_fault fault);

/* ---- name.c ---- */
/* The table's name from a name or an ARN. */
int ddb_name(struct ddb_call *call, const struct json *json, struct text *name);
/* The table of the parameter TableName; the data plane's sentence when there is none. */
int ddb_table(struct ddb_call *call, const struct json *json, const struct store_table **table);
int ddb_table_control(struct ddb_call *call, struct text name, const struct store_table **table); /* the control plane's sentence */
/* Refuses tables that mirror live connections. */
int ddb_writable(struct ddb_call *call, const struct store_table *table);
void ddb_arn(struct ddb_call *call, struct text table, struct buf *out);
/* An item of the request: from JSON, checked. */
int ddb_item(struct ddb_call *call, const struct json *json, struct attr **item);
/* `key`: exactly the key attributes of the table ("The provided key element does not match the schema"). */
int ddb_key(struct ddb_call *call, const struct store_table *table, const struct json *json, struct attr **key);
int ddb_key_check(struct ddb_call *call, const struct store_table *table, const struct attr *key);
/* Key attributes inside an item that is put: present, of their types, within their sizes; index keys of their types. */
int ddb_item_keys(struct ddb_call *call, const struct store_table *table, const struct attr *item);
struct attr *ddb_key_of(struct arena *arena, const struct store_table *table, const struct attr *item); /* the key alone, shallow */
size_t ddb_key_names(const struct store_table *table, struct text names[2]);
/* Bytes that tell keys of all tables apart. data NULL without memory. */
struct text ddb_key_bytes(struct arena *arena, const struct store_table *table, const struct attr *key);
int ddb_projection_check(struct ddb_call *call, struct expr_env *env, const struct store_table *table, const struct expr_projection *projection);
const char *ddb_type_tag(enum attr_type type);
bool ddb_param_is(const struct json *object, const char *name, const char *value);
bool ddb_param_true(const struct json *object, const char *name);
struct text ddb_param_text(const struct json *object, const char *name);

/* ---- capacity.c ---- */
struct ddb_capacity {
    const struct store_table *table;
    double reads, writes;                 /* units of the table alone */
    double index[STORE_INDEXES_MAX];      /* by position in the declaration */
};
double ddb_read_units(size_t bytes, bool consistent);
double ddb_write_units(size_t bytes);
/* What a write of `before` to `after` (NULL: absent) costs, indexes included, times `factor`. */
void ddb_capacity_write(struct ddb_capacity *capacity, const struct attr *before, const struct attr *after, double factor);
/* Writes one ConsumedCapacity object. `local` tells for each index whether it is local; may be NULL without INDEXES. */
void ddb_capacity_json(struct ddb_call *call, const struct ddb_capacity *capacity, bool indexes, bool is_transaction, const bool *local);
enum ddb_return_capacity { DDB_CAPACITY_NONE, DDB_CAPACITY_TOTAL, DDB_CAPACITY_INDEXES };
enum ddb_return_capacity ddb_return_capacity(const struct ddb_call *call);
/* The bytes of an item as an index holds it. */
size_t ddb_projected_size(const struct store_table *table, const struct store_index_decl *index, const struct attr *item);
/* {"ItemCollectionKey":..,"SizeEstimateRangeGB":[0,1]} */
void ddb_collection_json(struct ddb_call *call, const struct store_table *table, const struct attr *key);

/* ---- meta.c: raw rows beside the catalogue ---- */
#define DDB_TAGS_MAX 50
struct ddb_index_meta {
    struct text name;
    bool local;
    int64_t reads, writes;
    struct text on_demand, warm; /* as they came; empty: not given */
};
struct ddb_tag {
    struct text key, value;
};
struct ddb_meta {
    bool made;            /* by CreateTable; else declared by an application */
    int64_t created_ms;
    char id[37];
    bool on_demand_mode;
    int64_t reads, writes, mode_ms;   /* mode_ms: when it last became on demand */
    struct text table_class;
    bool is_protected;
    struct text stream_view;          /* empty: no stream */
    int64_t stream_ms;                /* when the stream (or the last one) began; 0: never */
    struct text on_demand, warm;      /* JSON as it came */
    struct ddb_index_meta index[STORE_INDEXES_MAX];
    size_t indexes;
    struct ddb_tag tag[DDB_TAGS_MAX];
    size_t tags;
};
/* 0 also when there is no row: then the defaults of a declared table. ERR_COLD, ERR_CORRUPT, ERR_MEMORY. Texts live in the arena. */
int ddb_meta_get(struct store_view *view, struct arena *arena, struct text table, struct ddb_meta *meta);
int ddb_meta_put(struct store_stage *stage, struct text table, const struct ddb_meta *meta);
int ddb_meta_delete(struct store_stage *stage, struct text table);
bool ddb_meta_is_local(const struct ddb_meta *meta, struct text index);
/* Which of the table's indexes are local. */
int ddb_locals(struct store_view *view, struct arena *arena, const struct store_table *table, bool local[STORE_INDEXES_MAX]);
void ddb_uuid(char out[37]);

/* ---- describe.c ---- */
/* Writes a TableDescription. status: "ACTIVE", "CREATING", ... */
int ddb_describe(struct ddb_call *call, struct store_view *view, const struct store_table *table, const struct ddb_meta *meta, const char *status);
void ddb_time_json(struct json_writer *w, const char *name, int64_t ms);

/* ---- token.c: ClientRequestToken ---- */
/* 0: not seen (noted now); 1: seen with the same request; ERR_DUPLICATE: seen with another one; else a negative code. In the tick. */
int ddb_token_note(struct store_view *view, struct tick *tick, struct arena *arena, struct text token, uint64_t request);

/* The shapes of shapes.c are named by the table of operations. */
#define DDB_SHAPES(X)                                                                                                                     \
    X(create_table) X(describe_table) X(list_tables) X(delete_table) X(update_table) X(nothing) X(tag_resource) X(untag_resource)          \
    X(list_tags) X(update_ttl) X(table_alone) X(update_backups) X(put_item) X(get_item) X(delete_item) X(update_item) X(batch_get)         \
    X(batch_write) X(transact_get) X(transact_write) X(query) X(scan)
#define X(name) extern const struct shape ddb_shape_##name;
DDB_SHAPES(X)
#undef X

/* The steps of the operations, each in its file. */
#define DDB_STEPS(X)                                                                                                                      \
    X(create_table_prepare) X(describe_table_prepare) X(list_tables_prepare) X(delete_table_prepare) X(update_table_prepare)               \
    X(limits_prepare) X(endpoints_prepare) X(tag_prepare) X(untag_prepare) X(list_tags_prepare) X(update_ttl_prepare)                      \
    X(describe_ttl_prepare) X(describe_backups_prepare) X(update_backups_prepare) X(put_prepare) X(get_prepare) X(delete_prepare)          \
    X(update_prepare) X(batch_get_prepare) X(batch_write_prepare) X(transact_get_prepare) X(transact_write_prepare) X(query_prepare)       \
    X(scan_prepare)
#define X(name) int ddb_##name(struct ddb_call *call);
DDB_STEPS(X)
#undef X
#define DDB_PERFORMS(X)                                                                                                                   \
    X(create_table) X(describe_table) X(delete_table) X(update_table) X(tag) X(untag) X(list_tags) X(update_ttl) X(put) X(get)             \
    X(delete) X(update) X(batch_get) X(batch_write) X(transact_get) X(transact_write) X(page)
#define X(name) int ddb_##name##_perform(struct ddb_call *call, struct store_view *view, struct tick *tick);
DDB_PERFORMS(X)
#undef X
void ddb_write_answer(struct ddb_call *call);
void ddb_batch_write_answer(struct ddb_call *call);
void ddb_transact_write_answer(struct ddb_call *call);

#endif
