/*
 * The output queue. In the common case one chunk is taken, filled by the messages of a turn, sent by one call and given back before the next
 * connection needs one: the pool hands out the same warm memory again and again, and an idle connection holds none.
 *
 * Message boundaries are not stored. A server's frames are not masked and carry their length, so a chunk of them can be walked; `walk` is the
 * last known boundary at or before the first unsent byte. Only a slow reader pays for walking, and it pays once for each frame. What must not go
 * when messages are dropped (the rest of a frame that was begun, control frames) is moved up against what follows; it lies within one chunk,
 * and a large message has a chunk of its own, so the move is short.
 *
 * With TLS, bytes that were offered once and not taken may already be encrypted, so they count as begun (`hard`).
 */
#include "net/out_queue.h"

#include "base/assert.h"

#include <stdlib.h>

enum segment_class { CLASS_REF, CLASS_TINY, CLASS_SMALL, CLASS_LARGE, CLASS_EXACT };

struct out_segment {
    struct out_segment *next;
    struct net_frame *frame; /* shared; NULL: the bytes are in data */
    uint64_t key;
    uint32_t start, end; /* unsent bytes */
    uint32_t hard;       /* bytes before it must not change */
    uint32_t walk;       /* frame boundary at or before start */
    uint32_t cap;
    uint32_t messages;
    uint8_t class, kind;
    char data[];
};

static const uint32_t class_size[] = {
    sizeof(struct out_segment), OUT_CHUNK_TINY, OUT_CHUNK_SMALL, OUT_CHUNK_LARGE};
enum { EXACT_MIN = 192 }; /* payload bytes */
/* Segments kept for reuse: 64 KiB, 256 KiB, 8 MiB and 4 MiB a thread at the most. */
static const unsigned class_keep[] = {1024, 64, 256, 16};

/* ---- pool ---- */

void out_pool_init(struct out_pool *pool)
{
    memset(pool, 0, sizeof(*pool));
}

void out_pool_fini(struct out_pool *pool)
{
    for (int class = CLASS_REF; class <= CLASS_LARGE; class++)
        while (pool->free[class] != NULL) {
            struct out_segment *segment = pool->free[class];
            pool->free[class] = segment->next;
            free(segment);
        }
}

static struct out_segment *segment_get(struct out_pool *pool, enum segment_class class, size_t payload)
{
    struct out_segment *segment = class == CLASS_EXACT ? NULL : pool->free[class];
    size_t size = class == CLASS_EXACT ? sizeof(*segment) + payload : class_size[class];
    if (segment != NULL) {
        pool->free[class] = segment->next;
        pool->free_count[class]--;
    } else {
        segment = malloc(size);
        if (segment == NULL)
            return NULL;
    }
    segment->next = NULL;
    segment->frame = NULL;
    segment->key = 0;
    segment->start = segment->end = segment->hard = segment->walk = segment->messages = 0;
    segment->cap = (uint32_t)(size - sizeof(*segment));
    segment->class = class;
    return segment;
}

static void segment_put(struct out_pool *pool, struct out_segment *segment)
{
    unsigned class = segment->class;
    net_frame_unref(segment->frame);
    if (class == CLASS_EXACT || pool->free_count[class] >= class_keep[class]) {
        free(segment);
        return;
    }
    segment->next = pool->free[class];
    pool->free[class] = segment;
    pool->free_count[class]++;
}

static const char *segment_bytes(const struct out_segment *segment)
{
    return segment->frame != NULL ? segment->frame->data : segment->data;
}

/* ---- in ---- */

static void queue_link(struct out_queue *queue, struct out_segment *segment)
{
    if (queue->tail != NULL)
        queue->tail->next = segment;
    else
        queue->head = segment;
    queue->tail = segment;
    queue->segments++;
}

static void queue_unlink(struct out_pool *pool, struct out_queue *queue, struct out_segment *before, struct out_segment *segment)
{
    if (before != NULL)
        before->next = segment->next;
    else
        queue->head = segment->next;
    if (queue->tail == segment)
        queue->tail = before;
    queue->segments--;
    segment_put(pool, segment);
}

void out_queue_clear(struct out_pool *pool, struct out_queue *queue)
{
    while (queue->head != NULL)
        queue_unlink(pool, queue, NULL, queue->head);
    queue->bytes = queue->messages = 0;
    queue->controls = 0;
}

/* The first chunk of a turn is roomy and soon given back. In a backlog a chunk may stay for long, so it is exact where references and
   copies alternate (a chunk for each ack between two broadcasts would cost a hundred times its content), and grows where copies follow each other. */
