/*
 * The kill -9 proof. A child runs a journal, tables and a tick in a temporary folder, executes random writes and reports each acknowledgement
 * through a pipe; the parent kills it at a random moment (also while it is still recovering), and a second child opens the folder
 * and checks:
 *
 *   - every acknowledged write is there, with the value that was acknowledged, and its change is in the journal record of the acknowledged sequence
 *   - nothing was announced that is not written: acknowledged totals are never ahead of the stored ones
 *   - a call is all or nothing: the total equals the number of items; failed calls left nothing
 *   - sequences have no gap, each item was inserted by exactly one record
 *   - deferred calls have their effect at most once, and after a quiet end exactly once
 *   - rows of volatile tables are gone; the integrity check finds nothing
 *
 * The parent never opens the data, so a fork copies no threads. WEIR_SOAK=1: 200 rounds and a replay of 64 MB under two seconds.
 * WEIR_SEED repeats a run (as far as the machine's timing allows).
 */
#include "base/clock.h"
#include "base/log.h"
#include "tick/tick.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUND_WRITES = 4000, ROUNDS_PER_FOLDER = 20, NUMBERS = ROUND_WRITES * ROUNDS_PER_FOLDER, WINDOW = 96, LARGE_WINDOW = 64 };
enum { VALUE_MAX = 1500, LARGE_VALUE = 8000 };
#define REPLAY_BYTES (UINT64_C(64) << 20)
#define REPLAY_MAX_MS 2000

#define CHECK(x, ...)                                                                                                                  \
    do {                                                                                                                                      \
        if (!(x)) {                                                                                                                           \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #x);                                                                           \
            fprintf(stderr, __VA_ARGS__);                                                                                                     \
            fprintf(stderr, "\n");                                                                                                            \
            exit(1);                                                                                                                          \
        }                                                                                                                                     \
    } while (0)

struct ack {
    uint64_t sequence;
    int64_t total;
    uint32_t number;
    uint32_t last; /* the round is over */
};

static char folder[64], tables_folder[96], journal_folder[96];
static struct ack acked[NUMBERS];
static int64_t total_seen; /* the highest total that was announced */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool fails(uint32_t number)
{
    return number % 13 == 0;
}

static bool defers(uint32_t number)
{
    return number % 10 == 3 && !fails(number);
}

/* ---- the server ---- */

struct server {
    struct store *store;
    struct journal *journal;
    struct tick *tick;
    struct loop *loop;
    struct tick_sink sink;
    const struct store_table *writes, *totals, *laters, *ghosts;
    int pipe;
    uint32_t first, submitted, done, window;
    size_t value_max;
    int64_t recover_ms;
    uint64_t replayed;
};

struct write_call {
    struct tick_call call;
    struct server *server;
    struct arena arena;
    uint32_t number;
    bool busy;
};

static struct attr *item_of(struct arena *arena, const char *prefix, uint32_t number)
{
    struct attr *item = item_create(arena);
    struct text id = arena_format(arena, "%s%u", prefix, number);
    CHECK(item && id.data && item_set_string(arena, item, TEXT("id"), id), "memory");
    return item;
}

static int read_number(struct store_view *view, const struct store_table *table, const struct attr *key, struct arena *arena, int64_t *value)
{
    const struct attr *item = NULL;
    *value = 0;
    int rc = store_get(view, table, key, arena, &item);
    if (rc != 0)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    return attr_to_i64(item_get(item, TEXT("n")), value);
}

static int add_one(struct tick *tick, const struct store_table *table, struct attr *item, struct arena *arena, int64_t *value)
{
    int rc = read_number(tick_view(tick), table, item, arena, value);
    if (rc != 0)
        return rc;
    ++*value;
    item_set_i64(arena, item, TEXT("n"), *value);
    return store_put(tick_view(tick), table, item, 0, arena, NULL, NULL);
}

