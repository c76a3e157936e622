/* The command line: options, durations, the lock of a folder, tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "main/command.h"
#include "main/folder.h"
#include "main/sign.h"
#include "net/jwt.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct arguments seen;

static int note(const struct arguments *arguments)
{
    int64_t number = 7;
    seen = *arguments;
    if (!argument_number(arguments, "count", 1, 10, &number))
        return EXIT_USAGE;
    return number == 7 ? EXIT_OK : (int)number + 100;
}

static const struct option_row options[] = {{"name", "TEXT", "a text"}, {"count", "N", "a number"}, {"loud", NULL, "a flag"}, {NULL, NULL, NULL}};
static const struct command command = {
    .name = "try", .words = "FILE", .summary = "for the test", .options = options, .words_min = 0, .words_max = 1, .run = note};

static int run(int count, const char *const *words)
{
    char *argv[8];
    for (int i = 0; i < count; i++)
        argv[i] = (char *)words[i];
    seen = (struct arguments){0};
    return command_run(&command, count, argv);
}
#define RUN(...) run((int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)), (const char *const[]){__VA_ARGS__})

/* What the parser says on standard error and output is for people; here only that it says it and goes on. */
static int quiet(void **state)
{
    (void)state;
    fflush(stdout);
    int null = open("/dev/null", O_WRONLY);
    dup2(null, STDERR_FILENO);
    close(null);
    return 0;
}

static void test_options(void **state)
{
    (void)state;
    assert_int_equal(RUN("--name", "x", "--loud", "file"), EXIT_OK);
    assert_string_equal(argument(&seen, "name"), "x");
    assert_string_equal(argument(&seen, "loud"), "");
    assert_null(argument(&seen, "count"));
    assert_string_equal(seen.word[0], "file");
    assert_int_equal(RUN("--name=", "--count=9"), 109);
    assert_string_equal(argument(&seen, "name"), "");
    assert_int_equal(RUN("--name", "--loud"), EXIT_OK); /* a value is a value */
    assert_string_equal(argument(&seen, "name"), "--loud");
}

static void test_misuse(void **state)
{
    (void)state;
    assert_int_equal(RUN("--nam", "x"), EXIT_USAGE);
    assert_int_equal(RUN("--name"), EXIT_USAGE);
    assert_int_equal(RUN("--loud=1"), EXIT_USAGE);
    assert_int_equal(RUN("--loud", "--loud"), EXIT_USAGE);
    assert_int_equal(RUN("-x"), EXIT_USAGE);
    assert_int_equal(RUN("a", "b"), EXIT_USAGE);
    assert_int_equal(RUN("--count", "0"), EXIT_USAGE);
    assert_int_equal(RUN("--count", "11"), EXIT_USAGE);
    assert_int_equal(RUN("--count", "1x"), EXIT_USAGE);
    assert_int_equal(RUN("--name", "x", "--help"), EXIT_OK);
    assert_null(seen.command); /* help runs nothing */
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"0s", 0}, {"250ms", 250}, {"30s", 30000}, {"1h30m", 5400000}, {"2d", 172800000}, {"1m1s1ms", 61001}};
    static const char *const bad[] = {"", "1", "s", "1 s", "1w", "-1s", "1.5s", "1sm", "9223372036854775807h", "99999999999999999999s"};
    int64_t ms;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(duration_parse(good[i].text, &ms));
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(duration_parse(bad[i], &ms));
}

static void test_folder(void **state)
{
    (void)state;
    char root[] = "/tmp/weir-folder-XXXXXX", deep[64], file[64];
    struct err err;
    assert_non_null(mkdtemp(root));
    snprintf(deep, sizeof(deep), "%s/a/b", root);
    assert_int_equal(folder_make(deep, &err), 0);
    assert_int_equal(folder_make(deep, &err), 0);
    int lock = folder_lock(deep, &err);
    assert_true(lock >= 0);
    pid_t child = fork();
    if (child == 0)
        _exit(folder_lock(deep, &err) == ERR_AGAIN && strstr(err.text, "in use by process") ? 0 : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    folder_unlock(lock);
    lock = folder_lock(deep, &err);
    assert_true(lock >= 0);
    folder_unlock(lock);
    snprintf(file, sizeof(file), "%s/a/b/lock", root);
    assert_int_equal(folder_make(file, &err), ERR_IO); /* a file has that name */
    assert_int_equal(folder_make("", &err), ERR_TOO_LARGE);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(deep), 0);
    snprintf(deep, sizeof(deep), "%s/a", root);
    assert_int_equal(rmdir(deep), 0);
    assert_int_equal(rmdir(root), 0);
}

/* What is signed here is what the gateway's verifier takes. */
static void test_sign(void **state)
{
    (void)state;
    struct text secret = TEXT("0123456789abcdef0123456789abcdef"), audience = TEXT("game");
    struct sign_claims claims = {.user = "u1", .role = "admin", .groups = "red, blue", .issuer = TEXT("weir"), .audience = audience, .life_ms = 60000};
    struct jwt_policy policy = {.issuer = TEXT("weir"), .audiences = &audience, .audience_count = 1};
    struct jwt_identity identity;
    struct jwt_result result;
    struct jwt_keys *keys;
    struct arena arena;
    struct buf token;
    struct err err;
    const char *reason;
    arena_init(&arena, 4096, 1 << 20);
    buf_init(&token, 8192);
    assert_int_equal(sign_token(secret, &claims, &token, &err), 0);
    assert_int_equal(jwt_keys_from_secret(secret, &keys, &err), 0);
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    assert_int_equal(jwt_verify(keys, buf_text(&token), &policy, now_ms, &arena, &result), 0);
    assert_int_equal(jwt_identity_from_claims(result.claims, &arena, &identity, &reason), 0);
    assert_true(text_is(identity.user_id, "u1"));
    assert_true(text_is(identity.user_role, "admin"));
    assert_int_equal(identity.group_count, 2);
    assert_true(text_is(identity.groups[1], "blue"));
    assert_int_equal(jwt_verify(keys, buf_text(&token), &policy, now_ms + 120000, &arena, &result), ERR_TOKEN_EXPIRED);
    jwt_keys_unref(keys);
    buf_fini(&token);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_options, quiet),
        cmocka_unit_test_setup(test_misuse, quiet),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_folder),
        cmocka_unit_test(test_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
