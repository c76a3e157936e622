/*
 * Why not <assert.h>: its checks vanish with NDEBUG, and a broken invariant in production is worth more than the
 * nanosecond it costs to see it. The process ends at once, before the wrong state reaches the journal.
 */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void assert_fail(const char *file, int line, const char *function, const char *text)
{
    fprintf(stderr, "%s:%d: %s: assertion failed: %s\n", file, line, function, text);
    fflush(stderr);
    abort();
}
