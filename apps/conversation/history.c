/*
 * Reading back: the messages of a session, the sessions of a user, and what a model is told of the conversation so far.
 *
 * A client that comes back asks for the newest messages and walks backwards with `before`; a page stands in the order of its commits, oldest first, as a screen shows it. Without a
 * sessionId the user's newest session is meant, so a client that kept nothing finds its conversation by its token alone.
 *
 * A page ends early when its texts are large: a handler may touch a megabyte.
 *
 * Demands: CH-2, CH-3, TB-9
 */
#include "conversation.h"

#include <string.h>

#define PAGE_MAX 100
#define PAGE_DEFAULT 50
#define PAGE_BYTES (256 * 1024)       /* of texts; the last one may go beyond */
#define MODEL_MESSAGES 40             /* of the conversation, told to a model */
#define MODEL_BYTES (128 * 1024)

struct page {
    int64_t limit;
    struct weir_text before; /* empty: the newest */
};

/* ---- what was asked for ---- */

static struct page page_of_message(struct weir_call *call)
{
    return (struct page){weir_in_integer_or(call, "limit", 1, PAGE_MAX, PAGE_DEFAULT), weir_in_text_or(call, "before", CV_ID_MAX, WEIR_STR(""))};
}

static int64_t limit_param(struct weir_call *call)
{
    struct weir_text given = weir_query_param(call, "limit");
    int64_t limit = 0;
    for (size_t i = 0; i < given.len && limit >= 0; i++)
        limit = given.len <= 3 && given.data[i] >= '0' && given.data[i] <= '9' ? limit * 10 + given.data[i] - '0' : -1;
    if (!given.len)
        return PAGE_DEFAULT;
    if (limit < 1 || limit > PAGE_MAX)
        weir_fail(call, "INVALID", "limit", "limit must be an integer from 1 to %d", PAGE_MAX);
    return limit;
}

static struct page page_of_query(struct weir_call *call)
{
    struct page page = {limit_param(call), weir_query_param(call, "before")};
    if (page.before.len > CV_ID_MAX)
        weir_fail(call, "TOO_LARGE", "before", "before must have at most %d bytes", CV_ID_MAX);
    return page;
}

/* ---- pages ---- */

/* The newest items first, from `before` on: how many were read into `items`. `more`: there are older ones. */
static size_t page_read(struct weir_call *call, struct weir_query query, const struct page *page, const char *range, const struct weir_item *items[PAGE_MAX], bool *more)
{
    struct weir_item *low = weir_item(call);
    size_t count = 0, bytes = 0;
    const struct weir_item *item;
    weir_item_text(low, range, page->before);
    query.backward = true;
    query.range = page->before.len ? WEIR_LT : WEIR_ALL;
    query.low = low;
    struct weir_cursor *cursor = weir_query(call, &query);
    while (count < (size_t)page->limit && bytes < PAGE_BYTES && (item = weir_next(cursor))) {
        items[count++] = item;
        bytes += weir_get_text(item, "message").len;
    }
    *more = count > 0 && weir_next(cursor);
    return count;
}

/* "next": what `before` is for the page of older ones; not there at the end. */
static void page_end(struct weir_call *call, struct weir_json *json, const struct weir_item *oldest, const char *range, bool more)
{
    if (more)
        weir_member(json, "next", weir_get_text(oldest, range));
    weir_member_request(json);
    weir_end(json);
    weir_reply(call, json);
}

static struct weir_json *answer_open(struct weir_call *call, const char *type)
{
    struct weir_json *json = weir_json(call);
    weir_object(json);
    weir_member(json, "type", weir_text_of(type));
    return json;
}

/* ---- messages of a session ---- */

static void history_reply(struct weir_call *call, const struct weir_item *session, const struct page *page)
{
    const struct weir_item *messages[PAGE_MAX];
    bool more = false;
    size_t count = 0;
    if (session)
        count = page_read(call, (struct weir_query){.table = &cv_messages, .key = cv_session_key(call, weir_get_text(session, "sessionId"))}, page, "messageId", messages, &more);
    struct weir_json *json = answer_open(call, "history");
    weir_name(json, "sessionId");
    if (session)
        weir_string(json, weir_get_text(session, "sessionId"));
    else
        weir_null(json);
    weir_name(json, "messages");
    weir_array(json);
    for (size_t i = count; i > 0; i--) {
        weir_object(json);
        cv_message_write(json, messages[i - 1]);
        weir_end(json);
    }
    weir_end(json);
    page_end(call, json, count ? messages[count - 1] : NULL, "messageId", more);
}

static struct weir_query sessions_of(struct weir_call *call, struct weir_text user_id)
{
    struct weir_item *key = weir_item(call);
    weir_item_text(key, "userId", user_id);
    return (struct weir_query){.table = &cv_sessions, .index = "UserSessionsIndex", .key = key};
}

