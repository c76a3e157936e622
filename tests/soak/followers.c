/*
 * Many followers of a live table that break off at random while writers write: in the end each must hold exactly the table, having seen each change of
 * its set once and in order. One thread, loopback only; tests/wire/live-followers.test.mjs starts the server and runs it (1,000 followers and 100,000 writes
 * in a soak).
 *
 *   followers --reader ws://.../notes?token=R --writer ws://.../notes?token=W --clients 1000 --writes 100000 [--life MS] [--seed N]
 *
 * It speaks to examples/notes: three boards of a hundred notes, `put` and `take-down`. The followers ask for the whole table, the same with conflation, a board, a
 * filter and an index. Each keeps a hash of every note that it was told of. When the writes are over, a new follower of each kind, which gets a fresh
 * snapshot, says what the others must hold.
 *
 * Prints one JSON object; ends with 1 and a sentence when a follower was told what cannot be, or ends with something else than the table.
 */
#include "client.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/json.h"

#include <limits.h>

enum {
    BOARDS = 3,
    NOTES = 100, /* of a board */
    CLIENTS_MAX = 20000,
    WRITERS = 5,
    IN_FLIGHT = 20, /* writes of one writer */
    KINDS = 5,
    LIFE_MS_MAX = 3600000,
    SETTLE_MS = 60000   /* until all hold the table */
};

static const struct {
    const char *request;
    bool conflates;
} kinds[KINDS] = {
    {"", false},
    {",\"conflate\":true", true},
    {",\"key\":{\"board\":\"a\"}", false},
    {",\"filter\":{\"stars\":3}", false},
    {",\"index\":\"ByAuthor\",\"key\":{\"author\":\"writer\"}", false},
};

struct position {
    uint64_t sequence, number; /* number UINT64_MAX: all of the sequence */
};

struct follower {
    struct client client; /* first: callbacks get it */
    int kind;
    bool fresh;    /* compared with, never broken */
    bool complete; /* has a whole snapshot */
    struct position at;
    int64_t break_ns;
    uint64_t note[BOARDS * NOTES]; /* hash of what it was told; 0: not there */
};

struct writer {
    struct client client;
    int in_flight;
};

static struct {
    const char *reader, *writer;
    long clients, writes, seed;
    long life_ms; /* of a follower's connection, at most */
} options = {.clients = 50, .writes = 5000, .seed = 1, .life_ms = 1000};
static struct address reader_address, writer_address;
static struct follower *followers, truth[KINDS];
static struct writer writers[WRITERS];
static struct arena arena;
static struct {
    uint64_t changes, snapshots, resumes, breaks, resnapshots, sent, acked;
} counts;

static _Noreturn void wrong(const struct follower *f, const char *what, struct text message)
{
    long number = f->fresh ? -1 : (long)(f - followers);
    fprintf(stderr, "followers: %ld (kind %d, at %" PRIu64 ".%" PRIu64 "): %s: %.*s\n", number, f->kind, f->at.sequence, f->at.number, what, TEXT_FMT(message));
    exit(1);
}

static long below(long limit)
{
    return random() % limit;
}

static int64_t life_ns(void)
{
    return below(options.life_ms * 1000) * INT64_C(1000);
}

/* ---- what is told ---- */

/* Where a note of {"board":"a","id":"17"} is kept. */
static uint64_t *slot_of(struct follower *f, const struct json *key, struct text message)
{
    const struct json *board = json_get_str(key, "board"), *id = json_get_str(key, "id");
    long number = json_is(id, JSON_STRING) ? strtol(id->text.data, NULL, 10) : -1;
    if (!json_is(board, JSON_STRING) || board->text.len != 1 || board->text.data[0] < 'a' || board->text.data[0] >= 'a' + BOARDS || number < 0 || number >= NOTES)
        wrong(f, "an unknown note", message);
    return &f->note[(board->text.data[0] - 'a') * NOTES + number];
}

/* The same for the same members, in whatever order; never 0. */
static uint64_t content_of(const struct json *item)
{
    uint64_t sum = 1;
    for (const struct json *member = item->first; member; member = member->next)
        sum += hash_bytes(member->name) * (hash_bytes(member->raw) | 1);
    return sum ? sum : 1;
}

static uint64_t number_of(const struct json *message, const char *name)
{
    int64_t value = -1;
    const struct json *member = json_get_str(message, name);
    return member && json_to_i64(member, &value) == 0 && value >= 0 ? (uint64_t)value : UINT64_MAX;
}

