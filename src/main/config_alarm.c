/*
 * Alarms that a configuration declares, of the server or of an API, and what their webhooks are signed with. They become struct weir_alarm, as an application's are, and are made when
 * the server starts (gateway/alarm_declare.c).
 *
 *   alarms:
 *     - {name: "slow-{env}", namespace: AWS/Lambda, metric: Duration, dimensions: {FunctionName: "game-message-{env}"}, statistic: p99, period: 1m, threshold: 500, comparison: ">",
 *        actions: ["https://hooks.example/alarm", "weir:room:game/operators"]}
 */
#include "main/read.h"

#include "base/clock.h"
#include "gateway/alarms.h"
#include <math.h>
#include <stdlib.h>

#define ALARM(field) offsetof(struct weir_alarm, field)
#define ALARMS_MAX 256 /* of one list */

static void read_real(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    char *end = NULL;
    if (!expect_text(r, value, key->name))
        return;
    double number = strtod(value->text.data, &end);
    if (!end || end == value->text.data || *end || !isfinite(number) || fabs(number) > SKETCH_VALUE_MAX || (number != 0 && fabs(number) < 1e-100))
        problem(r, value, "'%s' takes a number, not '%.80s'", key->name, value->text.data);
    else
        *(double *)field = number;
}

static void read_statistic(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct statistic statistic;
    if (!expect_text(r, value, key->name))
        return;
    if (statistic_parse(value->text, &statistic))
        problem(r, value, "'%s' is Average, Sum, Minimum, Maximum, SampleCount, or such as p99 and tm95, not '%.80s'", key->name, value->text.data);
    else
        *(const char **)field = value->text.data;
}

static void read_unit(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    if (!expect_text(r, value, key->name))
        return;
    if (watch_unit_find(value->text) < 0)
        problem(r, value, "'%s' is a unit of CloudWatch's, such as Count or Milliseconds, not '%.80s'", key->name, value->text.data);
    else
        *(const char **)field = value->text.data;
}

static void read_dimensions(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct weir_alarm *alarm = field;
    size_t count = 0;
    if (!expect_mapping(r, value, key->name))
        return;
    if (value->count > WEIR_ALARM_DIMENSIONS_MAX) {
        problem(r, value, "'%s' has at most %d", key->name, WEIR_ALARM_DIMENSIONS_MAX);
        return;
    }
    for (const struct doc *node = value->first; node; node = node->next)
        if (expect_text(r, node, node->key->text.data))
            alarm->dimension[count++] = (struct weir_alarm_dimension){node->key->text.data, node->text.data};
}

static void read_actions(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    const char **actions = field;
    size_t count = 0;
    if (value->kind != DOC_SEQUENCE || value->count > WEIR_ALARM_ACTIONS_MAX) {
        problem(r, value, "'%s' is a list of at most %d actions", key->name, WEIR_ALARM_ACTIONS_MAX);
        return;
    }
    for (const struct doc *node = value->first; node; node = node->next) {
        struct gw_alarm_target target;
        if (!expect_text(r, node, "an action"))
            continue;
        if (gw_alarm_target_parse(node->text, &target))
            problem(r, node, "an action is an address, weir:room:API/ROOM, weir:broadcast:API, weir:route:API/@NAME or an ARN, not '%.80s'", node->text.data);
        else
            actions[count++] = node->text.data;
    }
}

/* The order of the words is that of enum weir_comparison and enum weir_missing. */
static const char *const compare_words[] = {">", ">=", "<", "<=", NULL};
static const char *const missing_words[] = {"missing", "ignore", "breaching", "notBreaching", NULL};

