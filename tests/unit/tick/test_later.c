/* Deferred calls and expiry: time is driven by the test, restarts in between. */
#include "tick/fixture.h"

enum { NAMES = 64 };

struct deferred_log {
    char name[NAMES][16];
    int len;
    int fail;       /* how many runs fail first */
    int dead;
    int runs;
    pthread_mutex_t lock;
};
static struct deferred_log deferred = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void deferred_clear(int fail)
{
    pthread_mutex_lock(&deferred.lock);
    deferred.len = deferred.dead = deferred.runs = 0;
    deferred.fail = fail;
    pthread_mutex_unlock(&deferred.lock);
}

static int deferred_get(const int *what)
{
    pthread_mutex_lock(&deferred.lock);
    int value = *what;
    pthread_mutex_unlock(&deferred.lock);
    return value;
}

/* Counts in a table, then fails if it is told to: a failed run must not count. */
static int on_deferred(void *context, struct tick *tick, struct tick_call *call, struct text name, struct text payload)
{
    struct fixture *f = context;
    char key[32];
    int64_t value;
    snprintf(key, sizeof(key), "%.*s", TEXT_FMT(payload));
    int rc = value_read(tick_view(tick), f->table, key, call->arena, &value);
    if (rc == 0)
        rc = value_write(tick_view(tick), f->table, key, value + 1, 0, call->arena);
    pthread_mutex_lock(&deferred.lock);
    deferred.runs++;
    if (rc == 0 && deferred.fail > 0) {
        deferred.fail--;
        rc = ERR_CONDITION;
    } else if (deferred.len < NAMES) {
        snprintf(deferred.name[deferred.len++], sizeof(deferred.name[0]), "%.*s", TEXT_FMT(name));
    }
    pthread_mutex_unlock(&deferred.lock);
    return rc;
}

static void on_dead(void *context, struct text name, struct text payload, int code)
{
    (void)context;
    (void)name;
    (void)payload;
    assert_int_equal(code, ERR_CONDITION);
    pthread_mutex_lock(&deferred.lock);
    deferred.dead++;
    pthread_mutex_unlock(&deferred.lock);
}

static struct fixture *open_at(int64_t now_ms)
{
    struct fixture *f = fixture_new();
    clock_freeze(now_ms);
    f->config.on_deferred = on_deferred;
    f->config.on_deferred_dead = on_dead;
    f->config.expiry = true;
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
    deferred_clear(0);
    return f;
}

static void advance(struct fixture *f, int64_t ms)
{
    clock_advance(ms);
    tick_wake(f->tick);
}

struct plan {
    int64_t delay_ms;
    const char *name, *payload;
    unsigned attempts;
    int64_t backoff_ms;
    char id[TICK_ID_TEXT + 1];
    const char *cancel;
};

static int do_plan(struct tick *tick, struct test_call *call)
{
    struct plan *plan = call->fixture->extra;
    if (plan->cancel)
        return tick_later_cancel(tick, text_of(plan->cancel));
    return tick_later(tick, plan->delay_ms, text_of(plan->name), text_of(plan->payload), plan->attempts, plan->backoff_ms, plan->id);
}

static int carry_out(struct fixture *f, struct plan *plan, int answer)
{
    struct test_call call;
    call_init(&call, f, 1, NULL, 0);
    f->extra = plan;
    call.body = do_plan;
    call.answer = answer;
    int code = perform(f, &call);
    call_fini(&call);
    return code;
}

static int later(struct fixture *f, int64_t delay_ms, const char *name, const char *payload, unsigned attempts, int64_t backoff_ms, char *id)
{
    struct plan plan = {.delay_ms = delay_ms, .name = name, .payload = payload, .attempts = attempts, .backoff_ms = backoff_ms};
    int code = carry_out(f, &plan, 0);
    if (id)
        memcpy(id, plan.id, sizeof(plan.id));
    return code;
}

static int cancel(struct fixture *f, const char *id)
{
    struct plan plan = {.cancel = id};
    return carry_out(f, &plan, 0);
}

/* Two more calls have been through the state thread: what was due would have run. */
static void settle(struct fixture *f)
{
    tick_wake(f->tick);
    for (int i = 0; i < 2; i++)
        value_of(f, "settle");
}

