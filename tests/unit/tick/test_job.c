/*
 * The jobs over a real journal and real tables: restores to points in time against a model that remembers every moment, with segments and stretches far smaller
 * than the history; every job broken off after each of its steps and begun anew by another copier, with writes in between; what fails is undone.
 */
#include "tick/fixture.h"

#include "store/archive.h"
#include "store/key.h"
#include "tick/job_inside.h"
#include <dirent.h>

#define KEYS 40
#define START_MS INT64_C(1700000000000)

struct moment {
    int64_t at_ms;
    int64_t value[KEYS]; /* 0: no item */
};

struct house {
    char folder[64], tables[96], records[96], backups[96];
    struct journal *journal;
    struct store *store;
    struct tick *tick;
    struct jobs *jobs;
    struct jobs_config jobs_config;
    struct tick_sink sink[2];
    uint64_t segment_bytes;
    const struct store_table *table;
    struct moment now;
    uint64_t random;
    int64_t writes;
};

/* ---- calls of the test's own source ---- */

struct test_run {
    struct tick_call base;
    struct house *house;
    struct arena arena;
    int (*body)(struct house *house, struct tick *tick, struct arena *arena, void *context);
    void *context;
    bool done;
};

static int on_run(struct tick *tick, struct tick_call *base)
{
    struct test_run *run = (struct test_run *)base;
    return run->body(run->house, tick, base->arena, run->context);
}

static void on_done(void *context, struct tick_call *base)
{
    (void)context;
    ((struct test_run *)base)->done = true;
}

static int perform_body(struct house *house, int (*body)(struct house *, struct tick *, struct arena *, void *), void *context)
{
    struct test_run run = {.base = {.run = on_run}, .house = house, .body = body, .context = context};
    arena_init(&run.arena, 4096, 64 << 20);
    run.base.arena = &run.arena;
    assert_int_equal(tick_submit(house->tick, &run.base), 0);
    tick_kick(house->tick, 0);
    until_plain((tick_drain(house->tick, 0), run.done));
    arena_fini(&run.arena);
    return run.base.code;
}

/* ---- life ---- */

static int define_body(struct house *house, struct tick *tick, struct arena *arena, void *context)
{
    struct err err = {0};
    struct store_table_decl decl = {.name = TEXT("river"), .hash = TEXT("id"), .hash_type = ATTR_STRING, .ttl = TEXT("due"), .indexes = 1};
    (void)arena;
    (void)context;
    decl.index[0] = (struct store_index_decl){.name = TEXT("byN"), .key = {.part = {{TEXT("n"), ATTR_NUMBER}}, .hashes = 1}};
    int rc = store_table_define(tick_stage(tick), &decl, &house->table, &err);
    struct store_recovery recovery = {.since_ms = START_MS, .days = 35};
    return rc || store_table_recovery(house->table).days ? rc : store_table_set_recovery(tick_stage(tick), house->table, recovery, &err);
}

static int run_define(struct tick *tick, struct tick_call *base)
{
    struct test_run *run = (struct test_run *)base;
    return define_body(run->house, tick, base->arena, NULL);
}

static void jobs_begin(struct house *house, unsigned steps)
{
    struct err err = {0};
    house->jobs_config.store = house->store;
    house->jobs_config.journal = house->journal;
    house->jobs_config.folder = house->backups;
    house->jobs_config.steps = steps;
    must(jobs_create(&house->jobs, &house->jobs_config, &err), &err);
}

