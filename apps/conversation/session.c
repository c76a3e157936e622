/*
 * A message, from the user to its outcome.
 *
 * The user's message is stored, acknowledged and shown to the user's other sockets in one commit; the same commit holds what will ask the bot. The answer, or
 * the failure, is another commit with what tells it to the user's sockets. So a crash in between loses neither: the question is in the session, and the
 * bot is asked (again) after the restart; its answer is stored once.
 *
 * A session is a conversation: one question is with the bot, the others wait for their turn. Two requests at once would be answered in any order, and a model would
 * be asked the second question without having answered the first. The session's row says which question is with the bot (`asking`) and how many wait.
 *
 * The bot's answers go to all sockets of the user: a second tab stays in step, and a socket that was opened after a break hears what was still under way.
 *
 * A question whose outcome never comes (a request that waits beyond its time, say) must not close the session for ever: the next message gives it up.
 *
 * Demands: CH-2, CH-3, CH-4, CH-6, AU-14, TB-9
 */
#include "conversation.h"

#include <string.h>

#define WAITING_MAX 16                /* questions of a session that wait for their turn */
#define GRACE (30 * WEIR_SECOND)      /* beyond the bot's timeout, before a question is given up */
#define SESSION_PUT 1                 /* the session is written last, after what is counted */
#define ID_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:"

struct weir_table cv_sessions = {
    .name = "conversation-sessions-{env}",
    .hash = "sessionId",
    .hash_type = WEIR_S,
    .index = {{.name = "UserSessionsIndex", .hash = "userId", .hash_type = WEIR_S, .range = "lastMessageId", .range_type = WEIR_S}},
    .ttl = "ttl",
};

struct weir_table cv_messages = {
    .name = "conversation-messages-{env}",
    .hash = "sessionId",
    .hash_type = WEIR_S,
    .range = "messageId",
    .range_type = WEIR_S,
    .ttl = "ttl",
};

/* ---- keys and checks ---- */

struct weir_item *cv_session_key(struct weir_call *call, struct weir_text session_id)
{
    struct weir_item *key = weir_item(call);
    weir_item_text(key, "sessionId", session_id);
    return key;
}

struct weir_item *cv_message_key(struct weir_call *call, struct weir_text session_id, struct weir_text message_id)
{
    struct weir_item *key = cv_session_key(call, session_id);
    weir_item_text(key, "messageId", message_id);
    return key;
}

static bool same(struct weir_text a, struct weir_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

struct weir_text cv_caller(struct weir_call *call)
{
    if (!weir_identified(call))
        weir_refuse(call, 401, "UNAUTHENTICATED_CONNECTION", "nobody is signed in"); /* the configuration may have opened the application to anybody */
    return weir_acting_user(call, "userId");
}

bool cv_id_checked(struct weir_call *call, const char *field, struct weir_text id)
{
    if (id.len > CV_ID_MAX)
        weir_fail(call, "TOO_LARGE", field, "%s must have at most %d bytes", field, CV_ID_MAX);
    for (size_t i = 0; i < id.len && !weir_failed(call); i++)
        if (!id.data[i] || !strchr(ID_CHARACTERS, id.data[i]))
            weir_fail(call, "INVALID", field, "%s is made of letters, digits, '-', '_', '.' and ':'", field);
    return !weir_failed(call);
}

const struct weir_item *cv_session_of_caller(struct weir_call *call, struct weir_text session_id, struct weir_text user_id)
{
    const struct weir_item *session = weir_get(call, &cv_sessions, cv_session_key(call, session_id));
    if (session && !same(weir_get_text(session, "userId"), user_id)) {
        weir_fail(call, "FORBIDDEN", "sessionId", "the session belongs to another user");
        return NULL;
    }
    return session;
}

void cv_keep(struct weir_call *call, struct weir_item *item)
{
    int64_t keep = weir_setting_integer(call, "keep");
    if (keep > 0)
        weir_item_expires_in(item, keep);
}

static struct weir_item *copy_of(struct weir_call *call, const struct weir_item *from)
{
    struct weir_item *copy = weir_item(call);
    weir_item_copy(copy, from);
    return copy;
}

/* The document's message.length: as JavaScript counts, in UTF-16. The text is UTF-8. */
static int64_t length_of(struct weir_text text)
{
    int64_t units = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        units += ((c & 0xC0) != 0x80) + (c >= 0xF0);
    }
    return units;
}

/* ---- what clients see ---- */

static void member_if_there(struct weir_json *json, const struct weir_item *item, const char *name)
{
    if (weir_item_has(item, name))
        weir_member(json, name, weir_get_text(item, name));
}

