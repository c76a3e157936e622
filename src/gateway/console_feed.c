/*
 * Pages, streams and sources, on the services' thread.
 *
 *   page     a console connection that has asked for something
 *   stream   what it asked for under one id
 *   source   what streams show: a widget over a range, the newest events of log groups, the connections. Streams that ask for the same share it
 *
 * A source that is due is looked at on the console's worker; it has one look under way at the most, so a slow one is merely looked at less often. A source whose last stream has
 * gone is freed, or, while it is looked at, when the look is back. A stream that came later than the last look is sent that look's data at once, and goes on from there.
 */
#include "gateway/console.h"

#include <stdlib.h>

enum source_kind { SOURCE_WIDGET, SOURCE_TAIL, SOURCE_GROUPS, SOURCE_STATS };

struct source {
    struct list link;             /* of console->due */
    struct list streams;
    struct text key;
    enum source_kind kind;
    struct arena arena;           /* of what was asked */
    struct console_wish wish;
    struct console_tail tail;
    struct text prefix;           /* of GROUPS */
    int64_t due_ms;               /* monotonic; INT64_MAX: not any more */
    bool running;
    struct console_shown *shown;  /* the last look; NULL: none yet */
    char bytes[];                 /* the key */
};
struct stream {
    struct list of_page, of_source;
    struct page *page;
    struct source *source;
    bool told;                    /* has the source's last look */
    size_t id_len;
    char id[CONSOLE_ID_MAX];
};
struct page {
    struct net_id id;
    struct text key;
    struct list streams;
    unsigned count;
    char bytes[NET_ID_TEXT + 1];
};
struct job {
    struct gw_console *console;
    struct source *source;        /* its arena and tail are not touched while it runs */
    struct console_shown *shown;
};

/* ---- sending ---- */

static void post(struct gw_console *console, const struct page *page, const struct buf *text)
{
    struct gateway *gateway = console->gateway;
    struct gw_api *api = &gateway->apis[gateway->api_count - 1];
    struct net_frame *frame = text->failed ? NULL : net_frame_create(WS_TEXT, text->data, text->len);
    struct gw_effect *effect = frame ? gw_effect_create(GW_EFFECT_POST, api, TEXT_NONE, frame) : NULL;
    unsigned target = net_id_io(&page->id);
    if (!effect) {
        log_error("console", "no memory for a message to a page");
        return;
    }
    effect->target = page->id;
    pthread_mutex_lock(&gateway->worked_lock); /* workers use this ring, too */
    bool pushed = ring_push(gateway->io[target].mail[gateway->io_count], effect);
    pthread_mutex_unlock(&gateway->worked_lock);
    if (!pushed) {
        counter_add(COUNTER_gw_mail_dropped, 1);
        gw_effect_unref(effect);
    }
    loop_wake(gateway->io[target].loop);
}

static void begin(struct buf *out, const char *type, struct text id)
{
    buf_init(out, CONSOLE_QUEUE_MAX);
    buf_add_format(out, "{\"type\":\"%s\"", type);
    if (!id.len)
        return;
    buf_add_text(out, TEXT(",\"id\":"));
    json_escape(out, id);
}

static void send_error(struct gw_console *console, const struct page *page, struct text id, const char *error, const char *message)
{
    struct buf out;
    begin(&out, "error", id);
    buf_add_format(&out, ",\"error\":\"%s\",\"message\":", error);
    json_escape(&out, text_of(message));
    buf_add_char(&out, '}');
    post(console, page, &out);
    buf_fini(&out);
}

static struct text id_of(const struct stream *stream)
{
    return text_make(stream->id, stream->id_len);
}

/* What stands behind the id in a stream's message. */
static void send_part(struct gw_console *console, const struct stream *stream, const char *type, struct text head, struct text body, struct text tail)
{
    struct buf out;
    begin(&out, type, id_of(stream));
    buf_add_text(&out, head);
    buf_add_text(&out, body);
    buf_add_text(&out, tail);
    buf_add_char(&out, '}');
    post(console, stream->page, &out);
    buf_fini(&out);
}

static const char *error_of(int code)
{
    return code == ERR_NOT_FOUND ? "NOT_FOUND" : code == ERR_FULL ? "FULL" : code == ERR_INVALID || code == ERR_SYNTAX ? "INVALID" : code == ERR_TIMEOUT ? "TIMEOUT" : "UNAVAILABLE";
}

/* ---- life of streams and sources ---- */

