/*
 * What the files of the DynamoDB wire share. Nothing outside src/aws includes it.
 *
 * call.h is what all services share · ddb.c the table of operations · shapes.c the shapes of their requests · name.c keys and names · meta.c what the catalogue does not hold · schema.c, describe.c, table.c, update_table.c, settings.c, global_tables.c the control plane · item.c,
 * write.c single items · batch.c · transact.c, token.c · query.c, page.c · capacity.c · partiql*.c statements (partiql.h)
 */
#ifndef WEIR_AWS_DDB_H
#define WEIR_AWS_DDB_H

#include "aws/call.h"

extern const struct aws_service ddb_service;

/* ---- name.c ---- */
/* The table's name from a name or an ARN. */
int ddb_name(struct aws_call *call, const struct json *json, struct text *name);
/* A table that this wire knows: not those that hold what other wires keep. NULL. */
bool ddb_is_hidden(struct text name); /* tables that hold something else's rows, or are half of something */
const struct store_table *ddb_find(const struct aws_call *call, struct text name);
/* The table of the parameter TableName; the data plane's sentence when there is none. */
int ddb_table(struct aws_call *call, const struct json *json, const struct store_table **table);
int ddb_table_control(struct aws_call *call, struct text name, const struct store_table **table); /* the control plane's sentence */
/* Refuses tables that mirror live connections. */
int ddb_writable(struct aws_call *call, const struct store_table *table);
void ddb_arn(struct aws_call *call, struct text table, struct buf *out);
/* An item of the request: from JSON, checked. */
int ddb_item(struct aws_call *call, const struct json *json, struct attr **item);
/* The same checks of an item that came otherwise. */
int ddb_item_check(struct aws_call *call, const struct attr *item);
/* `key`: exactly the key attributes of the table ("The provided key element does not match the schema"). */
int ddb_key(struct aws_call *call, const struct store_table *table, const struct json *json, struct attr **key);
int ddb_key_check(struct aws_call *call, const struct store_table *table, const struct attr *key);
/* Key attributes inside an item that is put: present, of their types, within their sizes; index keys of their types. */
int ddb_item_keys(struct aws_call *call, const struct store_table *table, const struct attr *item);
/* The same of what an update expression made, which AWS words in another way. */
int ddb_updated_keys(struct aws_call *call, const struct store_table *table, const struct attr *item);
struct attr *ddb_key_of(struct arena *arena, const struct store_table *table, const struct attr *item); /* the key alone, shallow */
size_t ddb_key_names(const struct store_table *table, struct text names[2]);
/* Bytes that tell keys of all tables apart. data NULL without memory. */
struct text ddb_key_bytes(struct arena *arena, const struct store_table *table, const struct attr *key);
int ddb_projection_check(struct aws_call *call, struct expr_env *env, const struct store_table *table, const struct expr_projection *projection);
const char *ddb_type_tag(enum attr_type type);

#define DDB_DEFINITIONS_MAX (2 + 2 * STORE_INDEX_KEYS_MAX * STORE_INDEXES_MAX) /* key attributes of a table and its indexes */

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
void ddb_capacity_json(struct aws_call *call, const struct ddb_capacity *capacity, bool indexes, bool is_transaction, const bool *local);
enum ddb_return_capacity { DDB_CAPACITY_NONE, DDB_CAPACITY_TOTAL, DDB_CAPACITY_INDEXES };
enum ddb_return_capacity ddb_return_capacity(const struct aws_call *call);
/* The bytes of an item as an index holds it. */
size_t ddb_projected_size(const struct store_table *table, const struct store_index_decl *index, const struct attr *item);
/* Has the item (NULL: no) all attributes of the index's key? */
bool ddb_has_entry(const struct store_index_decl *index, const struct attr *item);
/* {"ItemCollectionKey":..,"SizeEstimateRangeGB":[0,1]} */
void ddb_collection_json(struct aws_call *call, const struct store_table *table, const struct attr *key);

/* ---- meta.c: raw rows beside the catalogue ---- */
#define DDB_TAGS_MAX 50
/* When provisioned throughput was last raised and lowered; 0: never. `lowered`: how often on the day of lowered_ms. */
struct ddb_changes {
    int64_t raised_ms, lowered_ms, lowered;
};
struct ddb_index_meta {
    struct text name;
    bool local;
    int64_t reads, writes;
    struct text on_demand, warm; /* as they came; empty: not given */
    struct ddb_changes changes;
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
    struct ddb_changes changes;
    struct text sse;                  /* SSESpecification as it came, while it is enabled */
    struct text table_class;
    bool is_protected;
    struct text stream_view;          /* empty: no stream */
    int64_t stream_ms;                /* when the stream (or the last one) began; 0: never */
    struct text on_demand, warm;      /* JSON as it came */
    struct text restored_from, restored_backup; /* ARNs: of the table, and of the backup if it was one; empty: it was not restored */
    int64_t restored_ms;              /* to which time */
    struct ddb_index_meta index[STORE_INDEXES_MAX];
    size_t indexes;
    struct ddb_tag tag[DDB_TAGS_MAX];
    size_t tags;
};
/* 0 also when there is no row: then the defaults of a declared table. ERR_COLD, ERR_CORRUPT, ERR_MEMORY. Texts live in the arena. */
int ddb_meta_get(struct store_view *view, struct arena *arena, struct text table, struct ddb_meta *meta);
int ddb_meta_put(struct store_stage *stage, struct text table, const struct ddb_meta *meta);
int ddb_meta_delete(struct store_stage *stage, struct text table);
/* Its JSON, for backups. ERR_MEMORY; ERR_CORRUPT. */
int ddb_meta_format(struct buf *out, const struct ddb_meta *meta);
int ddb_meta_parse(struct arena *arena, struct text json, struct ddb_meta *meta);
bool ddb_meta_is_local(const struct ddb_meta *meta, struct text index);
/* Which of the table's indexes are local. */
int ddb_locals(struct store_view *view, struct arena *arena, const struct store_table *table, bool local[STORE_INDEXES_MAX]);

