/*
 * One writer, three readers and the keeper at once, on real files: readers see every record once, in order,
 * right, and never one that is not durable; truncation runs behind them. Run it under the thread sanitizer.
 */
#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "journal/model.h"

#define RECORDS 3000
#define READERS 3

struct shared {
    struct journal *j;
    _Atomic uint64_t reached[READERS];
    _Atomic bool failed;
};

struct reader {
    struct shared *shared;
    int number;
};

static size_t length_of(uint64_t sequence)
{
    return 8 + sequence * 7919 % 1500;
}

static bool right(struct text record, uint64_t sequence)
{
    uint64_t got;
    if (record.len != length_of(sequence))
        return false;
    memcpy(&got, record.data, 8);
    for (size_t i = 8; i < record.len; i++)
        if (record.data[i] != (char)(sequence + i))
            return false;
    return got == sequence;
}

static void *reads(void *arg)
{
    struct reader *me = arg;
    struct shared *s = me->shared;
    struct journal_reader *r;
    struct err err;
    uint64_t expected = 1, sequence;
    if (journal_reader_open(s->j, 1, &r, &err))
        return atomic_store(&s->failed, true), NULL;
    while (expected <= RECORDS && !atomic_load(&s->failed)) {
        struct text record;
        int code = journal_reader_next(r, &sequence, &record, &err);
        if (code == ERR_AGAIN) {
            sched_yield();
            continue;
        }
        if (code || sequence != expected || !right(record, sequence) || sequence > journal_durable(s->j)) {
            fprintf(stderr, "reader %d at %llu: %s\n", me->number, (unsigned long long)expected,
                code ? err.text : "wrong record");
            atomic_store(&s->failed, true);
        }
        atomic_store(&s->reached[me->number], expected++);
        if (expected % 500 == 0) { /* come back from the middle, over the index */
            journal_reader_close(r);
            if (journal_reader_open(s->j, expected, &r, &err))
                return atomic_store(&s->failed, true), NULL;
        }
    }
    journal_reader_close(r);
    return NULL;
}

static void writes(struct shared *s)
{
    static char data[2048];
    struct err err;
    for (uint64_t i = 1; i <= RECORDS && !atomic_load(&s->failed); i++) {
        size_t len = length_of(i);
        memcpy(data, &i, 8);
        for (size_t k = 8; k < len; k++)
            data[k] = (char)(i + k);
        struct text piece = {data, len};
        assert_int_equal(journal_append(s->j, &piece, 1, NULL, &err), 0);
        if (i % 10 == 0 || i == RECORDS)
            assert_int_equal(journal_sync(s->j, &err), 0);
        if (i % 100 == 0) {
            uint64_t slowest = UINT64_MAX;
            for (int r = 0; r < READERS; r++) {
                uint64_t reached = atomic_load(&s->reached[r]);
                slowest = reached < slowest ? reached : slowest;
            }
            journal_truncate(s->j, slowest);
            assert_true(journal_writable(s->j));
        }
    }
}

static void test_readers_and_writer(void **state)
{
    (void)state;
    char path[] = "/tmp/weir-journal-XXXXXX", inner[64];
    assert_non_null(mkdtemp(path));
    snprintf(inner, sizeof(inner), "%s/j", path);
    struct shared s = {0};
    struct journal_config config = {.folder = inner, .segment_bytes = 65536, .recycle_max = 2, .cipher = model_cipher()};
    struct err err;
    assert_int_equal(journal_open(&s.j, &config, &err), 0);
    pthread_t thread[READERS];
    struct reader reader[READERS];
    for (int i = 0; i < READERS; i++) {
        reader[i] = (struct reader){&s, i};
        assert_int_equal(pthread_create(&thread[i], NULL, reads, &reader[i]), 0);
    }
    writes(&s);
    for (int i = 0; i < READERS; i++)
        pthread_join(thread[i], NULL);
    assert_false(atomic_load(&s.failed));
    for (int i = 0; i < READERS; i++)
        assert_int_equal(atomic_load(&s.reached[i]), RECORDS);
    journal_truncate(s.j, RECORDS);
    assert_true(journal_first(s.j) > 1);
    journal_close(s.j);
    DIR *dir = opendir(inner);
    struct dirent *entry;
    char name[400];
    while ((entry = readdir(dir))) {
        snprintf(name, sizeof(name), "%s/%s", inner, entry->d_name);
        unlink(name);
    }
    closedir(dir);
    assert_int_equal(rmdir(inner), 0);
    assert_int_equal(rmdir(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_readers_and_writer)};
    return cmocka_run_group_tests_name("journal threads", tests, NULL, NULL);
}