/* Takes what is shown (NULL: nothing any more) in the place of what was. */
static void keep(struct gw_console *console, struct source *source, struct console_shown *shown)
{
    console->kept += console_shown_bytes(shown) - console_shown_bytes(source->shown);
    console_shown_destroy(source->shown);
    source->shown = shown;
}

static void source_free(struct gw_console *console, struct source *source)
{
    map_delete(&console->sources, source->key);
    list_remove(&source->link);
    keep(console, source, NULL);
    arena_fini(&source->arena);
    free(source);
}

static void stream_end(struct gw_console *console, struct stream *stream)
{
    struct source *source = stream->source;
    stream->page->count--;
    list_remove(&stream->of_page);
    list_remove(&stream->of_source);
    free(stream);
    if (list_empty(&source->streams) && !source->running)
        source_free(console, source);
}

static void page_free(struct gw_console *console, struct page *page)
{
    while (!list_empty(&page->streams))
        stream_end(console, LIST_ENTRY(page->streams.next, struct stream, of_page));
    map_delete(&console->pages, page->key);
    free(page);
}

static struct page *page_get(struct gw_console *console, const struct net_id *id)
{
    char text[NET_ID_TEXT + 1];
    net_id_format(id, text);
    struct page *page = map_get(&console->pages, text_make(text, NET_ID_TEXT));
    if (page)
        return page;
    page = console->pages.count < 2 * CONSOLE_PAGES_MAX ? calloc(1, sizeof(*page)) : NULL;
    if (!page)
        return NULL;
    page->id = *id;
    memcpy(page->bytes, text, NET_ID_TEXT);
    page->key = text_make(page->bytes, NET_ID_TEXT);
    list_init(&page->streams);
    if (map_put(&console->pages, page->key, page, NULL)) {
        free(page);
        return NULL;
    }
    return page;
}

static struct stream *stream_find(struct page *page, struct text id)
{
    for (struct list *at = page->streams.next; at != &page->streams; at = at->next) {
        struct stream *stream = LIST_ENTRY(at, struct stream, of_page);
        if (text_equal(id_of(stream), id))
            return stream;
    }
    return NULL;
}

/* ---- telling ---- */

static void tell_whole(struct gw_console *console, struct stream *stream)
{
    const struct console_shown *shown = stream->source->shown;
    stream->told = true;
    if (stream->source->kind == SOURCE_GROUPS)
        send_part(console, stream, "groups", TEXT(","), buf_text(&shown->json), TEXT(""));
    else
        send_part(console, stream, "widget", TEXT(",\"data\":"), buf_text(&shown->json), TEXT(""));
}

static void tell_events(struct gw_console *console, struct stream *stream, const struct console_shown *shown)
{
    char tail[96], more[48] = "";
    if (shown->first)
        snprintf(more, sizeof(more), ",\"first\":true");
    else if (shown->dropped)
        snprintf(more, sizeof(more), ",\"dropped\":%lld", (long long)shown->dropped);
    snprintf(tail, sizeof(tail), ",\"sequence\":%llu%s", (unsigned long long)shown->sequence, more);
    if (shown->first || shown->json.len > 2 || shown->dropped)
        send_part(console, stream, "events", TEXT(",\"events\":"), buf_text(&shown->json), text_of(tail));
}

/* All streams of the source end with it. */
static void tell_end(struct gw_console *console, struct source *source, const struct console_shown *shown)
{
    while (!list_empty(&source->streams)) {
        struct stream *stream = LIST_ENTRY(source->streams.next, struct stream, of_source);
        bool last = source->streams.next->next == &source->streams;
        send_error(console, stream->page, id_of(stream), error_of(shown->code), shown->err.text);
        stream_end(console, stream);
        if (last)
            return;
    }
}

static void tell_widget(struct gw_console *console, struct source *source, struct console_shown *now)
{
    struct console_shown *before = source->shown;
    struct buf points;
    buf_init(&points, WIDGET_JSON_MAX);
    int changed = before ? console_widget_diff(before, now, &points) : 2;
    keep(console, source, now);
    for (struct list *at = source->streams.next; at != &source->streams; at = at->next) {
        struct stream *stream = LIST_ENTRY(at, struct stream, of_source);
        if (!stream->told || changed == 2)
            tell_whole(console, stream);
        else if (changed == 1)
            send_part(console, stream, "widget", TEXT(",\"append\":"), buf_text(&points), TEXT(""));
    }
    buf_fini(&points);
}

