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
/* An alarm, made at start when there is none of that name, and changed when its declaration has changed; what somebody sets over the wire stays until then. In all
   texts "{env}", "{stage}" and "{api}" (the mount) are replaced. docs/alarms.md. */
#define WEIR_ALARM_DIMENSIONS_MAX 10
#define WEIR_ALARM_ACTIONS_MAX 5
enum weir_comparison { WEIR_GREATER, WEIR_GREATER_OR_EQUAL, WEIR_LESS, WEIR_LESS_OR_EQUAL }; /* how a value must stand to the threshold to breach it */
/* A period without data: is not looked at (and when all are missing, the state is INSUFFICIENT_DATA), leaves the state as it is, breaches, is fine. */
enum weir_missing { WEIR_MISSING, WEIR_MISSING_IGNORE, WEIR_MISSING_BREACHING, WEIR_MISSING_NOT_BREACHING };
struct weir_alarm_dimension {
    const char *name, *value;
};
struct weir_alarm {
    const char *name;
    const char *description;
    const char *metric_namespace, *metric;
    struct weir_alarm_dimension dimension[WEIR_ALARM_DIMENSIONS_MAX]; /* ends with the first without a name; exactly those of the metric */
    const char *statistic;        /* "Average", "Sum", "Minimum", "Maximum", "SampleCount", or "p99" and its like */
    const char *unit;             /* NULL: any */
    int64_t period;               /* ms: 10, 20, 30 s or a multiple of a minute */
    unsigned evaluation_periods;  /* 0: 1 */
    unsigned datapoints_to_alarm; /* so many of them must breach; 0: all */
    double threshold;
    enum weir_comparison comparison;
    enum weir_missing missing;
    const char *alarm_actions[WEIR_ALARM_ACTIONS_MAX], *ok_actions[WEIR_ALARM_ACTIONS_MAX]; /* end with the first NULL: an address, "weir:room:<api>/<room>", "weir:route:<api>/@name" ... */
    const char *insufficient_data_actions[WEIR_ALARM_ACTIONS_MAX];
};

/* An operation that the performance monitor watches (docs/performance.md). It stands around the routes that it names, without a line of code; or a handler starts and completes
   it (weir_monitor_start). Each completion is a duration, a memory and a success: the metrics HandlerDuration, MemoryUsage and ErrorRate with the dimension Handler. A route that no
   operation names is watched under its own key, without thresholds. */
enum weir_capture_kind {
    WEIR_CAPTURE_TEXT,   /* a string's text */
    WEIR_CAPTURE_LENGTH, /* its length, as JavaScript counts (UTF-16) */
    WEIR_CAPTURE_PRESENT /* whether it is there and no empty text: true or false */
};
/* What is captured of each message by itself, also of one that the gateway answered (`auth`, a refusal). */
struct weir_capture {
    const char *name;
    const char *field;     /* of the message, looked up as weir_in_text does */
    enum weir_capture_kind kind;
    const char *otherwise; /* the field that stands for a missing one; NULL: none */
};
enum weir_figure_kind {
    WEIR_FIGURE_COUNT,   /* 1: its sum over a minute is a rate */
    WEIR_FIGURE_FIELD,   /* the captured integer `field`, in `unit` */
    WEIR_FIGURE_SUCCESS, /* 100 or 0 per cent: its average is a rate */
    WEIR_FIGURE_DURATION /* milliseconds */
};
/* A further metric of an operation: each completion puts a value, with the dimension Handler. */
struct weir_figure {
    const char *name;
    enum weir_figure_kind kind;
    const char *field;
    const char *unit;           /* FIELD: CloudWatch's word; NULL: "None" */
    const char *dimension;      /* a second dimension, NULL: none; its value is the captured text `by`, when that is one of `values`. Another value is not counted */
    const char *by;
    const char *const *values;  /* ends with NULL; at most WEIR_FIGURE_VALUES_MAX */
    const char *when, *is;      /* only completions whose captured text `when` is `is`; NULL: all */
};
#define WEIR_FIGURE_VALUES_MAX 16
struct weir_operation {
    const char *name;
    const char *const *routes;  /* route keys, ends with NULL; NULL: a handler's own */
    int64_t duration_max_ms;    /* what breaches is logged with its whole context, and counted; 0: no threshold */
    size_t memory_max;          /* bytes; 0: no threshold */
    double error_rate_max;      /* a fraction of the completions of 5 minutes; 0: no threshold */
    const struct weir_capture *captures; /* ends with a name of NULL */
    const struct weir_figure *figures;   /* likewise */
};

struct weir_settings; /* the values */
/* The value: a URL, a word, a DURATION's milliseconds in digits, the content of the variable that an ENV names. Empty: not given, and without a default. */
struct weir_text weir_settings_get(const struct weir_settings *settings, const char *name);

/* A dashboard, put at start when there is none of its name, or when the declaration has changed: what is changed over the wire stays until then (docs/dashboards.md).
   "{env}", "{region}" and "{account}" are replaced in both. */
struct weir_dashboard {
    const char *name; /* [A-Za-z0-9_-]{1,255} */
    const char *body; /* JSON, as CloudWatch's PutDashboard takes it */
};

