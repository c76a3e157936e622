/* Dynamic labels: a walk over the text that writes what stands between the signs. */
#include "watch/label.h"

#include "base/clock.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>

#define NONE "--"

struct extremes {
    size_t least, most;
    double sum;
};

int watch_label_timezone(struct text text, int *offset_min)
{
    bool formed = text.len == 5 && (text.data[0] == '+' || text.data[0] == '-');
    for (size_t i = 1; i < text.len && formed; i++)
        formed = isdigit((unsigned char)text.data[i]);
    if (!formed)
        return ERR_SYNTAX;
    int hours = (text.data[1] - '0') * 10 + text.data[2] - '0', minutes = (text.data[3] - '0') * 10 + text.data[4] - '0';
    if (hours > 14 || minutes > 59)
        return ERR_SYNTAX;
    *offset_min = (text.data[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
    return 0;
}

/* ---- how values are written ---- */

static void add_number(struct buf *out, double value)
{
    char digits[64];
    if (!isfinite(value)) {
        buf_add_text(out, TEXT(NONE));
        return;
    }
    if (fabs(value) >= 1e15 || (value != 0 && fabs(value) < 1e-3)) {
        buf_add_format(out, "%.3g", value);
        return;
    }
    int len = snprintf(digits, sizeof(digits), "%.3f", value);
    while (len > 1 && digits[len - 1] == '0')
        len--;
    len -= len > 1 && digits[len - 1] == '.';
    buf_add_text(out, strcmp(digits, "-0.000") == 0 ? TEXT("0") : text_make(digits, (size_t)len));
}

static void add_time(struct buf *out, int64_t s, int offset_min)
{
    char iso[CLOCK_ISO_SIZE];
    int away = offset_min < 0 ? -offset_min : offset_min;
    clock_format_iso((s + offset_min * INT64_C(60)) * SECOND_MS, iso);
    buf_add_text(out, text_make(iso, 19));
    if (offset_min)
        buf_add_format(out, "%c%02d:%02d", offset_min < 0 ? '-' : '+', away / 60, away % 60);
    else
        buf_add_char(out, 'Z');
}

static void add_span(struct buf *out, int64_t s)
{
    static const struct {
        int64_t seconds;
        char sign;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    bool any = false;
    s = s < 0 ? -s : s;
    for (size_t i = 0; i < 4; i++) {
        if (s < units[i].seconds)
            continue;
        buf_add_format(out, "%lld%c", (long long)(s / units[i].seconds), units[i].sign);
        s %= units[i].seconds;
        any = true;
    }
    if (!any)
        buf_add_text(out, TEXT("0s"));
}

/* ---- what they are ---- */

static struct extremes extremes_of(const struct math_series *s)
{
    struct extremes e = {0, 0, 0};
    for (size_t i = 0; i < s->count; i++) {
        e.sum += s->value[i];
        if (s->value[i] < s->value[e.least])
            e.least = i;
        if (s->value[i] > s->value[e.most])
            e.most = i;
    }
    return e;
}

static bool add_property(struct buf *out, const struct watch_label *label, struct text property)
{
    const struct watch_data_source *source = label->series->source;
    if (text_is(property, "Region")) {
        buf_add_text(out, label->region);
    } else if (text_is(property, "AccountId") || text_is(property, "AccountLabel")) {
        buf_add_text(out, label->account);
    } else if (text_is(property, "Period")) {
        buf_add_format(out, "%lld", (long long)label->series->period_s);
    } else if (text_is(property, "MetricName") || text_is(property, "Namespace") || text_is(property, "Stat")) {
        buf_add_text(out, !source ? TEXT(NONE) : property.data[0] == 'M' ? source->name.name : property.data[0] == 'N' ? source->name.space : source->stat);
    } else if (text_starts(property, TEXT("Dim."))) {
        struct text value = TEXT(NONE), name = text_make(property.data + 4, property.len - 4);
        for (size_t i = 0; source && i < source->name.dimensions; i++)
            if (text_equal(source->name.dimension[i].name, name))
                value = source->name.dimension[i].value;
        buf_add_text(out, value);
    } else {
        return false;
    }
    return true;
}

/* PROP('x'): x, or nothing. */
static struct text property_of(struct text name)
{
    if (!text_starts(name, TEXT("PROP(")) || name.len < 8 || name.data[name.len - 1] != ')')
        return TEXT_NONE;
    char quote = name.data[5];
    bool quoted = (quote == '\'' || quote == '"') && name.data[name.len - 2] == quote;
    return quoted ? text_make(name.data + 6, name.len - 8) : TEXT_NONE;
}

static bool ends(struct text *name, const char *tail)
{
    size_t len = strlen(tail);
    if (name->len <= len || memcmp(name->data + name->len - len, tail, len) != 0)
        return false;
    name->len -= len;
    return true;
}

/* Which point FIRST, LAST, MIN or MAX is: negative when the name is none of them. */
static ptrdiff_t point_of(struct text name, const struct math_series *s, const struct extremes *e)
{
    if (text_is(name, "FIRST"))
        return 0;
    if (text_is(name, "LAST"))
        return s->count ? (ptrdiff_t)s->count - 1 : 0;
    return text_is(name, "MIN") ? (ptrdiff_t)e->least : text_is(name, "MAX") ? (ptrdiff_t)e->most : -1;
}

static bool add_point(struct buf *out, const struct watch_label *label, struct text name, const struct extremes *e)
{
    const struct math_series *s = label->series;
    bool relative = ends(&name, "_TIME_RELATIVE"), time = !relative && ends(&name, "_TIME");
    ptrdiff_t at = point_of(name, s, e);
    if (at < 0)
        return false;
    if (!s->count)
        buf_add_text(out, TEXT(NONE));
    else if (relative)
        add_span(out, label->now_ms / SECOND_MS - s->time_s[at]);
    else if (time)
        add_time(out, s->time_s[at], label->offset_min);
    else
        add_number(out, s->value[at]);
    return true;
}

static bool add_range(struct buf *out, const struct math_series *s, struct text name, const struct extremes *e)
{
    bool time = ends(&name, "_TIME_RANGE"), plain = !time && ends(&name, "_RANGE"), extreme = text_is(name, "MIN_MAX"), order = text_is(name, "FIRST_LAST");
    size_t from = extreme ? e->least : 0, to = extreme ? e->most : s->count ? s->count - 1 : 0;
    if ((!time && !plain) || (!extreme && !order))
        return false;
    if (!s->count)
        buf_add_text(out, TEXT(NONE));
    else if (time)
        add_span(out, s->time_s[to] - s->time_s[from]);
    else
        add_number(out, fabs(s->value[to] - s->value[from]));
    return true;
}

static bool add_value(struct buf *out, const struct watch_label *label, struct text name)
{
    const struct math_series *s = label->series;
    struct extremes e = extremes_of(s);
    struct text property = property_of(name);
    if (property.data)
        return add_property(out, label, property);
    if (text_is(name, "LABEL"))
        buf_add_text(out, label->plain);
    else if (text_is(name, "DATAPOINT_COUNT"))
        buf_add_format(out, "%zu", s->count);
    else if (text_is(name, "SUM") || text_is(name, "AVG"))
        add_number(out, !s->count ? NAN : name.data[0] == 'S' ? e.sum : e.sum / (double)s->count);
    else
        return add_point(out, label, name, &e) || add_range(out, s, name, &e);
    return true;
}

struct text watch_label_format(struct arena *arena, const struct watch_label *label)
{
    struct text in = label->text;
    struct buf out;
    if (!in.len)
        return label->plain;
    buf_init(&out, 64 << 10);
    for (size_t at = 0; at < in.len;) {
        ptrdiff_t close = in.data[at] == '$' && at + 1 < in.len && in.data[at + 1] == '{' ? text_find(in, '}', at + 2) : -1;
        if (close >= 0 && add_value(&out, label, text_make(in.data + at + 2, (size_t)close - at - 2)))
            at = (size_t)close + 1;
        else
            buf_add_char(&out, in.data[at++]);
    }
    if (out.len > WATCH_LABEL_MAX) /* whole characters */
        for (out.len = WATCH_LABEL_MAX; out.len && ((unsigned char)out.data[out.len] & 0xC0) == 0x80;)
            out.len--;
    struct text copy = out.failed ? label->plain : arena_copy(arena, buf_text(&out));
    buf_fini(&out);
    return copy;
}
