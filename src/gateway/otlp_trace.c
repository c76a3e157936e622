/*
 * Completed calls as spans: one for each call of a route, made when the call is given back.
 *
 * A trace begins with the W3C `traceparent` that came: as a header of $connect or of a REST request, or as the member "traceparent" of a message, since a socket has no headers
 * after its handshake. Without one each call is a trace of its own; the correlation id, where there is one, is an attribute that finds its log lines.
 *
 * Each thread writes into a ring of its own and the services' thread empties it, so nobody waits: one writer, one reader, two counters. What finds the ring full is dropped and counted.
 */
#include "gateway/internal.h"
#include "gateway/lines.h"
#include "gateway/otlp.h"
#include "base/codec.h"

#include <stdlib.h>

#define CORRELATION_KEPT 64 /* bytes */

struct span {
    unsigned char trace[16], parent[8], id[8];
    bool has_parent;
    uint8_t stage, kind;
    int code;
    int64_t start_ns, duration_ns, handler_ns; /* start: wall */
    const struct gw_route *route;
    struct net_id conn;
    bool has_conn;
    uint8_t correlation_len;
    char correlation[CORRELATION_KEPT];
};
struct gw_spans {
    _Alignas(64) uint32_t written; /* atomic */
    _Alignas(64) uint32_t taken;   /* atomic */
    struct span span[GW_OTLP_SPANS];
};
_Static_assert((GW_OTLP_SPANS & (GW_OTLP_SPANS - 1)) == 0, "places go round");

struct gw_spans *gw_spans_create(void)
{
    struct gw_spans *spans = aligned_alloc(64, (sizeof(*spans) + 63) / 64 * 64);
    if (spans)
        spans->written = spans->taken = 0;
    return spans;
}

void gw_spans_destroy(struct gw_spans *spans)
{
    free(spans);
}

/* ---- where it belongs ---- */

