/*
 * StartLiveTail: an answer that does not end. Each second a worker looks for the events that have come, and what it finds is one message of the stream.
 *
 * What is new is told by the commit that brought it and not by its time: a look takes what came after the snapshot of the last one. It reads the last minutes of its groups
 * (LATE_MS), so an event that is put with an older time is not seen here; it is in the group all the same. A client that reads slowly is not waited for: while QUEUE_MAX bytes are under
 * way to it nothing is looked for, and the next look begins where the last one ended.
 *
 * A session belongs to the io thread of its connection. While a worker looks, everything below "the worker's" is the worker's; `ended` alone tells it apart from one whose client
 * has left meanwhile, and whoever comes last frees it.
 */
#include "aws/logs.h"

#include "gateway/internal.h"
#include "net/event_stream.h"

#include <stdlib.h>

#define GROUPS_MAX 10
#define STREAMS_MAX 100
#define SESSIONS_MAX 15
#define EVENTS_MAX 500                 /* of one update */
#define LOOKED_MAX (2 * EVENTS_MAX)    /* of one group */
#define EVERY_MS 1000
#define LATE_MS (5 * MINUTE_MS)
#define SESSION_MS (3 * HOUR_MS)
#define READ_BYTES ((size_t)32 << 20)  /* of one look at a group */
#define LOOK_MS 500
#define LOOK_BYTES ((size_t)4 << 20)   /* of events */
#define QUEUE_MAX ((size_t)8 << 20)
#define ARENA_MAX ((size_t)24 << 20)
#define SCRATCH_MAX ((size_t)4 << 20)
#define UPDATE_MAX ((size_t)16 << 20)  /* bytes of JSON */
#define JSON_TYPE TEXT("application/json")

struct names {
    struct text name[STREAMS_MAX];
    size_t count;
};
struct session {
    struct net_conn *conn;
    struct gw_io *io;
    struct text account, region;
    struct loop_timer timer;
    int64_t end_ms;                /* monotonic */
    bool looking, ended;
    struct arena arena;            /* of the names and the pattern */
    struct text group[GROUPS_MAX];
    size_t groups;
    struct names streams, prefixes;
    struct watch_pattern *pattern;
    char id[37];
    struct buf out;                /* a message on its way */
    /* the worker's */
    uint64_t after;                /* what was committed until then has been seen */
    struct buf results;            /* JSON */
    bool sampled;
};
static unsigned sessions; /* atomic: of all threads */

static void session_free(struct session *session)
{
    buf_fini(&session->results);
    buf_fini(&session->out);
    arena_fini(&session->arena);
    free(session);
    __atomic_sub_fetch(&sessions, 1, __ATOMIC_RELAXED);
}

/* ---- a look; on a worker ---- */

struct event {
    struct watch_log_event event;
    struct text arn;
};
struct look {
    struct session *session;
    struct arena arena, scratch;
    struct event *event;
    size_t count, seen;
    struct text arn; /* of the group that is read */
};

static bool has_stream(const struct session *session, struct text stream)
{
    for (size_t i = 0; i < session->streams.count; i++)
        if (text_equal(session->streams.name[i], stream))
            return true;
    for (size_t i = 0; i < session->prefixes.count; i++)
        if (text_starts(stream, session->prefixes.name[i]))
            return true;
    return !session->streams.count && !session->prefixes.count;
}

static int on_match(void *context, const struct watch_log_event *event)
{
    struct look *look = context;
    const struct session *session = look->session;
    if (event->place.sequence <= session->after || !has_stream(session, event->stream))
        return 0;
    int holds = watch_pattern_match(session->pattern, event->message, &look->scratch);
    look->seen += holds > 0;
    return holds == ERR_MEMORY ? 0 : holds;
}

static int on_event(void *context, const struct watch_log_event *event)
{
    struct look *look = context;
    if (look->count == GROUPS_MAX * LOOKED_MAX)
        return 0;
    struct event *kept = &look->event[look->count];
    *kept = (struct event){*event, look->arn};
    kept->event.message = arena_copy(&look->arena, event->message);
    kept->event.stream = arena_copy(&look->arena, event->stream);
    if (!kept->event.message.data || !kept->event.stream.data)
        return 0; /* a second of more text than that is sampled */
    look->count++;
    return 0;
}