static void deferred_calls_run_in_the_order_of_their_times(void **state)
{
    (void)state;
    struct fixture *f = open_at(1700000000000);
    assert_int_equal(later(f, 3000, "third", "x", 1, 0, NULL), 0);
    assert_int_equal(later(f, 1000, "first", "x", 1, 0, NULL), 0);
    assert_int_equal(later(f, 2000, "second", "x", 1, 0, NULL), 0);
    settle(f);
    assert_int_equal(deferred_get(&deferred.len), 0);
    advance(f, 999);
    settle(f);
    assert_int_equal(deferred_get(&deferred.len), 0);
    advance(f, 1);
    until(f, deferred_get(&deferred.len) == 1);
    advance(f, 5000);
    until(f, deferred_get(&deferred.len) == 3);
    assert_string_equal(deferred.name[0], "first");
    assert_string_equal(deferred.name[1], "second");
    assert_string_equal(deferred.name[2], "third");
    assert_int_equal(value_of(f, "x"), 3);
    fixture_close(f);
}

static void an_undone_call_defers_nothing(void **state)
{
    (void)state;
    struct fixture *f = open_at(1700000000000);
    struct plan plan = {.name = "never", .payload = "x", .attempts = 1};
    assert_int_equal(carry_out(f, &plan, ERR_CONDITION), ERR_CONDITION);
    advance(f, 1000);
    settle(f);
    assert_int_equal(deferred_get(&deferred.len), 0);
    fixture_close(f);
}

static void deferred_calls_survive_a_restart(void **state)
{
    (void)state;
    struct fixture *f = open_at(1700000000000);
    assert_int_equal(later(f, 60000, "survivor", "s", 1, 0, NULL), 0);
    fixture_restart(f);
    settle(f);
    assert_int_equal(deferred_get(&deferred.len), 0);
    fixture_stop(f);
    clock_advance(3600000); /* it became due while nobody was there */
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
    until(f, deferred_get(&deferred.len) == 1);
    assert_int_equal(value_of(f, "s"), 1);
    fixture_restart(f);
    settle(f);
    assert_int_equal(deferred_get(&deferred.len), 1); /* and only once */
    assert_int_equal(value_of(f, "s"), 1);
    fixture_close(f);
}

static void failures_are_retried_with_doubled_delays(void **state)
{
    (void)state;
    struct fixture *f = open_at(1700000000000);
    deferred_clear(3);
    assert_int_equal(later(f, 0, "retry", "r", 5, 1000, NULL), 0);
    until(f, deferred_get(&deferred.runs) == 1);
    const int64_t delays[] = {1000, 2000, 4000};
    for (int i = 0; i < 3; i++) {
        settle(f);
        advance(f, delays[i] - 1);
        settle(f);
        assert_int_equal(deferred_get(&deferred.runs), i + 1);
        if (i == 1)
            fixture_restart(f); /* attempts are counted in the row */
        advance(f, 1);
        until(f, deferred_get(&deferred.runs) == i + 2);
    }
    until(f, deferred_get(&deferred.len) == 1);
    assert_int_equal(value_of(f, "r"), 1); /* four runs, one effect */
    fixture_close(f);
}

static void attempts_end(void **state)
{
    (void)state;
    struct fixture *f = open_at(1700000000000);
    deferred_clear(100);
    assert_int_equal(later(f, 0, "doomed", "z", 3, 10, NULL), 0);
    for (int i = 1; i <= 3; i++) {
        until(f, deferred_get(&deferred.runs) == i);
        settle(f);
        advance(f, 1000);
    }
    until(f, deferred_get(&deferred.dead) == 1);
    advance(f, DAY_MS);
    settle(f);
    assert_int_equal(deferred_get(&deferred.runs), 3);
    assert_int_equal(value_of(f, "z"), 0);
    fixture_close(f);
}

static void a_cancelled_call_does_not_run(void **state)
{
    (void)state;
    struct fixture *f = open_at(1700000000000);
    char id[TICK_ID_TEXT + 1], other[TICK_ID_TEXT + 1];
    assert_int_equal(later(f, 1000, "gone", "c", 1, 0, id), 0);
    assert_int_equal(later(f, 1000, "kept", "c", 1, 0, other), 0);
    assert_string_not_equal(id, other);
    assert_int_equal(cancel(f, id), 0);
    assert_int_equal(cancel(f, id), ERR_NOT_FOUND);
    assert_int_equal(cancel(f, "nonsense"), ERR_SYNTAX);
    advance(f, 1000);
    until(f, deferred_get(&deferred.len) == 1);
    assert_string_equal(deferred.name[0], "kept");
    assert_int_equal(cancel(f, other), ERR_NOT_FOUND);
    /* after a failure the row has another time, and is found all the same */
    deferred_clear(1);
    assert_int_equal(later(f, 0, "moved", "c", 5, 60000, id), 0);
    until(f, deferred_get(&deferred.runs) == 1);
    settle(f);
    assert_int_equal(cancel(f, id), 0);
    advance(f, DAY_MS);
    settle(f);
    assert_int_equal(deferred_get(&deferred.runs), 1);
    fixture_close(f);
}

