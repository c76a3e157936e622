/*
 * Riddle Rush (seed document 000): players measure their pages, post their scores, and ask where they stand.
 *
 * Who plays is claimed by ?userId= (or by the body), as in the document, and every row that rests on a claim says so. The document's key of the leaderboard,
 * (gameMode, score), would let two players with the same score overwrite each other; here an entry's key is its score and its commit, so each game is a row.
 *
 * Nothing is counted by reading history. Each write also updates what is asked later: the player's best per mode (ranked by a counted index, see
 * leaderboard.c) and the player's statistics (stats.c).
 *
 * Demands: GW-14, AU-10, AU-14, TB-1, TB-3, TB-4, TB-12, IN-1 … IN-3, X-7, X-13
 */
#include "riddle_rush.h"

struct weir_table rr_users = {
    .name = "riddle-rush-users-{env}",
    .hash = "userId",
    .hash_type = WEIR_S,
    .index = {
        {.name = "EmailIndex", .hash = "email", .hash_type = WEIR_S},
        {.name = "CreatedAtIndex", .hash = "kind", .hash_type = WEIR_S, .range = "createdAt", .range_type = WEIR_S},
    },
    .ttl = "ttl",
    .changes = true,
    .recovery_days = 35,
};

struct weir_table rr_leaderboard = {
    .name = "riddle-rush-leaderboard-{env}",
    .hash = "gameMode",
    .hash_type = WEIR_S,
    .range = "entryId", /* score and commit, sortable */
    .range_type = WEIR_S,
    .index = {
        {.name = "ScoreIndex", .hash = "gameMode", .hash_type = WEIR_S, .range = "score", .range_type = WEIR_N},
        {.name = "UserScoresIndex", .hash = "userId", .hash_type = WEIR_S, .range = "score", .range_type = WEIR_N},
        {.name = "TimestampIndex", .hash = "gameMode", .hash_type = WEIR_S, .range = "timestamp", .range_type = WEIR_N},
    },
    .ttl = "ttl",
};

struct weir_table rr_performance = {
    .name = "riddle-rush-performance-{env}",
    .hash = "metricId",
    .hash_type = WEIR_S,
    .range = "timestamp",
    .range_type = WEIR_N,
    .index = {
        {.name = "UserMetricsIndex", .hash = "userId", .hash_type = WEIR_S, .range = "timestamp", .range_type = WEIR_N},
        {.name = "MetricNameIndex", .hash = "metricName", .hash_type = WEIR_S, .range = "timestamp", .range_type = WEIR_N},
    },
    .ttl = "ttl",
};

struct weir_table rr_connections = {
    .name = "riddle-rush-ws-connections-{env}",
    .hash = "connectionId",
    .hash_type = WEIR_S,
    .index = {{.name = "UserConnectionsIndex", .hash = "userId", .hash_type = WEIR_S}},
    .ttl = "ttl",
};

/* ---- users ---- */

static void user_ensure(struct weir_call *call, struct weir_text user)
{
    struct weir_item *row = weir_item(call);
    weir_item_text(row, "userId", user);
    if (weir_get(call, &rr_users, row) || weir_failed(call))
        return;
    weir_item_text(row, "kind", WEIR_STR("user"));
    weir_item_text(row, "createdAt", weir_now_iso(call));
    if (!weir_proven(call))
        weir_item_boolean(row, "claimed", true);
    weir_put(call, &rr_users, row);
}

struct weir_text rr_acting_user(struct weir_call *call)
{
    struct weir_text user = weir_acting_user(call, "userId");
    if (!weir_failed(call))
        user_ensure(call, user);
    return user;
}

static void connected(struct weir_call *call)
{
    struct weir_text user = weir_user_id(call);
    if (user.len)
        user_ensure(call, user);
}

