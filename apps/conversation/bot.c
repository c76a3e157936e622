/*
 * Who answers: the built-in echo, a webhook, or a service that speaks OpenAI's chat API.
 *
 * An endpoint is asked by a stored request (weir_fetch), which commits with the question and goes out after it; its answer is a call of its own that removes the
 * request with what it writes. So a crash asks the endpoint again at most, and the answer is stored once. It is asked once otherwise: a user is in front of the screen, and trying
 * again is the user's to decide.
 *
 * What comes back is an outsider's: it is parsed with bounds, understood in one form for each kind, and anything else is a failed answer. A session waits for the outcome, so
 * @answered itself cannot fail on an answer, however it looks.
 *
 * Demands: CH-3
 */
#include "conversation.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_BYTES_MAX (256 * 1024) /* of an endpoint's answer as it travels */
#define COMPLETIONS "/chat/completions"

/* ---- settings ---- */

static bool is_set(struct weir_text value)
{
    return value.len > 0;
}

const char *cv_settings_rule(const struct weir_settings *settings)
{
    struct weir_text webhook = weir_settings_get(settings, "bot.webhook"), openai = weir_settings_get(settings, "bot.openai"), model = weir_settings_get(settings, "bot.model");
    if (is_set(webhook) && is_set(openai))
        return "'bot' is one of webhook and openai";
    if (is_set(openai) && !is_set(model))
        return "'bot' with openai needs a model";
    if (!is_set(openai) && (is_set(model) || is_set(weir_settings_get(settings, "bot.system"))))
        return "'model' and 'system' of 'bot' are for openai";
    if (!is_set(openai) && !is_set(webhook) && is_set(weir_settings_get(settings, "bot.keyEnv")))
        return "'keyEnv' of 'bot' is for webhook and openai";
    if (webhook.len > CV_ENDPOINT_MAX - sizeof(COMPLETIONS) || openai.len > CV_ENDPOINT_MAX - sizeof(COMPLETIONS))
        return "the address of 'bot' is too long";
    return NULL;
}

static bool ends_with(struct weir_text text, const char *tail)
{
    size_t len = strlen(tail);
    return text.len >= len && memcmp(text.data + text.len - len, tail, len) == 0;
}

/* Where the bot is asked; empty: the echo. The rule has seen to the length. */
static struct weir_text endpoint_of(struct weir_call *call, char buffer[CV_ENDPOINT_MAX])
{
    struct weir_text openai = weir_setting(call, "bot.openai");
    if (!openai.len || ends_with(openai, COMPLETIONS))
        return openai.len ? openai : weir_setting(call, "bot.webhook");
    while (openai.len && openai.data[openai.len - 1] == '/')
        openai.len--;
    return (struct weir_text){buffer, (size_t)snprintf(buffer, CV_ENDPOINT_MAX, "%.*s" COMPLETIONS, WEIR_TEXT(openai))};
}

/* ---- asking ---- */

static struct weir_json *payload_of(struct weir_call *call, const struct weir_item *question, struct weir_text endpoint)
{
    struct weir_json *payload = weir_json(call);
    weir_object(payload);
    weir_member(payload, "session", weir_get_text(question, "sessionId"));
    weir_member(payload, "question", weir_get_text(question, "messageId"));
    weir_member(payload, "endpoint", endpoint);
    weir_member(payload, "kind", weir_text_of(weir_setting(call, "bot.openai").len ? "openai" : "webhook")); /* the configuration may be another by the time of the answer */
    weir_member_integer(payload, "askedMs", weir_now(call));
    weir_end(payload);
    return payload;
}

/* The webhook gets the message as clients see it; the model gets the conversation. */
static struct weir_text body_for(struct weir_call *call, const struct weir_item *question)
{
    struct weir_text model = weir_setting(call, "bot.model");
    struct weir_json *body = weir_json(call);
    weir_object(body);
    if (model.len) {
        weir_member(body, "model", model);
        weir_name(body, "messages");
        weir_array(body);
        cv_history_for_model(call, body, question);
        weir_end(body);
        weir_member(body, "user", weir_get_text(question, "userId"));
        weir_name(body, "stream");
        weir_boolean(body, false);
    } else {
        weir_member(body, "type", WEIR_STR("message"));
        cv_message_write(body, question);
    }
    weir_end(body);
    return weir_json_text(body);
}

static void fetch(struct weir_call *call, const struct weir_item *question, struct weir_text endpoint)
{
    char headers[CV_ID_MAX + 64];
    struct weir_text correlation_id = weir_get_text(question, "correlationId");
    bool printable = correlation_id.len > 0;
    for (size_t i = 0; i < correlation_id.len; i++)
        printable = printable && correlation_id.data[i] > ' ' && correlation_id.data[i] < 0x7f;
    int len = printable ? snprintf(headers, sizeof(headers), "X-Correlation-Id: %.*s\r\n", WEIR_TEXT(correlation_id)) : 0;
    weir_fetch(call, &(struct weir_fetch){
        .url = endpoint,
        .headers = {headers, (size_t)len},
        .body = body_for(call, question),
        .timeout_ms = weir_setting_integer(call, "bot.timeout"),
        .attempts = 1,
        .then = "@answered",
        .context = weir_json_text(payload_of(call, question, endpoint)),
        .bearer = "bot.keyEnv",
        .answer_max = ANSWER_BYTES_MAX,
    });
}