static void house_open(struct house *house, unsigned steps)
{
    struct err err = {0};
    uint64_t replayed;
    struct test_run define = {.base = {.run = run_define}, .house = house};
    struct store_config store = {.folder = house->tables, .cache_bytes = 8 << 20, .write_buffer_bytes = 1 << 20};
    must(store_open(&house->store, &store, &err), &err);
    struct journal_config journal = {.folder = house->records, .segment_bytes = house->segment_bytes, .known_durable = store_applied(house->store)};
    must(journal_open(&house->journal, &journal, &err), &err);
    must(tick_recover(house->store, house->journal, &replayed, &err), &err);
    jobs_begin(house, steps);
    house->sink[0] = (struct tick_sink){.on_done = on_done};
    jobs_sink(house->jobs, &house->sink[1]);
    struct tick_config config = {.store = house->store, .journal = house->journal, .sources = 2, .sinks = house->sink};
    must(tick_create(&house->tick, &config, &err), &err);
    jobs_attach(house->jobs, house->tick, 1);
    must(tick_run_now(house->tick, &define.base, &err), &err);
    must(tick_start(house->tick, &err), &err);
    must(jobs_start(house->jobs, &err), &err);
}

static void house_shut(struct house *house)
{
    jobs_stop(house->jobs);
    tick_stop(house->tick);
    while (tick_drain(house->tick, 0) > 0)
        ;
    tick_destroy(house->tick);
    jobs_destroy(house->jobs);
    journal_close(house->journal);
    store_close(house->store);
}

static struct house *house_new(uint64_t segment_bytes, size_t stretch_bytes)
{
    struct house *house = calloc(1, sizeof(*house));
    assert_non_null(house);
    log_level_set(LOG_ERROR + 1);
    strcpy(house->folder, "/tmp/weir-job-XXXXXX");
    assert_non_null(mkdtemp(house->folder));
    snprintf(house->tables, sizeof(house->tables), "%s/tables", house->folder);
    snprintf(house->records, sizeof(house->records), "%s/journal", house->folder);
    snprintf(house->backups, sizeof(house->backups), "%s/backups", house->folder);
    house->segment_bytes = segment_bytes;
    house->jobs_config.stretch_bytes = stretch_bytes;
    house->random = 88172645463325252u;
    house->now.at_ms = START_MS;
    clock_freeze(START_MS);
    house_open(house, 0);
    return house;
}

static void house_free(struct house *house)
{
    char command[128];
    house_shut(house);
    snprintf(command, sizeof(command), "rm -rf '%s'", house->folder);
    assert_int_equal(system(command), 0);
    free(house);
    clock_freeze(-1);
}

/* ---- writes, and the model of them ---- */

static uint64_t pick(struct house *house, uint64_t below)
{
    house->random ^= house->random << 13;
    house->random ^= house->random >> 7;
    house->random ^= house->random << 17;
    return house->random % below;
}

static int write_body(struct house *house, struct tick *tick, struct arena *arena, void *context)
{
    const int64_t *what = context; /* key, value, and once more */
    for (int i = 0; i < 2; i++) {
        char id[16], filler[300];
        struct attr *item = item_create(arena);
        snprintf(id, sizeof(id), "k%lld", (long long)what[2 * i]);
        memset(filler, 'x', sizeof(filler));
        item_set_string(arena, item, TEXT("id"), arena_copy(arena, text_of(id)));
        int64_t value = what[2 * i + 1];
        if (value) {
            item_set_i64(arena, item, TEXT("n"), value);
            item_set_string(arena, item, TEXT("filler"), arena_copy(arena, text_make(filler, (size_t)(value % 300))));
        }
        int rc = value ? store_put(tick_view(tick), house->table, item, 0, arena, NULL, NULL) : store_delete(tick_view(tick), house->table, item, 0, arena, NULL, NULL);
        if (rc)
            return rc;
    }
    return 0;
}

/* Two changes in one tick; time goes on by a few milliseconds, or not at all. */
static void write_some(struct house *house)
{
    int64_t what[4];
    for (int i = 0; i < 2; i++) {
        what[2 * i] = (int64_t)pick(house, KEYS);
        what[2 * i + 1] = pick(house, 4) ? ++house->writes : 0;
    }
    if (pick(house, 3) == 0)
        what[2] = what[0]; /* the same key twice in one record */
    assert_int_equal(perform_body(house, write_body, what), 0);
    for (int i = 0; i < 2; i++)
        house->now.value[what[2 * i]] = what[2 * i + 1];
}