static int look_at(struct look *look, struct store_view *view, struct text name)
{
    const struct session *session = look->session;
    struct watch_log_group group;
    int64_t now_ms = clock_wall_ms();
    int code = watch_log_group_get(view, &look->arena, name, &group);
    if (code)
        return code == ERR_NOT_FOUND ? 0 : code; /* deleted since */
    look->arn = arena_format(&look->arena, "arn:aws:logs:%.*s:%.*s:log-group:%.*s", TEXT_FMT(session->region), TEXT_FMT(session->account), TEXT_FMT(name));
    struct watch_log_scan scan = {.group = &group, .from_ms = now_ms - LATE_MS, .to_ms = now_ms + WATCH_LOG_FUTURE_MS + 1, .now_ms = now_ms, .order = WATCH_LOG_FORWARD,
        .events_max = LOOKED_MAX, .bytes_max = LOOK_BYTES, .read_max = READ_BYTES, .time_max_ms = LOOK_MS, .match = on_match, .visit = on_event, .context = look};
    code = look->arn.data ? watch_log_scan(view, &scan) : ERR_MEMORY;
    return code < 0 ? code : 0;
}

static int by_place(const void *a, const void *b)
{
    return watch_log_place_compare(&((const struct event *)a)->event.place, &((const struct event *)b)->event.place);
}

static void write_results(const struct look *look, struct buf *out, size_t from)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_array(&w);
    for (size_t i = from; i < look->count; i++) {
        const struct watch_log_event *event = &look->event[i].event;
        json_begin_object(&w);
        logs_write_text(&w, "logStreamName", event->stream);
        logs_write_text(&w, "logGroupIdentifier", look->event[i].arn);
        logs_write_text(&w, "message", event->message);
        logs_write_i64(&w, "timestamp", event->place.time_ms);
        logs_write_i64(&w, "ingestionTime", event->ingested_ms);
        json_end_object(&w);
    }
    json_end_array(&w);
}

static int look_job(struct gw_work *work, struct store_view *view)
{
    struct session *session = work->user;
    struct look look = {.session = session};
    uint64_t sequence = store_snapshot_sequence(view->snapshot);
    int code = 0;
    buf_clear(&session->results);
    arena_init(&look.arena, 64 << 10, ARENA_MAX);
    arena_init(&look.scratch, 4096, SCRATCH_MAX);
    look.event = sequence > session->after ? arena_array(&look.arena, GROUPS_MAX * LOOKED_MAX, sizeof(*look.event)) : NULL;
    for (size_t i = 0; look.event && i < session->groups && !code; i++)
        code = look_at(&look, view, session->group[i]);
    if (look.count)
        qsort(look.event, look.count, sizeof(*look.event), by_place);
    size_t from = look.count > EVENTS_MAX ? look.count - EVENTS_MAX : 0; /* the newest stay */
    session->sampled = look.seen > look.count - from;
    write_results(&look, &session->results, from);
    if (sequence > session->after && !code)
        session->after = sequence;
    arena_fini(&look.scratch);
    arena_fini(&look.arena);
    return session->results.failed ? ERR_MEMORY : code;
}

/* ---- the stream; on the io thread ---- */

static void session_end(struct session *session)
{
    loop_timer_stop(net_io_loop(net_conn_io(session->conn)), &session->timer);
    session->ended = true;
    session->conn = NULL;
    if (!session->looking)
        session_free(session);
}

static void send_message(struct session *session, enum event_stream_kind kind, struct text type, struct text payload)
{
    buf_clear(&session->out);
    if (!event_stream_add(&session->out, kind, type, JSON_TYPE, payload))
        net_pour_send(session->conn, buf_text(&session->out)); /* a peer that has gone is told of by on_gone */
}

static void fail(struct session *session, const char *type, const char *sentence)
{
    char payload[200];
    int len = snprintf(payload, sizeof(payload), "{\"message\":\"%s\"}", sentence);
    send_message(session, EVENT_STREAM_EXCEPTION, text_of(type), text_make(payload, (size_t)len));
    net_pour_end(session->conn);
    session_end(session);
}

