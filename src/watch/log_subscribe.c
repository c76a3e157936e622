/*
 * Subscription filters: which new events are to go somewhere else, and the way there without losing one.
 *
 * A destination may take a while (text is compressed for it), and the tick that stores the events waits for nobody. So the seal writes what matches as a row of its own, a
 * delivery, with a deferred call that names it: both are durable with the events, or none of them is. The deferred call belongs to the layer that knows destinations; it takes the
 * delivery and brings it there in one commit, so nothing is delivered twice within weir either.
 *
 * What waits is bounded: house->waiting counts the bytes of this run, and puts into groups with subscription filters are refused above WATCH_LOG_DELIVERIES_MAX.
 *
 *   delivery   version, filter, group, stream, destination (bytes), distribution(u8), then events: time sequence(be64) call index(be32) message(bytes)
 */
#include "watch/log_inside.h"

#include "base/json.h"
#include "watch/pattern.h"

enum { DELIVERY_VERSION = 1, PAYLOAD = 12 };
#define ROW_MAX (WATCH_LOG_DELIVERY_BYTES + WATCH_LOG_MESSAGE_MAX + (1u << 20)) /* with names, and the places of many small events */
#define SCRATCH_BYTES ((size_t)1 << 20)
#define ATTEMPTS 1000
#define BACKOFF_MS 1000

struct log_subscription {
    struct watch_pattern *pattern;
    struct text name, destination;
    bool by_stream;
    struct log_subscription *next;
};

/* ---- the filters of a group ---- */

struct reading {
    struct arena *arena;
    struct log_subscription *first;
    int code;
};

static struct text member(const struct json *object, const char *name)
{
    const struct json *found = json_get_str(object, name);
    return json_is(found, JSON_STRING) ? found->text : TEXT_NONE;
}

/* One that cannot be read is as if it were not there. */
static int on_subscription(void *context, struct text name, struct text value)
{
    struct reading *reading = context;
    struct log_subscription *made = arena_zalloc(reading->arena, sizeof(*made));
    struct text kept = arena_copy(reading->arena, value);
    const struct json *root;
    struct err err = {0};
    if (!made || !kept.data)
        return ERR_MEMORY;
    made->name = arena_copy(reading->arena, name);
    int code = json_parse(reading->arena, kept, 0, &root, NULL);
    if (!code)
        code = watch_pattern_parse(reading->arena, member(root, "filterPattern"), &made->pattern, &err);
    if (code || !made->name.data)
        return code == ERR_MEMORY || !made->name.data ? ERR_MEMORY : 0;
    made->destination = member(root, "destinationArn");
    made->by_stream = text_is(member(root, "distribution"), "ByLogStream");
    made->next = reading->first;
    reading->first = made;
    return 0;
}

int log_subscriptions_read(struct tick *tick, const struct watch_log_group *group, struct arena *arena, const struct log_subscription **out)
{
    struct reading reading = {.arena = arena};
    struct arena rows;
    arena_init(&rows, 4096, SCRATCH_BYTES);
    int code = watch_log_subscription_each(tick_view(tick), &rows, group, TEXT_NONE, TEXT_NONE, on_subscription, &reading);
    arena_fini(&rows);
    *out = reading.first;
    return code;
}

/* ---- new events ---- */

struct delivering {
    struct tick *tick;
    struct log_house *house;
    const struct log_subscription *to;
    struct text group, stream;
    struct buf row;
    size_t bytes; /* of messages in it */
};

static void row_begin(struct delivering *d)
{
    buf_clear(&d->row);
    d->bytes = 0;
    buf_add_u8(&d->row, DELIVERY_VERSION);
    buf_add_bytes(&d->row, d->to->name);
    buf_add_bytes(&d->row, d->group);
    buf_add_bytes(&d->row, d->stream);
    buf_add_bytes(&d->row, d->to->destination);
    buf_add_u8(&d->row, d->to->by_stream);
}

static struct log_key delivery_key(uint64_t sequence, uint32_t number)
{
    struct log_key key;
    log_key_begin(&key, 'o', sequence);
    log_key_add16(&key, number >> 16);
    log_key_add16(&key, number & 0xffff);
    return key;
}

