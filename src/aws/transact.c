/*
 * TransactWriteItems and TransactGetItems. A transaction is one call of the tick: its save point is the transaction's. All actions are judged, so that every one that
 * fails has its reason, and nothing is kept unless none does. There is no TransactionConflict: calls of a tick run one after the other.
 */
#include "aws/transact.h"

static const char CANCELLED[] = "Transaction cancelled, please refer cancellation reasons for specific reasons [";

/* ---- TransactWriteItems ---- */

uint64_t ddb_digest(uint64_t seed, struct text bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        seed = (seed ^ (unsigned char)bytes.data[i]) * UINT64_C(0x100000001b3);
    return seed ^ bytes.len;
}

static int read_action(struct aws_call *call, const struct json *action, struct ddb_write *write)
{
    static const char *const names[] = {"Put", "Delete", "Update", "ConditionCheck"};
    const struct json *object = NULL;
    enum ddb_write_kind kind = DDB_PUT;
    int given = 0;
    for (int i = 0; i < 4; i++) {
        const struct json *found = shape_get(action, names[i]);
        if (!found)
            continue;
        object = found;
        kind = (enum ddb_write_kind)i;
        given++;
    }
    if (given != 1)
        return aws_fail(call, AWS_VALIDATION, "TransactItems can only contain one of Check, Put, Update or Delete");
    return ddb_write_read(call, object, kind, false, write);
}

int ddb_transaction_create(struct aws_call *call, const struct json *items, struct ddb_transaction **out)
{
    struct ddb_transaction *t = arena_zalloc(call->arena, sizeof(*t));
    if (!t)
        return aws_no_memory(call);
    call->state = t;
    t->write = arena_zalloc(call->arena, items->count * sizeof(*t->write));
    t->reason = arena_zalloc(call->arena, items->count * sizeof(*t->reason));
    t->local = arena_zalloc(call->arena, items->count * sizeof(*t->local));
    t->seen = arena_zalloc(call->arena, sizeof(*t->seen));
    if (!t->write || !t->reason || !t->local || !t->seen)
        return aws_no_memory(call);
    t->token = aws_param_text(call->in, "ClientRequestToken");
    t->digest = ddb_digest(DDB_DIGEST_SEED, items->raw);
    t->capacity = ddb_return_capacity(call);
    t->metrics = aws_param_is(call->in, "ReturnItemCollectionMetrics", "SIZE");
    *out = t;
    return 0;
}

int ddb_transaction_add(struct aws_call *call, struct ddb_transaction *t)
{
    struct ddb_write *write = &t->write[t->count++];
    write->want_before = t->capacity != DDB_CAPACITY_NONE;
    if (!write->key)
        write->key = ddb_key_of(call->arena, write->table, write->item);
    int code = write->key ? ddb_keyset_add(t->seen, call->arena, write->table, write->key) : ERR_MEMORY;
    if (code == ERR_DUPLICATE)
        return aws_fail(call, AWS_VALIDATION, "Transaction request cannot include multiple operations on one item");
    if (code)
        return aws_no_memory(call);
    t->bytes += item_size(write->item ? write->item : write->key);
    return t->bytes <= DDB_TRANSACT_BYTES ? 0 : aws_fail(call, AWS_VALIDATION, "Collection size of items in a transaction cannot exceed 4MB");
}

int ddb_transaction_cancel(struct aws_call *call, const struct ddb_reason *reasons_of, size_t count)
{
    struct buf message, reasons;
    struct json_writer w;
    buf_init(&message, 8192);
    buf_init(&reasons, AWS_BODY_MAX / 2);
    json_writer_init(&w, &reasons);
    buf_add_text(&message, text_of(CANCELLED));
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        const struct ddb_reason *reason = &reasons_of[i];
        buf_add_format(&message, "%s%s", i ? ", " : "", reason->code ? reason->code : "None");
        json_begin_object(&w);
        json_name(&w, "Code");
        json_str(&w, reason->code ? reason->code : "None");
        if (reason->code) {
            json_name(&w, "Message");
            json_text(&w, reason->message);
        }
        if (reason->item) {
            json_name(&w, "Item");
            item_to_wire(&w, reason->item);
        }
        json_end_object(&w);
    }
    json_end_array(&w);
    buf_add_char(&message, ']');
    int code = aws_fail_text(call, DDB_CANCELED, buf_text(&message));
    call->fault_reasons = reasons.failed ? TEXT_NONE : arena_copy(call->arena, buf_text(&reasons));
    buf_fini(&message);
    buf_fini(&reasons);
    return code;
}

