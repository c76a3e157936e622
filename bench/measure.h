/*
 * What the load programs measure with: a clock, a histogram of latencies, the CPU time and memory of a process.
 * Each program is one file and one thread, so this is a header of static functions.
 */
#ifndef WEIR_BENCH_MEASURE_H
#define WEIR_BENCH_MEASURE_H

#include <dirent.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- a histogram of nanoseconds: 64 buckets for each power of two, so a percentile is right to 1.6 % ---- */
enum { HISTOGRAM_STEP_BITS = 6, HISTOGRAM_SIZE = (64 - HISTOGRAM_STEP_BITS + 1) << HISTOGRAM_STEP_BITS };

struct histogram {
    uint64_t count;
    int64_t max_ns;
    uint32_t buckets[HISTOGRAM_SIZE];
};

static inline void histogram_add(struct histogram *h, int64_t ns)
{
    uint64_t value = ns > 0 ? (uint64_t)ns : 0;
    unsigned shift = 0;
    if (value >> (HISTOGRAM_STEP_BITS + 1) != 0)
        shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_STEP_BITS;
    h->buckets[((uint64_t)shift << HISTOGRAM_STEP_BITS) + (value >> shift)]++;
    h->count++;
    if (ns > h->max_ns)
        h->max_ns = ns;
}

/* In microseconds; the middle of the bucket. */
static inline double histogram_us(const struct histogram *h, double share)
{
    uint64_t wanted = (uint64_t)((double)h->count * share), seen = 0;
    for (uint64_t i = 0; i < HISTOGRAM_SIZE; i++) {
        seen += h->buckets[i];
        if (seen > wanted) {
            uint64_t shift = i >> HISTOGRAM_STEP_BITS > 0 ? (i >> HISTOGRAM_STEP_BITS) - 1 : 0;
            uint64_t low = (i - (shift << HISTOGRAM_STEP_BITS)) << shift;
            return ((double)low + (double)(UINT64_C(1) << shift) / 2) / 1000;
        }
    }
    return (double)h->max_ns / 1000;
}

static inline void histogram_print(const struct histogram *h)
{
    printf(",\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f", histogram_us(h, 0.5),
        histogram_us(h, 0.9), histogram_us(h, 0.99), histogram_us(h, 0.999), (double)h->max_ns / 1000);
}

/* ---- another process ---- */

/* CPU time of all living threads of `pid` in nanoseconds; -1 when it cannot be read. */
static inline int64_t process_cpu_ns(int pid)
{
    char path[320];
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL)
        return -1;
    int64_t total = 0;
    struct dirent *entry;
    while ((entry = readdir(tasks)) != NULL) {
        if (entry->d_name[0] == '.')
            continue; /* ".." has a schedstat too: the main thread's */
        snprintf(path, sizeof(path), "/proc/%d/task/%.200s/schedstat", pid, entry->d_name);
        FILE *file = fopen(path, "r");
        int64_t ns;
        if (file == NULL)
            continue;
        if (fscanf(file, "%" SCNd64, &ns) == 1)
            total += ns;
        fclose(file);
    }
    closedir(tasks);
    return total;
}

/* A line of /proc/<pid>/smaps_rollup ("Rss:", "Anonymous:") in bytes; -1 when it cannot be read. */
static inline int64_t process_memory(int pid, const char *line)
{
    char path[64], text[256];
    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
    FILE *file = fopen(path, "r");
    int64_t kilobytes = -1;
    if (file == NULL)
        return -1;
    while (kilobytes < 0 && fgets(text, sizeof(text), file) != NULL)
        if (strncmp(text, line, strlen(line)) == 0)
            kilobytes = strtoll(text + strlen(line), NULL, 10);
    fclose(file);
    return kilobytes < 0 ? -1 : kilobytes * 1024;
}

#endif