void cv_request_id_write(struct weir_json *json, const struct weir_item *message)
{
    struct weir_text number = weir_get_number(message, "requestId");
    if (number.len) {
        weir_name(json, "requestId");
        weir_digits(json, number);
    } else {
        member_if_there(json, message, "requestId");
    }
}

void cv_message_write(struct weir_json *json, const struct weir_item *message)
{
    member_if_there(json, message, "sessionId");
    member_if_there(json, message, "messageId");
    member_if_there(json, message, "sender");
    member_if_there(json, message, "userId");
    member_if_there(json, message, "message");
    weir_member_integer(json, "messageLength", weir_get_integer(message, "messageLength", 0));
    member_if_there(json, message, "timestamp");
    member_if_there(json, message, "replyTo");
    member_if_there(json, message, "error");
    member_if_there(json, message, "correlationId");
}

static struct weir_json *event_open(struct weir_call *call, const char *type)
{
    struct weir_json *json = weir_json(call);
    weir_object(json);
    weir_member(json, "type", weir_text_of(type));
    return json;
}

/* ---- storing ---- */

static struct weir_item *message_new(struct weir_call *call, struct weir_text session_id, struct weir_text user_id, const char *sender, struct weir_text text)
{
    struct weir_item *message = cv_message_key(call, session_id, weir_id(call));
    weir_item_text(message, "userId", user_id);
    weir_item_text(message, "sender", weir_text_of(sender));
    weir_item_text(message, "message", text);
    weir_item_integer(message, "messageLength", length_of(text));
    weir_item_text(message, "timestamp", weir_now_iso(call));
    cv_keep(call, message);
    return message;
}

/* The session's row counts every message and is found by the newest one. */
static void session_count(struct weir_call *call, struct weir_item *session, const struct weir_item *message)
{
    weir_item_integer(session, "messageCount", weir_get_integer(session, "messageCount", 0) + 1);
    weir_item_text(session, "lastMessageId", weir_get_text(message, "messageId"));
    weir_item_text(session, "updatedAt", weir_now_iso(call));
    cv_keep(call, session);
}

static struct weir_item *session_new(struct weir_call *call, struct weir_text session_id, struct weir_text user_id)
{
    struct weir_item *session = cv_session_key(call, session_id);
    weir_item_text(session, "userId", user_id);
    weir_item_text(session, "createdAt", weir_now_iso(call));
    weir_item_integer(session, "waiting", 0);
    return session;
}

/* ---- the bot's turn ---- */

static struct weir_text asking(const struct weir_item *session)
{
    return weir_get_text(session, "asking");
}

/* The question is with the bot from now on. */
static void set_asking(struct weir_call *call, struct weir_item *session, const struct weir_item *question)
{
    weir_item_text(session, "asking", weir_get_text(question, "messageId"));
    weir_item_integer(session, "askedMs", weir_now(call));
}

/* The user's message that waits longest: the first one after the question that was settled. */
static const struct weir_item *next_waiting(struct weir_call *call, struct weir_text session_id, struct weir_text settled)
{
    struct weir_query query = {.table = &cv_messages, .key = cv_session_key(call, session_id), .range = WEIR_GT, .low = cv_message_key(call, session_id, settled)};
    struct weir_cursor *cursor = weir_query(call, &query);
    const struct weir_item *message;
    while ((message = weir_next(cursor)) && !weir_text_is(weir_get_text(message, "sender"), "user"))
        ;
    return message;
}

/* Asked by a call of its own: were it refused here (too many requests are open), the outcome that is being stored would be undone with it. */
static void ask_next(struct weir_call *call, struct weir_item *session, struct weir_text settled)
{
    int64_t waiting = weir_get_integer(session, "waiting", 0);
    const struct weir_item *next = waiting > 0 ? next_waiting(call, weir_get_text(session, "sessionId"), settled) : NULL;
    weir_item_text(session, "asking", WEIR_STR(""));
    weir_item_integer(session, "waiting", next ? waiting - 1 : 0);
    if (!next)
        return;
    set_asking(call, session, next);
    struct weir_json *payload = weir_json(call);
    weir_object(payload);
    weir_member(payload, "session", weir_get_text(next, "sessionId"));
    weir_member(payload, "question", weir_get_text(next, "messageId"));
    weir_end(payload);
    weir_later(call, CV_AFTER_THIS_TICK, "@ask", payload);
}

void cv_ask_waiting(struct weir_call *call)
{
    struct weir_text session_id = weir_in_text(call, "session", 1, CV_ID_MAX), message_id = weir_in_text(call, "question", 1, CV_ID_MAX);
    const struct weir_item *session = weir_get(call, &cv_sessions, cv_session_key(call, session_id));
    const struct weir_item *question = weir_get(call, &cv_messages, cv_message_key(call, session_id, message_id));
    if (session && question && same(asking(session), message_id))
        cv_ask(call, question);
}

