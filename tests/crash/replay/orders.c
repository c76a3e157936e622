/*
 * An order is noted before it is asked for, and its answer after that. A crash between the two leaves it open whether it was heard; the rows of the program know.
 *
 * A backup shows one commit, and the job says which one: while it runs, the model is kept after each commit (the trail). A source that was dropped meanwhile makes its job
 * fail, and then the target must be gone; that is the only excuse.
 */
#include "orders.h"

#include <unistd.h>

enum { KINDS = 3 };

static struct text target_name(char out[32], const struct order *order)
{
    snprintf(out, 32, "restored-%u", order->name);
    return text_of(out);
}

static const struct store_table *target_of(struct house *house, const struct order *order)
{
    char name[32];
    return store_table_find(house->store, target_name(name, order));
}

/* ---- asking ---- */

struct ask {
    struct order *order;
    enum job_kind kind;
    struct text from;
};

static int ask_body(struct house *house, struct tick *tick, struct arena *arena, void *context)
{
    struct ask *ask = context;
    struct order *order = ask->order;
    const struct store_table *source = house_table(house, order->table), *target;
    struct job job = {.kind = ask->kind, .source = text_of(table_name_of(order->table)), .source_id = source ? store_table_id(source) : 0, .time_ms = order->time_ms,
        .from = ask->from, .about = TEXT("{}")};
    char name[32];
    struct err err = {0};
    (void)arena;
    if (!source)
        return ERR_NOT_FOUND;
    if (ask->kind != JOB_BACKUP) {
        struct store_table_decl decl = *store_table_decl(source);
        decl.name = job.target = target_name(name, order);
        decl.ttl = TEXT_NONE;
        decl.changes = false;
        int rc = store_table_define(tick_stage(tick), &decl, &target, &err);
        if (!rc)
            rc = store_table_set_filling(tick_stage(tick), target, true, &err);
        if (rc)
            return rc;
        job.target_id = store_table_id(target);
    }
    int rc = job_stage(house->jobs, tick, &job);
    memcpy(order->id, job.id, sizeof(order->id));
    return rc;
}

static void ask(struct house *house, struct order *order, enum job_kind kind, struct text from)
{
    struct ask ask = {order, kind, from};
    order->name = (uint32_t)++house->shared->names;
    order->state = ORDER_ASKED;
    int rc = house_call(house, ask_body, &ask);
    CHECK(rc == 0, "a job cannot be ordered: %s", err_name(rc));
    order->state = ORDER_RUNS;
    jobs_wake(house->jobs);
}

/* ---- looking ---- */

struct look {
    struct house *house;
    const struct order *order;
    struct job job; /* its texts are not kept */
    bool found;
    char id[JOB_ID_TEXT + 1];
};

static int see_job(void *context, const struct job *job)
{
    struct look *look = context;
    bool mine = look->id[0] ? strcmp(look->id, job->id) == 0 : job->kind == JOB_BACKUP && job->state != JOB_REMOVING;
    if (!mine)
        return 0;
    look->job = *job;
    look->found = true;
    return 0;
}

/* The job of that id, or any backup. */
static bool find_job(struct house *house, const char *id, struct job *job)
{
    struct look look = {.house = house};
    struct store_view view;
    struct arena arena;
    arena_init(&arena, 16 << 10, 16 << 20);
    snprintf(look.id, sizeof(look.id), "%s", id);
    house_view(house, &view);
    CHECK(job_scan(&view, &arena, TEXT_NONE, see_job, &look) == 0, "the jobs cannot be read");
    house_view_end(house);
    arena_fini(&arena);
    *job = look.job;
    return look.found;
}

static bool source_is_there(const struct house *house, const struct order *order)
{
    const struct table_model *table = &model_now(house->shared)->table[order->table];
    return table->exists && table->generation == order->generation;
}

/* Without time to live then, all is there, whatever has been turned on since. With it, what had expired and was not swept yet is left out if it still is the same. */
static bool ttl_is_same(const struct house *house, const struct order *order)
{
    return !order->model.table[order->table].ttl || model_now(house->shared)->table[order->table].ttl_ms == order->ttl_ms;
}

static int drop_body(struct house *house, struct tick *tick, struct arena *arena, void *context)
{
    const struct store_table *target = target_of(house, context);
    (void)arena;
    return target ? store_table_drop(tick_stage(tick), target, NULL) : 0;
}

