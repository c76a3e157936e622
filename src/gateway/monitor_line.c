/*
 * What a completion knows: members that the handler captured, members of the message that the operation captures by itself, and what the call is. In that order: the
 * document's monitor is given a context first and details at the end, and the details win.
 *
 * Most completions are never told, so nothing is looked up before a figure or a line asks for it by name.
 */
#include "gateway/monitor.h"

#include "base/codec.h"
#include "gateway/call.h"
#include "gateway/lines.h"

#define CAPTURE_MAX 256 /* bytes of a captured text */
#define LINE_MEMBERS_MAX 64

/* ---- from the message ---- */

/* As JavaScript counts: in UTF-16. */
static int64_t length_of(struct text text)
{
    int64_t units = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        units += ((c & 0xC0) != 0x80) + (c >= 0xF0);
    }
    return units;
}

static bool capture(struct weir_call *call, const struct weir_capture *wanted, struct gw_field *out)
{
    const struct json *value = gw_call_field(call, text_of(wanted->field));
    *out = (struct gw_field){.name = wanted->name};
    if (wanted->kind == WEIR_CAPTURE_PRESENT) {
        out->kind = GW_FIELD_BOOLEAN;
        out->number = value && value->type != JSON_NULL && !(json_is(value, JSON_STRING) && !value->text.len);
        return true;
    }
    if (!value && wanted->otherwise)
        value = gw_call_field(call, text_of(wanted->otherwise));
    if (!json_is(value, JSON_STRING))
        return false;
    if (wanted->kind == WEIR_CAPTURE_LENGTH) {
        out->kind = GW_FIELD_INTEGER;
        out->number = length_of(value->text);
        return true;
    }
    out->kind = GW_FIELD_TEXT;
    out->text = value->text;
    return value->text.len && value->text.len <= CAPTURE_MAX && gw_text_clean(value->text);
}

static const struct weir_capture *captures_of(const struct gw_completion *c)
{
    static const struct weir_capture none = {0};
    bool message = c->call && c->call->kind == GW_CALL_MESSAGE && c->operation->decl && c->operation->decl->captures;
    return message ? c->operation->decl->captures : &none;
}

/* ---- from the call ---- */

static bool event_type(struct weir_call *call, struct gw_field *out)
{
    static const char *const names[] = {[GW_CALL_MESSAGE] = "MESSAGE", [GW_CALL_CONNECT] = "connect", [GW_CALL_DISCONNECT] = "disconnect", [GW_CALL_REST] = "REST",
        [GW_CALL_DEFERRED] = "DEFERRED", [GW_CALL_STREAM] = "STREAM"};
    const char *name = call->kind < sizeof(names) / sizeof(names[0]) ? names[call->kind] : NULL;
    out->text = text_of(name);
    return name != NULL;
}

static bool connection_id(struct weir_call *call, struct gw_field *out)
{
    struct weir_text id = weir_connection_id(call);
    out->text = text_in(id);
    return id.len > 0;
}

static bool route_key(struct weir_call *call, struct gw_field *out)
{
    out->text = call->route ? call->route->key : TEXT_NONE;
    return out->text.len > 0;
}

static bool request_id(struct weir_call *call, struct gw_field *out)
{
    out->text = gw_call_request_id(call);
    return true;
}

static bool correlation_id(struct weir_call *call, struct gw_field *out)
{
    out->text = gw_correlation(call);
    return true;
}

static bool user_id(struct weir_call *call, struct gw_field *out)
{
    out->text = call->identity ? call->identity->user_id : TEXT_NONE;
    return out->text.len > 0;
}

/* Of a message: whether a proven identity stood behind it when it came. */
static bool authenticated(struct weir_call *call, struct gw_field *out)
{
    out->kind = GW_FIELD_BOOLEAN;
    out->number = call->identity && call->identity->proven;
    return call->kind == GW_CALL_MESSAGE && call->api->config->auth != WEIR_NONE;
}

static bool disconnect_reason(struct weir_call *call, struct gw_field *out)
{
    bool in_order = call->close_code == WS_CLOSE_NORMAL || call->close_code == WS_CLOSE_GOING_AWAY || call->close_code == WS_CLOSE_NO_STATUS;
    bool told = call->close_how == NET_END_CLIENT || call->close_how == NET_END_SERVER || call->close_how == NET_END_DRAIN;
    out->text = call->close_how == NET_END_TIMEOUT ? TEXT("timeout") : in_order && told ? TEXT("normal") : TEXT("error");
    return call->kind == GW_CALL_DISCONNECT;
}

static bool connection_duration(struct weir_call *call, struct gw_field *out)
{
    out->kind = GW_FIELD_INTEGER;
    out->number = clock_wall_ms() - call->connected_ms;
    return call->kind == GW_CALL_DISCONNECT && call->connected_ms;
}

static bool error_code(struct weir_call *call, struct gw_field *out)
{
    int code = gw_call_outcome(call);
    out->text = text_of(call->client_error ? call->err_code : err_name(code));
    return code != 0;
}

static bool error_message(struct weir_call *call, struct gw_field *out)
{
    int code = gw_call_outcome(call);
    out->text = text_of(call->client_error ? call->err_text : err_text(code));
    return code != 0;
}