/* ---- describe.c ---- */
/* Writes a TableDescription. status: "ACTIVE", "CREATING", ... */
int ddb_describe(struct aws_call *call, struct store_view *view, const struct store_table *table, const struct ddb_meta *meta, const char *status);

/* ---- token.c: ClientRequestToken ---- */
/* 0: not seen (noted now); 1: seen with the same request; ERR_DUPLICATE: seen with another one; else a negative code. In the tick. */
int ddb_token_note(struct store_view *view, struct tick *tick, struct arena *arena, struct text token, uint64_t request);

/* The shapes of shapes.c are named by the table of operations. */
#define DDB_SHAPES(X)                                                                                                                     \
    X(create_table) X(describe_table) X(list_tables) X(delete_table) X(update_table) X(nothing) X(tag_resource) X(untag_resource)          \
    X(list_tags) X(update_ttl) X(table_alone) X(update_backups) X(create_backup) X(backup_alone) X(list_backups) X(restore_backup) X(restore_time) X(export_table) X(export_alone) X(list_exports) X(import_table) X(import_alone) X(list_imports) X(list_global) X(create_global) X(global_alone) X(update_global) X(put_item) X(get_item) X(delete_item) X(update_item) X(batch_get)         \
    X(batch_write) X(transact_get) X(transact_write) X(query) X(scan) X(execute_statement) X(batch_execute) X(execute_transaction) \
    X(enable_destination) X(update_destination)
#define X(name) extern const struct shape ddb_shape_##name;
DDB_SHAPES(X)
#undef X

/* The steps of the operations, each in its file. */
#define DDB_STEPS(X)                                                                                                                      \
    X(create_table_prepare) X(describe_table_prepare) X(list_tables_prepare) X(delete_table_prepare) X(update_table_prepare)               \
    X(limits_prepare) X(endpoints_prepare) X(tag_prepare) X(untag_prepare) X(list_tags_prepare) X(update_ttl_prepare)                      \
    X(describe_ttl_prepare) X(describe_backups_prepare) X(update_backups_prepare) X(create_backup_prepare) X(describe_backup_prepare)        \
    X(list_backups_prepare) X(delete_backup_prepare) X(restore_backup_prepare) X(restore_time_prepare) X(export_prepare) X(import_prepare) X(list_global_prepare) X(create_global_prepare) X(describe_global_prepare) X(put_prepare) X(get_prepare) X(delete_prepare)          \
    X(update_prepare) X(batch_get_prepare) X(batch_write_prepare) X(transact_get_prepare) X(transact_write_prepare) X(query_prepare)       \
    X(scan_prepare) X(execute_statement_prepare) X(batch_execute_prepare) X(execute_transaction_prepare) \
    X(destination_prepare) X(describe_destination_prepare)
#define X(name) int ddb_##name(struct aws_call *call);
DDB_STEPS(X)
#undef X
#define DDB_PERFORMS(X)                                                                                                                   \
    X(update_backups) X(create_backup) X(describe_backup) X(list_backups) X(delete_backup) X(restore_backup) X(restore_time)              \
    X(export) X(describe_export) X(list_exports) X(import) X(describe_import) X(list_imports)                                             \
    X(create_table) X(describe_table) X(delete_table) X(update_table) X(tag) X(untag) X(list_tags) X(update_ttl) X(put) X(get)             \
    X(delete) X(update) X(batch_get) X(batch_write) X(transact_get) X(transact_write) X(page) X(execute_statement)        \
    X(batch_execute) X(execute_transaction) X(enable_destination) X(disable_destination) X(update_destination) X(describe_destination)
#define X(name) int ddb_##name##_perform(struct aws_call *call, struct store_view *view, struct tick *tick);
DDB_PERFORMS(X)
#undef X
void ddb_write_answer(struct aws_call *call);
void ddb_batch_write_answer(struct aws_call *call);
void ddb_transact_write_answer(struct aws_call *call);
void ddb_execute_statement_answer(struct aws_call *call);
void ddb_batch_execute_answer(struct aws_call *call);
void ddb_execute_transaction_answer(struct aws_call *call);

#endif
