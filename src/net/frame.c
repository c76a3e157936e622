/*
 * A frame that many connections share. A broadcast is encoded once, header and payload in one run of bytes, because one send of one
 * piece costs half of a send of two; the members' queues hold references. The count is atomic since a frame is made on one thread and let go on others.
 */
#include "net/server.h"

#include "base/assert.h"

#include <stdlib.h>

/* bytes; a queue counts in 32 bits, and no frame that large could be queued */
#define FRAME_MAX ((size_t)1 << 30)

static struct net_frame *frame_alloc(size_t len, uint32_t messages)
{
    struct net_frame *frame = len <= FRAME_MAX ? malloc(sizeof(*frame) + len) : NULL;
    if (frame == NULL)
        return NULL;
    frame->refs = 1;
    frame->messages = messages;
    frame->len = len;
    return frame;
}

struct net_frame *net_frame_create(enum ws_opcode opcode, const void *data, size_t len)
{
    uint8_t header[WS_SERVER_HEADER_MAX];
    if (len > FRAME_MAX)
        return NULL;
    size_t size = ws_header_format(header, opcode, true, false, len);
    struct net_frame *frame = frame_alloc(size + len, 1);
    if (frame == NULL)
        return NULL;
    memcpy(frame->data, header, size);
    if (len != 0)
        memcpy(frame->data + size, data, len);
    return frame;
}

struct net_frame *net_frame_join(struct net_frame *const *frames, size_t count)
{
    size_t len = 0;
    uint32_t messages = 0;
    for (size_t i = 0; i < count; i++) {
        if (frames[i]->len > FRAME_MAX - len)
            return NULL;
        len += frames[i]->len;
        messages += frames[i]->messages;
    }
    struct net_frame *joined = frame_alloc(len, messages);
    if (joined == NULL)
        return NULL;
    char *at = joined->data;
    for (size_t i = 0; i < count; i++) {
        memcpy(at, frames[i]->data, frames[i]->len);
        at += frames[i]->len;
    }
    return joined;
}

struct net_frame *net_frame_ref(struct net_frame *frame)
{
    uint32_t before = __atomic_fetch_add(&frame->refs, 1, __ATOMIC_RELAXED);
    ASSERT(before != 0);
    return frame;
}

void net_frame_unref(struct net_frame *frame)
{
    if (frame == NULL)
        return;
    uint32_t before = __atomic_fetch_sub(&frame->refs, 1, __ATOMIC_ACQ_REL);
    ASSERT(before != 0);
    if (before == 1)
        free(frame);
}
