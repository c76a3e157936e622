/* What hangs on a table: tags, time to live. */
#include "aws/schema.h"

/* ---- tags ---- */

static int arn_table(struct aws_call *call, const struct store_table **table)
{
    const struct json *arn = shape_get(call->in, "ResourceArn");
    struct text name;
    if (!text_starts(arn->text, TEXT("arn:")))
        return aws_fail(call, AWS_VALIDATION, "Invalid TableArn: Invalid ResourceArn provided as input %.*s", TEXT_FMT(arn->text));
    int code = ddb_name(call, arn, &name);
    if (code)
        return code;
    *table = ddb_find(call, name);
    return *table ? 0 : aws_fail(call, DDB_NOT_FOUND, "Requested resource not found: ResourcArn: %.*s not found", TEXT_FMT(arn->text));
}

int ddb_tag_prepare(struct aws_call *call)
{
    const struct store_table *table = NULL;
    if (!shape_get(call->in, "Tags")->count)
        return aws_fail(call, AWS_VALIDATION, "Atleast one Tag needs to be provided as Input.");
    int code = arn_table(call, &table);
    call->state = (void *)(uintptr_t)table;
    return code;
}

int ddb_untag_prepare(struct aws_call *call)
{
    const struct store_table *table = NULL;
    if (!shape_get(call->in, "TagKeys")->count)
        return aws_fail(call, AWS_VALIDATION, "Atleast one Tag Key needs to be provided as Input.");
    int code = arn_table(call, &table);
    call->state = (void *)(uintptr_t)table;
    return code;
}

int ddb_list_tags_prepare(struct aws_call *call)
{
    const struct store_table *table = NULL;
    int code = arn_table(call, &table);
    call->state = (void *)(uintptr_t)table;
    return code;
}

static int meta_of(struct aws_call *call, struct store_view *view, struct ddb_meta **meta)
{
    const struct store_table *table = call->state;
    *meta = arena_alloc(call->arena, sizeof(**meta));
    if (!*meta)
        return aws_no_memory(call);
    int code = ddb_meta_get(view, call->arena, store_table_name(table), *meta);
    return code ? aws_store_fail(call, code, NULL) : 0;
}

static int meta_keep(struct aws_call *call, struct tick *tick, const struct ddb_meta *meta)
{
    const struct store_table *table = call->state;
    int code = ddb_meta_put(tick_stage(tick), store_table_name(table), meta); /* the answer is an empty body */
    return code ? aws_store_fail(call, code, NULL) : 0;
}

int ddb_tag_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct ddb_meta *meta;
    int code = meta_of(call, view, &meta);
    if (!code)
        code = ddb_schema_tags(call, shape_get(call->in, "Tags"), meta);
    return code ? code : meta_keep(call, tick, meta);
}

int ddb_untag_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct ddb_meta *meta;
    int code = meta_of(call, view, &meta);
    if (code)
        return code;
    for (const struct json *key = shape_get(call->in, "TagKeys")->first; key; key = key->next)
        for (size_t i = 0; i < meta->tags; i++)
            if (text_equal(meta->tag[i].key, key->text)) {
                meta->tag[i] = meta->tag[--meta->tags];
                break;
            }
    return meta_keep(call, tick, meta);
}

int ddb_list_tags_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct json_writer *w = &call->w;
    struct ddb_meta *meta;
    (void)tick;
    int code = meta_of(call, view, &meta);
    if (code)
        return code;
    json_begin_object(w);
    json_name(w, "Tags");
    json_begin_array(w);
    for (size_t i = 0; i < meta->tags; i++) {
        json_begin_object(w);
        json_name(w, "Key");
        json_text(w, meta->tag[i].key);
        json_name(w, "Value");
        json_text(w, meta->tag[i].value);
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
    return 0;
}

/* ---- time to live ---- */

static int control_table(struct aws_call *call)
{
    struct text name;
    const struct store_table *table = NULL;
    int code = ddb_name(call, shape_get(call->in, "TableName"), &name);
    if (!code)
        code = ddb_table_control(call, name, &table);
    call->state = (void *)(uintptr_t)table;
    return code;
}

int ddb_update_ttl_prepare(struct aws_call *call)
{
    return control_table(call);
}

int ddb_update_ttl_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct store_table *table = call->state;
    const struct json *spec = shape_get(call->in, "TimeToLiveSpecification");
    struct text attribute = aws_param_text(spec, "AttributeName");
    bool enable = aws_param_true(spec, "Enabled");
    struct store_table_decl *decl = arena_alloc(call->arena, sizeof(*decl));
    struct ddb_meta *meta;
    struct err err = {0};
    int code = decl ? meta_of(call, view, &meta) : aws_no_memory(call);
    if (code)
        return code;
    if (!meta->made)
        return aws_fail(call, DDB_IN_USE, "Attempt to change a resource which is still in use: Table %.*s is declared by an application",
            TEXT_FMT(store_table_name(table)));
    if (store_table_filling(table))
        return aws_fail(call, DDB_IN_USE, "Attempt to change a resource which is still in use: Table is being created: %.*s", TEXT_FMT(store_table_name(table)));
    *decl = *store_table_decl(table);
    if (enable && decl->ttl.len)
        return text_equal(decl->ttl, attribute) ? aws_fail(call, AWS_VALIDATION, "TimeToLive is already enabled")
                                                : aws_fail(call, AWS_VALIDATION, "TimeToLive is active on a different AttributeName: current AttributeName is %.*s",
                                                      TEXT_FMT(decl->ttl));
    if (!enable && !decl->ttl.len)
        return aws_fail(call, AWS_VALIDATION, "TimeToLive is already disabled");
    if (!enable && !text_equal(decl->ttl, attribute))
        return aws_fail(call, AWS_VALIDATION, "TimeToLive is active on a different AttributeName: current AttributeName is %.*s", TEXT_FMT(decl->ttl));
    decl->ttl = enable ? attribute : TEXT_NONE;
    code = store_table_define(tick_stage(tick), decl, NULL, &err);
    if (code)
        return aws_store_fail(call, code, &err);
    json_begin_object(&call->w);
    json_name(&call->w, "TimeToLiveSpecification");
    json_value(&call->w, spec);
    json_end_object(&call->w);
    return 0;
}

int ddb_describe_ttl_prepare(struct aws_call *call)
{
    struct json_writer *w = &call->w;
    int code = control_table(call);
    if (code)
        return code;
    struct text ttl = store_table_decl(call->state)->ttl;
    json_begin_object(w);
    json_name(w, "TimeToLiveDescription");
    json_begin_object(w);
    json_name(w, "TimeToLiveStatus");
    json_str(w, ttl.len ? "ENABLED" : "DISABLED");
    if (ttl.len) {
        json_name(w, "AttributeName");
        json_text(w, ttl);
    }
    json_end_object(w);
    json_end_object(w);
    return 0;
}
