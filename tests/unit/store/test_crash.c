/*
 * Crashes. A child applies records that the parent has received first, over a pipe that stands for the
 * journal; it is killed at a random moment; the parent opens what the child left on disk, replays from the
 * applied sequence, and compares everything with a model built from the same walk. What store_flushed
 * promised before the kill must hold after it. Eight rounds on the same folder, flushes at random moments.
 */
#include "fixture.h"

#include <signal.h>
#include <sys/wait.h>

enum { KEYS = 400, RECORDS_MAX = 6000 };

struct record {
    struct text bytes;
    uint64_t flushed; /* what the child said before this one */
};

static struct record journal[RECORDS_MAX + 1]; /* by sequence */
static uint64_t journal_end;

static const struct store_table *define(struct fixture *f)
{
    struct store_table_decl d = {.name = TEXT("crash"),
        .hash = TEXT("id"),
        .hash_type = ATTR_STRING,
        .range = TEXT("n"),
        .range_type = ATTR_NUMBER,
        .counted = true,
        .changes = true,
        .indexes = 1};
    const struct store_table *table;
    d.index[0] = (struct store_index_decl){.name = TEXT("ByValue"),
        .key = {.part = {{TEXT("group"), ATTR_STRING}, {TEXT("value"), ATTR_NUMBER}}, .hashes = 1, .ranges = 1},
        .counted = true};
    assert_int_equal(store_table_define(f->stage, &d, &table, NULL), 0);
    return table;
}

/* The walk is a function of the sequence alone. Values of 0 are deletions. */
static uint64_t step_seed(uint64_t sequence)
{
    return sequence * UINT64_C(0x9E3779B97F4A7C15) + 1;
}

static struct attr *item_of(struct arena *a, int key, int64_t value)
{
    struct attr *item = item_create(a);
    item_set_string(a, item, TEXT("id"), key % 2 ? TEXT("odd") : TEXT("even"));
    item_set_i64(a, item, TEXT("n"), key);
    item_set_string(a, item, TEXT("group"), TEXT("g"));
    item_set_i64(a, item, TEXT("value"), value);
    item_set_string(a, item, TEXT("padding"),
        TEXT("0123456789012345678901234567890123456789012345678901234567890123456789"));
    return item;
}

static void walk(uint64_t sequence, void (*change)(void *context, int key, int64_t value), void *context)
{
    uint64_t seed = step_seed(sequence);
    int n = 1 + (int)(random_next(&seed) % 20);
    for (int k = 0; k < n; k++) {
        int key = (int)(random_next(&seed) % KEYS);
        change(context, key, random_next(&seed) % 4 ? (int64_t)(random_next(&seed) % 1000) + 1 : 0);
    }
}

struct child {
    struct fixture *f;
    const struct store_table *table;
};

static void stage_change(void *context, int key, int64_t value)
{
    struct child *c = context;
    struct attr *item = item_of(&c->f->arena, key, value);
    int rc = value ? store_put(&c->f->view, c->table, item, 0, &c->f->arena, NULL, NULL)
                   : store_delete(&c->f->view, c->table, item, 0, &c->f->arena, NULL, NULL);
    if (rc)
        abort();
}

static void write_all(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len) {
        ssize_t n = write(fd, at, len);
        if (n <= 0)
            _exit(0);
        at += n;
        len -= (size_t)n;
    }
}

/* The child: ticks until it is killed. It is a program of its own, since RocksDB's threads do not survive a
 * fork. */
static void child_run(const char *folder, int fd, uint64_t seed)
{
    static struct fixture f;
    struct child c = {.f = &f};
    struct store_config config = {.folder = folder, .write_buffer_bytes = 256 << 10, .key = fixture_key};
    struct err err;
    strcpy(f.folder, folder);
    arena_init(&f.arena, 64 << 10, 64 << 20);
    buf_init(&f.record, 64 << 20);
    if (store_open(&f.store, &config, &err) || store_stage_create(f.store, &f.stage))
        abort();
    f.view = (struct store_view){.store = f.store, .stage = f.stage, .now_s = 1};
    c.table = define(&f);
    for (uint64_t s = store_applied(f.store) + 1; s < RECORDS_MAX; s++) {
        walk(s, stage_change, &c);
        buf_clear(&f.record);
        if (store_stage_seal(f.stage, (int64_t)s, &f.record))
            abort();
        uint64_t head[2] = {f.record.len, store_flushed(f.store)};
        write_all(fd, head, sizeof(head)); /* durable first, then applied */
        write_all(fd, f.record.data, f.record.len);
        if (store_stage_apply(f.stage, s, &err) || store_snapshot_publish(f.store))
            abort();
        store_stage_reset(f.stage);
        arena_reset(&f.arena);
        if (random_next(&seed) % 200 == 0)
            store_flush(f.store, random_next(&seed) % 2, NULL);
    }
    _exit(0);
}