static const struct {
    const char *name;
    bool (*get)(struct weir_call *call, struct gw_field *out);
} known[] = {
    {"connectionId", connection_id},
    {"eventType", event_type},
    {"routeKey", route_key},
    {"requestId", request_id},
    {"correlationId", correlation_id},
    {"userId", user_id},
    {"authenticated", authenticated},
    {"disconnectReason", disconnect_reason},
    {"connectionDuration", connection_duration},
    {"error", error_code},
    {"errorMessage", error_message},
};
#define KNOWN (sizeof(known) / sizeof(known[0]))

/* ---- by name ---- */

bool gw_completion_field(const struct gw_completion *c, const char *name, struct gw_field *out)
{
    for (const struct gw_field *field = c->fields; field; field = field->next)
        if (strcmp(field->name, name) == 0) {
            *out = *field;
            return true;
        }
    for (const struct weir_capture *wanted = captures_of(c); wanted->name; wanted++)
        if (strcmp(wanted->name, name) == 0)
            return capture(c->call, wanted, out);
    for (size_t i = 0; c->call && i < KNOWN; i++)
        if (strcmp(known[i].name, name) == 0) {
            *out = (struct gw_field){.name = known[i].name, .kind = GW_FIELD_TEXT};
            return known[i].get(c->call, out);
        }
    return false;
}

/* ---- lines ---- */

struct line {
    const struct gw_completion *completion;
    struct weir_json *json;
    const char *seen[LINE_MEMBERS_MAX];
    unsigned count;
};

static void line_member(struct line *line, const char *name)
{
    struct gw_field field;
    for (unsigned i = 0; i < line->count; i++)
        if (strcmp(line->seen[i], name) == 0)
            return;
    if (line->count == LINE_MEMBERS_MAX || !gw_completion_field(line->completion, name, &field))
        return;
    line->seen[line->count++] = name;
    weir_name(line->json, name);
    if (field.kind == GW_FIELD_TEXT)
        weir_string(line->json, text_out(field.text));
    else if (field.kind == GW_FIELD_INTEGER)
        weir_integer(line->json, field.number);
    else
        weir_boolean(line->json, field.number != 0);
}

/* Oldest first: the order in which a handler captured them. */
static void line_fields(struct line *line, const struct gw_field *field)
{
    if (!field)
        return;
    line_fields(line, field->next); /* WEIR_MONITOR_FIELDS_MAX deep */
    line_member(line, field->name);
}

static void line_context(struct line *line)
{
    for (size_t i = 0; line->completion->call && i < KNOWN; i++)
        line_member(line, known[i].name);
    for (const struct weir_capture *wanted = captures_of(line->completion); wanted->name; wanted++)
        line_member(line, wanted->name);
    line_fields(line, line->completion->fields);
}

static void line_open(struct line *line, struct weir_call *call, const struct gw_completion *c, uint32_t kept_back)
{
    *line = (struct line){.completion = c, .json = weir_json(call)};
    weir_object(line->json);
    weir_member(line->json, "operation", text_out(c->operation->name));
    weir_name(line->json, "duration");
    weir_real(line->json, (double)c->figures.duration_ns / 1e6);
    weir_member_integer(line->json, "memoryUsage", (int64_t)c->figures.memory);
    weir_name(line->json, "success");
    weir_boolean(line->json, !c->figures.failed);
    if (kept_back)
        weir_member_integer(line->json, "similar", kept_back);
}

/* A token may be looked at before there is a call: then one is lent for the line. */
static struct weir_call *call_of(const struct gw_completion *c)
{
    if (c->call)
        return c->call;
    struct weir_call *call = c->io ? gw_call_take(c->io, c->operation->api) : NULL;
    if (call)
        call->kind = GW_CALL_CONNECT;
    return call;
}

static void line_close(struct line *line, struct weir_call *call, const char *level, const char *message)
{
    line_context(line);
    weir_end(line->json);
    struct weir_text fields = weir_json_text(line->json);
    log_warn("monitor", "%s %s %.*s", level, message, WEIR_TEXT(fields));
    gw_line_captured(line->completion->io, call, WEIR_WARN, text_of(message), text_in(fields)); /* an ERROR is the failure's own line (gw_line_failure), so that errors are counted once */
    gw_call_docs_give(call);
    if (call != line->completion->call)
        gw_call_give(call);
}

void gw_breach_line(const struct gw_completion *c, enum watch_figure figure, double value, double threshold, uint32_t kept_back)
{
    struct weir_call *call = call_of(c);
    struct line line;
    if (!call)
        return;
    line_open(&line, call, c, kept_back);
    weir_member(line.json, "figure", weir_text_of(watch_figure_names[figure]));
    weir_name(line.json, "value");
    weir_real(line.json, value);
    weir_name(line.json, "threshold");
    weir_real(line.json, threshold);
    weir_member(line.json, "unit", weir_text_of(watch_figure_units[figure]));
    line_close(&line, call, "WARN", "Performance threshold exceeded");
}

static void message_line(const struct gw_completion *c, const char *level, const char *format, uint32_t kept_back)
{
    char message[256];
    struct weir_call *call = call_of(c);
    struct line line;
    if (!call)
        return;
    int room = (int)sizeof(message) - 64;
    struct text name = c->operation->name;
    snprintf(message, sizeof(message), "%.*s %s", name.len < (size_t)room ? (int)name.len : room, name.data, format);
    line_open(&line, call, c, kept_back);
    line_close(&line, call, level, message);
}

void gw_failure_line(const struct gw_completion *c, uint32_t kept_back)
{
    message_line(c, "ERROR", "failed", kept_back);
}

void gw_warning_line(const struct gw_completion *c, uint32_t kept_back)
{
    message_line(c, "WARN", "completed with a warning", kept_back);
}
