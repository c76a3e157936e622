/* Reading the requests of Query and Scan: parameters against each other, expressions, the index, the starting key. */
#include "aws/page.h"

static const char *const query_expressions[] = {"ProjectionExpression", "FilterExpression", "KeyConditionExpression", NULL};
static const char *const query_legacy[] = {"AttributesToGet", "QueryFilter", "ConditionalOperator", "KeyConditions", NULL};
static const char *const scan_expressions[] = {"ProjectionExpression", "FilterExpression", NULL};
static const char *const scan_legacy[] = {"AttributesToGet", "ScanFilter", "ConditionalOperator", NULL};

struct reading {
    struct aws_call *call;
    struct ddb_page *page;
    struct expr_env env;
    const struct expr_key_condition *keys;
};

/* ---- Select ---- */

static enum ddb_select select_of(struct text given)
{
    static const char *const names[] = {"", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", "COUNT"};
    for (int i = 1; i < 5; i++)
        if (text_is(given, names[i]))
            return (enum ddb_select)i;
    return DDB_SELECT_DEFAULT;
}

static int check_select(struct reading *r)
{
    struct aws_call *call = r->call;
    struct text given = aws_param_text(call->in, "Select");
    const char *projection = shape_get(call->in, "ProjectionExpression") ? "ProjectionExpression" : shape_get(call->in, "AttributesToGet") ? "AttributesToGet" : NULL;
    r->page->select = select_of(given);
    if (r->page->select == DDB_SELECT_SPECIFIC && !projection)
        return aws_fail(call, AWS_VALIDATION, "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES");
    if (projection && given.len && r->page->select != DDB_SELECT_SPECIFIC)
        return aws_fail(call, AWS_VALIDATION, "Cannot specify the %s when choosing to get %.*s", projection,
            TEXT_FMT(r->page->select == DDB_SELECT_COUNT ? TEXT("only the Count") : given));
    if (r->page->select == DDB_SELECT_PROJECTED && !shape_get(call->in, "IndexName"))
        return aws_fail(call, AWS_VALIDATION, "ALL_PROJECTED_ATTRIBUTES can be used only when %s using an IndexName", r->page->is_query ? "Querying" : "Scanning");
    return 0;
}

/* ---- expressions ---- */

static int read_filter(struct reading *r)
{
    const struct json *in = r->call->in, *expression = shape_get(in, "FilterExpression");
    const char *legacy = r->page->is_query ? "QueryFilter" : "ScanFilter";
    if (expression)
        return expr_condition_parse(&r->env, EXPR_FILTER, expression->text, &r->page->filter);
    return expr_legacy_condition(&r->env, legacy, shape_get(in, legacy), aws_param_text(in, "ConditionalOperator"), &r->page->filter);
}

static int read_projection(struct reading *r)
{
    const struct json *in = r->call->in, *expression = shape_get(in, "ProjectionExpression");
    if (expression)
        return expr_projection_parse(&r->env, expression->text, &r->page->projection);
    return expr_legacy_attributes(&r->env, shape_get(in, "AttributesToGet"), &r->page->projection);
}

static int read_key_condition(struct reading *r)
{
    const struct json *in = r->call->in, *expression = shape_get(in, "KeyConditionExpression");
    if (!r->page->is_query)
        return 0;
    if (expression)
        return expr_key_condition_parse(&r->env, expression->text, &r->keys);
    return expr_legacy_key_conditions(&r->env, shape_get(in, "KeyConditions"), &r->keys);
}

static int read_expressions(struct reading *r)
{
    struct aws_call *call = r->call;
    bool query = r->page->is_query;
    int code = expr_env_open(&r->env, call->arena, call->in, query ? query_expressions : scan_expressions, query ? query_legacy : scan_legacy);
    if (code)
        return aws_env_fail(call, &r->env);
    if (query && !shape_get(call->in, "KeyConditionExpression") && !shape_get(call->in, "KeyConditions"))
        return aws_fail(call, AWS_VALIDATION, "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.");
    code = read_projection(r);
    if (!code)
        code = read_filter(r);
    if (!code)
        code = read_key_condition(r);
    if (!code)
        code = expr_env_close(&r->env);
    return code ? aws_env_fail(call, &r->env) : 0;
}

/* ---- table, index and keys ---- */

static int find_index(struct reading *r)
{
    struct aws_call *call = r->call;
    const struct json *name = shape_get(call->in, "IndexName");
    int code = ddb_table(call, shape_get(call->in, "TableName"), &r->page->table);
    if (code || !name)
        return code;
    r->page->index = store_index_find(r->page->table, name->text);
    return r->page->index ? 0 : aws_fail(call, AWS_VALIDATION, "The table does not have the specified index: %.*s", TEXT_FMT(name->text));
}

static const struct store_key *page_key(const struct ddb_page *page)
{
    return store_key_of(page->table, page->index);
}

static int check_keys(struct reading *r)
{
    const struct store_key *key = page_key(r->page);
    struct text names[2 * STORE_INDEX_KEYS_MAX], table[2];
    size_t m = ddb_key_names(r->page->table, table);
    int code = 0;
    if (r->page->is_query) {
        for (size_t i = 0; i < store_key_parts(key); i++)
            names[i] = key->part[i].name;
        code = expr_key_condition_resolve(&r->env, r->keys, key, &r->page->range);
        if (!code && r->page->filter)
            code = expr_condition_check_keys(&r->env, r->page->filter, names, store_key_parts(key));
    }
    if (!code && r->page->filter)
        code = expr_condition_check_paths(&r->env, r->page->filter, table, m);
    if (!code && r->page->projection)
        code = expr_projection_check_paths(&r->env, r->page->projection, table, m);
    return code ? aws_env_fail(r->call, &r->env) : 0;
}

/* ---- the starting key ---- */

/* Has the starting key all attributes of `of`? Those that `but` (may be NULL) does not name are counted in `seen`. */
static bool has_key(const struct attr *key, const struct store_key *of, const struct store_key *but, size_t *seen)
{
    for (size_t i = 0; i < store_key_parts(of); i++) {
        const struct attr *value = item_get(key, of->part[i].name);
        *seen += !but || !store_key_has(but, of->part[i].name);
        if (!value || value->type != of->part[i].type || (value->type != ATTR_NUMBER && !value->text.len))
            return false;
    }
    return true;
}

static bool key_fits(const struct ddb_page *page, const struct attr *key)
{
    const struct store_key *table = store_key_of(page->table, NULL);
    size_t seen = 0;
    bool fits = has_key(key, table, NULL, &seen) && (!page->index || has_key(key, page_key(page), table, &seen));
    return fits && key->count == seen;
}

static int compare(const struct attr *a, const struct attr *b)
{
    struct decimal x, y;
    if (a->type != ATTR_NUMBER)
        return text_compare(a->text, b->text);
    return decimal_parse(a->text, &x) || decimal_parse(b->text, &y) ? 0 : decimal_compare(&x, &y);
}

static bool in_range(const struct expr_key_range *range, const struct attr *value)
{
    switch (range->op) {
    case STORE_RANGE_EQ:
        return compare(value, range->low) == 0;
    case STORE_RANGE_LT:
        return compare(value, range->low) < 0;
    case STORE_RANGE_LE:
        return compare(value, range->low) <= 0;
    case STORE_RANGE_GT:
        return compare(value, range->low) > 0;
    case STORE_RANGE_GE:
        return compare(value, range->low) >= 0;
    case STORE_RANGE_BETWEEN:
        return compare(value, range->low) >= 0 && compare(value, range->high) <= 0;
    case STORE_RANGE_PREFIX:
        return text_starts(value->text, range->low->text);
    default:
        return true;
    }
}

/* Does the condition's hash hold for the starting key? */
static bool in_partition(const struct ddb_page *page, const struct attr *start)
{
    const struct store_key *key = page_key(page);
    for (size_t i = 0; i < key->hashes; i++)
        if (compare(item_get(start, key->part[i].name), page->range.hash[i]))
            return false;
    return true;
}

static bool in_ranges(const struct ddb_page *page, const struct attr *start)
{
    const struct expr_key_range *range = &page->range;
    const struct store_key *key = page_key(page);
    const struct store_key_part *part = &key->part[key->hashes];
    for (size_t i = 0; i < range->equals; i++)
        if (compare(item_get(start, part[i].name), range->equal[i]))
            return false;
    return range->op == STORE_RANGE_ALL || in_range(range, item_get(start, part[range->equals].name));
}

static int read_after(struct reading *r)
{
    struct aws_call *call = r->call;
    struct ddb_page *page = r->page;
    const struct json *given = shape_get(call->in, "ExclusiveStartKey");
    struct attr *key = NULL;
    if (!given)
        return 0;
    int code = ddb_item(call, given, &key);
    if (code)
        return code;
    if (!key_fits(page, key))
        return aws_fail(call, AWS_VALIDATION,
            page->index ? "The provided starting key is invalid" : "The provided starting key is invalid: The provided key element does not match the schema");
    page->after = key;
    if (!page->is_query)
        return 0;
    if (!in_partition(page, key))
        return aws_fail(call, AWS_VALIDATION, page->index ? "The provided starting key is invalid"
                                                         : "The provided starting key is outside query boundaries based on provided conditions");
    if (!in_ranges(page, key))
        return aws_fail(call, AWS_VALIDATION, "The provided starting key is outside query boundaries based on provided conditions");
    return 0;
}

/* ---- segments ---- */

static int read_segments(struct reading *r)
{
    struct aws_call *call = r->call;
    const struct json *segment = shape_get(call->in, "Segment"), *total = shape_get(call->in, "TotalSegments");
    if (r->page->is_query || (!segment && !total))
        return 0;
    if (!total)
        return aws_fail(call, AWS_VALIDATION, "The TotalSegments parameter is required but was not present in the request when Segment parameter is present");
    if (!segment)
        return aws_fail(call, AWS_VALIDATION, "The Segment parameter is required but was not present in the request when parameter TotalSegments is present");
    json_to_i64(segment, &r->page->segment);
    json_to_i64(total, &r->page->segments);
    if (r->page->segment >= r->page->segments)
        return aws_fail(call, AWS_VALIDATION,
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: %lld is not less than TotalSegments: %lld",
            (long long)r->page->segment, (long long)r->page->segments);
    return 0;
}

static int prepare(struct aws_call *call, bool is_query)
{
    struct reading r = {.call = call, .page = arena_zalloc(call->arena, sizeof(struct ddb_page))};
    const struct json *limit = shape_get(call->in, "Limit");
    if (!r.page)
        return aws_no_memory(call);
    call->state = r.page;
    r.page->is_query = is_query;
    r.page->backward = json_is(shape_get(call->in, "ScanIndexForward"), JSON_FALSE);
    r.page->consistent = aws_param_true(call->in, "ConsistentRead");
    if (limit)
        json_to_i64(limit, &r.page->limit);
    int code = read_segments(&r);
    if (!code)
        code = check_select(&r);
    if (!code)
        code = read_expressions(&r);
    if (!code)
        code = find_index(&r);
    if (!code)
        code = check_keys(&r);
    return code ? code : read_after(&r);
}

int ddb_query_prepare(struct aws_call *call)
{
    return prepare(call, true);
}

int ddb_scan_prepare(struct aws_call *call)
{
    return prepare(call, false);
}
