/*
 * Calls go through one source, so they run in the order of their submission, and what a crash leaves is a beginning of that order: every call that succeeds writes its
 * number into one row, and after the crash that number says how far it went. Everything else must then be as the model has it.
 */
#include "house.h"

#include "base/clock.h"
#include "base/log.h"
#include "tick/feed.h"

#include <time.h>
#include <unistd.h>

#define SETTLE_S 120 /* real seconds */

/* ---- a step, on the state thread ---- */

struct handles {
    const struct store_table *table[TABLES];
    bool known[TABLES];
};

static const struct store_table *handle_of(struct handles *handles, struct house *house, enum table_name table)
{
    if (!handles->known[table])
        handles->table[table] = store_table_find(house->store, text_of(table_name_of(table)));
    handles->known[table] = true;
    return handles->table[table];
}

static int run_define(struct tick *tick, const struct store_table *table, const struct op *op)
{
    struct store_table_decl decl, all;
    struct err err = {0};
    if (op->kind == OP_DROP)
        return store_table_drop(tick_stage(tick), table, &err);
    decl = *store_table_decl(table);
    if (op->kind == OP_TTL_ON) {
        decl.ttl = TEXT("due");
        return store_table_define(tick_stage(tick), &decl, NULL, &err);
    }
    table_declare(op->table, (uint8_t)(1u << op->index), false, &all);
    size_t kept = 0;
    for (size_t i = 0; i < decl.indexes; i++)
        if (!text_equal(decl.index[i].name, all.index[0].name))
            decl.index[kept++] = decl.index[i];
    if (kept == decl.indexes)
        decl.index[kept++] = all.index[0];
    decl.indexes = kept;
    return store_table_define(tick_stage(tick), &decl, NULL, &err);
}

static int run_create(struct tick *tick, const struct store_table **table, const struct op *op)
{
    struct store_table_decl decl;
    struct err err = {0};
    if (*table)
        return ERR_EXISTS;
    table_declare(op->table, op->indexes, op->table != T_SILENT && op->table != T_BINARY, &decl);
    return store_table_define(tick_stage(tick), &decl, table, &err);
}

static int run_write(struct tick *tick, const struct store_table *table, const struct op *op, struct arena *arena, struct outcome *outcome)
{
    struct store_view *view = tick_view(tick);
    const struct attr *old = NULL;
    struct err err = {0};
    struct slot value = op->value, was;
    int rc = 0;
    if (value.due)
        value.due += view->now_s;
    if (op->kind == OP_UPDATE) {
        rc = store_get(view, table, key_of_slot(arena, op->table, op->at), arena, &old);
        if (rc && rc != ERR_NOT_FOUND)
            return rc;
        if (!rc) {
            CHECK(slot_of_item(old, &was), "an item is not one of ours");
            value = was;
            value.payload = op->value.payload;
        }
    }
    if (op->kind == OP_DELETE)
        rc = store_delete(view, table, key_of_slot(arena, op->table, op->at), op->flags, arena, &old, &err);
    else
        rc = store_put(view, table, item_of_slot(arena, op->table, op->at, &value), op->flags, arena, &old, &err);
    outcome->had = old != NULL;
    CHECK(!old || slot_of_item(old, &outcome->old), "an item is not one of ours");
    return rc;
}

static int run_op(struct house *house, struct tick *tick, struct handles *handles, const struct op *op, struct arena *arena, struct outcome *outcome)
{
    const struct store_table *table = handle_of(handles, house, op->table);
    memset(outcome, 0, sizeof(*outcome));
    if (op->kind == OP_CREATE)
        return outcome->code = run_create(tick, &handles->table[op->table], op);
    if (!table)
        return outcome->code = ERR_NOT_FOUND;
    outcome->code = op->kind < OP_INDEX ? run_write(tick, table, op, arena, outcome) : run_define(tick, table, op);
    if (op->kind == OP_DROP && !outcome->code)
        handles->table[op->table] = NULL;
    return outcome->code;
}

static int note_number(struct house *house, struct tick *tick, struct arena *arena, uint64_t number)
{
    struct attr *item = item_create(arena);
    item_set_string(arena, item, TEXT("id"), TEXT("n"));
    item_set_i64(arena, item, TEXT("number"), (int64_t)number);
    return store_put(tick_view(tick), store_table_find(house->store, TEXT("calls")), item, 0, arena, NULL, NULL);
}

