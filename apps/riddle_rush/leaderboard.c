/*
 * Scores and ranks.
 *
 * Every game is an entry of the leaderboard table. Ranks are another matter: they count players, not games, so they come from a table with one row per player and mode,
 * the player's best. Its counted index orders a mode's players by a text that sorts as they rank: the complement of the score (higher first), then the
 * commit's sequence and the call's number in it (earlier first). So no two players share a rank, a tie goes to whoever was durable first, never to a client's
 * clock, and a rank among a million players costs a handful of look-ups.
 *
 * A best expires with the entry that made it, after 90 days; the player's next game then sets a new one.
 *
 * Demands: TB-2, LB-1 … LB-4, LB-6, X-1
 */
#include "riddle_rush.h"

#include <inttypes.h>
#include <stdio.h>

#define LIFETIME (90 * WEIR_DAY)
#define ENTRIES_MAX 100
#define ENTRIES_DEFAULT 10
#define KEY_TEXT 64 /* bytes of a sortable key; 51 are used */

struct weir_table rr_best = {
    .name = "riddle-rush-best-{env}",
    .hash = "gameMode",
    .hash_type = WEIR_S,
    .range = "userId",
    .range_type = WEIR_S,
    .index = {{.name = "RankIndex", .hash = "gameMode", .hash_type = WEIR_S, .range = "rankKey", .range_type = WEIR_S, .counted = true}},
    .ttl = "ttl",
    .changes = true, /* its top is followed live */
};

/* ---- writing ---- */

/* Nineteen digits hold every score; sequence and number make it unique. */
static struct weir_text sortable(struct weir_call *call, int64_t score, char out[KEY_TEXT])
{
    int len = snprintf(out, KEY_TEXT, "%019" PRId64 "-%020" PRIu64 "-%010" PRIu32, score, weir_sequence(call), weir_call_number(call));
    return (struct weir_text){out, (size_t)len};
}

static void best_update(struct weir_call *call, struct weir_text user, struct weir_text mode, int64_t score, struct weir_text name)
{
    char key[KEY_TEXT];
    struct weir_item *row = weir_item(call);
    weir_item_text(row, "gameMode", mode);
    weir_item_text(row, "userId", user);
    const struct weir_item *before = weir_get(call, &rr_best, row);
    if (weir_failed(call) || (before && weir_get_integer(before, "score", -1) >= score))
        return;
    weir_item_text(row, "rankKey", sortable(call, INT64_MAX - score, key));
    weir_item_integer(row, "score", score);
    weir_item_text(row, "playerName", name);
    weir_item_text(row, "achievedAt", weir_now_iso(call));
    weir_item_expires_in(row, LIFETIME);
    weir_put(call, &rr_best, row);
}

static void log_update(struct weir_call *call, struct weir_text user, struct weir_text mode, int64_t score)
{
    struct weir_json *fields = weir_json(call);
    weir_object(fields);
    weir_member(fields, "gameMode", mode);
    weir_member_integer(fields, "score", score);
    weir_member(fields, "userId", user);
    weir_end(fields);
    weir_log_event(call, WEIR_INFO, "Leaderboard updated", fields);
}

void rr_update_leaderboard(struct weir_call *call)
{
    char key[KEY_TEXT];
    struct weir_text mode = weir_in_text(call, "gameMode", 1, MODE_MAX);
    int64_t score = weir_in_integer(call, "score", 0, INT64_MAX);
    struct weir_text name = weir_in_text_or(call, "playerName", 128, WEIR_STR(""));
    struct weir_text user = rr_acting_user(call);
    if (weir_failed(call))
        return;
    struct weir_item *entry = weir_item(call);
    weir_item_text(entry, "gameMode", mode);
    weir_item_text(entry, "entryId", sortable(call, score, key));
    weir_item_integer(entry, "score", score);
    weir_item_text(entry, "userId", user);
    weir_item_text(entry, "playerName", name);
    rr_stamp(call, entry);
    weir_item_expires_in(entry, LIFETIME);
    weir_put_new(call, &rr_leaderboard, entry);
    best_update(call, user, mode, score, name);
    rr_stats_game(call, user, mode, score);
    weir_measure(call, "GameScore", (double)score, "Count", "GameMode", mode);
    log_update(call, user, mode, score);
    weir_ack(call);
}

