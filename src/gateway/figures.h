/*
 * The program's own figures: each thread gathers what it measures in a tally of its own (watch/tally.h), and once a second it becomes data points of metrics.
 *
 * An io thread and the services' thread take their tally themselves, from their once-a-second timer, and send it through the tick as a call of their own; the first io thread's call takes the
 * state thread's tally along. Without credit, or while the last call is under way, a thread goes on gathering: nothing is lost, the values only belong to a later second. A
 * value belongs to the second in which it is sent, so it is at most about a second late.
 *
 *   io thread, services   gw_tally(io)                then watch_tally_place, watch_tally_add
 *   state thread          gw_tally_state(gateway)     within run(): what an undone run has added stays (it was measured)
 *   a handler             weir_metric (weir.h), which is part of its call
 *
 * At the end what is still there is put by gateway_stop, when all threads have ended.
 */
#ifndef WEIR_GATEWAY_FIGURES_H
#define WEIR_GATEWAY_FIGURES_H

#include "watch/tally.h"

struct gateway;
struct gw_io;

/* The thread's own tally; never NULL. Its thread. */
struct watch_tally *gw_tally(struct gw_io *io);
/* The state thread's; never NULL. State thread (and before tick_start). */
struct watch_tally *gw_tally_state(struct gateway *gateway);

/* ---- for the gateway alone ---- */
int gw_figures_create(struct gateway *gateway); /* after the io threads' structs are there. 0 or ERR_MEMORY */
void gw_figures_destroy(struct gateway *gateway);
void gw_figures_second(struct gw_io *io);       /* its thread, once a second */
void gw_figures_begin(struct gw_io *io);        /* the services' thread: starts its timer */
void gw_figures_end(struct gateway *gateway);   /* all threads have ended, the tick is still there: what was gathered since is put */

#endif
