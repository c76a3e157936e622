/*
 * The bill of a period. The figures are read on a worker, one report at a time: it may read millions of rows, and there are two workers for what clients wait for.
 *
 * A figure belongs to the application whose API, function, table or log group it is of. Tables that no application declares, and log groups that programs made over the wire, are in
 * the report under no name.
 */
#include "gateway/cost.h"

#include "gateway/host.h"
#include "gateway/lines.h"
#include "watch/cost_read.h"

#include <stdlib.h>

#define ANSWER_MAX ((size_t)1 << 20)

struct bill {
    struct gateway *gateway;
    struct cost_report report;
    struct cost_question question;
    struct cost_application application[COST_APPLICATIONS_MAX]; /* by API, and the last for what is no application's */
    struct buf out;
};

/* ---- whose it is ---- */

static struct gw_api *api_named(const struct gateway *gateway, struct text name)
{
    for (size_t i = 0; i < gateway->api_count; i++)
        if (text_equal(gateway->apis[i].id, name))
            return &gateway->apis[i];
    return NULL;
}

/* A name that begins with an API's, and `between`; the longest one. */
static struct gw_api *api_before(const struct gateway *gateway, struct text name, char between)
{
    struct gw_api *found = NULL;
    for (size_t i = 0; i < gateway->api_count; i++) {
        struct gw_api *api = &gateway->apis[i];
        bool begins = name.len > api->id.len && text_starts(name, api->id) && name.data[api->id.len] == between;
        if (begins && (!found || api->id.len > found->id.len))
            found = api;
    }
    return found;
}

static bool is_its_function(const struct gw_api *api, struct text name)
{
    for (size_t i = 0; i < api->route_count; i++)
        if (api->routes[i].lines && text_equal(gw_route_function(&api->routes[i]), name))
            return true;
    for (size_t i = 0; i < GW_LINES_OWN; i++)
        if (api->own_lines[i] && text_equal(api->own_lines[i]->function, name))
            return true;
    return false;
}

static struct gw_api *api_of_function(const struct gateway *gateway, struct text name)
{
    for (size_t i = 0; i < gateway->api_count; i++)
        if (is_its_function(&gateway->apis[i], name))
            return &gateway->apis[i];
    return api_before(gateway, name, '-'); /* a consumer of a stream over HTTP: <api>-<consumer> */
}

static bool declares(const struct gw_api_config *config, const struct weir_table *table)
{
    for (size_t i = 0; i < config->table_count; i++)
        if (config->tables[i] == table)
            return true;
    return config->registry.table == table;
}

static struct gw_api *api_of_table(const struct gateway *gateway, struct text name)
{
    for (size_t t = 0; t < gateway->table_count; t++) {
        if (!text_equal(gateway->tables[t].name, name))
            continue;
        for (size_t i = 0; i < gateway->api_count; i++)
            if (declares(gateway->apis[i].config, gateway->tables[t].decl))
                return &gateway->apis[i];
    }
    return NULL;
}

/* A line of a route with a declared function is in the function's group as well: on AWS it would be there alone. */
static bool is_a_copy(const struct gw_api *api, struct text group)
{
    for (size_t i = 0; i < api->route_count; i++)
        if (api->routes[i].lines && api->routes[i].lines->function_group.len && text_equal(api->routes[i].lines->group, group))
            return true;
    for (size_t i = 0; i < GW_LINES_OWN; i++)
        if (api->own_lines[i] && api->own_lines[i]->function_group.len && text_equal(api->own_lines[i]->group, group))
            return true;
    return false;
}

#define OWN_LOGS TEXT("/weir/")
#define FUNCTION_LOGS TEXT("/aws/lambda/")

static struct cost_usage *usage_of(struct bill *bill, const struct gw_api *api)
{
    size_t at = api ? api->index : bill->gateway->api_count;
    return &bill->application[at < COST_APPLICATIONS_MAX ? at : COST_APPLICATIONS_MAX - 1].usage;
}

