/* The clock of alarms: looks, slice by slice, and what comes out of them. See alarms.h. */
#include "gateway/alarms.h"
#include "gateway/internal.h"

#include <stdlib.h>

#define STEP_MS WATCH_ALARM_STEP_MS
#define GRACE_MS (2 * SECOND_MS)      /* after a period's end, for what is put once a second */
#define SLICE 256                     /* alarms that a worker looks at in one go */
#define CHANGES_PER_CALL 64           /* in one call of the tick */
#define SWEEP_LIMIT 64                /* old events that a minute's call removes */
#define LOOK_ARENA ((size_t)64 << 20) /* of a look: what it has found */
#define JUDGE_ARENA ((size_t)64 << 20) /* of one alarm: its figures */

/* One look at all alarms that are due. The services' thread has it, but while a worker or the state thread does. */
struct look {
    struct gw_alarms *alarms;
    struct arena arena, scratch;      /* what was found; of the alarm at hand */
    int64_t now_ms;
    unsigned due;
    char after[WATCH_ALARM_NAME_MAX];
    size_t after_len, seen;
    bool more, hasty;                 /* hasty: alarms with short periods are there */
    bool sweep;
    struct store_view *view;
    struct found {
        struct found *next;
        struct watch_alarm_change change;
    } *first, *last;
    struct watch_alarm_parents parents, parents_then; /* then: as the call that is under way leaves them */
};
struct gw_alarms {
    struct gateway *gateway;
    struct watch_alarm_house house;
    struct gw_io *io;
    struct loop_timer timer;
    int64_t minute, hour;             /* that were looked at last */
    bool hasty;                       /* atomic */
    bool busy;
    struct look look;
};

const struct watch_alarm_house *gw_alarm_house(const struct gateway *gateway)
{
    return &gateway->alarms->house;
}

void gw_alarms_hasten(struct gateway *gateway)
{
    __atomic_store_n(&gateway->alarms->hasty, true, __ATOMIC_RELAXED);
}

/* ---- on a worker ---- */

static int keep_change(struct look *look, const struct watch_alarm *alarm, const struct watch_judgement *judgement)
{
    struct found *found = arena_zalloc(&look->arena, sizeof(*found));
    if (!found)
        return ERR_MEMORY;
    found->change = (struct watch_alarm_change){.name = arena_copy(&look->arena, alarm->name), .revision = alarm->revision, .state = judgement->state,
        .reason = arena_copy(&look->arena, judgement->reason), .reason_data = arena_copy(&look->arena, judgement->reason_data)};
    if (!found->change.name.data || !found->change.reason.data || !found->change.reason_data.data)
        return ERR_MEMORY;
    if (look->last)
        look->last->next = found;
    else
        look->first = found;
    look->last = found;
    return 0;
}

static int keep_parent(struct look *look, struct text name)
{
    struct watch_alarm_parent *parent = arena_alloc(&look->arena, sizeof(*parent));
    if (!parent)
        return ERR_MEMORY;
    *parent = (struct watch_alarm_parent){look->parents.first, arena_copy(&look->arena, name), TEXT("")};
    look->parents.first = parent;
    return parent->name.data ? 0 : ERR_MEMORY;
}

/* A rule that reads otherwise than the state says: a set state, or a call that a crash cut off from its predecessor. */
static int judge_composite(struct look *look, const struct watch_alarm *alarm)
{
    enum watch_alarm_state state;
    int code = watch_alarm_rule_state(look->view, &look->scratch, alarm, &state);
    counter_add(COUNTER_alarm_evaluations, 1);
    return code || state == alarm->state ? code : keep_parent(look, alarm->name);
}

static int judge_metric(struct look *look, const struct watch_alarm *alarm)
{
    struct watch_judgement judgement;
    unsigned rhythm = watch_alarm_rhythm(alarm);
    look->hasty = look->hasty || rhythm == WATCH_DUE_STEP;
    if (!(look->due & rhythm))
        return 0;
    int code = watch_alarm_judge(look->view, &look->scratch, alarm, look->now_ms, &judgement);
    counter_add(COUNTER_alarm_evaluations, 1);
    return code || judgement.keep || judgement.state == alarm->state ? code : keep_change(look, alarm, &judgement);
}

static int on_alarm(void *context, const struct watch_alarm *alarm)
{
    struct look *look = context;
    int code = 0;
    arena_reset(&look->scratch);
    if (!alarm->composite)
        code = judge_metric(look, alarm);
    else if (look->due & WATCH_DUE_MINUTE)
        code = judge_composite(look, alarm);
    memcpy(look->after, alarm->name.data, alarm->name.len);
    look->after_len = alarm->name.len;
    look->more = ++look->seen % SLICE == 0;
    if (code) {
        log_error("alarm", "%.*s cannot be evaluated: %s", TEXT_FMT(alarm->name), err_text(code));
        code = code == ERR_MEMORY && look->scratch.used < JUDGE_ARENA / 2 ? code : 0; /* the next one may do better, unless the look itself is full */
    }
    return code ? code : look->more;
}

static int look_slice(struct gw_work *work, struct store_view *view)
{
    struct look *look = work->user;
    look->view = view;
    look->more = false;
    int code = watch_alarm_each(view, text_make(look->after, look->after_len), on_alarm, look);
    look->view = NULL;
    return code < 0 ? code : 0;
}

/* ---- in the tick ---- */

