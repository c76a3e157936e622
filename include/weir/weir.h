/*
 * weir: what an application is written against.
 *
 * An application is one declaration (struct weir_app: name, authorisation, route key, tables, routes) and its handlers. A handler is plain
 * synchronous C: it reads fields of the message, reads and writes tables, answers, publishes. No callbacks, no locks, no await.
 *
 *   - All or nothing: when a handler fails (weir_fail, a refused field, a full disk), its writes and messages are undone together and the client gets
 *     the error. Otherwise everything it sent leaves when its writes are durable, or not at all.
 *   - After a failure the call goes on being valid, and further functions do nothing, so a handler checks weir_failed() only where it matters.
 *   - A handler may run again from the start (when data must first be read from disk): it has no side effects but those made through `call`.
 *   - Everything reachable from `call` (texts, items, values) lives until the handler returns. Texts are not terminated.
 *   - A handler runs on one thread at a time per class; it may touch 1,000 items or 1 MB (WEIR_TOUCH_*), so keep aggregates.
 *
 * Lengths are bytes, times milliseconds, unless a name says otherwise.
 */
#ifndef WEIR_H
#define WEIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_text {
    const char *data;
    size_t len;
};
#define WEIR_STR(literal) ((struct weir_text){(literal), sizeof(literal) - 1})
#define WEIR_TEXT(t) (int)(t).len, (t).data /* for "%.*s" */
struct weir_text weir_text_of(const char *terminated);
bool weir_text_is(struct weir_text text, const char *terminated);
bool weir_text_starts(struct weir_text text, const char *terminated);

#define WEIR_SECOND INT64_C(1000)
#define WEIR_MINUTE (60 * WEIR_SECOND)
#define WEIR_HOUR (60 * WEIR_MINUTE)
#define WEIR_DAY (24 * WEIR_HOUR)

#define WEIR_TOUCH_ITEMS 1000    /* items a handler may read and write */
#define WEIR_TOUCH_BYTES 1048576 /* bytes of items */

struct weir_call;  /* one message, request or deferred call */
struct weir_item;  /* a table's item: being built, or read */
struct weir_value; /* a JSON value of the input */
struct weir_json;  /* JSON being written */

/* ---- the declaration ---- */

/* Where a route runs. PURE: no tables (ping, echo): on the connection's own thread. READ: tables are read from the durable snapshot, there too. TICK: reads and
   writes in the tick (the default). */
enum weir_class { WEIR_TICK, WEIR_READ, WEIR_PURE };

/* Route keys: "$connect", "$disconnect", "$default", a value of the route selection expression ("logPerformance"), a REST route
   ("POST /tournaments/{id}/start"), or "@name": a deferred call or an answer, run by weir_later and weir_fetch alone. */
struct weir_route {
    const char *key;
    void (*handler)(struct weir_call *call);
    enum weir_class route_class;
};

enum weir_type { WEIR_S, WEIR_N, WEIR_B }; /* string, number, binary */
#define WEIR_INDEX_KEYS_MAX 4 /* hash attributes, and range attributes, of an index */
struct weir_attribute {
    const char *name;
    enum weir_type type;
};
struct weir_index {
    const char *name;
    const char *hash;
    enum weir_type hash_type;
    const char *range; /* NULL: none */
    enum weir_type range_type;
    bool counted;      /* rank of an entry, entry at a rank, count: exact, O(log n) */
    struct weir_attribute more_hash[WEIR_INDEX_KEYS_MAX - 1], more_range[WEIR_INDEX_KEYS_MAX - 1]; /* behind hash and range; ends with the first without a name */
};
#define WEIR_INDEXES_MAX 20
struct weir_table {
    const char *name; /* "{env}" and "{stage}" are replaced at start */
    const char *hash;
    enum weir_type hash_type;
    const char *range; /* NULL: none */
    enum weir_type range_type;
    struct weir_index index[WEIR_INDEXES_MAX]; /* ends with the first without a name */
    const char *ttl;   /* attribute with the expiry time in epoch seconds; NULL: none */
    bool changes;      /* keeps a change stream with old and new images */
    unsigned recovery_days; /* 1 to 35: can be restored to any moment of so many days (the journal is kept for it); 0: as it is switched over the wire */
};

