/* See lines.h. Names of groups first, then the way into the tick. */
#include "gateway/lines.h"

#include "gateway/internal.h"
#include "gateway/meter.h"
#include "watch/log.h"

#include <stdlib.h>

#define NAMES_MAX ((size_t)16 << 20) /* bytes of one API's names */
#define SAY_EVERY_MS MINUTE_MS
#define LINES_KEPT ((size_t)32 << 10) /* bytes of a thread's buffer that are kept between two seconds */

/* ---- names ---- */

/* What a group's name cannot hold becomes '_'; a '$' at the front goes: $connect is connect, "GET /a/{id}" is GET_/a/_id_, @remind is _remind. */
static void add_plain(struct buf *out, struct text name)
{
    for (size_t i = name.len && name.data[0] == '$'; i < name.len; i++) {
        struct text one = text_make(name.data + i, 1);
        buf_add_char(out, watch_log_group_name_valid(one) ? one.data[0] : '_');
    }
}

static struct text keep_name(struct gw_api *api, struct buf *name)
{
    struct text text = buf_text(name);
    if (text.len > WATCH_LOG_NAME_MAX)
        text.len = WATCH_LOG_NAME_MAX;
    text = name->failed ? TEXT_NONE : arena_copy(&api->lines_arena, text);
    buf_clear(name);
    return text;
}

static int name_lines(struct gw_api *api, struct gw_lines *lines, struct text route, struct text function)
{
    struct buf name;
    buf_init(&name, 4096);
    *lines = (struct gw_lines){.api = api, .route = route};
    buf_add_text(&name, TEXT("/weir/"));
    add_plain(&name, api->config->name);
    buf_add_char(&name, '/');
    add_plain(&name, route);
    lines->group = keep_name(api, &name);
    if (function.len) {
        lines->function = arena_copy(&api->lines_arena, function);
        buf_add_text(&name, TEXT("/aws/lambda/"));
        buf_add_text(&name, function);
        lines->function_group = keep_name(api, &name);
    } else {
        add_plain(&name, api->config->name);
        buf_add_char(&name, '-');
        add_plain(&name, route);
        lines->function = keep_name(api, &name);
    }
    buf_fini(&name);
    return lines->group.data && lines->function.data && (!function.len || lines->function_group.data) ? 0 : ERR_MEMORY;
}

static bool has_route(const struct gw_api *api, struct text key)
{
    if (text_is(key, "$connect") || text_is(key, "$disconnect") || text_is(key, "$default"))
        return true;
    for (size_t i = 0; i < api->route_count; i++)
        if (text_equal(api->routes[i].key, key))
            return true;
    return false;
}

/* The application's function for a route: the one that names it, else the one that names none. */
static const struct weir_function *declared(const struct weir_app *app, struct text key)
{
    const struct weir_function *others = NULL;
    for (const struct weir_function *at = app ? app->functions : NULL; at && at->name; at++) {
        if (!at->routes)
            others = at;
        for (const char *const *route = at->routes; route && *route; route++)
            if (text_is(key, *route))
                return at;
    }
    return others;
}

static int check_functions(const struct gw_api *api, struct err *err)
{
    const struct weir_app *app = api->config->app;
    for (const struct weir_function *at = app ? app->functions : NULL; at && at->name; at++)
        for (const char *const *route = at->routes; route && *route; route++)
            if (!has_route(api, text_of(*route)))
                return err_set(err, ERR_INVALID, "API %.*s: the function %s names the route %s, which is not declared", TEXT_FMT(api->config->name), at->name, *route);
    return 0;
}

static int define_one(struct gw_api *api, struct gw_lines *lines, struct text route, struct text function, struct err *err)
{
    const struct weir_function *named = function.len ? NULL : declared(api->config->app, route);
    struct text raw = named ? text_of(named->name) : function;
    struct text name = raw.len ? gw_name_replaced(api->gateway, api, raw) : TEXT_NONE;
    int code = 0;
    if (raw.len && !name.data)
        code = err_set(err, ERR_MEMORY, "out of memory");
    else if (name.len && (name.len > WATCH_LOG_NAME_MAX - 12 || !watch_log_group_name_valid(name)))
        code = err_set(err, ERR_INVALID, "API %.*s: '%.*s' is no name of a function: letters, digits and . - _ / #", TEXT_FMT(api->config->name), TEXT_FMT(name));
    else if ((code = name_lines(api, lines, route, name)))
        err_set(err, code, "out of memory");
    free((char *)(uintptr_t)name.data);
    return code;
}

