/*
 * A player's statistics: aggregate rows that every write keeps up to date, so that an answer reads a few rows however long the history is.
 *
 *   (userId, "total")            games, metrics, distinct modes and metrics, first and last activity
 *   (userId, "mode#<gameMode>")  games, best score, last score
 *   (userId, "metric#<name>")    count, sum, min, max
 *
 * A client chooses the names of modes and metrics, so their number is bounded: beyond 200 of a kind they are summed up under "other". Minimum and maximum keep their
 * digits; a sum is kept to 15 of them.
 *
 * Demands: IN-4, LB-6
 */
#include "riddle_rush.h"

#include <stdio.h>

#define NAMES_MAX 200 /* distinct modes, and distinct metrics, per player */

struct weir_table rr_stats = {
    .name = "riddle-rush-stats-{env}",
    .hash = "userId",
    .hash_type = WEIR_S,
    .range = "entry",
    .range_type = WEIR_S,
};

/* A row to be written, with what is there already. */
static struct weir_item *row_open(struct weir_call *call, struct weir_text user, struct weir_text entry, bool *exists)
{
    struct weir_item *row = weir_item(call);
    weir_item_text(row, "userId", user);
    weir_item_text(row, "entry", entry);
    const struct weir_item *before = weir_get(call, &rr_stats, row);
    weir_item_copy(row, before);
    *exists = before != NULL;
    return row;
}

static void add(struct weir_item *row, const char *name, int64_t more)
{
    weir_item_integer(row, name, weir_get_integer(row, name, 0) + more);
}

/* Opens "<kind>#<name>", or "<kind>#other" when the player has used up the names; counts in the total. */
static struct weir_item *named_open(struct weir_call *call, struct weir_text user, const char *kind, struct weir_text name, const char *events, const char *distinct)
{
    char entry[16 + METRIC_MAX];
    bool total_exists, exists;
    struct weir_item *total = row_open(call, user, WEIR_STR("total"), &total_exists);
    int len = snprintf(entry, sizeof(entry), "%s#%.*s", kind, WEIR_TEXT(name));
    struct weir_item *row = row_open(call, user, (struct weir_text){entry, (size_t)len}, &exists);
    if (!exists && weir_get_integer(total, distinct, 0) >= NAMES_MAX) {
        name = WEIR_STR("other");
        len = snprintf(entry, sizeof(entry), "%s#other", kind);
        row = row_open(call, user, (struct weir_text){entry, (size_t)len}, &exists);
    }
    if (weir_failed(call))
        return row;
    weir_item_text(row, "name", name);
    if (!exists)
        add(total, distinct, 1);
    add(total, events, 1);
    if (!total_exists)
        weir_item_text(total, "firstSeen", weir_now_iso(call));
    weir_item_text(total, "lastSeen", weir_now_iso(call));
    weir_put(call, &rr_stats, total);
    return row;
}

void rr_stats_game(struct weir_call *call, struct weir_text user, struct weir_text mode, int64_t score)
{
    struct weir_item *row = named_open(call, user, "mode", mode, "games", "modes");
    if (weir_failed(call))
        return;
    add(row, "games", 1);
    if (score > weir_get_integer(row, "best", -1))
        weir_item_integer(row, "best", score);
    weir_item_integer(row, "last", score);
    weir_put(call, &rr_stats, row);
}

void rr_stats_metric(struct weir_call *call, struct weir_text user, struct weir_text metric, const struct weir_item *measured)
{
    char sum[40];
    if (weir_failed(call))
        return;
    struct weir_item *row = named_open(call, user, "metric", metric, "metrics", "metricNames");
    if (weir_failed(call))
        return;
    double value = weir_get_real(measured, "duration", 0);
    int len = snprintf(sum, sizeof(sum), "%.15g", weir_get_real(row, "sum", 0) + value);
    weir_item_number(row, "sum", (struct weir_text){sum, (size_t)len});
    if (!weir_item_has(row, "min") || value < weir_get_real(row, "min", 0))
        weir_item_number(row, "min", weir_get_number(measured, "duration"));
    if (!weir_item_has(row, "max") || value > weir_get_real(row, "max", 0))
        weir_item_number(row, "max", weir_get_number(measured, "duration"));
    add(row, "count", 1);
    weir_put(call, &rr_stats, row);
}

/* ---- the answer ---- */

static void write_digits(struct weir_json *json, const char *name, const struct weir_item *row, const char *attribute)
{
    weir_name(json, name);
    weir_digits(json, weir_get_number(row, attribute));
}

static void write_mode(struct weir_json *json, const struct weir_item *row)
{
    write_digits(json, "games", row, "games");
    write_digits(json, "best", row, "best");
    write_digits(json, "last", row, "last");
}

static void write_metric(struct weir_json *json, const struct weir_item *row)
{
    write_digits(json, "count", row, "count");
    write_digits(json, "sum", row, "sum");
    weir_name(json, "average");
    weir_real(json, weir_get_real(row, "sum", 0) / weir_get_real(row, "count", 1));
    write_digits(json, "min", row, "min");
    write_digits(json, "max", row, "max");
}

/* All rows whose entry begins with `prefix`, as an object of their names. */
static void write_kind(struct weir_call *call, struct weir_json *json, struct weir_text user, const char *prefix, void (*write)(struct weir_json *, const struct weir_item *))
{
    struct weir_item *key = weir_item(call), *low = weir_item(call);
    const struct weir_item *row;
    char name[METRIC_MAX + 1];
    weir_item_text(key, "userId", user);
    weir_item_text(low, "entry", weir_text_of(prefix));
    struct weir_cursor *cursor = weir_query(call, &(struct weir_query){.table = &rr_stats, .key = key, .range = WEIR_PREFIX, .low = low});
    weir_object(json);
    while ((row = weir_next(cursor))) {
        snprintf(name, sizeof(name), "%.*s", WEIR_TEXT(weir_get_text(row, "name")));
        weir_name(json, name);
        weir_object(json);
        write(json, row);
        weir_end(json);
    }
    weir_end(json);
}

void rr_get_user_stats(struct weir_call *call)
{
    bool exists;
    struct weir_text user = weir_acting_user(call, "userId");
    if (weir_failed(call))
        return;
    const struct weir_item *total = row_open(call, user, WEIR_STR("total"), &exists);
    struct weir_json *json = weir_json(call);
    weir_object(json);
    weir_member(json, "type", WEIR_STR("userStats"));
    weir_name(json, "data");
    weir_object(json);
    weir_member(json, "userId", user);
    weir_member_integer(json, "games", weir_get_integer(total, "games", 0));
    weir_member_integer(json, "metricsLogged", weir_get_integer(total, "metrics", 0));
    if (exists) {
        weir_member(json, "firstSeen", weir_get_text(total, "firstSeen"));
        weir_member(json, "lastSeen", weir_get_text(total, "lastSeen"));
    }
    weir_name(json, "modes");
    write_kind(call, json, user, "mode#", write_mode);
    weir_name(json, "metrics");
    write_kind(call, json, user, "metric#", write_metric);
    weir_end(json);
    weir_member_request(json);
    weir_end(json);
    weir_reply(call, json);
}
