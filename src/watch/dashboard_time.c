/* The times of dashboards: durations back from now in ISO 8601's form, and moments. */
#include "watch/dashboard.h"

#include "base/clock.h"

#define AGO_MAX_MS (1000 * 366 * DAY_MS)

struct unit {
    char letter;
    int64_t ms;
};
static const struct unit day_units[] = {{'Y', 365 * DAY_MS}, {'M', 30 * DAY_MS}, {'W', 7 * DAY_MS}, {'D', DAY_MS}, {0, 0}};
static const struct unit time_units[] = {{'H', HOUR_MS}, {'M', MINUTE_MS}, {'S', SECOND_MS}, {0, 0}};

/* Each unit once, the longer ones first. */
static int read_parts(struct text text, size_t *at, const struct unit *unit, int64_t *ms, unsigned *parts)
{
    while (*at < text.len && text.data[*at] != 'T') {
        size_t from = *at;
        uint64_t number;
        while (*at < text.len && text.data[*at] >= '0' && text.data[*at] <= '9')
            (*at)++;
        if (*at == text.len || text_to_u64(text_make(text.data + from, *at - from), 1000000000, &number))
            return ERR_SYNTAX;
        while (unit->letter && unit->letter != text.data[*at])
            unit++;
        if (!unit->letter || (number && (int64_t)number > AGO_MAX_MS / unit->ms))
            return ERR_SYNTAX;
        *ms += (int64_t)number * unit->ms;
        unit++;
        (*at)++;
        (*parts)++;
    }
    return 0;
}

int dashboard_ago_parse(struct text text, int64_t *ms)
{
    size_t at = 2;
    unsigned parts = 0;
    *ms = 0;
    if (!text_starts(text, TEXT("-P")) || read_parts(text, &at, day_units, ms, &parts))
        return ERR_SYNTAX;
    if (at < text.len) { /* 'T' */
        unsigned before = parts;
        at++;
        if (read_parts(text, &at, time_units, ms, &parts) || at < text.len || parts == before)
            return ERR_SYNTAX;
    }
    return parts && *ms <= AGO_MAX_MS ? 0 : ERR_SYNTAX;
}

int dashboard_time_parse(struct text text, int64_t now_ms, int64_t *ms, bool *relative)
{
    int64_t ago;
    *relative = dashboard_ago_parse(text, &ago) == 0;
    if (*relative) {
        *ms = now_ms - ago;
        return 0;
    }
    if (text_to_i64(text, ms) == 0)
        return *ms >= 0 && *ms <= INT64_C(1) << 52 ? 0 : ERR_SYNTAX;
    return clock_parse_iso(text.data, text.len, ms) ? ERR_SYNTAX : 0;
}
