/*
 * Figures in OTLP's JSON.
 *
 * What kind of data a figure is follows from its own table (figure_table.h); of any other metric only its values are known. A COUNT becomes a delta sum, a GAUGE a gauge, everything
 * else an exponential histogram with delta temporality: weir keeps the values of each minute apart from those before, which is what "delta" says, and its sketches (watch/sketch.h) have
 * buckets that are as fine, so percentiles survive the way. Data that came as StatisticSets has no values: it becomes a summary with its minimum and maximum.
 *
 * The scale of a histogram is the finest, from 6 down, at which its values take at most GW_OTLP_BUCKETS buckets: at scale s the bucket i holds (2^(i/2^s), 2^((i+1)/2^s)].
 */
#include "gateway/otlp.h"

#include "gateway/figure_table.h"
#include "gateway/meter.h"
#include <math.h>
#include <stdio.h>

#define SCALE_MAX 6
#define SCALE_MIN (-10)

void gw_otlp_u64(struct json_writer *w, const char *name, uint64_t value)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    json_name(w, name);
    json_str(w, digits);
}

static void attribute_begin(struct json_writer *w, struct text key)
{
    json_begin_object(w);
    json_name(w, "key");
    json_text(w, key);
    json_name(w, "value");
    json_begin_object(w);
}

static void attribute_end(struct json_writer *w)
{
    json_end_object(w);
    json_end_object(w);
}

static void attribute_text(struct json_writer *w, struct text key, struct text value)
{
    attribute_begin(w, key);
    json_name(w, "stringValue");
    json_text(w, value);
    attribute_end(w);
}

void gw_otlp_attribute(struct json_writer *w, const char *key, struct text value)
{
    attribute_text(w, text_of(key), value);
}

void gw_otlp_attribute_i64(struct json_writer *w, const char *key, int64_t value)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%lld", (long long)value);
    attribute_begin(w, text_of(key));
    json_name(w, "intValue");
    json_str(w, digits);
    attribute_end(w);
}

void gw_otlp_resource(struct json_writer *w, struct text environment)
{
    json_name(w, "resource");
    json_begin_object(w);
    json_name(w, "attributes");
    json_begin_array(w);
    gw_otlp_attribute(w, "service.name", TEXT("weir"));
    gw_otlp_attribute(w, "service.version", TEXT(WEIR_VERSION));
    gw_otlp_attribute(w, "deployment.environment", environment);
    json_end_array(w);
    json_end_object(w);
}

const char *gw_otlp_unit(const char *unit)
{
    static const char *const units[][2] = {{"Seconds", "s"}, {"Microseconds", "us"}, {"Milliseconds", "ms"}, {"Bytes", "By"}, {"Kilobytes", "kBy"}, {"Megabytes", "MBy"},
        {"Gigabytes", "GBy"}, {"Terabytes", "TBy"}, {"Bits", "bit"}, {"Kilobits", "kbit"}, {"Megabits", "Mbit"}, {"Gigabits", "Gbit"}, {"Terabits", "Tbit"}, {"Count", "1"},
        {"Percent", "%"}, {"Bytes/Second", "By/s"}, {"Kilobytes/Second", "kBy/s"}, {"Megabytes/Second", "MBy/s"}, {"Gigabytes/Second", "GBy/s"}, {"Terabytes/Second", "TBy/s"},
        {"Bits/Second", "bit/s"}, {"Kilobits/Second", "kbit/s"}, {"Megabits/Second", "Mbit/s"}, {"Gigabits/Second", "Gbit/s"}, {"Terabits/Second", "Tbit/s"}, {"Count/Second", "1/s"}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(unit, units[i][0]) == 0)
            return units[i][1];
    return "";
}

/* ---- kinds ---- */

enum gw_otlp_form gw_otlp_form_of(const struct watch_name *name, const struct watch_summary *summary)
{
    for (int i = 0; i < GW_FIGURES; i++) {
        const struct gw_figure_row *row = &gw_figure_rows[i];
        if (text_is(name->name, row->name) && text_is(name->space, row->space) && row->kind != GW_KIND_VALUE)
            return row->kind == GW_KIND_COUNT ? GW_OTLP_SUM : GW_OTLP_GAUGE;
    }
    return summary->unknown ? GW_OTLP_SUMMARY : GW_OTLP_HISTOGRAM;
}

void gw_otlp_metric_begin(struct json_writer *w, struct text name, unsigned unit, enum gw_otlp_form form)
{
    static const char *const forms[] = {"sum", "gauge", "exponentialHistogram", "summary"};
    json_begin_object(w);
    json_name(w, "name");
    json_text(w, name);
    json_name(w, "unit");
    json_str(w, gw_otlp_unit(watch_unit_names[unit]));
    json_name(w, forms[form]);
    json_begin_object(w);
    if (form == GW_OTLP_SUM || form == GW_OTLP_HISTOGRAM) {
        json_name(w, "aggregationTemporality");
        json_i64(w, 1); /* delta */
    }
    if (form == GW_OTLP_SUM) {
        json_name(w, "isMonotonic");
        json_bool(w, true);
    }
    json_name(w, "dataPoints");
    json_begin_array(w);
}