/* WEIR_NONE: anyone, nobody is known. WEIR_CLAIMED: ?userId= is believed but marked as claimed. WEIR_JWT: a verified token at connect (or in band). WEIR_IAM: SigV4. */
enum weir_auth { WEIR_NONE, WEIR_CLAIMED, WEIR_JWT, WEIR_IAM };
enum weir_limits { WEIR_OPEN, WEIR_AWS };

/* The registry: a row per live connection, written at connect and removed at disconnect by weir itself. */
struct weir_registry {
    struct weir_table *table; /* NULL: none. Hash key "connectionId" (S) */
    int64_t lifetime;         /* the row's ttl, renewed while the socket lives */
    bool metadata;            /* ip and userAgent too */
    bool identity;            /* userId, userRole, userName, userEmail, rooms */
};

/* A stream of records, as Kinesis has it, made at start when there is none; producers use the Kinesis wire. */
struct weir_kinesis {
    const char *name;          /* "{env}" and "{stage}" are replaced at start */
    unsigned shards;           /* 0: 1 */
    int64_t retention;         /* ms, 24 hours to 365 days; 0: 24 hours */
};

/* A consumer of a table's changes, or of a Kinesis stream's records. Batches come to the route "@name" as {"records":[{"eventName":"INSERT"|"MODIFY"|"REMOVE",
   "sequence","number","time" (epoch ms),"keys":{..},"new":{..}|null,"old":{..}|null},..]}, in the order of their commits, one batch at a time; records of a Kinesis
   stream as {"eventName":"RECORD","sequence","number","time","partitionKey","sequenceNumber","shardId","data" (base64)}, read by weir_record_*. The position commits with
   the handler's writes, so their effect on the tables happens once. A batch that fails is tried again; a record that goes on failing is kept, with its error, for
   GET /<api>/@streams/<route>/failed, and the consumer goes on behind it. A full disk is waited for and counts as no attempt. */
enum weir_start { WEIR_LATEST, WEIR_TRIM_HORIZON }; /* where a consumer begins that has no position yet: now, or with the oldest change that is kept */
struct weir_stream {
    struct weir_table *table;  /* with `changes` */
    const char *route;         /* "@name" */
    unsigned batch_max;        /* records, up to 1,000; 0: 100 */
    int64_t window_ms;         /* how long a batch that is not full waits for more; 0: not at all */
    int retries;               /* of a batch, with backoff; 0: 3; negative: none */
    bool bisect;               /* a batch that fails is halved until the record is found that it fails on */
    enum weir_start start;
    const char *on_failure;    /* route "@name" for what is given up: {"records":[..],"error":CODE,"message":..}; NULL: none */
    const struct weir_kinesis *kinesis; /* instead of `table` */
    int64_t timeout_ms;        /* a batch whose handler takes longer has failed, and is undone; 0: as long as it takes */
    struct weir_table *failures; /* a table with the hash key "id" (S) and no range key: what is given up becomes items there, too; NULL: none */
};

/* Who may follow a table over the socket ({"action":"subscribe","table":..}, docs/live-tables.md). A table that is not listed is followed by nobody. OWN and
   ADMINS are said of a proven identity. */
enum weir_live_rule { WEIR_LIVE_OWN, WEIR_LIVE_ADMINS, WEIR_LIVE_ANYONE };
struct weir_live {
    struct weir_table *table;  /* with `changes` */
    enum weir_live_rule rule;
    const char *owner;         /* OWN: the attribute that holds the owner's user id */
};
/* The same rules hold for boards, the first entries of an index as a live view ({"action":"subscribe","ranks":{..}}). */

/* Rooms keep their newest messages: those published by routes of the class WEIR_TICK and by POST .../@rooms/{room}. Each carries "position", and the action
   {"action":"resume","room":..,"after":POSITION} joins the room with what was missed (docs/live-tables.md). */
struct weir_history {
    unsigned messages; /* of a room, up to 10,000; 0: none are kept */
    int64_t lifetime;  /* ms; 0: only `messages` bounds them */
};