static void time_goes_on(struct house *house)
{
    house->now.at_ms += 1 + (int64_t)pick(house, 2000);
    clock_freeze(house->now.at_ms);
}

/* ---- jobs ---- */

struct order {
    struct job job;
    const char *target;
    struct text from;
};

static int order_body(struct house *house, struct tick *tick, struct arena *arena, void *context)
{
    struct order *order = context;
    struct job *job = &order->job;
    struct err err = {0};
    (void)arena;
    job->source = TEXT("river");
    job->source_id = store_table_id(house->table);
    if (order->target) {
        struct store_table_decl decl = *store_table_decl(house->table);
        const struct store_table *table;
        decl.name = text_of(order->target);
        decl.ttl = TEXT_NONE;
        int rc = store_table_define(tick_stage(tick), &decl, &table, &err);
        if (!rc)
            rc = store_table_set_filling(tick_stage(tick), table, true, &err);
        if (!rc)
            rc = store_raw_put(tick_stage(tick), STORE_SPACE_TEST, text_of(order->target), TEXT("beside"));
        if (rc)
            return rc;
        job->target = text_of(order->target);
        job->target_id = store_table_id(table);
        job->undo_space = STORE_SPACE_TEST;
        job->undo_key = text_of(order->target);
    }
    return job_stage(house->jobs, tick, job);
}

static void view_begin(struct house *house, struct store_view *view)
{
    *view = (struct store_view){.store = house->store, .snapshot = store_snapshot_acquire(house->store, 0), .now_s = clock_wall_ms() / 1000};
}

static int count_one(void *context, const struct job *job)
{
    (void)job;
    ++*(int *)context;
    return 0;
}

static int pending(struct house *house)
{
    struct store_view view;
    struct arena arena;
    int count = 0;
    arena_init(&arena, 4096, 64 << 20);
    view_begin(house, &view);
    assert_int_equal(job_scan_pending(&view, &arena, count_one, &count), 0);
    store_snapshot_release(house->store, 0);
    arena_fini(&arena);
    return count;
}

static bool row_beside(struct house *house, const char *target)
{
    struct store_view view;
    struct arena arena;
    struct text value;
    arena_init(&arena, 4096, 64 << 10);
    view_begin(house, &view);
    int rc = store_raw_get(&view, STORE_SPACE_TEST, text_of(target), &arena, &value);
    store_snapshot_release(house->store, 0);
    arena_fini(&arena);
    return rc == 0;
}

/* The table holds exactly the moment's items, and its index too. */
static void check_table(struct house *house, const char *name, const struct moment *moment)
{
    const struct store_table *table = store_table_find(house->store, text_of(name));
    struct store_view view;
    struct arena arena;
    int expected = 0;
    assert_non_null(table);
    assert_false(store_table_filling(table));
    arena_init(&arena, 64 << 10, 64 << 20);
    view_begin(house, &view);
    for (int k = 0; k < KEYS; k++) {
        const struct attr *item = NULL;
        int64_t n = 0;
        char id[16];
        snprintf(id, sizeof(id), "k%d", k);
        struct attr *key = item_create(&arena);
        item_set_string(&arena, key, TEXT("id"), text_of(id));
        int rc = store_get(&view, table, key, &arena, &item);
        if (rc == 0)
            attr_to_i64(item_get(item, TEXT("n")), &n);
        if (n != moment->value[k])
            fail_msg("%s %s: %lld instead of %lld", name, id, (long long)n, (long long)moment->value[k]);
        expected += moment->value[k] != 0;
        if (!n)
            continue;
        struct store_query query = {.table = table, .index = store_index_find(table, TEXT("byN")), .hash = {item_get(item, TEXT("n"))}};
        struct store_cursor *cursor;
        const struct attr *entry;
        assert_int_equal(store_query_open(&view, &query, &arena, &cursor, NULL), 0);
        assert_int_equal(store_cursor_next(cursor, &arena, &entry), 0);
        assert_int_equal(store_cursor_next(cursor, &arena, &entry), ERR_NOT_FOUND);
        store_cursor_close(cursor);
    }
    assert_int_equal(store_table_count(table), expected);
    store_snapshot_release(house->store, 0);
    arena_fini(&arena);
}

