/*
 * Meters: how a thread counts weir's own figures (figure_table.h). Each thread has its own, so nothing is locked; once a second what they hold goes into the thread's tally
 * (watch/tally.h), which becomes one call of the tick.
 *
 * A meter is a run: the last value and how often it came. A count adds 1 again and again, so it costs a comparison and an addition, whatever number of series it stands for; a
 * value that differs ends the run, which is then put into the tally's places, one for each set of dimensions.
 *
 * A thread that has nothing new hands nothing over, so an idle server writes nothing (sampler.c says what it does once a minute).
 */
#ifndef WEIR_GATEWAY_METER_H
#define WEIR_GATEWAY_METER_H

#include "base/text.h"
#include "gateway/figure_table.h"
#include "watch/tally.h"

#include <stdbool.h>

#define GW_METERS_MAX 8192 /* per thread; a figure beyond them is not kept, and counted (gw_meters_refused) */
#define GW_FIGURE_DIMS 3

struct gw_figure_row {
    const char *space, *name, *unit;
    enum gw_figure_kind kind;
    bool seconds;
    const char *dims; /* names, commas between */
    unsigned sets;    /* GW_BY_* */
    const char *help;
};
extern const struct gw_figure_row gw_figure_rows[GW_FIGURES];

struct gw_meters;
struct gw_meter {
    struct gw_meters *meters;
    struct gw_meter *next; /* of those that hold something */
    double value, weight;
    unsigned place[GW_FIGURE_DIMS + 1];
    uint8_t places;
    bool listed;
};

/* The tally is borrowed. NULL without memory. */
struct gw_meters *gw_meters_create(struct watch_tally *tally);
void gw_meters_destroy(struct gw_meters *meters); /* NULL passes */
/* The meter of a figure with these values of its dimensions (as many as it has; texts are copied): the same one for the same values, for as long as the meters live. Never NULL:
   without room, or with meters NULL, one that keeps nothing; with NULL it is the calling thread's, not to be kept. */
struct gw_meter *gw_meter_of(struct gw_meters *meters, enum gw_figure figure, struct text a, struct text b, struct text c);
/* Ends the run and begins one of `value`. */
void gw_meter_turn(struct gw_meter *meter, double value);
/* Adds a value so many times. */
static inline void gw_meter_add(struct gw_meter *meter, double value, double weight)
{
    if (meter->value != value || !meter->listed)
        gw_meter_turn(meter, value);
    meter->weight += weight;
}
/* The same where the meter is not at hand. */
void gw_figure_add(struct gw_meters *meters, enum gw_figure figure, struct text a, struct text b, double value, double weight);
/* Puts all runs into the tally: once a second, before it is taken. */
void gw_meters_gather(struct gw_meters *meters);

#endif