/* ---- the outcome ---- */

static void tell_answer(struct weir_call *call, const struct weir_item *question, const struct weir_item *answer)
{
    struct weir_json *event = event_open(call, "message");
    cv_message_write(event, answer);
    cv_request_id_write(event, question);
    weir_member_integer(event, "seq", (int64_t)weir_sequence(call));
    weir_end(event);
    weir_send_user(call, weir_get_text(question, "userId"), event);
}

static void tell_error(struct weir_call *call, const struct weir_item *question, const struct cv_outcome *outcome)
{
    struct weir_json *event = event_open(call, "error");
    weir_member(event, "error", weir_text_of(outcome->error));
    weir_member(event, "message", weir_text_of(outcome->reason));
    member_if_there(event, question, "connectionId");
    weir_member_integer(event, "messageLength", weir_get_integer(question, "messageLength", 0));
    member_if_there(event, question, "sessionId");
    member_if_there(event, question, "messageId");
    member_if_there(event, question, "correlationId");
    cv_request_id_write(event, question);
    if (outcome->retry_after > 0)
        weir_member_integer(event, "retryAfter", outcome->retry_after);
    weir_end(event);
    weir_send_user(call, weir_get_text(question, "userId"), event);
}

static void answer_put(struct weir_call *call, struct weir_item *session, const struct weir_item *question, const struct cv_outcome *outcome)
{
    struct weir_item *answer = message_new(call, weir_get_text(question, "sessionId"), weir_get_text(question, "userId"), "bot", outcome->answer);
    weir_item_text(answer, "replyTo", weir_get_text(question, "messageId"));
    if (weir_item_has(question, "correlationId"))
        weir_item_text(answer, "correlationId", weir_get_text(question, "correlationId"));
    weir_put(call, &cv_messages, answer);
    session_count(call, session, answer);
    tell_answer(call, question, answer);
}

static void error_put(struct weir_call *call, const struct weir_item *question, const struct cv_outcome *outcome)
{
    struct weir_item *marked = copy_of(call, question);
    weir_item_text(marked, "error", weir_text_of(outcome->error));
    weir_put(call, &cv_messages, marked);
    tell_error(call, question, outcome);
}

/* The document's processMessage: from the user's message to the bot's stored answer, over all calls in between. */
static void settled(struct weir_call *call, const struct weir_item *question, const struct cv_outcome *outcome)
{
    struct weir_monitor *monitor = weir_monitor_start(call, CV_PROCESSING);
    weir_monitor_since(monitor, weir_get_integer(question, "receivedMs", 0));
    weir_monitor_text(monitor, "userId", weir_get_text(question, "userId"));
    weir_monitor_text(monitor, "connectionId", weir_get_text(question, "connectionId"));
    weir_monitor_text(monitor, "correlationId", weir_get_text(question, "correlationId"));
    weir_monitor_boolean(monitor, "hasSessionId", weir_get_boolean(question, "hadSession", false));
    weir_monitor_text(monitor, "sessionId", weir_get_text(question, "sessionId"));
    weir_monitor_integer(monitor, "messageLength", weir_get_integer(question, "messageLength", 0));
    weir_monitor_integer(monitor, "databaseOperations", weir_get_integer(question, "operations", 0) + (int64_t)weir_touched(call) + SESSION_PUT);
    if (outcome->error) {
        weir_monitor_text(monitor, "error", weir_text_of(outcome->error));
        weir_monitor_text(monitor, "errorMessage", weir_text_of(outcome->reason));
    } else {
        weir_monitor_text(monitor, "messageType", WEIR_STR("user_and_bot"));
    }
    weir_monitor_complete(monitor, !outcome->error);
}

static void settle(struct weir_call *call, struct weir_item *session, struct weir_text message_id, const struct cv_outcome *outcome)
{
    const struct weir_item *question = weir_get(call, &cv_messages, cv_message_key(call, weir_get_text(session, "sessionId"), message_id));
    if (question && outcome->error)
        error_put(call, question, outcome);
    else if (question)
        answer_put(call, session, question, outcome);
    if (question)
        settled(call, question, outcome);
    ask_next(call, session, message_id);
}

void cv_settle(struct weir_call *call, struct weir_text session_id, struct weir_text message_id, const struct cv_outcome *outcome)
{
    const struct weir_item *before = weir_get(call, &cv_sessions, cv_session_key(call, session_id));
    if (!before || !same(asking(before), message_id))
        return; /* it expired, or was given up */
    struct weir_item *session = copy_of(call, before);
    settle(call, session, message_id, outcome);
    weir_put(call, &cv_sessions, session);
}

/* ---- a user's message ---- */