static void end(struct house *house, struct order *order)
{
    order->state = ORDER_OVER;
    CHECK(house_call(house, drop_body, order) == 0, "the restored table cannot be dropped");
    order->state = ORDER_NONE;
}

/* True when the target holds what it must, or has gone with its source. */
static bool look_at_target(struct house *house, struct order *order, int64_t now_s, bool comparable, const char *what)
{
    const struct store_table *target = target_of(house, order);
    struct store_view view;
    struct arena arena;
    if (!target) {
        CHECK(!source_is_there(house, order), "%s: the job has failed", what);
        order->state = ORDER_NONE;
        return false;
    }
    if (store_table_filling(target)) /* until the commit that ends the job */
        return false;
    arena_init(&arena, 64 << 10, 64 << 20);
    house_view(house, &view);
    if (comparable)
        compare_table(&view, target, model_items(&arena, &order->model, order->table, now_s), true, what);
    house_view_end(house);
    arena_fini(&arena);
    end(house, order);
    return comparable;
}

/* ---- points in time ---- */

static bool rewind_begin(struct house *house, struct dice *dice)
{
    struct shared *shared = house->shared;
    struct order *order = &shared->rewind;
    const struct moment *moment = &shared->moment[roll(dice, shared->moments < MOMENTS ? shared->moments : MOMENTS)];
    enum table_name name = (enum table_name)roll(dice, T_VOLATILE);
    const struct table_model *then = &moment->model.table[name], *now = &model_now(shared)->table[name];
    if (!moment->to_ms)
        return false;
    int64_t time_ms = moment->from_ms + (int64_t)roll(dice, (uint64_t)(moment->to_ms - moment->from_ms));
    if (!then->exists || !now->exists || then->generation != now->generation || time_ms < now->recovery_ms || (then->ttl && time_ms < now->ttl_ms))
        return false;
    *order = (struct order){.table = name, .generation = now->generation, .time_ms = time_ms, .ttl_ms = now->ttl_ms, .model = moment->model};
    ask(house, order, JOB_REWIND, TEXT_NONE);
    return true;
}

static void rewind_look(struct house *house)
{
    struct order *order = &house->shared->rewind;
    char what[160];
    snprintf(what, sizeof(what), "%s, restored to %lld (time to live was %s), now %lld (it is %s)", table_name_of(order->table), (long long)order->time_ms,
        order->model.table[order->table].ttl ? "on" : "off", (long long)house->shared->now_ms, model_now(house->shared)->table[order->table].ttl ? "on" : "off");
    house->shared->rewinds += look_at_target(house, order, order->time_ms / 1000, ttl_is_same(house, order), what);
}

/* ---- backups ---- */

bool orders_hold_time(const struct shared *shared)
{
    return shared->backup.state == ORDER_ASKED || shared->backup.state == ORDER_RUNS;
}

static void trail_begin(struct house *house)
{
    struct shared *shared = house->shared;
    shared->trail[0].sequence = tick_durable(house->tick);
    shared->trail[0].model = *model_now(shared);
    shared->trail_len = 1;
}

static void backup_begin(struct house *house, struct dice *dice)
{
    struct shared *shared = house->shared;
    enum table_name name = (enum table_name)roll(dice, T_VOLATILE);
    const struct table_model *table = &model_now(shared)->table[name];
    if (!table->exists)
        return;
    shared->backup = (struct order){.table = name, .generation = table->generation, .time_ms = shared->now_ms};
    trail_begin(house);
    ask(house, &shared->backup, JOB_BACKUP, TEXT_NONE);
}

static void backup_look(struct house *house)
{
    struct shared *shared = house->shared;
    struct order *order = &shared->backup;
    struct job job;
    if (!find_job(house, order->id, &job)) {
        CHECK(!source_is_there(house, order), "the backup has failed");
        order->state = ORDER_NONE;
        shared->trail_len = 0;
        return;
    }
    if (job.state != JOB_DONE)
        return;
    unsigned at = shared->trail_len;
    while (at > 0 && shared->trail[at - 1].sequence > job.sequence)
        at--;
    CHECK(at > 0, "the backup shows sequence %llu, before it was ordered", (unsigned long long)job.sequence);
    order->model = shared->trail[at - 1].model;
    order->state = ORDER_STANDS;
    shared->trail_len = 0;
}

