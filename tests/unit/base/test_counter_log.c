/* Counters from many threads, more than have rows of their own, and threads that end; the log as its reader sees it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/json.h"
#include "base/log.h"

#define ADDS 20000

static pthread_barrier_t all_started;

static void *adds_some(void *unused)
{
    (void)unused;
    counter_add(COUNTER_net_accepts, 1);
    pthread_barrier_wait(&all_started); /* all hold their rows at the same time */
    for (int i = 1; i < ADDS; i++)
        counter_add(COUNTER_net_accepts, 1);
    counter_add(COUNTER_net_connections, 3);
    counter_add(COUNTER_net_connections, -1);
    return NULL;
}

static void run_threads(int n)
{
    pthread_t thread[2 * COUNTER_THREADS];
    int64_t before = counter_read(COUNTER_net_accepts), gauge = counter_read(COUNTER_net_connections);
    pthread_barrier_init(&all_started, NULL, (unsigned)n);
    for (int i = 0; i < n; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, adds_some, NULL), 0);
    for (int i = 0; i < n; i++)
        pthread_join(thread[i], NULL);
    pthread_barrier_destroy(&all_started);
    assert_int_equal(counter_read(COUNTER_net_accepts) - before, (int64_t)n * ADDS);
    assert_int_equal(counter_read(COUNTER_net_connections) - gauge, (int64_t)n * 2);
}

static void test_counter_threads(void **state)
{
    (void)state;
    run_threads(4);
    run_threads(COUNTER_THREADS + 20); /* beyond the rows: shared, atomically */
    for (int i = 0; i < 40; i++)
        run_threads(4); /* rows of ended threads serve again */
    assert_ptr_not_equal(counter_slot_make(), counter_shared);
}

static void test_counter_table(void **state)
{
    (void)state;
    assert_string_equal(counter_name(COUNTER_ws_messages_in), "ws_messages_in");
    assert_string_equal(counter_help(COUNTER_journal_syncs), "fsyncs");
    assert_true(counter_is_gauge(COUNTER_net_connections));
    assert_false(counter_is_gauge(COUNTER_net_accepts));
    for (int c = 0; c < COUNTER_COUNT; c++)
        assert_true(strlen(counter_name((enum counter)c)) > 0 && strlen(counter_help((enum counter)c)) > 0);
}

/* ---- the log: standard error goes to a file, then its lines are parsed ---- */

static char captured[1 << 16];

static int capture(void (*body)(void))
{
    char path[] = "/tmp/weir-test-log-XXXXXX";
    int file = mkstemp(path), saved = dup(STDERR_FILENO), lines = 0;
    assert_true(file >= 0);
    unlink(path);
    dup2(file, STDERR_FILENO);
    body();
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t n = pread(file, captured, sizeof(captured) - 1, 0);
    close(file);
    assert_true(n >= 0);
    captured[n] = 0;
    for (char *at = captured; *at; at++)
        lines += *at == '\n';
    return lines;
}

static void write_one(void)
{
    log_warn("gateway", "odd \"name\" \n %d%%", 7);
}

static void test_log_line(void **state)
{
    (void)state;
    struct arena arena;
    const struct json *line;
    arena_init(&arena, 1024, 1 << 16);
    clock_freeze(INT64_C(1737109800000));
    assert_int_equal(capture(write_one), 1);
    assert_int_equal(json_parse(&arena, text_of(captured), JSON_REFUSE_DUPLICATES, &line, NULL), 0);
    assert_true(text_is(json_get_str(line, "time")->text, "2025-01-17T10:30:00.000Z"));
    assert_true(text_is(json_get_str(line, "level")->text, "warn"));
    assert_true(text_is(json_get_str(line, "module")->text, "gateway"));
    assert_true(text_is(json_get_str(line, "message")->text, "odd \"name\" \n 7%"));
    clock_freeze(-1);
    arena_fini(&arena);
}

static void write_many(void)
{
    for (int i = 0; i < 100; i++)
        log_error("net", "again %d", i);
    log_error("net", "another call site");
}

static void write_later(void)
{
    clock_advance(1000);
    write_many();
}

static void test_log_limit(void **state)
{
    (void)state;
    int64_t dropped = counter_read(COUNTER_log_lines_dropped), lines = counter_read(COUNTER_log_lines);
    clock_freeze(INT64_C(1737109900000));
    assert_int_equal(capture(write_many), LOG_BURST + 1);
    assert_null(strstr(captured, "\"dropped\""));
    assert_int_equal(counter_read(COUNTER_log_lines_dropped) - dropped, 100 - LOG_BURST);
    assert_int_equal(counter_read(COUNTER_log_lines) - lines, LOG_BURST + 1);
    assert_int_equal(capture(write_later), LOG_BURST + 1);
    assert_non_null(strstr(captured, "\"message\":\"again 0\",\"dropped\":80}"));
    clock_freeze(-1);
}

static void write_levels(void)
{
    log_debug("main", "hidden");
    log_level_set(LOG_ERROR);
    log_warn("main", "hidden too");
    log_level_set(LOG_DEBUG);
    log_debug("main", "shown");
    log_level_set(LOG_INFO);
}

static void write_long(void)
{
    char text[5000];
    memset(text, 1, sizeof(text) - 1); /* each byte becomes six */
    text[sizeof(text) - 1] = 0;
    errno = ENOENT;
    log_info("main", "%s", text);
    assert_int_equal(errno, ENOENT);
}

static void test_log_levels_and_length(void **state)
{
    (void)state;
    assert_int_equal(capture(write_levels), 1);
    assert_non_null(strstr(captured, "shown"));
    assert_int_equal(capture(write_long), 1);
    assert_true(strlen(captured) > 6 * 2000 && strlen(captured) < 6 * 2100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counter_threads), cmocka_unit_test(test_counter_table),         cmocka_unit_test(test_log_line),
        cmocka_unit_test(test_log_limit),       cmocka_unit_test(test_log_levels_and_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