static int run_step(struct tick *tick, struct tick_call *base)
{
    struct step_call *call = (struct step_call *)base;
    struct handles handles = {0};
    struct store_save save = {0};
    bool within = false;
    for (int i = 0; i < call->step.ops; i++) {
        const struct op *op = &call->step.op[i];
        if (op->undone && !within)
            save = store_stage_save(tick_stage(tick));
        if (!op->undone && within)
            store_stage_rollback(tick_stage(tick), save);
        within = op->undone;
        int code = run_op(call->house, tick, &handles, op, base->arena, &call->outcome[i]);
        if (code == ERR_COLD || (code && call->step.strict)) /* a cold one runs again */
            return code;
    }
    if (within)
        store_stage_rollback(tick_stage(tick), save);
    int code = note_number(call->house, tick, base->arena, call->step.number);
    return code ? code : call->step.fails ? ERR_CONDITION : 0;
}

/* ---- calls of other kinds ---- */

struct body_call {
    struct tick_call base;
    struct house *house;
    int (*body)(struct house *house, struct tick *tick, struct arena *arena, void *context);
    void *context;
    bool done;
};

static int run_body(struct tick *tick, struct tick_call *base)
{
    struct body_call *call = (struct body_call *)base;
    return call->body(call->house, tick, base->arena, call->context);
}

static void on_done(void *context, struct tick_call *base)
{
    struct house *house = context;
    if (base->run == run_body) {
        ((struct body_call *)base)->done = true;
        return;
    }
    struct step_call *call = (struct step_call *)base;
    call->done = true;
    if (base->code == 0)
        house->shared->acknowledged = call->step.number;
    if (++house->answers == house->cut_after)
        power_cut(house->cut_loss, house->shared->seed ^ house->shared->lives);
}

int house_call(struct house *house, int (*body)(struct house *house, struct tick *tick, struct arena *arena, void *context), void *context)
{
    struct body_call call = {.base = {.run = run_body, .lane = &house->lane}, .house = house, .body = body, .context = context};
    struct arena arena;
    arena_init(&arena, 16 << 10, 64 << 20);
    call.base.arena = &arena;
    CHECK(tick_submit(house->tick, &call.base) == 0, "submit");
    tick_kick(house->tick, 0);
    HOUSE_UNTIL(house, call.done, "a call");
    arena_fini(&arena);
    return call.base.code;
}

/* ---- windows ---- */

static void trail_note(struct shared *shared, const struct model *model, uint64_t sequence)
{
    if (!shared->trail_len)
        return;
    if (shared->trail[shared->trail_len - 1].sequence < sequence) {
        CHECK(shared->trail_len < TRAIL, "the backup does not come to an end");
        shared->trail_len++;
    }
    shared->trail[shared->trail_len - 1].sequence = sequence;
    shared->trail[shared->trail_len - 1].model = *model;
}

/* The model takes the step; `sequence`: of its record, 0 when nobody wants to know. Answers what it must have answered. */
static int take_step(struct shared *shared, const struct step *step, uint64_t sequence, struct outcome expected[OPS_MAX])
{
    struct model *after = &shared->models[!(shared->cursor & 1)];
    *after = *model_now(shared);
    int code = model_apply(after, step, shared->now_ms / 1000, expected);
    shared->done[step->number] = code == 0;
    if (code == 0 && sequence)
        trail_note(shared, after, sequence);
    __atomic_store_n(&shared->cursor, (shared->cursor + 2) ^ 1, __ATOMIC_SEQ_CST);
    return code;
}

static void judge(struct shared *shared, const struct step_call *call)
{
    struct outcome expected[OPS_MAX];
    const struct step *step = &call->step;
    int code = take_step(shared, step, call->base.sequence, expected);
    CHECK(call->base.code == code, "step %llu answers %s instead of %s", (unsigned long long)step->number, err_name(call->base.code), err_name(code));
    for (int i = 0; i < step->ops; i++) {
        const struct outcome *is = &call->outcome[i];
        CHECK(is->code == expected[i].code, "step %llu, operation %d (%d, table %d): %s instead of %s", (unsigned long long)step->number, i, (int)step->op[i].kind,
            (int)step->op[i].table, err_name(is->code), err_name(expected[i].code));
        CHECK(is->had == expected[i].had && memcmp(&is->old, &expected[i].old, sizeof(is->old)) == 0, "step %llu, operation %d: another earlier item",
            (unsigned long long)step->number, i);
        if (is->code && step->strict)
            break;
    }
}