static void order_rewind(struct house *house, const char *target, int64_t time_ms)
{
    struct order order = {.job = {.kind = JOB_REWIND, .time_ms = time_ms}, .target = target};
    assert_int_equal(perform_body(house, order_body, &order), 0);
}

static struct text order_backup(struct house *house, char id[JOB_ID_TEXT + 1])
{
    struct order order = {.job = {.kind = JOB_BACKUP, .name = TEXT("first"), .about = TEXT("{}")}};
    assert_int_equal(perform_body(house, order_body, &order), 0);
    memcpy(id, order.job.id, JOB_ID_TEXT + 1);
    return text_of(id);
}

/* ---- exports and imports, in a form of the test's own: one text of all items ---- */

static char file_text[1 << 20];
static size_t file_len, file_at;
static char file_folder[JOBS_PATH_SIZE];
static bool file_whole;

static int form_begin(void **out, const char *folder, struct err *err)
{
    (void)err;
    snprintf(file_folder, sizeof(file_folder), "%s", folder);
    file_len = 0;
    file_whole = false;
    *out = file_text;
    return 0;
}

static int form_item(void *context, struct text json, struct err *err)
{
    (void)context;
    (void)err;
    assert_true(file_len + json.len + 1 < sizeof(file_text));
    memcpy(file_text + file_len, json.data, json.len);
    file_len += json.len;
    file_text[file_len++] = '\n';
    return 0;
}

static int form_end(void *context, const struct job *job, struct err *err)
{
    (void)context;
    (void)err;
    assert_true(job->kind == JOB_EXPORT);
    file_whole = true;
    return 0;
}

static void form_abandon(void *context)
{
    (void)context;
}

static int read_begin(void **out, const char *folder, struct err *err)
{
    (void)folder;
    (void)err;
    file_at = 0;
    *out = file_text;
    return 0;
}

static int read_next(void *context, struct text *json, struct err *err)
{
    (void)context;
    (void)err;
    if (file_at == file_len)
        return ERR_NOT_FOUND;
    char *end = memchr(file_text + file_at, '\n', file_len - file_at);
    *json = text_make(file_text + file_at, (size_t)(end - file_text) - file_at);
    file_at += json->len + 1;
    return text_is(*json, "?") ? ERR_SYNTAX : 0;
}

static const struct job_forms forms = {.export_begin = form_begin, .export_item = form_item, .export_end = form_end, .export_abandon = form_abandon, .import_begin = read_begin,
    .import_next = read_next, .import_end = form_abandon};

/* ---- the tests ---- */

#define MOMENTS 14

static void any_moment(uint64_t segment_bytes, size_t stretch_bytes)
{
    struct house *house = house_new(segment_bytes, stretch_bytes);
    struct moment moment[MOMENTS];
    for (int i = 0; i < MOMENTS; i++) {
        for (uint64_t n = 10 + pick(house, 60); n > 0; n--) {
            write_some(house);
            if (pick(house, 2))
                time_goes_on(house);
        }
        moment[i] = house->now;
        house->now.at_ms++; /* what comes is later than the moment */
        clock_freeze(house->now.at_ms);
        if (i % 5 == 4) {
            house_shut(house);
            house_open(house, 0);
        }
    }
    for (int i = 0; i < MOMENTS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "moment-%d", i);
        order_rewind(house, name, moment[i].at_ms);
        until_plain(pending(house) == 0);
        check_table(house, name, &moment[i]);
        write_some(house); /* the present is another one each time */
    }
    house_free(house);
}

static void test_any_moment(void **state)
{
    (void)state;
    any_moment(16 << 10, 2 << 10); /* many segments, several stretches in each */
    any_moment(1 << 20, 4 << 10);  /* one segment, many stretches */
    any_moment(1 << 20, 0);        /* all at once */
}