static int row_end(struct delivering *d)
{
    struct log_house *house = d->house;
    if (!d->bytes)
        return 0;
    if (d->row.failed)
        return ERR_MEMORY;
    uint64_t sequence = tick_sequence(d->tick);
    house->deliveries = house->delivered == sequence ? house->deliveries + 1 : 0;
    house->delivered = sequence;
    struct log_key key = delivery_key(sequence, house->deliveries);
    int code = store_raw_put(tick_stage(d->tick), STORE_SPACE_LOGS, log_key_text(&key), buf_text(&d->row));
    if (!code)
        code = tick_later(d->tick, 0, TEXT(WATCH_LOG_DELIVER), text_make(key.bytes + 1, PAYLOAD), ATTEMPTS, BACKOFF_MS, NULL);
    house->waiting += code ? 0 : d->row.len;
    row_begin(d);
    return code;
}

static int row_add(struct delivering *d, const struct watch_log_event *event)
{
    int code = d->bytes && d->bytes + event->message.len > WATCH_LOG_DELIVERY_BYTES ? row_end(d) : 0;
    buf_add_be64(&d->row, (uint64_t)event->place.time_ms);
    buf_add_be64(&d->row, event->place.sequence);
    buf_add_be32(&d->row, event->place.call);
    buf_add_be32(&d->row, event->place.index);
    buf_add_bytes(&d->row, event->message);
    d->bytes += event->message.len + WATCH_LOG_EVENT_COST;
    return code;
}

static int deliver(struct delivering *d, const struct watch_log_event *event, size_t count)
{
    int code = 0;
    row_begin(d);
    for (size_t i = 0; i < count && code >= 0; i++) {
        int holds = watch_pattern_match(d->to->pattern, event[i].message, &d->house->arena);
        code = holds == ERR_MEMORY ? 0 : holds; /* a message with more JSON than that holds matches nothing */
        if (code > 0)
            code = row_add(d, &event[i]);
    }
    return code < 0 ? code : row_end(d);
}

int log_subscriptions_put(struct tick *tick, struct log_house *house, const struct watch_log_group *group, struct text stream, const struct watch_log_event *event, size_t count)
{
    struct log_filters *filters;
    int code = log_filters_of(tick, house, group, &filters);
    struct delivering d = {.tick = tick, .house = house, .group = group->name, .stream = stream};
    buf_init(&d.row, ROW_MAX);
    for (d.to = code ? NULL : log_filters_subscriptions(filters); d.to && !code; d.to = d.to->next)
        code = deliver(&d, event, count);
    buf_fini(&d.row);
    return code;
}

/* ---- the other end ---- */

int watch_log_delivery_take(struct tick *tick, struct arena *arena, struct text payload, struct watch_log_delivery *delivery)
{
    struct cursor p = cursor_of(payload);
    uint64_t sequence = cursor_be64(&p);
    struct log_key key = delivery_key(sequence, cursor_be32(&p));
    struct log_house *house = log_house_of(tick);
    struct text row;
    if (p.failed)
        return ERR_CORRUPT;
    int code = store_raw_get(tick_view(tick), STORE_SPACE_LOGS, log_key_text(&key), arena, &row);
    if (!code)
        code = store_raw_delete(tick_stage(tick), STORE_SPACE_LOGS, log_key_text(&key));
    if (code)
        return code;
    if (house)
        house->waiting -= house->waiting < row.len ? house->waiting : row.len;
    struct cursor c = cursor_of(row);
    uint8_t version = cursor_u8(&c);
    *delivery = (struct watch_log_delivery){.filter = cursor_bytes(&c)};
    delivery->group = cursor_bytes(&c);
    delivery->stream = cursor_bytes(&c);
    delivery->destination = cursor_bytes(&c);
    delivery->by_stream = cursor_u8(&c);
    delivery->rest = cursor_take(&c, cursor_left(&c));
    return c.failed || version != DELIVERY_VERSION ? ERR_CORRUPT : 0;
}

int watch_log_delivery_next(struct watch_log_delivery *delivery, struct watch_log_event *event)
{
    struct cursor c = cursor_of(delivery->rest);
    if (!delivery->rest.len)
        return ERR_NOT_FOUND;
    *event = (struct watch_log_event){.place = {.time_ms = (int64_t)cursor_be64(&c)}, .stream = delivery->stream};
    event->place.sequence = cursor_be64(&c);
    event->place.call = cursor_be32(&c);
    event->place.index = cursor_be32(&c);
    event->message = cursor_bytes(&c);
    delivery->rest = cursor_take(&c, cursor_left(&c));
    return c.failed ? ERR_CORRUPT : 0;
}
