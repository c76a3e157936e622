/* journal_copy: a journal of its own, equal record for record, while the writer goes on, encrypted or not; what is gone, full or stopped is an error and not half a journal. */
#include "journal/model.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "journal/cipher.h"

struct folder {
    char path[64], from[96], to[96];
    struct journal_gcm *cipher;
};

static int begin(void **state)
{
    static const unsigned char key[CIPHER_KEY_BYTES] = "the key of the copy's own tests";
    struct folder *f = calloc(1, sizeof(*f));
    strcpy(f->path, "/tmp/weir-copy-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    snprintf(f->from, sizeof(f->from), "%s/from", f->path);
    snprintf(f->to, sizeof(f->to), "%s/to", f->path);
    assert_int_equal(journal_gcm_create(&f->cipher, key), 0);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct folder *f = *state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", f->path);
    journal_gcm_destroy(f->cipher);
    free(f);
    return system(command);
}

static struct journal_config config_of(const char *folder, const struct journal_cipher *cipher)
{
    return (struct journal_config){.folder = folder, .segment_bytes = 16 << 10, .recycle_max = 2, .cipher = cipher};
}

static void append(struct journal *j, uint64_t number)
{
    char bytes[700];
    struct err err = {0};
    int len = snprintf(bytes, sizeof(bytes), "record %llu ", (unsigned long long)number);
    memset(bytes + len, 'a' + (int)(number % 26), sizeof(bytes) - (size_t)len);
    struct text piece = text_make(bytes, (size_t)len + number * 37 % 600);
    assert_int_equal(journal_append(j, &piece, 1, NULL, &err), 0);
}

static void fill(struct journal *j, uint64_t from, uint64_t to)
{
    struct err err = {0};
    for (uint64_t n = from; n <= to; n++) {
        append(j, n);
        if (n % 3 == 0)
            assert_int_equal(journal_sync(j, &err), 0);
    }
    assert_int_equal(journal_sync(j, &err), 0);
}

/* Opens the copy and reads first..last: each record is the one that was appended under that number. */
static void check(const char *folder, const struct journal_cipher *cipher, uint64_t first, uint64_t last)
{
    struct journal_config config = config_of(folder, cipher);
    struct journal_report report;
    struct journal_reader *r;
    struct journal *j;
    struct err err = {0};
    struct text record;
    uint64_t sequence;
    assert_int_equal(journal_verify(folder, NULL, cipher, NULL, NULL, &report, &err), 0);
    assert_true(report.last >= last);
    config.known_durable = last;
    if (journal_open(&j, &config, &err))
        fail_msg("%s", err.text);
    assert_int_equal(journal_first(j), first);
    assert_true(journal_last(j) >= last);
    assert_int_equal(journal_reader_open(j, first, &r, &err), 0);
    for (uint64_t n = first; n <= journal_last(j); n++) {
        char want[32];
        assert_int_equal(journal_reader_next(r, &sequence, &record, &err), 0);
        assert_int_equal(sequence, n);
        int len = snprintf(want, sizeof(want), "record %llu ", (unsigned long long)n);
        assert_int_equal(record.len, (size_t)len + n * 37 % 600);
        assert_memory_equal(record.data, want, (size_t)len);
    }
    journal_reader_close(r);
    append(j, journal_last(j) + 1);
    assert_int_equal(journal_sync(j, &err), 0);
    journal_close(j);
}

static void copy_and_check(struct folder *f, const struct journal_cipher *cipher)
{
    struct journal_config config = config_of(f->from, cipher);
    struct journal_copied copied;
    struct journal *j;
    struct stat info;
    struct err err = {0};
    assert_int_equal(journal_open(&j, &config, &err), 0);
    fill(j, 1, 200);
    journal_close(j);
    assert_int_equal(journal_open(&j, &config, &err), 0); /* a second epoch, and a closing mark before it */
    fill(j, 201, 300);
    append(j, 301); /* not durable: it may not be in the copy */
    assert_int_equal(journal_copy(j, 1, f->to, NULL, NULL, &copied, &err), 0);
    assert_int_equal(copied.first, 1);
    assert_int_equal(copied.last, 300);
    assert_true(copied.segments > 5);
    assert_int_equal(stat(f->to, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_int_equal(journal_copy(j, 1, f->to, NULL, NULL, &copied, &err), ERR_IO); /* never over what is there */
    journal_close(j);
    check(f->to, cipher, 1, 300);
}

static void test_plain(void **state)
{
    copy_and_check(*state, NULL);
}

static void test_encrypted(void **state)
{
    struct folder *f = *state;
    struct journal_report report;
    struct err err = {0};
    copy_and_check(f, journal_gcm_cipher(f->cipher));
    assert_int_equal(journal_verify(f->to, NULL, NULL, NULL, NULL, &report, &err), 0); /* checksums need no key */
    struct journal_config config = config_of(f->to, NULL);
    struct journal *j;
    assert_int_equal(journal_open(&j, &config, &err), ERR_UNSUPPORTED);
}

static void test_empty(void **state)
{
    struct folder *f = *state;
    struct journal_config config = config_of(f->from, NULL);
    struct journal_copied copied;
    struct journal *j;
    struct err err = {0};
    assert_int_equal(journal_open(&j, &config, &err), 0);
    assert_int_equal(journal_copy(j, 1, f->to, NULL, NULL, &copied, &err), 0);
    assert_int_equal(copied.last, 0);
    journal_close(j);
    check(f->to, NULL, 1, 0);
}

static void test_from_the_middle(void **state)
{
    struct folder *f = *state;
    struct journal_config config = config_of(f->from, NULL);
    struct journal_copied copied;
    struct journal *j;
    struct err err = {0};
    assert_int_equal(journal_open(&j, &config, &err), 0);
    fill(j, 1, 200);
    assert_int_equal(journal_copy(j, 150, f->to, NULL, NULL, &copied, &err), 0);
    assert_true(copied.first > 1 && copied.first <= 150);
    check(f->to, NULL, copied.first, 200);
    uint64_t first = copied.first;
    journal_truncate(j, first);
    snprintf(f->to, sizeof(f->to), "%s/other", f->path);
    assert_int_equal(journal_copy(j, 1, f->to, NULL, NULL, &copied, &err), ERR_NOT_FOUND);
    journal_close(j);
}

static int stop_soon(void *context, uint64_t bytes)
{
    uint64_t *left = context;
    *left -= bytes < *left ? bytes : *left;
    return *left ? 0 : ERR_CLOSED;
}

static void test_stopped(void **state)
{
    struct folder *f = *state;
    struct journal_config config = config_of(f->from, NULL);
    struct journal_copied copied;
    struct journal *j;
    struct err err = {0};
    uint64_t left = 40000;
    assert_int_equal(journal_open(&j, &config, &err), 0);
    fill(j, 1, 300);
    assert_int_equal(journal_copy(j, 1, f->to, stop_soon, &left, &copied, &err), ERR_CLOSED);
    assert_true(copied.segments > 0 && copied.segments < 8);
    journal_close(j);
}

struct writing {
    struct journal *j;
    atomic_bool stop;
};

static void *write_on(void *context)
{
    struct writing *w = context;
    struct err err = {0};
    for (uint64_t n = 1; !atomic_load(&w->stop); n++) {
        append(w->j, n);
        if (n % 5 == 0)
            assert_int_equal(journal_sync(w->j, &err), 0);
    }
    assert_int_equal(journal_sync(w->j, &err), 0);
    return NULL;
}

/* Copies one after the other while segments fill and rotate: each holds at least what was durable before it. */
static void test_while_it_is_written(void **state)
{
    struct folder *f = *state;
    struct journal_config config = config_of(f->from, journal_gcm_cipher(f->cipher));
    struct journal_copied copied;
    struct writing w = {0};
    struct err err = {0};
    pthread_t thread;
    assert_int_equal(journal_open(&w.j, &config, &err), 0);
    assert_int_equal(pthread_create(&thread, NULL, write_on, &w), 0);
    uint64_t seen = 0;
    for (int round = 0; round < 5; round++) {
        while (journal_durable(w.j) < seen + 100)
            usleep(100);
        uint64_t durable = journal_durable(w.j);
        snprintf(f->to, sizeof(f->to), "%s/to-%d", f->path, round);
        assert_int_equal(journal_copy(w.j, 1, f->to, NULL, NULL, &copied, &err), 0);
        assert_true(copied.last >= durable);
        check(f->to, config.cipher, 1, durable);
        seen = durable;
    }
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    journal_close(w.j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_plain, begin, end),
        cmocka_unit_test_setup_teardown(test_encrypted, begin, end),
        cmocka_unit_test_setup_teardown(test_empty, begin, end),
        cmocka_unit_test_setup_teardown(test_from_the_middle, begin, end),
        cmocka_unit_test_setup_teardown(test_stopped, begin, end),
        cmocka_unit_test_setup_teardown(test_while_it_is_written, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