static enum segment_class class_for(const struct out_queue *queue, enum out_kind kind, size_t len)
{
    const struct out_segment *tail = queue->tail;
    enum segment_class class = CLASS_SMALL;
    if (tail != NULL && (tail->frame != NULL || tail->kind != kind))
        return CLASS_EXACT;
    if (tail != NULL)
        class = tail->class == CLASS_EXACT ? CLASS_TINY : tail->class == CLASS_TINY ? CLASS_SMALL : CLASS_LARGE;
    while (class < CLASS_LARGE && len > (class_size[class] - sizeof(*tail)) / (class == CLASS_SMALL && tail == NULL ? 1 : 4))
        class++;
    return len > OUT_CHUNK_LARGE / 4 ? CLASS_EXACT : class;
}

char *out_queue_append(struct out_pool *pool, struct out_queue *queue, enum out_kind kind, size_t len, unsigned messages)
{
    struct out_segment *tail = queue->tail;
    if (len > OUT_MESSAGE_MAX - queue->bytes)
        return NULL;
    if (tail == NULL || tail->frame != NULL || tail->kind != kind || tail->cap - tail->end < len) {
        tail = segment_get(pool, class_for(queue, kind, len), len < EXACT_MIN ? EXACT_MIN : len);
        if (tail == NULL)
            return NULL;
        tail->kind = kind;
        queue_link(queue, tail);
    }
    char *at = tail->data + tail->end;
    tail->end += (uint32_t)len;
    tail->messages += messages;
    queue->bytes += (uint32_t)len;
    queue->messages += messages;
    if (kind == OUT_FRAMES && messages == 0)
        queue->controls++;
    return at;
}

int out_queue_append_frame(struct out_pool *pool, struct out_queue *queue, struct net_frame *frame, size_t sent, uint64_t key)
{
    if (frame->len > OUT_MESSAGE_MAX - queue->bytes)
        return ERR_MEMORY;
    struct out_segment *segment = segment_get(pool, CLASS_REF, 0);
    if (segment == NULL)
        return ERR_MEMORY;
    segment->frame = net_frame_ref(frame);
    segment->key = key;
    segment->start = (uint32_t)sent;
    segment->end = (uint32_t)frame->len;
    segment->messages = frame->messages;
    segment->kind = OUT_FRAMES;
    queue_link(queue, segment);
    queue->bytes += (uint32_t)(frame->len - sent);
    queue->messages += frame->messages;
    return 0;
}

/* ---- out ---- */

unsigned out_queue_iov(const struct out_queue *queue, struct iovec *iov, unsigned max)
{
    unsigned count = 0;
    for (const struct out_segment *segment = queue->head; segment != NULL && count < max; segment = segment->next) {
        iov[count].iov_base = (char *)(uintptr_t)segment_bytes(segment) + segment->start;
        iov[count].iov_len = segment->end - segment->start;
        count++;
    }
    return count;
}

/* Bytes of the frame at `at`, which was written by ws_header_format. */
static uint32_t frame_size(const struct out_segment *segment, uint32_t at)
{
    const uint8_t *head = (const uint8_t *)segment->data + at;
    uint32_t len = head[1] & 0x7f;
    if (len < 126)
        return 2 + len;
    if (len == 126)
        return 4 + ((uint32_t)head[2] << 8 | head[3]);
    return 10 + ((uint32_t)head[6] << 24 | (uint32_t)head[7] << 16 | (uint32_t)head[8] << 8 | head[9]);
}

static bool frame_is_control(const struct out_segment *segment, uint32_t at)
{
    return segment->data[at] & 0x08;
}

static bool frame_is_compressed(const struct out_segment *segment, uint32_t at)
{
    return segment->data[at] & 0x40;
}

static void queue_forget(struct out_queue *queue, struct out_segment *segment, bool control)
{
    if (control) {
        queue->controls--;
    } else {
        queue->messages--;
        segment->messages--;
    }
}

/* Moves `walk` over frames that are completely out. */
static void segment_walk(struct out_queue *queue, struct out_segment *segment)
{
    if (segment->frame != NULL || segment->kind != OUT_FRAMES)
        return;
    while (segment->walk < segment->start) {
        uint32_t size = frame_size(segment, segment->walk);
        if (segment->walk + size > segment->start)
            break;
        queue_forget(queue, segment, frame_is_control(segment, segment->walk));
        segment->walk += size;
    }
}

/* The whole rest of the head is out. */
static void head_done(struct out_pool *pool, struct out_queue *queue)
{
    struct out_segment *head = queue->head;
    if (head->kind == OUT_FRAMES && head->frame == NULL && queue->controls != 0) {
        head->start = head->end;
        segment_walk(queue, head);
    }
    queue->messages -= head->messages;
    queue_unlink(pool, queue, NULL, head);
}

