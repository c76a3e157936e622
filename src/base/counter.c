/*
 * A counter that every frame touches must cost a store, not a locked instruction on a shared line. So each thread owns
 * a row, and the rare reader sums. A thread's row outlives it and passes, with its values, to a thread that starts later; the sum
 * never falls when a thread ends. When all rows are taken, later threads share the last one and add atomically.
 */
#include "base/counter.h"

#include <pthread.h>
#include <stddef.h>

#define CACHE_LINE 64
#define ROW ((COUNTER_COUNT * sizeof(int64_t) + CACHE_LINE - 1) / CACHE_LINE * (CACHE_LINE / sizeof(int64_t)))

_Thread_local int64_t *counter_slot;
_Alignas(CACHE_LINE) int64_t counter_shared[ROW];
static _Alignas(CACHE_LINE) int64_t rows[COUNTER_THREADS - 1][ROW];

static pthread_mutex_t rows_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char row_taken[COUNTER_THREADS - 1];
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

/* Runs at the end of its thread. Later destructors of the thread may count again and take a row again. */
static void row_release(void *row)
{
    counter_slot = NULL;
    if (row == counter_shared)
        return;
    pthread_mutex_lock(&rows_lock);
    row_taken[(int64_t(*)[ROW])row - rows] = 0;
    pthread_mutex_unlock(&rows_lock);
}

static void key_make(void)
{
    pthread_key_create(&key, row_release);
}

int64_t *counter_slot_make(void)
{
    pthread_once(&key_once, key_make);
    int64_t *row = counter_shared;
    pthread_mutex_lock(&rows_lock);
    for (int i = 0; i < COUNTER_THREADS - 1; i++) {
        if (!row_taken[i]) {
            row_taken[i] = 1;
            row = rows[i];
            break;
        }
    }
    pthread_mutex_unlock(&rows_lock);
    counter_slot = row;
    pthread_setspecific(key, row);
    return row;
}

int64_t counter_read(enum counter c)
{
    int64_t sum = __atomic_load_n(&counter_shared[c], __ATOMIC_RELAXED);
    for (int i = 0; i < COUNTER_THREADS - 1; i++)
        sum += __atomic_load_n(&rows[i][c], __ATOMIC_RELAXED);
    return sum;
}

enum counter_kind { KIND_COUNTER, KIND_GAUGE };

static const struct {
    const char *name, *help;
    enum counter_kind kind;
} table[] = {
#define X(name, kind, help) {#name, help, KIND_##kind},
    COUNTER_TABLE(X)
#undef X
};

const char *counter_name(enum counter c)
{
    return table[c].name;
}

const char *counter_help(enum counter c)
{
    return table[c].help;
}

int counter_is_gauge(enum counter c)
{
    return table[c].kind == KIND_GAUGE;
}
