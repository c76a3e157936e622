/*
 * Alarms: figures that are watched, as CloudWatch has them. docs/alarms.md is the reference.
 *
 * An alarm is an item of the hidden table WATCH_ALARMS_TABLE, whose changes are kept, so that whoever may can follow alarms live:
 *
 *   name (S, the key)  type (S: "metric", "composite")  state (S)  reason (S)  reasonData (S, JSON)  updated, transitioned, configured, made (N, epoch ms)  enabled (BOOL)
 *   config (M: AWS's members of the alarm, but for its name, ARN and state)  tags (M)  revision (N)  declared (S, the declaration that it was made from)
 *   suppressed (S)  suppressedUntil (N)  acted (S): of composite alarms with a suppressor
 *
 * The way of a state: a worker reads the figures on a snapshot (alarm_read.c) and judges them (alarm_judge.c); what has changed is committed by one call of the tick
 * (alarm_state.c), with its history (alarm_history.c) and its actions, so a message about a transition leaves when the transition is durable, or not at all. Composite
 * alarms (alarm_rule.c) are looked at in the same call, behind all their children.
 *
 *   STORE_SPACE_ALARMS   'e' id(26)                  an event of the history: version, alarm, composite(1), time(be64), type, summary, data
 *                        'a' alarm 00 id(26)         the same by alarm, no value
 *                        'n' alarm                   how many events it has (be64);  'c': how many there are
 *                        'p' child 00 composite      the rule of that one names it, no value
 *                        's' suppressor 00 composite likewise
 *
 * Functions that take a tick: inside run(), on the state thread; negative answers are passed on. Functions that take a view: any thread that owns one.
 */
#ifndef WEIR_WATCH_ALARM_H
#define WEIR_WATCH_ALARM_H

#include "tick/tick.h"
#include "watch/metric.h"

#define WATCH_ALARMS_TABLE "weir.alarms"
#define WATCH_ALARMS_MAX 5000
#define WATCH_ALARM_NAME_MAX 255
#define WATCH_ALARM_ACTIONS_MAX 5        /* of one state */
#define WATCH_ALARM_ACTION_MAX 1024      /* bytes */
#define WATCH_ALARM_TAGS_MAX 50
#define WATCH_ALARM_METRICS_MAX 20       /* queries of one alarm; MetricStats among them: */
#define WATCH_ALARM_STATS_MAX 10
#define WATCH_ALARM_RANGE_EXTRA 2        /* periods that are looked at beyond EvaluationPeriods, for those that are missing */
#define WATCH_ALARM_REASON_MAX 1023      /* bytes */
#define WATCH_ALARM_REASON_DATA_MAX 4000
#define WATCH_ALARM_HISTORY_MAX 500      /* events of one alarm; the oldest go first */
#define WATCH_ALARM_HISTORY_ALL_MAX 200000
#define WATCH_ALARM_HISTORY_MS (30 * INT64_C(86400000))
#define WATCH_ALARM_HISTORY_DATA_MAX 4095
#define WATCH_ALARM_LEVELS_MAX 16        /* composite alarms over composite alarms */

enum watch_alarm_state { WATCH_ALARM_OK, WATCH_ALARM_ALARM, WATCH_ALARM_INSUFFICIENT, WATCH_ALARM_STATES };
extern const char *const watch_alarm_state_names[WATCH_ALARM_STATES];
/* 0 or ERR_SYNTAX. */
int watch_alarm_state_find(struct text name, enum watch_alarm_state *state);

/* What an item says. Texts and maps live in the arena it was read into. */
struct watch_alarm {
    struct text name;
    bool composite, enabled;
    enum watch_alarm_state state;
    struct text reason, reason_data;
    int64_t updated_ms, transitioned_ms, configured_ms, made_ms;
    int64_t revision;                /* another one with each configuration */
    const struct attr *config, *tags; /* maps; tags may be NULL */
    struct text declared;
    struct text suppressed;          /* "", "WaitPeriod", "ExtensionPeriod", "Alarm" */
    int64_t suppressed_until_ms;
    enum watch_alarm_state acted;    /* the last state whose actions have run */
};