void cv_ask(struct weir_call *call, const struct weir_item *question)
{
    char buffer[CV_ENDPOINT_MAX];
    struct weir_text endpoint = endpoint_of(call, buffer);
    if (!endpoint.len)
        weir_later(call, CV_AFTER_THIS_TICK, "@echo", payload_of(call, question, endpoint));
    else if (cv_circuit_allow(call, endpoint))
        fetch(call, question, endpoint);
    else
        weir_later(call, CV_AFTER_THIS_TICK, "@unavailable", payload_of(call, question, endpoint));
}

/* ---- outcomes ---- */

static struct weir_text member_of(const struct weir_value *object, const char *name)
{
    struct weir_text text = WEIR_STR("");
    weir_value_text(weir_value_get(object, name), &text);
    return text;
}

void cv_echo(struct weir_call *call)
{
    const struct weir_value *payload = weir_parse(call, weir_body(call));
    struct weir_text session_id = member_of(payload, "session"), message_id = member_of(payload, "question");
    const struct weir_item *question = weir_get(call, &cv_messages, cv_message_key(call, session_id, message_id));
    cv_settle(call, session_id, message_id, &(struct cv_outcome){.answer = weir_get_text(question, "message")});
}

void cv_unavailable(struct weir_call *call)
{
    const struct weir_value *payload = weir_parse(call, weir_body(call));
    struct weir_text endpoint = member_of(payload, "endpoint");
    struct cv_outcome outcome = {.error = "BOT_UNAVAILABLE", .reason = "the bot has failed several times in a row and is not asked for a while"};
    outcome.retry_after = cv_circuit_left(call, endpoint);
    cv_settle(call, member_of(payload, "session"), member_of(payload, "question"), &outcome);
}

/* {"message": ..} of a webhook, {"choices":[{"message":{"content": ..}}]} of a model; empty: neither. */
static struct weir_text text_of_answer(struct weir_call *call, const struct weir_value *answer)
{
    struct weir_text body = member_of(answer, "body");
    const struct weir_value *root = body.len ? weir_parse(call, body) : NULL;
    if (weir_text_is(member_of(weir_value_get(answer, "context"), "kind"), "openai"))
        return member_of(weir_value_get(weir_value_at(weir_value_get(root, "choices"), 0), "message"), "content");
    return member_of(root, "message");
}

/* What one writes others read, in terminals too: control characters but tab and line ends become spaces. */
static struct weir_text cleaned(struct weir_text text, char buffer[CV_ANSWER_MAX])
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool control = (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
        buffer[i] = control ? ' ' : text.data[i];
    }
    return (struct weir_text){buffer, text.len};
}

static bool is_blank(struct weir_text text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!strchr(" \t\r\n", text.data[i]) || !text.data[i])
            return false;
    return true;
}

static struct cv_outcome outcome_of(struct weir_call *call, const struct weir_value *answer, char buffer[CV_ANSWER_MAX])
{
    struct weir_text error = member_of(answer, "error");
    int64_t status = 0;
    weir_value_integer(weir_value_get(answer, "status"), &status);
    if (weir_text_is(error, "TIMEOUT"))
        return (struct cv_outcome){.error = "BOT_TIMEOUT", .reason = "the bot has not answered in time"};
    if (weir_text_is(error, "TOO_LARGE"))
        return (struct cv_outcome){.error = "BOT_FAILED", .reason = "the bot's answer is too large"};
    if (error.len)
        return (struct cv_outcome){.error = "BOT_FAILED", .reason = "the bot cannot be reached"};
    if (status < 200 || status > 299)
        return (struct cv_outcome){.error = "BOT_FAILED", .reason = "the bot has refused to answer"};
    struct weir_text text = text_of_answer(call, answer);
    if (text.len > CV_ANSWER_MAX)
        return (struct cv_outcome){.error = "BOT_FAILED", .reason = "the bot's answer is too large"};
    text = cleaned(text, buffer);
    if (is_blank(text))
        return (struct cv_outcome){.error = "BOT_FAILED", .reason = "the bot's answer holds no message"};
    return (struct cv_outcome){.answer = text};
}

void cv_answered(struct weir_call *call)
{
    char buffer[CV_ANSWER_MAX];
    const struct weir_value *answer = weir_parse(call, weir_body(call)), *context = weir_value_get(answer, "context");
    struct weir_text session_id = member_of(context, "session"), message_id = member_of(context, "question");
    struct cv_outcome outcome = outcome_of(call, answer, buffer);
    int64_t asked_ms = 0;
    weir_value_integer(weir_value_get(context, "askedMs"), &asked_ms);
    cv_circuit_note(call, member_of(context, "endpoint"), asked_ms, !outcome.error);
    if (outcome.error)
        weir_log(call, "session %.*s, message %.*s: %s: %s", WEIR_TEXT(session_id), WEIR_TEXT(message_id), outcome.error, outcome.reason);
    cv_settle(call, session_id, message_id, &outcome);
}