static void on_snapshot(struct follower *f, const struct json *message, struct text text)
{
    for (const struct json *item = json_get_str(message, "items")->first; item; item = item->next) {
        uint64_t *slot = slot_of(f, item, text);
        if (*slot)
            wrong(f, "a note came twice in a snapshot", text);
        *slot = content_of(item);
    }
    f->at = (struct position){number_of(message, "sequence"), UINT64_MAX};
    f->complete = json_is(json_get_str(message, "last"), JSON_TRUE);
    counts.snapshots += f->complete;
}

static void on_change(struct follower *f, const struct json *message, struct text text)
{
    struct position at = {number_of(message, "sequence"), number_of(message, "number")};
    const struct json *event = json_get_str(message, "event"), *data = json_get_str(message, "data");
    uint64_t *slot = slot_of(f, json_get_str(message, "key"), text);
    bool later = at.sequence > f->at.sequence || (at.sequence == f->at.sequence && f->at.number != UINT64_MAX && at.number > f->at.number);
    if (!f->complete)
        wrong(f, "a change before the snapshot was whole", text);
    if (!later || !event)
        wrong(f, "a change out of order", text);
    if (!kinds[f->kind].conflates && text_is(event->text, "INSERT") != (*slot == 0))
        wrong(f, "an event that cannot be", text);
    *slot = text_is(event->text, "REMOVE") ? 0 : content_of(data);
    f->at = at;
    counts.changes++;
}

static void follower_message(struct follower *f, struct text text)
{
    const struct json *message;
    struct err err;
    arena_reset(&arena);
    if (json_parse(&arena, text, JSON_COPY, &message, &err))
        wrong(f, "not JSON", text);
    const struct json *type = json_get_str(message, "type");
    if (!json_is(type, JSON_STRING))
        wrong(f, "a message without a type", text);
    if (text_is(type->text, "snapshot")) {
        on_snapshot(f, message, text);
    } else if (text_is(type->text, "change")) {
        on_change(f, message, text);
    } else if (text_is(type->text, "resnapshot")) {
        memset(f->note, 0, sizeof(f->note));
        f->complete = false;
        counts.resnapshots++;
    } else if (!text_is(type->text, "subscribed")) {
        wrong(f, "an unexpected message", text);
    }
}

/* ---- connections ---- */

static bool is_writer(const struct client *c)
{
    const char *at = (const char *)c;
    return at >= (const char *)writers && at < (const char *)(writers + WRITERS);
}

static void follower_open(struct follower *f)
{
    char request[256], after[64] = "";
    if (f->complete) {
        if (f->at.number == UINT64_MAX)
            snprintf(after, sizeof(after), ",\"after\":\"%" PRIu64 "\"", f->at.sequence);
        else
            snprintf(after, sizeof(after), ",\"after\":\"%" PRIu64 ".%" PRIu64 "\"", f->at.sequence, f->at.number);
        counts.resumes++;
    } else {
        memset(f->note, 0, sizeof(f->note));
    }
    int len = snprintf(request, sizeof(request), "{\"action\":\"subscribe\",\"table\":\"notes\"%s%s}", kinds[f->kind].request, after);
    client_frame(&f->client, 1, request, (size_t)len);
    f->break_ns = now_ns() + life_ns();
}

static void write_some(struct writer *w)
{
    char text[256];
    while (w->in_flight < IN_FLIGHT && counts.sent < (uint64_t)options.writes) {
        char board = (char)('a' + below(BOARDS));
        long id = below(NOTES);
        int len = below(5) ? snprintf(text, sizeof(text), "{\"action\":\"put\",\"board\":\"%c\",\"id\":\"%ld\",\"text\":\"write %" PRIu64 "\",\"stars\":%ld}", board, id, counts.sent, below(6))
                           : snprintf(text, sizeof(text), "{\"action\":\"take-down\",\"board\":\"%c\",\"id\":\"%ld\"}", board, id);
        client_frame(&w->client, 1, text, (size_t)len);
        w->in_flight++;
        counts.sent++;
    }
}

static void on_open(struct client *c)
{
    if (is_writer(c))
        write_some((struct writer *)c);
    else
        follower_open((struct follower *)c);
}

static void on_message(struct client *c, int opcode, const char *data, size_t len)
{
    struct text text = text_make(data, len);
    (void)opcode;
    if (!is_writer(c)) {
        follower_message((struct follower *)c, text);
        return;
    }
    struct writer *w = (struct writer *)c;
    if (!memmem(data, len, "\"type\":\"ack\"", 12)) {
        fprintf(stderr, "followers: a write was not taken: %.*s\n", (int)len, data);
        exit(1);
    }
    w->in_flight--;
    counts.acked++;
    write_some(w);
}

