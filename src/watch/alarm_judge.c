/*
 * What figures mean for an alarm: a pure function over a few numbers, so that CloudWatch's tables of cases are its test, and the words in which it is told.
 *
 * More periods are looked at than are evaluated. When enough of them hold data, the newest of those decide and missing ones are not consulted; otherwise what is missing is
 * filled in, as rarely as possible. One more rule keeps a lone breaching value from alarming too soon, and lets it alarm when it has stood alone for long enough: "alarms are
 * designed to always go into ALARM state when the oldest available breaching datapoint during the Evaluation Periods number of data points is at least as old as the value of
 * Datapoints to Alarm, and all other more recent data points are breaching or missing" (Amazon CloudWatch User Guide, "Avoiding premature transitions to alarm state").
 */
#include "watch/alarm.h"

#include "base/clock.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define TOLD_MAX 10      /* values that a reason names */
#define TOLD_DATA_MAX 20 /* that its data hold, the newest ones */

const char *const watch_alarm_state_names[WATCH_ALARM_STATES] = {"OK", "ALARM", "INSUFFICIENT_DATA"};

int watch_alarm_state_find(struct text name, enum watch_alarm_state *state)
{
    for (int i = 0; i < WATCH_ALARM_STATES; i++)
        if (text_is(name, watch_alarm_state_names[i])) {
            *state = (enum watch_alarm_state)i;
            return 0;
        }
    return ERR_SYNTAX;
}

bool watch_breaches(const struct watch_terms *terms, const struct watch_basis *basis, size_t index)
{
    double value = basis->value[index], upper = basis->upper ? basis->upper[index] : terms->threshold, lower = basis->lower ? basis->lower[index] : terms->threshold;
    switch (terms->compare) {
    case WATCH_GREATER:
        return value > terms->threshold;
    case WATCH_GREATER_EQUAL:
        return value >= terms->threshold;
    case WATCH_LESS:
        return value < terms->threshold;
    case WATCH_LESS_EQUAL:
        return value <= terms->threshold;
    case WATCH_OUTSIDE:
        return value < lower || value > upper;
    case WATCH_BELOW:
        return value < lower;
    default:
        return value > upper;
    }
}

struct watch_decision watch_alarm_decide(const struct watch_terms *terms, struct watch_basis *basis)
{
    size_t oldest_breaching = 0; /* its age: 1 is the newest period */
    basis->used = basis->breaching = 0;
    for (size_t age = 1; age <= basis->count && basis->used < terms->periods; age++) {
        double value = basis->value[basis->count - age];
        if (isnan(value))
            continue;
        basis->used++;
        if (watch_breaches(terms, basis, basis->count - age)) {
            basis->breaching++;
            oldest_breaching = age;
        }
    }
    basis->filled = terms->periods - basis->used;
    struct watch_decision alarm = {.state = WATCH_ALARM_ALARM}, fine = {.state = WATCH_ALARM_OK};
    size_t breaching = basis->breaching + (terms->missing == WATCH_BREACHING ? basis->filled : 0);
    if (breaching >= terms->datapoints)
        return alarm;
    if (!basis->filled || terms->missing == WATCH_BREACHING || terms->missing == WATCH_NOT_BREACHING || basis->used > basis->breaching)
        return fine;
    if (terms->missing == WATCH_IGNORE)
        return (struct watch_decision){.keep = true};
    return basis->breaching && oldest_breaching >= terms->datapoints ? alarm : (struct watch_decision){.state = WATCH_ALARM_INSUFFICIENT};
}

/* ---- numbers and times as CloudWatch writes them ---- */

