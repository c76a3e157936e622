/*
 * Deliveries of log events. What a delivery's row holds becomes one message, and the message one record or one deferred call, in the commit that deletes the row.
 *
 * The message is compressed here, on the state thread: the row is bounded (WATCH_LOG_DELIVERY_BYTES), so it takes a millisecond or two, as packing a chunk does, and other calls come
 * in between. A record of a stream holds a megabyte; only an event that is nearly that long and cannot be compressed is too large for it, and dropped.
 */
#include "gateway/log_deliver.h"

#include "base/clock.h"
#include "base/counter.h"
#include "base/json.h"
#include "base/log.h"
#include "gateway/internal.h"
#include "gateway/records.h"
#include "watch/log.h"

#include <zlib.h>

#define ARENA_MAX ((size_t)32 << 20)
#define MESSAGE_MAX ((size_t)16 << 20) /* of JSON: text in which every character is escaped is six times as long */
#define ROUTE_ATTEMPTS 10
#define ROUTE_BACKOFF_MS 1000

struct target {
    struct text stream;          /* of records; data NULL: */
    const struct gw_route *route;
    struct text name;            /* of the route's deferred call */
};

/* ---- addresses ---- */

/* What stands behind the fifth colon of an ARN of that service. */
static bool arn_resource(struct text arn, const char *service, struct text *resource)
{
    struct text rest = arn;
    for (int colon = 0; colon < 5; colon++) {
        ptrdiff_t next = text_find(rest, ':', 0);
        struct text part = text_make(rest.data, next < 0 ? 0 : (size_t)next);
        if (next < 0 || (colon == 0 && !text_is(part, "arn")) || (colon == 2 && !text_is(part, service)))
            return false;
        rest = text_make(rest.data + next + 1, rest.len - (size_t)next - 1);
    }
    *resource = rest;
    return true;
}

static int find_route(struct gateway *gateway, struct text address, struct target *target)
{
    ptrdiff_t slash = text_find(address, '/', 0);
    if (slash <= 0)
        return ERR_INVALID;
    const struct gw_api *api = map_get(&gateway->by_name, text_make(address.data, (size_t)slash));
    const struct gw_route *route = api ? map_get(&api->by_key, text_make(address.data + slash + 1, address.len - (size_t)slash - 1)) : NULL;
    if (!route || !route->handler)
        return ERR_NOT_FOUND;
    target->route = route;
    target->name = address;
    return 0;
}

static int find(struct gateway *gateway, struct store_view *view, struct arena *arena, struct text address, bool direct, struct target *target)
{
    struct text resource, row;
    const struct json *root;
    *target = (struct target){.stream = TEXT_NONE};
    if (text_starts(address, TEXT(GW_LOG_ROUTE)))
        return find_route(gateway, text_make(address.data + sizeof(GW_LOG_ROUTE) - 1, address.len - sizeof(GW_LOG_ROUTE) + 1), target);
    if (arn_resource(address, "kinesis", &resource)) {
        if (!text_starts(resource, TEXT("stream/")))
            return ERR_INVALID;
        target->stream = text_make(resource.data + 7, resource.len - 7);
        return 0;
    }
    if (direct || !arn_resource(address, "logs", &resource) || !text_starts(resource, TEXT("destination:")))
        return ERR_INVALID;
    int code = watch_log_setting_get(view, arena, WATCH_LOG_DESTINATION, text_make(resource.data + 12, resource.len - 12), &row);
    if (!code)
        code = json_parse(arena, row, 0, &root, NULL);
    const struct json *to = code ? NULL : json_get_str(root, "targetArn");
    return code ? code : json_is(to, JSON_STRING) ? find(gateway, view, arena, to->text, true, target) : ERR_NOT_FOUND;
}

/* ---- messages ---- */

static void write_member(struct json_writer *w, const char *name, struct text value)
{
    json_name(w, name);
    json_text(w, value);
}

static void write_event(struct json_writer *w, struct text id, int64_t time_ms, struct text message)
{
    json_begin_object(w);
    write_member(w, "id", id);
    json_name(w, "timestamp");
    json_i64(w, time_ms);
    write_member(w, "message", message);
    json_end_object(w);
}

static void message_begin(struct json_writer *w, const char *type, struct text owner, const struct watch_log_delivery *delivery)
{
    json_begin_object(w);
    write_member(w, "messageType", text_of(type));
    write_member(w, "owner", owner);
    write_member(w, "logGroup", delivery->group);
    write_member(w, "logStream", delivery->stream);
    json_name(w, "subscriptionFilters");
    json_begin_array(w);
    if (delivery->filter.data)
        json_text(w, delivery->filter);
    json_end_array(w);
    json_name(w, "logEvents");
    json_begin_array(w);
}

static void message_end(struct json_writer *w)
{
    json_end_array(w);
    json_end_object(w);
}

static int write_message(struct buf *out, struct text owner, struct watch_log_delivery *delivery)
{
    struct watch_log_event event;
    struct json_writer w;
    char id[WATCH_LOG_ID_TEXT + 1];
    int code;
    json_writer_init(&w, out);
    message_begin(&w, "DATA_MESSAGE", owner, delivery);
    while (!(code = watch_log_delivery_next(delivery, &event))) {
        watch_log_id_format(&event.place, id);
        write_event(&w, text_of(id), event.place.time_ms, event.message);
    }
    message_end(&w);
    return code != ERR_NOT_FOUND ? code : out->failed ? ERR_TOO_LARGE : 0;
}

