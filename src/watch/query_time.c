/*
 * Periods and calendar times, UTC. A period of up to days has a fixed length and counts from the epoch; weeks begin on Monday; months, quarters and years follow the calendar.
 * AWS rounds a period above its unit's cap down to the cap (bin(300s) is bin(60s) there); here a period is what it says.
 */
#include "watch/query_inside.h"

#include "base/clock.h"
#include <math.h>
#include <stdio.h>

#define EPOCH_MONDAY (4 * DAY_MS) /* 1970-01-05 */
#define TIME_MAX 253402300799999.0 /* the end of year 9999 */

bool query_period_parse(struct text digits, struct text unit, struct query_period *out)
{
    static const struct {
        const char *name;
        enum query_unit unit;
        int64_t each;
    } units[] = {
        {"ms", QUERY_MS, 1}, {"msec", QUERY_MS, 1}, {"millisecond", QUERY_MS, 1}, {"milliseconds", QUERY_MS, 1},
        {"s", QUERY_MS, SECOND_MS}, {"sec", QUERY_MS, SECOND_MS}, {"second", QUERY_MS, SECOND_MS}, {"seconds", QUERY_MS, SECOND_MS},
        {"m", QUERY_MS, MINUTE_MS}, {"min", QUERY_MS, MINUTE_MS}, {"minute", QUERY_MS, MINUTE_MS}, {"minutes", QUERY_MS, MINUTE_MS},
        {"h", QUERY_MS, HOUR_MS}, {"hr", QUERY_MS, HOUR_MS}, {"hour", QUERY_MS, HOUR_MS}, {"hours", QUERY_MS, HOUR_MS},
        {"d", QUERY_MS, DAY_MS}, {"day", QUERY_MS, DAY_MS}, {"days", QUERY_MS, DAY_MS},
        {"w", QUERY_WEEK, 1}, {"week", QUERY_WEEK, 1}, {"weeks", QUERY_WEEK, 1},
        {"mo", QUERY_MONTH, 1}, {"mon", QUERY_MONTH, 1}, {"month", QUERY_MONTH, 1}, {"months", QUERY_MONTH, 1},
        {"q", QUERY_MONTH, 3}, {"qtr", QUERY_MONTH, 3}, {"quarter", QUERY_MONTH, 3}, {"quarters", QUERY_MONTH, 3},
        {"y", QUERY_MONTH, 12}, {"yr", QUERY_MONTH, 12}, {"year", QUERY_MONTH, 12}, {"years", QUERY_MONTH, 12},
    };
    uint64_t number;
    if (text_to_u64(digits, 1000000000, &number) || !number)
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (text_equal_nocase(unit, text_of(units[i].name))) {
            *out = (struct query_period){units[i].unit, (int64_t)number * units[i].each};
            return out->unit == QUERY_MS ? out->count <= 36500 * DAY_MS : out->count <= 12000;
        }
    return false;
}

/* Days since the epoch of a civil date and back (the proleptic Gregorian calendar; a year begins in March inside). */
static int64_t days_of(int64_t year, int64_t month)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void civil_of(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
    *day = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = y + era * 400 + (*month <= 2);
}

static int64_t floor_to(int64_t value, int64_t step)
{
    int64_t rest = value % step;
    return value - rest - (rest < 0 ? step : 0);
}

/* Month number since year 0 -> its first millisecond. */
static int64_t month_begin(int64_t months)
{
    int64_t year = floor_to(months, 12) / 12;
    return days_of(year, months - year * 12 + 1) * DAY_MS;
}

/* The beginning of the period that holds the moment, or of the next one. */
static double bound(double ms, const struct query_period *period, int next)
{
    if (!(fabs(ms) <= TIME_MAX))
        return ms;
    int64_t at = (int64_t)floor(ms), step = period->count;
    if (period->unit == QUERY_MONTH) {
        int64_t year, month, day;
        civil_of(floor_to(at, DAY_MS) / DAY_MS, &year, &month, &day);
        return (double)month_begin(floor_to(year * 12 + month - 1, step) + next * step);
    }
    int64_t origin = period->unit == QUERY_WEEK ? EPOCH_MONDAY : 0;
    if (period->unit == QUERY_WEEK)
        step *= 7 * DAY_MS;
    return (double)(floor_to(at - origin, step) + origin + next * step);
}

double query_time_floor(double ms, const struct query_period *period)
{
    return bound(ms, period, 0);
}

double query_time_ceil(double ms, const struct query_period *period)
{
    double begin = bound(ms, period, 0);
    return begin == ms ? ms : bound(ms, period, 1);
}

size_t query_time_format(double ms, char *out)
{
    if (!(ms >= -62167219200000.0 && ms <= TIME_MAX)) /* what is no time of years 0 to 9999 is shown as its number */
        return (size_t)snprintf(out, QUERY_TEXT_ROOM, "%.17g", ms);
    int64_t at = (int64_t)floor(ms), days = floor_to(at, DAY_MS) / DAY_MS, rest = at - days * DAY_MS;
    int64_t year, month, day;
    civil_of(days, &year, &month, &day);
    return (size_t)snprintf(out, QUERY_TEXT_ROOM, "%04d-%02d-%02d %02d:%02d:%02d.%03d", (int)year, (int)month, (int)day, (int)(rest / HOUR_MS),
        (int)(rest / MINUTE_MS % 60), (int)(rest / SECOND_MS % 60), (int)(rest % 1000));
}

/* "2026-11-20 19:31:23.000", "2026-11-20T19:31:23Z", "2026-11-20". */
bool query_time_parse(struct text text, double *ms)
{
    char copy[40];
    int64_t out;
    if (text.len < 10 || text.len > 34)
        return false;
    memcpy(copy, text.data, text.len);
    size_t len = text.len;
    if (len == 10) {
        memcpy(copy + len, "T00:00:00", 9);
        len += 9;
    } else if (copy[10] == ' ') {
        copy[10] = 'T';
    }
    bool zoned = copy[len - 1] == 'Z' || memchr(copy + 10, '+', len - 10) || memchr(copy + 10, '-', len - 10);
    if (!zoned)
        copy[len++] = 'Z';
    if (clock_parse_iso(copy, len, &out))
        return false;
    *ms = (double)out;
    return true;
}