static int64_t later(int64_t pause_ms)
{
    return pause_ms ? clock_mono_ms() + pause_ms : INT64_MAX;
}

/* Takes what the look has shown. */
static void take(struct gw_console *console, struct source *source, struct console_shown *shown)
{
    if (list_empty(&source->streams)) {
        console_shown_destroy(shown);
        source_free(console, source);
        return;
    }
    if (!shown->code && console->kept + console_shown_bytes(shown) - console_shown_bytes(source->shown) > CONSOLE_KEPT_MAX)
        shown->code = err_set(&shown->err, ERR_FULL, "what is looked at is more than is kept of all looks");
    if (shown->code) {
        tell_end(console, source, shown); /* the source has gone with the last of them */
        console_shown_destroy(shown);
        return;
    }
    switch (source->kind) {
    case SOURCE_WIDGET:
        source->due_ms = later(console_widget_pause_ms(&source->wish, shown));
        tell_widget(console, source, shown);
        return;
    case SOURCE_TAIL:
        source->due_ms = later(SECOND_MS);
        source->tail.begun = true;
        source->tail.resumed = false;
        source->tail.after = shown->sequence;
        tell_events(console, LIST_ENTRY(source->streams.next, struct stream, of_source), shown);
        break;
    case SOURCE_GROUPS:
        source->due_ms = INT64_MAX;
        keep(console, source, shown);
        tell_whole(console, LIST_ENTRY(source->streams.next, struct stream, of_source));
        stream_end(console, LIST_ENTRY(source->streams.next, struct stream, of_source));
        return;
    case SOURCE_STATS:
        break;
    }
    console_shown_destroy(shown);
}

/* ---- looking ---- */

static int look_job(struct gw_work *work, struct store_view *view)
{
    struct job *job = work->user;
    struct source *source = job->source;
    struct gw_console *console = job->console;
    if (__atomic_load_n(&console->stopping, __ATOMIC_RELAXED))
        return ERR_CLOSED;
    if (source->kind == SOURCE_WIDGET)
        console_widget_look(view, &source->wish, console->gateway->config.account, console->gateway->config.region, &console->stopping, job->shown);
    else if (source->kind == SOURCE_TAIL)
        console_tail_look(view, &source->tail, job->shown);
    else
        console_groups_look(view, source->prefix, job->shown);
    return 0;
}

static void look_soon(struct gw_console *console)
{
    if (!loop_timer_is_set(&console->look))
        loop_timer_set(console->io->loop, &console->look, clock_mono_ms());
}

static void job_free(struct job *job)
{
    console_shown_destroy(job->shown);
    free(job);
}

static void look_done(struct gw_work *work, struct net_conn *conn, int code)
{
    struct job *job = work->user;
    struct gw_console *console = job->console;
    struct source *source = job->source;
    struct console_shown *shown = job->shown;
    (void)conn;
    console->running--;
    source->running = false;
    job->shown = NULL;
    job_free(job);
    if (code) { /* the server ends */
        console_shown_destroy(shown);
        if (list_empty(&source->streams))
            source_free(console, source);
        return;
    }
    take(console, source, shown);
    look_soon(console);
}

static int look_start(struct gw_console *console, struct source *source)
{
    struct job *job = calloc(1, sizeof(*job));
    struct gw_work *work = job ? gw_work_own(console->io) : NULL;
    if (!work || !(job->shown = console_shown_create())) {
        if (work)
            gw_work_drop(work);
        free(job);
        return ERR_MEMORY;
    }
    job->console = console;
    job->source = source;
    work->user = job;
    work->done = look_done;
    source->running = true;
    console->running++;
    int code = gw_work_offload_on(work, console->pool, STORE_READER_CONSOLE, look_job);
    if (!code)
        return 0;
    source->running = false;
    console->running--;
    job_free(job);
    gw_work_drop(work);
    return code;
}

static void tell_stats(struct gw_console *console, struct source *source)
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, 1 << 20);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    console_stats_write(console->gateway, console->seen, &w);
    json_end_object(&w);
    struct text members = out.failed ? TEXT("}") : text_make(out.data + 1, out.len - 2); /* without the braces */
    for (struct list *at = source->streams.next; at != &source->streams; at = at->next)
        send_part(console, LIST_ENTRY(at, struct stream, of_source), "connections", TEXT(","), members, TEXT(""));
    source->due_ms = later(SECOND_MS);
    buf_fini(&out);
}

