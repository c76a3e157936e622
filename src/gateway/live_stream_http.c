/*
 * Consumers over HTTP: where each one stands, and the records that were given up. The rows are read on a worker and deleted in the tick; where a consumer stands is
 * what its thread showed within the last second.
 */
#include "gateway/live_stream.h"
#include "store/key.h"

#define LIST_MAX 1000 /* rows of one listing or deletion */

static struct text source_of(const struct live_consumer *c)
{
    return c->stream.len ? c->stream : c->table;
}

/* Names of APIs and sources hold nothing that must be escaped; a consumer's own may. */
static void add_labels(struct buf *out, const struct live_consumer *c)
{
    buf_add_format(out, "{api=\"%.*s\",source=\"%.*s\",consumer=", TEXT_FMT(c->api->config->name), TEXT_FMT(source_of(c)));
    json_escape(out, c->name);
    buf_add_char(out, '}');
}

void gw_streams_metrics(struct gateway *gateway, struct buf *out)
{
    const struct gw_live *live = gateway->live;
    static const char *const name[] = {"weir_consumer_iterator_age_ms", "weir_consumer_sequence", "weir_consumer_given_up_total"};
    static const char *const help[] = {"gauge\n# HELP weir_consumer_iterator_age_ms age of the oldest record that the consumer has not taken",
        "gauge\n# HELP weir_consumer_sequence commit up to which the consumer has taken everything",
        "counter\n# HELP weir_consumer_given_up_total records that the consumer gave up"};
    for (int series = 0; series < 3 && live && live->consumer_count; series++) {
        buf_add_format(out, "# TYPE %s %s\n", name[series], help[series]);
        for (size_t i = 0; i < live->consumer_count; i++) {
            struct live_consumer *c = &live->consumers[i];
            const int64_t *shown = series == 0 ? &c->shown_age_ms : series == 1 ? &c->shown_sequence : &c->shown_given_up;
            buf_add_text(out, text_of(name[series]));
            add_labels(out, c);
            buf_add_format(out, " %lld\n", (long long)__atomic_load_n(shown, __ATOMIC_RELAXED));
        }
    }
}

static void list_consumers(struct gw_live *live, struct gw_api *api, struct net_conn *conn)
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, 1 << 20);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_name(&w, "streams");
    json_begin_array(&w);
    for (size_t i = 0; i < live->consumer_count; i++) {
        struct live_consumer *c = &live->consumers[i];
        if (c->api != api)
            continue;
        json_begin_object(&w);
        json_name(&w, "route");
        json_text(&w, c->name);
        json_name(&w, c->stream.len ? "kinesis" : "table");
        json_text(&w, source_of(c));
        if (c->url.len) {
            json_name(&w, "url");
            json_text(&w, c->url);
        }
        json_name(&w, "sequence");
        json_i64(&w, __atomic_load_n(&c->shown_sequence, __ATOMIC_RELAXED));
        json_name(&w, "iteratorAgeMs");
        json_i64(&w, __atomic_load_n(&c->shown_age_ms, __ATOMIC_RELAXED));
        json_name(&w, "givenUp");
        json_i64(&w, __atomic_load_n(&c->shown_given_up, __ATOMIC_RELAXED));
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    gw_http_json(conn, 200, buf_text(&out));
    buf_fini(&out);
}

struct failed_work {
    struct text prefix; /* of the rows */
    struct arena *arena;
    struct buf body;
    int rows, max;
    bool delete;
    struct text *key; /* deleting: the rows' */
};

static int visit_failed(void *context, struct text key, struct text value)
{
    struct failed_work *work = context;
    if (!text_starts(key, work->prefix))
        return 1;
    if (work->rows == work->max)
        return 1;
    work->rows++;
    if (work->key) { /* deleted after the walk */
        work->key[work->rows - 1] = arena_copy(work->arena, key);
        return work->key[work->rows - 1].data ? 0 : ERR_MEMORY;
    }
    if (work->rows > 1)
        buf_add_char(&work->body, ',');
    return buf_add_text(&work->body, value);
}

static int failed_list(struct gw_work *gw, struct store_view *view)
{
    struct failed_work *work = gw->user;
    int code = store_raw_scan(view, STORE_SPACE_FAILED, work->prefix, gw->arena, visit_failed, work);
    return code < 0 ? code : 0;
}

