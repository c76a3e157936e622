/*
 * A ring of batches in the order of the file: filled at its head, taken by any thread, finished in any order. The place that is written down is behind the
 * oldest batch that is not finished, so however the requests overtake each other, nothing before it is missing.
 */
#include "main/import_send.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_MS 100
#define RING (SEND_FLIGHT_MAX * 2)
#define UNPROCESSED_TRIES 20 /* rounds in which a batch makes no headway */

enum { EMPTY, READY, TAKEN, FINISHED };

struct batch {
    int state;
    struct buf items; /* the items' JSON, one behind the other */
    size_t at[SEND_BATCH_ITEMS + 1];
    uint64_t line[SEND_BATCH_ITEMS];
    size_t count;
    char file[IMPORT_NAME_MAX + 1];
    struct import_place behind;
};

struct sender {
    struct wire_client *client;
    char table[IMPORT_NAME_MAX + 1];
    pthread_mutex_t lock;
    pthread_cond_t work, room;
    struct batch ring[RING];
    uint64_t head, next, tail; /* batches made, taken, finished in order */
    struct import_place place;
    struct err failure;
    bool closing;
    unsigned window, threads;
    pthread_t thread[SEND_FLIGHT_MAX];
    void (*on_wait)(void *context);
    void *context;
};

/* ---- one batch ---- */

static struct text item_of(const struct batch *batch, size_t i)
{
    return text_make(batch->items.data + batch->at[i], batch->at[i + 1] - batch->at[i]);
}

static void batch_body(const struct sender *s, const struct batch *batch, struct buf *out)
{
    buf_clear(out);
    buf_add_text(out, TEXT("{\"RequestItems\":{"));
    json_escape(out, text_of(s->table));
    buf_add_text(out, TEXT(":["));
    for (size_t i = 0; i < batch->count; i++) {
        buf_add_text(out, i ? TEXT(",{\"PutRequest\":{\"Item\":") : TEXT("{\"PutRequest\":{\"Item\":"));
        buf_add_text(out, item_of(batch, i));
        buf_add_text(out, TEXT("}}"));
    }
    buf_add_text(out, TEXT("]}}"));
}

/* One by one, in order: of equal keys the last one counts, as in the file. */
static int send_singly(struct sender *s, const struct batch *batch, struct wire_answer *answer, struct buf *body, struct err *err)
{
    struct err inner;
    for (size_t i = 0; i < batch->count; i++) {
        buf_clear(body);
        buf_add_text(body, TEXT("{\"TableName\":"));
        json_escape(body, text_of(s->table));
        buf_add_text(body, TEXT(",\"Item\":"));
        buf_add_text(body, item_of(batch, i));
        buf_add_char(body, '}');
        int code = body->failed ? ERR_MEMORY : wire_call(s->client, "PutItem", buf_text(body), answer, &inner);
        if (code)
            return err_set(err, code, "%s, line %llu: %s", batch->file, (unsigned long long)batch->line[i], code == ERR_MEMORY ? "out of memory" : inner.text);
    }
    return 0;
}

/* The items that the server left undone as the next request; how many. */
static size_t rest_body(const struct sender *s, const struct wire_answer *answer, struct buf *out)
{
    const struct json *left = json_get_str(answer->root, "UnprocessedItems"), *items = json_get(left, text_of(s->table));
    buf_clear(out);
    if (!json_is(items, JSON_ARRAY) || !items->count)
        return 0;
    buf_add_text(out, TEXT("{\"RequestItems\":"));
    buf_add_text(out, left->raw);
    buf_add_char(out, '}');
    return items->count;
}

static int send_batch(struct sender *s, const struct batch *batch, struct wire_answer *answer, struct buf *body, struct err *err)
{
    size_t left = batch->count;
    unsigned tries = 0;
    batch_body(s, batch, body);
    while (left) {
        int code = body->failed ? err_set(err, ERR_MEMORY, "out of memory") : wire_call(s->client, "BatchWriteItem", buf_text(body), answer, err);
        if (code == ERR_INVALID && (strcmp(answer->error, "ValidationException") == 0 || strcmp(answer->error, "SerializationException") == 0))
            return send_singly(s, batch, answer, body, err);
        if (code)
            return code;
        size_t now = rest_body(s, answer, body);
        tries = now < left ? 0 : tries + 1;
        left = now;
        if (left && tries == UNPROCESSED_TRIES)
            return err_set(err, ERR_RATE_LIMITED, "the server leaves every item of a batch undone; give the table more capacity, and run the import again: it goes on from here");
        if (left)
            wire_pause(tries + 1);
    }
    return 0;
}

/* ---- the threads ---- */

/* Lock held. The batches at the ring's tail that are finished are given back. */
static void settle(struct sender *s)
{
    while (s->tail < s->head && s->ring[s->tail % RING].state == FINISHED) {
        struct batch *batch = &s->ring[s->tail % RING];
        s->place = batch->behind;
        batch->state = EMPTY;
        batch->count = 0;
        s->tail++;
        pthread_cond_signal(&s->room);
    }
}

