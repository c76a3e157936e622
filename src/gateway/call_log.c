/*
 * What a line says: the public header's log functions, failures of calls, connections.
 *
 * {"timestamp","level","message", the application's fields ..., "api","stage","route","requestId","connectionId","correlationId","userId"}: flat, so that queries name fields as the
 * documents do, and in this order, so that whoever reads a tail sees the sentence first. A member that has nothing to say is left out. The names of weir's members are reserved: a field
 * of that name is left out. One of them may be said by the application, userId, as long as weir has not proven another. Lines of the performance monitor tell of an operation that
 * may have begun in another call, so the ids that it captured win over those of the call that ends it.
 *
 * Correlation ids: the message's own, else the one that the call carries (its connection's, or that of the call that deferred it), else its request id. So one id is on every line
 * that one request has led to, over deferred calls and requests to endpoints.
 */
#include "gateway/call.h"
#include "gateway/lines.h"

#include <stdarg.h>

#define LINE_USUAL 512 /* bytes of a line beside its message and fields, mostly */
#define ENVELOPE 0x01 /* first byte of a deferred payload with a correlation id: no JSON begins with it */

/* ---- correlation ids ---- */

bool gw_correlation_clean(struct text id)
{
    for (size_t i = 0; i < id.len; i++)
        if (id.data[i] < 0x20 || id.data[i] > 0x7e)
            return false;
    return id.len >= 1 && id.len <= GW_CORRELATION_MAX && id.data[0] != ' ' && id.data[id.len - 1] != ' ';
}

struct text gw_correlation_given(struct weir_call *call)
{
    struct text id = TEXT_NONE;
    if ((call->kind == GW_CALL_MESSAGE || call->kind == GW_CALL_REST) && call->api) {
        const struct json *value = gw_call_field(call, TEXT("correlationId"));
        id = json_is(value, JSON_STRING) ? value->text : TEXT_NONE;
    }
    if (!gw_correlation_clean(id) && call->header_count)
        id = text_in(weir_header(call, "x-correlation-id"));
    if (!gw_correlation_clean(id) && call->query_count)
        id = text_in(weir_query_param(call, "correlationId"));
    return gw_correlation_clean(id) ? id : TEXT_NONE;
}

struct text gw_correlation(struct weir_call *call)
{
    struct text id = gw_correlation_given(call);
    return id.len ? id : call->correlation.len ? call->correlation : gw_call_request_id(call);
}

struct weir_text weir_correlation_id(struct weir_call *call)
{
    return text_out(gw_correlation(call));
}

struct text gw_correlation_wrap(struct arena *arena, struct text id, struct text payload)
{
    char *bytes = arena_alloc(arena, 2 + id.len + payload.len);
    if (!bytes)
        return TEXT_NONE;
    bytes[0] = ENVELOPE;
    bytes[1] = (char)id.len;
    text_put(text_put(bytes + 2, id), payload);
    return text_make(bytes, 2 + id.len + payload.len);
}

struct text gw_correlation_unwrap(struct text *payload)
{
    size_t len = payload->len >= 2 && payload->data[0] == ENVELOPE ? (unsigned char)payload->data[1] : 0;
    if (!len || payload->len < 2 + len)
        return TEXT_NONE;
    struct text id = text_make(payload->data + 2, len);
    *payload = text_make(payload->data + 2 + len, payload->len - 2 - len);
    return gw_correlation_clean(id) ? id : TEXT_NONE;
}

/* ---- a line ---- */

struct line {
    enum weir_level level;
    int64_t time_ms;
    struct text message, fields;
    const struct gw_lines *lines;
    struct text stage, request_id, correlation;
    const struct net_id *connection;
    const struct gw_identity *identity;
    bool captured; /* the ids among the fields win */
};

/* Members among the fields that have a place of their own: JSON as it stands, empty: not said. */
struct said {
    struct text user, connection, correlation;
};

static struct text level_name(enum weir_level level)
{
    static const struct text levels[] = {{"DEBUG", 5}, {"INFO", 4}, {"WARN", 4}, {"ERROR", 5}};
    return levels[level >= WEIR_DEBUG && level <= WEIR_ERROR ? level : WEIR_INFO];
}

