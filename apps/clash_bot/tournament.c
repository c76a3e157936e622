/*
 * Tournaments and their players.
 *
 * A tournament's status says how far its workflow has come: open, started, registered, assigned, locked. Players are registered while it is open alone: the
 * workflow assigns those that its start has found, and nobody slips in between two steps. A workflow that fails opens the tournament again.
 *
 * Registering a player twice changes the player and counts once, so a client that heard no answer simply asks again.
 *
 * Demands: WF-3, WF-6, WF-7, WF-9
 */
#include "clash_bot.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 256
#define ID_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

struct weir_table cb_tournaments = {
    .name = "ClashTournaments",
    .hash = "tournamentId",
    .hash_type = WEIR_S,
    .changes = true,
};

struct weir_table cb_players = {
    .name = "ClashPlayers",
    .hash = "tournamentId",
    .hash_type = WEIR_S,
    .range = "playerId",
    .range_type = WEIR_S,
    .changes = true,
};

/* ---- reading ---- */

struct weir_item *cb_tournament_key(struct weir_call *call, struct weir_text id)
{
    struct weir_item *key = weir_item(call);
    weir_item_text(key, "tournamentId", id);
    return key;
}

const struct weir_item *cb_tournament_of_path(struct weir_call *call)
{
    struct weir_text id = weir_path_param(call, "id");
    const struct weir_item *tournament = id.len && id.len <= CB_ID_MAX ? weir_get(call, &cb_tournaments, cb_tournament_key(call, id)) : NULL;
    if (!tournament)
        weir_refuse(call, 404, "NOT_FOUND", "there is no tournament %.*s", id.len > CB_ID_MAX ? CB_ID_MAX : (int)id.len, id.data);
    return tournament;
}

size_t cb_players_read(struct weir_call *call, struct weir_text tournament, const struct weir_item *players[CB_PLAYERS_MAX])
{
    struct weir_cursor *cursor = weir_query(call, &(struct weir_query){.table = &cb_players, .key = cb_tournament_key(call, tournament)});
    const struct weir_item *player;
    size_t count = 0;
    while ((player = weir_next(cursor))) {
        if (count == CB_PLAYERS_MAX)
            return count + 1;
        players[count++] = player;
    }
    return count;
}

/* ---- what a client is told ---- */

static void member_if_there(struct weir_json *json, const struct weir_item *item, const char *name)
{
    if (weir_item_has(item, name))
        weir_member(json, name, weir_get_text(item, name));
}

static void write_head(struct weir_json *json, const struct weir_item *tournament)
{
    member_if_there(json, tournament, "tournamentId");
    member_if_there(json, tournament, "name");
    member_if_there(json, tournament, "startTime");
    member_if_there(json, tournament, "status");
    member_if_there(json, tournament, "createdAt");
    member_if_there(json, tournament, "teamId");
    member_if_there(json, tournament, "executionArn");
    weir_member_integer(json, "playerCount", weir_get_integer(tournament, "playerCount", 0));
}

static void write_player(struct weir_json *json, const struct weir_item *player)
{
    weir_object(json);
    member_if_there(json, player, "playerId");
    member_if_there(json, player, "name");
    member_if_there(json, player, "registeredAt");
    member_if_there(json, player, "teamId");
    member_if_there(json, player, "assignedAt");
    weir_end(json);
}

void cb_tournament_read(struct weir_call *call)
{
    const struct weir_item *players[CB_PLAYERS_MAX];
    const struct weir_item *tournament = cb_tournament_of_path(call);
    if (!tournament)
        return;
    size_t count = cb_players_read(call, weir_get_text(tournament, "tournamentId"), players);
    struct weir_json *json = weir_json(call);
    weir_object(json);
    write_head(json, tournament);
    weir_name(json, "players");
    weir_array(json);
    for (size_t i = 0; i < count && i < CB_PLAYERS_MAX; i++)
        write_player(json, players[i]);
    weir_end(json);
    weir_end(json);
    weir_reply(call, json);
}

/* ---- a new tournament ---- */

/* Ids stand in paths, team ids and commands, so they are made of characters that mean nothing there. */
static bool id_checked(struct weir_call *call, const char *field, struct weir_text id)
{
    if (id.len == 0)
        weir_fail(call, "INVALID", field, "%s must not be empty", field);
    else if (id.len > CB_ID_MAX)
        weir_fail(call, "TOO_LARGE", field, "%s must have at most %d bytes", field, CB_ID_MAX);
    for (size_t i = 0; i < id.len && !weir_failed(call); i++)
        if (!id.data[i] || !strchr(ID_CHARACTERS, id.data[i]))
            weir_fail(call, "INVALID", field, "%s is made of letters, digits, '-', '_' and '.'", field);
    return !weir_failed(call);
}

/* The client's own id, or a new one in `made`. */
static struct weir_text new_id(struct weir_call *call, char made[64])
{
    if (weir_has(call, "tournamentId"))
        return weir_in_text(call, "tournamentId", 1, CB_ID_MAX);
    struct weir_text unique = weir_id(call);
    return (struct weir_text){made, (size_t)snprintf(made, 64, "tournament-%.*s", WEIR_TEXT(unique))};
}

static int64_t start_time(struct weir_call *call)
{
    int64_t time = weir_in_time_or(call, "startTime", -1);
    if (time < 0)
        weir_fail(call, "MISSING", "startTime", "startTime is required");
    return time;
}