/* What an item or a key has against its table's schema is its action's reason; what the request itself has against it is a fault of its own. */
static bool take_refusal(struct aws_call *call, const struct store_table *table, struct ddb_reason *reason)
{
    if (call->fault != AWS_VALIDATION || !table)
        return false;
    *reason = (struct ddb_reason){"ValidationError", call->message, NULL};
    call->fault = AWS_FINE;
    call->message = TEXT_NONE;
    return true;
}

int ddb_transact_write_prepare(struct aws_call *call)
{
    const struct json *items = shape_get(call->in, "TransactItems");
    struct ddb_transaction *t = NULL;
    bool refused = false;
    int code = ddb_transaction_create(call, items, &t);
    for (const struct json *at = items->first; at && !code; at = at->next) {
        code = read_action(call, at, &t->write[t->count]);
        if (!code) {
            code = ddb_transaction_add(call, t);
        } else if (take_refusal(call, t->write[t->count].table, &t->reason[t->count])) {
            refused = true;
            t->count++;
            code = 0;
        }
    }
    return !code && refused ? ddb_transaction_cancel(call, t->reason, t->count) : code;
}

/* A fault of one action becomes its reason; what is no fault of the request ends the transaction. */
static int take_reason(struct aws_call *call, struct ddb_reason *reason, const struct ddb_write *write, int code)
{
    if (code == ERR_CONDITION) {
        *reason = (struct ddb_reason){"ConditionalCheckFailed", TEXT("The conditional request failed"), write->item_on_failure ? write->before : NULL};
        return 0;
    }
    if (code == ERR_EXISTS) {
        *reason = (struct ddb_reason){"DuplicateItem", TEXT("Duplicate primary key exists in table"), write->item_on_failure ? write->before : NULL};
        return 0;
    }
    if (code == ERR_COLD || call->fault != AWS_VALIDATION)
        return code;
    *reason = (struct ddb_reason){"ValidationError", call->message, NULL};
    call->fault = AWS_FINE;
    return 0;
}

static int run_actions(struct aws_call *call, struct store_view *view, struct ddb_transaction *t, struct tick *tick)
{
    bool failed = false;
    for (size_t i = 0; i < t->count; i++) {
        struct store_save save = store_stage_save(tick_stage(tick));
        int code = ddb_write_run(call, view, &t->write[i]);
        t->reason[i] = (struct ddb_reason){0};
        if (code) {
            store_stage_rollback(tick_stage(tick), save);
            code = take_reason(call, &t->reason[i], &t->write[i], code);
            failed = true;
        }
        if (code)
            return code;
    }
    return failed ? ddb_transaction_cancel(call, t->reason, t->count) : 0;
}

int ddb_transact_write_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct ddb_transaction *t = call->state;
    int code = 0;
    t->replayed = false;
    if (t->token.len)
        code = ddb_token_note(view, tick, call->arena, t->token, t->digest);
    if (code == 1) {
        t->replayed = true;
        return 0;
    }
    if (code == ERR_DUPLICATE)
        return aws_fail(call, DDB_TOKEN_MISMATCH, "DynamoDB rejected the request because you retried a request with a different payload but with an idempotent token that was already used.");
    if (code)
        return aws_store_fail(call, code, NULL);
    for (size_t i = 0; i < t->count && (t->capacity == DDB_CAPACITY_INDEXES || t->metrics); i++) {
        code = ddb_locals(view, call->arena, t->write[i].table, t->local[i]);
        if (code)
            return aws_store_fail(call, code, NULL);
    }
    return run_actions(call, view, t, tick);
}

