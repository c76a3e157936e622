/*
 * The model-based proof of tables, journal, change stream and restores together. Random calls (single writes, transactions, calls that take part of their writes back or
 * fail at their end; tables dropped and made again, indexes added over what is there and removed, time to live turned on and off) run on the real store, journal
 * and tick in windows of many calls at once, with time that the test drives; a model that is nothing but arrays says what each of them must answer and what the tables
 * must hold. In between the process is killed, and the journal's files lose what was not synced, whole or sector by sector. After that
 *
 *   - every acknowledged call is there, and of the others the first few, whole, or none
 *   - items, every index in both directions, groups, counts and ranks are the model's
 *   - the change stream, replayed from zero into nothing, rebuilds every table, and from it every index; each old image is what the replay held, no change
 *     comes twice, out of order or not at all
 *   - a restore to any millisecond of the past is the model at that millisecond, also when it was ordered before the crash; a backup, and what is
 *     restored from it, is the model at the commit that it names
 *
 * The parent never opens the data: each life is a child process, and the model lives in memory that they share. `ctest` runs 20,000 steps; WEIR_SOAK=1 a
 * million; WEIR_STEPS any number. SEED (or WEIR_SEED) repeats a run as far as the machine's timing allows: the steps are the same, the moments of death nearly.
 */
#include "base/clock.h"
#include "replay/orders.h"
#include "replay/replay.h"

#include <ftw.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_MS INT64_C(1700000000000)

/* ---- checks ---- */

static void compare_all(struct house *house, bool settled, const char *what)
{
    struct shared *shared = house->shared;
    struct store_view view;
    struct arena arena;
    arena_init(&arena, 256 << 10, 256 << 20);
    house_view(house, &view);
    for (int t = 0; t < TABLES; t++) {
        const struct store_table *table = house_table(house, (enum table_name)t);
        CHECK(!table == !model_now(shared)->table[t].exists, "%s: table %s", what, table_name_of((enum table_name)t));
        if (table)
            compare_table(&view, table, model_items(&arena, model_now(shared), (enum table_name)t, view.now_s), settled, what);
        arena_reset(&arena);
    }
    house_view_end(house);
    arena_fini(&arena);
    shared->compared++;
}

struct stream_check {
    struct shared *shared;
    uint64_t at; /* the last step whose number was met */
};

/* The row of numbers: each step that succeeded once, in order. What the service removed was due. */
static void on_change(void *context, uint64_t sequence, const struct store_change *change)
{
    struct stream_check *check = context;
    struct attr *item;
    struct slot slot;
    struct arena arena;
    int64_t number = 0;
    bool counts = text_is(change->table, "calls");
    if (!counts && !change->by_service)
        return;
    arena_init(&arena, 4096, 4 << 20);
    CHECK(item_decode(&arena, counts ? change->after : change->before, &item) == 0, "an item of record %llu", (unsigned long long)sequence);
    if (counts) {
        CHECK(attr_to_i64(item_get(item, TEXT("number")), &number) == 0, "a number of record %llu", (unsigned long long)sequence);
        do
            check->at++;
        while (check->at <= STEPS_MAX && !check->shared->done[check->at]);
        CHECK((uint64_t)number == check->at, "record %llu is of step %lld instead of %llu", (unsigned long long)sequence, (long long)number, (unsigned long long)check->at);
    } else {
        CHECK(change->event == 'R' && slot_of_item(item, &slot) && slot.due && slot.due <= change->time_ms / 1000, "record %llu: the service removed what was not due",
            (unsigned long long)sequence);
    }
    arena_fini(&arena);
}

