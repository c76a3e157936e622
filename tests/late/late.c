/*
 * A slow machine, on any machine: preloaded (LD_PRELOAD) into a program, this library makes late what a busy or a small machine makes late now and then. Syncs of files take as long
 * as on a slow disk, threads begin after the one that started them has gone on, and a thread stands still for a while where another may overtake it: before it takes a lock, after it
 * has given one back, before it waits, wakes, reads and writes.
 *
 * Why: two threads that meet in the wrong order once in ten thousand runs meet so every time on a machine that is slow enough, and it is then too late to find it. Nothing here is wrong
 * in itself: every pause is one that the scheduler or a disk may make, so a program that fails under it would have failed without it, some day. It finds what thread sanitizers cannot:
 * what is well locked and in the wrong order. It says nothing of how fast anything is.
 *
 * The moments are drawn at random, each thread from a row of its own:
 *
 *   WEIR_LATE_SEED      where the rows begin; another each time when it is not given. Threads are numbered as they are started, so a seed repeats what a thread draws, not what
 *                       the machine adds to it
 *   WEIR_LATE_SYNC_MS   fdatasync and fsync take at most this long beside their own time: every tenth all of it, the others a seventh or a fortieth. 200
 *   WEIR_LATE_START_MS  every third thread begins at most this late. 60
 *   WEIR_LATE_PAUSE_MS  the longest pause at any other point; short ones are the usual ones. 30
 *   WEIR_LATE_ODDS      one of so many points pauses. 400; 0: none does
 */
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static struct {
    atomic_bool ready;
    uint64_t seed;
    long sync_ms, start_ms, pause_ms, odds;
} late;
static atomic_uint_least64_t threads;
static __thread uint64_t row __attribute__((tls_model("initial-exec")));

static long number(const char *name, long otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtol(text, NULL, 10) : otherwise;
}

/* Other libraries' constructors may come first, so nobody may wait for ours. All threads would write the same, but there is only one yet. */
static void set_up(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    late.seed = (uint64_t)number("WEIR_LATE_SEED", (long)getpid() * 1000003 + now.tv_nsec);
    late.sync_ms = number("WEIR_LATE_SYNC_MS", 200);
    late.start_ms = number("WEIR_LATE_START_MS", 60);
    late.pause_ms = number("WEIR_LATE_PAUSE_MS", 30);
    late.odds = number("WEIR_LATE_ODDS", 400);
    atomic_store(&late.ready, true);
}

/* splitmix64: any start will do. */
static uint64_t draw(void)
{
    if (!atomic_load_explicit(&late.ready, memory_order_acquire))
        set_up();
    if (!row)
        row = late.seed + (atomic_fetch_add(&threads, 1) + 1) * UINT64_C(0xd1342543de82ef95);
    uint64_t z = row += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void stand_us(uint64_t us)
{
    struct timespec left = {.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &left, NULL);
}

/* The fourth power of an even draw: most pauses are a moment, a few are long. */
static void point(void)
{
    uint64_t drawn = draw();
    if (late.odds <= 0 || drawn % (uint64_t)late.odds != 0)
        return;
    double part = (double)(draw() >> 11) * 0x1p-53;
    stand_us((uint64_t)(part * part * part * part * (double)late.pause_ms * 1000));
}

static void *next(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    if (!symbol)
        abort();
    return symbol;
}

/* The function behind ours, looked up once; a look-up that happens twice finds the same. */
#define NEXT(name)                                                                                                                                                                     \
    ({                                                                                                                                                                                 \
        static __typeof__(&name) _Atomic found_;                                                                                                                                       \
        __typeof__(&name) use_ = atomic_load_explicit(&found_, memory_order_relaxed);                                                                                                  \
        if (!use_) {                                                                                                                                                                   \
            use_ = (__typeof__(&name))next(#name);                                                                                                                                     \
            atomic_store_explicit(&found_, use_, memory_order_relaxed);                                                                                                                \
        }                                                                                                                                                                              \
        use_;                                                                                                                                                                          \
    })

/* ---- a slow disk ---- */

static void sync_late(void)
{
    uint64_t of_ten = draw() % 10, most_us = (uint64_t)(late.sync_ms > 0 ? late.sync_ms : 0) * 1000;
    stand_us(of_ten == 0 ? most_us : of_ten < 5 ? most_us / 7 : most_us / 40);
}

int fdatasync(int fd)
{
    sync_late();
    return NEXT(fdatasync)(fd);
}

int fsync(int fd)
{
    sync_late();
    return NEXT(fsync)(fd);
}

/* ---- threads that begin late ---- */

struct start {
    void *(*function)(void *);
    void *argument;
};

static void *begin(void *context)
{
    struct start start = *(struct start *)context;
    free(context);
    uint64_t drawn = draw();
    if (late.start_ms > 0 && drawn % 3 == 0)
        stand_us(draw() % ((uint64_t)late.start_ms * 1000));
    return start.function(start.argument);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *), void *argument)
{
    struct start *start = malloc(sizeof(*start));
    if (!start)
        abort();
    *start = (struct start){function, argument};
    int answer = NEXT(pthread_create)(thread, attributes, begin, start);
    if (answer)
        free(start);
    else
        point(); /* or the one that starts it goes on late */
    return answer;
}

/* ---- where another thread may overtake ---- */

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    point();
    return NEXT(pthread_mutex_lock)(mutex);
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    int answer = NEXT(pthread_mutex_unlock)(mutex);
    point();
    return answer;
}

int sem_post(sem_t *semaphore)
{
    point();
    return NEXT(sem_post)(semaphore);
}

int sem_wait(sem_t *semaphore)
{
    int answer = NEXT(sem_wait)(semaphore);
    point();
    return answer;
}

int eventfd_write(int fd, eventfd_t value)
{
    point();
    return NEXT(eventfd_write)(fd, value);
}

int eventfd_read(int fd, eventfd_t *value)
{
    int answer = NEXT(eventfd_read)(fd, value);
    point();
    return answer;
}

int epoll_wait(int fd, struct epoll_event *events, int count, int wait_ms)
{
    point();
    int answer = NEXT(epoll_wait)(fd, events, count, wait_ms);
    point();
    return answer;
}

ssize_t read(int fd, void *out, size_t size)
{
    point();
    return NEXT(read)(fd, out, size);
}

ssize_t write(int fd, const void *data, size_t len)
{
    point();
    return NEXT(write)(fd, data, len);
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    point();
    return NEXT(writev)(fd, pieces, count);
}

ssize_t recv(int fd, void *out, size_t size, int flags)
{
    point();
    return NEXT(recv)(fd, out, size, flags);
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    point();
    return NEXT(send)(fd, data, len, flags);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    point();
    return NEXT(recvmsg)(fd, message, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    point();
    return NEXT(sendmsg)(fd, message, flags);
}

int accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    int answer = NEXT(accept4)(fd, address, len, flags);
    point();
    return answer;
}

int close(int fd)
{
    point();
    return NEXT(close)(fd);
}