static int put_write(struct tick *tick, struct write_call *call)
{
    struct server *s = call->server;
    static const char filler[LARGE_VALUE] = {'x'};
    struct attr *item = item_of(&call->arena, "w", call->number);
    item_set_i64(&call->arena, item, TEXT("n"), call->number);
    size_t len = s->value_max == LARGE_VALUE ? LARGE_VALUE : (size_t)rand() % s->value_max;
    item_set_string(&call->arena, item, TEXT("v"), text_make(filler, len));
    int rc = store_put(tick_view(tick), s->writes, item, STORE_IF_ABSENT, &call->arena, NULL, NULL);
    return rc != 0 ? rc : store_put(tick_view(tick), s->ghosts, item, 0, &call->arena, NULL, NULL);
}

static int run_write(struct tick *tick, struct tick_call *base)
{
    struct write_call *call = (struct write_call *)base;
    struct server *s = call->server;
    struct ack *ack = calloc(1, sizeof(*ack));
    CHECK(ack, "memory");
    *ack = (struct ack){.number = call->number, .sequence = tick_sequence(tick)};
    if (tick_emit(tick, 0, ack, sizeof(*ack)) != 0) {
        free(ack);
        return ERR_MEMORY;
    }
    int rc = put_write(tick, call);
    if (rc == 0)
        rc = add_one(tick, s->totals, item_of(&call->arena, "t", 0), &call->arena, &ack->total);
    if (rc == 0 && defers(call->number)) {
        struct text payload = arena_format(&call->arena, "%u", call->number);
        rc = tick_later(tick, rand() % 30, TEXT("later"), payload, 1000, 1, NULL);
    }
    return rc != 0 ? rc : fails(call->number) ? ERR_CONDITION : 0;
}

/* Fails now and then: a retry must not count twice. */
static int on_deferred(void *context, struct tick *tick, struct tick_call *call, struct text name, struct text payload)
{
    struct server *s = context;
    uint64_t number = 0;
    int64_t value;
    (void)name;
    int rc = text_to_u64(payload, UINT32_MAX, &number);
    if (rc == 0)
        rc = add_one(tick, s->laters, item_of(call->arena, "l", (uint32_t)number), call->arena, &value);
    return rc != 0 ? rc : rand() % 4 == 0 ? ERR_AGAIN : 0;
}

static void send_ack(const struct server *s, const struct ack *ack)
{
    if (write(s->pipe, ack, sizeof(*ack)) != (ssize_t)sizeof(*ack))
        _exit(3);
}

static void deliver(void *context, void *effect)
{
    send_ack(context, effect);
    free(effect);
}

static void on_done(void *context, struct tick_call *base)
{
    struct server *s = context;
    struct write_call *call = (struct write_call *)base;
    CHECK(base->code == (fails(call->number) ? ERR_CONDITION : 0), "call %u answered %s", call->number, err_name(base->code));
    call->busy = false;
    arena_reset(&call->arena);
    s->done++;
}

static int drain(void *context)
{
    struct server *s = context;
    return tick_drain(s->tick, 0);
}

