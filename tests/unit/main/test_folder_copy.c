/* Copies that are whole or not there: trees, drafts and their names, what an interrupted run leaves, what is not to be touched. And the texts of progress. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "main/folder_copy.h"
#include "main/progress.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];

static int begin(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/weir-tree-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static int end(void **state)
{
    char command[256];
    (void)state;
    snprintf(command, sizeof(command), "chmod -R u+rwx %s; rm -rf %s", folder, folder);
    return system(command);
}

static const char *at(const char *name)
{
    static char path[4][256];
    static int next;
    char *out = path[next++ % 4];
    snprintf(out, 256, "%s/%s", folder, name);
    return out;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(at(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static bool holds(const char *name, const char *text)
{
    char found[256] = {0};
    FILE *file = fopen(at(name), "r");
    if (!file)
        return false;
    size_t len = fread(found, 1, sizeof(found) - 1, file);
    fclose(file);
    return len == strlen(text) && strcmp(found, text) == 0;
}

static bool exists(const char *name)
{
    return access(at(name), F_OK) == 0;
}

static enum copy_how choose(const char *name, int level, bool is_folder)
{
    if (strcmp(name, "not") == 0 && level == 0)
        return COPY_NOT;
    return !is_folder && strstr(name, ".sst") ? COPY_LINK : COPY_BYTES;
}

static void test_tree(void **state)
{
    (void)state;
    struct copy_watch watch = {0};
    struct err err = {0};
    struct stat info;
    mkdir(at("from"), 0755);
    mkdir(at("from/deep"), 0755);
    mkdir(at("from/not"), 0755);
    put("from/a", "one");
    put("from/deep/b", "two");
    put("from/deep/c.sst", "three");
    put("from/not/d", "four");
    assert_int_equal(symlink("/etc/passwd", at("from/link")), 0);
    assert_int_equal(mkfifo(at("from/pipe"), 0600), 0);
    assert_int_equal(tree_bytes(at("from"), choose), 6);
    assert_int_equal(tree_copy(at("from"), at("to"), choose, &watch, &err), 0);
    assert_true(holds("to/a", "one") && holds("to/deep/b", "two") && holds("to/deep/c.sst", "three"));
    assert_false(exists("to/not") || exists("to/link") || exists("to/pipe"));
    assert_int_equal(watch.done, 6);
    assert_int_equal(stat(at("to/a"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(stat(at("to/deep"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_int_equal(stat(at("to/deep/c.sst"), &info), 0);
    assert_int_equal(info.st_nlink, 2);
    put("from/new", "later"); /* a second time only what is new is copied */
    assert_int_equal(tree_copy(at("from"), at("to"), choose, &watch, &err), 0);
    assert_true(holds("to/new", "later"));
    assert_int_equal(watch.done, 11);
    watch.stop = true;
    assert_int_equal(tree_copy(at("from"), at("other"), choose, &watch, &err), ERR_CLOSED);
    assert_int_equal(tree_remove(at("to"), &err), 0);
    assert_false(exists("to"));
    assert_true(holds("from/deep/c.sst", "three"));
    assert_int_equal(tree_remove(at("to"), &err), 0);
}

static void test_equal(void **state)
{
    (void)state;
    put("a", "the same");
    put("b", "the same");
    put("c", "not same");
    put("d", "the same and more");
    assert_true(file_equal(at("a"), at("b")) && file_equal(at("a"), at("a")));
    assert_false(file_equal(at("a"), at("c")) || file_equal(at("a"), at("d")) || file_equal(at("a"), at("none")) || file_equal(at("none"), at("a")) || file_equal(folder, folder));
}