/* What an application may be told in the configuration, below apps.<name>. A name of two parts stands in a mapping: "bot.model" is `bot: {model: small}`, and the
   name "bot" itself is `bot: echo`. */
enum weir_setting_kind { WEIR_SETTING_TEXT, WEIR_SETTING_WORD, WEIR_SETTING_URL, WEIR_SETTING_DURATION, WEIR_SETTING_ENV };
struct weir_setting {
    const char *name;
    enum weir_setting_kind kind;
    const char *help;          /* for people: `weir check --keys` */
    const char *otherwise;     /* when it is not given; NULL: empty. DURATION: milliseconds, in digits */
    const char *const *words;  /* WORD: those allowed; ends with NULL */
    int64_t min, max;          /* DURATION: ms; TEXT: bytes at most */
};
struct weir_settings; /* the values */
/* The value: a URL, a word, a DURATION's milliseconds in digits, the content of the variable that an ENV names. Empty: not given, and without a default. */
struct weir_text weir_settings_get(const struct weir_settings *settings, const char *name);

struct weir_app {
    const char *name;             /* "riddle_rush": mounted at /riddle-rush */
    const char *description;
    enum weir_auth auth;
    bool auth_in_band;            /* WEIR_JWT: a socket may open without a token and send {"type":"auth","token":...} */
    const char *route_key;        /* route selection expression; default "$request.body.action" */
    enum weir_limits limits;
    size_t message_max;           /* bytes; 0: by `limits` (1 MiB, 128 KiB) */
    bool type_routes;             /* a message without an action is routed by its "type": {"type":"ping"} as {"action":"ping"} */
    bool envelope_events;         /* errors and ?event= pushes in {event,data,timestamp} */
    bool workflow_envelope;       /* ?event= pushes as {type,tournamentId?,data,timestamp} */
    bool retain_rooms;            /* the newest message of each room is kept, with its sequence (weir_room_last) */
    struct weir_registry registry;
    struct weir_table *const *tables;  /* ends with NULL; the registry's table need not be listed */
    const struct weir_route *routes;   /* ends with a key of NULL */
    const char *const *stages;         /* ends with NULL; default "prod" */
    /* May the caller join or publish to the room from a client message? NULL: the default rule (any room). */
    bool (*room_rule)(struct weir_call *call, struct weir_text room);
    const struct weir_stream *streams; /* ends with one that has neither table nor kinesis */
    const struct weir_live *live;      /* ends with a table of NULL */
    struct weir_history room_history;
    const struct weir_kinesis *const *kinesis; /* ends with NULL */
    const struct weir_setting *settings;       /* ends with a name of NULL */
    /* What is wrong with the values together, as a sentence for who wrote the configuration; NULL: nothing. The rule itself may be NULL. */
    const char *(*settings_rule)(const struct weir_settings *settings);
};
/* Each compiled-in application defines one and is listed in src/main/apps.c: extern const struct weir_app weir_app_<name>; */

/* ---- who and where ---- */
struct weir_text weir_connection_id(struct weir_call *call); /* 16 characters; empty for REST and deferred calls */
struct weir_text weir_request_id(struct weir_call *call);    /* the gateway's */
struct weir_text weir_route_key(struct weir_call *call);
struct weir_text weir_stage(struct weir_call *call);
struct weir_text weir_environment(struct weir_call *call);   /* --env */
struct weir_text weir_region(struct weir_call *call);        /* the configuration's `region` and `account`, for ARNs */
struct weir_text weir_account(struct weir_call *call);
struct weir_text weir_setting(struct weir_call *call, const char *name); /* as weir_settings_get */
int64_t weir_setting_integer(struct weir_call *call, const char *name);  /* of a DURATION: milliseconds */
struct weir_text weir_source_ip(struct weir_call *call);
struct weir_text weir_user_agent(struct weir_call *call);
int64_t weir_connected_at(struct weir_call *call);           /* epoch ms */
struct weir_text weir_header(struct weir_call *call, const char *name);    /* $connect and REST; empty when absent */
struct weir_text weir_query_param(struct weir_call *call, const char *name); /* decoded; $connect and REST; empty when absent */
struct weir_text weir_path_param(struct weir_call *call, const char *name);  /* REST "{name}" */
int weir_disconnect_code(struct weir_call *call);            /* $disconnect */
struct weir_text weir_disconnect_reason(struct weir_call *call);

