/* The key file: made once, opened by its key alone, never half written; and the development secret under it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "main/key.h"
#include "main/secret.h"

#include "base/codec.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define BASE64 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static const struct key_master none, first = {true, "the first master key"}, second = {true, "the second master key"};
static char folder[64], path[128];

static int folder_begin(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/weir-key-XXXXXX");
    snprintf(path, sizeof(path), "%s/key", mkdtemp(folder));
    return 0;
}

static int folder_end(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

static void write_file(const char *name, const void *bytes, size_t len)
{
    char at[192];
    snprintf(at, sizeof(at), "%s/%s", folder, name);
    FILE *file = fopen(at, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
}

static size_t read_file(const char *name, char *out, size_t size)
{
    char at[192];
    snprintf(at, sizeof(at), "%s/%s", folder, name);
    FILE *file = fopen(at, "rb");
    assert_non_null(file);
    size_t len = fread(out, 1, size, file);
    fclose(file);
    return len;
}

static void test_forms(void **state)
{
    (void)state;
    struct key_master key;
    struct err err;
    unsigned char counted[32];
    for (int i = 0; i < 32; i++)
        counted[i] = (unsigned char)i;
    static const char *const good[] = {HEX, HEX "\n", HEX "\r\n", BASE64, BASE64 "\n"};
    for (size_t i = 0; i < 5; i++)
        for (int raw = 0; raw < 2; raw++) {
            key = none;
            assert_int_equal(key_parse(text_of(good[i]), raw, "it", &key, &err), 0);
            assert_true(key.set);
            assert_memory_equal(key.bytes, counted, 32);
        }
    key = none;
    assert_int_equal(key_parse(text_make(counted, 32), true, "it", &key, &err), 0);
    assert_memory_equal(key.bytes, counted, 32);
    static const char *const bad[] = {"", "\n", "short", HEX "0", " " HEX, "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef\n",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        for (int raw = 0; raw < 2; raw++) {
            key = none;
            assert_int_equal(key_parse(text_of(bad[i]), raw, "the variable X", &key, &err), ERR_INVALID);
            assert_false(key.set);
            assert_non_null(strstr(err.text, "the variable X is not a key"));
            assert_null(strstr(err.text, "0123")); /* a message does not repeat a secret */
        }
    assert_int_equal(key_parse(text_make(counted, 32), false, "it", &key, &err), ERR_INVALID); /* a variable has no raw bytes */
}

static void test_sources(void **state)
{
    (void)state;
    struct key_master key = none;
    struct err err;
    char at[192];
    write_file("given", HEX "\n", 65);
    snprintf(at, sizeof(at), "%s/given", folder);
    assert_int_equal(key_environment(&key, &err), 0);
    assert_false(key.set);
    setenv("WEIR_ENCRYPTION_KEY_FILE", at, 1);
    assert_int_equal(key_environment(&key, &err), 0);
    assert_true(key.set && key.bytes[31] == 0x1f);
    setenv("WEIR_ENCRYPTION_KEY", "nonsense", 1); /* stands above the file, and is not passed over */
    assert_int_equal(key_environment(&key, &err), ERR_INVALID);
    setenv("WEIR_ENCRYPTION_KEY", BASE64, 1);
    assert_int_equal(key_environment(&key, &err), 0);
    unsetenv("WEIR_ENCRYPTION_KEY");
    setenv("WEIR_ENCRYPTION_KEY_FILE", "/nowhere/at/all", 1);
    assert_int_equal(key_environment(&key, &err), ERR_IO);
    unsetenv("WEIR_ENCRYPTION_KEY_FILE");
    assert_int_equal(key_variable("WEIR_TEST_NO_SUCH_KEY", &key, &err), ERR_MISSING);
}

static void test_life(void **state)
{
    (void)state;
    struct key_data made, opened;
    struct stat info;
    struct err err;
    assert_int_equal(key_open(folder, &first, false, &made, &err), 0); /* nothing there yet, and nothing made */
    assert_false(made.set);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(key_open(folder, &first, true, &made, &err), 0);
    assert_true(made.set);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    for (int create = 0; create < 2; create++) {
        assert_int_equal(key_open(folder, &first, create, &opened, &err), 0);
        assert_memory_equal(&opened, &made, sizeof(made));
        assert_int_equal(key_open(folder, &second, create, &opened, &err), ERR_FORBIDDEN);
        assert_non_null(strstr(err.text, "is not the one"));
        assert_false(opened.set);
        assert_int_equal(key_open(folder, &none, create, &opened, &err), ERR_FORBIDDEN);
        assert_non_null(strstr(err.text, "WEIR_ENCRYPTION_KEY"));
        assert_false(opened.set);
    }
    char file[1024];
    size_t len = read_file("key", file, sizeof(file));
    assert_null(memmem(file, len, made.bytes, 32));
    struct buf hex;
    buf_init(&hex, 1024);
    hex_encode(&hex, text_make(made.bytes, 32));
    assert_null(memmem(file, len, hex.data, hex.len));
    buf_fini(&hex);
}

