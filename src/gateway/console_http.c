/*
 *   GET  /@dashboards                                             what there is
 *   GET  /@dashboards/{name}                                      a dashboard with its body
 *   GET  /@dashboards/{name}/widgets/{index}?start=&end=&period=  what a widget shows
 *   POST /@widgets                                                the same for a widget that is in no dashboard
 *
 * All of it is read on a worker. Widgets may take seconds, so they run on the console's, a few at a time, and are refused beyond.
 */
#include "gateway/console.h"
#include "base/codec.h"

#include <stdlib.h>

enum kind { LIST, GET, WIDGET };
struct reading {
    struct gw_console *console;
    enum kind kind;
    struct text name;
    struct console_wish wish;
    struct console_shown *shown;
    bool counted;
};

/* ---- on a worker ---- */

static void write_head(struct json_writer *w, struct arena *arena, const struct gateway_config *config, const struct dashboard *dashboard)
{
    json_name(w, "name");
    json_text(w, dashboard->name);
    json_name(w, "arn");
    json_text(w, dashboard_arn(arena, config->account, dashboard->name));
    json_name(w, "modified");
    json_i64(w, dashboard->modified_ms);
    json_name(w, "size");
    json_i64(w, dashboard->size);
}

static int read_list(struct gw_work *work, struct store_view *view, struct json_writer *w)
{
    struct dashboard_names names;
    int code = dashboard_list(view, work->arena, TEXT(""), &names);
    json_name(w, "dashboards");
    json_begin_array(w);
    for (size_t i = 0; i < names.count && !code; i++) {
        json_begin_object(w);
        write_head(w, work->arena, &work->gateway->config, &names.item[i]);
        json_end_object(w);
    }
    json_end_array(w);
    return code;
}

static int read_one(struct gw_work *work, struct store_view *view, struct json_writer *w)
{
    struct reading *reading = work->user;
    struct dashboard dashboard;
    const struct json *body;
    int code = dashboard_get(view, work->arena, reading->name, &dashboard);
    if (code)
        return err_set(&reading->shown->err, code, code == ERR_NOT_FOUND ? "there is no dashboard %.*s" : "the dashboard %.*s cannot be read", TEXT_FMT(reading->name));
    code = json_parse(work->arena, dashboard.body, 0, &body, &reading->shown->err);
    if (code)
        return code;
    write_head(w, work->arena, &work->gateway->config, &dashboard);
    json_name(w, "body");
    json_value(w, body);
    return 0;
}

static int read_job(struct gw_work *work, struct store_view *view)
{
    struct reading *reading = work->user;
    struct console_shown *shown = reading->shown;
    struct json_writer w;
    if (reading->kind == WIDGET) {
        console_widget_look(view, &reading->wish, work->gateway->config.account, work->gateway->config.region, &reading->console->stopping, shown);
        return 0;
    }
    json_writer_init(&w, &shown->json);
    json_begin_object(&w);
    shown->code = reading->kind == LIST ? read_list(work, view, &w) : read_one(work, view, &w);
    json_end_object(&w);
    return 0;
}

/* ---- on the io thread ---- */

static void end(struct reading *reading)
{
    if (reading->counted)
        __atomic_sub_fetch(&reading->console->http, 1, __ATOMIC_RELAXED);
    console_shown_destroy(reading->shown);
}

static void read_done(struct gw_work *work, struct net_conn *conn, int code)
{
    struct reading *reading = work->user;
    const struct console_shown *shown = reading->shown;
    code = code ? code : shown->code;
    if (conn && !code)
        gw_http_json(conn, 200, buf_text(&shown->json));
    else if (conn)
        gw_http_error(conn, code == ERR_NOT_FOUND ? 404 : code == ERR_INVALID ? 400 : code == ERR_TOO_LARGE ? 413 : 503,
            code == ERR_NOT_FOUND ? "NOT_FOUND" : code == ERR_INVALID ? "INVALID" : code == ERR_TOO_LARGE ? "TOO_LARGE" : "UNAVAILABLE", "%s",
            shown->err.text[0] ? shown->err.text : err_text(code));
    end(reading);
}

/* Takes the reading's place when there is one. */
static bool may_compute(struct gw_console *console, struct reading *reading)
{
    if (reading->kind != WIDGET)
        return true;
    reading->counted = true;
    return __atomic_add_fetch(&console->http, 1, __ATOMIC_RELAXED) <= CONSOLE_HTTP_MAX && console->pool;
}

