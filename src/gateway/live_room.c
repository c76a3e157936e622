/*
 * Rooms with a history: an application that declares room_history keeps the newest messages of each room, and a client that comes back says which one it had.
 *
 *   > {"action":"resume","room":"tea","after":"12.7"}        without "after": whatever is kept
 *   < the messages it missed, as they were published
 *   < {"type":"resumed","room":"tea","messages":3,"complete":true,"more":false}
 *
 * Each message carries "position":"<sequence>.<number>", the number being the room's own count. resume is a call of the tick, like the publishes: it reads the rows,
 * posts them and joins the room in one place of the order, so nothing falls between the last of them and the first that is new. "complete" is false when messages in between
 * are not kept any more. One resume takes at most a hundred messages; with "more" the client asks again, and is in the room when there is no more.
 *
 * Rows: api NUL room NUL -> first, next (be32 each); api NUL room NUL number (be32) -> sequence, time (be64 each), message. A publish writes its own row, moves the head,
 * and deletes what is too many or too old, two rows at a time at most, so no publish pays for an earlier silence.
 */
#include "gateway/live.h"
#include "base/cursor.h"
#include "store/key.h"

#define RESUME_MESSAGES 100
#define RESUME_BYTES ((size_t)128 << 10)
#define FORGET_MAX 2 /* rows that one publish deletes */

struct head {
    uint32_t first, next; /* numbers of the kept messages: [first, next) */
};

bool gw_has_history(const struct gw_api *api)
{
    return api->config->app && api->config->app->room_history.messages > 0;
}

/* ---- rows ---- */

static void key_make(struct buf *key, struct weir_call *call, struct text room)
{
    buf_init(key, 2048);
    buf_add_text(key, call->api->config->name);
    buf_add_char(key, 0);
    buf_add_text(key, room);
    buf_add_char(key, 0);
}

static int head_read(struct weir_call *call, struct buf *key, struct head *head)
{
    struct text value;
    *head = (struct head){1, 1};
    int code = key->failed ? ERR_TOO_LARGE : store_raw_get(call->view, STORE_SPACE_ROOMS, buf_text(key), &call->arena, &value);
    if (code)
        return code == ERR_NOT_FOUND ? 0 : code;
    struct cursor c = cursor_of(value);
    head->first = cursor_be32(&c);
    head->next = cursor_be32(&c);
    return c.failed || head->first > head->next ? ERR_CORRUPT : 0;
}

static int row_read(struct weir_call *call, struct buf *key, uint32_t number, uint64_t *sequence, int64_t *time_ms, struct text *message)
{
    struct text value;
    size_t len = key->len;
    buf_add_be32(key, number);
    int code = key->failed ? ERR_TOO_LARGE : store_raw_get(call->view, STORE_SPACE_ROOMS, buf_text(key), &call->arena, &value);
    key->len = len;
    if (code)
        return code;
    struct cursor c = cursor_of(value);
    *sequence = cursor_be64(&c);
    *time_ms = (int64_t)cursor_be64(&c);
    *message = cursor_take(&c, cursor_left(&c));
    return c.failed ? ERR_CORRUPT : 0;
}

static int row_put(struct weir_call *call, struct buf *key, uint32_t number, struct text message)
{
    struct buf value;
    size_t len = key->len;
    buf_init(&value, message.len + 16);
    buf_add_be64(&value, tick_sequence(call->tick));
    buf_add_be64(&value, (uint64_t)call->now_ms);
    buf_add_text(&value, message);
    buf_add_be32(key, number);
    int code = key->failed || value.failed ? ERR_TOO_LARGE : store_raw_put(tick_stage(call->tick), STORE_SPACE_ROOMS, buf_text(key), buf_text(&value));
    key->len = len;
    buf_fini(&value);
    return code;
}

static int row_delete(struct weir_call *call, struct buf *key, uint32_t number)
{
    size_t len = key->len;
    buf_add_be32(key, number);
    int code = key->failed ? ERR_TOO_LARGE : store_raw_delete(tick_stage(call->tick), STORE_SPACE_ROOMS, buf_text(key));
    key->len = len;
    return code;
}