static bool take_hex(struct text text, size_t at, unsigned char *out, size_t bytes)
{
    bool any = false;
    for (size_t i = 0; i < bytes * 2; i++) {
        char c = text.data[at + i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        out[i / 2] = (unsigned char)(i % 2 ? out[i / 2] | digit : digit << 4);
        any = any || digit;
    }
    return any; /* all zero is no id */
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* Later versions may go on behind the flags, after another '-'; ff is none. */
bool gw_traceparent_parse(struct text text, unsigned char trace[16], unsigned char parent[8])
{
    if (text.len < 55 || text.data[2] != '-' || text.data[35] != '-' || text.data[52] != '-' || text_starts(text, TEXT("ff")))
        return false;
    if (!is_hex(text.data[0]) || !is_hex(text.data[1]) || !is_hex(text.data[53]) || !is_hex(text.data[54]))
        return false;
    if (text.len > 55 && (text_starts(text, TEXT("00")) || text.data[55] != '-'))
        return false;
    return take_hex(text, 3, trace, 16) && take_hex(text, 36, parent, 8);
}

static struct text given(const struct weir_call *call)
{
    for (size_t i = 0; i < call->header_count; i++)
        if (text_equal_nocase(call->headers[i].name, TEXT("traceparent")))
            return call->headers[i].value;
    const struct json *member = call->kind == GW_CALL_MESSAGE && call->root ? json_get_str(call->root, "traceparent") : NULL;
    return json_is(member, JSON_STRING) ? member->text : TEXT_NONE;
}

static void fill_random(unsigned char *out, size_t len)
{
    for (size_t at = 0; at < len; at += 8) {
        uint64_t r = random_u64() | 1;
        memcpy(out + at, &r, 8);
    }
}

void gw_spans_add(struct gw_spans *spans, const struct weir_call *call, int code)
{
    uint32_t written = spans->written;
    if (written - __atomic_load_n(&spans->taken, __ATOMIC_ACQUIRE) == GW_OTLP_SPANS) {
        counter_add(COUNTER_otlp_spans_dropped, 1);
        return;
    }
    struct span *span = &spans->span[written & (GW_OTLP_SPANS - 1)];
    struct text parent = given(call);
    int64_t handler_ns = call->handler_ns;
    int64_t duration_ns = call->arrived_ns ? clock_mono_ns() - call->arrived_ns : handler_ns;
    *span = (struct span){.stage = call->stage, .kind = (uint8_t)call->kind, .code = code, .duration_ns = duration_ns, .handler_ns = handler_ns, .route = call->route,
        .conn = call->conn_id, .has_conn = call->has_conn};
    span->start_ns = clock_wall_ns() - duration_ns;
    span->has_parent = parent.len && gw_traceparent_parse(parent, span->trace, span->parent);
    if (!span->has_parent)
        fill_random(span->trace, sizeof(span->trace));
    fill_random(span->id, sizeof(span->id));
    span->correlation_len = (uint8_t)(call->correlation.len < CORRELATION_KEPT ? call->correlation.len : CORRELATION_KEPT);
    if (span->correlation_len)
        memcpy(span->correlation, call->correlation.data, span->correlation_len);
    __atomic_store_n(&spans->written, written + 1, __ATOMIC_RELEASE);
}

/* ---- as OTLP ---- */

static void write_id(struct json_writer *w, const char *name, const unsigned char *id, size_t len)
{
    static const char digit[] = "0123456789abcdef";
    char out[33];
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digit[id[i] >> 4];
        out[2 * i + 1] = digit[id[i] & 15];
    }
    out[2 * len] = 0;
    json_name(w, name);
    json_str(w, out);
}

static void write_attributes(struct json_writer *w, const struct span *span)
{
    const struct gw_route *route = span->route;
    char id[NET_ID_TEXT + 1];
    json_name(w, "attributes");
    json_begin_array(w);
    gw_otlp_attribute(w, "weir.api", route->api->id);
    gw_otlp_attribute(w, "weir.stage", route->api->config->stages[span->stage]);
    gw_otlp_attribute(w, "weir.route", route->key);
    gw_otlp_attribute(w, "faas.name", gw_route_function(route));
    gw_otlp_attribute_i64(w, "weir.handler.duration_ns", span->handler_ns);
    if (span->has_conn) {
        net_id_format(&span->conn, id);
        gw_otlp_attribute(w, "weir.connection.id", text_of(id));
    }
    if (span->correlation_len)
        gw_otlp_attribute(w, "correlation.id", text_make(span->correlation, span->correlation_len));
    if (span->code)
        gw_otlp_attribute(w, "error.type", text_of(err_name(span->code)));
    json_end_array(w);
}

static void write_span(struct json_writer *w, const struct span *span)
{
    bool outside = span->kind == GW_CALL_MESSAGE || span->kind == GW_CALL_CONNECT || span->kind == GW_CALL_REST;
    json_begin_object(w);
    write_id(w, "traceId", span->trace, sizeof(span->trace));
    write_id(w, "spanId", span->id, sizeof(span->id));
    if (span->has_parent)
        write_id(w, "parentSpanId", span->parent, sizeof(span->parent));
    json_name(w, "name");
    json_text(w, span->route->key);
    json_name(w, "kind");
    json_i64(w, outside ? 2 : 1); /* SERVER, INTERNAL */
    gw_otlp_u64(w, "startTimeUnixNano", (uint64_t)span->start_ns);
    gw_otlp_u64(w, "endTimeUnixNano", (uint64_t)(span->start_ns + span->duration_ns));
    write_attributes(w, span);
    json_name(w, "status");
    json_begin_object(w);
    if (span->code) {
        json_name(w, "code");
        json_i64(w, 2);
        json_name(w, "message");
        json_str(w, err_text(span->code));
    }
    json_end_object(w);
    json_end_object(w);
}

bool gw_spans_empty(const struct gw_spans *spans)
{
    return __atomic_load_n(&spans->written, __ATOMIC_ACQUIRE) == spans->taken;
}

size_t gw_spans_take(struct gw_spans *spans, struct json_writer *w)
{
    uint32_t written = __atomic_load_n(&spans->written, __ATOMIC_ACQUIRE), taken = spans->taken;
    size_t count = 0;
    for (; taken != written && w->out->len < GW_OTLP_BODY_FULL; taken++, count++)
        write_span(w, &spans->span[taken & (GW_OTLP_SPANS - 1)]);
    __atomic_store_n(&spans->taken, taken, __ATOMIC_RELEASE);
    return count;
}
