/*
 * What the files of clash_bot share: its tables and handlers.
 *
 *   clash_bot.c     the declaration and the socket
 *   tournament.c    tournaments and their players, over REST
 *   workflow.c      the assignment workflow: its start, its steps, its end
 */
#ifndef CLASH_BOT_H
#define CLASH_BOT_H

#include <weir/weir.h>

#define CB_ID_MAX 128      /* bytes of a tournament's and of a player's id */
#define CB_PLAYERS_MAX 400 /* of one tournament: the step that assigns them reads and writes each, within WEIR_TOUCH_ITEMS */

extern struct weir_table cb_tournaments;
extern struct weir_table cb_players;
extern struct weir_table cb_executions;

/* The key of a tournament. */
struct weir_item *cb_tournament_key(struct weir_call *call, struct weir_text id);
/* The tournament that the path names. NULL: there is none, or the call has failed; it is then refused with 404. */
const struct weir_item *cb_tournament_of_path(struct weir_call *call);
/* Reads a tournament's players into `players`. How many there are; CB_PLAYERS_MAX + 1 when there are more than fit. */
size_t cb_players_read(struct weir_call *call, struct weir_text tournament, const struct weir_item *players[CB_PLAYERS_MAX]);

void cb_tournament_create(struct weir_call *call);
void cb_tournament_read(struct weir_call *call);
void cb_players_register(struct weir_call *call);

void cb_workflow_start(struct weir_call *call);
void cb_workflow_read(struct weir_call *call);
void cb_workflow_register(struct weir_call *call);
void cb_workflow_assign(struct weir_call *call);
void cb_workflow_lock(struct weir_call *call);
void cb_workflow_watch(struct weir_call *call);

#endif