static void test_too_deep(void **state)
{
    (void)state;
    struct copy_watch watch = {0};
    struct err err = {0};
    char path[512];
    snprintf(path, sizeof(path), "%s/from", folder);
    for (int i = 0; i < FOLDER_DEPTH_MAX + 4; i++) {
        assert_int_equal(mkdir(path, 0755), 0);
        strcat(path, "/x");
    }
    assert_int_equal(tree_copy(at("from"), at("to"), NULL, &watch, &err), ERR_TOO_DEEP);
}

static void test_draft(void **state)
{
    (void)state;
    struct draft draft, second;
    struct err err = {0};
    assert_int_equal(draft_begin(&draft, at("made/"), &err), 0);
    draft_abandon(&draft);
    assert_false(exists("made.partial"));
    assert_int_equal(draft_begin(&draft, at("made/"), &err), 0);
    assert_true(draft_is_unfinished(at("made.partial")));
    put("made.partial/x", "x");
    assert_int_equal(draft_begin(&second, at("made"), &err), ERR_AGAIN); /* another one is at it */
    assert_int_equal(draft_commit(&draft, &err), 0);
    draft_abandon(&draft); /* nothing, after a commit */
    assert_true(holds("made/x", "x"));
    assert_false(exists("made.partial") || draft_is_unfinished(at("made")));
    assert_int_equal(draft_begin(&draft, at("made"), &err), ERR_EXISTS);
    assert_non_null(strstr(err.text, "is not empty"));
    mkdir(at("empty"), 0755);
    assert_int_equal(draft_begin(&draft, at("empty"), &err), 0);
    put("empty/meanwhile", "y");
    assert_int_equal(draft_commit(&draft, &err), ERR_EXISTS);
    draft_abandon(&draft);
    assert_true(holds("empty/meanwhile", "y"));
    put("file", "z");
    assert_int_equal(draft_begin(&draft, at("file"), &err), ERR_EXISTS);
    assert_int_not_equal(draft_begin(&draft, "", &err), 0);
}

static void test_what_was_left(void **state)
{
    (void)state;
    struct draft draft;
    struct err err = {0};
    mkdir(at("mine.partial"), 0755);
    put("mine.partial/precious", "p");
    assert_int_equal(draft_begin(&draft, at("mine"), &err), ERR_EXISTS);
    draft_abandon(&draft);
    assert_true(holds("mine.partial/precious", "p"));
    pid_t pid = fork(); /* dies with the draft in its hands */
    if (pid == 0) {
        if (draft_begin(&draft, at("cut"), &err) == 0)
            put("cut.partial/half", "h");
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    assert_true(holds("cut.partial/half", "h"));
    assert_int_equal(draft_begin(&draft, at("cut"), &err), 0);
    assert_false(exists("cut.partial/half"));
    assert_int_equal(draft_commit(&draft, &err), 0);
    assert_true(exists("cut"));
}

static void test_texts(void **state)
{
    (void)state;
    char out[PROGRESS_TEXT];
    assert_string_equal(progress_count(0, out), "0");
    assert_string_equal(progress_count(999, out), "999");
    assert_string_equal(progress_count(1000, out), "1,000");
    assert_string_equal(progress_count(UINT64_MAX, out), "18,446,744,073,709,551,615");
    assert_string_equal(progress_bytes(1023, out), "1023 bytes");
    assert_string_equal(progress_bytes(1536, out), "1.5 KiB");
    assert_string_equal(progress_bytes(UINT64_MAX, out), "16.0 EiB");
    assert_string_equal(progress_time(0, out), "0 s");
    assert_string_equal(progress_time(61000, out), "61 s");
    assert_string_equal(progress_time(200000, out), "3 min 20 s");
    assert_string_equal(progress_time(INT64_C(7260000), out), "2 h 1 min");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tree, begin, end),
        cmocka_unit_test_setup_teardown(test_equal, begin, end),
        cmocka_unit_test_setup_teardown(test_too_deep, begin, end),
        cmocka_unit_test_setup_teardown(test_draft, begin, end),
        cmocka_unit_test_setup_teardown(test_what_was_left, begin, end),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
