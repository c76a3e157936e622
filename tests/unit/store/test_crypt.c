/* The tables' files: nothing of keys, values and names is readable in any of them; another key, none, or one too many is an error; damage is found. */
#define FIXTURE_KEY "a key for the tables' own tests!"
#include "store/fixture.h"

#include <dirent.h>
#include <sys/stat.h>

#define MARKER "Zanzibar-Marker-4711"

/* How many files there are, and how many hold the words. */
static size_t grep(const char *folder, const char *words, size_t *files)
{
    size_t found = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    *files = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[512];
        struct stat info;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        assert_int_equal(stat(path, &info), 0);
        if (!S_ISREG(info.st_mode) || !info.st_size)
            continue;
        char *bytes = malloc((size_t)info.st_size);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        assert_int_equal(fread(bytes, 1, (size_t)info.st_size, file), info.st_size);
        fclose(file);
        ++*files;
        found += memmem(bytes, (size_t)info.st_size, words, strlen(words)) != NULL;
        free(bytes);
    }
    closedir(dir);
    return found;
}

static const struct store_table *define(struct fixture *f)
{
    static const struct store_table_decl decl = {
        .name = {MARKER, sizeof(MARKER) - 1}, .hash = {"id", 2}, .hash_type = ATTR_STRING, .changes = true};
    const struct store_table *table = NULL;
    struct err err = {0};
    assert_int_equal(store_table_define(f->stage, &decl, &table, &err), 0);
    return table;
}

static void fill(struct fixture *f, const struct store_table *table, int from, int to)
{
    for (int i = from; i < to; i++) {
        struct attr *item = item_create(&f->arena);
        item_set_string(&f->arena, item, TEXT("id"), arena_format(&f->arena, MARKER "-%06d", i * 7919 % 1000003));
        item_set_string(&f->arena, item, TEXT("text"), arena_format(&f->arena, "the value is %d, and says " MARKER, i));
        assert_int_equal(store_put(&f->view, table, item, 0, &f->arena, NULL, NULL), 0);
        if (i % 100 == 99) {
            fixture_commit(f);
            arena_reset(&f->arena);
        }
    }
}

static int count(struct fixture *f, const struct store_table *table)
{
    struct store_query query = {.table = table};
    struct store_cursor *cursor;
    const struct attr *item;
    struct err err;
    int n = 0, rc;
    assert_int_equal(store_query_open(&f->view, &query, &f->arena, &cursor, &err), 0);
    while ((rc = store_cursor_next(cursor, &f->arena, &item)) == 0)
        n++;
    assert_int_equal(rc, ERR_NOT_FOUND);
    store_cursor_close(cursor);
    return n;
}

static void test_nothing_readable(void **state)
{
    (void)state;
    static struct fixture f;
    size_t files;
    struct err err;
    fixture_open(&f);
    const struct store_table *table = define(&f);
    fill(&f, table, 0, 6000); /* more than a memtable of 1 MB: flushed several times */
    assert_int_equal(store_flush(f.store, true, &err), 0);
    assert_int_equal(grep(f.folder, "Zanzibar", &files), 0); /* while it is open */
    fixture_detach(&f);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(grep(f.folder, "Zanzibar", &files), 0);
        assert_true(files >= 5); /* CURRENT, IDENTITY, MANIFEST, OPTIONS, tables */
        assert_int_equal(grep(f.folder, "rocksdb", &files), 0); /* names of comparators and options stand in all of the others */
        assert_int_equal(grep(f.folder, "weirfile", &files), files);
        fixture_attach(&f);
        table = store_table_find(f.store, TEXT(MARKER));
        assert_non_null(table);
        assert_int_equal(count(&f, table), 6000 + again * 100);
        verify_clean(f.store);
        fill(&f, table, 6000 + again * 100, 6100 + again * 100);
        assert_int_equal(store_flush(f.store, true, &err), 0);
        fixture_detach(&f);
    }
    fixture_attach(&f);
    fixture_close(&f);
}

/* The same words are found when nothing is encrypted. */
static void test_plain_is_readable(void **state)
{
    (void)state;
    static struct fixture f;
    size_t files;
    struct err err;
    fixture_open(&f);
    fixture_detach(&f);
    folder_remove(f.folder);
    struct store_config config = {.folder = f.folder};
    assert_int_equal(store_open(&f.store, &config, &err), 0);
    assert_int_equal(store_stage_create(f.store, &f.stage), 0);
    f.view.store = f.store;
    f.view.stage = f.stage;
    fill(&f, define(&f), 0, 1000);
    assert_int_equal(store_flush(f.store, true, &err), 0);
    assert_true(grep(f.folder, "Zanzibar", &files) > 0);
    fixture_close(&f);
}