void out_queue_sent(struct out_pool *pool, struct out_queue *queue, size_t n)
{
    ASSERT(n <= queue->bytes);
    queue->bytes -= (uint32_t)n;
    while (queue->head != NULL) {
        struct out_segment *head = queue->head;
        size_t left = head->end - head->start;
        if (n < left) {
            head->start += (uint32_t)n;
            segment_walk(queue, head);
            return;
        }
        n -= left;
        head_done(pool, queue);
    }
}

void out_queue_offered(struct out_queue *queue, size_t n)
{
    struct out_segment *head = queue->head;
    if (head != NULL && head->hard < head->start + n)
        head->hard = head->start + (uint32_t)n;
}

/* ---- dropping ---- */

static uint32_t segment_hard(const struct out_segment *segment)
{
    return segment->hard > segment->start ? segment->hard : segment->start;
}

/* The first frame of the chunk that may go; `end` when none. */
static uint32_t find_victim(const struct out_queue *queue, const struct out_segment *segment)
{
    uint32_t at = segment->walk, hard = segment_hard(segment);
    while (at < segment->end && (at < hard || frame_is_control(segment, at) ||
                                    (queue->keep_compressed && frame_is_compressed(segment, at))))
        at += frame_size(segment, at);
    return at;
}

/* Takes the frame at `at` out of the chunk: what lies before it moves up. */
static void cut_frame(struct out_queue *queue, struct out_segment *segment, uint32_t at)
{
    uint32_t size = frame_size(segment, at);
    memmove(segment->data + segment->walk + size, segment->data + segment->walk, at - segment->walk);
    segment->walk += size;
    segment->start += size;
    if (segment->hard != 0)
        segment->hard += size;
    queue->bytes -= size;
    queue_forget(queue, segment, false);
}

static bool is_whole_ref(const struct out_segment *segment)
{
    return segment->frame != NULL && segment->start == 0 && segment->hard == 0;
}

uint32_t out_queue_drop_oldest(struct out_pool *pool, struct out_queue *queue, const struct net_frame *except)
{
    struct out_segment *before = NULL;
    for (struct out_segment *segment = queue->head; segment != NULL; before = segment, segment = segment->next) {
        if (is_whole_ref(segment) && segment->frame != except) {
            uint32_t messages = segment->messages;
            queue->messages -= messages;
            queue->bytes -= segment->end;
            queue_unlink(pool, queue, before, segment);
            return messages;
        }
        if (segment->frame != NULL || segment->kind != OUT_FRAMES)
            continue;
        uint32_t at = find_victim(queue, segment);
        if (at >= segment->end)
            continue;
        cut_frame(queue, segment, at);
        if (segment->start == segment->end)
            queue_unlink(pool, queue, before, segment);
        return 1;
    }
    return 0;
}

/* The frame takes the place of the oldest, so that a key which changes all the time is not put off for ever; the younger ones are superseded too and go. */
uint32_t out_queue_replace(struct out_pool *pool, struct out_queue *queue, struct net_frame *frame, uint64_t key)
{
    struct out_segment *before = NULL, *next;
    uint32_t replaced = 0;
    for (struct out_segment *segment = queue->head; segment != NULL; segment = next) {
        next = segment->next;
        if (segment->key != key || !is_whole_ref(segment)) {
            before = segment;
            continue;
        }
        queue->bytes -= segment->end;
        queue->messages -= segment->messages;
        if (replaced != 0) {
            replaced += segment->messages;
            queue_unlink(pool, queue, before, segment);
            continue;
        }
        replaced = segment->messages;
        queue->bytes += (uint32_t)frame->len;
        queue->messages += frame->messages;
        net_frame_ref(frame);
        net_frame_unref(segment->frame);
        segment->frame = frame;
        segment->end = (uint32_t)frame->len;
        segment->messages = frame->messages;
        before = segment;
    }
    return replaced;
}

void out_queue_trim(struct out_pool *pool, struct out_queue *queue)
{
    struct out_segment *head = queue->head;
    if (head == NULL || head->next != NULL || head->frame != NULL || head->class == CLASS_TINY)
        return;
    uint32_t from = head->kind == OUT_FRAMES ? head->walk : head->start;
    if (head->end - from > (OUT_CHUNK_TINY - sizeof(*head)) / 2)
        return;
    struct out_segment *tiny = segment_get(pool, CLASS_TINY, 0);
    if (tiny == NULL)
        return; /* it only saves memory */
    memcpy(tiny->data, head->data + from, head->end - from);
    tiny->start = head->start - from;
    tiny->end = head->end - from;
    tiny->hard = head->hard > from ? head->hard - from : 0;
    tiny->messages = head->messages;
    tiny->kind = head->kind;
    segment_put(pool, head);
    queue->head = queue->tail = tiny;
}