static int failed_delete(struct gw_work *gw, struct tick *tick)
{
    struct failed_work *work = gw->user;
    work->rows = 0;
    work->key = arena_array(gw->arena, LIST_MAX, sizeof(*work->key));
    int code = work->key ? store_raw_scan(tick_view(tick), STORE_SPACE_FAILED, work->prefix, gw->arena, visit_failed, work) : ERR_MEMORY;
    for (int i = 0; code >= 0 && i < work->rows; i++) {
        int deleted = store_raw_delete(tick_stage(tick), STORE_SPACE_FAILED, work->key[i]);
        code = deleted ? deleted : code;
    }
    return code < 0 ? code : 0;
}

static void failed_done(struct gw_work *gw, struct net_conn *conn, int code)
{
    struct failed_work *work = gw->user;
    struct buf out;
    buf_init(&out, work->body.limit + 64);
    if (conn && (code || work->body.failed)) {
        gw_http_error(conn, 503, err_name(code ? code : ERR_TOO_LARGE), "%s", code ? err_text(code) : "the records are too large for one answer; ask for fewer with ?limit=");
    } else if (conn) {
        if (work->delete) {
            buf_add_format(&out, "{\"deleted\":%d}", work->rows);
        } else {
            buf_add_text(&out, TEXT("{\"failed\":["));
            buf_add_text(&out, buf_text(&work->body));
            buf_add_text(&out, TEXT("]}"));
        }
        gw_http_json(conn, 200, buf_text(&out));
    }
    buf_fini(&out);
    buf_fini(&work->body);
}

static void failed_rows(struct gw_io *io, struct net_conn *conn, struct gw_api *api, struct text route, const struct http_request *request, bool delete)
{
    uint64_t max = 100;
    struct text limit = http_query_get(request->query, "limit");
    struct buf prefix;
    if (limit.data && (text_to_u64(limit, LIST_MAX, &max) || !max)) {
        gw_http_error(conn, 400, "INVALID", "limit is a number from 1 to %d", LIST_MAX);
        return;
    }
    struct gw_work *work = gw_work_take(io, conn);
    if (!work)
        return;
    buf_init(&prefix, 4096);
    live_consumer_key(&prefix, api->config->name, route);
    struct failed_work *rows = arena_zalloc(work->arena, sizeof(*rows));
    work->user = rows;
    work->done = failed_done;
    work->run = failed_delete;
    if (rows) {
        buf_init(&rows->body, 32 << 20);
        rows->prefix = arena_copy(work->arena, buf_text(&prefix));
        rows->max = delete ? LIST_MAX : (int)max;
        rows->arena = work->arena;
        rows->delete = delete;
    }
    buf_fini(&prefix);
    ASSERT(rows && rows->prefix.data); /* a fresh arena has room for them, or the process has none at all */
    int code = 0;
    if (delete)
        gw_work_submit(work);
    else
        code = gw_work_offload(work, failed_list);
    if (code)
        gw_work_finish(work, code);
}

void gw_streams_http(struct gw_io *io, struct net_conn *conn, struct gw_api *api, struct text name, const struct http_request *request)
{
    struct gw_live *live = io->gateway->live;
    ptrdiff_t slash = text_find(name, '/', 0);
    struct text route = slash < 0 ? name : text_make(name.data, (size_t)slash);
    bool get = text_is(request->method, "GET"), delete = text_is(request->method, "DELETE");
    if (!name.len && get) {
        list_consumers(live, api, conn);
        return;
    }
    const struct live_consumer *found = NULL;
    for (size_t i = 0; i < live->consumer_count; i++) {
        const struct live_consumer *c = &live->consumers[i];
        bool bare = c->name.data[0] == '@' && text_equal(route, text_make(c->name.data + 1, c->name.len - 1));
        if (c->api == api && (text_equal(route, c->name) || bare))
            found = c;
    }
    bool rows = slash >= 0 && text_is(text_make(name.data + slash, name.len - (size_t)slash), "/failed");
    if (!found || !rows)
        gw_http_error(conn, 404, "NOT_FOUND", "The addresses are @streams and @streams/<route>/failed.");
    else if (get || delete)
        failed_rows(io, conn, api, found->name, request, delete);
    else
        gw_http_error(conn, 405, "METHOD_NOT_ALLOWED", "This path does not take %.*s.", TEXT_FMT(request->method));
}
