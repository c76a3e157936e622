/*
 * One clock for everything, because time is the hardest input to test: a connection's two hours, an item's expiry, 35
 * days of retention. The offset lives beside the system's clock and only grows, so a test that jumps ahead keeps
 * all orders of events. Calendar arithmetic is our own: gmtime and strptime follow the environment and the locale.
 */
#include "base/clock.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_SECOND INT64_C(1000000000)

static _Atomic int64_t offset_ms;
static int64_t begin_ns; /* of the wall clock alone; set before any thread begins */
static _Atomic int64_t frozen_ms = -1;

static int64_t clock_now_ns(clockid_t id)
{
    int64_t frozen = __atomic_load_n((int64_t *)&frozen_ms, __ATOMIC_RELAXED);
    if (frozen >= 0)
        return frozen * NS_PER_MS;
    struct timespec now;
    clock_gettime(id, &now);
    return now.tv_sec * NS_PER_SECOND + now.tv_nsec + __atomic_load_n((int64_t *)&offset_ms, __ATOMIC_RELAXED) * NS_PER_MS;
}

int64_t clock_wall_ns(void)
{
    return clock_now_ns(CLOCK_REALTIME) + (frozen_ms < 0 ? begin_ns : 0);
}

int64_t clock_wall_ms(void)
{
    return clock_wall_ns() / NS_PER_MS;
}

