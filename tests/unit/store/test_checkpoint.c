/* store_checkpoint: what was applied before it is in it, what comes after is not; the copy is a store of its own, encrypted or plain; damage in a file is found and the file named. */
#define FIXTURE_KEY "a key for the checkpoint's tests"
#include "store/fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

static const struct store_table *define(struct fixture *f)
{
    static const struct store_table_decl decl = {.name = {"table", 5}, .hash = {"id", 2}, .hash_type = ATTR_STRING};
    const struct store_table *table = NULL;
    struct err err = {0};
    assert_int_equal(store_table_define(f->stage, &decl, &table, &err), 0);
    return table;
}

static void fill(struct fixture *f, const struct store_table *table, int from, int to)
{
    for (int i = from; i < to; i++) {
        struct attr *item = item_create(&f->arena);
        item_set_string(&f->arena, item, TEXT("id"), arena_format(&f->arena, "item-%06d", i));
        item_set_string(&f->arena, item, TEXT("text"), arena_format(&f->arena, "%0200d", i));
        assert_int_equal(store_put(&f->view, table, item, 0, &f->arena, NULL, NULL), 0);
        if (i % 50 == 49) {
            fixture_commit(f);
            arena_reset(&f->arena);
        }
    }
    fixture_commit(f);
}

static int64_t count_in(const char *folder, const unsigned char *key, uint64_t *applied, struct store_report *report)
{
    struct store_config config = {.folder = folder, .key = key};
    struct store *store;
    struct err err = {0};
    int rc = store_open(&store, &config, &err);
    if (rc)
        fail_msg("%s %s", err_name(rc), err.text);
    const struct store_table *table = store_table_find(store, TEXT("table"));
    assert_non_null(table);
    int64_t count = store_table_count(table);
    *applied = store_applied(store);
    assert_int_equal(store_verify(store, report), 0);
    store_close(store);
    return count;
}

static void test_a_moment(void **state)
{
    (void)state;
    static struct fixture f;
    struct store_report report;
    struct err err = {0};
    char first[96], second[96];
    uint64_t applied;
    fixture_open(&f);
    const struct store_table *table = define(&f);
    fill(&f, table, 0, 2000);
    snprintf(first, sizeof(first), "%s-first", f.folder);
    snprintf(second, sizeof(second), "%s-second", f.folder);
    uint64_t at = store_applied(f.store);
    assert_int_equal(store_checkpoint(f.store, first, &err), 0);
    fill(&f, table, 2000, 3000);
    assert_int_equal(store_checkpoint(f.store, second, &err), 0);
    assert_int_not_equal(store_checkpoint(f.store, second, &err), 0); /* it is there */
    assert_true(store_flushed(f.store) >= at);
    assert_int_equal(count_in(first, fixture_key, &applied, &report), 2000);
    assert_int_equal(applied, at);
    assert_int_equal(report.damaged, 0);
    assert_int_equal(report.tables, 1);
    assert_int_equal(report.items, 2000);
    assert_int_equal(count_in(second, fixture_key, &applied, &report), 3000);
    fill(&f, table, 3000, 3100); /* and the source goes on */
    fixture_detach(&f);
    fixture_attach(&f);
    struct store_config without = {.folder = first};
    struct store *store;
    assert_int_not_equal(store_open(&store, &without, &err), 0); /* as encrypted as the source */
    char command[256];
    snprintf(command, sizeof(command), "rm -rf %s %s", first, second);
    assert_int_equal(system(command), 0);
    fixture_close(&f);
}

static void damage_file(const char *folder, char name[64])
{
    DIR *dir = opendir(folder);
    char path[512];
    struct stat info;
    name[0] = 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (strstr(entry->d_name, ".sst"))
            snprintf(name, 64, "%.63s", entry->d_name);
    closedir(dir);
    assert_true(name[0]);
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_RDWR);
    assert_int_equal(fstat(fd, &info), 0);
    char byte;
    assert_int_equal(pread(fd, &byte, 1, info.st_size / 2), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, info.st_size / 2), 1);
    close(fd);
}

static void test_damage_is_named(void **state)
{
    (void)state;
    static struct fixture f;
    struct store_report report;
    struct err err = {0};
    char name[64], command[160];
    uint64_t applied;
    fixture_open(&f);
    fill(&f, define(&f), 0, 2000);
    char copy[96];
    snprintf(copy, sizeof(copy), "%s-copy", f.folder);
    assert_int_equal(store_checkpoint(f.store, copy, &err), 0);
    fixture_close(&f); /* first: the link is to the same bytes */
    damage_file(copy, name);
    count_in(copy, fixture_key, &applied, &report);
    assert_true(report.damaged > 0);
    if (!strstr(report.first, name))
        fail_msg("'%s' does not name %s", report.first, name);
    snprintf(command, sizeof(command), "rm -rf %s", copy);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_moment), cmocka_unit_test(test_damage_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
