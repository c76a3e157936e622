/*
 * The output of one connection: a chain of segments in order. A segment is a chunk of bytes that belongs to the queue
 * (frames encoded back to back, or raw HTTP), or a reference to a shared frame. It knows no socket: the owner takes iovecs and says what
 * was sent. All memory comes from a pool of the io thread. One thread.
 */
#ifndef WEIR_NET_OUT_QUEUE_H
#define WEIR_NET_OUT_QUEUE_H

#include "net/server.h"

#include <sys/uio.h>

#define OUT_CHUNK_TINY 4096            /* bytes of memory; what a blocked connection with little to say keeps */
#define OUT_CHUNK_SMALL (32 * 1024)    /* where a turn's output is corked */
#define OUT_CHUNK_LARGE (256 * 1024)   /* the following ones of a long turn or backlog */
#define OUT_MESSAGE_MAX ((size_t)1 << 30)

struct out_segment;

/* Free lists, last in first out: the chunk that was just sent is the one in the cache. */
struct out_pool {
    struct out_segment *free[4];
    unsigned free_count[4];
};
void out_pool_init(struct out_pool *pool);
void out_pool_fini(struct out_pool *pool);

struct out_queue {
    struct out_segment *head, *tail;
    uint32_t bytes;    /* not yet sent */
    uint32_t messages; /* data messages not yet completely sent */
    uint16_t controls; /* control frames not yet completely sent */
    bool keep_compressed; /* compressed frames share a window with their successors and are never dropped */
    uint32_t segments;
};

enum out_kind { OUT_FRAMES, OUT_RAW };

static inline void out_queue_init(struct out_queue *queue)
{
    memset(queue, 0, sizeof(*queue));
}
/* Gives everything back. */
void out_queue_clear(struct out_pool *pool, struct out_queue *queue);

/* Room for exactly `len` bytes at the end, which the caller fills at once: they count as queued. OUT_FRAMES: one whole WebSocket frame.
   messages: 1 for a data frame, 0 for control frames and raw bytes. NULL without memory or above OUT_MESSAGE_MAX. */
char *out_queue_append(struct out_pool *pool, struct out_queue *queue, enum out_kind kind, size_t len, unsigned messages);
/* Queues a reference (taken here) to the frame from byte `sent` on. ERR_MEMORY. */
int out_queue_append_frame(struct out_pool *pool, struct out_queue *queue, struct net_frame *frame, size_t sent, uint64_t key);

/* The unsent bytes, at most `max` pieces; returns their number. */
unsigned out_queue_iov(const struct out_queue *queue, struct iovec *iov, unsigned max);
/* The first n unsent bytes are out. */
void out_queue_sent(struct out_pool *pool, struct out_queue *queue, size_t n);
/* The first n unsent bytes of the first segment were handed to TLS, which may have encrypted them: they must be offered again unchanged. */
void out_queue_offered(struct out_queue *queue, size_t n);

/* Drops the oldest data message (or joined frame) of which nothing was sent, `except` (may be NULL) excluded. Returns how many messages that were, 0: nothing can be dropped. */
uint32_t out_queue_drop_oldest(struct out_pool *pool, struct out_queue *queue, const struct net_frame *except);
/* Puts the frame in the place of the queued ones with this key (not 0). Returns how many messages were replaced, 0: none is queued. */
uint32_t out_queue_replace(struct out_pool *pool, struct out_queue *queue, struct net_frame *frame, uint64_t key);
/* After the socket blocked: a little rest moves out of its large chunk, so that a slow reader costs little. */
void out_queue_trim(struct out_pool *pool, struct out_queue *queue);

#endif
