/* The error table, the assertion, and the text primitives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/text.h"

static void test_err_table(void **state)
{
    (void)state;
    assert_string_equal(err_name(ERR_TOO_LARGE), "TOO_LARGE");
    assert_string_equal(err_name(0), "OK");
    assert_string_equal(err_name(-9999), "UNKNOWN");
    assert_string_equal(err_name(3), "UNKNOWN");
    assert_string_equal(err_text(ERR_MEMORY), "out of memory");
    assert_int_equal(err_class_of(ERR_TOO_LARGE), ERR_CLASS_LIMIT);
    assert_int_equal(err_class_of(ERR_CORRUPT), ERR_CLASS_BROKEN);
    assert_int_equal(err_class_of(0), ERR_CLASS_NONE);
    for (int code = -1; code >= ERR_INTERNAL; code--)
        assert_string_not_equal(err_name(code), "UNKNOWN");
}

static void test_err_set(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(err_set(&err, ERR_INVALID, "score must be %d or less", 7), ERR_INVALID);
    assert_int_equal(err.code, ERR_INVALID);
    assert_string_equal(err.text, "score must be 7 or less");
    assert_int_equal(err_set(NULL, ERR_MISSING, "nobody reads this"), ERR_MISSING);
    char long_text[1000];
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = 0;
    err_set(&err, ERR_INVALID, "%s", long_text);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void test_assert_ends_the_process(void **state)
{
    (void)state;
    ASSERT(1 + 1 == 2);
    int out[2];
    assert_int_equal(pipe(out), 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(out[1], STDERR_FILENO);
        ASSERT(1 + 1 == 3);
        _exit(0);
    }
    close(out[1]);
    char text[512] = "";
    ssize_t n = read(out[0], text, sizeof(text) - 1);
    close(out[0]);
    assert_true(n > 0);
    assert_non_null(strstr(text, "assertion failed: 1 + 1 == 3"));
    assert_non_null(strstr(text, "test_text.c:"));
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
}

static void test_equal(void **state)
{
    (void)state;
    assert_true(text_equal(TEXT(""), TEXT_NONE));
    assert_true(text_is(TEXT("abc"), "abc"));
    assert_false(text_is(TEXT("abc"), "abd"));
    assert_true(text_starts(TEXT("abc"), TEXT("ab")));
    assert_false(text_starts(TEXT("a"), TEXT("ab")));
    assert_true(text_equal_nocase(TEXT("Content-Type"), TEXT("content-tYPE")));
    assert_false(text_equal_nocase(TEXT("a@"), TEXT("a`"))); /* one bit apart, as a letter and its capital */
    assert_false(text_equal_nocase(TEXT("[x"), TEXT("{x")));
    assert_false(text_equal_nocase(TEXT("abc"), TEXT("ab")));
    assert_false(text_equal_nocase(TEXT("\xc0"), TEXT("\xe0")));
    assert_true(text_equal_secret(TEXT("secret"), TEXT("secret")));
    assert_false(text_equal_secret(TEXT("secret"), TEXT("secreT")));
    assert_false(text_equal_secret(TEXT("xecret"), TEXT("secret")));
    assert_false(text_equal_secret(TEXT("secret"), TEXT("secre")));
    assert_true(text_equal_secret(TEXT_NONE, TEXT("")));
}

static void test_compare(void **state)
{
    (void)state;
    static const char *const ordered[] = {"", "A", "AB", "B", "a", "aa", "\x80", "\xff"};
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 8; k++) {
            int order = text_compare(text_of(ordered[i]), text_of(ordered[k]));
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
}

static void test_find_and_trim(void **state)
{
    (void)state;
    assert_int_equal(text_find(TEXT("a.b.c"), '.', 0), 1);
    assert_int_equal(text_find(TEXT("a.b.c"), '.', 2), 3);
    assert_int_equal(text_find(TEXT("a.b.c"), '.', 4), -1);
    assert_int_equal(text_find(TEXT("a"), '.', 9), -1);
    assert_int_equal(text_find(TEXT_NONE, '.', 0), -1);
    assert_true(text_is(text_trim(TEXT(" \t a b\t ")), "a b"));
    assert_int_equal(text_trim(TEXT(" \t ")).len, 0);
    assert_true(text_is(text_trim(TEXT("\na ")), "\na"));
}