static bool read_all(int fd, void *data, size_t len)
{
    char *at = data;
    while (len) {
        ssize_t n = read(fd, at, len);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* Receives records until the kill; a torn last one is dropped, as the journal drops it. */
static void parent_collect(int fd, pid_t child, uint64_t stop_after)
{
    uint64_t got = 0, head[2];
    bool killed = false;
    while (read_all(fd, head, sizeof(head))) {
        char *bytes = malloc(head[0] ? head[0] : 1);
        if (!read_all(fd, bytes, head[0])) {
            free(bytes);
            break;
        }
        assert_true(head[1] <= journal_end); /* never above what was applied */
        journal[++journal_end] = (struct record){text_make(bytes, head[0]), head[1]};
        if (++got >= stop_after && !killed) {
            kill(child, SIGKILL);
            killed = true;
        }
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void model_change(void *context, int key, int64_t value)
{
    ((int64_t *)context)[key] = value;
}

static void compare(struct fixture *f)
{
    int64_t model[KEYS] = {0}, present = 0;
    const struct store_table *table = store_table_find(f->store, TEXT("crash"));
    assert_non_null(table);
    for (uint64_t s = 1; s <= journal_end; s++)
        walk(s, model_change, model);
    for (int key = 0; key < KEYS; key++) {
        const struct attr *item;
        struct attr *want = item_of(&f->arena, key, model[key]);
        int rc = store_get(&f->view, table, want, &f->arena, &item);
        assert_int_equal(rc, model[key] ? 0 : ERR_NOT_FOUND);
        if (!rc)
            assert_true(attr_equal(item, want));
        present += model[key] != 0;
        arena_reset(&f->arena);
    }
    assert_int_equal(store_table_count(table), present);
    verify_clean(f->store);
}

static void test_crash(void **state)
{
    (void)state;
    char folder[64] = "/tmp/weir-store-XXXXXX";
    uint64_t seed = 99, recovered = 0;
    assert_non_null(mkdtemp(folder));
    for (int round = 0; round < 8; round++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            char fd[16], own_seed[32];
            snprintf(fd, sizeof(fd), "%d", fds[1]);
            snprintf(own_seed, sizeof(own_seed), "%llu", (unsigned long long)(seed + (uint64_t)round));
            close(fds[0]);
            execl("/proc/self/exe", "test_crash", folder, fd, own_seed, (char *)NULL);
            _exit(1);
        }
        close(fds[1]);
        parent_collect(fds[0], child, 50 + random_next(&seed) % 550);
        close(fds[0]);

        struct fixture f = {0};
        strcpy(f.folder, folder);
        arena_init(&f.arena, 64 << 10, 64 << 20);
        buf_init(&f.record, 1 << 20);
        fixture_attach(&f);
        uint64_t found = store_applied(f.store);
        assert_true(found <= journal_end);
        assert_true(found >= journal[journal_end].flushed); /* the promise */
        assert_int_equal(store_flushed(f.store), found);
        recovered += found > 0;
        for (uint64_t s = found + 1; s <= journal_end; s++) {
            struct err err;
            assert_int_equal(store_replay(f.store, s, journal[s].bytes, &err), 0);
            if (s % 7 == 0)
                assert_int_equal(
                    store_replay(f.store, s, journal[s].bytes, &err), 0); /* once more changes nothing */
        }
        assert_int_equal(store_applied(f.store), journal_end);
        compare(&f);
        fixture_detach(&f);
        arena_fini(&f.arena);
        buf_fini(&f.record);
    }
    assert_true(recovered >= 4); /* flushes happened, so the promise was worth something */
    for (uint64_t s = 1; s <= journal_end; s++)
        free((void *)journal[s].bytes.data);
    folder_remove(folder);
}

int main(int argc, char **argv)
{
    if (argc == 4)
        child_run(argv[1], atoi(argv[2]), strtoull(argv[3], NULL, 10));
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_crash)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
