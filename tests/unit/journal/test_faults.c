/*
 * One fault at a time, at every place it can happen: an error from each call, no space at each call, each bit
 * of a file turned over. The journal may refuse; it may not deliver a wrong record or lose a promised one in
 * silence.
 */
#include "journal/model.h"

struct fixture {
    struct sim_disk *d;
    struct model *m;
    struct journal_config config;
    struct journal *j;
};

static void begin(struct fixture *f, uint64_t seed)
{
    f->d = sim_init(seed);
    f->m = calloc(1, sizeof(*f->m));
    f->m->first = 1;
    f->config = model_config(f->d);
    struct err err;
    assert_int_equal(journal_open(&f->j, &f->config, &err), 0);
}

static void end(struct fixture *f)
{
    free(f->m);
    sim_fini(f->d);
}

/* A life with rotations, recycling and reads; stops at the first error, which it returns. */
static int script(struct fixture *f)
{
    struct err err;
    int code = 0;
    for (int i = 0; i < 100 && !code; i++) {
        code = model_append(f->m, f->j, (uint32_t)(i * 53 % 1400), &err);
        if (!code && i % 3 == 2)
            code = journal_sync(f->j, &err);
        f->m->durable = journal_durable(f->j);
        if (!code && i % 30 == 29) {
            f->m->first = f->m->durable;
            journal_truncate(f->j, f->m->durable);
        }
        if (!code && i % 25 == 24)
            code = model_read(f->m, f->j, journal_first(f->j), &err);
    }
    return code;
}

static void test_io_error_at_each_call(void **state)
{
    (void)state;
    for (uint64_t at = 0;; at++) {
        struct fixture f;
        struct err err;
        begin(&f, at + 5);
        sim_fault_set(f.d, SIM_ERROR, at, EIO);
        int code = script(&f);
        bool fired = f.d->fired;
        f.d->fault = SIM_NONE;
        assert_true(code == 0 || code == ERR_IO);
        if (code == ERR_IO &&
            model_append(f.m, f.j, 10, &err) == 0) { /* it was a reader's error: the writer goes on */
            code = journal_sync(f.j, &err);
            f.m->durable = journal_durable(f.j);
        } else if (code == ERR_IO) { /* final: it stays so, and nothing is written any more */
            uint64_t writes = f.d->writes;
            assert_int_equal(journal_sync(f.j, &err), ERR_IO);
            assert_int_equal(journal_append(f.j, NULL, 0, NULL, &err), ERR_IO);
            assert_int_equal(f.d->writes, writes);
        }
        journal_close(f.j);
        sim_crash(f.d);
        assert_int_equal(journal_open(&f.j, &f.config, &err), 0);
        model_recovered(f.m, f.j);
        journal_close(f.j);
        end(&f);
        if (!fired) {
            assert_true(at > 80);
            break;
        }
    }
}

/* Out of space or of descriptors is not final: the same call works when space is there, and nothing is lost
 * or doubled. */
static int patient(struct fixture *f, uint32_t len, bool sync)
{
    struct err err;
    for (int attempt = 0; attempt < 3; attempt++) {
        int code = sync ? journal_sync(f->j, &err) : model_append(f->m, f->j, len, &err);
        if (code != ERR_DISK_FULL && code != ERR_MEMORY)
            return code;
    }
    return ERR_DISK_FULL;
}

static void shortage(int number)
{
    int healed = 0;
    for (uint64_t at = 0;; at++) {
        struct fixture f;
        struct err err;
        begin(&f, at + 11);
        sim_fault_set(f.d, SIM_ERROR, at, number);
        int code = 0;
        for (int i = 0; i < 80 && !code; i++) {
            code = patient(&f, (uint32_t)(i * 53 % 1400), false);
            if (!code && i % 3 == 2)
                code = patient(&f, 0, true);
            if (i % 30 == 29) {
                f.m->first = journal_durable(f.j);
                journal_truncate(f.j, f.m->first);
            }
        }
        f.m->durable = journal_durable(f.j);
        bool fired = f.d->fired;
        f.d->fault = SIM_NONE;
        assert_true(code == 0 || code == ERR_IO); /* ERR_IO: it was an fsync */
        if (!code) {
            healed += fired;
            assert_int_equal(journal_sync(f.j, &err), 0);
            f.m->durable = journal_durable(f.j);
            assert_int_equal(f.m->durable, 80);
            assert_int_equal(model_read(f.m, f.j, journal_first(f.j), &err), 0);
        }
        journal_close(f.j);
        sim_crash(f.d);
        assert_int_equal(journal_open(&f.j, &f.config, &err), 0);
        model_recovered(f.m, f.j);
        journal_close(f.j);
        end(&f);
        if (!fired)
            break;
    }
    assert_true(healed > 20);
}

static void test_shortage_at_each_call(void **state)
{
    (void)state;
    shortage(ENOSPC);
    shortage(EMFILE);
}