/* What a refusal tells about the message (CH-6). */
static void context(struct weir_call *call)
{
    struct weir_text text;
    weir_context(call, "connectionId", weir_connection_id(call));
    if (weir_value_text(weir_in_value(call, "sessionId", false), &text) && text.len)
        weir_context(call, "sessionId", text);
    if (weir_value_text(weir_in_value(call, "message", false), &text))
        weir_context_integer(call, "messageLength", length_of(text));
}

/* A text or an integer; anything else is not kept. */
static void keep_request_id(struct weir_call *call, struct weir_item *message)
{
    const struct weir_value *id = weir_in_value(call, "requestId", false);
    struct weir_text text;
    int64_t number;
    if (weir_value_text(id, &text) && text.len <= CV_ID_MAX)
        weir_item_text(message, "requestId", text);
    else if (weir_value_integer(id, &number))
        weir_item_integer(message, "requestId", number);
}

static void acknowledge(struct weir_call *call, const struct weir_item *message)
{
    struct weir_json *ack = event_open(call, "ack");
    weir_member(ack, "action", WEIR_STR("message"));
    weir_member(ack, "sessionId", weir_get_text(message, "sessionId"));
    weir_member(ack, "messageId", weir_get_text(message, "messageId"));
    weir_member_integer(ack, "messageLength", weir_get_integer(message, "messageLength", 0));
    weir_member(ack, "timestamp", weir_get_text(message, "timestamp"));
    weir_member(ack, "correlationId", weir_get_text(message, "correlationId"));
    weir_member_request(ack);
    weir_member_integer(ack, "seq", (int64_t)weir_sequence(call));
    weir_end(ack);
    weir_reply(call, ack);
}

static void show_others(struct weir_call *call, const struct weir_item *message)
{
    struct weir_json *event = event_open(call, "message");
    cv_message_write(event, message);
    weir_member_integer(event, "seq", (int64_t)weir_sequence(call));
    weir_end(event);
    weir_send_others(call, weir_get_text(message, "userId"), event);
}

static void enqueue(struct weir_call *call, struct weir_item *session, const struct weir_item *message)
{
    struct weir_text current = asking(session);
    int64_t waiting = weir_get_integer(session, "waiting", 0);
    bool late = current.len && weir_now(call) > weir_get_integer(session, "askedMs", 0) + weir_setting_integer(call, "bot.timeout") + GRACE;
    if (!current.len) {
        set_asking(call, session, message);
        cv_ask(call, message);
        return;
    }
    if (waiting >= WAITING_MAX && !late) {
        weir_fail(call, "BUSY", "sessionId", "%d messages of the session wait for the bot already", WAITING_MAX);
        return;
    }
    weir_item_integer(session, "waiting", waiting + 1);
    if (late)
        settle(call, session, current, &(struct cv_outcome){.error = "BOT_TIMEOUT", .reason = "the bot has not answered in time"});
}

static void take_message(struct weir_call *call)
{
    context(call);
    struct weir_text user_id = cv_caller(call);
    struct weir_text text = weir_in_text(call, "message", 1, CV_MESSAGE_MAX);
    struct weir_text given = weir_in_text_or(call, "sessionId", CV_ID_MAX, WEIR_STR(""));
    struct weir_text correlation_id = weir_in_text_or(call, "correlationId", CV_ID_MAX, weir_correlation_id(call));
    if (weir_failed(call) || !cv_id_checked(call, "sessionId", given))
        return;
    const struct weir_item *before = given.len ? cv_session_of_caller(call, given, user_id) : NULL;
    if (weir_failed(call))
        return;
    struct weir_item *session = before ? copy_of(call, before) : session_new(call, given.len ? given : weir_id(call), user_id);
    struct weir_item *message = message_new(call, weir_get_text(session, "sessionId"), user_id, "user", text);
    weir_item_text(message, "connectionId", weir_connection_id(call));
    weir_item_text(message, "correlationId", correlation_id);
    keep_request_id(call, message);
    weir_item_boolean(message, "hadSession", given.len > 0);
    weir_item_integer(message, "receivedMs", weir_now(call)); /* for the monitor, as what follows: the answer is another call */
    weir_item_integer(message, "operations", (int64_t)weir_touched(call) + 1 + SESSION_PUT);
    weir_put_new(call, &cv_messages, message);
    session_count(call, session, message);
    enqueue(call, session, message);
    weir_put(call, &cv_sessions, session);
    show_others(call, message);
    acknowledge(call, message);
}

/* What is refused here has been processed, and its fields are captured of the message (watch.c); everything else is processed when the bot has answered (settled). */
void cv_message(struct weir_call *call)
{
    struct weir_monitor *monitor = weir_monitor_start(call, CV_PROCESSING);
    take_message(call);
    if (!weir_failed(call))
        weir_monitor_forget(monitor);
}