/* A copier that stops after `steps` calls, then another one: whatever was done, the end is the same. */
static void test_broken_off(void **state)
{
    struct house *house = house_new(16 << 10, 2 << 10);
    char id[JOB_ID_TEXT + 1], name[32];
    int unfinished = 0, finished = 0;
    (void)state;
    for (int i = 0; i < 300; i++) {
        write_some(house);
        time_goes_on(house);
    }
    for (unsigned steps = 1; steps <= 12; steps++) {
        struct moment then = house->now;
        house->now.at_ms++;
        clock_freeze(house->now.at_ms);
        struct text backup = order_backup(house, id);
        until_plain(pending(house) == 0); /* of `then` */
        for (int i = 0; i < 40; i++)
            write_some(house);
        house_shut(house);
        house_open(house, steps);
        snprintf(name, sizeof(name), "back-%u", steps);
        order_rewind(house, name, then.at_ms);
        snprintf(name, sizeof(name), "copy-%u", steps);
        struct order restore = {.job = {.kind = JOB_RESTORE, .from = backup}, .target = name};
        assert_int_equal(perform_body(house, order_body, &restore), 0);
        until_plain(jobs_stopping(house->jobs) || pending(house) == 0);
        int left = pending(house);
        unfinished += left > 0;
        finished += left == 0;
        for (int i = 0; i < 20; i++)
            write_some(house);
        house_shut(house);
        house_open(house, 0);
        until_plain(pending(house) == 0);
        check_table(house, name, &then);
        snprintf(name, sizeof(name), "back-%u", steps);
        check_table(house, name, &then);
    }
    assert_true(unfinished > 0 && finished > 0);
    house_free(house);
}

/* The past is exported by a scratch table: nothing of it stays, wherever the copier was broken off. What was exported is imported again. */
static void test_exchange(void **state)
{
    struct house *house = house_new(16 << 10, 2 << 10);
    char exchange[128], name[32];
    (void)state;
    snprintf(exchange, sizeof(exchange), "%s/exchange", house->folder);
    house_shut(house);
    house->jobs_config.exchange = exchange;
    house->jobs_config.forms = &forms;
    house_open(house, 0);
    for (int i = 0; i < 200; i++) {
        write_some(house);
        time_goes_on(house);
    }
    for (unsigned steps = 2; steps <= 9; steps++) {
        struct moment then = house->now;
        house->now.at_ms++;
        clock_freeze(house->now.at_ms);
        for (int i = 0; i < 30; i++)
            write_some(house);
        house_shut(house);
        house_open(house, steps);
        file_whole = false;
        struct order export = {.job = {.kind = JOB_EXPORT, .time_ms = then.at_ms, .path = TEXT("bucket/some where/x"), .about = TEXT("{}")}};
        assert_int_equal(perform_body(house, order_body, &export), 0);
        until_plain(jobs_stopping(house->jobs) || pending(house) == 0);
        house_shut(house);
        house_open(house, 0);
        until_plain(pending(house) == 0);
        assert_true(file_whole && strstr(file_folder, "/exchange/bucket/some where/x"));
        assert_int_equal(access(file_folder, W_OK), 0);
        const struct store_table *table = store_table_next(house->store, NULL);
        for (; table; table = store_table_next(house->store, table))
            assert_false(text_starts(store_table_name(table), TEXT(JOB_SCRATCH)));
        static const char left_out[] = "?\n{\"id\":{\"N\":\"1\"}}\n";
        memcpy(file_text + file_len, left_out, sizeof(left_out) - 1);
        file_len += sizeof(left_out) - 1;
        snprintf(name, sizeof(name), "in-%u", steps);
        struct order import = {.job = {.kind = JOB_IMPORT, .path = TEXT("bucket/some where/x"), .about = TEXT("{}")}, .target = name};
        assert_int_equal(perform_body(house, order_body, &import), 0);
        until_plain(pending(house) == 0);
        check_table(house, name, &then);
    }
    house_free(house);
}