static void expect_refused(const char *folder, const unsigned char *key)
{
    struct store_config config = {.folder = folder, .key = key};
    struct store *store = NULL;
    struct err err = {0};
    int code = store_open(&store, &config, &err);
    if (code != ERR_CORRUPT && code != ERR_IO) /* the latter when nonsense is taken for a file's name */
        fail_msg("%s: %s", err_name(code), err.text);
    assert_null(store);
    assert_true(strlen(err.text) > 0);
}

static void test_wrong_keys(void **state)
{
    (void)state;
    static struct fixture f;
    static const unsigned char other[32] = "another key, also for these test";
    struct err err;
    fixture_open(&f);
    fill(&f, define(&f), 0, 200);
    fixture_detach(&f);
    expect_refused(f.folder, other);
    expect_refused(f.folder, NULL);
    fixture_attach(&f); /* neither attempt changed anything */
    assert_int_equal(count(&f, store_table_find(f.store, TEXT(MARKER))), 200);
    fixture_detach(&f);
    folder_remove(f.folder);
    struct store_config plain = {.folder = f.folder};
    assert_int_equal(store_open(&f.store, &plain, &err), 0);
    store_close(f.store);
    expect_refused(f.folder, fixture_key);
    arena_fini(&f.arena);
    buf_fini(&f.record);
    folder_remove(f.folder);
}

/* A bit in the middle of a table's file: counter mode lets it through, RocksDB's checksum does not. */
static void test_damage_is_found(void **state)
{
    (void)state;
    static struct fixture f;
    struct store_report report;
    struct err err;
    char command[512];
    fixture_open(&f);
    fill(&f, define(&f), 0, 1000);
    assert_int_equal(store_flush(f.store, true, &err), 0);
    fixture_detach(&f);
    snprintf(command, sizeof(command), "for f in %s/*.sst; do printf '\\377\\000\\125\\252' | dd of=$f bs=1 seek=2000 conv=notrunc status=none; done", f.folder);
    assert_int_equal(system(command), 0);
    struct store_config config = {.folder = f.folder, .key = fixture_key};
    int code = store_open(&f.store, &config, &err);
    if (!code) {
        code = store_verify(f.store, &report);
        assert_true(code == ERR_CORRUPT || report.damaged > 0);
        store_close(f.store);
    } else {
        assert_int_equal(code, ERR_CORRUPT);
    }
    arena_fini(&f.arena);
    buf_fini(&f.record);
    folder_remove(f.folder);
}

/* The command runs for each file of that kind, as $f. */
static void each_file(const char *folder, const char *kind, const char *what)
{
    char command[512];
    snprintf(command, sizeof(command), "for f in %s/*.%s; do %s; done", folder, kind, what);
    assert_int_equal(system(command), 0);
}

/* RocksDB's log file is never written to and never synced: what a crash leaves of it is empty, short, or zeros. */
static void test_unwritten_log(void **state)
{
    (void)state;
    static struct fixture f;
    static const char *const ends[] = {"truncate -s 0 $f", "truncate -s 10 $f", "truncate -s 0 $f; truncate -s 64 $f"};
    struct err err;
    fixture_open(&f);
    fill(&f, define(&f), 0, 200);
    assert_int_equal(store_flush(f.store, true, &err), 0);
    fixture_detach(&f);
    for (size_t i = 0; i < 3; i++) {
        each_file(f.folder, "log", ends[i]);
        fixture_attach(&f);
        assert_int_equal(count(&f, store_table_find(f.store, TEXT(MARKER))), 200);
        fixture_detach(&f);
    }
    fixture_attach(&f);
    fixture_close(&f);
}

/* A table's file that lost its content is an answer, not the end of the process. */
static void test_truncated_table(void **state)
{
    (void)state;
    static struct fixture f;
    static const char *const ends[] = {"truncate -s 1000 $f", "truncate -s 70 $f", "truncate -s 10 $f", "truncate -s 0 $f"};
    fixture_open(&f);
    fill(&f, define(&f), 0, 1000);
    fixture_detach(&f);
    for (size_t i = 0; i < 4; i++) {
        each_file(f.folder, "sst", ends[i]);
        expect_refused(f.folder, fixture_key);
    }
    arena_fini(&f.arena);
    buf_fini(&f.record);
    folder_remove(f.folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_readable),
        cmocka_unit_test(test_plain_is_readable),
        cmocka_unit_test(test_wrong_keys),
        cmocka_unit_test(test_damage_is_found),
        cmocka_unit_test(test_unwritten_log),
        cmocka_unit_test(test_truncated_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
