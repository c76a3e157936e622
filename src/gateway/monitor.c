/*
 * Where monitors begin and end.
 *
 * The one around a route begins when its message is on the io thread (weir_call.arrived_ns) and ends when the call is given back, which is after its answer may leave: for a
 * route of the tick that is after the fsync. So HandlerDuration is what a client waits for, less the network. A deferred call has no client: it ends with its handler.
 *
 * Memory is the call's own: the most that its arena held, runs that were undone included, and the JSON documents that it wrote, which grow outside. What the store
 * needs to stage its writes belongs to the tick and is not in it. For a monitor of a handler it is what the arena grew by at most while the monitor was open. Since there is
 * one high-water mark and many monitors, each beginning and end folds the mark into all open ones and starts it anew.
 */
#include "gateway/monitor.h"

#include "gateway/call.h"

#define NS_PER_MS INT64_C(1000000)

/* Takes what is told to a monitor that there is not. */
static struct weir_monitor *nothing(void)
{
    static _Thread_local struct weir_monitor none;
    none = (struct weir_monitor){0};
    return &none;
}

static void fold_high(struct weir_call *call)
{
    struct arena *arena = &call->arena;
    for (struct weir_monitor *m = call->monitors; m; m = m->next)
        if (!m->ended_ns && m->high < arena->high)
            m->high = arena->high;
    if (call->high < arena->high)
        call->high = arena->high;
    arena->high = arena->used;
}

static struct weir_monitor *monitor_new(struct weir_call *call, struct gw_operation *operation)
{
    fold_high(call);
    size_t used = call->arena.used;
    struct weir_monitor *monitor = call->monitor_count < WEIR_MONITORS_MAX ? arena_zalloc(&call->arena, sizeof(*monitor)) : NULL;
    if (!monitor)
        return nothing();
    monitor->call = call;
    monitor->operation = operation;
    monitor->used = monitor->high = used;
    monitor->began_ns = clock_mono_ns();
    monitor->next = call->monitors;
    call->monitors = monitor;
    call->monitor_count++;
    return monitor;
}

struct weir_monitor *weir_monitor(struct weir_call *call)
{
    for (struct weir_monitor *m = call->monitors; m; m = m->next)
        if (!m->operation)
            return m;
    return monitor_new(call, NULL);
}

struct weir_monitor *weir_monitor_start(struct weir_call *call, const char *operation)
{
    struct gw_operation *found = gw_operation_find(call->api, operation);
    if (found)
        return monitor_new(call, found);
    gw_call_fail(call, ERR_INTERNAL, "INTERNAL", NULL, "the operation %s is not declared by the application", operation);
    return nothing();
}

void weir_monitor_since(struct weir_monitor *monitor, int64_t epoch_ms)
{
    monitor->since_ms = epoch_ms;
}

static struct gw_field *field_new(struct weir_monitor *monitor, const char *name, enum gw_field_kind kind)
{
    bool room = monitor->call && monitor->field_count < WEIR_MONITOR_FIELDS_MAX;
    struct gw_field *field = room ? arena_zalloc(&monitor->call->arena, sizeof(*field)) : NULL;
    if (!field)
        return NULL;
    field->name = name;
    field->kind = kind;
    field->next = monitor->fields;
    monitor->fields = field;
    monitor->field_count++;
    return field;
}

void weir_monitor_text(struct weir_monitor *monitor, const char *name, struct weir_text value)
{
    bool taken = monitor->call && value.len <= WEIR_MONITOR_TEXT_MAX && gw_text_clean(text_in(value));
    struct text copy = taken ? arena_copy(&monitor->call->arena, text_in(value)) : TEXT_NONE;
    struct gw_field *field = copy.data ? field_new(monitor, name, GW_FIELD_TEXT) : NULL;
    if (field)
        field->text = copy;
}