static struct cost_usage *usage_of_group(struct bill *bill, struct text name)
{
    if (text_starts(name, FUNCTION_LOGS))
        return usage_of(bill, api_of_function(bill->gateway, text_make(name.data + FUNCTION_LOGS.len, name.len - FUNCTION_LOGS.len)));
    if (!text_starts(name, OWN_LOGS))
        return usage_of(bill, NULL);
    const struct gw_api *api = api_before(bill->gateway, text_make(name.data + OWN_LOGS.len, name.len - OWN_LOGS.len), '/');
    return api && !is_a_copy(api, name) ? usage_of(bill, api) : NULL; /* the server's own lines are nobody's bill */
}

static struct cost_usage *owner(void *context, enum cost_owner what, struct text name)
{
    struct bill *bill = context;
    const struct gateway *gateway = bill->gateway;
    switch (what) {
    case COST_OF_API:
        return name.len && name.data[0] == '@' ? NULL : usage_of(bill, api_named(gateway, name)); /* the console's sockets */
    case COST_OF_FUNCTION:
        return name.len && name.data[0] == '@' ? NULL : usage_of(bill, api_of_function(gateway, name));
    case COST_OF_TABLE:
        return text_starts(name, TEXT("weir.")) ? NULL : usage_of(bill, api_of_table(gateway, name));
    case COST_OF_LOG_GROUP:
        return usage_of_group(bill, name);
    }
    return NULL;
}

/* ---- the report ---- */

static bool is_empty(const struct cost_usage *usage)
{
    for (int kind = 0; kind < COST_KINDS; kind++)
        if (usage->of[kind] > 0)
            return false;
    return true;
}

/* Those that used nothing go; the nameless rest is the last. */
static void gather(struct bill *bill)
{
    struct cost_report *report = &bill->report;
    size_t apis = bill->gateway->api_count < COST_APPLICATIONS_MAX ? bill->gateway->api_count : COST_APPLICATIONS_MAX - 1;
    for (size_t i = 0; i <= apis; i++) {
        if (is_empty(&bill->application[i].usage))
            continue;
        bill->application[i].name = i < apis ? bill->gateway->apis[i].id : TEXT("");
        bill->application[report->applications++] = bill->application[i];
    }
    report->application = bill->application;
}

static int read_bill(struct gw_work *work, struct store_view *view)
{
    struct bill *bill = work->user;
    struct json_writer w;
    int code = cost_read(view, &bill->question, &bill->report.partial);
    if (code)
        return code;
    gather(bill);
    json_writer_init(&w, &bill->out);
    cost_report_write(&bill->report, &w);
    return bill->out.failed ? ERR_MEMORY : 0;
}

static void bill_done(struct gw_work *work, struct net_conn *conn, int code)
{
    struct bill *bill = work->user;
    __atomic_store_n(&bill->gateway->bills, 0, __ATOMIC_RELEASE);
    if (conn && !code)
        gw_http_json(conn, 200, buf_text(&bill->out));
    else if (conn)
        gw_http_error(conn, code == ERR_FULL ? 503 : 500, err_name(code), "%s", err_text(code));
    buf_fini(&bill->out);
    free(bill);
}

/* ---- the request ---- */

/* Epoch seconds, milliseconds, or ISO 8601. */
static bool time_of(struct text text, int64_t *wall_ms)
{
    int64_t number;
    if (text_to_i64(text, &number) == 0) {
        *wall_ms = number < INT64_C(100000000000) ? number * SECOND_MS : number;
        return number >= 0 && number < INT64_C(4102444800000);
    }
    return clock_parse_iso(text.data, text.len, wall_ms) == 0 && *wall_ms >= 0;
}