static const struct weir_item *newest_session(struct weir_call *call, struct weir_text user_id)
{
    struct weir_query query = sessions_of(call, user_id);
    query.backward = true;
    return weir_next(weir_query(call, &query));
}

static void history(struct weir_call *call, struct weir_text session_id, struct page page)
{
    struct weir_text user_id = cv_caller(call);
    weir_context(call, "sessionId", session_id);
    if (weir_failed(call) || !cv_id_checked(call, "sessionId", session_id))
        return;
    const struct weir_item *session = session_id.len ? cv_session_of_caller(call, session_id, user_id) : newest_session(call, user_id);
    if (!weir_failed(call) && session_id.len && !session)
        weir_fail(call, "NOT_FOUND", "sessionId", "there is no such session");
    if (!weir_failed(call))
        history_reply(call, session, &page);
}

void cv_history(struct weir_call *call)
{
    weir_context(call, "connectionId", weir_connection_id(call));
    struct page page = page_of_message(call);
    history(call, weir_in_text_or(call, "sessionId", CV_ID_MAX, WEIR_STR("")), page);
}

void cv_history_rest(struct weir_call *call)
{
    history(call, weir_path_param(call, "id"), page_of_query(call));
}

/* ---- sessions of a user ---- */

static void sessions_reply(struct weir_call *call, struct page page)
{
    const struct weir_item *sessions[PAGE_MAX];
    bool more = false;
    struct weir_text user_id = cv_caller(call);
    if (weir_failed(call))
        return;
    size_t count = page_read(call, sessions_of(call, user_id), &page, "lastMessageId", sessions, &more);
    struct weir_json *json = answer_open(call, "sessions");
    weir_name(json, "sessions");
    weir_array(json);
    for (size_t i = 0; i < count; i++) {
        weir_object(json);
        weir_member(json, "sessionId", weir_get_text(sessions[i], "sessionId"));
        weir_member(json, "createdAt", weir_get_text(sessions[i], "createdAt"));
        weir_member(json, "updatedAt", weir_get_text(sessions[i], "updatedAt"));
        weir_member_integer(json, "messageCount", weir_get_integer(sessions[i], "messageCount", 0));
        weir_end(json);
    }
    weir_end(json);
    page_end(call, json, count ? sessions[count - 1] : NULL, "lastMessageId", more);
}

void cv_sessions_list(struct weir_call *call)
{
    weir_context(call, "connectionId", weir_connection_id(call));
    sessions_reply(call, page_of_message(call));
}

void cv_sessions_rest(struct weir_call *call)
{
    sessions_reply(call, page_of_query(call));
}

/* ---- for a model ---- */

static bool is_from(const struct weir_item *message, const char *sender)
{
    return weir_text_is(weir_get_text(message, "sender"), sender);
}

static int order(struct weir_text a, struct weir_text b)
{
    int difference = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return difference ? difference : (a.len > b.len) - (a.len < b.len);
}

static const struct weir_item *find(const struct weir_item *const *messages, size_t count, const char *name, struct weir_text value)
{
    for (size_t i = 0; i < count; i++) {
        struct weir_text found = weir_get_text(messages[i], name);
        if (found.len == value.len && order(found, value) == 0)
            return messages[i];
    }
    return NULL;
}

static void write_turn(struct weir_json *json, const char *role, struct weir_text content)
{
    weir_object(json);
    weir_member(json, "role", weir_text_of(role));
    weir_member(json, "content", content);
    weir_end(json);
}

/* Each question is followed by its answer, wherever their commits lie: a question that waited was stored before the answer to the one ahead of it. */
void cv_history_for_model(struct weir_call *call, struct weir_json *json, const struct weir_item *question)
{
    const struct weir_item *messages[MODEL_MESSAGES], *message;
    struct weir_text asked = weir_get_text(question, "messageId"), system = weir_setting(call, "bot.system");
    struct weir_query query = {.table = &cv_messages, .key = cv_session_key(call, weir_get_text(question, "sessionId")), .backward = true};
    struct weir_cursor *cursor = weir_query(call, &query);
    size_t count = 0, bytes = 0;
    while (count < MODEL_MESSAGES && bytes < MODEL_BYTES && (message = weir_next(cursor))) {
        messages[count++] = message;
        bytes += weir_get_text(message, "message").len;
    }
    if (system.len)
        write_turn(json, "system", system);
    for (size_t i = count; i > 0; i--) {
        message = messages[i - 1];
        struct weir_text id = weir_get_text(message, "messageId");
        if (is_from(message, "user") && order(id, asked) < 0) {
            const struct weir_item *answer = find(messages, count, "replyTo", id);
            write_turn(json, "user", weir_get_text(message, "message"));
            if (answer)
                write_turn(json, "assistant", weir_get_text(answer, "message"));
        } else if (is_from(message, "bot") && !find(messages, count, "messageId", weir_get_text(message, "replyTo"))) {
            write_turn(json, "assistant", weir_get_text(message, "message"));
        }
    }
    write_turn(json, "user", weir_get_text(question, "message"));
}