static int head_put(struct weir_call *call, struct buf *key, struct head head)
{
    struct buf value;
    buf_init(&value, 8);
    buf_add_be32(&value, head.first);
    buf_add_be32(&value, head.next);
    int code = value.failed ? ERR_MEMORY : store_raw_put(tick_stage(call->tick), STORE_SPACE_ROOMS, buf_text(key), buf_text(&value));
    buf_fini(&value);
    return code;
}

static bool too_old(const struct weir_call *call, int64_t time_ms)
{
    int64_t lifetime = call->api->config->app->room_history.lifetime;
    return lifetime > 0 && call->now_ms - time_ms > lifetime;
}

static int forget(struct weir_call *call, struct buf *key, struct head *head)
{
    unsigned keep = call->api->config->app->room_history.messages;
    int code = 0;
    for (int i = 0; i < FORGET_MAX && head->first < head->next && !code; i++) {
        uint64_t sequence;
        int64_t time_ms;
        struct text message;
        bool many = head->next - head->first > keep;
        code = many ? 0 : row_read(call, key, head->first, &sequence, &time_ms, &message);
        if (code || (!many && !too_old(call, time_ms)))
            return code;
        code = row_delete(call, key, head->first++);
    }
    return code;
}

/* ---- publishing ---- */

/* The message with its position as the last member. */
static struct text stamp(struct weir_call *call, struct text message, uint32_t number)
{
    while (message.len && (message.data[message.len - 1] == ' ' || message.data[message.len - 1] == '\n' || message.data[message.len - 1] == '\r' || message.data[message.len - 1] == '\t'))
        message.len--;
    if (message.len < 2 || message.data[message.len - 1] != '}')
        return message;
    struct text before = text_make(message.data, message.len - 1);
    bool any = text_find(message, '"', 0) >= 0;
    return arena_format(&call->arena, "%.*s%s\"position\":\"%llu.%u\"}", TEXT_FMT(before), any ? "," : "", (unsigned long long)tick_sequence(call->tick), number);
}

int gw_history_add(struct weir_call *call, struct text room, struct text *message)
{
    struct buf key;
    struct head head;
    if (!gw_has_history(call->api))
        return 0;
    key_make(&key, call, room);
    int code = head_read(call, &key, &head);
    struct text stamped = code ? TEXT_NONE : stamp(call, *message, head.next);
    if (!code && !stamped.data)
        code = ERR_MEMORY;
    if (!code)
        code = row_put(call, &key, head.next, stamped);
    head.next++;
    if (!code)
        code = forget(call, &key, &head);
    if (!code)
        code = head_put(call, &key, head);
    buf_fini(&key);
    if (!code) {
        call->wrote = true;
        *message = stamped;
    }
    return code;
}

/* A publish over HTTP: what goes out after the commit is what was kept. A body that is no JSON object is kept as it came. */
int gw_history_publish(struct weir_call *call)
{
    struct text message = call->body;
    const struct json *root = NULL;
    if (!gw_has_history(call->api))
        return 0;
    bool object = json_parse(&call->arena, message, 0, &root, NULL) == 0 && root->type == JSON_OBJECT;
    if (!object)
        return 0; /* it reaches who is there; it has no place for a position */
    int code = gw_history_add(call, call->ask->name, &message);
    struct net_frame *frame = code ? NULL : net_frame_create(WS_TEXT, message.data, message.len);
    if (!code && !frame)
        code = ERR_MEMORY;
    if (code)
        return code;
    net_frame_unref(call->ask->frame);
    call->ask->frame = frame;
    return 0;
}

/* ---- resuming ---- */

static void post(struct weir_call *call, struct text message)
{
    struct net_frame *frame = net_frame_create(WS_TEXT, message.data, message.len);
    struct gw_effect *effect = frame ? gw_effect_create(GW_EFFECT_POST, call->api, TEXT_NONE, frame) : NULL;
    if (effect)
        effect->target = call->conn_id;
    gw_call_effect(call, net_id_io(&call->conn_id), effect);
}

