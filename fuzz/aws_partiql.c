/*
 * Statements from anywhere: a byte with the number of parameters, the statement, a zero byte, a NextToken, a zero byte, and a stored item. The statement's bytes are
 * parsed as they are; what they say becomes conditions, columns and updates that are applied to the item, which must come out unchanged. Then the same statement
 * is prepared as a request, with the token, against a store with tables, and a SELECT is read: what is refused must say why.
 */
#include "aws/partiql.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/weir-fuzz-XXXXXX";
static struct store *store;

static void remove_folder(void)
{
    char command[64];
    store_close(store);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command))
        perror(folder);
}

static void fill(struct store_view *view, const struct store_table *table)
{
    struct arena arena;
    arena_init(&arena, 4096, 1 << 20);
    for (int i = 0; i < 6; i++) {
        struct attr *item = item_create(&arena);
        if (!item || !item_set_string(&arena, item, TEXT("p"), i < 3 ? TEXT("a") : TEXT("b")) || !item_set_i64(&arena, item, TEXT("r"), i) ||
            !item_set_string(&arena, item, TEXT("color"), TEXT("red")) || !item_set_i64(&arena, item, TEXT("mass"), i % 2) ||
            store_put(view, table, item, 0, &arena, NULL, NULL))
            abort();
    }
    arena_fini(&arena);
}

static void open_store(void)
{
    static struct store_table_decl decl;
    struct store_config config = {.folder = folder};
    struct store_stage *stage;
    const struct store_table *table;
    struct buf record;
    decl = (struct store_table_decl){.name = TEXT("rich"), .hash = TEXT("p"), .hash_type = ATTR_STRING, .range = TEXT("r"), .range_type = ATTR_NUMBER, .indexes = 1};
    decl.index[0] = (struct store_index_decl){
        .name = TEXT("byColor"), .key = {.part = {{TEXT("color"), ATTR_STRING}, {TEXT("mass"), ATTR_NUMBER}}, .hashes = 1, .ranges = 1}};
    if (!mkdtemp(folder) || store_open(&store, &config, NULL) || store_stage_create(store, &stage) || store_table_define(stage, &decl, &table, NULL))
        abort();
    struct store_view view = {.store = store, .stage = stage, .now_s = 1};
    fill(&view, table);
    buf_init(&record, 1 << 20);
    if (store_stage_seal(stage, 1, &record) || store_stage_apply(stage, 1, NULL) || store_snapshot_publish(store))
        abort();
    store_stage_destroy(stage);
    buf_fini(&record);
    atexit(remove_folder);
}

/* ---- the statement alone ---- */

static void try_forms(struct expr_env *env, const struct partiql_statement *s, const struct attr *item)
{
    const struct expr_condition *condition;
    const struct expr_projection *columns;
    const struct expr_update *update;
    const struct attr *out;
    struct err err;
    if (s->where && !expr_form_condition(env, EXPR_CONDITION, s->where, &condition)) {
        expr_condition_eval(condition, item);
        expr_condition_eval(condition, NULL);
    }
    if (s->columns && !expr_form_columns(env, (const struct expr_form *const *)s->column, s->label, s->columns, &columns))
        expr_projection_apply(columns, item, env->arena, &out);
    if (s->actions && !expr_form_update(env, s->action, s->actions, &update) && !expr_update_apply(update, item, item, env->arena, &out, &err) && out && item_check(out, NULL))
        abort();
}

static void try_statement(struct arena *arena, struct text statement, size_t parameters, const struct attr *item)
{
    const struct attr *parameter[2] = {item, item->first ? item->first : item};
    struct partiql_statement s;
    struct expr_env env;
    struct buf before, after;
    if (statement.len > PARTIQL_TEXT_MAX)
        return;
    expr_env_init(&env, arena);
    int code = partiql_parse(&env, statement, parameter, parameters, &s);
    if (code > 0 || (code == ERR_INVALID && !env.message.len))
        abort();
    if (code)
        return;
    buf_init(&before, 16u << 20);
    buf_init(&after, 16u << 20);
    if (item_encode(&before, item))
        abort();
    try_forms(&env, &s, item);
    if (item_encode(&after, item) || !text_equal(buf_text(&before), buf_text(&after)))
        abort();
    buf_fini(&before);
    buf_fini(&after);
}

/* ---- the request ---- */

static void write_request(struct buf *body, struct text statement, size_t parameters, struct text token)
{
    struct json_writer w;
    json_writer_init(&w, body);
    json_begin_object(&w);
    json_name(&w, "Statement");
    json_text(&w, statement);
    if (parameters) {
        json_name(&w, "Parameters");
        json_raw(&w, parameters == 1 ? TEXT("[{\"S\":\"a\"}]") : TEXT("[{\"S\":\"a\"},{\"N\":\"1\"}]"));
    }
    if (token.len) {
        json_name(&w, "NextToken");
        json_text(&w, token);
    }
    json_end_object(&w);
}

static void try_request(struct arena *arena, struct text statement, size_t parameters, struct text token)
{
    static const struct gateway_config config = {.region = {"us-east-1", 9}, .account = {"123456789012", 12}};
    struct aws_call call = {.config = &config, .store = store, .arena = arena, .service = &ddb_service};
    struct store_view view = {.store = store, .now_s = 1};
    struct buf body;
    for (call.op = ddb_service.operations; strcmp(call.op->name, "ExecuteStatement") != 0; call.op++)
        ;
    buf_init(&body, 1 << 20);
    buf_init(&call.body, 1 << 20);
    aws_body_begin(&call);
    write_request(&body, statement, parameters, token);
    int code = aws_prepare(&call, buf_text(&body));
    if (code > 0 || (code != 0) != (call.fault != AWS_FINE) || (code && call.fault != AWS_INTERNAL && call.fault != AWS_SERIALIZATION && !call.message.len))
        abort();
    if (!code && call.way != AWS_WRITE) {
        view.snapshot = store_snapshot_acquire(store, 0);
        code = call.op->perform(&call, &view, NULL);
        store_snapshot_release(store, 0);
        if ((code != 0) != (call.fault != AWS_FINE))
            abort();
    }
    buf_fini(&body);
    buf_fini(&call.body);
}

static struct text part(struct text *rest)
{
    ptrdiff_t end = text_find(*rest, 0, 0);
    struct text out = text_make(rest->data, end < 0 ? rest->len : (size_t)end);
    *rest = end < 0 ? TEXT_NONE : text_make(rest->data + end + 1, rest->len - (size_t)end - 1);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct attr *item = NULL;
    if (!size)
        return 0;
    if (!store)
        open_store();
    struct text rest = text_make(data + 1, size - 1), statement = part(&rest), token = part(&rest);
    arena_init(&arena, 4096, 64u << 20);
    if (!rest.len || item_decode(&arena, rest, &item) || item_check(item, NULL))
        item = item_create(&arena);
    try_statement(&arena, statement, data[0] % 3, item);
    try_request(&arena, statement, data[0] % 3, token);
    arena_fini(&arena);
    return 0;
}