bool weir_proven(struct weir_call *call);                    /* by token or signature, not merely claimed */
bool weir_identified(struct weir_call *call);                /* proven or claimed */
struct weir_text weir_user_id(struct weir_call *call);       /* empty: nobody */
struct weir_text weir_user_name(struct weir_call *call);
struct weir_text weir_user_email(struct weir_call *call);
struct weir_text weir_user_role(struct weir_call *call);     /* "admin" or "user" */
bool weir_in_group(struct weir_call *call, const char *group);
/* The user that a write is for: the proven identity; else the body's `field`; else the claimed one. A body that names another user than the
   proven one is refused (FORBIDDEN, counted). Fails the call with the field's name when there is none. */
struct weir_text weir_acting_user(struct weir_call *call, const char *field);

int64_t weir_now(struct weir_call *call);                    /* the tick's time, epoch ms */
struct weir_text weir_now_iso(struct weir_call *call);       /* "2025-01-17T10:30:00.000Z" */
struct weir_text weir_iso(struct weir_call *call, int64_t epoch_ms);
struct weir_text weir_id(struct weir_call *call);            /* unique, sorts by time; TICK only */
uint64_t weir_sequence(struct weir_call *call);              /* the commit sequence of this call's writes; TICK only */
uint32_t weir_call_number(struct weir_call *call);           /* (sequence, number) is unique; TICK only */

/* ---- input ----
   Fields are looked up at the top level of the message, then in its "data" when that is an object: {"action":A,"data":{..}}, {"action":A,..} and {"type":T,..} read alike. A
   missing field, a wrong type or a value out of bounds fails the call, naming the field. */
struct weir_text weir_body(struct weir_call *call);          /* as received (a deferred call's or answer's payload too) */
bool weir_is_binary(struct weir_call *call);
struct weir_text weir_action(struct weir_call *call);        /* "action", else "type"; empty */
bool weir_has(struct weir_call *call, const char *field);
struct weir_text weir_in_text(struct weir_call *call, const char *field, size_t min, size_t max);
struct weir_text weir_in_text_or(struct weir_call *call, const char *field, size_t max, struct weir_text otherwise);
int64_t weir_in_integer(struct weir_call *call, const char *field, int64_t min, int64_t max);
int64_t weir_in_integer_or(struct weir_call *call, const char *field, int64_t min, int64_t max, int64_t otherwise);
/* The digits as they came, when they are a number within the bounds. */
struct weir_text weir_in_number(struct weir_call *call, const char *field, double min, double max);
/* Epoch seconds (< 1e11), epoch milliseconds or ISO 8601, answered as epoch ms. */
int64_t weir_in_time_or(struct weir_call *call, const char *field, int64_t otherwise);
bool weir_in_bool_or(struct weir_call *call, const char *field, bool otherwise);
const struct weir_value *weir_in_value(struct weir_call *call, const char *field, bool required); /* any JSON; NULL */
const struct weir_value *weir_in_object(struct weir_call *call, const char *field, bool required);
size_t weir_value_count(const struct weir_value *value);
const struct weir_value *weir_value_at(const struct weir_value *array, size_t index);
const struct weir_value *weir_value_get(const struct weir_value *object, const char *name);
bool weir_value_text(const struct weir_value *value, struct weir_text *out); /* false: not a string */
bool weir_value_integer(const struct weir_value *value, int64_t *out);
bool weir_value_is_number(const struct weir_value *value); /* false for NULL, too */
/* JSON from elsewhere (an endpoint's answer, say) as it stands: its strings may hold control characters. NULL: it is none. */
const struct weir_value *weir_parse(struct weir_call *call, struct weir_text json);
/* A record of a Kinesis stream, one of a consumer's "records". */
struct weir_text weir_record_key(const struct weir_value *record);       /* its partition key */
struct weir_text weir_record_sequence(const struct weir_value *record);  /* its sequence number, as the wire names it */
int64_t weir_record_arrival(const struct weir_value *record);            /* epoch ms */
struct weir_text weir_record_data(struct weir_call *call, const struct weir_value *record); /* the bytes */
const struct weir_value *weir_record_json(struct weir_call *call, const struct weir_value *record); /* the bytes as JSON; NULL: they are none */