/* Members of a compact object, as our writer makes it. False at its end. */
static bool next_member(struct text object, size_t *at, struct text *name, struct text *value)
{
    size_t i = *at ? *at : 1, depth = 0;
    bool inside = false;
    if (i + 1 >= object.len || object.data[i] != '"')
        return false;
    size_t from = ++i;
    for (; i < object.len && object.data[i] != '"'; i++)
        i += object.data[i] == '\\';
    if (i + 2 >= object.len)
        return false;
    *name = text_make(object.data + from, i - from); /* as it stands, escapes and all */
    from = i += 2; /* quote, colon */
    for (; i < object.len; i++) {
        char c = object.data[i];
        if (inside) {
            i += c == '\\';
            inside = c != '"';
        } else if (c == '"') {
            inside = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (depth == 0 && (c == ',' || c == '}')) {
            break;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    if (i >= object.len)
        return false;
    *value = text_make(object.data + from, i - from);
    *at = i + 1;
    return true;
}

static bool is_reserved(struct text name)
{
    static const struct text reserved[] = {{"timestamp", 9}, {"level", 5}, {"message", 7}, {"api", 3}, {"stage", 5}, {"route", 5}, {"requestId", 9}, {"connectionId", 12}, {"correlationId", 13},
        {"userId", 6}};
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        if (text_equal(name, reserved[i]))
            return true;
    return false;
}

static void member(struct json_writer *w, const char *name, struct text value)
{
    if (!value.len)
        return;
    json_name(w, name);
    json_text(w, value);
}

/*
 * A line is written by hand: its names are literals with their commas and quotes, only what was said goes through the writer, at depth 0, where it adds nothing of its own.
 * Each line passes here, and a name in one piece costs a twentieth of what the writer takes for it.
 */
#define ADD(w, literal) buf_add((w)->out, literal, sizeof(literal) - 1)
#define MEMBER(w, name, value)                \
    do {                                      \
        if ((value).len) {                    \
            ADD(w, ",\"" name "\":");         \
            json_text(w, value);              \
        }                                     \
    } while (0)
#define MEMBER_SAID(w, name, said)            \
    do {                                      \
        ADD(w, ",\"" name "\":");             \
        buf_add_text((w)->out, said);         \
    } while (0)

/* The application's fields; ids are kept back for their places. */
static void add_fields(struct json_writer *w, struct text fields, struct said *said)
{
    struct text name, value;
    size_t at = 0;
    if (fields.len > GW_LINE_FIELDS_MAX) {
        ADD(w, ",\"truncated\":true");
        return;
    }
    while (fields.len && next_member(fields, &at, &name, &value)) {
        if (!is_reserved(name)) {
            ADD(w, ",");
            buf_add(w->out, name.data - 1, (size_t)(value.data + value.len - name.data) + 1); /* from quote to value, as it stands */
        } else if (text_is(name, "userId")) {
            said->user = value;
        } else if (text_is(name, "connectionId")) {
            said->connection = value;
        } else if (text_is(name, "correlationId")) {
            said->correlation = value;
        }
    }
}

static void add_connection(struct json_writer *w, const struct line *line, struct text said)
{
    char id[NET_ID_TEXT + 1];
    if (line->captured && said.len) {
        MEMBER_SAID(w, "connectionId", said);
    } else if (line->connection) {
        net_id_format(line->connection, id);
        struct text own = text_of(id);
        MEMBER(w, "connectionId", own);
    }
}

static void add_user(struct json_writer *w, const struct gw_identity *identity, struct text said)
{
    bool own = identity && identity->user_id.len && (identity->proven || !said.len);
    if (own)
        MEMBER(w, "userId", identity->user_id);
    else if (said.len)
        MEMBER_SAID(w, "userId", said);
}

static struct text cut(struct text message)
{
    if (message.len <= GW_LINE_MESSAGE_MAX)
        return message;
    message.len = GW_LINE_MESSAGE_MAX;
    while (message.len && (message.data[message.len] & 0xC0) == 0x80)
        message.len--;
    return message;
}

static void add_time(struct json_writer *w, int64_t time_ms)
{
    static _Thread_local int64_t last_ms = -1; /* the lines of a tick are of one moment */
    static _Thread_local char iso[CLOCK_ISO_SIZE];
    if (time_ms != last_ms)
        clock_format_iso(time_ms, iso);
    last_ms = time_ms;
    buf_add_text(w->out, text_of(iso));
}

static void write_line(const struct line *line, struct buf *out)
{
    struct json_writer w;
    struct said said = {0};
    json_writer_init(&w, out);
    buf_reserve(out, LINE_USUAL + line->message.len + line->fields.len); /* one piece of memory for most; the rest grows, or fails, below */
    out->failed = false;
    ADD(&w, "{\"timestamp\":\"");
    add_time(&w, line->time_ms);
    ADD(&w, "\",\"level\":\"");
    buf_add_text(out, level_name(line->level));
    ADD(&w, "\",\"message\":");
    json_text(&w, cut(line->message));
    add_fields(&w, line->fields, &said);
    MEMBER(&w, "api", line->lines->api->id);
    MEMBER(&w, "stage", line->stage);
    MEMBER(&w, "route", line->lines->route);
    MEMBER(&w, "requestId", line->request_id);
    add_connection(&w, line, said.connection);
    if (line->captured && said.correlation.len)
        MEMBER_SAID(&w, "correlationId", said.correlation);
    else
        MEMBER(&w, "correlationId", line->correlation);
    add_user(&w, line->identity, said.user);
    ADD(&w, "}");
}

static void line_of(struct weir_call *call, struct line *line)
{
    line->lines = gw_lines_of(call);
    line->time_ms = weir_now(call);
    line->stage = call->api->config->stages[call->stage];
    line->request_id = gw_call_request_id(call);
    line->correlation = gw_correlation(call);
    line->connection = call->has_conn ? &call->conn_id : NULL;
    line->identity = call->identity;
}

/* ---- ways out ---- */

static bool is_on(const struct gw_lines *lines)
{
    return !lines->api->config->logs_off && !lines->api->is_console; /* who looks is no traffic */
}

static struct gw_effect *line_effect(struct gw_lines *lines, const struct buf *event)
{
    struct gw_effect *effect = gw_effect_create(GW_EFFECT_LINE, lines->api, buf_text(event), NULL);
    if (effect)
        effect->lines = lines;
    return effect;
}

static unsigned home_of(const struct weir_call *call)
{
    return call->io ? call->io->index : call->gateway->io_count;
}

/* To standard error, when the call is kept. */
static void say(struct weir_call *call, enum weir_level level, struct text message, struct text fields)
{
    struct buf text;
    if (level < WEIR_WARN && !call->gateway->config.log_applications)
        return;
    buf_init(&text, GW_LINE_MESSAGE_MAX + GW_LINE_FIELDS_MAX + 1024);
    buf_add_text(&text, call->api->config->name);
    buf_add_text(&text, TEXT(": "));
    buf_add_text(&text, cut(message));
    if (fields.len && fields.len <= GW_LINE_FIELDS_MAX) {
        buf_add_char(&text, ' ');
        buf_add_text(&text, fields);
    }
    for (size_t i = 0; i < text.len; i++) /* one line stays one line */
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            text.data[i] = ' ';
    struct gw_effect *effect = gw_effect_create(GW_EFFECT_LOG, call->api, buf_text(&text), NULL);
    buf_fini(&text);
    if (effect)
        effect->code = (int)level;
    gw_call_effect(call, home_of(call), effect);
}

/* A call of the tick carries its lines itself; connections cost no fsync, and what they say is gathered. */
static bool is_carried(const struct weir_call *call)
{
    return call->tick && call->kind != GW_CALL_CONNECT && call->kind != GW_CALL_DISCONNECT;
}

void gw_line_event(struct weir_call *call, int level, struct text message, struct text fields)
{
    struct line line = {.level = (enum weir_level)level, .message = message, .fields = fields};
    struct buf event;
    if (call->lines >= GW_LINES_PER_CALL) {
        gw_lines_dropped(1);
        return;
    }
    say(call, line.level, message, fields);
    line_of(call, &line);
    if (!is_on(line.lines) || call->failed)
        return;
    uint32_t index = call->lines++;
    struct gw_lines *lines = gw_lines_of(call);
    buf_init(&event, GW_LINE_MAX);
    write_line(&line, &event);
    if (event.failed)
        gw_lines_dropped(1);
    else if (is_carried(call))
        gw_call_kept(call, gw_lines_put(call->tick, &call->arena, lines, buf_text(&event), line.time_ms, index), NULL);
    else
        gw_call_effect(call, home_of(call), line_effect(lines, &event));
    buf_fini(&event);
}

static void line_now(struct gw_io *io, struct weir_call *call, struct line *line)
{
    struct buf event;
    line_of(call, line);
    if (!is_on(line->lines))
        return;
    buf_init(&event, GW_LINE_MAX);
    write_line(line, &event);
    if (event.failed)
        gw_lines_dropped(1);
    else if (io)
        gw_lines_add(io, gw_lines_of(call), buf_text(&event));
    else
        gw_lines_hand(call->gateway, gw_lines_of(call), buf_text(&event));
    buf_fini(&event);
}

void gw_line_now(struct gw_io *io, struct weir_call *call, int level, struct text message, struct text fields)
{
    line_now(io, call, &(struct line){.level = (enum weir_level)level, .message = message, .fields = fields});
}

void gw_line_captured(struct gw_io *io, struct weir_call *call, int level, struct text message, struct text fields)
{
    line_now(io, call, &(struct line){.level = (enum weir_level)level, .message = message, .fields = fields, .captured = true});
}

/* ---- the public header ---- */

void weir_log_event(struct weir_call *call, enum weir_level level, const char *message, struct weir_json *fields)
{
    struct text text = TEXT_NONE;
    if (call->failed || (fields && !gw_call_json_text(call, fields, &text)))
        return;
    if (fields && text.data[0] != '{') {
        gw_call_fail(call, ERR_INTERNAL, "INTERNAL", NULL, "the fields of a log line are a JSON object");
        return;
    }
    gw_line_event(call, (int)level, text_of(message), text);
}

void weir_log(struct weir_call *call, const char *format, ...)
{
    char message[GW_LINE_MESSAGE_MAX + 8];
    va_list args;
    if (call->failed)
        return;
    va_start(args, format);
    int len = vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    size_t kept = len < 0 ? 0 : (size_t)len < sizeof(message) ? (size_t)len : sizeof(message) - 1;
    gw_line_event(call, WEIR_INFO, text_make(message, kept), TEXT_NONE);
}

/* ---- failures ---- */

static void failure_fields(const struct weir_call *call, uint32_t kept_back, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    member(&w, "code", text_of(call->err_code));
    member(&w, "field", text_of(call->err_field));
    for (const struct gw_context *context = call->context; context; context = context->next) {
        json_name(&w, context->name);
        if (context->text.data)
            json_text(&w, context->text);
        else
            json_i64(&w, context->number);
    }
    if (kept_back) {
        json_name(&w, "keptBack");
        json_u64(&w, kept_back);
    }
    json_end_object(&w);
}

static void failure_out(struct weir_call *call, struct gw_lines *lines, const struct buf *event)
{
    if (!call->io) {
        gw_lines_hand(call->gateway, lines, buf_text(event));
        return;
    }
    if (!call->tick) {
        gw_lines_add(call->io, lines, buf_text(event));
        return;
    }
    struct gw_effect *effect = line_effect(lines, event);
    if (effect && tick_emit(call->tick, call->io->index, effect, sizeof(*effect) + event->len))
        gw_effect_unref(effect);
}

void gw_line_failure(struct weir_call *call)
{
    struct gw_lines *lines = gw_lines_of(call);
    bool fault = gw_call_status_of(call->failed) >= 500;
    uint32_t kept_back;
    if (!is_on(lines) || !gw_lines_may_tell(lines, fault, &kept_back))
        return;
    struct buf fields, event;
    buf_init(&fields, GW_LINE_FIELDS_MAX);
    buf_init(&event, GW_LINE_MAX);
    failure_fields(call, kept_back, &fields);
    struct line line = {.level = fault ? WEIR_ERROR : WEIR_WARN, .message = text_of(call->err_text), .fields = fields.failed ? TEXT_NONE : buf_text(&fields)};
    line_of(call, &line);
    write_line(&line, &event);
    if (event.failed)
        gw_lines_dropped(1);
    else
        failure_out(call, lines, &event);
    buf_fini(&fields);
    buf_fini(&event);
}

#define KEY_TOLD_MAX 64 /* bytes of a client's word that a line repeats */

void gw_line_unrouted(struct gw_io *io, struct weir_call *call, struct text key)
{
    struct json_writer w;
    struct buf fields;
    uint32_t kept_back;
    if (!is_on(gw_lines_of(call)) || !gw_lines_may_tell(gw_lines_of(call), false, &kept_back))
        return;
    buf_init(&fields, GW_LINE_FIELDS_MAX);
    json_writer_init(&w, &fields);
    json_begin_object(&w);
    member(&w, "code", TEXT("NO_ROUTE"));
    member(&w, "routeKey", key.len <= KEY_TOLD_MAX ? key : TEXT_NONE);
    if (kept_back) {
        json_name(&w, "keptBack");
        json_u64(&w, kept_back);
    }
    json_end_object(&w);
    gw_line_now(io, call, WEIR_WARN, TEXT("the message selects no route"), fields.failed ? TEXT_NONE : buf_text(&fields));
    buf_fini(&fields);
}

/* ---- connections ---- */

static void connection_line(struct gw_io *io, const struct gw_conn *conn, struct gw_lines *lines, const char *message, struct text request_id, const struct buf *fields)
{
    struct buf event;
    buf_init(&event, GW_LINE_MAX);
    struct line line = {.level = WEIR_INFO, .time_ms = clock_wall_ms(), .message = text_of(message), .fields = buf_text(fields), .lines = lines,
        .stage = conn->api->config->stages[conn->stage], .request_id = request_id, .connection = net_conn_id(conn->net), .identity = conn->identity,
        .correlation = text_of(conn->correlation)};
    write_line(&line, &event);
    if (event.failed || fields->failed)
        gw_lines_dropped(1);
    else
        gw_lines_add(io, lines, buf_text(&event));
    buf_fini(&event);
}

void gw_line_connected(struct gw_io *io, struct gw_conn *conn, struct text request_id, struct text origin)
{
    struct gw_lines *lines = conn->api->own_lines[0];
    struct json_writer w;
    struct buf fields;
    char address[46];
    if (!is_on(lines) || !conn->net)
        return;
    buf_init(&fields, GW_LINE_FIELDS_MAX);
    json_writer_init(&w, &fields);
    json_begin_object(&w);
    member(&w, "ip", net_conn_address(conn->net, address));
    member(&w, "userAgent", conn->about->user_agent);
    member(&w, "origin", origin.len <= 512 ? origin : TEXT_NONE);
    json_end_object(&w);
    connection_line(io, conn, lines, "Connected", request_id, &fields);
    buf_fini(&fields);
}

void gw_line_disconnected(struct gw_io *io, struct gw_conn *conn, int code, struct text reason)
{
    struct gw_lines *lines = conn->api->own_lines[1];
    struct json_writer w;
    struct buf fields;
    if (!is_on(lines))
        return;
    int64_t duration_ms = clock_wall_ms() - net_conn_connected_ms(conn->net);
    buf_init(&fields, GW_LINE_FIELDS_MAX);
    json_writer_init(&w, &fields);
    json_begin_object(&w);
    json_name(&w, "code");
    json_i64(&w, code);
    member(&w, "reason", reason);
    json_name(&w, "connectionDuration");
    json_i64(&w, duration_ms > 0 ? duration_ms : 0);
    json_end_object(&w);
    connection_line(io, conn, lines, "Disconnected", TEXT_NONE, &fields);
    buf_fini(&fields);
}

void gw_line_refused(struct gw_io *io, struct net_conn *net, struct gw_api *api, uint8_t stage, const char *code, const char *why)
{
    struct gw_lines *lines = api->own_lines[0];
    struct json_writer w;
    struct buf fields, event;
    char address[46];
    uint32_t kept_back;
    if (!is_on(lines) || !gw_lines_may_tell(lines, false, &kept_back))
        return;
    buf_init(&fields, GW_LINE_FIELDS_MAX);
    buf_init(&event, GW_LINE_MAX);
    json_writer_init(&w, &fields);
    json_begin_object(&w);
    member(&w, "code", text_of(code));
    member(&w, "ip", net_conn_address(net, address));
    if (kept_back) {
        json_name(&w, "keptBack");
        json_u64(&w, kept_back);
    }
    json_end_object(&w);
    struct line line = {.level = WEIR_WARN, .time_ms = clock_wall_ms(), .message = text_of(why), .fields = buf_text(&fields), .lines = lines, .stage = api->config->stages[stage]};
    write_line(&line, &event);
    if (!event.failed && !fields.failed)
        gw_lines_add(io, lines, buf_text(&event));
    buf_fini(&fields);
    buf_fini(&event);
}
