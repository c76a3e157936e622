/*
 * Restores and backups in between: a table as it was at a random millisecond of the past, a backup and its restore, each ordered, worked on while steps and crashes
 * go on, and held against the model of that moment when it is done. At most one of each kind at a time.
 */
#ifndef WEIR_TESTS_REPLAY_ORDERS_H
#define WEIR_TESTS_REPLAY_ORDERS_H

#include "house.h"

/* What was under way when the last life ended. */
void orders_reopen(struct house *house);
/* Begins something, or looks whether something is done. */
void orders_turn(struct house *house, struct dice *dice);
/* While a backup is being made time stands still: what is visible in it would depend on when it began. */
bool orders_hold_time(const struct shared *shared);
/* Everything comes to its end. */
void orders_finish(struct house *house);

#endif