void rr_stamp(struct weir_call *call, struct weir_item *item)
{
    struct weir_text came;
    const struct weir_value *given = weir_in_value(call, "timestamp", false);
    int64_t ms = weir_in_time_or(call, "timestamp", weir_now(call));
    if (weir_value_text(given, &came)) {
        weir_item_integer(item, "timestamp", ms);
        weir_item_text(item, "timestampText", came);
    } else if (weir_has(call, "timestamp")) {
        weir_item_value(item, "timestamp", given);
    } else {
        weir_item_integer(item, "timestamp", ms);
    }
    weir_item_text(item, "receivedAt", weir_now_iso(call));
    if (!weir_proven(call))
        weir_item_boolean(item, "claimed", true);
}

/* ---- performance ---- */

/* Every client metric by its name, and by name and user. A player too many for the server's limit of series is left out, and counted there. */
static void measure(struct weir_call *call, struct weir_text metric, double duration, struct weir_text user)
{
    struct weir_metric point = {.name = metric, .value = duration, .unit = "Milliseconds"};
    weir_metric(call, &point);
    point.dimension[0] = (struct weir_dimension){"UserId", user};
    weir_metric(call, &point);
}

static void log_performance(struct weir_call *call)
{
    struct weir_text metric = weir_in_text(call, "metricName", 1, METRIC_MAX);
    struct weir_text duration = weir_in_number(call, "duration", 0, 1e15);
    const struct weir_value *metadata = weir_in_object(call, "metadata", false);
    struct weir_text user = rr_acting_user(call);
    struct weir_item *row = weir_item(call);
    weir_item_text(row, "metricId", weir_id(call));
    weir_item_text(row, "userId", user);
    weir_item_text(row, "metricName", metric);
    weir_item_number(row, "duration", duration);
    weir_item_value(row, "metadata", metadata);
    rr_stamp(call, row);
    weir_item_expires_in(row, 30 * WEIR_DAY);
    weir_put_new(call, &rr_performance, row);
    rr_stats_metric(call, user, metric, row);
    if (weir_failed(call))
        return;
    double ms = 0;
    weir_value_real(weir_in_value(call, "duration", true), &ms);
    measure(call, metric, ms, user);
    struct weir_json *fields = weir_json(call);
    weir_object(fields);
    weir_member(fields, "metricName", metric);
    weir_name(fields, "duration");
    weir_digits(fields, duration);
    weir_member(fields, "userId", user);
    weir_end(fields);
    weir_log_event(call, WEIR_INFO, "Performance logged", fields);
    weir_ack(call);
}

static void unknown(struct weir_call *call)
{
    weir_fail(call, "UNKNOWN_ACTION", "action", "there is no such action; known are logPerformance, updateLeaderboard, getUserStats and getLeaderboard");
}

const struct weir_app weir_app_riddle_rush = {
    .name = "riddle_rush",
    .description = "a game's performance metrics, leaderboards and player statistics",
    .auth = WEIR_CLAIMED,
    .route_key = "$request.body.action",
    .type_routes = true,
    .registry = {.table = &rr_connections, .lifetime = 2 * WEIR_HOUR, .metadata = true},
    .tables = (struct weir_table *const[]){&rr_users, &rr_leaderboard, &rr_performance, &rr_best, &rr_stats, NULL},
    .routes = (const struct weir_route[]){
        {"$connect", connected, WEIR_TICK},
        {"logPerformance", log_performance, WEIR_TICK},
        {"updateLeaderboard", rr_update_leaderboard, WEIR_TICK},
        {"getUserStats", rr_get_user_stats, WEIR_READ},
        {"getLeaderboard", rr_get_leaderboard, WEIR_READ},
        {"$default", unknown, WEIR_PURE},
        {0},
    },
    .functions = (const struct weir_function[]){
        {"riddle-rush-ws-connect-{env}", (const char *const[]){"$connect", NULL}},
        {"riddle-rush-ws-disconnect-{env}", (const char *const[]){"$disconnect", NULL}},
        {"riddle-rush-ws-message-{env}", NULL},
        {0},
    },
    .dashboards = rr_dashboards,
    .live = (const struct weir_live[]){{.table = &rr_best, .rule = WEIR_LIVE_ANYONE}, {0}},
    .alarms = rr_alarms,
};
