/* Progress of long work on standard error: a line each second, or one line that is written over and over when it is a terminal. One thread. */
#ifndef WEIR_MAIN_PROGRESS_H
#define WEIR_MAIN_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    int64_t began_ms, said_ms;
    bool terminal, open; /* open: a line stands on the terminal and is not ended */
};
void progress_begin(struct progress *progress);
/* Is it time for the next line? Cheap enough to ask at every step. */
bool progress_due(const struct progress *progress);
void progress_say(struct progress *progress, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Ends the line, so that other text may follow. */
void progress_end(struct progress *progress);
int64_t progress_elapsed_ms(const struct progress *progress);

/* "1,234,567", "1.5 GiB", "3 min 20 s" into the caller's memory; answered for use in an argument. */
#define PROGRESS_TEXT 32
const char *progress_count(uint64_t number, char out[PROGRESS_TEXT]);
const char *progress_bytes(uint64_t bytes, char out[PROGRESS_TEXT]);
const char *progress_time(int64_t ms, char out[PROGRESS_TEXT]);

#endif