static void send_update(struct session *session)
{
    struct buf payload;
    buf_init(&payload, UPDATE_MAX);
    buf_add_format(&payload, "{\"sessionMetadata\":{\"sampled\":%s},\"sessionResults\":", session->sampled ? "true" : "false");
    buf_add_text(&payload, buf_text(&session->results));
    buf_add_char(&payload, '}');
    if (!payload.failed)
        send_message(session, EVENT_STREAM_EVENT, TEXT("sessionUpdate"), buf_text(&payload));
    buf_fini(&payload);
}

static void on_looked(struct gw_work *work, struct net_conn *conn, int code)
{
    struct session *session = work->user;
    (void)conn;
    session->looking = false;
    if (session->ended)
        session_free(session);
    else if (code)
        fail(session, "SessionStreamingException", "The events cannot be read.");
    else
        send_update(session);
}

static void look_again(struct session *session)
{
    struct gw_work *work = net_pour_queued(session->conn) < QUEUE_MAX / 2 ? gw_work_own(session->io) : NULL;
    if (!work)
        return;
    work->user = session;
    work->done = on_looked;
    session->looking = true;
    if (!gw_work_offload(work, look_job))
        return;
    session->looking = false; /* every worker is busy: the next second will do */
    gw_work_drop(work);
}

static void on_due(struct loop *loop, struct loop_timer *timer)
{
    struct session *session = (struct session *)((char *)timer - offsetof(struct session, timer));
    int64_t now_ms = clock_mono_ms();
    if (now_ms >= session->end_ms && !session->looking) {
        fail(session, "SessionTimeoutException", "The session has timed out.");
        return;
    }
    loop_timer_set(loop, timer, now_ms + EVERY_MS);
    if (!session->looking)
        look_again(session);
}

static void on_gone(void *context, struct net_conn *conn)
{
    (void)conn;
    session_end(context);
}

/* ---- StartLiveTail ---- */

static int copy_names(struct aws_call *call, struct session *session, const char *member, struct names *names)
{
    const struct json *list = shape_get(call->in, member);
    for (const struct json *at = list ? list->first : NULL; at && names->count < STREAMS_MAX; at = at->next) {
        names->name[names->count] = arena_copy(&session->arena, at->text);
        if (!names->name[names->count++].data)
            return aws_no_memory(call);
    }
    return 0;
}

struct asked {
    struct text group[GROUPS_MAX];
    size_t groups;
    uint64_t after;
};

static int read_groups(struct aws_call *call, struct asked *asked)
{
    const struct json *list = shape_get(call->in, "logGroupIdentifiers");
    int code = 0;
    for (const struct json *at = list->first; at && !code; at = at->next) {
        struct text *name = &asked->group[asked->groups++];
        *name = at->text;
        if (!logs_name_of(at->text, name))
            code = aws_fail(call, LOGS_INVALID, "Invalid log group ARN: %.*s", TEXT_FMT(at->text));
        else
            code = logs_may_group(call, *name);
    }
    return code;
}

int logs_tail_prepare(struct aws_call *call)
{
    struct asked *asked = arena_zalloc(call->arena, sizeof(*asked));
    struct watch_pattern *pattern;
    struct err err = {0};
    bool streams = shape_get(call->in, "logStreamNames"), prefixes = shape_get(call->in, "logStreamNamePrefixes");
    if (!asked)
        return aws_no_memory(call);
    call->state = asked;
    int code = read_groups(call, asked);
    if (code)
        return code;
    if ((streams || prefixes) && asked->groups > 1)
        return aws_fail(call, LOGS_INVALID, "logStreamNames and logStreamNamePrefixes can only be used with a single log group.");
    if (streams && prefixes)
        return aws_fail(call, LOGS_INVALID, "logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.");
    code = watch_pattern_parse(call->arena, aws_param_text(call->in, "logEventFilterPattern"), &pattern, &err);
    return code == ERR_MEMORY ? aws_no_memory(call) : code ? aws_fail(call, LOGS_INVALID, "%s", err.text) : 0;
}