static void sum(struct ddb_capacity *capacity, const struct ddb_transaction *t, const struct ddb_write *write)
{
    if (t->replayed)
        capacity->reads += 2 * ddb_read_units(item_size(write->item ? write->item : write->key), true); /* AWS reads again to answer a retry */
    else
        ddb_capacity_write(capacity, write->before, write->after, 2);
}

/* One entry per table, in the order in which the tables come. */
static void write_capacity(struct aws_call *call, const struct ddb_transaction *t)
{
    json_name(&call->w, "ConsumedCapacity");
    json_begin_array(&call->w);
    for (size_t i = 0; i < t->count; i++) {
        struct ddb_capacity capacity = {.table = t->write[i].table};
        bool first = true;
        for (size_t k = 0; k < i; k++)
            first = first && t->write[k].table != capacity.table;
        for (size_t k = i; k < t->count && first; k++)
            if (t->write[k].table == capacity.table)
                sum(&capacity, t, &t->write[k]);
        if (first)
            ddb_capacity_json(call, &capacity, t->capacity == DDB_CAPACITY_INDEXES, true, t->local[i]);
    }
    json_end_array(&call->w);
}

static void write_metrics(struct aws_call *call, const struct ddb_transaction *t)
{
    struct json_writer *w = &call->w;
    json_name(w, "ItemCollectionMetrics");
    json_begin_object(w);
    for (size_t i = 0; i < t->count; i++) {
        const struct store_table *table = t->write[i].table;
        bool first = memchr(t->local[i], 1, STORE_INDEXES_MAX) != NULL;
        for (size_t k = 0; k < i; k++)
            first = first && t->write[k].table != table;
        if (!first)
            continue;
        json_name_text(w, store_table_name(table));
        json_begin_array(w);
        for (size_t k = i; k < t->count; k++)
            if (t->write[k].table == table && t->write[k].kind != DDB_CHECK)
                ddb_collection_json(call, table, t->write[k].key);
        json_end_array(w);
    }
    json_end_object(w);
}

static void write_responses(struct aws_call *call, const struct ddb_transaction *t)
{
    json_name(&call->w, "Responses");
    json_begin_array(&call->w);
    for (size_t i = 0; i < t->count; i++) {
        json_begin_object(&call->w);
        json_end_object(&call->w);
    }
    json_end_array(&call->w);
}

void ddb_transact_write_answer(struct aws_call *call)
{
    const struct ddb_transaction *t = call->state;
    for (size_t i = 0; i < t->count && !t->replayed; i++)
        ddb_write_used(call, &t->write[i], 2);
    json_begin_object(&call->w);
    if (t->responses)
        write_responses(call, t);
    if (t->capacity)
        write_capacity(call, t);
    if (t->metrics && !t->replayed)
        write_metrics(call, t);
    json_end_object(&call->w);
}

/* ---- TransactGetItems ---- */

struct get_action {
    const struct store_table *table;
    const struct attr *key;
    const struct expr_projection *projection;
    double reads;
};
struct transact_get {
    struct get_action *get;
    size_t count;
};

static int read_get(struct aws_call *call, const struct json *object, struct get_action *get)
{
    static const char *const expressions[] = {"ProjectionExpression", NULL};
    const struct json *expression = shape_get(object, "ProjectionExpression");
    struct expr_env env;
    struct attr *key = NULL;
    int code = ddb_item(call, shape_get(object, "Key"), &key);
    if (code)
        return code;
    get->key = key;
    code = expr_env_open(&env, call->arena, object, expressions, NULL);
    if (!code && expression)
        code = expr_projection_parse(&env, expression->text, &get->projection);
    if (!code)
        code = expr_env_close(&env);
    if (code)
        return aws_env_fail(call, &env);
    code = ddb_table(call, shape_get(object, "TableName"), &get->table);
    if (!code)
        code = ddb_key_check(call, get->table, get->key);
    return code ? code : ddb_projection_check(call, &env, get->table, get->projection);
}