/* The one that has waited longest first. */
static struct source *most_due(struct gw_console *console, int64_t now_ms)
{
    struct source *best = NULL;
    for (struct list *at = console->due.next; at != &console->due; at = at->next) {
        struct source *source = LIST_ENTRY(at, struct source, link);
        if (!source->running && source->due_ms <= now_ms && (!best || source->due_ms < best->due_ms))
            best = source;
    }
    return best;
}

static void on_look(struct loop *loop, struct loop_timer *timer)
{
    struct gw_console *console = LIST_ENTRY(timer, struct gw_console, look);
    int64_t now_ms = clock_mono_ms();
    struct source *source;
    while (console->running < CONSOLE_JOBS_MAX && (source = most_due(console, now_ms))) {
        if (source->kind == SOURCE_STATS)
            tell_stats(console, source);
        else if (look_start(console, source))
            source->due_ms = now_ms + SECOND_MS;
    }
    if (!list_empty(&console->due))
        loop_timer_set(loop, timer, now_ms + CONSOLE_LOOK_MS);
}

/* ---- requests ---- */

static void add_member(struct buf *key, const struct json *message, const char *name)
{
    const struct json *value = json_get_str(message, name);
    buf_add_text(key, value ? value->raw : TEXT_NONE);
    buf_add_char(key, 0);
}

/* Equal requests have equal keys. A tail belongs to its stream. */
static void key_of(struct buf *key, enum source_kind kind, const struct json *message, const struct page *page, struct text id)
{
    static const char *const of_widget[] = {"dashboard", "index", "widget", "start", "end", "period"};
    buf_init(key, 2 * CONSOLE_MESSAGE_MAX);
    buf_add_char(key, (char)('0' + kind));
    if (kind == SOURCE_WIDGET) {
        for (size_t i = 0; i < sizeof(of_widget) / sizeof(of_widget[0]); i++)
            add_member(key, message, of_widget[i]);
    } else if (kind != SOURCE_STATS) {
        buf_add_text(key, page->key);
        buf_add_text(key, id);
    }
}

static int source_read(struct source *source, const struct json *sent, struct err *err)
{
    const struct json *message;
    struct text text = arena_copy(&source->arena, sent->raw); /* what the source keeps borrows it */
    if (!text.data || json_parse(&source->arena, text, JSON_COPY, &message, NULL))
        return err_set(err, ERR_MEMORY, "out of memory");
    const struct json *prefix = json_get_str(message, "prefix");
    switch (source->kind) {
    case SOURCE_WIDGET:
        return console_wish_read(message, &source->arena, &source->wish, err);
    case SOURCE_TAIL:
        return console_tail_read(message, &source->arena, &source->tail, err);
    case SOURCE_GROUPS:
        if (prefix && prefix->type != JSON_STRING)
            return err_set(err, ERR_INVALID, "prefix is the beginning of names");
        source->prefix = prefix ? prefix->text : TEXT("");
        return 0;
    case SOURCE_STATS:
        break;
    }
    return 0;
}

static int source_create(struct gw_console *console, enum source_kind kind, struct text key, const struct json *message, struct source **out, struct err *err)
{
    if (console->sources.count >= CONSOLE_SOURCES_MAX)
        return err_set(err, ERR_FULL, "%d different things are looked at already", CONSOLE_SOURCES_MAX);
    struct source *source = calloc(1, sizeof(*source) + key.len);
    if (!source)
        return err_set(err, ERR_MEMORY, "out of memory");
    memcpy(source->bytes, key.data, key.len);
    source->key = text_make(source->bytes, key.len);
    source->kind = kind;
    list_init(&source->streams);
    arena_init(&source->arena, 1024, 16 * CONSOLE_MESSAGE_MAX);
    int code = source_read(source, message, err);
    if (!code && map_put(&console->sources, source->key, source, NULL))
        code = err_set(err, ERR_MEMORY, "out of memory");
    if (code) {
        arena_fini(&source->arena);
        free(source);
        return code;
    }
    list_add_tail(&console->due, &source->link);
    *out = source;
    return 0;
}

static void stats_begin(struct gw_console *console)
{
    struct buf out; /* what was sent before anybody looked is not this second's */
    struct json_writer w;
    buf_init(&out, 1 << 20);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    console_stats_write(console->gateway, console->seen, &w);
    json_end_object(&w);
    buf_fini(&out);
}