int logs_tail_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct asked *asked = call->state;
    struct watch_log_group group;
    (void)tick;
    for (size_t i = 0; i < asked->groups; i++) {
        int code = watch_log_group_get(view, call->arena, asked->group[i], &group);
        if (code == ERR_NOT_FOUND)
            return aws_fail(call, LOGS_NOT_FOUND, "The specified log group does not exist.");
        if (code)
            return logs_fail(call, code);
        if (group.log_class != WATCH_LOG_STANDARD)
            return logs_fail_class(call, &group);
    }
    asked->after = store_snapshot_sequence(view->snapshot);
    return 0;
}

static int session_make(struct aws_call *call, struct session **out)
{
    const struct asked *asked = call->state;
    struct session *session = *out = calloc(1, sizeof(*session));
    struct err err = {0};
    if (!session)
        return aws_no_memory(call);
    arena_init(&session->arena, 4096, SCRATCH_MAX);
    buf_init(&session->results, UPDATE_MAX - 4096);
    buf_init(&session->out, UPDATE_MAX + 4096);
    session->conn = call->conn;
    session->io = gw_io_of(call->conn);
    session->account = call->config->account;
    session->region = call->config->region;
    session->after = asked->after;
    session->end_ms = clock_mono_ms() + SESSION_MS;
    aws_uuid(session->id);
    loop_timer_init(&session->timer, on_due);
    int code = watch_pattern_parse(&session->arena, aws_param_text(call->in, "logEventFilterPattern"), &session->pattern, &err);
    for (size_t i = 0; i < asked->groups && !code; i++) {
        session->group[session->groups++] = arena_copy(&session->arena, asked->group[i]);
        code = session->group[i].data ? 0 : ERR_MEMORY;
    }
    if (code)
        return aws_no_memory(call);
    code = copy_names(call, session, "logStreamNames", &session->streams);
    return code ? code : copy_names(call, session, "logStreamNamePrefixes", &session->prefixes);
}

static void write_list(struct json_writer *w, const struct aws_call *call, const char *member)
{
    const struct json *list = shape_get(call->in, member);
    json_name(w, member);
    if (list)
        json_value(w, list);
    else
        json_raw(w, TEXT("[]"));
}

static void send_start(struct aws_call *call, struct session *session)
{
    struct json_writer w;
    struct buf payload;
    char request[37];
    aws_uuid(request);
    buf_init(&payload, 256 << 10);
    json_writer_init(&w, &payload);
    json_begin_object(&w);
    logs_write_text(&w, "requestId", text_of(request));
    logs_write_text(&w, "sessionId", text_of(session->id));
    write_list(&w, call, "logGroupIdentifiers");
    write_list(&w, call, "logStreamNames");
    write_list(&w, call, "logStreamNamePrefixes");
    logs_write_text(&w, "logEventFilterPattern", aws_param_text(call->in, "logEventFilterPattern"));
    json_end_object(&w);
    send_message(session, EVENT_STREAM_EVENT, TEXT("initial-response"), TEXT("{}"));
    send_message(session, EVENT_STREAM_EVENT, TEXT("sessionStart"), buf_text(&payload));
    buf_fini(&payload);
}

void logs_tail_answer(struct aws_call *call)
{
    struct session *session;
    if (__atomic_add_fetch(&sessions, 1, __ATOMIC_RELAXED) > SESSIONS_MAX) {
        __atomic_sub_fetch(&sessions, 1, __ATOMIC_RELAXED);
        aws_fail(call, LOGS_LIMIT, "There are %d Live Tail sessions, which is as many as there may be.", SESSIONS_MAX);
        return;
    }
    int code = session_make(call, &session);
    if (!session)
        __atomic_sub_fetch(&sessions, 1, __ATOMIC_RELAXED);
    if (code) {
        if (session)
            session_free(session);
        return;
    }
    struct net_pour pour = {.context = session, .queue_max = QUEUE_MAX, .on_gone = on_gone};
    if (aws_pour_begin(call->conn, &pour, call->cors)) {
        session_free(session);
        aws_fail(call, LOGS_UNAVAILABLE, "The service cannot complete the request.");
        return;
    }
    loop_timer_set(net_io_loop(net_conn_io(session->conn)), &session->timer, clock_mono_ms() + EVERY_MS);
    send_start(call, session);
}