int gw_lines_define(struct gw_api *api, struct err *err)
{
    size_t count = api->route_count;
    arena_init(&api->lines_arena, 4096, NAMES_MAX);
    api->lines = calloc(count + GW_LINES_OWN, sizeof(*api->lines));
    if (!api->lines)
        return err_set(err, ERR_MEMORY, "out of memory");
    int code = check_functions(api, err);
    for (size_t i = 0; i < count && !code; i++) {
        struct text function = i < api->config->route_count ? api->config->routes[i].function : TEXT_NONE;
        code = define_one(api, &api->lines[i], api->routes[i].key, function, err);
        api->routes[i].lines = &api->lines[i];
    }
    static const char *const own[GW_LINES_OWN] = {"$connect", "$disconnect", "$default"};
    for (size_t i = 0; i < GW_LINES_OWN && !code; i++) {
        struct gw_route *route = map_get(&api->by_key, text_of(own[i]));
        api->own_lines[i] = route ? route->lines : &api->lines[count + i];
        if (!route)
            code = define_one(api, &api->lines[count + i], text_of(own[i]), TEXT_NONE, err);
    }
    return code;
}

void gw_lines_undefine(struct gw_api *api)
{
    if (!api->lines)
        return;
    free(api->lines);
    arena_fini(&api->lines_arena);
    api->lines = NULL;
}

struct gw_lines *gw_lines_of(const struct weir_call *call)
{
    if (call->kind == GW_CALL_CONNECT || call->kind == GW_CALL_DISCONNECT)
        return call->api->own_lines[call->kind == GW_CALL_DISCONNECT];
    return call->route && call->route->lines ? call->route->lines : call->api->own_lines[2];
}

struct text gw_route_function(const struct gw_route *route)
{
    return route->lines->function;
}

/* ---- dropped ---- */