/* "30d", "12h", "45m". */
static bool period_of(struct text text, int64_t *ms)
{
    int64_t number, unit;
    if (text.len < 2 || text_to_i64(text_make(text.data, text.len - 1), &number))
        return false;
    switch (text.data[text.len - 1]) {
    case 'd':
        unit = DAY_MS;
        break;
    case 'h':
        unit = HOUR_MS;
        break;
    case 'm':
        unit = MINUTE_MS;
        break;
    default:
        return false;
    }
    return number > 0 && number <= COST_PERIOD_MAX_MS / unit && (*ms = number * unit);
}

/* NULL, or what is wrong. */
static const char *read_range(const struct http_request *request, struct cost_question *question)
{
    struct text from = http_query_get(request->query, "from"), to = http_query_get(request->query, "to"), period = http_query_get(request->query, "period");
    int64_t length_ms = GW_COST_PERIOD_MS;
    question->now_ms = question->to_ms = clock_wall_ms();
    if (to.len && !time_of(to, &question->to_ms))
        return "to is a time: epoch seconds or milliseconds, or ISO 8601 in UTC";
    if (period.len && !period_of(period, &length_ms))
        return "period is a number of days, hours or minutes up to 455 days, such as 30d, 12h, 45m";
    if (period.len && from.len)
        return "from and period are given one at a time";
    if (question->to_ms > question->now_ms)
        question->to_ms = question->now_ms;
    question->from_ms = question->to_ms - length_ms;
    if (from.len && !time_of(from, &question->from_ms))
        return "from is a time: epoch seconds or milliseconds, or ISO 8601 in UTC";
    if (question->from_ms < 0)
        question->from_ms = 0;
    if (question->from_ms >= question->to_ms)
        return "from lies before to, and before now";
    return question->to_ms - question->from_ms > COST_PERIOD_MAX_MS ? "the period is longer than 455 days, for which figures are kept" : NULL;
}

static void begin(struct gw_io *io, struct net_conn *conn, const struct cost_question *question)
{
    struct gateway *gateway = io->gateway;
    const struct gateway_config *config = &gateway->config;
    unsigned none = 0;
    if (!__atomic_compare_exchange_n(&gateway->bills, &none, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        gw_http_error(conn, 503, "AGAIN", "another report is being made; ask again");
        return;
    }
    struct bill *bill = calloc(1, sizeof(*bill));
    struct gw_work *work = bill ? gw_work_take(io, conn) : NULL;
    if (!work) {
        __atomic_store_n(&gateway->bills, 0, __ATOMIC_RELEASE);
        if (!bill)
            gw_http_error(conn, 503, "MEMORY", "out of memory");
        free(bill);
        return;
    }
    bill->gateway = gateway;
    bill->question = *question;
    bill->question.memory_mb = config->cost_memory ? (double)config->cost_memory / (1 << 20) : COST_MEMORY_MB;
    bill->question.owner = owner;
    bill->question.context = bill;
    bill->report.from_ms = question->from_ms;
    bill->report.to_ms = question->to_ms;
    cost_prices_init(&bill->report.prices);
    if (config->cost_prices)
        bill->report.prices = *config->cost_prices;
    buf_init(&bill->out, ANSWER_MAX);
    work->user = bill;
    work->done = bill_done;
    int code = gw_work_offload(work, read_bill);
    if (code)
        gw_work_finish(work, code);
}

bool gw_cost(struct gw_io *io, struct net_conn *conn, const struct http_request *request, struct text body)
{
    struct cost_question question = {0};
    if (!text_is(request->path, "/@cost"))
        return false;
    if (!gw_admin_allowed(io, conn, "GetCost", request, body))
        return true;
    const char *wrong = text_is(request->method, "GET") ? read_range(request, &question) : NULL;
    if (!text_is(request->method, "GET"))
        gw_http_error(conn, 405, "METHOD_NOT_ALLOWED", "This address takes GET.");
    else if (wrong)
        gw_http_error(conn, 400, "INVALID", "%s", wrong);
    else
        begin(io, conn, &question);
    return true;
}