/* A window ends with a definition. */
static unsigned make_steps(struct house *house, unsigned count)
{
    struct shared *shared = house->shared;
    unsigned made = 0;
    while (made < count && next_step(shared) + made <= shared->steps) {
        struct step_call *call = &house->call[made];
        step_make(shared->seed, next_step(shared) + made++, &call->step);
        call->base = (struct tick_call){.run = run_step, .arena = &call->arena, .lane = &house->lane};
        call->house = house;
        call->done = false;
        arena_reset(&call->arena);
        if (call->step.defines)
            break;
    }
    return made;
}

void house_window(struct house *house, unsigned count)
{
    struct shared *shared = house->shared;
    unsigned made = make_steps(house, count);
    house->answers = 0;
    shared->submitted = next_step(shared) + made;
    for (unsigned i = 0; i < made; i++)
        CHECK(tick_submit(house->tick, &house->call[i].base) == 0, "submit");
    tick_kick(house->tick, 0);
    HOUSE_UNTIL(house, house->answers == made, "a window");
    for (unsigned i = 0; i < made; i++)
        judge(shared, &house->call[i]);
}

/* ---- time ---- */

static int is_now(struct house *house, struct tick *tick, struct arena *arena, void *context)
{
    (void)arena;
    *(bool *)context = tick_now_ms(tick) == house->shared->now_ms;
    return 0;
}

/* A tick that had begun before keeps its time: it is over when a call sees the new one. */
void house_advance(struct house *house, int64_t ms)
{
    static struct moment skipped;
    bool now = false;
    struct shared *shared = house->shared;
    uint64_t at = shared->moments++;
    if (at >= MOMENTS) /* any second of the past is as likely as any other */
        at = mix(shared->seed, 5, at) % shared->moments;
    struct moment *moment = at < MOMENTS ? &shared->moment[at] : &skipped;
    __atomic_store_n(&moment->to_ms, 0, __ATOMIC_SEQ_CST);
    moment->from_ms = shared->now_ms;
    moment->model = *model_now(shared);
    __atomic_store_n(&shared->now_ms, shared->now_ms + ms, __ATOMIC_SEQ_CST);
    __atomic_store_n(&moment->to_ms, shared->now_ms, __ATOMIC_SEQ_CST);
    clock_freeze(shared->now_ms);
    tick_wake(house->tick);
    while (!now)
        CHECK(house_call(house, is_now, &now) == 0, "a look at the time");
}

static int is_settled(struct house *house, struct tick *tick, struct arena *arena, void *context)
{
    bool *settled = context;
    int left = store_backfill(tick_view(tick), 16, arena); /* it says whether there is anything left; the sweeps do most of it */
    if (left < 0)
        return left;
    struct store_view view = *tick_view(tick);
    view.cache_only = false;
    *settled = left == 0 && store_next_expiry(&view) > view.now_s;
    for (int t = 0; t < TABLES; t++) {
        const struct store_table *table = house_table(house, (enum table_name)t);
        for (size_t i = 0; table && i < store_table_decl(table)->indexes; i++)
            *settled = *settled && store_index_ready(store_index_find(table, store_table_decl(table)->index[i].name));
    }
    return 0;
}

static time_t real_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* A minute brings the next sweep, whatever it had planned; later ones follow it at once. A fill is ready when its end is applied: one more call sees it. Looks are quick and a worker may be
   starved, so it is not their number that is bounded. */
void house_settle(struct house *house)
{
    bool settled = false;
    time_t until_s = real_s() + SETTLE_S;
    house_advance(house, MINUTE_MS + SECOND_MS);
    for (int look = 0; !settled && real_s() < until_s; look++) {
        CHECK(house_call(house, is_settled, &settled) == 0, "a look");
        if (!settled && look % 40 == 39)
            house_advance(house, SECOND_MS);
    }
    CHECK(settled, "expiry or backfill does not come to an end");
    for (int t = 0; t < TABLES; t++)
        for (int i = 0; i < SLOTS; i++) {
            struct table_model *table = &model_now(house->shared)->table[t];
            if (table->slot[i].present && !model_visible(table, &table->slot[i], house->shared->now_ms / 1000)) {
                table->slot[i].present = 0; /* it is not there any more, also when time to live is turned off */
                house->shared->expiries++;
            }
        }
}