void gw_lines_dropped(int64_t count)
{
    static int64_t said_ms;
    int64_t now_ms = clock_mono_ms(), last = __atomic_load_n(&said_ms, __ATOMIC_RELAXED);
    counter_add(COUNTER_logs_lines_dropped, count);
    if ((!last || now_ms - last >= SAY_EVERY_MS) && __atomic_compare_exchange_n(&said_ms, &last, now_ms, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        log_warn("logs", "log lines are dropped, %lld so far: there are more than can be stored, or a group or stream too many", (long long)counter_read(COUNTER_logs_lines_dropped));
}

bool gw_lines_may_tell(struct gw_lines *lines, bool failure, uint32_t *kept_back)
{
    int64_t second = clock_mono_ms() / SECOND_MS;
    uint32_t max = failure ? GW_LINE_FAILURES : GW_LINE_REFUSALS;
    if (__atomic_exchange_n(&lines->rate[failure].second, second, __ATOMIC_RELAXED) != second)
        __atomic_store_n(&lines->rate[failure].told, 0, __ATOMIC_RELAXED);
    if (__atomic_fetch_add(&lines->rate[failure].told, 1, __ATOMIC_RELAXED) >= max) {
        __atomic_fetch_add(&lines->rate[failure].kept_back, 1, __ATOMIC_RELAXED);
        return false;
    }
    *kept_back = __atomic_exchange_n(&lines->rate[failure].kept_back, 0, __ATOMIC_RELAXED);
    return true;
}

/* ---- into the tick ---- */

/* Like a function's: 2026/11/21/[$LATEST]weir. State thread. */
static struct text stream_of(struct gateway *gateway, int64_t now_ms)
{
    char iso[CLOCK_ISO_SIZE];
    int64_t day = now_ms / DAY_MS + 1;
    if (gateway->log_day != day) {
        clock_format_iso(now_ms, iso);
        snprintf(gateway->log_stream, sizeof(gateway->log_stream), "%.4s/%.2s/%.2s/[$LATEST]weir", iso, iso + 5, iso + 8);
        gateway->log_day = day;
    }
    return text_of(gateway->log_stream);
}

/* A call that runs again is counted again: it is a figure, not a bill's last digit. */
static void count(struct gateway *gateway, struct gw_line_meters *meters, struct text group, const struct watch_log_event *event)
{
    struct gw_meters *state = gw_state_meters(gateway);
    if (!state)
        return; /* a meter that keeps nothing is its thread's, and the last lines are put when the state thread has ended */
    if (!meters->events) {
        meters->events = gw_meter_of(state, GW_FIGURE_LOG_EVENTS_IN, group, TEXT_NONE, TEXT_NONE);
        meters->bytes = gw_meter_of(state, GW_FIGURE_LOG_BYTES_IN, group, TEXT_NONE, TEXT_NONE);
    }
    gw_meter_add(meters->events, 1, 1);
    gw_meter_add(meters->bytes, (double)(event->message.len + WATCH_LOG_EVENT_COST), 1);
}

/* What is no fault of the call's: a group or stream too many, packing that has not kept up. */
static bool is_droppable(int code)
{
    return code == ERR_FULL || code == ERR_INVALID || code == ERR_TOO_LARGE;
}

/* Both groups refuse or one of them does: the other one has the line all the same. */
static int put_apart(struct tick *tick, struct arena *arena, struct watch_log_put put, bool taken[2])
{
    struct text group[2] = {put.group, put.also};
    int code = 0;
    put.also = TEXT_NONE;
    for (int i = 0; i < 2 && !code; i++) {
        put.group = group[i];
        code = watch_log_put(tick, arena, &put);
        taken[i] = !code;
        if (is_droppable(code))
            code = 0;
    }
    return code;
}

int gw_lines_put(struct tick *tick, struct arena *arena, struct gw_lines *lines, struct text event, int64_t time_ms, uint32_t index)
{
    struct gateway *gateway = lines->api->gateway;
    struct watch_log_event one = {.place.time_ms = time_ms, .message = event};
    struct watch_log_put put = {.group = lines->group, .also = lines->function_group, .stream = stream_of(gateway, tick_now_ms(tick)), .event = &one, .count = 1, .first_index = index,
        .flags = WATCH_LOG_CREATE};
    bool two = put.also.len, taken[2] = {true, two};
    int code = watch_log_put(tick, arena, &put);
    if (is_droppable(code)) {
        taken[0] = taken[1] = false;
        code = two ? put_apart(tick, arena, put, taken) : 0;
        gw_lines_dropped(1);
    }
    if (code)
        return code;
    if (taken[0])
        count(gateway, &lines->meters[0], lines->group, &one);
    if (taken[1])
        count(gateway, &lines->meters[1], lines->function_group, &one);
    return 0;
}

/* ---- gathered ---- */

struct record {
    struct gw_lines *lines;
    int64_t time_ms;
    uint32_t len;
};
/* Of one io thread; what is on its way belongs to the call until it is done. */
struct gw_gather {
    struct buf filling, flying;
    bool under_way;
    bool ran; /* state thread, while under way: the tick has taken it */
};

static struct gw_gather *gather_of(struct gw_io *io)
{
    if (io->gather)
        return io->gather;
    io->gather = calloc(1, sizeof(*io->gather));
    if (!io->gather)
        return NULL;
    buf_init(&io->gather->filling, GW_LINES_BYTES_MAX);
    buf_init(&io->gather->flying, GW_LINES_BYTES_MAX);
    return io->gather;
}

static int put_records(struct tick *tick, struct arena *arena, struct text records)
{
    uint32_t index = 0;
    int code = 0;
    for (size_t at = 0; at < records.len && !code; index++) {
        struct record record;
        memcpy(&record, records.data + at, sizeof(record));
        at += sizeof(record);
        code = gw_lines_put(tick, arena, record.lines, text_make(records.data + at, record.len), record.time_ms, index);
        at += record.len;
    }
    return code;
}

static int64_t count_records(struct text records)
{
    int64_t count = 0;
    for (size_t at = 0; at < records.len; count++) {
        struct record record;
        memcpy(&record, records.data + at, sizeof(record));
        at += sizeof(record) + record.len;
    }
    return count;
}

static int run(struct gw_work *work, struct tick *tick)
{
    const struct gw_io *io = work->user;
    io->gather->ran = true;
    return put_records(tick, work->arena, buf_text(&io->gather->flying));
}

static void done(struct gw_work *work, struct net_conn *conn, int code)
{
    struct gw_io *io = work->user;
    struct gw_gather *gather = io->gather;
    (void)conn;
    gather->under_way = false;
    if (code == ERR_DISK_FULL || code == ERR_CLOSED)
        return; /* they wait for space; at the end gw_lines_end has them */
    if (code) {
        log_error("logs", "log lines cannot be stored: %s", err_text(code));
        gw_lines_dropped(count_records(buf_text(&gather->flying)));
    }
    buf_clear(&gather->flying);
    if (gather->flying.cap > LINES_KEPT) { /* a wave of connections is not followed by another one every second */
        buf_fini(&gather->flying);
        buf_init(&gather->flying, GW_LINES_BYTES_MAX);
    }
}

static void hand_over(struct gw_io *io)
{
    struct gw_gather *gather = io->gather;
    if (gather->under_way || (!gather->filling.len && !gather->flying.len))
        return;
    struct gw_work *work = gw_work_own(io);
    if (!work)
        return; /* the next second tries again */
    if (!gather->flying.len) {
        struct buf full = gather->filling;
        gather->filling = gather->flying;
        gather->flying = full;
    }
    gather->under_way = true;
    gather->ran = false;
    work->user = io;
    work->run = run;
    work->done = done;
    gw_work_submit(work);
}

static void add(struct gw_io *io, struct gw_lines *lines, struct text event, int64_t time_ms)
{
    struct gw_gather *gather = gather_of(io);
    struct record record = {lines, time_ms, (uint32_t)event.len};
    if (!gather || buf_reserve(&gather->filling, sizeof(record) + event.len)) {
        if (gather)
            gather->filling.failed = false;
        gw_lines_dropped(1);
        return;
    }
    buf_add(&gather->filling, &record, sizeof(record));
    buf_add_text(&gather->filling, event);
}

void gw_lines_add(struct gw_io *io, struct gw_lines *lines, struct text event)
{
    add(io, lines, event, clock_wall_ms());
    if (io->gather && io->gather->filling.len >= GW_LINES_HAND_BYTES && !io->gather->flying.len)
        hand_over(io);
}

/* ---- from threads that gather nothing: a list without a lock, newest first ---- */

struct gw_handed {
    struct gw_handed *next;
    struct record record;
    char bytes[];
};

void gw_lines_hand(struct gateway *gateway, struct gw_lines *lines, struct text event)
{
    size_t size = sizeof(struct gw_handed) + event.len;
    struct gw_handed *handed = NULL;
    if (__atomic_add_fetch(&gateway->handed_bytes, size, __ATOMIC_RELAXED) <= GW_LINES_BYTES_MAX)
        handed = malloc(size);
    if (!handed) {
        __atomic_sub_fetch(&gateway->handed_bytes, size, __ATOMIC_RELAXED);
        gw_lines_dropped(1);
        return;
    }
    handed->record = (struct record){lines, clock_wall_ms(), (uint32_t)event.len};
    memcpy(handed->bytes, event.data, event.len);
    handed->next = __atomic_load_n(&gateway->handed, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&gateway->handed, &handed->next, handed, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        ;
}

static void take_handed(struct gw_io *io)
{
    struct gateway *gateway = io->gateway;
    struct gw_handed *at = __atomic_exchange_n(&gateway->handed, NULL, __ATOMIC_ACQUIRE), *first = NULL;
    while (at) {
        struct gw_handed *next = at->next;
        at->next = first;
        first = at;
        at = next;
    }
    while (first) {
        struct gw_handed *next = first->next;
        add(io, first->record.lines, text_make(first->bytes, first->record.len), first->record.time_ms);
        __atomic_sub_fetch(&gateway->handed_bytes, sizeof(*first) + first->record.len, __ATOMIC_RELAXED);
        free(first);
        first = next;
    }
}

/* ---- once a second, and at the end ---- */

void gw_lines_second(struct gw_io *io)
{
    if (io->index == io->gateway->io_count)
        take_handed(io);
    if (io->gather)
        hand_over(io);
}

struct last_call {
    struct tick_call base;
    struct gw_gather *gather;
};

static int run_last(struct tick *tick, struct tick_call *base)
{
    const struct gw_gather *gather = ((struct last_call *)base)->gather;
    return put_records(tick, base->arena, buf_text(&gather->flying));
}

void gw_lines_end(struct gateway *gateway)
{
    take_handed(&gateway->io[gateway->io_count]);
    for (unsigned i = 0; i <= gateway->io_count; i++) {
        struct gw_gather *gather = gateway->io[i].gather;
        for (int turn = 0; gather && turn < 2; turn++) {
            struct last_call call = {.base = {.run = run_last}, .gather = gather};
            bool put = gather->under_way && gather->ran; /* the tick ends what it has taken */
            if (gather->flying.len && !put && tick_writable(gateway->tick) == 0)
                tick_run_now(gateway->tick, &call.base, NULL);
            struct buf full = gather->filling;
            buf_clear(&gather->flying);
            gather->filling = gather->flying;
            gather->flying = full;
            gather->under_way = false;
        }
    }
}

void gw_lines_io_fini(struct gw_io *io)
{
    if (!io->gather)
        return;
    buf_fini(&io->gather->filling);
    buf_fini(&io->gather->flying);
    free(io->gather);
    io->gather = NULL;
}
