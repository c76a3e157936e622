/*
 * Random lives of a journal on a disk that forgets: appends, syncs, truncations, reads, orderly stops, and
 * crashes at any call, thousands of them from seeds. After each the promises are checked: no wrong record,
 * nothing synced lost, the rest missing only from the end. A failure prints its seed; WEIR_SOAK=1 lives 50
 * times as many lives.
 */
#include <stdio.h>

#include "journal/model.h"

static void live(struct sim_disk *d, struct model *m, struct journal *j)
{
    struct err err;
    uint64_t steps = sim_below(d, 60);
    for (uint64_t i = 0; i < steps && !d->dead; i++) {
        uint64_t what = sim_below(d, 20);
        int code = 0;
        if (what < 12) {
            code = model_append(m, j, model_length(d), &err);
        } else if (what < 17) {
            code = journal_sync(j, &err);
            m->durable = journal_durable(j);
        } else if (what < 18) {
            uint64_t below = journal_first(j) + sim_below(d, m->durable - journal_first(j) + 2);
            m->first = below > m->first ? below : m->first;
            assert_int_equal(journal_truncate(j, below), 0);
            assert_true(journal_first(j) <= m->first);
        } else if (m->durable >= journal_first(j)) {
            uint64_t from = journal_first(j) + sim_below(d, m->durable - journal_first(j) + 2);
            code = model_read(m, j, from, &err);
        }
        assert_true(code == 0 || d->dead);
    }
    m->durable = journal_durable(j);
}

static void lives(uint64_t seed, bool short_io)
{
    struct sim_disk *d = sim_init(seed);
    struct model *m = calloc(1, sizeof(*m));
    m->first = 1;
    d->short_io = short_io;
    uint64_t epoch = 0;
    for (int life = 0; life < 8; life++) {
        struct journal_config config = model_config(d);
        config.known_durable = sim_below(d, 2) ? m->durable : 0;
        config.scan_bytes = sim_below(d, 2) ? 1 : 0;
        struct journal *j;
        struct err err;
        int code = journal_open(&j, &config, &err);
        if (code && !d->dead)
            fail_msg("seed %llu: open answers %s: %s", (unsigned long long)seed, err_name(code), err.text);
        if (!d->dead)
            d->fault = SIM_NONE; /* this open was spared */
        if (!code && !d->dead) {
            assert_true(journal_epoch(j) > epoch);
            epoch = journal_epoch(j);
            model_recovered(m, j);
            if (sim_below(d, 8))
                sim_fault_set(d, SIM_CRASH, sim_below(d, 200), 0);
            live(d, m, j);
            if (!d->dead && sim_below(d, 2))
                d->dead = true; /* without an orderly stop */
            journal_close(j);
            if (!d->dead)
                m->durable = m->last; /* closing synced it */
        } else if (!code) {
            journal_close(j); /* opened, but the power went in its last, optional steps */
        }
        if (d->dead || sim_below(d, 2))
            sim_crash(d);
        d->fault = SIM_NONE;
        if (sim_below(d, 4) == 0)
            sim_fault_set(d, SIM_CRASH, sim_below(d, 60), 0); /* the next open may crash too */
    }
    free(m);
    sim_fini(d);
}

static void test_random_lives(void **state)
{
    (void)state;
    int rounds = model_rounds(1500);
    const char *one = getenv("WEIR_SEED");
    for (int i = 0; i < rounds; i++)
        lives(one ? strtoull(one, NULL, 10) : (uint64_t)i * 7919 + 1, i % 4 == 0);
}

/* Whole lives repeated with the crash at every single call, so no step of rotation or recovery is missed by
 * luck. */
static uint64_t crash_at(uint64_t at, int salt)
{
    struct sim_disk *d = sim_init(at * 31 + (uint64_t)salt * 1000003);
    struct model *m = calloc(1, sizeof(*m));
    m->first = 1;
    struct journal_config config = model_config(d);
    struct journal *j;
    struct err err;
    assert_int_equal(journal_open(&j, &config, &err), 0);
    sim_fault_set(d, SIM_CRASH, at, 0);
    for (int i = 0; i < 120 && !d->dead; i++) {
        model_append(m, j, (uint32_t)(i * 37 % 1500), &err);
        if (i % 3 == 2)
            journal_sync(j, &err);
        if (i % 40 == 39) {
            uint64_t below = m->durable;
            m->first = below > m->first ? below : m->first;
            journal_truncate(j, below);
        }
        m->durable = journal_durable(j);
    }
    bool done = !d->dead;
    journal_close(j);
    if (!d->dead)
        m->durable = m->last;
    sim_crash(d);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(journal_open(&j, &config, &err), 0);
        model_recovered(m, j);
        for (int i = 0; i < 5; i++)
            assert_int_equal(model_append(m, j, 100, &err), 0);
        d->dead = true;
        journal_close(j);
        sim_crash(d);
    }
    free(m);
    sim_fini(d);
    return done ? 0 : 1;
}

static void test_crash_at_each_call(void **state)
{
    (void)state;
    for (int salt = 0; salt < model_rounds(3); salt++) {
        uint64_t at = 0;
        while (crash_at(at, salt))
            at++;
        assert_true(at > 80);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_lives),
        cmocka_unit_test(test_crash_at_each_call),
    };
    return cmocka_run_group_tests_name("journal crashes", tests, model_quiet, NULL);
}
