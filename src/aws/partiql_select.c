/*
 * SELECT as a query or a scan.
 *
 * A condition that must hold for every result and fixes the hash key makes it a query; several values, by IN or OR, make it one query per value, read one
 * after the other. The whole WHERE stays on as the filter: what the key range says already costs little to ask again, and no starting key, forged or not, can
 * lead to items that it does not allow.
 */
#include "aws/partiql.h"

/* ---- the hash keys ---- */

struct hashes {
    struct text name;
    const struct attr *value[PARTIQL_HASHES_MAX];
    size_t count;
    bool too_many;
};

static void add_hash(struct hashes *hashes, const struct attr *value)
{
    for (size_t i = 0; i < hashes->count; i++)
        if (attr_equal(hashes->value[i], value))
            return;
    hashes->too_many = hashes->too_many || hashes->count == PARTIQL_HASHES_MAX;
    if (!hashes->too_many)
        hashes->value[hashes->count++] = value;
}

static bool collect_in(struct hashes *hashes, const struct expr_form *in)
{
    if (!partiql_is_name(in->first, hashes->name))
        return false;
    for (const struct expr_form *at = in->first->next; at; at = at->next)
        if (at->op != FORM_VALUE)
            return false;
    for (const struct expr_form *at = in->first->next; at; at = at->next)
        add_hash(hashes, at->value);
    return true;
}

/* Can only items hold the condition whose hash key is among some values? Adds them; what was added stays behind when the answer is no. */
static bool collect(struct hashes *hashes, const struct expr_form *form)
{
    const struct attr *value = partiql_equal_to(form, hashes->name);
    if (value)
        add_hash(hashes, value);
    if (value || form->op == FORM_IN)
        return value || collect_in(hashes, form);
    if (form->op != FORM_OR && form->op != FORM_AND)
        return false;
    for (const struct expr_form *at = form->first; at; at = at->next) {
        size_t before = hashes->count;
        bool was = hashes->too_many;
        if (collect(hashes, at) == (form->op == FORM_AND))
            return form->op == FORM_AND; /* one term of an AND is enough; one of an OR that allows all is too much */
        if (form->op == FORM_AND) {
            hashes->count = before;
            hashes->too_many = was;
        }
    }
    return form->op == FORM_OR;
}

/* ---- the range ---- */

/* Can the term bound the attribute in a key condition? */
static bool bounds(const struct expr_form *form, struct text name)
{
    bool first = form->first && partiql_is_name(form->first, name), last = form->last && partiql_is_name(form->last, name);
    switch (form->op) {
    case FORM_EQ:
    case FORM_LT:
    case FORM_LE:
    case FORM_GT:
    case FORM_GE:
        return (first && form->last->op == FORM_VALUE) || (last && form->first->op == FORM_VALUE);
    case FORM_BEGINS:
        return first && form->last->op == FORM_VALUE;
    case FORM_BETWEEN:
        return first && form->first->next->op == FORM_VALUE && form->last->op == FORM_VALUE;
    default:
        return false;
    }
}

/* An equality where there is one, since further range attributes may follow it. */
static const struct expr_form *find_bound(const struct expr_form *form, struct text name)
{
    const struct expr_form *found = NULL;
    if (form->op != FORM_AND)
        return bounds(form, name) ? form : NULL;
    for (const struct expr_form *at = form->first; at; at = at->next) {
        const struct expr_form *bound = find_bound(at, name);
        if (bound && (!found || (bound->op == FORM_EQ && found->op != FORM_EQ)))
            found = bound;
    }
    return found;
}

struct planning {
    struct aws_call *call;
    struct partiql_request *request;
    struct ddb_page *page;
    const struct store_key *key;
    struct hashes hashes;
};

/* Terms are copied, because each stands in the WHERE's own list already. */
static int add_term(struct planning *plan, struct expr_form *all, const struct expr_form *term)
{
    struct expr_form *copy = arena_alloc(plan->call->arena, sizeof(*copy));
    if (!copy)
        return aws_no_memory(plan->call);
    *copy = *term;
    expr_form_add(all, copy);
    return 0;
}

static int add_equal(struct planning *plan, struct expr_form *all, struct text name, const struct attr *value)
{
    struct expr_form *node = arena_zalloc(plan->call->arena, 3 * sizeof(*node));
    struct expr_form_step *step = arena_zalloc(plan->call->arena, sizeof(*step));
    if (!node || !step)
        return aws_no_memory(plan->call);
    step->name = name;
    node[0].op = FORM_EQ;
    node[1] = (struct expr_form){.op = FORM_PATH, .count = 1, .step = step};
    node[2] = (struct expr_form){.op = FORM_VALUE, .value = value};
    expr_form_add(&node[0], &node[1]);
    expr_form_add(&node[0], &node[2]);
    expr_form_add(all, &node[0]);
    return 0;
}

/* `value`: the hash key, when it has one attribute; else its attributes are looked for. */
static int plan_range(struct planning *plan, const struct attr *value, struct expr_key_range *range)
{
    const struct expr_form *where = plan->request->statement.where;
    const struct expr_key_condition *keys;
    struct expr_form all = {.op = FORM_AND};
    struct expr_env *env = &plan->request->env;
    int code = 0;
    for (size_t i = 0; i < plan->key->hashes && !code; i++)
        code = add_equal(plan, &all, plan->key->part[i].name, plan->key->hashes == 1 ? value : partiql_find_equal(where, plan->key->part[i].name));
    for (size_t i = plan->key->hashes; i < store_key_parts(plan->key) && !code; i++) {
        const struct expr_form *bound = find_bound(where, plan->key->part[i].name);
        if (!bound)
            break;
        code = add_term(plan, &all, bound);
        if (bound->op != FORM_EQ)
            break;
    }
    if (code)
        return code;
    if (expr_form_keys(env, &all, &keys) || expr_key_condition_resolve(env, keys, plan->key, range))
        return aws_env_fail(plan->call, env);
    return 0;
}