/* ---- reading ---- */

static void write_entry(struct weir_json *json, const struct weir_item *row, uint64_t rank)
{
    weir_object(json);
    weir_member_integer(json, "rank", (int64_t)rank + 1);
    weir_member(json, "userId", weir_get_text(row, "userId"));
    weir_member(json, "playerName", weir_get_text(row, "playerName"));
    weir_name(json, "score");
    weir_digits(json, weir_get_number(row, "score"));
    weir_member(json, "achievedAt", weir_get_text(row, "achievedAt"));
    weir_end(json);
}

static void write_entries(struct weir_call *call, struct weir_json *json, const struct weir_query *query, uint64_t first, int64_t limit)
{
    const struct weir_item *row;
    struct weir_cursor *cursor = weir_rank_seek(call, query, first);
    weir_name(json, "entries");
    weir_array(json);
    for (int64_t i = 0; i < limit && (row = weir_next(cursor)); i++)
        write_entry(json, row, first + (uint64_t)i);
    weir_end(json);
}

/* The player that "around" names ("me": the caller), or NULL. */
static const struct weir_item *player_around(struct weir_call *call, struct weir_text mode)
{
    struct weir_text around = weir_in_text_or(call, "around", 256, WEIR_STR(""));
    if (weir_failed(call) || !around.len)
        return NULL;
    if (weir_text_is(around, "me"))
        around = weir_acting_user(call, "userId");
    struct weir_item *key = weir_item(call);
    weir_item_text(key, "gameMode", mode);
    weir_item_text(key, "userId", around);
    return weir_get(call, &rr_best, key);
}

/*
 * {gameMode, limit?}             the top
 * {gameMode, rank, limit?}       from that rank on (1 is the best)
 * {gameMode, around, limit?}     a player ("me" or a user id) in the middle, and "player" with the exact rank; null when the player has no score
 */
void rr_get_leaderboard(struct weir_call *call)
{
    struct weir_text mode = weir_in_text(call, "gameMode", 1, MODE_MAX);
    int64_t limit = weir_in_integer_or(call, "limit", 1, ENTRIES_MAX, ENTRIES_DEFAULT);
    int64_t rank = weir_in_integer_or(call, "rank", 1, INT64_MAX, 1);
    const struct weir_item *player = player_around(call, mode);
    bool around = weir_has(call, "around");
    struct weir_item *key = weir_item(call);
    struct weir_query query = {.table = &rr_best, .index = "RankIndex", .key = key};
    uint64_t first = (uint64_t)rank - 1, of_player = 0;
    weir_item_text(key, "gameMode", mode);
    uint64_t players = weir_rank_count(call, &query);
    if (player && weir_rank_of(call, &query, player, &of_player))
        first = of_player > (uint64_t)limit / 2 ? of_player - (uint64_t)limit / 2 : 0;
    else
        player = NULL;
    if (weir_failed(call))
        return;
    struct weir_json *json = weir_json(call);
    weir_object(json);
    weir_member(json, "type", WEIR_STR("leaderboard"));
    weir_name(json, "data");
    weir_object(json);
    weir_member(json, "gameMode", mode);
    weir_member_integer(json, "players", (int64_t)players);
    write_entries(call, json, &query, first, around && !player ? 0 : limit);
    if (around) {
        weir_name(json, "player");
        if (player)
            write_entry(json, player, of_player);
        else
            weir_null(json);
    }
    weir_end(json);
    weir_member_request(json);
    weir_end(json);
    weir_reply(call, json);
}