/* As Java does: 5.0, 0.25, 1.048576E8. */
static void add_number(struct buf *out, double value)
{
    char digits[40];
    int precision = 1;
    for (; precision <= 17; precision++) {
        snprintf(digits, sizeof(digits), "%.*e", precision - 1, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    double size = fabs(value);
    char *e = strchr(digits, 'e');
    int exponent = e ? atoi(e + 1) : 0;
    if (value == 0 || (size >= 1e-3 && size < 1e7)) {
        int decimals = precision - 1 - exponent;
        buf_add_format(out, "%.*f", decimals < 1 ? 1 : decimals, value);
        return;
    }
    if (e)
        *e = 0;
    buf_add_format(out, "%s%sE%d", digits, strchr(digits, '.') ? "" : ".0", exponent);
}

/* 17/02/24 11:51:00 */
static void add_short_time(struct buf *out, int64_t s)
{
    char iso[CLOCK_ISO_SIZE];
    clock_format_iso(s * SECOND_MS, iso);
    buf_add_format(out, "%.2s/%.2s/%.2s %.8s", iso + 8, iso + 5, iso + 2, iso + 11);
}

static void add_long_time(struct buf *out, int64_t ms)
{
    char iso[CLOCK_ISO_SIZE];
    clock_format_iso(ms, iso);
    buf_add_format(out, "\"%.23s+0000\"", iso);
}

/* ---- the reason ---- */

static const char *const compare_words[] = {"greater than", "greater than or equal to", "less than", "less than or equal to"};

static int64_t start_of(const struct watch_told *told, const struct watch_basis *basis, size_t index)
{
    return told->end_s - (int64_t)(basis->count - index) * told->period_s;
}

/* Those that decided, the newest first. */
static void add_values(struct buf *out, const struct watch_basis *basis, const struct watch_told *told)
{
    size_t shown = 0;
    buf_add_char(out, '[');
    for (size_t i = basis->count; i-- > 0 && shown < basis->used && shown < TOLD_MAX;) {
        if (isnan(basis->value[i]))
            continue;
        if (shown++)
            buf_add_text(out, TEXT(", "));
        add_number(out, basis->value[i]);
        buf_add_text(out, TEXT(" ("));
        add_short_time(out, start_of(told, basis, i));
        buf_add_char(out, ')');
    }
    if (shown < basis->used)
        buf_add_text(out, TEXT(", ..."));
    buf_add_char(out, ']');
}

/* [1.5, 2.0]: a bound where there was a value, the newest first. */
static void add_bounds(struct buf *out, const struct watch_basis *basis, const double *bound)
{
    size_t shown = 0;
    buf_add_char(out, '[');
    for (size_t i = basis->count; i-- > 0 && shown < basis->used && shown < TOLD_MAX;) {
        if (isnan(basis->value[i]))
            continue;
        if (shown++)
            buf_add_text(out, TEXT(", "));
        add_number(out, bound[i]);
    }
    if (shown < basis->used)
        buf_add_text(out, TEXT(", ..."));
    buf_add_char(out, ']');
}

static void add_comparison(struct buf *out, const struct watch_terms *terms, const struct watch_basis *basis)
{
    if (!basis->upper) {
        buf_add_format(out, "%s the threshold (", compare_words[terms->compare]);
        add_number(out, terms->threshold);
        buf_add_char(out, ')');
        return;
    }
    if (terms->compare != WATCH_ABOVE) {
        buf_add_text(out, TEXT("less than the lower thresholds "));
        add_bounds(out, basis, basis->lower);
    }
    if (terms->compare == WATCH_OUTSIDE)
        buf_add_text(out, TEXT(" or "));
    if (terms->compare != WATCH_BELOW) {
        buf_add_text(out, TEXT("greater than the upper thresholds "));
        add_bounds(out, basis, basis->upper);
    }
}

static void add_crossing(struct buf *out, const struct watch_terms *terms, const struct watch_basis *basis, const struct watch_told *told, bool alarm,
    enum watch_alarm_state before)
{
    size_t some = alarm ? basis->breaching : basis->used - basis->breaching;
    const char *now = alarm ? "ALARM" : "OK", *old = before == WATCH_ALARM_INSUFFICIENT || (before == WATCH_ALARM_ALARM) == alarm ? (alarm ? "OK" : "ALARM")
                                                                                                                                  : watch_alarm_state_names[before];
    size_t least = alarm ? terms->datapoints : terms->periods - terms->datapoints + 1;
    buf_add_format(out, "Threshold%s Crossed: %zu out of the last %zu datapoints ", basis->upper ? "s" : "", some, basis->used);
    add_values(out, basis, told);
    buf_add_format(out, " %s%s ", some == 1 ? "was" : "were", alarm ? "" : " not");
    add_comparison(out, terms, basis);
    buf_add_format(out, " (minimum %zu datapoint%s for %s -> %s transition)", least, least == 1 ? "" : "s", old, now);
}

static void add_filling(struct buf *out, const struct watch_terms *terms, const struct watch_basis *basis)
{
    const char *as = terms->missing == WATCH_BREACHING ? "Breaching" : terms->missing == WATCH_NOT_BREACHING ? "NonBreaching" : "Missing";
    bool one = basis->filled == 1;
    if (!basis->used)
        buf_add_format(out, "%s: no datapoints were received for %zu period%s", basis->upper ? "Thresholds Crossed" : "Threshold Crossed", basis->filled, one ? "" : "s");
    buf_add_format(out, " and %zu missing datapoint%s treated as [%s]", basis->filled, one ? " was" : "s were", as);
}

static void add_reason(struct buf *out, const struct watch_terms *terms, const struct watch_basis *basis, const struct watch_told *told, enum watch_alarm_state state,
    enum watch_alarm_state before)
{
    if (state == WATCH_ALARM_INSUFFICIENT) {
        buf_add_format(out, "Insufficient Data: %zu datapoint%s unknown.", basis->filled, basis->filled == 1 ? " was" : "s were");
        return;
    }
    if (basis->used)
        add_crossing(out, terms, basis, told, state == WATCH_ALARM_ALARM, before);
    if (basis->filled)
        add_filling(out, terms, basis);
    buf_add_char(out, '.');
}

static void add_evaluated(struct buf *out, const struct watch_basis *basis, const struct watch_told *told)
{
    size_t shown = 0;
    buf_add_text(out, TEXT(",\"evaluatedDatapoints\":["));
    for (size_t i = basis->count; i-- > 0 && shown < basis->used && shown < TOLD_DATA_MAX;) {
        if (isnan(basis->value[i]))
            continue;
        buf_add_text(out, shown++ ? TEXT(",{\"timestamp\":") : TEXT("{\"timestamp\":"));
        add_long_time(out, start_of(told, basis, i) * SECOND_MS);
        if (basis->samples) {
            buf_add_text(out, TEXT(",\"sampleCount\":"));
            add_number(out, basis->samples[i]);
        }
        buf_add_text(out, TEXT(",\"value\":"));
        add_number(out, basis->value[i]);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

/* One of `from` and later, where there was a value. */
static void add_recent(struct buf *out, const struct watch_basis *basis, size_t from, const char *name, const double *value)
{
    size_t shown = 0;
    buf_add_format(out, ",\"%s\":[", name);
    for (size_t i = from; i < basis->count; i++) {
        if (isnan(basis->value[i]))
            continue;
        if (shown++)
            buf_add_char(out, ',');
        add_number(out, value[i]);
    }
    buf_add_char(out, ']');
}

static void add_reason_data(struct buf *out, const struct watch_terms *terms, const struct watch_basis *basis, const struct watch_told *told)
{
    size_t from = basis->count, left = basis->used < TOLD_DATA_MAX ? basis->used : TOLD_DATA_MAX;
    for (size_t seen = 0; from > 0 && seen < left;)
        seen += !isnan(basis->value[--from]);
    buf_add_text(out, TEXT("{\"version\":\"1.0\",\"queryDate\":"));
    add_long_time(out, told->now_ms);
    if (basis->used) {
        buf_add_text(out, TEXT(",\"startDate\":"));
        add_long_time(out, start_of(told, basis, from) * SECOND_MS);
    }
    if (told->unit)
        buf_add_format(out, ",\"unit\":\"%s\"", told->unit);
    if (told->statistic)
        buf_add_format(out, ",\"statistic\":\"%s\"", told->statistic);
    buf_add_format(out, ",\"period\":%lld", (long long)told->period_s);
    add_recent(out, basis, from, "recentDatapoints", basis->value);
    if (basis->upper && terms->compare != WATCH_ABOVE)
        add_recent(out, basis, from, "recentLowerThresholds", basis->lower);
    if (basis->upper && terms->compare != WATCH_BELOW)
        add_recent(out, basis, from, "recentUpperThresholds", basis->upper);
    if (!basis->upper) {
        buf_add_text(out, TEXT(",\"threshold\":"));
        add_number(out, terms->threshold);
    }
    if (basis->used)
        add_evaluated(out, basis, told);
    buf_add_char(out, '}');
}

int watch_alarm_tell(struct arena *arena, const struct watch_terms *terms, const struct watch_basis *basis, const struct watch_told *told, enum watch_alarm_state before,
    struct watch_judgement *judgement)
{
    struct buf reason, data;
    buf_init(&reason, 4096);
    buf_init(&data, 16384);
    add_reason(&reason, terms, basis, told, judgement->state, before);
    add_reason_data(&data, terms, basis, told);
    if (reason.len > WATCH_ALARM_REASON_MAX)
        reason.len = WATCH_ALARM_REASON_MAX;
    judgement->reason = arena_copy(arena, buf_text(&reason));
    judgement->reason_data = data.len <= WATCH_ALARM_REASON_DATA_MAX ? arena_copy(arena, buf_text(&data)) : TEXT("{\"version\":\"1.0\"}");
    int code = reason.failed || data.failed || !judgement->reason.data || !judgement->reason_data.data ? ERR_MEMORY : 0;
    buf_fini(&reason);
    buf_fini(&data);
    return code;
}
