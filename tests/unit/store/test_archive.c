/* The file of a backup: what goes in comes out, plain and encrypted; cut at any byte or with any bit turned over it is refused. */
#include "store/fixture.h"

#include "store/archive.h"
#include <sys/stat.h>
#include <fcntl.h>
#include <sys/mman.h>

static const unsigned char some_key[CIPHER_KEY_BYTES] = {1, 2, 3}, other_key[CIPHER_KEY_BYTES] = {3, 2, 1};

struct place {
    char folder[64], path[128];
};

static void place_open(struct place *place)
{
    strcpy(place->folder, "/tmp/weir-archive-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->path, sizeof(place->path), "%s/one.backup", place->folder);
}

static size_t make_item(uint64_t *random, char *out, size_t max)
{
    size_t len = random_next(random) % max;
    for (size_t i = 0; i < len; i++)
        out[i] = random_next(random) % 3 ? 'a' : (char)random_next(random);
    return len;
}

static void write_file(const char *path, const unsigned char *key, unsigned items, size_t item_max)
{
    struct archive_writer *writer;
    struct archive_totals totals;
    struct err err = {0};
    uint64_t random = 42;
    char *item = malloc(item_max + 1);
    assert_int_equal(archive_create(&writer, path, key, TEXT("what it is"), &err), 0);
    for (unsigned i = 0; i < items; i++)
        assert_int_equal(archive_add(writer, text_make(item, make_item(&random, item, item_max)), &err), 0);
    assert_true(archive_written(writer) > 0);
    assert_int_equal(archive_finish(writer, &totals, &err), 0);
    assert_int_equal(totals.items, items);
    free(item);
}

/* 0: all came out and the end was proved. */
static int read_file(const char *path, const unsigned char *key, unsigned items, size_t item_max)
{
    struct archive_reader *reader;
    struct text header, item;
    struct err err = {0};
    uint64_t random = 42;
    unsigned n = 0;
    char *expected = malloc(item_max + 1);
    int code = archive_open(&reader, path, key, &header, &err);
    if (!code && !text_is(header, "what it is"))
        fail_msg("another header");
    while (!code && (code = archive_next(reader, &item, &err)) == 0) {
        size_t len = make_item(&random, expected, item_max);
        assert_true(n++ < items && text_equal(item, text_make(expected, len)));
    }
    if (code == ERR_NOT_FOUND && n == items)
        code = archive_next(reader, &item, &err) == ERR_NOT_FOUND ? 0 : ERR_INTERNAL;
    else if (code == ERR_NOT_FOUND)
        code = ERR_INTERNAL;
    archive_close(reader);
    free(expected);
    return code;
}

static void test_round_trip(void **state)
{
    struct place place;
    struct stat info;
    char partial[160];
    (void)state;
    place_open(&place);
    snprintf(partial, sizeof(partial), "%s.partial", place.path);
    for (int encrypted = 0; encrypted < 2; encrypted++) {
        const unsigned char *key = encrypted ? some_key : NULL;
        write_file(place.path, key, 0, 10);
        assert_int_equal(read_file(place.path, key, 0, 10), 0);
        write_file(place.path, key, 5000, 300); /* several blocks */
        assert_int_equal(read_file(place.path, key, 5000, 300), 0);
        write_file(place.path, key, 9, ITEM_BYTES_MAX); /* large items */
        assert_int_equal(read_file(place.path, key, 9, ITEM_BYTES_MAX), 0);
        assert_int_equal(stat(place.path, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600);
        assert_int_equal(access(partial, F_OK), -1);
    }
    folder_remove(place.folder);
}

static void test_keys(void **state)
{
    struct place place;
    (void)state;
    place_open(&place);
    struct archive_reader *reader;
    struct text header;
    assert_int_equal(archive_open(&reader, place.path, NULL, &header, NULL), ERR_NOT_FOUND);
    write_file(place.path, some_key, 3, 10);
    assert_int_equal(read_file(place.path, NULL, 3, 10), ERR_FORBIDDEN);
    assert_int_equal(read_file(place.path, other_key, 3, 10), ERR_CORRUPT);
    write_file(place.path, NULL, 3, 10);
    assert_int_equal(read_file(place.path, some_key, 3, 10), ERR_FORBIDDEN);
    folder_remove(place.folder);
}

static char *load(const char *path, size_t *len)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    char *bytes = malloc((size_t)info.st_size);
    FILE *file = fopen(path, "rb");
    *len = fread(bytes, 1, (size_t)info.st_size, file);
    fclose(file);
    return bytes;
}

/* Reads a file made of these bytes. */
static int read_bytes(const char *bytes, size_t len, const unsigned char *key, struct err *err)
{
    struct archive_reader *reader;
    struct text header, item;
    int fd = memfd_create("archive", MFD_CLOEXEC);
    assert_true(fd >= 0 && write(fd, bytes, len) == (ssize_t)len && lseek(fd, 0, SEEK_SET) == 0);
    int code = archive_open_file(&reader, fd, key, &header, err);
    while (!code && (code = archive_next(reader, &item, err)) == 0)
        ;
    archive_close(reader);
    return code;
}

static bool is_refusal(int code)
{
    return code == ERR_CORRUPT || code == ERR_VERSION || code == ERR_FORBIDDEN;
}

static void test_every_cut_and_flip(void **state)
{
    struct place place;
    struct err err = {0};
    (void)state;
    place_open(&place);
    for (int encrypted = 0; encrypted < 2; encrypted++) {
        const unsigned char *key = encrypted ? some_key : NULL;
        size_t len;
        write_file(place.path, key, 40, 60);
        char *bytes = load(place.path, &len);
        assert_int_equal(read_bytes(bytes, len, key, &err), ERR_NOT_FOUND);
        for (size_t cut = 0; cut < len; cut++)
            if (!is_refusal(read_bytes(bytes, cut, key, &err)))
                fail_msg("cut at %zu of %zu", cut, len);
        for (size_t bit = 0; bit < len * 8; bit++) {
            bytes[bit / 8] ^= (char)(1 << bit % 8);
            if (!is_refusal(read_bytes(bytes, len, key, &err)))
                fail_msg("bit %zu of byte %zu of %zu", bit % 8, bit / 8, len);
            bytes[bit / 8] ^= (char)(1 << bit % 8);
        }
        bytes = realloc(bytes, len + 1);
        bytes[len] = 0;
        assert_int_equal(read_bytes(bytes, len + 1, key, &err), ERR_CORRUPT); /* something behind the end */
        free(bytes);
    }
    folder_remove(place.folder);
}

static void test_abandon(void **state)
{
    struct archive_writer *writer;
    struct place place;
    struct err err = {0};
    char partial[160];
    (void)state;
    place_open(&place);
    snprintf(partial, sizeof(partial), "%s.partial", place.path);
    assert_int_equal(archive_create(&writer, place.path, NULL, TEXT("h"), &err), 0);
    assert_int_equal(access(partial, F_OK), 0);
    archive_abandon(writer);
    assert_int_equal(access(partial, F_OK), -1);
    assert_int_equal(access(place.path, F_OK), -1);
    assert_int_equal(archive_create(&writer, "/nowhere/at/all", NULL, TEXT("h"), &err), ERR_IO);
    folder_remove(place.folder);
}

/* A declaration goes there and back; cut anywhere it is refused. */
static void test_decl(void **state)
{
    struct store_table_decl decl = {.name = TEXT("ores"), .hash = TEXT("p"), .hash_type = ATTR_STRING, .range = TEXT("r"), .range_type = ATTR_NUMBER, .ttl = TEXT("due"), .changes = true, .counted = true, .indexes = 2};
    static struct store_table_decl back;
    struct arena arena;
    struct buf bytes;
    (void)state;
    decl.index[0] = (struct store_index_decl){.name = TEXT("one"), .key = {.part = {{TEXT("a"), ATTR_STRING}, {TEXT("b"), ATTR_NUMBER}, {TEXT("c"), ATTR_BINARY}}, .hashes = 2, .ranges = 1},
        .projection = STORE_PROJECT_INCLUDE, .include = {TEXT("x"), TEXT("y")}, .includes = 2};
    decl.index[1] = (struct store_index_decl){.name = TEXT("two"), .key = {.part = {{TEXT("z"), ATTR_STRING}}, .hashes = 1}, .counted = true};
    arena_init(&arena, 4096, 1 << 20);
    buf_init(&bytes, STORE_DECL_BYTES_MAX);
    assert_int_equal(store_decl_encode(&bytes, &decl), 0);
    assert_int_equal(store_decl_decode(&arena, buf_text(&bytes), &back), 0);
    assert_true(text_is(back.name, "ores") && text_is(back.range, "r") && text_is(back.ttl, "due") && back.changes && back.counted);
    assert_int_equal(back.indexes, 2);
    assert_true(text_is(back.index[0].include[1], "y") && text_is(back.index[0].key.part[2].name, "c") && back.index[0].key.part[2].type == ATTR_BINARY);
    assert_int_equal(back.index[0].key.hashes, 2);
    assert_true(back.index[1].counted);
    for (size_t len = 0; len < bytes.len; len++)
        assert_int_equal(store_decl_decode(&arena, text_make(bytes.data, len), &back), ERR_CORRUPT);
    buf_fini(&bytes);
    arena_fini(&arena);
}

/* Filling, recovery and followers survive a changed declaration and a restart; change records come with each of the latter two alone. */
static void test_table_state(void **state)
{
    struct fixture f;
    struct err err = {0};
    const struct store_table *table;
    struct store_table_decl decl = {.name = TEXT("items"), .hash = TEXT("id"), .hash_type = ATTR_STRING};
    (void)state;
    fixture_open(&f);
    assert_int_equal(store_table_define(f.stage, &decl, &table, &err), 0);
    assert_false(store_table_filling(table));
    assert_int_equal(store_table_recovery(table).days, 0);
    assert_int_equal(store_table_set_filling(f.stage, table, true, &err), 0);
    assert_int_equal(store_table_set_recovery(f.stage, table, (struct store_recovery){123456, 7}, &err), 0);
    assert_int_equal(store_table_set_recovery(f.stage, table, (struct store_recovery){1, 36}, &err), ERR_INVALID);
    assert_int_equal(store_table_followed_since(table), 0);
    assert_int_equal(store_table_set_followed(f.stage, table, UINT64_C(1) << 40 | 9, &err), 0);
    decl.ttl = TEXT("due");
    assert_int_equal(store_table_define(f.stage, &decl, &table, &err), 0);
    fixture_commit(&f);
    fixture_detach(&f);
    fixture_attach(&f);
    table = store_table_find(f.store, TEXT("items"));
    assert_non_null(table);
    assert_true(store_table_filling(table));
    assert_int_equal(store_table_recovery(table).days, 7);
    assert_int_equal(store_table_recovery(table).since_ms, 123456);
    assert_int_equal(store_table_followed_since(table), UINT64_C(1) << 40 | 9);
    assert_int_equal(store_table_set_filling(f.stage, table, false, &err), 0);
    struct store_save save = store_stage_save(f.stage);
    assert_int_equal(store_table_set_recovery(f.stage, table, (struct store_recovery){0}, &err), 0);
    store_stage_rollback(f.stage, save);
    assert_int_equal(store_table_recovery(table).days, 7);
    assert_false(store_table_filling(table));
    assert_int_equal(store_table_set_recovery(f.stage, table, (struct store_recovery){0}, &err), 0);
    assert_true(store_table_keeps_changes(table));
    assert_int_equal(store_table_set_followed(f.stage, table, 0, &err), 0);
    assert_false(store_table_keeps_changes(table));
    decl = (struct store_table_decl){.name = TEXT("ghosts"), .hash = TEXT("id"), .hash_type = ATTR_STRING, .volatile_rows = true};
    assert_int_equal(store_table_define(f.stage, &decl, &table, &err), 0);
    assert_int_equal(store_table_set_recovery(f.stage, table, (struct store_recovery){1, 1}, &err), ERR_INVALID);
    assert_int_equal(store_table_set_followed(f.stage, table, 1, &err), ERR_INVALID);
    fixture_commit(&f);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_every_cut_and_flip),
        cmocka_unit_test(test_abandon),
        cmocka_unit_test(test_decl),
        cmocka_unit_test(test_table_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