static void replay_all(struct house *house, bool settled)
{
    struct stream_check check = {.shared = house->shared};
    struct store_view view;
    struct replay replay;
    struct arena arena;
    replay_run(&replay, house->tick, house->journal, on_change, &check);
    for (uint64_t number = check.at + 1; number < next_step(house->shared); number++)
        CHECK(!house->shared->done[number], "the stream lacks step %llu", (unsigned long long)number);
    arena_init(&arena, 256 << 10, 256 << 20);
    house_view(house, &view);
    for (const struct store_table *table = store_table_next(house->store, NULL); table; table = store_table_next(house->store, table))
        if (store_table_decl(table)->changes)
            compare_table(&view, table, replay_items(&replay, &arena, table, view.now_s), settled, "replayed");
    house_view_end(house);
    arena_fini(&arena);
    house->shared->changes = replay.changes;
    house->shared->replays++;
    replay_fini(&replay);
}

/* ---- what only happens when all is quiet ---- */

struct turn_ttl {
    enum table_name table;
};

static int ttl_off_body(struct house *house, struct tick *tick, struct arena *arena, void *context)
{
    const struct turn_ttl *turn = context;
    const struct store_table *table = house_table(house, turn->table);
    struct store_table_decl decl = *store_table_decl(table);
    (void)arena;
    decl.ttl = TEXT_NONE;
    return store_table_define(tick_stage(tick), &decl, NULL, NULL);
}

static int recovery_body(struct house *house, struct tick *tick, struct arena *arena, void *context)
{
    const struct store_table *table = house_table(house, T_SILENT);
    struct store_recovery recovery = {.since_ms = *(int64_t *)context, .days = STORE_RECOVERY_DAYS_MAX};
    (void)arena;
    return store_table_set_recovery(tick_stage(tick), table, recovery, NULL);
}

/* The call's own commit makes it durable, so the model is told before it: whoever dies in between has it undecided. These calls are therefore made with the power on. */
static void change_quietly(struct house *house, struct dice *dice)
{
    struct shared *shared = house->shared;
    struct turn_ttl turn = {(enum table_name)roll(dice, TABLES)};
    struct table_model *table = &model_now(shared)->table[turn.table];
    if (roll(dice, 3) == 0 && table->exists && table->ttl) {
        CHECK(house_call(house, ttl_off_body, &turn) == 0, "time to live cannot be turned off");
        table->ttl = false;
        table->ttl_ms = shared->now_ms + 1;
    }
    table = &model_now(shared)->table[T_SILENT];
    if (roll(dice, 2) == 0 && table->exists && table->recovery_ms == INT64_MAX) {
        CHECK(house_call(house, recovery_body, &shared->now_ms) == 0, "recovery cannot be turned on");
        table->recovery_ms = shared->now_ms;
    }
}

/* ---- a life ---- */

enum end { END_SHUT, END_OPENING, END_FUSE, END_CUT, ENDS = 6 /* the last ones are the likelier */ };

static void quiet(struct house *house, struct dice *dice, bool armed)
{
    if (orders_hold_time(house->shared)) {
        compare_all(house, false, "while a backup is made");
        return;
    }
    house_settle(house);
    compare_all(house, true, "settled");
    if (!armed)
        change_quietly(house, dice);
}

static void turn(struct house *house, struct dice *dice, bool armed)
{
    struct shared *shared = house->shared;
    house_window(house, 1 + (unsigned)roll(dice, roll(dice, 4) ? WINDOW : 3));
    if (!orders_hold_time(shared) && roll(dice, 2))
        house_advance(house, 1 + (int64_t)roll(dice, 3000));
    if (roll(dice, shared->soak ? 40 : 12) == 0)
        quiet(house, dice, armed);
    if (roll(dice, 40) == 0)
        CHECK(store_flush(house->store, false, NULL) == 0, "flush");
    orders_turn(house, dice);
}

static void last_checks(struct house *house)
{
    orders_finish(house);
    house_settle(house);
    compare_all(house, true, "at the end");
    replay_all(house, true);
    house->shared->finished = true;
}

