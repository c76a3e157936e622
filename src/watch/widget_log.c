/*
 * Log widgets: an Insights query, run to its end here and now. StartQuery's jobs would be the other way; but a widget wants its rows while somebody looks, is thrown away with the
 * next look, and must not take the places of the queries that people start. So it has a bound of its own in time and bytes, and says so when it is met.
 */
#include "watch/widget.h"

#include "base/clock.h"
#include "watch/query.h"
#include <stdlib.h>

#define FIELDS_SHOWN 100

struct row {
    struct row *next;
    size_t count;
    struct watch_query_cell cell[];
};
struct result {
    struct arena *arena;
    struct text field[FIELDS_SHOWN];
    size_t fields;
    struct row *first, *last;
    size_t rows;
};

static size_t column(struct result *result, struct text field)
{
    for (size_t i = 0; i < result->fields; i++)
        if (text_equal(result->field[i], field))
            return i;
    if (result->fields == FIELDS_SHOWN)
        return FIELDS_SHOWN;
    result->field[result->fields] = arena_copy(result->arena, field);
    return result->fields++;
}

static int on_row(void *context, const struct watch_query_cell *cell, size_t count)
{
    struct result *result = context;
    struct row *row = arena_alloc(result->arena, sizeof(*row) + count * sizeof(*cell));
    if (!row)
        return ERR_MEMORY;
    row->next = NULL;
    row->count = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = text_is(cell[i].field, "@ptr") ? FIELDS_SHOWN : column(result, cell[i].field);
        if (at == FIELDS_SHOWN)
            continue;
        struct text value = arena_copy(result->arena, cell[i].value);
        if (!value.data || !result->field[at].data)
            return ERR_MEMORY;
        row->cell[row->count++] = (struct watch_query_cell){result->field[at], value};
    }
    if (result->last)
        result->last->next = row;
    else
        result->first = row;
    result->last = row;
    return ++result->rows == WIDGET_ROWS_MAX ? 1 : 0;
}

static void write_row(struct json_writer *w, const struct result *result, const struct row *row)
{
    json_begin_array(w);
    for (size_t i = 0; i < result->fields; i++) {
        const struct watch_query_cell *cell = NULL;
        for (size_t k = 0; k < row->count && !cell; k++)
            if (row->cell[k].field.data == result->field[i].data)
                cell = &row->cell[k];
        if (cell)
            json_text(w, cell->value);
        else
            json_null(w);
    }
    json_end_array(w);
}

static void write_result(struct json_writer *w, const struct result *result)
{
    json_name(w, "fields");
    json_begin_array(w);
    for (size_t i = 0; i < result->fields; i++)
        json_text(w, result->field[i]);
    json_end_array(w);
    json_name(w, "rows");
    json_begin_array(w);
    for (const struct row *row = result->first; row; row = row->next)
        write_row(w, result, row);
    json_end_array(w);
}

/* ---- the events ---- */

struct feeding {
    const int *stop;
    struct watch_query_run *run;
    struct watch_query_event event;
};

static int on_event(void *context, const struct watch_log_event *event)
{
    struct feeding *feeding = context;
    if (feeding->stop && __atomic_load_n(feeding->stop, __ATOMIC_RELAXED))
        return 1;
    feeding->event.place = event->place;
    feeding->event.ingested_ms = event->ingested_ms;
    feeding->event.message = event->message;
    feeding->event.stream = event->stream;
    return watch_query_feed(feeding->run, &feeding->event);
}

struct running {
    const struct widget_ask *ask;
    struct watch_query_run *run;
    int64_t end_mono_ms;
    size_t bytes_left;
    bool cut;
    struct text missing; /* the first group that is not there */
};