void cb_tournament_create(struct weir_call *call)
{
    char made[64];
    struct weir_text id = new_id(call, made);
    struct weir_text name = weir_in_text_or(call, "name", NAME_MAX_BYTES, id);
    int64_t time = start_time(call);
    if (weir_failed(call) || !id_checked(call, "tournamentId", id))
        return;
    if (weir_get(call, &cb_tournaments, cb_tournament_key(call, id))) {
        weir_fail(call, "EXISTS", "tournamentId", "the tournament %.*s exists already", WEIR_TEXT(id));
        return;
    }
    struct weir_item *tournament = cb_tournament_key(call, id);
    weir_item_text(tournament, "name", name.len ? name : id);
    weir_item_text(tournament, "startTime", weir_iso(call, time));
    weir_item_text(tournament, "status", WEIR_STR("open"));
    weir_item_text(tournament, "createdAt", weir_now_iso(call));
    weir_item_integer(tournament, "playerCount", 0);
    weir_put(call, &cb_tournaments, tournament);
    struct weir_json *json = weir_json(call);
    weir_object(json);
    write_head(json, tournament);
    weir_end(json);
    weir_reply_status(call, 201, json);
}

/* ---- players ---- */

/* Puts the player; true when the tournament has one more now. */
static bool player_put(struct weir_call *call, struct weir_text tournament, struct weir_text id, struct weir_text name)
{
    struct weir_item *player = cb_tournament_key(call, tournament);
    weir_item_text(player, "playerId", id);
    const struct weir_item *before = weir_get(call, &cb_players, player);
    weir_item_copy(player, before);
    if (name.len || !before)
        weir_item_text(player, "name", name.len ? name : id);
    if (!before)
        weir_item_text(player, "registeredAt", weir_now_iso(call));
    weir_put(call, &cb_players, player);
    return !before;
}

/* An element of "players": an id, or {"playerId","name"?}. */
static bool player_at(struct weir_call *call, struct weir_text tournament, const struct weir_value *players, size_t at)
{
    char field[48];
    const struct weir_value *element = weir_value_at(players, at);
    const struct weir_value *named = weir_value_get(element, "name");
    struct weir_text id, name = WEIR_STR("");
    bool is_text = weir_value_text(element, &id);
    snprintf(field, sizeof(field), is_text ? "players[%zu]" : "players[%zu].playerId", at);
    if (!is_text && !weir_value_text(weir_value_get(element, "playerId"), &id)) {
        weir_fail(call, "TYPE", field, "%s must be a string", field);
        return false;
    }
    if (!id_checked(call, field, id))
        return false;
    snprintf(field, sizeof(field), "players[%zu].name", at);
    if (named && (!weir_value_text(named, &name) || name.len > NAME_MAX_BYTES)) {
        weir_fail(call, "INVALID", field, "%s must be a string of at most %d bytes", field, NAME_MAX_BYTES);
        return false;
    }
    return player_put(call, tournament, id, name);
}

/* How many are new. */
static int64_t players_of_body(struct weir_call *call, struct weir_text tournament)
{
    int64_t added = 0;
    if (!weir_has(call, "players")) {
        struct weir_text id = weir_in_text(call, "playerId", 1, CB_ID_MAX);
        struct weir_text name = weir_in_text_or(call, "name", NAME_MAX_BYTES, WEIR_STR(""));
        return !weir_failed(call) && id_checked(call, "playerId", id) && player_put(call, tournament, id, name);
    }
    const struct weir_value *players = weir_in_value(call, "players", true);
    size_t count = weir_value_count(players);
    if (!weir_value_at(players, 0))
        weir_fail(call, "TYPE", "players", "players must be an array of at least one player");
    else if (count > CB_PLAYERS_MAX)
        weir_fail(call, "LIMIT", "players", "a tournament has at most %d players", CB_PLAYERS_MAX);
    for (size_t i = 0; i < count && !weir_failed(call); i++)
        added += player_at(call, tournament, players, i);
    return added;
}

void cb_players_register(struct weir_call *call)
{
    const struct weir_item *before = cb_tournament_of_path(call);
    if (!before)
        return;
    struct weir_text id = weir_get_text(before, "tournamentId"), status = weir_get_text(before, "status");
    if (!weir_text_is(status, "open")) {
        weir_refuse(call, 409, "CLOSED", "the tournament %.*s is %.*s: players are registered while it is open", WEIR_TEXT(id), WEIR_TEXT(status));
        return;
    }
    int64_t added = players_of_body(call, id);
    int64_t count = weir_get_integer(before, "playerCount", 0) + added;
    if (count > CB_PLAYERS_MAX)
        weir_fail(call, "LIMIT", "players", "a tournament has at most %d players", CB_PLAYERS_MAX);
    struct weir_item *tournament = weir_item(call);
    weir_item_copy(tournament, before);
    weir_item_integer(tournament, "playerCount", count);
    if (added)
        weir_put(call, &cb_tournaments, tournament);
    struct weir_json *json = weir_json(call);
    weir_object(json);
    weir_member(json, "tournamentId", id);
    weir_member_integer(json, "registered", added);
    weir_member_integer(json, "playerCount", count);
    weir_end(json);
    weir_reply(call, json);
}