static void more_than_a_slice_is_due_at_once(void **state)
{
    (void)state;
    struct fixture *f = open_at(1700000000000);
    for (int i = 0; i < 200; i++)
        assert_int_equal(later(f, 1000, "many", "m", 1, 0, NULL), 0);
    advance(f, 1000);
    until(f, deferred_get(&deferred.runs) == 200);
    assert_int_equal(value_of(f, "m"), 200);
    fixture_close(f);
}

static void limits_are_refused(void **state)
{
    (void)state;
    struct fixture *f = open_at(1700000000000);
    char *large = malloc(TICK_LATER_PAYLOAD_MAX + 2);
    memset(large, 'p', TICK_LATER_PAYLOAD_MAX + 1);
    large[TICK_LATER_PAYLOAD_MAX + 1] = 0;
    assert_int_equal(later(f, 0, "large", large, 1, 0, NULL), ERR_TOO_LARGE);
    large[TICK_LATER_NAME_MAX + 1] = 0;
    assert_int_equal(later(f, 0, large, "x", 1, 0, NULL), ERR_TOO_LARGE);
    free(large);
    fixture_close(f);
}

static void a_full_disk_puts_deferred_calls_off(void **state)
{
    (void)state;
    struct fixture *f = open_at(1700000000000);
    assert_int_equal(later(f, 1000, "patient", "p", 1, 0, NULL), 0);
    atomic_store(&f->disk.full, true);
    clock_advance(1000); /* the free-space answer is old now, too */
    until_plain(tick_writable(f->tick) == ERR_DISK_FULL);
    settle(f);
    assert_int_equal(deferred_get(&deferred.runs), 0);
    atomic_store(&f->disk.full, false);
    advance(f, 1000);
    until(f, deferred_get(&deferred.len) == 1);
    assert_int_equal(value_of(f, "p"), 1);
    fixture_close(f);
}

static int put_expiring(struct tick *tick, struct test_call *call)
{
    return value_write(tick_view(tick), call->fixture->table, "mortal", 1, tick_now_ms(tick) / 1000 + 10, call->call.arena);
}

static void expired_items_are_deleted_on_their_second(void **state)
{
    (void)state;
    struct fixture *f = open_at(1700000000000);
    struct test_call call;
    call_init(&call, f, 1, NULL, 0);
    call.body = put_expiring;
    assert_int_equal(perform(f, &call), 0);
    advance(f, 9000);
    settle(f);
    assert_int_equal(value_of(f, "mortal"), 1);
    assert_int_equal(store_table_count(f->table), 1);
    advance(f, 2000);
    assert_int_equal(value_of(f, "mortal"), 0); /* invisible at once */
    until(f, (tick_wake(f->tick), store_table_count(f->table) == 0));
    assert_true(counter_read(COUNTER_tick_expired) >= 1);
    call_fini(&call);
    fixture_close(f);
}

static int back_to_real_time(void **state)
{
    (void)state;
    clock_freeze(-1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(deferred_calls_run_in_the_order_of_their_times, back_to_real_time),
        cmocka_unit_test_teardown(an_undone_call_defers_nothing, back_to_real_time),
        cmocka_unit_test_teardown(deferred_calls_survive_a_restart, back_to_real_time),
        cmocka_unit_test_teardown(failures_are_retried_with_doubled_delays, back_to_real_time),
        cmocka_unit_test_teardown(attempts_end, back_to_real_time),
        cmocka_unit_test_teardown(a_cancelled_call_does_not_run, back_to_real_time),
        cmocka_unit_test_teardown(more_than_a_slice_is_due_at_once, back_to_real_time),
        cmocka_unit_test_teardown(limits_are_refused, back_to_real_time),
        cmocka_unit_test_teardown(a_full_disk_puts_deferred_calls_off, back_to_real_time),
        cmocka_unit_test_teardown(expired_items_are_deleted_on_their_second, back_to_real_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