static int define(struct tick *tick, struct tick_call *base)
{
    struct server *s = ((struct write_call *)base)->server;
    struct store_table_decl decl = {.hash = TEXT("id"), .hash_type = ATTR_STRING};
    const struct {
        const char *name;
        const struct store_table **table;
        bool changes, ghosts;
    } wanted[] = {{"writes", &s->writes, true, false}, {"totals", &s->totals, false, false}, {"laters", &s->laters, false, false},
        {"ghosts", &s->ghosts, false, true}};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        decl.name = text_of(wanted[i].name);
        decl.changes = wanted[i].changes;
        decl.volatile_rows = wanted[i].ghosts;
        int rc = store_table_define(tick_stage(tick), &decl, wanted[i].table, NULL);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static void open_data(struct server *s, size_t write_buffer)
{
    struct err err = {0};
    int64_t began = now_ms();
    struct store_config store = {.folder = tables_folder, .cache_bytes = 8 << 20, .write_buffer_bytes = write_buffer};
    CHECK(store_open(&s->store, &store, &err) == 0, "%s", err.text);
    struct journal_config journal = {.folder = journal_folder, .segment_bytes = 16 << 20, .recycle_max = 2, .known_durable = store_applied(s->store)};
    CHECK(journal_open(&s->journal, &journal, &err) == 0, "%s", err.text);
    CHECK(tick_recover(s->store, s->journal, &s->replayed, &err) == 0, "%s", err.text);
    s->recover_ms = now_ms() - began;
}

static void start_server(struct server *s)
{
    struct err err = {0};
    struct write_call call = {.server = s, .call = {.run = define}};
    s->sink = (struct tick_sink){.context = s, .loop = s->loop, .deliver = deliver, .on_done = on_done};
    CHECK(loop_create(&s->loop, &err) == 0, "%s", err.text);
    s->sink.loop = s->loop;
    open_data(s, 1 << 20); /* flushes happen all the time, so kills meet them too */
    struct tick_config config = {.store = s->store, .journal = s->journal, .sources = 1, .sinks = &s->sink, .effect_drop = free,
        .on_deferred = on_deferred, .context = s, .expiry = true, .calls_max = 32};
    CHECK(tick_create(&s->tick, &config, &err) == 0, "%s", err.text);
    CHECK(tick_run_now(s->tick, &call.call, &err) == 0, "%s", err.text);
    CHECK(tick_start(s->tick, &err) == 0, "%s", err.text);
    CHECK(loop_inbox_add(s->loop, drain, s) == 0, "inbox");
}

static void submit_some(struct server *s, struct write_call *calls, uint32_t limit)
{
    for (uint32_t i = 0; i < s->window && s->submitted < limit; i++) {
        struct write_call *call = &calls[i];
        if (call->busy)
            continue;
        call->number = s->first + s->submitted;
        CHECK(tick_submit(s->tick, &call->call) == 0, "submit");
        call->busy = true;
        s->submitted++;
    }
    tick_kick(s->tick, 0);
}

/* Writes until it is killed, or until its numbers are used up. */
static void run_server(uint32_t first, uint32_t limit, size_t value_max, int pipe)
{
    static struct write_call calls[WINDOW];
    struct server s = {.pipe = pipe, .first = first, .window = value_max == LARGE_VALUE ? LARGE_WINDOW : 1 + (uint32_t)rand() % WINDOW,
        .value_max = value_max};
    for (int i = 0; i < WINDOW; i++) {
        calls[i].server = &s;
        arena_init(&calls[i].arena, 4096, 1 << 20);
        calls[i].call = (struct tick_call){.run = run_write, .arena = &calls[i].arena};
    }
    start_server(&s);
    while (s.done < limit) {
        submit_some(&s, calls, limit);
        loop_turn(s.loop, 100);
    }
    send_ack(&s, &(struct ack){.last = 1});
    for (;;)
        pause();
}

/* ---- the check ---- */

struct journal_check {
    uint64_t *inserted; /* sequence that inserted a number */
    uint64_t records, bytes;
};

static void note_change(struct journal_check *check, uint64_t sequence, const struct store_change *change, struct arena *arena)
{
    struct attr *keys;
    uint64_t number;
    CHECK(change->event == 'I', "a write was changed or removed by record %llu", (unsigned long long)sequence);
    CHECK(item_decode(arena, change->keys, &keys) == 0, "keys of record %llu", (unsigned long long)sequence);
    const struct attr *id = item_get(keys, TEXT("id"));
    CHECK(id && id->text.len > 1 && text_to_u64(text_make(id->text.data + 1, id->text.len - 1), NUMBERS - 1, &number) == 0, "a strange key");
    CHECK(check->inserted[number] == 0, "number %llu was inserted twice", (unsigned long long)number);
    check->inserted[number] = sequence;
}

static void read_record(struct journal_check *check, uint64_t sequence, struct text bytes, struct arena *arena)
{
    struct tick_record record;
    struct store_change_reader reader;
    struct store_change change;
    int rc;
    CHECK(tick_record_parse(bytes, &record) == 0, "record %llu", (unsigned long long)sequence);
    CHECK(store_change_begin(&reader, record.store) == 0, "record %llu", (unsigned long long)sequence);
    while ((rc = store_change_next(&reader, &change)) == 0)
        if (text_is(change.table, "writes"))
            note_change(check, sequence, &change, arena);
    CHECK(rc == ERR_NOT_FOUND, "record %llu: %s", (unsigned long long)sequence, err_name(rc));
}

static void check_journal(struct server *s, struct journal_check *check)
{
    struct journal_reader *reader;
    struct err err = {0};
    struct text bytes;
    struct arena arena;
    uint64_t sequence, expected = journal_first(s->journal);
    int rc;
    arena_init(&arena, 65536, 16 << 20);
    CHECK(expected == 1, "the journal begins with %llu", (unsigned long long)expected);
    CHECK(journal_reader_open(s->journal, expected, &reader, &err) == 0, "%s", err.text);
    while ((rc = journal_reader_next(reader, &sequence, &bytes, &err)) == 0) {
        CHECK(sequence == expected++, "a gap before %llu", (unsigned long long)sequence);
        check->records++;
        check->bytes += bytes.len;
        read_record(check, sequence, bytes, &arena);
        arena_reset(&arena);
    }
    CHECK(rc == ERR_AGAIN, "%s", err.text);
    CHECK(expected == journal_last(s->journal) + 1, "the journal ends early");
    journal_reader_close(reader);
    arena_fini(&arena);
}

static int64_t check_number(const struct server *s, struct store_view *view, const struct journal_check *check, uint32_t number, struct arena *arena)
{
    const struct attr *item;
    int64_t value = -1;
    int rc = store_get(view, s->writes, item_of(arena, "w", number), arena, &item);
    CHECK(rc == 0 || rc == ERR_NOT_FOUND, "number %u: %s", number, err_name(rc));
    CHECK((rc == 0) == (check->inserted[number] != 0), "number %u: table and journal differ", number);
    if (acked[number].sequence != 0) {
        CHECK(rc == 0, "number %u was acknowledged and is lost", number);
        CHECK(check->inserted[number] == acked[number].sequence, "number %u: acknowledged in %llu, written in %llu", number,
            (unsigned long long)acked[number].sequence, (unsigned long long)check->inserted[number]);
    }
    if (rc == 0) {
        CHECK(!fails(number), "number %u failed and is there", number);
        CHECK(attr_to_i64(item_get(item, TEXT("n")), &value) == 0 && value == number, "number %u has another value", number);
    }
    int64_t effects;
    CHECK(read_number(view, s->laters, item_of(arena, "l", number), arena, &effects) == 0, "number %u", number);
    CHECK(effects == 0 || (effects == 1 && rc == 0 && defers(number)), "deferred call %u had %lld effects", number, (long long)effects);
    arena_reset(arena);
    return rc == 0;
}

static void check_tables(struct server *s, const struct journal_check *check, uint32_t numbers)
{
    struct arena arena;
    int64_t found = 0, total = 0;
    arena_init(&arena, 65536, 16 << 20);
    CHECK(store_snapshot_publish(s->store) == 0, "snapshot");
    struct store_view view = {.store = s->store, .snapshot = store_snapshot_acquire(s->store, 0), .now_s = time(NULL)};
    for (uint32_t number = 0; number < numbers; number++)
        found += check_number(s, &view, check, number, &arena);
    CHECK(read_number(&view, s->totals, item_of(&arena, "t", 0), &arena, &total) == 0, "total");
    CHECK(total == found, "the total is %lld, there are %lld items", (long long)total, (long long)found);
    CHECK(total >= total_seen, "a total of %lld was announced, %lld is stored", (long long)total_seen, (long long)total);
    CHECK(store_table_count(s->writes) == found, "the table counts %lld", (long long)store_table_count(s->writes));
    CHECK(!s->ghosts || store_table_count(s->ghosts) == 0, "volatile rows survived");
    store_snapshot_release(s->store, 0);
    arena_fini(&arena);
}

static void check_data(uint32_t numbers)
{
    struct server s = {0};
    struct journal_check check = {.inserted = calloc(NUMBERS, sizeof(uint64_t))};
    struct store_report report = {0};
    CHECK(check.inserted, "memory");
    open_data(&s, 16 << 20);
    printf("    open and recover: %lld ms, %llu of %llu records replayed\n", (long long)s.recover_ms, (unsigned long long)s.replayed,
        (unsigned long long)journal_last(s.journal));
    check_journal(&s, &check);
    s.writes = store_table_find(s.store, TEXT("writes"));
    s.totals = store_table_find(s.store, TEXT("totals"));
    s.laters = store_table_find(s.store, TEXT("laters"));
    s.ghosts = store_table_find(s.store, TEXT("ghosts"));
    if (s.writes)
        check_tables(&s, &check, numbers);
    else
        CHECK(total_seen == 0, "the tables are lost");
    CHECK(store_verify(s.store, &report) == 0 && report.damaged == 0, "damaged: %s", report.first);
    journal_close(s.journal);
    store_close(s.store);
    free(check.inserted);
}

/* Lets all deferred calls come to their end, then each has had its effect once. */
static void check_deferred(uint32_t numbers)
{
    struct server s = {.pipe = -1};
    struct arena arena;
    int64_t expected = 0;
    arena_init(&arena, 65536, 16 << 20);
    start_server(&s);
    struct store_view view = {.store = s.store, .snapshot = store_snapshot_acquire(s.store, 0), .now_s = time(NULL)};
    for (uint32_t number = 0; number < numbers; number++) {
        const struct attr *item;
        if (defers(number) && store_get(&view, s.writes, item_of(&arena, "w", number), &arena, &item) == 0)
            expected++;
        arena_reset(&arena);
    }
    store_snapshot_release(s.store, 0);
    int64_t until = now_ms() + 20000;
    while (store_table_count(s.laters) < expected && now_ms() < until)
        loop_turn(s.loop, 5);
    CHECK(store_table_count(s.laters) == expected, "%lld of %lld deferred calls had their effect", (long long)store_table_count(s.laters),
        (long long)expected);
    printf("    %lld deferred calls, each with one effect\n", (long long)expected);
    tick_stop(s.tick);
    tick_drain(s.tick, 0);
    tick_destroy(s.tick);
    journal_close(s.journal);
    store_close(s.store);
    loop_destroy(s.loop);
    arena_fini(&arena);
}

/* ---- the parent ---- */

static int remove_entry(const char *path, const struct stat *stat, int flag, struct FTW *walk)
{
    (void)stat;
    (void)flag;
    (void)walk;
    return remove(path);
}

static void new_folder(void)
{
    strcpy(folder, "/tmp/weir-crash-XXXXXX");
    CHECK(mkdtemp(folder), "mkdtemp: %s", strerror(errno));
    snprintf(tables_folder, sizeof(tables_folder), "%s/tables", folder);
    snprintf(journal_folder, sizeof(journal_folder), "%s/journal", folder);
    memset(acked, 0, sizeof(acked));
    total_seen = 0;
}

static void note_ack(const struct ack *ack)
{
    CHECK(ack->number < NUMBERS && !fails(ack->number), "number %u was announced", ack->number);
    CHECK(acked[ack->number].sequence == 0, "number %u was announced twice", ack->number);
    CHECK(ack->total == total_seen + 1 || total_seen < ack->total, "totals were announced out of order");
    acked[ack->number] = *ack;
    total_seen = ack->total;
}

/* Reads acknowledgements for so long; how many. True in *over when the child has written all it wanted. */
static int read_acks(int pipe, int64_t until, bool *over)
{
    int count = 0;
    struct ack ack;
    *over = false;
    for (;;) {
        int64_t left = until - now_ms();
        struct pollfd ready = {.fd = pipe, .events = POLLIN};
        if (!*over && left > 0 && poll(&ready, 1, (int)left) == 0)
            return count;
        if (left <= 0)
            return count;
        ssize_t got = read(pipe, &ack, sizeof(ack));
        if (got == 0)
            return count;
        CHECK(got == (ssize_t)sizeof(ack), "a broken acknowledgement");
        if (ack.last) {
            *over = true;
            return count;
        }
        note_ack(&ack);
        count++;
    }
}

static void wait_for(pid_t child, const char *what)
{
    int status;
    CHECK(waitpid(child, &status, 0) == child, "waitpid");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s failed; the folder is %s", what, folder);
}

/* A child that serves until it is killed; the acknowledgements it made. */
static int serve_and_kill(uint32_t first, uint32_t limit, size_t value_max, int64_t life_ms)
{
    int ends[2];
    bool over;
    CHECK(pipe(ends) == 0, "pipe");
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        run_server(first, limit, value_max, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    int count = read_acks(ends[0], now_ms() + life_ms, &over);
    kill(child, SIGKILL);
    int status;
    CHECK(waitpid(child, &status, 0) == child, "waitpid");
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the server ended by itself (status %x); the folder is %s", (unsigned)status, folder);
    if (!over)
        count += read_acks(ends[0], now_ms() + 10000, &over); /* what it had written into the pipe was announced */
    close(ends[0]);
    return count;
}

static void in_child(void (*check)(uint32_t), uint32_t numbers, const char *what)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        check(numbers);
        fflush(NULL);
        _exit(0);
    }
    wait_for(child, what);
}

