/* What the files of Riddle Rush share: its tables, and what one file asks of another. */
#ifndef RIDDLE_RUSH_H
#define RIDDLE_RUSH_H

#include <weir/weir.h>

#define MODE_MAX 64    /* bytes of a game mode */
#define METRIC_MAX 128 /* bytes of a metric's name */

extern struct weir_table rr_users, rr_leaderboard, rr_performance, rr_connections, rr_best, rr_stats;

/* alarms.c */
extern const struct weir_alarm rr_alarms[];

extern const struct weir_dashboard rr_dashboards[]; /* dashboard.c */

/* leaderboard.c */
void rr_update_leaderboard(struct weir_call *call);
void rr_get_leaderboard(struct weir_call *call);

/* stats.c: the aggregate rows of a user, and their answer. */
void rr_stats_game(struct weir_call *call, struct weir_text user, struct weir_text mode, int64_t score);
/* `measured` holds the attribute "duration". */
void rr_stats_metric(struct weir_call *call, struct weir_text user, struct weir_text metric, const struct weir_item *measured);
void rr_get_user_stats(struct weir_call *call);

/* riddle_rush.c */
/* The user that the message is about, whose row exists from here on. Empty, and a failed call, when there is none. */
struct weir_text rr_acting_user(struct weir_call *call);
/* "timestamp" as the client gave it (seconds or milliseconds keep their digits, ISO 8601 becomes milliseconds beside its text), else the tick's; and
   "receivedAt", "claimed". */
void rr_stamp(struct weir_call *call, struct weir_item *item);

#endif
