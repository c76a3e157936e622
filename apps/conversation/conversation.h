/* What the files of the conversation share. */
#ifndef CONVERSATION_H
#define CONVERSATION_H

#include <weir/weir.h>

#define CV_ID_MAX 128                 /* bytes of a session's, message's or correlation id */
#define CV_MESSAGE_MAX 16384          /* bytes of a user's message */
#define CV_ANSWER_MAX 65536           /* bytes of a bot's */
#define CV_ENDPOINT_MAX 2048          /* bytes of a bot's address: it is a table's key */
#define CV_AFTER_THIS_TICK 1          /* ms: a deferred call never runs in the tick that asked for it, so its answer follows the acknowledgement */

extern struct weir_table cv_sessions, cv_messages, cv_circuits;
extern const struct weir_setting cv_settings[];

/* ---- what is watched (watch.c) ---- */

extern const struct weir_operation cv_operations[];
extern const struct weir_alarm cv_alarms[];
extern const struct weir_dashboard cv_dashboards[];
#define CV_PROCESSING "chat_message_processing"

/* ---- sessions and messages (session.c) ---- */

struct weir_item *cv_session_key(struct weir_call *call, struct weir_text session_id);
struct weir_item *cv_message_key(struct weir_call *call, struct weir_text session_id, struct weir_text message_id);
/* The user that the connection belongs to; fails the call when there is none, and when the message names another. */
struct weir_text cv_caller(struct weir_call *call);
/* The session when the caller may see it; NULL when there is none. Another user's fails the call. */
const struct weir_item *cv_session_of_caller(struct weir_call *call, struct weir_text session_id, struct weir_text user_id);
bool cv_id_checked(struct weir_call *call, const char *field, struct weir_text id);
/* Sets the expiry that `keep` asks for. */
void cv_keep(struct weir_call *call, struct weir_item *item);
/* The members of a message as clients see it, into an open object. */
void cv_message_write(struct weir_json *json, const struct weir_item *message);
/* The client's own requestId, which a stored message keeps for its answer. */
void cv_request_id_write(struct weir_json *json, const struct weir_item *message);

/* What a question came to. */
struct cv_outcome {
    struct weir_text answer;    /* of the bot; or: */
    const char *error;          /* BOT_TIMEOUT, BOT_FAILED, BOT_UNAVAILABLE; NULL: there is an answer */
    const char *reason;         /* a sentence, with error */
    int64_t retry_after;        /* ms, with BOT_UNAVAILABLE; 0: not told */
};
/* Stores the outcome, tells the user's sockets, and asks the session's next question. Nothing when the session waits for another question by now. */
void cv_settle(struct weir_call *call, struct weir_text session_id, struct weir_text message_id, const struct cv_outcome *outcome);

void cv_message(struct weir_call *call);
void cv_ask_waiting(struct weir_call *call); /* "@ask" */

/* ---- bots (bot.c) ---- */

/* Puts the question to the bot; its outcome comes to cv_settle, in a later call. */
void cv_ask(struct weir_call *call, const struct weir_item *question);
const char *cv_settings_rule(const struct weir_settings *settings);
void cv_echo(struct weir_call *call);        /* "@echo" */
void cv_answered(struct weir_call *call);    /* "@answered" */
void cv_unavailable(struct weir_call *call); /* "@unavailable" */
/* What of the conversation so far a model is told, into an open array: {"role","content"}, the question last. (history.c) */
void cv_history_for_model(struct weir_call *call, struct weir_json *json, const struct weir_item *question);

/* ---- the circuit of a bot's endpoint (circuit.c) ---- */

/* May a request go out now? A circuit that is open lets one through after its time. */
bool cv_circuit_allow(struct weir_call *call, struct weir_text endpoint);
/* Milliseconds until the next may; 0 or less: now. */
int64_t cv_circuit_left(struct weir_call *call, struct weir_text endpoint);
/* What became of a request that went out at `asked_ms`. */
void cv_circuit_note(struct weir_call *call, struct weir_text endpoint, int64_t asked_ms, bool good);

/* ---- reading back (history.c) ---- */

void cv_history(struct weir_call *call);       /* history {sessionId?, limit?, before?} */
void cv_sessions_list(struct weir_call *call); /* sessions {limit?, before?} */
void cv_history_rest(struct weir_call *call);  /* GET /sessions/{id}/messages */
void cv_sessions_rest(struct weir_call *call); /* GET /sessions */

#endif