static void *run(void *context)
{
    struct sender *s = context;
    struct wire_answer answer;
    struct buf body;
    wire_answer_init(&answer);
    buf_init(&body, WIRE_BODY_MAX);
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (!s->failure.code && !s->closing && s->next == s->head)
            pthread_cond_wait(&s->work, &s->lock);
        if (s->failure.code || s->next == s->head)
            break;
        struct batch *batch = &s->ring[s->next++ % RING];
        struct err err = {0};
        batch->state = TAKEN;
        pthread_mutex_unlock(&s->lock);
        int code = send_batch(s, batch, &answer, &body, &err);
        pthread_mutex_lock(&s->lock);
        batch->state = code ? TAKEN : FINISHED;
        if (code && !s->failure.code)
            s->failure = err;
        settle(s);
        pthread_cond_signal(&s->room);
    }
    pthread_cond_broadcast(&s->work);
    pthread_mutex_unlock(&s->lock);
    wire_answer_fini(&answer);
    buf_fini(&body);
    return NULL;
}

int sender_create(struct sender **out, struct wire_client *client, const char *table, unsigned threads, const struct import_place *from, struct err *err)
{
    struct sender *s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(err, ERR_MEMORY, "out of memory");
    s->client = client;
    s->place = *from;
    s->window = threads * 2;
    snprintf(s->table, sizeof(s->table), "%s", table);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->work, NULL);
    pthread_cond_init(&s->room, NULL);
    for (size_t i = 0; i < RING; i++)
        buf_init(&s->ring[i].items, SEND_BATCH_BYTES + IMPORT_LINE_MAX);
    for (; s->threads < threads; s->threads++)
        if (pthread_create(&s->thread[s->threads], NULL, run, s))
            break;
    if (s->threads == threads) {
        *out = s;
        return 0;
    }
    sender_destroy(s);
    return err_set(err, ERR_MEMORY, "the threads cannot be made");
}

void sender_on_wait(struct sender *sender, void (*on_wait)(void *context), void *context)
{
    sender->on_wait = on_wait;
    sender->context = context;
}

/* Lock held. */
static void wait_a_little(struct sender *s)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += LOOK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&s->room, &s->lock, &until);
    if (!s->on_wait)
        return;
    pthread_mutex_unlock(&s->lock);
    s->on_wait(s->context);
    pthread_mutex_lock(&s->lock);
}

/* The batch at the head goes to the threads; then there is room for the next one, or an error. Lock held. */
static void push(struct sender *s)
{
    s->ring[s->head % RING].state = READY;
    s->head++;
    pthread_cond_signal(&s->work);
}

int sender_add(struct sender *s, struct text item, const char *file, uint64_t line, const struct import_place *place, struct err *err)
{
    pthread_mutex_lock(&s->lock);
    struct batch *batch = &s->ring[s->head % RING];
    if (batch->count && batch->state == EMPTY && (batch->count == SEND_BATCH_ITEMS || batch->items.len + item.len > SEND_BATCH_BYTES || strcmp(batch->file, file) != 0)) {
        push(s);
        batch = &s->ring[s->head % RING];
    }
    while (!s->failure.code && s->head - s->tail >= s->window)
        wait_a_little(s);
    int code = s->failure.code;
    if (code)
        *err = s->failure;
    pthread_mutex_unlock(&s->lock);
    if (code)
        return code;
    if (batch->count == 0) {
        buf_clear(&batch->items);
        snprintf(batch->file, sizeof(batch->file), "%s", file);
    }
    if (buf_add_text(&batch->items, item))
        return err_set(err, ERR_MEMORY, "out of memory");
    batch->line[batch->count] = line;
    batch->at[++batch->count] = batch->items.len;
    batch->behind = *place;
    return 0;
}

int sender_finish(struct sender *s, struct err *err)
{
    pthread_mutex_lock(&s->lock);
    if (s->ring[s->head % RING].count && s->head - s->tail < RING)
        push(s);
    while (!s->failure.code && s->tail < s->head)
        wait_a_little(s);
    int code = s->failure.code;
    if (code)
        *err = s->failure;
    pthread_mutex_unlock(&s->lock);
    return code;
}

void sender_place(struct sender *s, struct import_place *place)
{
    pthread_mutex_lock(&s->lock);
    *place = s->place;
    pthread_mutex_unlock(&s->lock);
}

void sender_destroy(struct sender *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    s->next = s->head; /* what was not begun is not sent */
    pthread_cond_broadcast(&s->work);
    pthread_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < s->threads; i++)
        pthread_join(s->thread[i], NULL);
    for (size_t i = 0; i < RING; i++)
        buf_fini(&s->ring[i].items);
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->room);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