static int stream_begin(struct gw_console *console, struct page *page, enum source_kind kind, const struct json *message, struct text id, struct err *err)
{
    struct buf key;
    if (page->count >= CONSOLE_STREAMS_MAX)
        return err_set(err, ERR_FULL, "a page looks at %d things at most", CONSOLE_STREAMS_MAX);
    key_of(&key, kind, message, page, id);
    struct source *source = key.failed ? NULL : map_get(&console->sources, buf_text(&key));
    int code = key.failed ? err_set(err, ERR_TOO_LARGE, "the request is too large") : 0;
    if (!code && !source) {
        code = source_create(console, kind, buf_text(&key), message, &source, err);
        if (!code && kind == SOURCE_STATS)
            stats_begin(console);
    }
    buf_fini(&key);
    if (code)
        return code;
    struct stream *stream = calloc(1, sizeof(*stream));
    if (!stream) {
        if (list_empty(&source->streams) && !source->running)
            source_free(console, source);
        return err_set(err, ERR_MEMORY, "out of memory");
    }
    stream->page = page;
    stream->source = source;
    stream->id_len = id.len;
    memcpy(stream->id, id.data, id.len);
    list_add_tail(&page->streams, &stream->of_page);
    list_add_tail(&source->streams, &stream->of_source);
    page->count++;
    if (source->shown)
        tell_whole(console, stream);
    look_soon(console);
    return 0;
}

static void on_stop(struct gw_console *console, struct page *page, struct text id)
{
    struct stream *stream = stream_find(page, id);
    struct buf out;
    if (stream)
        stream_end(console, stream);
    begin(&out, "stopped", id);
    buf_add_char(&out, '}');
    post(console, page, &out);
    buf_fini(&out);
}

static int kind_of(struct text action)
{
    static const char *const names[] = {"widget", "tail", "groups", "connections"};
    for (int kind = SOURCE_WIDGET; kind <= SOURCE_STATS; kind++)
        if (text_is(action, names[kind]))
            return kind;
    return -1;
}

static void on_message(struct gw_console *console, struct page *page, const struct json *message)
{
    const struct json *id = json_get_str(message, "id"), *action = json_get_str(message, "action");
    struct err err = {0};
    if (!json_is(id, JSON_STRING) || !id->text.len || id->text.len > CONSOLE_ID_MAX) {
        send_error(console, page, TEXT_NONE, "INVALID", "A request has an id, a text of 1 to 64 bytes.");
        return;
    }
    int kind = json_is(action, JSON_STRING) ? kind_of(action->text) : -1;
    if (kind < 0) {
        on_stop(console, page, id->text);
        return;
    }
    struct stream *old = stream_find(page, id->text);
    if (old)
        stream_end(console, old);
    int code = stream_begin(console, page, (enum source_kind)kind, message, id->text, &err);
    if (code)
        send_error(console, page, id->text, error_of(code), err.text);
}

void gw_console_apply(struct gw_io *io, struct gw_effect *effect)
{
    struct gw_console *console = io->gateway->console;
    struct arena arena;
    const struct json *message;
    struct page *page = page_get(console, &effect->target);
    if (!page)
        return;
    if (!effect->text.len) {
        page_free(console, page);
        return;
    }
    arena_init(&arena, 4096, 16 * CONSOLE_MESSAGE_MAX);
    if (json_parse(&arena, effect->text, 0, &message, NULL) == 0 && message->type == JSON_OBJECT)
        on_message(console, page, message);
    arena_fini(&arena);
    if (list_empty(&page->streams)) /* made anew when it asks again */
        page_free(console, page);
}

/* ---- start and end ---- */

int gw_console_start(struct gateway *gateway, struct err *err)
{
    return worker_pool_create(&gateway->console->pool, 1, CONSOLE_JOBS_MAX + CONSOLE_HTTP_MAX + 8, err);
}

void gw_console_begin(struct gw_io *io)
{
    struct gw_console *console = io->gateway->console;
    loop_timer_init(&console->look, on_look);
    console->io = io;
}

void gw_console_stop(struct gateway *gateway)
{
    struct gw_console *console = gateway->console;
    __atomic_store_n(&console->stopping, 1, __ATOMIC_RELAXED);
    if (console->pool)
        worker_pool_destroy(console->pool);
    console->pool = NULL;
}

void gw_console_end(struct gateway *gateway)
{
    struct gw_console *console = gateway->console;
    struct page *page;
    if (console->io)
        loop_timer_stop(console->io->loop, &console->look);
    for (size_t at = 0; (page = map_next(&console->pages, &at)); at = 0)
        page_free(console, page);
}