static int remove_body(struct house *house, struct tick *tick, struct arena *arena, void *context)
{
    struct job job;
    int rc = job_get(tick_view(tick), arena, text_of(context), &job);
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    return job.state == JOB_REMOVING ? 0 : job_remove(house->jobs, tick, &job);
}

static void backup_end(struct house *house)
{
    struct order *order = &house->shared->backup;
    order->state = ORDER_OVER;
    CHECK(house_call(house, remove_body, order->id) == 0, "the backup cannot be deleted");
    jobs_wake(house->jobs);
    order->state = ORDER_NONE;
}

/* Later, when the table is another one, or has another one's name: what the backup holds does not depend on it. But the order takes the declaration from there. */
static void restore_begin(struct house *house)
{
    struct shared *shared = house->shared;
    const struct order *backup = &shared->backup;
    if (!model_now(shared)->table[backup->table].exists)
        return;
    struct order order = *backup;
    order.state = ORDER_NONE;
    shared->restore = order;
    ask(house, &shared->restore, JOB_RESTORE, text_of(backup->id));
}

static void restore_look(struct house *house)
{
    struct order *order = &house->shared->restore;
    order->generation = model_now(house->shared)->table[order->table].exists ? model_now(house->shared)->table[order->table].generation : UINT32_MAX - 1;
    CHECK(target_of(house, order), "the restore has failed");
    if (!look_at_target(house, order, order->time_ms / 1000, true, "restored from the backup"))
        return;
    house->shared->restores++;
    backup_end(house);
}

/* ---- turns ---- */

/* The trail has an end, and the copier may get little of the machine: then the calls wait for it. */
static void backup_wait(struct house *house)
{
    const struct shared *shared = house->shared;
    for (int look = 0; shared->backup.state == ORDER_RUNS && shared->trail_len + 2 * WINDOW > TRAIL && look < 300000; look++) {
        usleep(200);
        tick_drain(house->tick, 0);
        backup_look(house);
    }
}

void orders_turn(struct house *house, struct dice *dice)
{
    struct shared *shared = house->shared;
    backup_wait(house);
    if (shared->rewind.state == ORDER_RUNS)
        rewind_look(house);
    else if (shared->moments && roll(dice, 4) == 0)
        for (int tries = 0; tries < 16 && !rewind_begin(house, dice); tries++)
            ; /* not every table was there at any time */
    if (shared->restore.state == ORDER_RUNS)
        restore_look(house);
    else if (shared->backup.state == ORDER_RUNS)
        backup_look(house);
    else if (shared->backup.state == ORDER_STANDS && roll(dice, 3) == 0)
        restore_begin(house);
    else if (shared->backup.state == ORDER_NONE && roll(dice, 6) == 0)
        backup_begin(house, dice);
}

/* A restore that was asked for, or is over but for its target. */
static void reopen_restore(struct house *house, struct order *order)
{
    if (order->state == ORDER_ASKED) {
        const struct store_table *target = target_of(house, order);
        order->state = target ? ORDER_RUNS : ORDER_NONE;
    }
    if (order->state == ORDER_OVER)
        end(house, order);
}

void orders_reopen(struct house *house)
{
    struct shared *shared = house->shared;
    struct job job;
    reopen_restore(house, &shared->rewind);
    bool over = shared->restore.state == ORDER_OVER;
    reopen_restore(house, &shared->restore);
    if (shared->backup.state == ORDER_ASKED) {
        bool heard = find_job(house, "", &job);
        shared->backup.state = heard ? ORDER_RUNS : ORDER_NONE;
        if (heard)
            memcpy(shared->backup.id, job.id, sizeof(job.id));
        shared->trail_len = heard ? shared->trail_len : 0;
    } else if (shared->backup.state == ORDER_OVER || (over && shared->backup.state == ORDER_STANDS)) {
        backup_end(house);
    }
}

void orders_finish(struct house *house)
{
    struct shared *shared = house->shared;
    for (int look = 0; look < 300000; look++) {
        if (shared->rewind.state == ORDER_RUNS)
            rewind_look(house);
        if (shared->backup.state == ORDER_RUNS)
            backup_look(house);
        if (shared->restore.state == ORDER_RUNS)
            restore_look(house);
        if (shared->rewind.state == ORDER_NONE && shared->backup.state != ORDER_RUNS && shared->restore.state == ORDER_NONE)
            return;
        usleep(200);
        tick_drain(house->tick, 0);
    }
    CHECK(false, "a job does not come to its end");
}