int64_t clock_mono_ns(void)
{
    return clock_now_ns(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
    return clock_mono_ns() / NS_PER_MS;
}

void clock_begin(int64_t wall_ms)
{
    begin_ns = 0;
    begin_ns = wall_ms * NS_PER_MS - clock_wall_ns();
}

void clock_advance(int64_t ms)
{
    ASSERT(ms >= 0);
    int64_t frozen = frozen_ms;
    while (frozen >= 0)
        if (__atomic_compare_exchange_n((int64_t *)&frozen_ms, &frozen, frozen + ms, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return;
    offset_ms += ms;
}

void clock_freeze(int64_t wall_ms)
{
    ASSERT(wall_ms >= -1);
    frozen_ms = wall_ms;
}

/* ---- the calendar: proleptic Gregorian, days counted in eras of 400 years that begin on 1 March ---- */

struct civil {
    int64_t year;
    int month, day, hour, minute, second, ms, weekday; /* month 1..12, weekday 0 = Sunday */
};

static int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static struct civil civil_of(int64_t wall_ms)
{
    struct civil c;
    int64_t days = wall_ms / DAY_MS;
    int64_t rest = wall_ms % DAY_MS;
    if (rest < 0) {
        rest += DAY_MS;
        days--;
    }
    c.hour = (int)(rest / HOUR_MS);
    c.minute = (int)(rest % HOUR_MS / MINUTE_MS);
    c.second = (int)(rest % MINUTE_MS / SECOND_MS);
    c.ms = (int)(rest % SECOND_MS);
    c.weekday = (int)(((days % 7) + 11) % 7); /* 1970-01-01 was a Thursday */
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    c.day = (int)(doy - (153 * mp + 2) / 5 + 1);
    c.month = (int)(mp < 10 ? mp + 3 : mp - 9);
    c.year = yoe + era * 400 + (c.month <= 2);
    return c;
}

/* Every format here has four digits for the year: what lies outside is shown as the nearest moment inside. */
static struct civil civil_clamped(int64_t wall_ms)
{
    const int64_t lowest = days_from_civil(0, 1, 1) * DAY_MS;
    const int64_t highest = days_from_civil(10000, 1, 1) * DAY_MS - 1;
    return civil_of(wall_ms < lowest ? lowest : wall_ms > highest ? highest : wall_ms);
}

static char *put_digits(char *at, int64_t value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + width;
}

static char *put_text(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}

static char *put_time(char *at, const struct civil *c)
{
    at = put_digits(at, c->hour, 2);
    *at++ = ':';
    at = put_digits(at, c->minute, 2);
    *at++ = ':';
    return put_digits(at, c->second, 2);
}

static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char day_names[] = "SunMonTueWedThuFriSat";

void clock_format_iso(int64_t wall_ms, char out[CLOCK_ISO_SIZE])
{
    struct civil c = civil_clamped(wall_ms);
    char *at = put_digits(out, c.year, 4);
    *at++ = '-';
    at = put_digits(at, c.month, 2);
    *at++ = '-';
    at = put_digits(at, c.day, 2);
    *at++ = 'T';
    at = put_time(at, &c);
    *at++ = '.';
    at = put_digits(at, c.ms, 3);
    put_text(at, "Z", 2);
}

void clock_format_clf(int64_t wall_ms, char *out)
{
    struct civil c = civil_clamped(wall_ms);
    char *at = put_digits(out, c.day, 2);
    *at++ = '/';
    at = put_text(at, month_names + 3 * (c.month - 1), 3);
    *at++ = '/';
    at = put_digits(at, c.year, 4);
    *at++ = ':';
    at = put_time(at, &c);
    put_text(at, " +0000", 7);
}

void clock_format_http(int64_t wall_ms, char *out)
{
    struct civil c = civil_clamped(wall_ms);
    char *at = put_text(out, day_names + 3 * c.weekday, 3);
    at = put_text(at, ", ", 2);
    at = put_digits(at, c.day, 2);
    *at++ = ' ';
    at = put_text(at, month_names + 3 * (c.month - 1), 3);
    *at++ = ' ';
    at = put_digits(at, c.year, 4);
    *at++ = ' ';
    at = put_time(at, &c);
    put_text(at, " GMT", 5);
}

/* ---- reading RFC 3339 ---- */

struct scan {
    const char *at, *end;
    bool failed;
};

static int scan_digits(struct scan *s, int width)
{
    int value = 0;
    for (int i = 0; i < width; i++) {
        if (s->at == s->end || *s->at < '0' || *s->at > '9') {
            s->failed = true;
            return 0;
        }
        value = value * 10 + (*s->at++ - '0');
    }
    return value;
}

static char scan_one_of(struct scan *s, const char *allowed)
{
    if (s->at == s->end || *s->at == 0 || !strchr(allowed, *s->at)) {
        s->failed = true;
        return 0;
    }
    return *s->at++;
}

/* Milliseconds; further digits are read and cut off. */
static int scan_fraction(struct scan *s)
{
    int ms = 0, digits = 0;
    if (s->at == s->end || *s->at != '.')
        return 0;
    s->at++;
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9') {
        if (digits < 3)
            ms = ms * 10 + (*s->at - '0');
        digits++;
        s->at++;
    }
    if (digits == 0)
        s->failed = true;
    for (; digits < 3; digits++)
        ms *= 10;
    return ms;
}

static int64_t scan_offset_minutes(struct scan *s)
{
    char sign = scan_one_of(s, "Zz+-");
    if (s->failed || sign == 'Z' || sign == 'z')
        return 0;
    int hours = scan_digits(s, 2);
    scan_one_of(s, ":");
    int minutes = scan_digits(s, 2);
    if (hours > 23 || minutes > 59)
        s->failed = true;
    return (sign == '-' ? -1 : 1) * (hours * 60 + minutes);
}

static int month_days(int year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

int clock_parse_iso(const char *text, size_t len, int64_t *wall_ms)
{
    struct scan s = {text, text + len, false};
    int year = scan_digits(&s, 4);
    scan_one_of(&s, "-");
    int month = scan_digits(&s, 2);
    scan_one_of(&s, "-");
    int day = scan_digits(&s, 2);
    scan_one_of(&s, "Tt");
    int hour = scan_digits(&s, 2);
    scan_one_of(&s, ":");
    int minute = scan_digits(&s, 2);
    scan_one_of(&s, ":");
    int second = scan_digits(&s, 2);
    int ms = scan_fraction(&s);
    int64_t offset = scan_offset_minutes(&s);
    if (s.failed || s.at != s.end || month < 1 || month > 12 || day < 1 || day > month_days(year, month) || hour > 23 ||
        minute > 59 || second > 60) /* 60: a leap second, counted as the next second */
        return -1;
    *wall_ms = days_from_civil(year, month, day) * DAY_MS + hour * HOUR_MS + (minute - offset) * MINUTE_MS +
               second * SECOND_MS + ms;
    return 0;
}