struct resumed {
    unsigned messages;
    bool complete, more;
};

/* The first number of [from, next) that is not too old: they are in the order of time. */
static int first_fresh(struct weir_call *call, struct buf *key, uint32_t from, uint32_t next, uint32_t *out)
{
    int code = 0;
    while (!code && from < next) {
        uint64_t sequence;
        int64_t time_ms;
        struct text message;
        uint32_t middle = from + (next - from) / 2;
        struct arena_mark mark = arena_mark(&call->arena);
        code = row_read(call, key, middle, &sequence, &time_ms, &message);
        arena_rewind(&call->arena, mark);
        if (!code && too_old(call, time_ms))
            from = middle + 1;
        else
            next = middle;
    }
    *out = next;
    return code;
}

/* From behind `after`; `given` false: all that is kept, or with `newest` the end of it. */
static int replay(struct weir_call *call, struct text room, uint32_t after, bool given, bool newest, struct resumed *out)
{
    struct buf key;
    struct head head;
    size_t bytes = 0;
    key_make(&key, call, room);
    int code = head_read(call, &key, &head);
    uint32_t number = given && after + 1 > head.first ? after + 1 : head.first;
    *out = (struct resumed){.complete = !given || (after + 1 >= head.first && after < head.next)};
    if (newest && head.next - number > RESUME_MESSAGES)
        number = head.next - RESUME_MESSAGES;
    uint32_t wanted = number;
    if (!code && number < head.next)
        code = first_fresh(call, &key, wanted, head.next, &number);
    out->complete = out->complete && (!given || number == wanted); /* what is too old may not be deleted yet */
    for (; !code && !call->failed && number < head.next; number++) {
        uint64_t sequence;
        int64_t time_ms;
        struct text message;
        code = row_read(call, &key, number, &sequence, &time_ms, &message);
        if (code)
            break;
        if (out->messages == RESUME_MESSAGES || (out->messages && bytes + message.len > RESUME_BYTES)) {
            out->more = true;
            break;
        }
        post(call, message);
        bytes += message.len;
        out->messages++;
    }
    buf_fini(&key);
    return code;
}

void gw_history_resume(struct weir_call *call)
{
    struct feed_position after = {0};
    struct resumed resumed;
    struct weir_text room = weir_in_text(call, "room", 1, GW_ROOM_NAME_MAX);
    const struct json *value = json_in(weir_in_value(call, "after", false));
    bool given = value && value->type != JSON_NULL;
    if (call->failed)
        return;
    if (given && (value->type != JSON_STRING || feed_position_parse(value->text, &after) || after.number == FEED_ALL)) {
        gw_call_fail(call, ERR_INVALID, "INVALID", "after", "after is the position of the last message: \"<sequence>.<number>\"");
        return;
    }
    bool elsewhere = given && !live_position_holds(call, after), unnamed = elsewhere && !weir_has(call, "history");
    if (call->failed)
        return;
    if (!weir_may_join(call, room)) {
        gw_call_fail(call, ERR_FORBIDDEN, "FORBIDDEN", "room", "this room is not yours to enter");
        return;
    }
    if (!gw_call_kept(call, replay(call, text_in(room), after.number, given && !elsewhere, unnamed, &resumed), NULL))
        return;
    if (unnamed)
        resumed.more = false; /* it would ask again without a history, and begin again */
    resumed.complete = resumed.complete && !elsewhere;
    if (!resumed.more)
        weir_join(call, room);
    struct weir_json *json = weir_json(call);
    weir_object(json);
    weir_member(json, "type", WEIR_STR("resumed"));
    weir_member(json, "room", room);
    weir_member_integer(json, "messages", resumed.messages);
    weir_name(json, "complete");
    weir_boolean(json, resumed.complete);
    weir_name(json, "more");
    weir_boolean(json, resumed.more);
    live_member_history(call, json);
    weir_member_request(json);
    weir_end(json);
    weir_reply(call, json);
}