/* A whole gzip file. ERR_MEMORY. */
static int compress_text(struct text text, struct buf *out)
{
    z_stream z = {0};
    if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return ERR_MEMORY;
    size_t most = deflateBound(&z, (uLong)text.len);
    if (buf_reserve(out, most)) {
        deflateEnd(&z);
        return ERR_MEMORY;
    }
    z.next_in = (Bytef *)(uintptr_t)text.data;
    z.avail_in = (uInt)text.len;
    z.next_out = (Bytef *)out->data;
    z.avail_out = (uInt)most;
    bool whole = deflate(&z, Z_FINISH) == Z_STREAM_END;
    out->len = z.total_out;
    deflateEnd(&z);
    return whole ? 0 : ERR_MEMORY;
}

/* ---- records and calls ---- */

static int put_record(struct tick *tick, struct arena *arena, struct text stream, struct text key, struct text message)
{
    struct err err = {0};
    struct buf packed;
    buf_init(&packed, MESSAGE_MAX + (64u << 10));
    int code = compress_text(message, &packed);
    struct gw_record record = {.key = key, .data = buf_text(&packed), .hash = gw_hash_key_of(key)};
    if (!code && record.data.len + key.len > GW_RECORD_BYTES_MAX)
        code = ERR_TOO_LARGE;
    if (!code)
        code = gw_records_put(tick, arena, stream, &record, 1, 0, &err);
    buf_fini(&packed);
    return code;
}

/* Random: a key of its own each time. By stream: the same for all that one stream of a group sends; stream names are longer than a key may be. */
static struct text partition_key(struct tick *tick, struct arena *arena, const struct watch_log_delivery *delivery)
{
    char id[TICK_ID_TEXT + 1], digits[GW_HASH_KEY_TEXT];
    if (!delivery->by_stream) {
        tick_id(tick, id);
        return arena_copy(arena, text_of(id));
    }
    struct text name = arena_format(arena, "%.*s:%.*s", TEXT_FMT(delivery->group), TEXT_FMT(delivery->stream));
    gw_hash_key_format(gw_hash_key_of(name), digits);
    return arena_copy(arena, text_of(digits));
}

static int send_message(struct tick *tick, struct arena *arena, const struct target *target, const struct watch_log_delivery *delivery, struct text message)
{
    if (target->route)
        return tick_later(tick, 0, target->name, message, ROUTE_ATTEMPTS, ROUTE_BACKOFF_MS, NULL);
    struct text key = partition_key(tick, arena, delivery);
    return key.data ? put_record(tick, arena, target->stream, key, message) : ERR_MEMORY;
}

static bool is_lost(int code)
{
    return code == ERR_NOT_FOUND || code == ERR_INVALID || code == ERR_TOO_LARGE;
}

static void tell_lost(struct gateway *gateway, const struct watch_log_delivery *delivery, int code)
{
    int64_t now_ms = clock_mono_ms();
    counter_add(COUNTER_logs_deliveries_dropped, 1);
    if (gateway->delivery_told_ms && now_ms - gateway->delivery_told_ms < MINUTE_MS)
        return;
    gateway->delivery_told_ms = now_ms;
    log_warn("logs", "events of %.*s are not brought to %.*s: %s", TEXT_FMT(delivery->group), TEXT_FMT(delivery->destination), err_text(code));
}

static int deliver(struct gateway *gateway, struct tick *tick, struct arena *arena, struct text payload)
{
    struct watch_log_delivery delivery;
    struct target target;
    struct buf message;
    int code = watch_log_delivery_take(tick, arena, payload, &delivery);
    if (code)
        return code == ERR_NOT_FOUND ? 0 : code;
    code = find(gateway, tick_view(tick), arena, delivery.destination, false, &target);
    buf_init(&message, MESSAGE_MAX);
    if (!code)
        code = write_message(&message, gateway->config.account, &delivery);
    if (!code)
        code = send_message(tick, arena, &target, &delivery, buf_text(&message));
    buf_fini(&message);
    if (!code)
        counter_add(COUNTER_logs_deliveries, 1);
    if (!is_lost(code))
        return code;
    tell_lost(gateway, &delivery, code);
    return 0;
}

int gw_log_deliver(struct gateway *gateway, struct tick *tick, struct text payload)
{
    struct arena arena;
    arena_init(&arena, 64 << 10, ARENA_MAX);
    int code = deliver(gateway, tick, &arena, payload);
    arena_fini(&arena);
    return code;
}

int gw_log_test(struct gateway *gateway, struct tick *tick, struct arena *arena, struct text address, bool direct)
{
    static const struct watch_log_delivery nobody = {.group = {"", 0}, .stream = {"", 0}};
    struct target target;
    struct json_writer w;
    struct buf message;
    char id[TICK_ID_TEXT + 1];
    int code = find(gateway, tick_view(tick), arena, address, direct, &target);
    if (code || target.route)
        return code;
    buf_init(&message, 4096);
    json_writer_init(&w, &message);
    message_begin(&w, "CONTROL_MESSAGE", TEXT("CloudwatchLogs"), &nobody);
    write_event(&w, TEXT(""), tick_now_ms(tick), TEXT("CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."));
    message_end(&w);
    tick_id(tick, id);
    code = message.failed ? ERR_MEMORY : put_record(tick, arena, target.stream, text_of(id), buf_text(&message));
    buf_fini(&message);
    return code;
}