/* The uses have keys of their own, and two folders have different ones under the same master key. */
static void test_uses(void **state)
{
    (void)state;
    struct key_data key, other;
    struct err err;
    unsigned char tables[32], journal[32], again[32];
    assert_int_equal(key_open(folder, &first, true, &key, &err), 0);
    assert_int_equal(key_for(&key, "tables", tables), 0);
    assert_int_equal(key_for(&key, "journal", journal), 0);
    assert_int_equal(key_for(&key, "tables", again), 0);
    assert_memory_equal(tables, again, 32);
    assert_memory_not_equal(tables, journal, 32);
    assert_memory_not_equal(tables, key.bytes, 32);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(key_open(folder, &first, true, &other, &err), 0);
    assert_memory_not_equal(other.bytes, key.bytes, 32);
}

/* Whatever byte of the file is changed, and wherever it is cut: an error, and never another key. */
static void test_damage(void **state)
{
    (void)state;
    struct key_data key, opened;
    struct err err;
    char file[1024];
    assert_int_equal(key_open(folder, &first, true, &key, &err), 0);
    size_t len = read_file("key", file, sizeof(file));
    assert_true(len > 100 && len < sizeof(file));
    for (size_t i = 0; i < len - 1; i++) {
        char old = file[i];
        file[i] = (char)(old == '7' ? '8' : '7');
        write_file("key", file, len);
        file[i] = old;
        int code = key_open(folder, &first, true, &opened, &err);
        if (code == 0) /* the cipher's name is for people */
            assert_memory_equal(&opened, &key, sizeof(key));
        else
            assert_true(code == ERR_CORRUPT || code == ERR_FORBIDDEN || code == ERR_VERSION);
        assert_true(code || i < 40);
    }
    for (size_t i = 0; i < len - 1; i++) {
        write_file("key", file, i);
        assert_int_equal(key_open(folder, &first, true, &opened, &err), ERR_CORRUPT);
        assert_non_null(strstr(err.text, "backup"));
    }
    char large[4096];
    memset(large, ' ', sizeof(large));
    write_file("key", large, sizeof(large));
    assert_int_equal(key_open(folder, &first, true, &opened, &err), ERR_CORRUPT);
    static const char newer[] = "{\"version\":2,\"how\":\"unknown\"}";
    write_file("key", newer, sizeof(newer) - 1);
    assert_int_equal(key_open(folder, &first, true, &opened, &err), ERR_VERSION);
}

static void test_other_folders(void **state)
{
    (void)state;
    struct key_data key;
    struct err err;
    char at[192];
    static const char *const plain[] = {"tables", "journal", "dev-jwt-secret"};
    for (int i = 0; i < 3; i++) {
        snprintf(at, sizeof(at), "%s/%s", folder, plain[i]);
        assert_int_equal(mkdir(at, 0700), 0);
        assert_int_equal(key_open(folder, &none, true, &key, &err), 0);
        assert_false(key.set);
        assert_int_equal(key_open(folder, &first, true, &key, &err), ERR_FORBIDDEN);
        assert_non_null(strstr(err.text, "empty folder"));
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(rmdir(at), 0);
    }
    snprintf(at, sizeof(at), "%s/tables", folder); /* encrypted, and the key file is lost */
    assert_int_equal(mkdir(at, 0700), 0);
    write_file("tables/CURRENT", "weirfile...", 11);
    assert_int_equal(key_open(folder, &none, true, &key, &err), ERR_CORRUPT);
    assert_int_equal(key_open(folder, &first, true, &key, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.text, "missing"));
}