int ddb_transact_get_prepare(struct aws_call *call)
{
    const struct json *items = shape_get(call->in, "TransactItems");
    struct transact_get *t = arena_zalloc(call->arena, sizeof(*t));
    struct ddb_keyset *seen = arena_zalloc(call->arena, sizeof(*seen));
    if (!t || !seen)
        return aws_no_memory(call);
    call->state = t;
    struct ddb_reason *reason = arena_zalloc(call->arena, items->count * sizeof(*reason));
    bool refused = false;
    t->get = arena_zalloc(call->arena, items->count * sizeof(*t->get));
    if (!t->get || !reason)
        return aws_no_memory(call);
    for (const struct json *at = items->first; at; at = at->next) {
        struct get_action *get = &t->get[t->count++];
        int code = read_get(call, shape_get(at, "Get"), get);
        if (code && take_refusal(call, get->table, &reason[t->count - 1])) {
            refused = true;
            continue;
        }
        if (code)
            return code;
        code = ddb_keyset_add(seen, call->arena, get->table, get->key);
        if (code == ERR_DUPLICATE)
            return aws_fail(call, AWS_VALIDATION, "Transaction request cannot include multiple operations on one item");
        if (code)
            return aws_no_memory(call);
    }
    return refused ? ddb_transaction_cancel(call, reason, t->count) : 0;
}

static int get_one(struct aws_call *call, struct store_view *view, struct get_action *get, size_t *bytes)
{
    const struct attr *item, *shown;
    struct arena_mark mark = arena_mark(call->arena);
    int code = store_get(view, get->table, get->key, call->arena, &item);
    if (code && code != ERR_NOT_FOUND)
        return aws_store_fail(call, code, NULL);
    size_t size = code ? 0 : item_size(item);
    *bytes += size;
    get->reads = 2 * ddb_read_units(size, true);
    aws_used(call, get->table, get->reads, 0);
    json_begin_object(&call->w);
    if (!code) {
        if (expr_projection_apply(get->projection, item, call->arena, &shown))
            return aws_no_memory(call);
        json_name(&call->w, "Item");
        item_to_wire(&call->w, shown);
    }
    json_end_object(&call->w);
    arena_rewind(call->arena, mark);
    return 0;
}

static void write_get_capacity(struct aws_call *call, const struct transact_get *t)
{
    bool local[STORE_INDEXES_MAX] = {false};
    json_name(&call->w, "ConsumedCapacity");
    json_begin_array(&call->w);
    for (size_t i = 0; i < t->count; i++) {
        struct ddb_capacity capacity = {.table = t->get[i].table};
        bool first = true;
        for (size_t k = 0; k < i; k++)
            first = first && t->get[k].table != capacity.table;
        for (size_t k = i; k < t->count; k++)
            if (t->get[k].table == capacity.table)
                capacity.reads += t->get[k].reads;
        if (first)
            ddb_capacity_json(call, &capacity, ddb_return_capacity(call) == DDB_CAPACITY_INDEXES, true, local);
    }
    json_end_array(&call->w);
}

int ddb_transact_get_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    (void)tick;
    struct transact_get *t = call->state;
    size_t bytes = 0;
    json_begin_object(&call->w);
    json_name(&call->w, "Responses");
    json_begin_array(&call->w);
    for (size_t i = 0; i < t->count; i++) {
        int code = view->cache_only && bytes > DDB_TRANSACT_IO_BYTES ? ERR_COLD : get_one(call, view, &t->get[i], &bytes);
        if (code)
            return code;
        if (bytes > DDB_TRANSACT_BYTES)
            return aws_fail(call, AWS_VALIDATION, "Collection size of items in a transaction cannot exceed 4MB");
    }
    json_end_array(&call->w);
    if (ddb_return_capacity(call))
        write_get_capacity(call, t);
    json_end_object(&call->w);
    return 0;
}