/* What alarms call upward. `act`: state thread, inside a call: carries out an action of a transition, or begins to. Fills `outcome`; 0, or negative: the call is undone. */
enum watch_alarm_outcome { WATCH_ALARM_DONE, WATCH_ALARM_SENT, WATCH_ALARM_FAILED }; /* SENT: watch_alarm_acted comes later */
struct watch_alarm_act {
    struct text alarm;
    bool composite;
    struct text action, payload;     /* payload: JSON, as CloudWatch gives it to a Lambda function */
    enum watch_alarm_outcome outcome;
    char why[200];                   /* of FAILED */
};
struct watch_alarm_house {
    struct text region, account;
    void *context;
    int (*act)(void *context, struct tick *tick, struct arena *arena, struct watch_alarm_act *act);
};

/* ---- alarm.c: alarms as items ---- */
/* Makes the table. */
int watch_alarm_define(struct tick *tick, struct err *err);
bool watch_alarm_is_table(struct text name);
/* ERR_NOT_FOUND, ERR_COLD, ERR_CORRUPT, ERR_MEMORY. */
int watch_alarm_get(struct store_view *view, struct arena *arena, struct text name, struct watch_alarm *alarm);
/* All, by name, those above `after`, until `visit` answers non-zero (returned). The alarm lives for the visit only. */
int watch_alarm_each(struct store_view *view, struct text after, int (*visit)(void *context, const struct watch_alarm *alarm), void *context);
/* What a Put says. */
struct watch_alarm_spec {
    struct text name;
    bool composite, enabled;
    const struct attr *config, *tags; /* tags: of a new one only */
    struct text declared;             /* empty: not by a declaration */
};
/* Makes or changes; a composite one is evaluated at once. ERR_INVALID (of another type, a rule that is none or leads to itself), ERR_NOT_FOUND (alarms of the rule),
   ERR_FULL, with a sentence; store errors. */
int watch_alarm_put(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, const struct watch_alarm_spec *spec, struct err *err);
int watch_alarm_enable(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, struct text name, bool enabled, struct err *err);
int watch_alarm_set_tags(struct tick *tick, struct arena *arena, const struct watch_alarm *alarm, const struct attr *tags, struct err *err);
/* ERR_CONDITION: a composite alarm that is not among `names` stands on one of them; with a sentence. ERR_NOT_FOUND: one of them is not there. */
int watch_alarm_delete(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, const struct text *names, size_t count, struct err *err);
/* arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME; and back: the text itself when it is no ARN of an alarm. */
void watch_alarm_arn(struct buf *out, const struct watch_alarm_house *house, struct text name);
struct text watch_alarm_of_arn(struct text text);
/* Its configuration's members. */
struct text watch_alarm_text(const struct watch_alarm *alarm, const char *member);
int64_t watch_alarm_integer(const struct watch_alarm *alarm, const char *member, int64_t otherwise);
double watch_alarm_real(const struct attr *map, const char *member, double otherwise);
/* All members of AWS's MetricAlarm or CompositeAlarm, into an object that is open. */
void watch_alarm_write(struct json_writer *w, const struct watch_alarm_house *house, const struct watch_alarm *alarm);
/* Composite alarms whose rule names it ('p'), or whom it suppresses ('s'). The name lives in the arena. */
int watch_alarm_parents(struct store_view *view, struct arena *arena, char kind, struct text name, int (*visit)(void *context, struct text parent), void *context);