static void rounds(int count)
{
    for (int round = 0; round < count; round++) {
        int in_folder = round % ROUNDS_PER_FOLDER;
        if (in_folder == 0)
            new_folder();
        srand((unsigned)rand());
        /* one in eight dies while it is still opening and recovering */
        int64_t life = rand() % 8 == 0 ? rand() % 20 : 30 + rand() % 400;
        int count_acked = serve_and_kill((uint32_t)in_folder * ROUND_WRITES, ROUND_WRITES, VALUE_MAX, life);
        printf("round %d: killed after %lld ms, %d writes acknowledged\n", round + 1, (long long)life, count_acked);
        in_child(check_data, (uint32_t)(in_folder + 1) * ROUND_WRITES, "the check");
        if (in_folder == ROUNDS_PER_FOLDER - 1 || round == count - 1) {
            in_child(check_deferred, (uint32_t)(in_folder + 1) * ROUND_WRITES, "the check of deferred calls");
            in_child(check_data, (uint32_t)(in_folder + 1) * ROUND_WRITES, "the last check");
            nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        }
    }
}

static void check_large(uint32_t numbers)
{
    struct server s = {0};
    (void)numbers;
    open_data(&s, 16 << 20);
    struct journal_check check = {.inserted = calloc(NUMBERS, sizeof(uint64_t))};
    CHECK(check.inserted, "memory");
    check_journal(&s, &check);
    printf("replay of %llu MiB in %llu records: %lld ms\n", (unsigned long long)(check.bytes >> 20), (unsigned long long)s.replayed,
        (long long)s.recover_ms);
    CHECK(check.bytes >= REPLAY_BYTES, "only %llu bytes", (unsigned long long)check.bytes);
    CHECK(s.replayed == check.records, "only %llu records", (unsigned long long)s.replayed);
    CHECK(s.recover_ms < REPLAY_MAX_MS, "it took %lld ms", (long long)s.recover_ms);
    free(check.inserted);
}

/* The tables are thrown away, so all of the journal is replayed. */
static void large_replay(void)
{
    new_folder();
    int count = serve_and_kill(0, NUMBERS / 8, LARGE_VALUE, 60000);
    printf("large replay: %d writes of %d bytes acknowledged\n", count, LARGE_VALUE);
    nftw(tables_folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    in_child(check_large, 0, "the large replay");
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const char *seed_text = getenv("WEIR_SEED"), *soak = getenv("WEIR_SOAK");
    unsigned seed = seed_text ? (unsigned)strtoul(seed_text, NULL, 10) : (unsigned)time(NULL) ^ (unsigned)getpid();
    bool is_soak = soak && strcmp(soak, "1") == 0;
    log_level_set(LOG_WARN);
    srand(seed);
    printf("seed %u\n", seed);
    rounds(is_soak ? 200 : 6);
    if (is_soak)
        large_replay();
    printf("ok\n");
    return 0;
}