static void start(struct gw_work *work, struct net_conn *conn, struct reading *reading)
{
    struct gw_console *console = reading->console;
    work->user = reading;
    work->done = read_done;
    reading->shown = console_shown_create();
    bool admitted = may_compute(console, reading);
    int code = !reading->shown ? ERR_MEMORY : !admitted ? ERR_FULL
        : reading->kind == WIDGET ? gw_work_offload_on(work, console->pool, STORE_READER_CONSOLE, read_job) : gw_work_offload(work, read_job);
    if (!code)
        return;
    gw_http_error(conn, code == ERR_FULL ? 429 : 503, code == ERR_FULL ? "TOO_MANY" : "UNAVAILABLE", "%s",
        code == ERR_FULL ? "Enough widgets are being computed already; ask again in a moment." : err_text(code));
    end(reading);
    gw_work_drop(work);
}

static struct text decoded(struct arena *arena, const struct http_request *request, const char *name)
{
    struct buf out;
    struct text raw = http_query_get(request->query, name), copy = TEXT_NONE;
    buf_init(&out, 256);
    if (raw.len && !percent_decode(&out, raw, true) && utf8_valid(buf_text(&out)))
        copy = arena_copy(arena, buf_text(&out));
    else if (raw.len)
        copy = TEXT("?"); /* told as what it is: no time */
    buf_fini(&out);
    return copy;
}

/* "/{name}" or "/{name}/widgets/{index}". */
static int read_path(struct arena *arena, struct text rest, const struct http_request *request, struct reading *reading)
{
    struct text path = arena_copy(arena, rest);
    ptrdiff_t slash = text_find(path, '/', 1);
    uint64_t index;
    if (!path.data)
        return ERR_MEMORY;
    reading->name = text_make(path.data + 1, (slash < 0 ? path.len : (size_t)slash) - 1);
    reading->kind = GET;
    if (!dashboard_name_valid(reading->name))
        return ERR_NOT_FOUND;
    if (slash < 0)
        return 0;
    struct text place = text_make(path.data + slash, path.len - (size_t)slash);
    if (!text_starts(place, TEXT("/widgets/")) || text_to_u64(text_make(place.data + 9, place.len - 9), DASHBOARD_WIDGETS_MAX - 1, &index))
        return ERR_NOT_FOUND;
    reading->kind = WIDGET;
    reading->wish = (struct console_wish){.dashboard = reading->name, .index = (int64_t)index, .start = decoded(arena, request, "start"), .end = decoded(arena, request, "end"),
        .period = decoded(arena, request, "period")};
    return 0;
}

static int read_body(struct arena *arena, struct text body, struct reading *reading, struct err *err)
{
    const struct json *message;
    struct text copy = arena_copy(arena, body);
    if (body.len > CONSOLE_MESSAGE_MAX)
        return err_set(err, ERR_INVALID, "a request has at most %u bytes", CONSOLE_MESSAGE_MAX);
    if (!copy.data)
        return ERR_MEMORY;
    if (json_parse(arena, copy, 0, &message, err) || message->type != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "the body is a JSON object with a widget");
    reading->kind = WIDGET;
    return console_wish_read(message, arena, &reading->wish, err);
}

static int read_request(struct arena *arena, const struct http_request *request, struct text body, struct reading *reading, struct err *err)
{
    static const size_t mount = sizeof("/@dashboards") - 1;
    if (text_is(request->path, "/@widgets"))
        return read_body(arena, body, reading, err);
    struct text rest = text_make(request->path.data + mount, request->path.len - mount);
    if (rest.len < 2) {
        reading->kind = LIST;
        return 0;
    }
    int code = read_path(arena, rest, request, reading);
    return code ? err_set(err, code, code == ERR_NOT_FOUND ? "there is nothing at this address" : "out of memory") : 0;
}

bool gw_console_http(struct gw_io *io, struct net_conn *conn, const struct http_request *request, struct text body)
{
    bool widgets = text_is(request->path, "/@widgets");
    bool dashboards = text_is(request->path, "/@dashboards") || text_starts(request->path, TEXT("/@dashboards/"));
    struct err err = {0};
    if (!widgets && !dashboards)
        return false;
    if (!gw_admin_allowed(io, conn, "ManageConnections", request, body))
        return true;
    if (!text_is(request->method, widgets ? "POST" : "GET")) {
        gw_http_error(conn, 405, "METHOD_NOT_ALLOWED", "This address does not take this method.");
        return true;
    }
    struct gw_work *work = gw_work_take(io, conn);
    struct reading *reading = work ? arena_zalloc(work->arena, sizeof(*reading)) : NULL;
    if (!work)
        return true;
    int code = reading ? read_request(work->arena, request, body, reading, &err) : ERR_MEMORY;
    if (code) {
        gw_http_error(conn, code == ERR_NOT_FOUND ? 404 : code == ERR_INVALID ? 400 : 503, code == ERR_NOT_FOUND ? "NOT_FOUND" : code == ERR_INVALID ? "INVALID" : "UNAVAILABLE", "%s",
            err.text[0] ? err.text : err_text(code));
        gw_work_drop(work);
        return true;
    }
    reading->console = io->gateway->console;
    start(work, conn, reading);
    return true;
}