/* ---- views ---- */

void house_view(struct house *house, struct store_view *view)
{
    *view = (struct store_view){.store = house->store, .snapshot = store_snapshot_acquire(house->store, 0), .now_s = house->shared->now_ms / 1000};
}

void house_view_end(struct house *house)
{
    store_snapshot_release(house->store, 0);
}

const struct store_table *house_table(const struct house *house, enum table_name table)
{
    return store_table_find(house->store, text_of(table_name_of(table)));
}

/* ---- life ---- */

static int run_tables(struct tick *tick, struct tick_call *base)
{
    struct house *house = ((struct body_call *)base)->house;
    struct store_table_decl decl = {.name = TEXT("calls"), .hash = TEXT("id"), .hash_type = ATTR_STRING, .changes = true};
    struct err err = {0};
    int rc = store_table_define(tick_stage(tick), &decl, NULL, &err);
    for (int t = 0; t < TABLES && !rc && !house->shared->founded; t++) {
        const struct table_model *table = &model_now(house->shared)->table[t];
        table_declare((enum table_name)t, table->indexes, table->ttl, &decl);
        rc = store_table_define(tick_stage(tick), &decl, NULL, &err);
    }
    return rc;
}

/* In which records the steps under way were committed: a backup may have been made of one of them before the end. */
static void find_sequences(struct house *house, uint64_t sequence[WINDOW])
{
    struct shared *shared = house->shared;
    struct feed_position after = {shared->trail[shared->trail_len - 1].sequence, FEED_ALL};
    struct store_change change;
    struct arena arena;
    struct err err = {0};
    struct feed *feed;
    uint64_t at;
    int rc;
    CHECK(feed_open(&feed, house->tick, house->journal, after, &err) == 0, "%s", err.text);
    arena_init(&arena, 4096, 4 << 20);
    while ((rc = feed_next(feed, &at, &change, &err)) >= 0) {
        struct attr *item;
        int64_t number;
        if (rc == FEED_END || !text_is(change.table, "calls"))
            continue;
        CHECK(item_decode(&arena, change.after, &item) == 0 && attr_to_i64(item_get(item, TEXT("number")), &number) == 0, "a number of record %llu", (unsigned long long)at);
        if ((uint64_t)number >= next_step(shared) && (uint64_t)number < shared->submitted)
            sequence[(uint64_t)number - next_step(shared)] = at;
    }
    CHECK(rc == ERR_AGAIN, "%s", err.text);
    feed_close(feed);
    arena_fini(&arena);
}

/* How far the steps went that were under way when the last life ended: the model follows. */
static void decide_pending(struct house *house)
{
    struct shared *shared = house->shared;
    const struct store_table *calls = store_table_find(house->store, TEXT("calls"));
    const struct attr *item = NULL;
    struct store_view view;
    struct arena arena;
    int64_t number = 0;
    arena_init(&arena, 4096, 1 << 20);
    struct attr *key = item_create(&arena);
    item_set_string(&arena, key, TEXT("id"), TEXT("n"));
    house_view(house, &view);
    int rc = store_get(&view, calls, key, &arena, &item);
    CHECK(rc == 0 || rc == ERR_NOT_FOUND, "the last number: %s", err_name(rc));
    if (rc == 0)
        attr_to_i64(item_get(item, TEXT("number")), &number);
    house_view_end(house);
    arena_fini(&arena);
    CHECK((uint64_t)number >= shared->acknowledged, "step %llu was acknowledged, %lld is the last that is there", (unsigned long long)shared->acknowledged, (long long)number);
    uint64_t sequence[WINDOW] = {0}, first = next_step(shared), end = shared->submitted > first ? shared->submitted : first;
    CHECK((uint64_t)number < end, "step %lld was never submitted", (long long)number);
    if (shared->trail_len && end > first)
        find_sequences(house, sequence);
    shared->undecided += end - first;
    for (uint64_t at = first; at < end && at <= (uint64_t)number; at++) {
        struct outcome outcome[OPS_MAX];
        struct step step;
        step_make(shared->seed, at, &step);
        int code = take_step(shared, &step, sequence[at - first], outcome);
        shared->kept += code == 0 && at > shared->acknowledged;
        CHECK(code == 0 || at != (uint64_t)number, "step %lld must have failed", (long long)number);
    }
    CHECK(!number || shared->done[number], "step %lld must have failed", (long long)number);
    __atomic_store_n(&shared->cursor, end << 1 | (shared->cursor & 1), __ATOMIC_SEQ_CST); /* those that were lost are not tried again */
    model_reopened(model_now(shared));
    trail_note(shared, model_now(shared), tick_durable(house->tick));
}