static int count_all(struct house *house)
{
    struct store_view view;
    struct arena arena;
    int count = 0;
    arena_init(&arena, 4096, 64 << 20);
    view_begin(house, &view);
    assert_int_equal(job_scan(&view, &arena, TEXT_NONE, count_one, &count), 0);
    store_snapshot_release(house->store, 0);
    arena_fini(&arena);
    return count;
}

/* Imports are forgotten after 90 days, also when nobody asks for anything; backups are not. */
static void test_old(void **state)
{
    struct house *house = house_new(64 << 10, 0);
    char id[JOB_ID_TEXT + 1];
    (void)state;
    write_some(house);
    for (int i = 0; i < 70; i++) {
        struct order import = {.job = {.kind = JOB_IMPORT, .path = TEXT("nowhere"), .about = TEXT("{}")}};
        assert_int_equal(perform_body(house, order_body, &import), 0);
        until_plain(pending(house) == 0);
    }
    order_backup(house, id);
    until_plain(pending(house) == 0);
    assert_int_equal(count_all(house), 71);
    clock_freeze(house->now.at_ms + 89 * DAY_MS);
    struct order late = {.job = {.kind = JOB_IMPORT, .path = TEXT("nowhere"), .about = TEXT("{}")}};
    assert_int_equal(perform_body(house, order_body, &late), 0);
    until_plain(pending(house) == 0); /* so it has looked at what is old, too */
    assert_int_equal(count_all(house), 72);
    clock_freeze(house->now.at_ms + 91 * DAY_MS);
    jobs_wake(house->jobs);
    until_plain((jobs_wake(house->jobs), usleep(1000), count_all(house) == 2)); /* the backup, and the late one */
    house_free(house);
}