static int apply(struct gw_work *work, struct tick *tick)
{
    struct look *look = work->user;
    const struct watch_alarm_house *house = &look->alarms->house;
    struct watch_alarm_change change[CHANGES_PER_CALL];
    size_t count = 0;
    struct found *found = look->first;
    for (; found && count < CHANGES_PER_CALL; found = found->next)
        change[count++] = found->change;
    look->parents_then = look->parents;
    look->parents_then.arena = &look->arena;
    int code = watch_alarm_apply(house, tick, work->arena, change, count, &look->parents_then);
    if (!code && !found) /* composite alarms behind all their children */
        code = watch_alarm_apply_parents(house, tick, work->arena, &look->parents_then);
    if (!code && !found && look->sweep)
        code = watch_alarm_event_sweep(tick, work->arena, SWEEP_LIMIT);
    return code;
}

/* ---- on the services' thread ---- */

static void go_on(struct look *look);

static void end_look(struct look *look)
{
    arena_fini(&look->arena);
    arena_fini(&look->scratch);
    look->alarms->busy = false;
}

static void on_applied(struct gw_work *work, struct net_conn *conn, int code)
{
    struct look *look = work->user;
    (void)conn;
    if (code && code != ERR_CLOSED)
        log_error("alarm", "changes of alarms could not be committed: %s; they are found again by the next look", err_text(code));
    if (code) {
        end_look(look);
        return;
    }
    for (size_t i = 0; i < CHANGES_PER_CALL && look->first; i++)
        look->first = look->first->next;
    look->parents = look->parents_then;
    look->sweep = look->sweep && look->first;
    go_on(look);
}

static void on_looked(struct gw_work *work, struct net_conn *conn, int code)
{
    struct look *look = work->user;
    (void)conn;
    if (code && code != ERR_CLOSED)
        log_error("alarm", "the alarms cannot be looked at: %s", err_text(code));
    if (code)
        end_look(look);
    else
        go_on(look);
}

static struct gw_work *take_work(struct look *look, void (*done)(struct gw_work *, struct net_conn *, int))
{
    struct gw_work *work = look->alarms->gateway->ended ? NULL : gw_work_own(look->alarms->io);
    if (work) {
        work->user = look;
        work->done = done;
    }
    return work;
}

/* The next slice, then the changes, then the end. */
static void go_on(struct look *look)
{
    bool changed = look->first || look->parents.first || look->sweep;
    if (!look->more && !changed) {
        __atomic_store_n(&look->alarms->hasty, look->hasty, __ATOMIC_RELAXED);
        end_look(look);
        return;
    }
    struct gw_work *work = take_work(look, look->more ? on_looked : on_applied);
    if (!work) {
        end_look(look);
        return;
    }
    if (!look->more) {
        work->run = apply;
        gw_work_submit(work);
    } else if (gw_work_offload(work, look_slice)) {
        work->done = on_looked;
        gw_work_finish(work, ERR_FULL); /* the workers are busy with what clients wait for */
    }
}

static void begin_look(struct gw_alarms *alarms, int64_t now_ms)
{
    struct look *look = &alarms->look;
    int64_t minute = now_ms / MINUTE_MS, hour = now_ms / HOUR_MS;
    const struct store_table *table = store_table_find(alarms->gateway->config.store, TEXT(WATCH_ALARMS_TABLE));
    unsigned due = WATCH_DUE_STEP | (minute != alarms->minute ? WATCH_DUE_MINUTE : 0) | (hour != alarms->hour ? WATCH_DUE_HOUR : 0);
    bool hasty = __atomic_load_n(&alarms->hasty, __ATOMIC_RELAXED);
    if (!table || (due == WATCH_DUE_STEP && !hasty))
        return;
    alarms->minute = minute;
    alarms->hour = hour;
    alarms->busy = true;
    *look = (struct look){.alarms = alarms, .now_ms = now_ms, .due = due, .more = true, .sweep = due & WATCH_DUE_MINUTE};
    arena_init(&look->arena, 4096, LOOK_ARENA);
    arena_init(&look->scratch, 64 << 10, JUDGE_ARENA);
    go_on(look);
}

static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    struct gw_alarms *alarms = LIST_ENTRY(timer, struct gw_alarms, timer);
    int64_t now_ms = clock_wall_ms() - GRACE_MS, next_ms = (now_ms / STEP_MS + 1) * STEP_MS;
    loop_timer_set(loop, timer, clock_mono_ms() + next_ms - now_ms);
    if (!alarms->busy)
        begin_look(alarms, now_ms);
}

void gw_alarms_begin(struct gw_io *io)
{
    struct gw_alarms *alarms = io->gateway->alarms;
    alarms->io = io;
    loop_timer_init(&alarms->timer, on_timer);
    loop_timer_set(io->loop, &alarms->timer, clock_mono_ms() + SECOND_MS);
}

int gw_alarms_create(struct gateway *gateway, struct err *err)
{
    struct gw_alarms *alarms = calloc(1, sizeof(*alarms));
    if (!alarms)
        return err_set(err, ERR_MEMORY, "no memory for alarms");
    alarms->gateway = gateway;
    alarms->hasty = true; /* until a look has seen that nobody is */
    alarms->house = (struct watch_alarm_house){.region = gateway->config.region, .account = gateway->config.account, .context = gateway, .act = gw_alarm_act};
    gateway->alarms = alarms;
    return 0;
}

void gw_alarms_end(struct gateway *gateway)
{
    free(gateway->alarms);
    gateway->alarms = NULL;
}
