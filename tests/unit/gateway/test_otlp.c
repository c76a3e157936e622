/* The values of OTLP: histograms whose buckets hold every value where the protocol says, kinds, units, trace contexts. */
#include "gateway/otlp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

struct point {
    struct arena arena;
    struct buf out;
    const struct json *root;
};

static void encode(struct point *p, const struct watch_name *name, enum gw_otlp_form form, const struct watch_summary *summary)
{
    struct json_writer w;
    buf_init(&p->out, 1 << 20);
    json_writer_init(&w, &p->out);
    gw_otlp_point(&w, name, form, 1700000040, 60, summary);
    assert_false(p->out.failed);
    assert_int_equal(json_parse(&p->arena, buf_text(&p->out), JSON_COPY, &p->root, NULL), 0);
}

static void done(struct point *p)
{
    buf_fini(&p->out);
    arena_fini(&p->arena);
}

static double number(const struct json *object, const char *name)
{
    double out = 0;
    const struct json *member = json_get_str(object, name);
    assert_non_null(member);
    if (member->type == JSON_STRING)
        return strtod(member->text.data, NULL);
    assert_int_equal(json_to_double(member, &out), 0);
    return out;
}

/* Of the bucket that must hold the magnitude at this scale: its count. */
static double count_at(const struct json *side, double magnitude, int scale)
{
    int index = (int)number(side, "offset"), at = 0;
    for (const struct json *count = json_get_str(side, "bucketCounts")->first; count; count = count->next, at++) {
        double low = exp2(ldexp(index + at, -scale)), high = exp2(ldexp(index + at + 1, -scale));
        if (magnitude > low * (1 - 1e-12) && magnitude <= high * (1 + 1e-12) && strtod(count->text.data, NULL) > 0)
            return strtod(count->text.data, NULL);
    }
    return 0;
}

static void every_value_is_in_its_bucket(void **state)
{
    (void)state;
    static const double values[] = {0, 1, 2, 3, 0.001, 1e6, 1e-9, -4, -0.5, 123.456};
    struct watch_dimension dimension = {TEXT("Shop"), TEXT("a\"b")};
    struct watch_name name = {TEXT("shop"), TEXT("Basket"), &dimension, 1};
    struct point p;
    struct watch_summary summary;
    arena_init(&p.arena, 4096, 1 << 22);
    watch_summary_init(&summary, &p.arena);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        assert_int_equal(watch_summary_add(&summary, values[i], i + 1), 0);
    assert_int_equal(gw_otlp_form_of(&name, &summary), GW_OTLP_HISTOGRAM);
    encode(&p, &name, GW_OTLP_HISTOGRAM, &summary);
    int scale = (int)number(p.root, "scale");
    assert_true(scale < 6 && scale >= 0); /* fifty powers of two do not fit at the finest */
    assert_true(number(p.root, "count") == 55 && number(p.root, "zeroCount") == 1);
    assert_true(number(p.root, "min") == -4 && number(p.root, "max") == 1e6);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        if (values[i] != 0)
            assert_true(count_at(json_get_str(p.root, values[i] > 0 ? "positive" : "negative"), fabs(values[i]), scale) >= (double)(i + 1));
    assert_true(json_get_str(json_get_str(p.root, "positive"), "bucketCounts")->count <= GW_OTLP_BUCKETS);
    assert_true(text_is(json_get_str(p.root, "startTimeUnixNano")->text, "1700000040000000000"));
    assert_true(text_is(json_get_str(p.root, "timeUnixNano")->text, "1700000100000000000"));
    assert_true(text_is(json_path(p.root, TEXT("attributes.0.value.stringValue"))->text, "a\"b"));
    done(&p);
}

static void a_narrow_histogram_is_fine(void **state)
{
    (void)state;
    struct watch_name name = {TEXT("shop"), TEXT("Basket"), NULL, 0};
    struct point p;
    struct watch_summary summary;
    arena_init(&p.arena, 4096, 1 << 22);
    watch_summary_init(&summary, &p.arena);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(watch_summary_add(&summary, 1 + i / 1000.0, 1), 0);
    encode(&p, &name, GW_OTLP_HISTOGRAM, &summary);
    assert_true(number(p.root, "scale") == 6 && number(p.root, "count") == 1000);
    assert_null(json_get_str(p.root, "negative"));
    done(&p);
}

static void kinds_follow_the_table(void **state)
{
    (void)state;
    struct point p;
    struct watch_summary summary;
    struct watch_name count = {TEXT("AWS/ApiGateway"), TEXT("MessageCount"), NULL, 0}, gauge = {TEXT("Weir"), TEXT("ActiveConnections"), NULL, 0},
                      latency = {TEXT("AWS/Lambda"), TEXT("Duration"), NULL, 0}, alike = {TEXT("mine"), TEXT("MessageCount"), NULL, 0};
    arena_init(&p.arena, 4096, 1 << 20);
    watch_summary_init(&summary, &p.arena);
    assert_int_equal(watch_summary_add(&summary, 1, 41), 0);
    assert_int_equal(watch_summary_add(&summary, 3, 1), 0);
    assert_int_equal(gw_otlp_form_of(&count, &summary), GW_OTLP_SUM);
    assert_int_equal(gw_otlp_form_of(&gauge, &summary), GW_OTLP_GAUGE);
    assert_int_equal(gw_otlp_form_of(&latency, &summary), GW_OTLP_HISTOGRAM);
    assert_int_equal(gw_otlp_form_of(&alike, &summary), GW_OTLP_HISTOGRAM);
    encode(&p, &count, GW_OTLP_SUM, &summary);
    assert_true(number(p.root, "asDouble") == 44);
    buf_fini(&p.out);
    summary.unknown = true;
    assert_int_equal(gw_otlp_form_of(&alike, &summary), GW_OTLP_SUMMARY);
    encode(&p, &alike, GW_OTLP_SUMMARY, &summary);
    assert_int_equal(json_get_str(p.root, "quantileValues")->count, 2);
    done(&p);
}

static void units_are_ucum(void **state)
{
    (void)state;
    assert_string_equal(gw_otlp_unit("Milliseconds"), "ms");
    assert_string_equal(gw_otlp_unit("Bytes/Second"), "By/s");
    assert_string_equal(gw_otlp_unit("None"), "");
    for (int i = 0; i < WATCH_UNITS; i++)
        assert_true(i == WATCH_UNIT_NONE || gw_otlp_unit(watch_unit_names[i])[0]);
}

static void trace_contexts(void **state)
{
    (void)state;
    unsigned char trace[16], parent[8];
    static const char *const good[] = {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later"};
    static const char *const bad[] = {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g", "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01later"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(gw_traceparent_parse(text_of(good[i]), trace, parent));
        assert_int_equal(trace[0], 0x4b);
        assert_int_equal(parent[7], 0xb7);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(gw_traceparent_parse(text_of(bad[i]), trace, parent));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_is_in_its_bucket),
        cmocka_unit_test(a_narrow_histogram_is_fine),
        cmocka_unit_test(kinds_follow_the_table),
        cmocka_unit_test(units_are_ucum),
        cmocka_unit_test(trace_contexts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
