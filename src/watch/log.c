/* Names, numbers and ids of logs: what needs no table. */
#include "watch/log_inside.h"

#include "base/clock.h"
#include <stdio.h>

#define TIME_DIGITS 15 /* some thirty thousand years of milliseconds */

bool watch_log_group_name_valid(struct text name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && c != '.' && c != '-' && c != '_' && c != '/' && c != '#')
            return false;
    }
    return name.len >= 1 && name.len <= WATCH_LOG_NAME_MAX;
}

bool watch_log_stream_name_valid(struct text name)
{
    return name.len >= 1 && name.len <= WATCH_LOG_NAME_MAX && text_find(name, ':', 0) < 0 && text_find(name, '*', 0) < 0;
}

bool watch_log_retention_valid(int64_t days)
{
    static const int known[] = {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (days == known[i])
            return true;
    return false;
}

int64_t watch_log_horizon_ms(const struct watch_log_group *group, int64_t now_ms)
{
    int64_t horizon = group->retention_days ? now_ms - (int64_t)group->retention_days * DAY_MS : 0;
    return horizon > 0 ? horizon : 0;
}

/* ---- places ---- */

int watch_log_place_compare(const struct watch_log_place *a, const struct watch_log_place *b)
{
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    if (a->sequence != b->sequence)
        return a->sequence < b->sequence ? -1 : 1;
    if (a->call != b->call)
        return a->call < b->call ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

void watch_log_id_format(const struct watch_log_place *place, char out[WATCH_LOG_ID_TEXT + 1])
{
    /* A leading 3, as AWS's have, keeps it from being read as an octal number. */
    snprintf(out, WATCH_LOG_ID_TEXT + 1, "3%0*llu%020llu%010u%010u", TIME_DIGITS, (unsigned long long)place->time_ms % 1000000000000000ull,
        (unsigned long long)place->sequence, place->call, place->index);
}

static bool digits(struct text text, size_t at, size_t len, uint64_t max, uint64_t *out)
{
    struct text part = text_make(text.data + at, len);
    uint64_t value = 0;
    for (size_t i = 0; i < part.len; i++) {
        if (part.data[i] < '0' || part.data[i] > '9' || value > (UINT64_MAX - (uint64_t)(part.data[i] - '0')) / 10)
            return false;
        value = value * 10 + (uint64_t)(part.data[i] - '0');
    }
    *out = value;
    return value <= max;
}

int watch_log_id_parse(struct text text, struct watch_log_place *place)
{
    uint64_t time, sequence, call, index;
    if (text.len != WATCH_LOG_ID_TEXT || text.data[0] != '3' || !digits(text, 1, TIME_DIGITS, INT64_MAX, &time) || !digits(text, 16, 20, UINT64_MAX, &sequence) ||
        !digits(text, 36, 10, UINT32_MAX, &call) || !digits(text, 46, 10, UINT32_MAX, &index))
        return ERR_SYNTAX;
    *place = (struct watch_log_place){(int64_t)time, sequence, (uint32_t)call, (uint32_t)index};
    return 0;
}
