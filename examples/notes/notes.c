/*
 * Boards of notes: what live tables and stream consumers are for.
 *
 *   > {"action":"subscribe","table":"notes","key":{"board":"kitchen"}}
 *   < {"type":"subscribed",...}   {"type":"snapshot","items":[..],"last":true,...}   then {"type":"change","event":"INSERT",...} for every note
 *   > {"action":"put","board":"kitchen","id":"1","text":"milk"}
 *   < {"type":"ack","action":"put","seq":12}
 *
 * Everybody follows the notes; drafts are followed by who wrote them; the counts, which a consumer keeps for each board, by administrators.
 */
#include <weir/weir.h>

static struct weir_table notes = {
    .name = "notes",
    .hash = "board",
    .range = "id",
    .index = {{.name = "ByAuthor", .hash = "author", .range = "id"},
        {.name = "ByAuthorAndBoard", .hash = "author", .more_hash = {{"board", WEIR_S}}, .range = "stars", .range_type = WEIR_N, .more_range = {{"id", WEIR_S}}}},
    .changes = true,
};
static struct weir_table drafts = {.name = "notes-drafts", .hash = "id", .changes = true};
static struct weir_table counts = {.name = "notes-counts", .hash = "board", .changes = true};

static struct weir_item *note_key(struct weir_call *call)
{
    struct weir_item *key = weir_item(call);
    weir_item_text(key, "board", weir_in_text(call, "board", 1, 64));
    weir_item_text(key, "id", weir_in_text(call, "id", 1, 64));
    return key;
}

static void put(struct weir_call *call)
{
    struct weir_item *note = note_key(call);
    weir_item_text(note, "author", weir_user_id(call));
    weir_item_text(note, "text", weir_in_text(call, "text", 1, 4096));
    weir_item_integer(note, "stars", weir_in_integer_or(call, "stars", 0, 5, 0));
    if (weir_failed(call))
        return;
    weir_put(call, &notes, note);
    weir_ack(call);
}

static void take_down(struct weir_call *call)
{
    struct weir_item *key = note_key(call);
    if (weir_failed(call))
        return;
    weir_delete(call, &notes, key);
    weir_ack(call);
}

static void draft(struct weir_call *call)
{
    struct weir_item *item = weir_item(call);
    weir_item_text(item, "id", weir_in_text(call, "id", 1, 64));
    weir_item_text(item, "author", weir_user_id(call));
    weir_item_text(item, "text", weir_in_text(call, "text", 1, 4096));
    if (weir_failed(call))
        return;
    weir_put(call, &drafts, item);
    weir_ack(call);
}

/* To everybody in the room of a board; who was away asks with "resume" for what was said. */
static void say(struct weir_call *call)
{
    struct weir_text board = weir_in_text(call, "board", 1, 64);
    struct weir_json *message = weir_json(call);
    weir_object(message);
    weir_member(message, "type", WEIR_STR("said"));
    weir_member(message, "board", board);
    weir_member(message, "by", weir_user_id(call));
    weir_member(message, "text", weir_in_text(call, "text", 1, 4096));
    weir_end(message);
    weir_publish(call, board, message);
    weir_ack(call);
}

/* ---- the consumer ---- */

static void count_one(struct weir_call *call, struct weir_text board, const char *what)
{
    static const char *const all[] = {"INSERT", "MODIFY", "REMOVE", "spoiled"};
    struct weir_item *key = weir_item(call), *row = weir_item(call);
    weir_item_text(key, "board", board);
    weir_item_text(row, "board", board);
    const struct weir_item *old = weir_get(call, &counts, key);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        weir_item_integer(row, all[i], (old ? weir_get_integer(old, all[i], 0) : 0) + weir_text_is(weir_text_of(what), all[i]));
    weir_put(call, &counts, row);
}

static const char *event_of(const struct weir_value *record)
{
    struct weir_text name = WEIR_STR("");
    weir_value_text(weir_value_get(record, "eventName"), &name);
    return weir_text_is(name, "INSERT") ? "INSERT" : weir_text_is(name, "MODIFY") ? "MODIFY" : "REMOVE";
}

/* A note that cannot be counted stands for every record that a handler cannot take: it is found by halving the batch, tried again, and kept with its error. */
static void count(struct weir_call *call)
{
    const struct weir_value *records = weir_in_value(call, "records", true);
    for (size_t i = 0; i < weir_value_count(records) && !weir_failed(call); i++) {
        const struct weir_value *record = weir_value_at(records, i);
        struct weir_text board = WEIR_STR(""), text = WEIR_STR("");
        weir_value_text(weir_value_get(weir_value_get(record, "keys"), "board"), &board);
        weir_value_text(weir_value_get(weir_value_get(record, "new"), "text"), &text);
        if (weir_text_is(text, "illegible"))
            weir_fail(call, "ILLEGIBLE", "text", "this note cannot be counted");
        else
            count_one(call, board, event_of(record));
    }
}

static void spoiled(struct weir_call *call)
{
    const struct weir_value *records = weir_in_value(call, "records", true);
    for (size_t i = 0; i < weir_value_count(records) && !weir_failed(call); i++) {
        struct weir_text board = WEIR_STR("");
        weir_value_text(weir_value_get(weir_value_get(weir_value_at(records, i), "keys"), "board"), &board);
        count_one(call, board, "spoiled");
    }
}

/* ---- alarms ---- */

/* The action "weir:route:notes/@alarm": whatever an alarm has to say becomes a note on the board "alarms". */
static void alarm_told(struct weir_call *call)
{
    struct weir_text name = WEIR_STR(""), state = WEIR_STR("");
    const struct weir_value *alarm = weir_in_value(call, "alarmData", true);
    weir_value_text(weir_value_get(alarm, "alarmName"), &name);
    weir_value_text(weir_value_get(weir_value_get(alarm, "state"), "value"), &state);
    if (weir_failed(call) || !name.len)
        return;
    struct weir_item *note = weir_item(call);
    weir_item_text(note, "board", WEIR_STR("alarms"));
    weir_item_text(note, "id", name);
    weir_item_text(note, "author", WEIR_STR("weir"));
    weir_item_text(note, "text", state);
    weir_item_integer(note, "stars", 0);
    weir_put(call, &notes, note);
}

const struct weir_app weir_app_notes = {
    .name = "notes",
    .description = "boards of notes that everybody follows: live tables and a stream consumer",
    .auth = WEIR_JWT,
    .tables = (struct weir_table *const[]){&notes, &drafts, &counts, NULL},
    .routes = (const struct weir_route[]){
        {"put", put, WEIR_TICK},
        {"take-down", take_down, WEIR_TICK},
        {"draft", draft, WEIR_TICK},
        {"say", say, WEIR_TICK},
        {"@count", count, WEIR_TICK},
        {"@spoiled", spoiled, WEIR_TICK},
        {"@alarm", alarm_told, WEIR_TICK},
        {0},
    },
    .streams = (const struct weir_stream[]){
        {.table = &notes, .route = "@count", .window_ms = 50, .bisect = true, .start = WEIR_TRIM_HORIZON, .on_failure = "@spoiled"},
        {0},
    },
    .live = (const struct weir_live[]){
        {.table = &notes, .rule = WEIR_LIVE_ANYONE},
        {.table = &drafts, .rule = WEIR_LIVE_OWN, .owner = "author"},
        {.table = &counts, .rule = WEIR_LIVE_ADMINS},
        {0},
    },
    .room_history = {.messages = 250, .lifetime = WEIR_HOUR},
};