/* How many queries it is; 0: a scan. */
static size_t count_queries(struct planning *plan)
{
    const struct expr_form *where = plan->request->statement.where;
    if (!where)
        return 0;
    if (plan->key->hashes > 1) {
        for (size_t i = 0; i < plan->key->hashes; i++)
            if (!partiql_find_equal(where, plan->key->part[i].name))
                return 0;
        return 1;
    }
    plan->hashes.name = plan->key->part[0].name;
    return collect(&plan->hashes, where) ? plan->hashes.count : 0;
}

static int plan_ranges(struct planning *plan)
{
    struct ddb_page *page = plan->page;
    size_t queries = count_queries(plan);
    int code = 0;
    if (queries && plan->hashes.too_many)
        return aws_fail(plan->call, AWS_VALIDATION, "The WHERE clause has too many values for the hash key; maximum: %d", PARTIQL_HASHES_MAX);
    if (!queries)
        return 0;
    struct expr_key_range *each = arena_array(plan->call->arena, queries, sizeof(*each));
    if (!each)
        return aws_no_memory(plan->call);
    for (size_t i = 0; i < queries && !code; i++)
        code = plan_range(plan, plan->hashes.value[i], &each[i]);
    if (code)
        return code;
    page->is_query = true;
    page->range = each[0];
    page->each = each;
    page->ranges = queries;
    return 0;
}

/* ---- the order ---- */

static int compare_values(const struct attr *a, const struct attr *b)
{
    struct decimal x, y;
    if (a->type != ATTR_NUMBER)
        return text_compare(a->text, b->text);
    return decimal_parse(a->text, &x) || decimal_parse(b->text, &y) ? 0 : decimal_compare(&x, &y);
}

/* Insertion sort: there are at most PARTIQL_HASHES_MAX. */
static void sort_ranges(struct ddb_page *page, bool descending)
{
    struct expr_key_range *each = (struct expr_key_range *)page->each; /* made here, not shared yet */
    for (size_t i = 1; i < page->ranges; i++)
        for (size_t k = i; k; k--) {
            int order = compare_values(each[k - 1].hash[0], each[k].hash[0]);
            if (descending ? order >= 0 : order <= 0)
                break;
            struct expr_key_range swap = each[k];
            each[k] = each[k - 1];
            each[k - 1] = swap;
        }
    page->range = each[0];
}

/* The position of a name in the key; negative when it is none of it. */
static int position(const struct store_key *key, struct text name)
{
    for (size_t i = 0; i < store_key_parts(key); i++)
        if (text_equal(key->part[i].name, name))
            return (int)i;
    return -1;
}

static int check_order(struct planning *plan)
{
    const struct partiql_statement *s = &plan->request->statement;
    if (!s->where)
        return aws_fail(plan->call, AWS_VALIDATION, "Must have WHERE clause in the statement when using ORDER BY clause.");
    if (!plan->page->is_query)
        return aws_fail(plan->call, AWS_VALIDATION, "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.");
    for (size_t i = 0; i < s->orders; i++)
        if (position(plan->key, s->order[i].name) < 0)
            return aws_fail(plan->call, AWS_VALIDATION, "Variable reference %.*s in ORDER BY clause must be part of the primary key", TEXT_FMT(s->order[i].name));
    if (plan->page->ranges > 1 && position(plan->key, s->order[0].name) != 0)
        return aws_fail(plan->call, AWS_VALIDATION, "Must have hash key in ORDER BY clause when more than one hash key condition specified in WHERE clause.");
    return 0;
}

/* Items of one hash key lie in the order of all its range attributes, so these share one direction. */
static int plan_order(struct planning *plan)
{
    const struct partiql_statement *s = &plan->request->statement;
    bool any = false;
    int code = s->orders ? check_order(plan) : 0;
    for (size_t i = 0; i < s->orders && !code; i++) {
        const struct partiql_order *order = &s->order[i];
        if (position(plan->key, order->name) < (int)plan->key->hashes) {
            if (plan->page->ranges > 1)
                sort_ranges(plan->page, order->descending);
            continue;
        }
        if (any && plan->page->backward != order->descending)
            return aws_fail(plan->call, AWS_VALIDATION, "The sort keys in the ORDER BY clause must have one direction");
        plan->page->backward = order->descending;
        any = true;
    }
    return code;
}

int partiql_plan_page(struct aws_call *call, struct partiql_request *request, struct ddb_page *page)
{
    const struct partiql_statement *s = &request->statement;
    struct planning plan = {.call = call, .request = request, .page = page};
    *page = (struct ddb_page){.table = request->table, .consistent = request->consistent};
    if (s->index.len) {
        page->index = store_index_find(request->table, s->index);
        if (!page->index)
            return aws_fail(call, AWS_VALIDATION, "The table does not have the specified index: %.*s", TEXT_FMT(s->index));
    }
    plan.key = store_key_of(page->table, page->index);
    int code = partiql_plan_filter(call, request, EXPR_FILTER, s->where, &page->filter);
    if (!code)
        code = partiql_plan_columns(call, request, &page->projection);
    if (!code)
        code = plan_ranges(&plan);
    return code ? code : plan_order(&plan);
}