void weir_monitor_integer(struct weir_monitor *monitor, const char *name, int64_t value)
{
    struct gw_field *field = field_new(monitor, name, GW_FIELD_INTEGER);
    if (field)
        field->number = value;
}

void weir_monitor_boolean(struct weir_monitor *monitor, const char *name, bool value)
{
    struct gw_field *field = field_new(monitor, name, GW_FIELD_BOOLEAN);
    if (field)
        field->number = value;
}

void weir_monitor_complete(struct weir_monitor *monitor, bool success)
{
    if (!monitor->call || !monitor->operation || monitor->ended_ns || monitor->forgotten)
        return;
    fold_high(monitor->call);
    monitor->ended_ns = clock_mono_ns();
    monitor->success = success;
}

void weir_monitor_forget(struct weir_monitor *monitor)
{
    if (!monitor->call || !monitor->operation)
        return;
    monitor->forgotten = true;
}

size_t weir_touched(struct weir_call *call)
{
    return call->touched_items;
}

/* An endpoint's answer may be a failure that its client hears as it stands. */
int gw_call_outcome(const struct weir_call *call)
{
    return call->failed ? call->failed : call->base.code < 0 ? call->base.code : call->handler_code;
}

void gw_monitor_reset(struct weir_call *call)
{
    if (call->high < call->arena.high)
        call->high = call->arena.high;
    call->monitors = NULL;
    call->monitor_count = 0;
    call->doc_bytes = 0;
}

/* ---- the end ---- */

static int64_t duration_of(const struct weir_monitor *monitor, int64_t now_ns)
{
    int64_t ended_ns = monitor->ended_ns ? monitor->ended_ns : now_ns;
    int64_t duration_ns = monitor->since_ms ? (clock_wall_ms() - monitor->since_ms) * NS_PER_MS - (now_ns - ended_ns) : ended_ns - monitor->began_ns;
    return duration_ns > 0 ? duration_ns : 0;
}

/* What a handler completed before its call failed has been undone with it, and so has the later call that was to complete what it forgot. */
static void end_one(struct gw_completion *completion, const struct weir_monitor *monitor, bool failed, int64_t now_ns)
{
    completion->operation = monitor->operation;
    completion->fields = monitor->fields;
    completion->figures = (struct watch_completion){
        .duration_ns = duration_of(monitor, now_ns),
        .memory = monitor->high > monitor->used ? monitor->high - monitor->used : 0,
        .failed = failed || (monitor->ended_ns && !monitor->success),
    };
    gw_completion_count(completion);
}

static const struct gw_field *fields_of_route(const struct weir_call *call)
{
    for (const struct weir_monitor *m = call->monitors; m; m = m->next)
        if (!m->operation)
            return m->fields;
    return NULL;
}

static void end_route(struct gw_completion *completion, struct weir_call *call, bool failed, const struct gw_field *fields, size_t memory, int64_t now_ns)
{
    completion->operation = call->route->operation;
    completion->fields = fields;
    completion->figures = (struct watch_completion){.duration_ns = now_ns - call->arrived_ns, .memory = memory, .failed = failed};
    gw_completion_count(completion);
}

static void end(struct gw_io *io, struct weir_call *call, bool failed, const struct gw_field *first, uint32_t weight)
{
    struct gw_completion completion = {.gateway = call->gateway, .io = io, .call = call, .weight = 1};
    int64_t now_ns = clock_mono_ns();
    if (call->monitors)
        fold_high(call);
    size_t memory = (call->high > call->arena.high ? call->high : call->arena.high) + call->doc_bytes; /* before lines are written */
    for (const struct weir_monitor *m = call->monitors; m; m = m->next)
        if (m->operation && (!m->forgotten || failed))
            end_one(&completion, m, failed, now_ns);
    completion.weight = weight;
    end_route(&completion, call, failed, first ? first : fields_of_route(call), memory, now_ns);
    call->arrived_ns = 0;
}

