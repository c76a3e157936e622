/*
 * Small documents by name: anomaly detectors, rules of Contributor Insights, mute rules of alarms. Each is a JSON text under the name that it was put with, in STORE_SPACE_WATCH.
 *
 *   kind (1) name      the text
 *   'c' kind           how many there are (be64)
 *
 * Functions that take a tick: inside run(), on the state thread; negative answers are passed on. Those that take a view: any thread that owns one.
 */
#ifndef WEIR_WATCH_KEEP_H
#define WEIR_WATCH_KEEP_H

#include "tick/tick.h"

enum watch_keep { WATCH_KEEP_DETECTOR = 'd', WATCH_KEEP_INSIGHT = 'i', WATCH_KEEP_MUTE = 'm' };
#define WATCH_KEEP_NAME_MAX 255

/* In the arena. ERR_NOT_FOUND, ERR_COLD, ERR_CORRUPT, ERR_MEMORY. */
int watch_keep_get(struct store_view *view, struct arena *arena, enum watch_keep kind, struct text name, struct text *value);
/* ERR_FULL: it would be one more than `most`. */
int watch_keep_put(struct tick *tick, struct arena *arena, enum watch_keep kind, struct text name, struct text value, uint64_t most);
/* ERR_NOT_FOUND. */
int watch_keep_delete(struct tick *tick, struct arena *arena, enum watch_keep kind, struct text name);
/* In the order of their names, those above `after`, until `visit` answers non-zero (returned). The texts live for the visit. */
int watch_keep_each(struct store_view *view, enum watch_keep kind, struct text after, int (*visit)(void *context, struct text name, struct text value), void *context);

#endif