/* ---- alarm_rule.c: AlarmRule ---- */
#define WATCH_RULE_TEXT_MAX 10240
#define WATCH_RULE_ELEMENTS_MAX 500
#define WATCH_RULE_ALARMS_MAX 100
#define WATCH_RULE_DEPTH_MAX 48
struct watch_rule;
/*
 *   expression  ALARM(a) OK(a) INSUFFICIENT_DATA(a) TRUE FALSE, NOT, AND, OR, ( ); NOT binds closest, then AND
 *               AT_LEAST(2, ALARM, (a, b, c)), AT_LEAST(60%, NOT OK, (a, b))
 *   a           an alarm's name or ARN, in double quotes (with \" and \\) or without
 * ERR_SYNTAX, ERR_TOO_LARGE, ERR_TOO_DEEP with a sentence; ERR_MEMORY. The rule lives in the arena and borrows the text.
 */
int watch_rule_parse(struct arena *arena, struct text text, const struct watch_rule **out, struct err *err);
/* Each name as often as it stands there, until `visit` answers non-zero (returned). */
int watch_rule_names(const struct watch_rule *rule, int (*visit)(void *context, struct text name), void *context);
/* `state` answers 0 with the state of an alarm, ERR_NOT_FOUND: there is none (nothing is true of it), or another error. 0 with *truth. */
int watch_rule_evaluate(const struct watch_rule *rule, int (*state)(void *context, struct text name, enum watch_alarm_state *state), void *context, bool *truth);

/* ---- alarm_judge.c: what figures mean ---- */
/* The last three are about a band: outside it, below it, above it. */
enum watch_compare { WATCH_GREATER, WATCH_GREATER_EQUAL, WATCH_LESS, WATCH_LESS_EQUAL, WATCH_OUTSIDE, WATCH_BELOW, WATCH_ABOVE };
enum watch_missing { WATCH_MISSING, WATCH_IGNORE, WATCH_BREACHING, WATCH_NOT_BREACHING };
struct watch_terms {
    enum watch_compare compare;
    enum watch_missing missing;
    double threshold;
    unsigned periods, datapoints;    /* N and M: 1 <= M <= N */
};
/* The figures of the evaluation range, the oldest first; NaN: missing. */
struct watch_basis {
    const double *value, *samples;   /* samples: behind a value; may be NULL */
    const double *upper, *lower;     /* of the band, where there is a value; NULL: the terms' threshold */
    size_t count;
    size_t used, breaching, filled;  /* by watch_alarm_decide: of the `periods` that decide, real ones, breaching ones among them, and missing ones */
};
struct watch_decision {
    bool keep;                       /* the state stays as it is */
    enum watch_alarm_state state;
};
/* As "Configuring how CloudWatch alarms treat missing data" of the CloudWatch user guide says it, with its rule against premature alarms. */
struct watch_decision watch_alarm_decide(const struct watch_terms *terms, struct watch_basis *basis);
bool watch_breaches(const struct watch_terms *terms, const struct watch_basis *basis, size_t index);

/* A judgement in words. Texts live in the arena. */
struct watch_judgement {
    bool keep;
    enum watch_alarm_state state;
    struct text reason, reason_data;
};
struct watch_told {
    const char *statistic, *unit;    /* terminated; may be NULL */
    int64_t period_s, end_s, now_ms; /* end: of the newest period */
};
int watch_alarm_tell(struct arena *arena, const struct watch_terms *terms, const struct watch_basis *basis, const struct watch_told *told, enum watch_alarm_state before,
    struct watch_judgement *judgement);

/* ---- alarm_read.c: on a worker ---- */
#define WATCH_ALARM_STEP_MS INT64_C(10000)
enum watch_alarm_due { WATCH_DUE_STEP = 1, WATCH_DUE_MINUTE = 2, WATCH_DUE_HOUR = 4 };
/* How often it is evaluated: every 10 s (periods of less than a minute), every minute, every hour (a range of more than a day). One of the above. */
unsigned watch_alarm_rhythm(const struct watch_alarm *alarm);
/* Reads and judges a metric alarm. What cannot be read at all keeps the state. ERR_MEMORY, ERR_CORRUPT, ERR_COLD. */
int watch_alarm_judge(struct store_view *view, struct arena *arena, const struct watch_alarm *alarm, int64_t now_ms, struct watch_judgement *judgement);
/* Each series of an alarm that watches several, as it stands now; `visit` answers 0 to go on. The same errors, and what `visit` answered. */
struct math_series;
int watch_alarm_contributors(struct store_view *view, struct arena *arena, const struct watch_alarm *alarm, int64_t now_ms,
    int (*visit)(void *context, const struct math_series *series, const struct watch_judgement *judgement), void *context);