void gw_monitor_end_many(struct gw_io *io, struct weir_call *call, uint32_t weight)
{
    if (!call->arrived_ns || !call->route || !call->route->operation)
        return;
    if (call->kind == GW_CALL_DISCONNECT && gw_call_outcome(call))
        gw_monitor_cleanup(io, call);
    else
        end(io, call, gw_call_outcome(call) != 0, NULL, weight);
}

void gw_monitor_end(struct gw_io *io, struct weir_call *call)
{
    gw_monitor_end_many(io, call, 1);
}

void gw_monitor_cleanup(struct gw_io *io, struct weir_call *call)
{
    if (!call->arrived_ns || !call->route || !call->route->operation)
        return;
    const char *name = call->client_error ? call->err_code : err_name(gw_call_outcome(call));
    struct gw_field error = {.name = "error", .kind = GW_FIELD_TEXT, .text = text_of(name)};
    struct gw_field warning = {.next = &error, .name = "warning", .kind = GW_FIELD_TEXT, .text = TEXT("cleanup_failed")};
    call->monitors = NULL; /* what its handler completed has been undone */
    end(io, call, false, &warning, 1);
}

/* ---- tokens ---- */

#define TOKEN_FIELDS 11

struct token_fields {
    struct gw_field field[TOKEN_FIELDS];
    unsigned count;
};

static struct gw_field *token_field(struct token_fields *fields, const char *name, enum gw_field_kind kind)
{
    ASSERT(fields->count < TOKEN_FIELDS);
    struct gw_field *field = &fields->field[fields->count];
    *field = (struct gw_field){.next = fields->count ? field - 1 : NULL, .name = name, .kind = kind};
    fields->count++;
    return field;
}

static void token_text(struct token_fields *fields, const char *name, struct text value)
{
    if (value.len)
        token_field(fields, name, GW_FIELD_TEXT)->text = value;
}

static void token_user(struct token_fields *fields, const struct gw_identity *identity, struct buf *groups)
{
    for (size_t i = 0; i < identity->group_count; i++) {
        if (i)
            buf_add_char(groups, ',');
        buf_add_text(groups, identity->groups[i]);
    }
    token_text(fields, "userId", identity->user_id);
    token_text(fields, "username", identity->name);
    token_text(fields, "email", identity->email);
    token_text(fields, "groups", groups->failed ? TEXT_NONE : buf_text(groups));
}

static void token_error(struct token_fields *fields, const struct gw_token_seen *seen)
{
    struct text name = text_of(err_name(seen->code));
    token_text(fields, "error", name);
    token_text(fields, "errorType", name);
    token_text(fields, "errorMessage", text_of(seen->message));
    if (seen->exp_s) {
        token_field(fields, "exp", GW_FIELD_INTEGER)->number = seen->exp_s;
        token_field(fields, "now", GW_FIELD_INTEGER)->number = seen->now_s;
    }
}

void gw_monitor_token(struct gw_io *io, struct gw_api *api, const struct gw_token_seen *seen)
{
    struct gw_operation *operation = api->token_operation;
    struct token_fields fields = {.count = 0};
    struct buf groups;
    char made[17];
    if (!operation)
        return;
    buf_init(&groups, 4096);
    gw_request_id_make(made);
    token_field(&fields, "tokenLength", GW_FIELD_INTEGER)->number = (int64_t)seen->length;
    token_field(&fields, "hasToken", GW_FIELD_BOOLEAN)->number = seen->length > 0;
    token_text(&fields, "correlationId", text_make(made, 16));
    if (seen->code)
        token_error(&fields, seen);
    else
        token_user(&fields, seen->identity, &groups);
    struct gw_completion completion = {
        .gateway = io->gateway,
        .io = io,
        .operation = operation,
        .fields = &fields.field[fields.count - 1],
        .figures = {.duration_ns = clock_mono_ns() - seen->began_ns, .memory = seen->memory, .failed = seen->code != 0},
    };
    gw_completion_count(&completion);
    buf_fini(&groups);
}