static void on_lost(struct client *c)
{
    fprintf(stderr, "followers: the server closed the connection of a %s\n", is_writer(c) ? "writer" : "follower");
    exit(1);
}

static void open_follower(struct follower *f)
{
    if (!client_open(&f->client, &reader_address))
        give_up("cannot connect");
}

/* Without a goodbye, as a network breaks. */
static void break_some(void)
{
    int64_t now = now_ns();
    for (long i = 0; i < options.clients; i++) {
        struct follower *f = &followers[i];
        if (f->client.state != CLIENT_OPEN || now < f->break_ns)
            continue;
        client_close(&f->client);
        counts.breaks++;
        open_follower(f);
    }
}

/* ---- the end ---- */

static long differing(const char **what)
{
    for (int k = 0; k < KINDS; k++)
        if (!truth[k].complete)
            return -1;
    for (long i = 0; i < options.clients; i++) {
        *what = followers[i].complete ? "holds something else than the table" : "has no whole snapshot";
        if (!followers[i].complete || memcmp(followers[i].note, truth[followers[i].kind].note, sizeof(truth[0].note)) != 0)
            return i;
    }
    return LONG_MAX;
}

static void compare(void)
{
    const char *what = "";
    for (int k = 0; k < KINDS; k++) {
        truth[k] = (struct follower){.kind = k, .fresh = true};
        open_follower(&truth[k]);
    }
    int64_t end = now_ns() + SETTLE_MS * INT64_C(1000000);
    long i;
    while ((i = differing(&what)) != LONG_MAX) {
        if (now_ns() > end && i >= 0)
            wrong(&followers[i], what, TEXT(""));
        if (now_ns() > end)
            give_up("a fresh snapshot did not come");
        pool_turn(10000000);
    }
}

static void read_options(int count, char **args)
{
    for (int i = 0; i + 1 < count; i += 2) {
        if (strcmp(args[i], "--reader") == 0)
            options.reader = args[i + 1];
        else if (strcmp(args[i], "--writer") == 0)
            options.writer = args[i + 1];
        else if (strcmp(args[i], "--clients") == 0)
            options.clients = strtol(args[i + 1], NULL, 10);
        else if (strcmp(args[i], "--writes") == 0)
            options.writes = strtol(args[i + 1], NULL, 10);
        else if (strcmp(args[i], "--life") == 0)
            options.life_ms = strtol(args[i + 1], NULL, 10);
        else if (strcmp(args[i], "--seed") == 0)
            options.seed = strtol(args[i + 1], NULL, 10);
        else
            give_up("unknown option; see the head of tests/soak/followers.c");
    }
    if (!options.reader || !options.writer || options.clients < 1 || options.clients > CLIENTS_MAX || options.writes < 1 || options.life_ms < 1 || options.life_ms > LIFE_MS_MAX)
        give_up("an option is missing or out of bounds");
}

int main(int argc, char **argv)
{
    int64_t begin = now_ns();
    read_options(argc - 1, argv + 1);
    pool_init();
    srandom((unsigned)options.seed);
    arena_init(&arena, 1 << 16, 64 << 20);
    pool.on_open = on_open;
    pool.on_message = on_message;
    pool.on_lost = on_lost;
    reader_address = address_parse(options.reader);
    writer_address = address_parse(options.writer);
    followers = must_alloc((size_t)options.clients, sizeof(*followers));
    for (long i = 0; i < options.clients; i++) {
        followers[i].kind = (int)(i % KINDS);
        open_follower(&followers[i]);
        if (i % 64 == 63)
            pool_turn(1000000);
    }
    for (int i = 0; i < WRITERS; i++)
        if (!client_open(&writers[i].client, &writer_address))
            give_up("cannot connect");
    while (counts.acked < (uint64_t)options.writes) {
        pool_turn(1000000);
        break_some();
    }
    int64_t written = now_ns();
    compare();
    printf("{\"clients\":%ld,\"writes\":%ld,\"seconds\":%.1f,\"settled_seconds\":%.1f,\"breaks\":%" PRIu64 ",\"resumes\":%" PRIu64 ",\"snapshots\":%" PRIu64
           ",\"resnapshots\":%" PRIu64 ",\"changes\":%" PRIu64 "}\n",
        options.clients, options.writes, (double)(written - begin) / 1e9, (double)(now_ns() - written) / 1e9, counts.breaks, counts.resumes, counts.snapshots,
        counts.resnapshots, counts.changes);
    return 0;
}