static void test_paths(void **state)
{
    (void)state;
    assert_true(job_path_is_valid(TEXT("a")) && job_path_is_valid(TEXT("a/b c/d.e")) && job_path_is_valid(TEXT("a/")));
    static const char *const bad[] = {"", "/", "/a", "..", ".", "a/..", "a/./b", "../a", "a//b", "a\\b", "a/\x01", "a\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (job_path_is_valid(text_of(bad[i])))
            fail_msg("'%s' passes", bad[i]);
    assert_false(job_path_is_valid(text_make("a\0b", 3)));
}

static void test_backup_is_a_snapshot(void **state)
{
    struct house *house = house_new(64 << 10, 0);
    char id[JOB_ID_TEXT + 1], path[JOBS_PATH_SIZE];
    struct archive_reader *reader;
    struct text header, item;
    struct arena arena;
    struct job job;
    struct err err = {0};
    (void)state;
    for (int i = 0; i < 100; i++)
        write_some(house);
    order_backup(house, id);
    until_plain(pending(house) == 0);
    jobs_path(house->jobs, id, path);
    must(archive_open(&reader, path, NULL, &header, &err), &err);
    arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(job_decode(&arena, header, &job), 0);
    assert_string_equal(job.id, id);
    assert_true(text_is(job.name, "first"));
    int found = 0, rc;
    while ((rc = archive_next(reader, &item, &err)) == 0)
        found++;
    assert_int_equal(rc, ERR_NOT_FOUND);
    assert_int_equal(found, store_table_count(house->table));
    archive_close(reader);
    arena_fini(&arena);
    house_free(house);
}

static int remove_body(struct house *house, struct tick *tick, struct arena *arena, void *context)
{
    struct job job;
    int rc = job_get(tick_view(tick), arena, text_of(context), &job);
    return rc ? rc : job_remove(house->jobs, tick, &job);
}

static void test_removal(void **state)
{
    struct house *house = house_new(64 << 10, 0);
    char id[JOB_ID_TEXT + 1], path[JOBS_PATH_SIZE];
    (void)state;
    write_some(house);
    order_backup(house, id);
    until_plain(pending(house) == 0);
    jobs_path(house->jobs, id, path);
    assert_int_equal(access(path, R_OK), 0);
    assert_int_equal(perform_body(house, remove_body, id), 0);
    until_plain(pending(house) == 0);
    assert_int_equal(access(path, R_OK), -1);
    assert_int_equal(perform_body(house, remove_body, id), ERR_NOT_FOUND);
    house_free(house);
}

/* What cannot be done leaves nothing behind. */
static void test_failure(void **state)
{
    struct house *house = house_new(64 << 10, 0);
    char id[JOB_ID_TEXT + 1], path[JOBS_PATH_SIZE];
    (void)state;
    for (int i = 0; i < 50; i++)
        write_some(house);
    struct text backup = order_backup(house, id);
    until_plain(pending(house) == 0);
    jobs_path(house->jobs, id, path);
    assert_int_equal(truncate(path, 200), 0);
    int64_t failed = counter_read(COUNTER_jobs_failed);
    struct order restore = {.job = {.kind = JOB_RESTORE, .from = backup}, .target = "never"};
    assert_int_equal(perform_body(house, order_body, &restore), 0);
    until_plain(pending(house) == 0);
    assert_null(store_table_find(house->store, TEXT("never")));
    assert_false(row_beside(house, "never"));
    until_plain(counter_read(COUNTER_jobs_failed) == failed + 1);
    house_free(house);
}

/* What the journal has forgotten cannot be restored, and is not restored wrongly; what it holds can. */
static void test_forgotten(void **state)
{
    struct house *house = house_new(16 << 10, 0);
    (void)state;
    for (int i = 0; i < 100; i++)
        write_some(house);
    int64_t old_ms = house->now.at_ms;
    assert_true(tick_journal_since_ms(house->tick) == INT64_MIN);
    for (int day = 0; day < 40; day++) {
        house->now.at_ms += DAY_MS;
        clock_freeze(house->now.at_ms);
        for (int i = 0; i < 20; i++)
            write_some(house);
    }
    house_shut(house); /* the tables are flushed */
    house_open(house, 0);
    until_plain((tick_wake(house->tick), write_some(house), house->now.at_ms += SECOND_MS, clock_freeze(house->now.at_ms), tick_journal_since_ms(house->tick) > old_ms));
    int64_t failed = counter_read(COUNTER_jobs_failed), since_ms = tick_journal_since_ms(house->tick);
    assert_true(since_ms >= house->now.at_ms - 36 * DAY_MS && since_ms <= house->now.at_ms - 30 * DAY_MS);
    order_rewind(house, "never", old_ms);
    until_plain(pending(house) == 0);
    assert_null(store_table_find(house->store, TEXT("never")));
    until_plain(counter_read(COUNTER_jobs_failed) == failed + 1);
    struct moment then = house->now;
    house->now.at_ms++;
    clock_freeze(house->now.at_ms);
    write_some(house);
    order_rewind(house, "then", then.at_ms);
    until_plain(pending(house) == 0);
    check_table(house, "then", &then);
    house_free(house);
}

static int drop_body(struct house *house, struct tick *tick, struct arena *arena, void *context)
{
    struct job *job = context;
    (void)arena;
    const struct store_table *table = store_table_find(house->store, TEXT("never"));
    int rc = table ? store_table_drop(tick_stage(tick), table, NULL) : ERR_NOT_FOUND;
    return rc ? rc : job_cancel(tick, job);
}

/* The target is dropped while the job waits: nothing comes back, nothing fails. */
static void test_cancel(void **state)
{
    struct house *house = house_new(64 << 10, 0);
    (void)state;
    for (int i = 0; i < 50; i++)
        write_some(house);
    house_shut(house);
    house_open(house, 1); /* it stops at its first call */
    struct order order = {.job = {.kind = JOB_REWIND, .time_ms = house->now.at_ms}, .target = "never"};
    assert_int_equal(perform_body(house, order_body, &order), 0);
    assert_int_equal(pending(house), 1);
    int64_t failed = counter_read(COUNTER_jobs_failed);
    assert_int_equal(perform_body(house, drop_body, &order.job), 0);
    house_shut(house);
    house_open(house, 0);
    until_plain(pending(house) == 0);
    assert_null(store_table_find(house->store, TEXT("never")));
    assert_int_equal(counter_read(COUNTER_jobs_failed), failed);
    house_free(house);
}

static void test_bound(void **state)
{
    struct house *house = house_new(64 << 10, 0);
    (void)state;
    write_some(house);
    house_shut(house);
    house_open(house, 1);
    for (int i = 0; i < JOBS_PENDING_MAX; i++) {
        struct order order = {.job = {.kind = JOB_BACKUP}};
        assert_int_equal(perform_body(house, order_body, &order), 0);
    }
    struct order more = {.job = {.kind = JOB_BACKUP}};
    assert_int_equal(perform_body(house, order_body, &more), ERR_FULL);
    house_shut(house);
    house_open(house, 0);
    until_plain(pending(house) == 0);
    house_free(house);
}

/* A partial file of an earlier run is removed; what is not ours stays. */
static void test_leftovers(void **state)
{
    struct house *house = house_new(64 << 10, 0);
    char partial[160], other[160], id[JOB_ID_TEXT + 1];
    (void)state;
    write_some(house);
    order_backup(house, id);
    until_plain(pending(house) == 0);
    snprintf(partial, sizeof(partial), "%s/%s.backup.partial", house->backups, id);
    snprintf(other, sizeof(other), "%s/notes", house->backups);
    fclose(fopen(partial, "w"));
    fclose(fopen(other, "w"));
    house_shut(house);
    house_open(house, 0);
    until_plain(access(partial, F_OK) != 0);
    assert_int_equal(access(other, F_OK), 0);
    house_free(house);
}

static void test_rows(void **state)
{
    struct job job = {.id = "01700000000000-0000abcd", .kind = JOB_RESTORE, .state = JOB_WAITING, .name = TEXT("n"), .source = TEXT("s"), .source_id = 7, .target = TEXT("t"),
        .target_id = 8, .from = TEXT("f"), .path = TEXT("p"), .created_ms = 1, .ended_ms = 2, .time_ms = 3, .sequence = 4, .items = 5, .item_bytes = 6, .file_bytes = 7,
        .errors = 8, .decl = TEXT("d"), .about = TEXT("{}"), .reason = TEXT("r"), .undo_space = 10, .undo_key = TEXT("u")};
    struct job back;
    struct arena arena;
    struct buf bytes;
    (void)state;
    arena_init(&arena, 4096, 1 << 20);
    buf_init(&bytes, 4096);
    assert_int_equal(job_encode(&bytes, &job), 0);
    assert_int_equal(job_decode(&arena, buf_text(&bytes), &back), 0);
    assert_string_equal(back.id, job.id);
    assert_int_equal(back.errors, 8);
    assert_int_equal(back.undo_space, 10);
    assert_true(text_is(back.undo_key, "u") && text_is(back.reason, "r") && text_is(back.target, "t"));
    for (size_t len = 0; len < bytes.len; len++)
        assert_int_equal(job_decode(&arena, text_make(bytes.data, len), &back), ERR_CORRUPT);
    assert_true(job_id_is_valid(TEXT("01700000000000-0000abcd")));
    assert_false(job_id_is_valid(TEXT("01700000000000-0000ABCD")));
    assert_false(job_id_is_valid(TEXT("01700000000000/0000abcd")));
    assert_false(job_id_is_valid(TEXT("../../../../../etc/pass")));
    assert_false(job_id_is_valid(TEXT("")));
    buf_fini(&bytes);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_moment),
        cmocka_unit_test(test_broken_off),
        cmocka_unit_test(test_exchange),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_old),
        cmocka_unit_test(test_backup_is_a_snapshot),
        cmocka_unit_test(test_removal),
        cmocka_unit_test(test_failure),
        cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_leftovers),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