static void live(struct shared *shared)
{
    static struct house house;
    struct dice dice = {shared->seed, 8, ++shared->lives};
    enum end end = shared->founded ? (enum end)roll(&dice, ENDS) : END_FUSE;
    enum power_loss loss = (enum power_loss)roll(&dice, POWER_LOSSES);
    uint64_t until = next_step(shared) + 200 + roll(&dice, shared->soak ? 5000 : 1500), seed = mix(shared->seed, 9, shared->lives);
    shared->torn += end != END_SHUT && loss != POWER_KEEPS;
    if (end == END_OPENING)
        power_fuse(1 + (unsigned)roll(&dice, 12), loss, seed);
    house_open(&house, shared);
    shared->founded = true;
    if (end == END_OPENING) {
        while (next_step(shared) <= shared->steps)
            house_window(&house, WINDOW);
        power_cut(loss, seed);
    }
    orders_reopen(&house);
    compare_all(&house, false, "opened");
    if (!shared->soak || shared->lives % 16 == 0)
        replay_all(&house, false);
    while (next_step(shared) < until && next_step(shared) <= shared->steps)
        turn(&house, &dice, false);
    if (next_step(shared) > shared->steps)
        last_checks(&house);
    else if (end != END_SHUT && end != END_CUT)
        power_fuse(1 + (unsigned)roll(&dice, 60), loss, seed);
    else if (end != END_SHUT) {
        house.cut_after = 1 + (unsigned)roll(&dice, 8);
        house.cut_loss = loss;
    }
    while (end != END_SHUT && next_step(shared) <= shared->steps)
        turn(&house, &dice, true);
    house_shut(&house);
}

/* ---- the parent ---- */

static int remove_entry(const char *path, const struct stat *stat, int flag, struct FTW *walk)
{
    (void)stat;
    (void)flag;
    (void)walk;
    return remove(path);
}

static uint64_t setting(const char *name, const char *other, uint64_t otherwise)
{
    const char *value = getenv(name);
    value = value ? value : getenv(other);
    return value ? strtoull(value, NULL, 10) : otherwise;
}

static bool one_life(struct shared *shared)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        live(shared);
        fflush(NULL);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child, "waitpid");
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    shared->crashes += killed;
    return killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED, "memory");
    shared->soak = setting("WEIR_SOAK", "WEIR_SOAK", 0) == 1;
    shared->seed = setting("SEED", "WEIR_SEED", (uint64_t)time(NULL) ^ (uint64_t)getpid() << 20);
    shared->steps = setting("WEIR_STEPS", "WEIR_STEPS", shared->soak ? 1000000 : 20000);
    CHECK(shared->steps <= STEPS_MAX, "at most %d steps", STEPS_MAX);
    shared->cursor = 1 << 1;
    shared->now_ms = START_MS;
    model_init(model_now(shared), shared->seed);
    strcpy(shared->folder, "/tmp/weir-replay-XXXXXX");
    CHECK(mkdtemp(shared->folder), "mkdtemp");
    printf("SEED=%llu\n", (unsigned long long)shared->seed);
    while (!shared->finished) {
        if (!one_life(shared)) {
            fprintf(stderr, "life %llu, step %llu: failed; SEED=%llu; the folder is %s\n", (unsigned long long)shared->lives, (unsigned long long)next_step(shared),
                (unsigned long long)shared->seed, shared->folder);
            return 1;
        }
    }
    nftw(shared->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    printf("%llu steps, %llu crashes (%llu steps undecided, %llu of them found kept), %llu comparisons, %llu expired, %llu replays of up to %llu changes, "
           "%llu restores to a point in time, %llu from a backup\n",
        (unsigned long long)shared->steps, (unsigned long long)shared->crashes, (unsigned long long)shared->undecided, (unsigned long long)shared->kept,
        (unsigned long long)shared->compared, (unsigned long long)shared->expiries, (unsigned long long)shared->replays, (unsigned long long)shared->changes,
        (unsigned long long)shared->rewinds, (unsigned long long)shared->restores);
    return 0;
}