const struct key alarm_keys[] = {
    {"name", "text", "the alarm's; {env}, {stage} and {api} are replaced in all texts", read_string, ALARM(name), 1, WATCH_ALARM_NAME_MAX, NULL, NULL},
    {"description", "text", "for people", read_string, ALARM(description), 1, 1024, NULL, NULL},
    {"namespace", "text", "of the metric", read_string, ALARM(metric_namespace), 1, WATCH_NAMESPACE_MAX, NULL, NULL},
    {"metric", "text", "its name", read_string, ALARM(metric), 1, WATCH_NAME_MAX, NULL, NULL},
    {"dimensions", "names with values", "exactly those of the metric", read_dimensions, 0, 0, 0, NULL, NULL},
    {"statistic", "statistic", "Average, Sum, Minimum, Maximum, SampleCount, p99, tm95 ...", read_statistic, ALARM(statistic), 0, 0, NULL, NULL},
    {"unit", "unit", "looks at values with this unit alone (default: all)", read_unit, ALARM(unit), 0, 0, NULL, NULL},
    {"period", "duration", "10s, 20s, 30s or a multiple of 1m (default 1m)", read_duration, ALARM(period), 10 * SECOND_MS, 7 * DAY_MS, NULL, NULL},
    {"evaluationPeriods", "number", "periods that are looked at (default 1)", read_u32, ALARM(evaluation_periods), 1, 10080, NULL, NULL},
    {"datapointsToAlarm", "number", "so many of them must breach (default: all)", read_u32, ALARM(datapoints_to_alarm), 1, 10080, NULL, NULL},
    {"threshold", "number", "what values are compared with", read_real, ALARM(threshold), 0, 0, NULL, NULL},
    {"comparison", "sign", "how a value that breaches stands to it: >, >=, < or <= (default >)", read_word, ALARM(comparison), 0, 0, NULL, compare_words},
    {"missing", "missing, ignore, breaching or notBreaching", "how periods without data are taken (default missing)", read_word, ALARM(missing), 0, 0, NULL, missing_words},
    {"actions", "list of 1 to 5", "when it goes into ALARM: addresses, weir:room:API/ROOM, weir:broadcast:API, weir:route:API/@NAME", read_actions, ALARM(alarm_actions), 0, 0, NULL, NULL},
    {"okActions", "list of 1 to 5", "when it goes into OK", read_actions, ALARM(ok_actions), 0, 0, NULL, NULL},
    {"insufficientDataActions", "list of 1 to 5", "when it goes into INSUFFICIENT_DATA", read_actions, ALARM(insufficient_data_actions), 0, 0, NULL, NULL},
    {0},
};

static void check_alarm(struct reader *r, const struct doc *node, const struct weir_alarm *alarm)
{
    static const char *const wanted[] = {"name", "namespace", "metric", "statistic", "threshold"};
    int64_t s = alarm->period / SECOND_MS;
    unsigned periods = alarm->evaluation_periods ? alarm->evaluation_periods : 1;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (!doc_get(node, wanted[i]))
            problem(r, node, "an alarm needs '%s'", wanted[i]);
    if (alarm->period % SECOND_MS || !(s == 10 || s == 20 || s == 30 || s % 60 == 0))
        problem(r, doc_get(node, "period"), "an alarm's period is 10s, 20s, 30s or a multiple of 1m");
    if (alarm->datapoints_to_alarm > periods)
        problem(r, node, "'datapointsToAlarm' is more than 'evaluationPeriods'");
    if (periods * s > (s >= 3600 ? 7 : 1) * INT64_C(86400))
        problem(r, node, "an alarm looks back for a day at most, for 7 days when its period is an hour or more");
}

static void read_list(struct reader *r, const struct key *key, const struct doc *value, struct weir_alarm **alarms, size_t *count)
{
    if (value->kind != DOC_SEQUENCE || value->count > ALARMS_MAX) {
        problem(r, value, "'%s' is a list of at most %d alarms", key->name, ALARMS_MAX);
        return;
    }
    *count = 0;
    *alarms = arena_zalloc(r->arena, (value->count + 1) * sizeof(**alarms));
    for (const struct doc *node = value->first; node && *alarms; node = node->next) {
        struct weir_alarm *alarm = &(*alarms)[*count];
        if (!expect_mapping(r, node, "an alarm"))
            continue;
        alarm->period = MINUTE_MS;
        read_keys(r, node, alarm_keys, alarm);
        check_alarm(r, node, alarm);
        for (size_t i = 0; i < *count; i++)
            if (alarm->name && (*alarms)[i].name && strcmp(alarm->name, (*alarms)[i].name) == 0)
                problem(r, node, "two alarms are named '%.80s'", alarm->name);
        (*count)++;
    }
}

void read_api_alarms(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_api_config *api = field;
    read_list(r, key, value, &api->alarms, &api->alarm_count);
}

void read_server_alarms(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct config *config = field;
    read_list(r, key, value, &config->alarms, &config->alarm_count);
}

const struct key alarm_webhook_keys[] = {
    {"secret", "text", "what webhooks of alarms are signed with (x-weir-signature)", read_secret, offsetof(struct config, alarm_secret), 1, CONFIG_SECRET_MAX, NULL, NULL},
    {"secretFile", "path", "or a file with it", read_secret_file, offsetof(struct config, alarm_secret), 0, 0, NULL, NULL},
    {"secretEnv", "variable", "or an environment variable with it", read_secret_env, offsetof(struct config, alarm_secret), 0, 0, NULL, NULL},
    {0},
};

void read_alarm_webhook(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    r->names_secret = false;
    read_inside(r, key, value, field);
}