/* Errors at each call of an open: it refuses or succeeds, and the folder is as good as before. */
static void open_errors(int number)
{
    for (uint64_t at = 0;; at++) {
        struct fixture f;
        struct err err;
        begin(&f, at);
        assert_int_equal(script(&f), 0);
        assert_int_equal(journal_sync(f.j, &err), 0);
        f.m->durable = journal_durable(f.j);
        f.d->dead = true;
        journal_close(f.j);
        sim_crash(f.d);
        sim_fault_set(f.d, SIM_ERROR, at, number);
        int code = journal_open(&f.j, &f.config, &err);
        bool fired = f.d->fired;
        f.d->fault = SIM_NONE;
        if (code) {
            assert_true(code == ERR_IO || code == ERR_DISK_FULL);
            assert_null(f.j);
            sim_crash(f.d);
            assert_int_equal(journal_open(&f.j, &f.config, &err), 0);
        }
        model_recovered(f.m, f.j);
        journal_close(f.j);
        end(&f);
        if (!fired)
            break;
    }
}

static void test_errors_at_each_call_of_open(void **state)
{
    (void)state;
    open_errors(EIO);
    open_errors(ENOSPC);
}

/* A bit of the stored bytes turned over, anywhere. `closed`: after an orderly stop, where nothing may be
 * lost. */
static void flip(uint64_t seed, bool closed)
{
    struct fixture f;
    struct err err;
    begin(&f, seed);
    uint64_t batch_began = 0;
    uint64_t records = 5 + sim_below(f.d, 60);
    for (uint64_t i = 0; i < records; i++) {
        assert_int_equal(model_append(f.m, f.j, (uint32_t)sim_below(f.d, 900), &err), 0);
        if (sim_below(f.d, 3) == 0 || i + 1 == records) {
            batch_began = journal_durable(f.j) + 1;
            assert_int_equal(journal_sync(f.j, &err), 0);
        }
    }
    f.m->durable = journal_durable(f.j);
    if (!closed)
        f.d->dead = true;
    journal_close(f.j);
    sim_crash(f.d);
    struct sim_name *victim;
    do {
        victim = &f.d->now.entry[sim_below(f.d, f.d->now.count)];
    } while (!strstr(victim->name, ".log"));
    victim->inode->data[sim_below(f.d, victim->inode->size)] ^= (char)(1 << sim_below(f.d, 8));
    f.config.scan_bytes = sim_below(f.d, 2);
    int code = journal_open(&f.j, &f.config, &err);
    if (code) {
        assert_int_equal(code, ERR_CORRUPT);
        assert_non_null(strstr(err.text, ".log"));
        struct journal_report report;
        assert_int_equal(journal_verify("sim", &f.d->ops, NULL, NULL, NULL, &report, &err), ERR_CORRUPT);
        assert_string_equal(report.damaged_file, victim->name);
    } else {
        assert_true(journal_last(f.j) <= f.m->last);
        if (closed)
            assert_int_equal(journal_last(f.j), f.m->last);
        else
            assert_true(journal_last(f.j) + 1 >= batch_began); /* only the last batch is like a torn one */
        code = model_read(f.m, f.j, journal_first(f.j), &err);
        assert_true(code == 0 || code == ERR_CORRUPT);
        journal_close(f.j);
    }
    /* with the promise kept elsewhere, even the last batch cannot vanish in silence */
    if (!code && !closed &&
        journal_verify("sim", &f.d->ops, NULL, NULL, NULL, &(struct journal_report){0}, &err) == 0) {
        f.config.known_durable = f.m->durable;
        code = journal_open(&f.j, &f.config, &err);
        assert_true(code == ERR_CORRUPT || journal_last(f.j) == f.m->last);
        if (!code)
            journal_close(f.j);
    }
    end(&f);
}

static void test_bit_flips(void **state)
{
    (void)state;
    for (int i = 0; i < model_rounds(3000); i++)
        flip((uint64_t)i * 104729 + 3, i % 2 == 0);
}

/* A file of the middle missing is damage, not an empty journal. */
static void test_missing_segment(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    begin(&f, 3);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(model_append(f.m, f.j, 1000, &err), 0);
        assert_int_equal(journal_sync(f.j, &err), 0);
    }
    journal_close(f.j);
    size_t logs = 0;
    char middle[64];
    uint64_t lowest = UINT64_MAX, highest = 0;
    for (size_t i = 0; i < f.d->now.count; i++) {
        unsigned long long first;
        if (sscanf(f.d->now.entry[i].name, "%20llu.log", &first) != 1)
            continue;
        logs++;
        lowest = first < lowest ? first : lowest;
        highest = first > highest ? first : highest;
    }
    assert_true(logs >= 3);
    for (size_t i = 0; i < f.d->now.count; i++) {
        unsigned long long first;
        if (sscanf(f.d->now.entry[i].name, "%20llu.log", &first) == 1 && first != lowest &&
            first != highest) {
            snprintf(middle, sizeof(middle), "%s", f.d->now.entry[i].name);
            break;
        }
    }
    sim_remove(&f.d->now, middle);
    f.config.scan_bytes = 1;
    assert_int_equal(journal_open(&f.j, &f.config, &err), ERR_CORRUPT);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_io_error_at_each_call),
        cmocka_unit_test(test_shortage_at_each_call),
        cmocka_unit_test(test_errors_at_each_call_of_open),
        cmocka_unit_test(test_bit_flips),
        cmocka_unit_test(test_missing_segment),
    };
    return cmocka_run_group_tests_name("journal faults", tests, model_quiet, NULL);
}
