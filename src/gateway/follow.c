/* Followers of subjects; the design is in follow.h. */
#include "gateway/follow.h"

#include "gateway/internal.h"

enum { SUBJECTS = 1024 };

/* Sequences at which something was touched; one process has one journal, and where tests have two, somebody looks in vain. */
static uint64_t touched[SUBJECTS], touched_last;

static uint64_t *place_of(uint64_t subject)
{
    return &touched[(subject * UINT64_C(0x9e3779b97f4a7c15)) >> 54];
}

static void raise_to(uint64_t *at, uint64_t sequence)
{
    uint64_t was = __atomic_load_n(at, __ATOMIC_RELAXED);
    while (was < sequence && !__atomic_compare_exchange_n(at, &was, sequence, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
        ;
}

void gw_follow_touch(const struct tick *tick, uint64_t subject)
{
    uint64_t sequence = tick_sequence(tick);
    raise_to(place_of(subject), sequence);
    raise_to(&touched_last, sequence);
}

void gw_follow_begin(struct gw_io *io, struct gw_follower *follower, uint64_t subject)
{
    follower->io = io;
    follower->subject = subject;
    list_add_tail(&io->followers, &follower->link);
    io->follower_count++;
    __atomic_fetch_or(&io->gateway->followed, UINT64_C(1) << io->index, __ATOMIC_SEQ_CST);
}

void gw_follow_end(struct gw_follower *follower)
{
    struct gw_io *io = follower->io;
    if (!io)
        return;
    follower->io = NULL;
    list_remove(&follower->link);
    if (--io->follower_count == 0)
        __atomic_fetch_and(&io->gateway->followed, ~(UINT64_C(1) << io->index), __ATOMIC_SEQ_CST);
}

size_t gw_follow_count(const struct gw_io *io)
{
    return io->follower_count;
}

void gw_follow_durable(struct gateway *gateway)
{
    /* An exchange, which no earlier store passes: either this sees a new follower, or he sees the new sequence. */
    uint64_t followed = __atomic_fetch_or(&gateway->followed, 0, __ATOMIC_SEQ_CST);
    if (!followed || __atomic_load_n(&touched_last, __ATOMIC_SEQ_CST) <= gateway->follow_told)
        return;
    gateway->follow_told = tick_durable(gateway->tick);
    for (; followed; followed &= followed - 1)
        loop_wake(gateway->io[__builtin_ctzll(followed)].loop);
}

static int turn(void *context)
{
    struct gw_io *io = context;
    uint64_t last = __atomic_load_n(&touched_last, __ATOMIC_SEQ_CST), durable;
    int count = 0;
    if (list_empty(&io->followers) || last <= io->follow_seen)
        return 0;
    durable = tick_durable(io->gateway->tick);
    if (durable <= io->follow_seen)
        return 0; /* touched by what is not durable yet */
    io->follow_seen = last < durable ? last : durable;
    for (struct list *node = io->followers.next, *next; node != &io->followers; node = next) {
        struct gw_follower *follower = LIST_ENTRY(node, struct gw_follower, link);
        next = node->next;
        if (__atomic_load_n(place_of(follower->subject), __ATOMIC_SEQ_CST) <= follower->seen)
            continue;
        follower->on_change(follower);
        count++;
    }
    return count;
}

int gw_follow_io_begin(struct gw_io *io)
{
    list_init(&io->followers);
    return loop_inbox_add(io->loop, turn, io);
}