/* ---- failing ---- */
bool weir_failed(struct weir_call *call);
/* `code`: upper case words with underscores; `field` may be NULL. The first failure stands. */
void weir_fail(struct weir_call *call, const char *code, const char *field, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* $connect: refuses the handshake with this status (401, 403, ...); REST: answers with it. */
void weir_refuse(struct weir_call *call, int status, const char *code, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A member that the error has when the call fails: what it was about. Up to 8, before or after the failure; a long or unclean text is left out. */
void weir_context(struct weir_call *call, const char *name, struct weir_text value);
void weir_context_integer(struct weir_call *call, const char *name, int64_t value);

/* ---- JSON out ----  A misuse (a name outside an object) fails the call in tests. */
struct weir_json *weir_json(struct weir_call *call);         /* a new, empty document */
void weir_object(struct weir_json *json);                    /* { */
void weir_end(struct weir_json *json);                       /* } or ] */
void weir_array(struct weir_json *json);                     /* [ */
void weir_name(struct weir_json *json, const char *name);
void weir_string(struct weir_json *json, struct weir_text value);
void weir_cstring(struct weir_json *json, const char *value);
void weir_integer(struct weir_json *json, int64_t value);
void weir_real(struct weir_json *json, double value);
void weir_digits(struct weir_json *json, struct weir_text number); /* number text kept as it is */
void weir_boolean(struct weir_json *json, bool value);
void weir_null(struct weir_json *json);
void weir_value(struct weir_json *json, const struct weir_value *value);  /* re-encoded; NULL: null */
void weir_item_json(struct weir_json *json, const struct weir_item *item); /* plain JSON; NULL: null */
void weir_raw(struct weir_json *json, struct weir_text text); /* JSON text (of weir_room_last, say), checked and re-encoded; empty: null */
/* name and value at once, for the common cases */
void weir_member(struct weir_json *json, const char *name, struct weir_text value);
void weir_member_integer(struct weir_json *json, const char *name, int64_t value);
/* "requestId": the client's own, when the message has one. */
void weir_member_request(struct weir_json *json);
/* The text so far. */
struct weir_text weir_json_text(struct weir_json *json);

/* ---- answering and sending (leave after the commit) ---- */
void weir_ack(struct weir_call *call);                        /* {"type":"ack","action",...,"requestId","seq"} */
void weir_reply(struct weir_call *call, struct weir_json *json); /* to the connection; REST: 200 with this body */
void weir_reply_status(struct weir_call *call, int status, struct weir_json *json); /* REST */
void weir_reply_bytes(struct weir_call *call, struct weir_text bytes, bool binary);
void weir_post(struct weir_call *call, struct weir_text connection_id, struct weir_json *json);
void weir_send_user(struct weir_call *call, struct weir_text user_id, struct weir_json *json); /* all connections of the user */
void weir_send_others(struct weir_call *call, struct weir_text user_id, struct weir_json *json); /* the same without the call's own connection */
void weir_publish(struct weir_call *call, struct weir_text room, struct weir_json *json);
void weir_broadcast(struct weir_call *call, struct weir_json *json); /* all connections of this API */
void weir_join(struct weir_call *call, struct weir_text room);  /* this connection; checked by nothing: see weir_may_join */
void weir_leave(struct weir_call *call, struct weir_text room);
bool weir_may_join(struct weir_call *call, struct weir_text room); /* the app's room_rule */
/* The newest message published to the room (retain_rooms); empty when none. `sequence` may be NULL. */
struct weir_text weir_room_last(struct weir_call *call, struct weir_text room, uint64_t *sequence);
void weir_disconnect(struct weir_call *call, int code, const char *reason); /* this connection */

/* ---- items ---- */
struct weir_item *weir_item(struct weir_call *call);
void weir_item_text(struct weir_item *item, const char *name, struct weir_text value);
void weir_item_integer(struct weir_item *item, const char *name, int64_t value);
void weir_item_number(struct weir_item *item, const char *name, struct weir_text digits);
void weir_item_boolean(struct weir_item *item, const char *name, bool value);
void weir_item_value(struct weir_item *item, const char *name, const struct weir_value *value); /* JSON as maps, lists, ... */
void weir_item_copy(struct weir_item *item, const struct weir_item *from); /* all attributes */
void weir_item_expires_in(struct weir_item *item, int64_t ms); /* sets the table's ttl attribute at weir_put */
struct weir_text weir_get_text(const struct weir_item *item, const char *name); /* empty when absent or not a string */
int64_t weir_get_integer(const struct weir_item *item, const char *name, int64_t otherwise);
struct weir_text weir_get_number(const struct weir_item *item, const char *name); /* digits; empty when absent */
double weir_get_real(const struct weir_item *item, const char *name, double otherwise);
bool weir_get_boolean(const struct weir_item *item, const char *name, bool otherwise);
bool weir_item_has(const struct weir_item *item, const char *name);

/* ---- tables ---- Writes are TICK only; a pure route that touches tables fails. */
void weir_put(struct weir_call *call, const struct weir_table *table, struct weir_item *item);
void weir_put_new(struct weir_call *call, const struct weir_table *table, struct weir_item *item); /* the key came from weir_id: no look-up */
const struct weir_item *weir_get(struct weir_call *call, const struct weir_table *table, const struct weir_item *key); /* NULL: none */
void weir_delete(struct weir_call *call, const struct weir_table *table, const struct weir_item *key);

enum weir_range { WEIR_ALL, WEIR_EQ, WEIR_LT, WEIR_LE, WEIR_GT, WEIR_GE, WEIR_BETWEEN, WEIR_PREFIX };
struct weir_query {
    const struct weir_table *table;
    const char *index;              /* NULL: the table */
    const struct weir_item *key;    /* holds the hash attributes; NULL: scan. Of an index with several range attributes also those that are to be equal, from the first on */
    enum weir_range range;
    const struct weir_item *low, *high; /* hold the range attribute (the first one that `key` does not bind) */
    bool backward;
    bool keys_only;
    const struct weir_item *after;  /* exclusive start */
};
struct weir_cursor;
struct weir_cursor *weir_query(struct weir_call *call, const struct weir_query *query);
const struct weir_item *weir_next(struct weir_cursor *cursor); /* NULL: the end, or the call failed */

/* Counted indexes. Ranks count from 0. */
uint64_t weir_rank_count(struct weir_call *call, const struct weir_query *query);
/* Position of `item` (table key + index key attributes) in the order of the query (`backward`: from the top). False: it has no entry. */
bool weir_rank_of(struct weir_call *call, const struct weir_query *query, const struct weir_item *item, uint64_t *rank);
struct weir_cursor *weir_rank_seek(struct weir_call *call, const struct weir_query *query, uint64_t rank);

/* ---- later, elsewhere ---- TICK only; durable with the call's writes */
/* Runs route "@name" after the delay with `payload` (NULL: null) as its body; retried with backoff when it fails. */
void weir_later(struct weir_call *call, int64_t delay_ms, const char *route, struct weir_json *payload);
struct weir_fetch {
    const char *method;      /* default "POST" */
    struct weir_text url;    /* http or https */
    struct weir_text headers; /* "Name: value\r\n" lines; Content-Type defaults to application/json */
    struct weir_text body;
    int64_t timeout_ms;      /* default 29,000 */
    unsigned attempts;       /* default 3 */
    const char *then;        /* route "@name": body {"status":200,"body":"..","context":..} or {"error":"..","context":..} */
    struct weir_text context; /* JSON text, given back to `then` */
    const char *bearer;      /* a setting whose value is sent as "Authorization: Bearer ..": looked up when the request goes out, and on no disk; NULL: none */
    size_t answer_max;       /* bytes of the answer's body, else the error is TOO_LARGE; 0: 8 MiB */
};
void weir_fetch(struct weir_call *call, const struct weir_fetch *fetch);

/* A line of the application's log; leaves with the commit, so an undone call logs nothing. */
void weir_log(struct weir_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif
#endif
