/* A data point between its call and the end of its tick: metric.c writes it, seal.c reads it. Nobody else includes it. */
#ifndef WEIR_WATCH_METRIC_NOTE_H
#define WEIR_WATCH_METRIC_NOTE_H

#include "watch/cache.h"

enum watch_metric_note_form { WATCH_NOTE_VALUES, WATCH_NOTE_WEIGHTED, WATCH_NOTE_SET, WATCH_NOTE_FIGURES };
struct watch_metric_note {
    struct watch_row_key key;
    uint32_t values;                        /* of VALUES and WEIGHTED */
    uint32_t form;
    const struct watch_summary *figures;    /* of FIGURES: borrowed until the call is done */
    double number[];                        /* VALUES: values; WEIGHTED: values, then their weights; SET: count, sum, min, max */
};
/* At the seal: adds it to its row. */
int watch_metric_note_add(struct watch_cache *cache, struct tick *tick, struct arena *arena, const struct watch_metric_note *note);

#endif