static void open_data(struct house *house)
{
    struct err err = {0};
    uint64_t replayed;
    struct dice dice = {house->shared->seed, 6, house->shared->lives};
    struct store_config store = {.folder = house->tables, .cache_bytes = 8 << 20, .write_buffer_bytes = (size_t)(128 << 10) << roll(&dice, 5)};
    CHECK(store_open(&house->store, &store, &err) == 0, "%s", err.text);
    struct journal_config journal = {.folder = house->records, .segment_bytes = (uint64_t)(64 << 10) << roll(&dice, 6), .recycle_max = (uint32_t)roll(&dice, 3),
        .known_durable = store_applied(house->store), .files = power_files()};
    CHECK(journal_open(&house->journal, &journal, &err) == 0, "%s", err.text);
    CHECK(tick_recover(house->store, house->journal, &replayed, &err) == 0, "%s", err.text);
    struct store_report report = {0};
    CHECK(store_verify(house->store, &report) == 0 && report.damaged == 0, "damaged: %s", report.first); /* now, while nothing is written */
    struct jobs_config jobs = {.store = house->store, .journal = house->journal, .folder = house->backups, .stretch_bytes = roll(&dice, 2) ? 0 : (size_t)(4 << 10)};
    CHECK(jobs_create(&house->jobs, &jobs, &err) == 0, "%s", err.text);
}

static void on_fatal(void *context, const char *text)
{
    (void)context;
    CHECK(false, "the journal failed: %s", text);
}

void house_open(struct house *house, struct shared *shared)
{
    struct err err = {0};
    memset(house, 0, sizeof(*house));
    house->shared = shared;
    snprintf(house->tables, sizeof(house->tables), "%s/tables", shared->folder);
    snprintf(house->records, sizeof(house->records), "%s/journal", shared->folder);
    snprintf(house->backups, sizeof(house->backups), "%s/backups", shared->folder);
    for (int i = 0; i < WINDOW; i++)
        arena_init(&house->call[i].arena, 16 << 10, 16 << 20);
    log_level_set(LOG_ERROR);
    clock_freeze(shared->now_ms);
    open_data(house);
    house->sink[0] = (struct tick_sink){.context = house, .on_done = on_done};
    jobs_sink(house->jobs, &house->sink[1]);
    if (mix(shared->seed, 10, shared->lives) % 2) /* else the state thread reads the disk itself */
        CHECK(worker_pool_create(&house->workers, 1, 64, &err) == 0, "%s", err.text);
    struct tick_config config = {.store = house->store, .journal = house->journal, .workers = house->workers, .sources = 2, .sinks = house->sink, .expiry = true, .retention_ms = 36500 * DAY_MS,
        .retention_bytes = UINT64_C(1) << 60, .calls_max = 1 + mix(shared->seed, 7, shared->lives) % 16, .on_fatal = on_fatal};
    CHECK(tick_create(&house->tick, &config, &err) == 0, "%s", err.text);
    jobs_attach(house->jobs, house->tick, 1);
    struct body_call tables = {.base = {.run = run_tables}, .house = house};
    CHECK(tick_run_now(house->tick, &tables.base, &err) == 0, "%s", err.text);
    CHECK(tick_start(house->tick, &err) == 0, "%s", err.text);
    decide_pending(house);
    CHECK(jobs_start(house->jobs, &err) == 0, "%s", err.text);
}

void house_shut(struct house *house)
{
    jobs_stop(house->jobs);
    tick_stop(house->tick);
    while (tick_drain(house->tick, 0) > 0)
        ;
    tick_destroy(house->tick);
    jobs_destroy(house->jobs);
    journal_close(house->journal);
    store_close(house->store);
    if (house->workers)
        worker_pool_destroy(house->workers);
    for (int i = 0; i < WINDOW; i++)
        arena_fini(&house->call[i].arena);
}