static int feed_group(struct running *running, struct text name)
{
    const struct widget_ask *ask = running->ask;
    struct watch_log_group group;
    int64_t left = running->end_mono_ms - clock_mono_ms();
    int code = watch_log_group_get(ask->view, ask->arena, name, &group);
    if (code == ERR_NOT_FOUND) {
        running->missing = running->missing.len ? running->missing : name;
        return 0;
    }
    running->cut = running->cut || left <= 0 || !running->bytes_left;
    if (code || running->cut)
        return code;
    struct feeding feeding = {.stop = ask->stop, .run = running->run, .event = {.group = group.id}};
    feeding.event.log = arena_format(ask->arena, "%.*s:%.*s", TEXT_FMT(ask->account), TEXT_FMT(name));
    struct watch_log_scan scan = {.group = &group, .from_ms = ask->range.start_ms, .to_ms = ask->range.end_ms + 1, .now_ms = ask->now_ms, .order = WATCH_LOG_ANY,
        .visit = on_event, .context = &feeding, .read_max = running->bytes_left, .time_max_ms = left};
    code = watch_log_scan(ask->view, &scan);
    running->bytes_left -= scan.bytes_read < running->bytes_left ? scan.bytes_read : running->bytes_left;
    running->cut = running->cut || (code >= 0 && !scan.at_end);
    return code < 0 ? code : 0;
}

/* ---- the widget ---- */

static void write_status(struct json_writer *w, const char *status, struct text message)
{
    json_name(w, "status");
    json_str(w, status);
    if (!message.len)
        return;
    json_name(w, "message");
    json_text(w, message);
}

static void write_failed(struct json_writer *w, struct text message)
{
    struct result none = {.fields = 0};
    write_result(w, &none);
    write_status(w, "Failed", message);
}

static void write_totals(struct json_writer *w, const struct watch_query_totals *totals)
{
    json_name(w, "statistics");
    json_begin_object(w);
    json_name(w, "recordsMatched");
    json_u64(w, totals->matched);
    json_name(w, "recordsScanned");
    json_u64(w, totals->scanned);
    json_name(w, "bytesScanned");
    json_u64(w, totals->bytes);
    json_end_object(w);
}

static int run_query(const struct widget_ask *ask, const struct watch_query *query, struct json_writer *w)
{
    const struct text *source;
    size_t sources = watch_query_sources(query, &source);
    struct result *result = arena_zalloc(ask->arena, sizeof(*result));
    struct running running = {.ask = ask, .end_mono_ms = clock_mono_ms() + WIDGET_QUERY_MS, .bytes_left = WIDGET_QUERY_BYTES};
    if (!sources) {
        write_failed(w, TEXT("The query names no log group: it begins with SOURCE 'group' | ..."));
        return 0;
    }
    int code = result ? watch_query_run_create(query, ask->now_ms, &running.run) : ERR_MEMORY;
    if (code)
        return code;
    result->arena = ask->arena;
    for (size_t i = 0; i < sources && !code; i++)
        code = feed_group(&running, source[i]);
    if (!code)
        code = watch_query_finish(running.run);
    if (!code)
        code = watch_query_rows(running.run, on_row, result);
    if (code >= 0) {
        struct watch_query_totals totals = watch_query_totals(running.run);
        struct text message = text_of(totals.partial);
        if (running.missing.len)
            message = arena_format(ask->arena, "There is no log group %.*s yet.", TEXT_FMT(running.missing));
        write_result(w, result);
        write_totals(w, &totals);
        write_status(w, running.cut ? "Timeout" : "Complete", message);
    }
    watch_query_run_destroy(running.run);
    return code < 0 ? code : 0;
}

int widget_log_write(const struct widget_ask *ask, const struct json *properties, struct json_writer *w)
{
    struct text text = widget_text(properties, "query"), view = widget_text(properties, "view");
    struct watch_query *query = NULL;
    struct watch_query_error error;
    json_name(w, "view");
    json_text(w, view.len ? view : TEXT("table"));
    json_name(w, "start");
    json_i64(w, ask->range.start_ms);
    json_name(w, "end");
    json_i64(w, ask->range.end_ms);
    int code = watch_query_compile(text, WIDGET_ROWS_MAX, &query, &error);
    if (code == ERR_SYNTAX) {
        write_failed(w, text_of(error.text));
        return 0;
    }
    if (!code)
        code = run_query(ask, query, w);
    watch_query_destroy(query);
    return code;
}
