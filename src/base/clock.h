/*
 * The one source of time. Everything that needs the time asks here, so that a test can drive all of it: lifetimes of
 * two hours, retention of 35 days, alarms. Real time plus an offset that only grows (clock_advance), or a fixed time
 * (clock_freeze) for unit tests. Any thread; reads take no lock.
 */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_wall_ms(void); /* Unix epoch, milliseconds */
int64_t clock_wall_ns(void);
int64_t clock_mono_ms(void); /* never goes back; for timers */
int64_t clock_mono_ns(void);
/* Both clocks jump forward. Loops are woken by whoever calls this (loop_wake). ms >= 0. */
void clock_advance(int64_t ms);
/* The wall clock goes on from this time, also from an earlier one than the system's; the monotonic clock is not touched. Once, at the program's start, before anything has
   asked for the time: afterwards times would go back. */
void clock_begin(int64_t wall_ms);
/* Unit tests: both clocks stand at this wall time until the next call; -1 returns to real time. */
void clock_freeze(int64_t wall_ms);

#define CLOCK_ISO_SIZE 25 /* "2025-01-17T10:30:00.000Z" and NUL */
/* ISO 8601 in UTC with milliseconds. */
void clock_format_iso(int64_t wall_ms, char out[CLOCK_ISO_SIZE]);
/* RFC 3339 with Z or an offset, fraction optional: 0 or -1. */
int clock_parse_iso(const char *text, size_t len, int64_t *wall_ms);
/* "11/Nov/2024:13:45:46 +0000" (API Gateway's requestTime); out has 32 bytes. */
void clock_format_clf(int64_t wall_ms, char *out);
/* RFC 9110 IMF-fixdate; out has 32 bytes. */
void clock_format_http(int64_t wall_ms, char *out);

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

#endif