/* A function, as AWS has them: what routes are called in log groups (/aws/lambda/<name>) and in the metrics of AWS/Lambda. It runs nothing: handlers are those of the routes. */
struct weir_function {
    const char *name;          /* "{env}" and "{stage}" are replaced at start */
    const char *const *routes; /* route keys, ends with NULL; $connect and $disconnect need not be declared. NULL: all routes that no other function names */
};

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
    const struct weir_function *functions;     /* ends with a name of NULL */
    /* What is wrong with the values together, as a sentence for who wrote the configuration; NULL: nothing. The rule itself may be NULL. */
    const char *(*settings_rule)(const struct weir_settings *settings);
    const struct weir_dashboard *dashboards;   /* ends with a name of NULL */
    const struct weir_alarm *alarms;           /* ends with a name of NULL */
    const struct weir_operation *operations;   /* ends with a name of NULL */
    const char *performance_space;             /* the namespace of their metrics; NULL: "WebSocket/Performance" */
    const char *metrics;                       /* the namespace of weir_metric, "{env}" and "{stage}" replaced; NULL: "<mount>-{env}", as in riddle-rush-dev */
};
/* Each application defines one: const struct weir_app weir_app_<name>. Those of this repository are listed in src/main/main.c. */

/* ---- the program ----
   The whole program `weir`, all its commands, with these applications compiled in (the list ends with NULL and outlives the call): the main() of an application in a
   repository of its own is this one call (examples/standalone, docs/packaging.md). Answers the exit code. */
int weir_main(int argc, char **argv, const struct weir_app *const *apps);

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
bool weir_value_real(const struct weir_value *value, double *out); /* the nearest; false: not a number, or beyond a double */
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

/* ---- metrics ----
   A data point, as CloudWatch's PutMetricData would put it (docs/metrics.md). In a TICK route it is part of the call: undone with it, on the disk when the call is answered. In READ
   and PURE routes it is kept when the handler succeeds, gathered and written within about a second: a crash loses that second. Points at the tick's time, by the minute (`high`: by
   the second). A series beyond the server's limit (metrics.seriesMax) is left out and counted, and the call goes on; an invalid name, unit or value fails the call. */
#define WEIR_DIMENSIONS_MAX 8
struct weir_dimension {
    const char *name;        /* 1 to 255 bytes */
    struct weir_text value;  /* 1 to 1,024 bytes */
};
struct weir_metric {
    struct weir_text name;   /* 1 to 255 bytes */
    double value;            /* at most 2^360 in magnitude */
    const char *unit;        /* "Count", "Milliseconds", "Bytes", "Percent" ... as CloudWatch names them; NULL: "None" */
    struct weir_dimension dimension[WEIR_DIMENSIONS_MAX]; /* ends with the first name of NULL. Each set of values is a series of its own */
    const char *space;       /* namespace; NULL: the application's (weir_app.metrics) */
    bool high;
};
void weir_metric(struct weir_call *call, const struct weir_metric *metric);
/* The same with one dimension, or none (NULL): weir_measure(call, "GameScore", score, "Count", "GameMode", mode). */
void weir_measure(struct weir_call *call, const char *name, double value, const char *unit, const char *dimension, struct weir_text of);

/* ---- the performance monitor ----
   Handles live until the handler returns; more than WEIR_MONITORS_MAX of one call, or WEIR_MONITOR_FIELDS_MAX fields of one, are left out. What is completed is counted and, when it breaches a
   threshold or has failed, logged when the call has ended. */
struct weir_monitor;
#define WEIR_MONITORS_MAX 8
#define WEIR_MONITOR_FIELDS_MAX 32
#define WEIR_MONITOR_TEXT_MAX 512 /* bytes; a longer text, or one with control characters, is left out */
struct weir_monitor *weir_monitor(struct weir_call *call);   /* the one around the route: for what it captures */
/* Begins a declared operation; it may lie inside another. Left open, it completes with the call, as the call. */
struct weir_monitor *weir_monitor_start(struct weir_call *call, const char *operation);
void weir_monitor_since(struct weir_monitor *monitor, int64_t epoch_ms); /* it began in an earlier call, whose weir_now() that was */
void weir_monitor_text(struct weir_monitor *monitor, const char *name, struct weir_text value); /* `name` is kept as it stands: a literal */
void weir_monitor_integer(struct weir_monitor *monitor, const char *name, int64_t value);
void weir_monitor_boolean(struct weir_monitor *monitor, const char *name, bool value);
void weir_monitor_complete(struct weir_monitor *monitor, bool success); /* not of the one around the route: that is the call's */
void weir_monitor_forget(struct weir_monitor *monitor);      /* a later call completes it, by one of its own with weir_monitor_since: nothing is counted now, unless this call fails */
size_t weir_touched(struct weir_call *call);                 /* items read and written so far */

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

/* ---- the log ----
   Lines of the application's log (docs/logs.md): JSON events {"timestamp","level","message", fields ..., "api","stage","route","requestId","connectionId","correlationId","userId"} in the
   log group /weir/<api>/<route>, and in that of the route's function when one is declared (weir_app.functions). In a TICK route a line is part of the call: undone with it, on the disk
   when it is answered. In READ and PURE routes, and in those of $connect and $disconnect, it is kept when the handler succeeds, gathered and written within about a second. A line that
   finds no room is dropped and counted: it never fails the call. Lines of WARN and ERROR go to standard error, too. */
enum weir_level { WEIR_DEBUG, WEIR_INFO, WEIR_WARN, WEIR_ERROR };
/* The level INFO; at most 8 KiB, the rest is cut off. */
void weir_log(struct weir_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* `fields`: an object, whose members stand beside the message; NULL: none. A member of one of the names above is left out, but userId when no user is proven. */
void weir_log_event(struct weir_call *call, enum weir_level level, const char *message, struct weir_json *fields);
/* What is on all lines that one request has led to: the message's "correlationId", else that of the connection (header x-correlation-id or query parameter correlationId at
   $connect), else that of the call which deferred this one, else the gateway's request id. It goes on through weir_later, and in the header x-correlation-id to endpoints. */
struct weir_text weir_correlation_id(struct weir_call *call);

#ifdef __cplusplus
}
#endif
#endif