static void test_rewrap(void **state)
{
    (void)state;
    struct key_data key, opened;
    struct err err;
    char before[1024], after[1024];
    assert_int_equal(key_rewrap(folder, &first, &second, &err), ERR_NOT_FOUND);
    assert_int_equal(key_open(folder, &first, true, &key, &err), 0);
    size_t len = read_file("key", before, sizeof(before));
    assert_int_equal(key_rewrap(folder, &second, &first, &err), ERR_FORBIDDEN); /* the wrong old key changes nothing */
    assert_int_equal(read_file("key", after, sizeof(after)), len);
    assert_memory_equal(before, after, len);
    int fd = open(path, O_RDONLY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(key_rewrap(folder, &first, &second, &err), ERR_AGAIN);
    close(fd);
    assert_int_equal(key_rewrap(folder, &first, &second, &err), 0);
    assert_int_equal(key_open(folder, &second, false, &opened, &err), 0);
    assert_memory_equal(&opened, &key, sizeof(key));
    assert_int_equal(key_open(folder, &first, false, &opened, &err), ERR_FORBIDDEN);
    assert_int_equal(key_rewrap(folder, &second, &second, &err), 0); /* the same key: another nonce */
    len = read_file("key", before, sizeof(before));
    assert_int_equal(key_rewrap(folder, &second, &second, &err), 0);
    read_file("key", after, sizeof(after));
    assert_memory_not_equal(before, after, len);
}

/* A process that changes the key back and forth is killed at any moment; one of the two keys always opens the folder. */
static void test_rewrap_killed(void **state)
{
    (void)state;
    struct key_data key, opened;
    struct err err;
    assert_int_equal(key_open(folder, &first, true, &key, &err), 0);
    for (int round = 0; round < 30; round++) {
        int pipe_fd[2];
        char byte;
        assert_int_equal(pipe(pipe_fd), 0);
        pid_t child = fork();
        if (child == 0) {
            for (int i = 0;; i++) {
                if (key_rewrap(folder, &first, &second, NULL) && key_rewrap(folder, &second, &first, NULL))
                    _exit(1);
                if (i < 50 && write(pipe_fd[1], "x", 1) != 1)
                    _exit(2);
            }
        }
        close(pipe_fd[1]);
        for (int i = 0; i <= round; i++)
            assert_int_equal(read(pipe_fd[0], &byte, 1), 1); /* it is in the middle of its work */
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        close(pipe_fd[0]);
        int code = key_open(folder, &first, false, &opened, &err);
        if (code)
            code = key_open(folder, &second, false, &opened, &err);
        assert_int_equal(code, 0);
        assert_memory_equal(&opened, &key, sizeof(key));
    }
}

/* Several servers at once on an empty folder: all end up with one key. */
static void test_race(void **state)
{
    (void)state;
    struct err err;
    int pipe_fd[2];
    struct key_data key[8];
    assert_int_equal(pipe(pipe_fd), 0);
    for (int i = 0; i < 8; i++)
        if (fork() == 0) {
            struct key_data mine;
            int code = key_open(folder, &first, true, &mine, &err);
            _exit(code || write(pipe_fd[1], &mine, sizeof(mine)) != sizeof(mine));
        }
    for (int i = 0; i < 8; i++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
        assert_int_equal(read(pipe_fd[0], &key[i], sizeof(key[i])), sizeof(key[i]));
        assert_memory_equal(&key[i], &key[0], sizeof(key[0]));
    }
    close(pipe_fd[0]);
    close(pipe_fd[1]);
}

static void test_development_secret(void **state)
{
    (void)state;
    struct key_data key, plain = {0};
    struct arena arena;
    struct text secret, again;
    struct err err;
    char file[1024];
    unsetenv("JWT_SECRET");
    unsetenv("JWT_SECRET_FILE");
    arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(key_open(folder, &first, true, &key, &err), 0);
    assert_int_equal(secret_development(folder, &key, &arena, &secret, &err), 0);
    assert_int_equal(secret.len, 64);
    assert_int_equal(secret_development(folder, &key, &arena, &again, &err), 0);
    assert_true(text_equal(secret, again));
    size_t len = read_file("dev-jwt-secret", file, sizeof(file));
    assert_null(memmem(file, len, secret.data, 32));
    assert_int_equal(memcmp(file, "sealed:", 7), 0);
    assert_int_equal(secret_development(folder, &plain, &arena, &again, &err), ERR_CORRUPT);
    for (size_t i = 0; i < len - 1; i++) {
        char old = file[i];
        file[i] = (char)(old == '7' ? '8' : '7');
        write_file("dev-jwt-secret", file, len);
        file[i] = old;
        assert_int_equal(secret_development(folder, &key, &arena, &again, &err), ERR_CORRUPT);
    }
    write_file("dev-jwt-secret", "0123456789", 10);
    assert_int_equal(secret_development(folder, &key, &arena, &again, &err), ERR_CORRUPT);
    assert_int_equal(secret_development(folder, &plain, &arena, &again, &err), 0);
    assert_true(text_is(again, "0123456789"));
    arena_fini(&arena);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, folder_begin, folder_end)
    unsetenv("WEIR_ENCRYPTION_KEY");
    unsetenv("WEIR_ENCRYPTION_KEY_FILE");
    const struct CMUnitTest tests[] = {
        TEST(test_forms),
        TEST(test_sources),
        TEST(test_life),
        TEST(test_uses),
        TEST(test_damage),
        TEST(test_other_folders),
        TEST(test_rewrap),
        TEST(test_rewrap_killed),
        TEST(test_race),
        TEST(test_development_secret),
    };
    return cmocka_run_group_tests_name("key", tests, NULL, NULL);
}