void gw_otlp_metric_end(struct json_writer *w, enum gw_otlp_form form)
{
    (void)form;
    json_end_array(w);
    json_end_object(w);
    json_end_object(w);
}

/* ---- histograms ---- */

struct side { /* the positive or the negative values */
    int low, high; /* buckets at SCALE_MAX; low > high: none */
    uint64_t count[GW_OTLP_BUCKETS];
};

static int index_of(double magnitude, int scale)
{
    return (int)ceil(ldexp(log2(magnitude), scale)) - 1;
}

/* The coarser bucket that holds it. */
static int shifted(int index, int by)
{
    return index >> by; /* arithmetic: towards minus infinity */
}

static uint64_t whole(double weight)
{
    return weight > 0x1p62 ? UINT64_C(1) << 62 : (uint64_t)(weight + 0.5);
}

static void widen(struct side *side, int index)
{
    side->low = index < side->low ? index : side->low;
    side->high = index > side->high ? index : side->high;
}

static bool fits(const struct side *side, int by)
{
    return side->low > side->high || shifted(side->high, by) - shifted(side->low, by) < GW_OTLP_BUCKETS;
}

static void write_side(struct json_writer *w, const char *name, const struct side *side, int by)
{
    char digits[24];
    if (side->low > side->high)
        return;
    int last = shifted(side->high, by) - shifted(side->low, by);
    json_name(w, name);
    json_begin_object(w);
    json_name(w, "offset");
    json_i64(w, shifted(side->low, by));
    json_name(w, "bucketCounts");
    json_begin_array(w);
    for (int i = 0; i <= last; i++) {
        snprintf(digits, sizeof(digits), "%llu", (unsigned long long)side->count[i]);
        json_str(w, digits);
    }
    json_end_array(w);
    json_end_object(w);
}

static void write_histogram(struct json_writer *w, const struct watch_summary *summary)
{
    struct side side[2] = {{.low = INT32_MAX, .high = INT32_MIN}, {.low = INT32_MAX, .high = INT32_MIN}}; /* positive, negative */
    uint64_t zeros = 0, all = 0;
    int by = 0;
    for (size_t i = 0; i < summary->values.count; i++) {
        double value = summary->values.entry[i].value;
        if (value != 0)
            widen(&side[value < 0], index_of(fabs(value), SCALE_MAX));
    }
    while (by < SCALE_MAX - SCALE_MIN && !(fits(&side[0], by) && fits(&side[1], by)))
        by++;
    for (size_t i = 0; i < summary->values.count; i++) {
        double value = summary->values.entry[i].value;
        uint64_t count = whole(summary->values.entry[i].weight);
        struct side *to = &side[value < 0];
        all += count;
        if (value == 0)
            zeros += count;
        else
            to->count[shifted(index_of(fabs(value), SCALE_MAX), by) - shifted(to->low, by)] += count;
    }
    gw_otlp_u64(w, "count", all);
    json_name(w, "sum");
    json_double(w, summary->sum);
    json_name(w, "min");
    json_double(w, summary->min);
    json_name(w, "max");
    json_double(w, summary->max);
    json_name(w, "scale");
    json_i64(w, SCALE_MAX - by);
    gw_otlp_u64(w, "zeroCount", zeros);
    write_side(w, "positive", &side[0], by);
    write_side(w, "negative", &side[1], by);
}

static void write_quantile(struct json_writer *w, double share, double value)
{
    json_begin_object(w);
    json_name(w, "quantile");
    json_double(w, share);
    json_name(w, "value");
    json_double(w, value);
    json_end_object(w);
}

static void write_summary(struct json_writer *w, const struct watch_summary *summary)
{
    gw_otlp_u64(w, "count", whole(summary->count));
    json_name(w, "sum");
    json_double(w, summary->sum);
    json_name(w, "quantileValues");
    json_begin_array(w);
    write_quantile(w, 0, summary->min);
    write_quantile(w, 1, summary->max);
    json_end_array(w);
}

/* ---- a point ---- */

void gw_otlp_point(struct json_writer *w, const struct watch_name *name, enum gw_otlp_form form, int64_t start_s, int64_t period_s, const struct watch_summary *summary)
{
    json_begin_object(w);
    json_name(w, "attributes");
    json_begin_array(w);
    for (size_t i = 0; i < name->dimensions; i++)
        attribute_text(w, name->dimension[i].name, name->dimension[i].value);
    json_end_array(w);
    gw_otlp_u64(w, "startTimeUnixNano", (uint64_t)start_s * UINT64_C(1000000000));
    gw_otlp_u64(w, "timeUnixNano", (uint64_t)(start_s + period_s) * UINT64_C(1000000000));
    if (form == GW_OTLP_HISTOGRAM)
        write_histogram(w, summary);
    else if (form == GW_OTLP_SUMMARY)
        write_summary(w, summary);
    else {
        json_name(w, "asDouble");
        json_double(w, form == GW_OTLP_SUM ? summary->sum : summary->count > 0 ? summary->sum / summary->count : 0);
    }
    json_end_object(w);
}