/* A metric alarm's numbers. */
void watch_alarm_terms(const struct watch_alarm *alarm, struct watch_terms *terms);
/* The metric of a map with Namespace, MetricName and Dimensions. ERR_MEMORY. */
int watch_alarm_metric(struct arena *arena, const struct attr *map, struct watch_name *name);

/* ---- alarm_state.c: states change ---- */
struct watch_alarm_change {
    struct text name;
    int64_t revision;                /* that was judged; 0: whichever is there */
    enum watch_alarm_state state;
    struct text reason, reason_data;
};
/* Composite alarms that are to be looked at, gathered over the calls of a pass. Zero it; lives in its arena, which is the caller's. */
struct watch_alarm_parents {
    struct arena *arena;
    struct watch_alarm_parent {
        struct watch_alarm_parent *next;
        struct text name, cause;     /* cause: the child that changed */
    } *first;
};
/* Commits changes with history and actions. Those of an alarm that is gone, was configured anew or is in that state already are left out. */
int watch_alarm_apply(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, const struct watch_alarm_change *change, size_t count,
    struct watch_alarm_parents *parents);
/* Evaluates what was gathered, and what that changes, level by level. */
int watch_alarm_apply_parents(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, struct watch_alarm_parents *parents);
/* A composite alarm's state by its rule, in any view: 0, ERR_COLD, ... */
int watch_alarm_rule_state(struct store_view *view, struct arena *arena, const struct watch_alarm *alarm, enum watch_alarm_state *state);
/* SetAlarmState: the next evaluation may take it back. ERR_NOT_FOUND. */
int watch_alarm_set_state(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, const struct watch_alarm_change *change);
/* Its own configuration or creation is what made a look due. */
int watch_alarm_look(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, struct watch_alarm *alarm, struct text cause, bool created);
/* A suppressor's waiting time is over: a deferred call of this name, with the composite alarm's name as payload. */
#define WATCH_ALARM_RELEASE "@alarms/release"
int watch_alarm_release(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, struct text name);
/* alarm_payload.c: the payload of its actions, as JSON; `before`: the same alarm in its earlier state. out->failed without memory. */
void watch_alarm_payload(struct buf *out, const struct watch_alarm_house *house, const struct watch_alarm *alarm, const struct watch_alarm *before);
/* Writes the item. */
int watch_alarm_store(struct tick *tick, struct arena *arena, const struct watch_alarm *alarm, struct err *err);

/* ---- alarm_history.c ---- */
struct watch_alarm_event {
    struct text alarm;
    bool composite;
    int64_t time_ms;                 /* of the tick, when it is added */
    struct text type, summary, data; /* "ConfigurationUpdate", "StateUpdate", "Action"; data: JSON */
};
int watch_alarm_event_add(struct tick *tick, struct arena *arena, const struct watch_alarm_event *event);
/* An action has been carried out, or has failed for good: `why`. */
int watch_alarm_acted(struct tick *tick, struct arena *arena, const struct watch_alarm_act *act);
#define WATCH_ALARM_EVENT_ID TICK_ID_TEXT
/* Events of one alarm, or of all (empty), behind `after` (an id; empty: from the edge), until `visit` answers non-zero (returned). The event lives for the visit. */
int watch_alarm_event_each(struct store_view *view, struct text alarm, struct text after, bool ascending,
    int (*visit)(void *context, struct text id, const struct watch_alarm_event *event), void *context);
/* Removes at most `limit` events that are too old. */
int watch_alarm_event_sweep(struct tick *tick, struct arena *arena, size_t limit);

#endif