static void test_numbers(void **state)
{
    (void)state;
    uint64_t u = 1;
    int64_t i = 1;
    assert_int_equal(text_to_u64(TEXT("18446744073709551615"), UINT64_MAX, &u), 0);
    assert_true(u == UINT64_MAX);
    assert_int_equal(text_to_u64(TEXT("18446744073709551616"), UINT64_MAX, &u), ERR_TOO_LARGE);
    assert_int_equal(text_to_u64(TEXT("99999999999999999999999999"), UINT64_MAX, &u), ERR_TOO_LARGE);
    assert_int_equal(text_to_u64(TEXT("99999999999999999999999999x"), UINT64_MAX, &u), ERR_SYNTAX);
    assert_int_equal(text_to_u64(TEXT("101"), 100, &u), ERR_TOO_LARGE);
    assert_int_equal(text_to_u64(TEXT("100"), 100, &u), 0);
    assert_int_equal(u, 100);
    static const char *const bad[] = {"", " 1", "1 ", "+1", "-1", "0x1", "1.0", "1e3"};
    for (int k = 0; k < 8; k++)
        assert_int_equal(text_to_u64(text_of(bad[k]), UINT64_MAX, &u), ERR_SYNTAX);
    assert_int_equal(u, 100); /* a failed call leaves the result alone */
    assert_int_equal(text_to_i64(TEXT("-9223372036854775808"), &i), 0);
    assert_true(i == INT64_MIN);
    assert_int_equal(text_to_i64(TEXT("9223372036854775807"), &i), 0);
    assert_true(i == INT64_MAX);
    assert_int_equal(text_to_i64(TEXT("9223372036854775808"), &i), ERR_TOO_LARGE);
    assert_int_equal(text_to_i64(TEXT("-9223372036854775809"), &i), ERR_TOO_LARGE);
    assert_int_equal(text_to_i64(TEXT("-"), &i), ERR_SYNTAX);
    assert_int_equal(text_to_i64(TEXT("--1"), &i), ERR_SYNTAX);
    assert_int_equal(text_to_i64(TEXT("-0"), &i), 0);
    assert_int_equal(i, 0);
}

static void put(void **state)
{
    static const struct {
        uint64_t value;
        const char *digits;
    } numbers[] = {{0, "0"}, {7, "7"}, {10, "10"}, {4294967296, "4294967296"}, {UINT64_MAX, "18446744073709551615"}};
    char room[64];
    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char *at = text_put(room, TEXT("n="));
        at = text_put_u64(at, numbers[i].value);
        at = text_put(at, TEXT_NONE);
        assert_true(text_is(text_make(room + 2, (size_t)(at - room) - 2), numbers[i].digits));
    }
}

/* Every length and every place of a difference: it is compared in pieces. */
static void secrets(void **state)
{
    char a[40], b[40];
    (void)state;
    for (size_t len = 0; len <= sizeof(a); len++) {
        memset(a, 's', sizeof(a));
        memset(b, 's', sizeof(b));
        assert_true(text_equal_secret(text_make(a, len), text_make(b, len)));
        for (size_t i = 0; i < len; i++) {
            b[i] ^= 1;
            assert_false(text_equal_secret(text_make(a, len), text_make(b, len)));
            b[i] ^= 1;
        }
        assert_int_equal(text_equal_secret(text_make(a, len), text_make(b, sizeof(b))), len == sizeof(b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_err_table),
        cmocka_unit_test(test_err_set),
        cmocka_unit_test(test_assert_ends_the_process),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_find_and_trim),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(put),
        cmocka_unit_test(secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
