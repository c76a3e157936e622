/* Specifications of subscriptions: their bytes, what they hold, what a change is to them; and changes as frames, conflated or not. */
#include "gateway/live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 4096, 1 << 22);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

/* From JSON as clients write it. */
static struct attr *item(const char *json)
{
    const struct json *root;
    struct attr *out;
    assert_int_equal(json_parse(&arena, text_of(json), JSON_COPY, &root, NULL), 0);
    assert_int_equal(item_from_plain(&arena, root, &out, NULL), 0);
    return out;
}

static struct live_spec spec_of(const char *conditions)
{
    struct live_spec spec = {.table = TEXT("items")};
    for (const struct attr *value = item(conditions)->first; value; value = value->next)
        assert_true(live_cond_of(value, &spec.cond[spec.conds++]));
    return spec;
}

static void test_bytes(void **state)
{
    struct live_spec spec = spec_of("{\"id\":\"x\",\"n\":12.50,\"on\":true}"), back;
    struct buf bytes, other;
    (void)state;
    spec.api = 7;
    spec.conflate = true;
    spec.keys = 1;
    spec.index = TEXT("ByN");
    buf_init(&bytes, LIVE_SPEC_MAX);
    buf_init(&other, LIVE_SPEC_MAX);
    assert_int_equal(live_spec_encode(&bytes, &spec), 0);
    assert_int_equal(live_spec_decode(buf_text(&bytes), &back), 0);
    assert_int_equal(back.api, 7);
    assert_true(back.conflate && back.keys == 1 && back.conds == 3);
    assert_true(text_is(back.index, "ByN") && text_is(back.table, "items"));
    assert_true(text_is(back.cond[1].name, "n") && text_is(back.cond[1].text, "12.5") && back.cond[1].type == ATTR_NUMBER);
    assert_int_equal(live_spec_encode(&other, &back), 0);
    assert_true(text_equal(buf_text(&bytes), buf_text(&other)));
    for (size_t cut = 0; cut < bytes.len; cut++)
        assert_int_equal(live_spec_decode(text_make(bytes.data, cut), &back), ERR_CORRUPT);
    buf_add_char(&bytes, 0);
    assert_int_equal(live_spec_decode(buf_text(&bytes), &back), ERR_CORRUPT);
    buf_fini(&bytes);
    buf_fini(&other);
}

static void test_too_large(void **state)
{
    struct live_spec spec = {.table = TEXT("items"), .conds = 1};
    static char long_text[LIVE_SPEC_MAX];
    struct buf bytes;
    (void)state;
    spec.cond[0] = (struct live_cond){TEXT("id"), text_make(long_text, sizeof(long_text)), ATTR_STRING};
    buf_init(&bytes, LIVE_SPEC_MAX);
    assert_int_equal(live_spec_encode(&bytes, &spec), ERR_TOO_LARGE);
    buf_fini(&bytes);
}

static void test_holds(void **state)
{
    static const struct {
        const char *conditions, *item;
        bool holds;
    } cases[] = {
        {"{}", "{\"id\":\"x\"}", true},
        {"{\"id\":\"x\"}", "{\"id\":\"x\",\"n\":1}", true},
        {"{\"id\":\"x\"}", "{\"id\":\"xx\"}", false},
        {"{\"id\":\"x\"}", "{\"n\":1}", false},
        {"{\"n\":1}", "{\"n\":1.0}", true},
        {"{\"n\":1e3}", "{\"n\":1000}", true},
        {"{\"n\":1}", "{\"n\":\"1\"}", false},
        {"{\"n\":12345678901234567890123456789012345678}", "{\"n\":12345678901234567890123456789012345679}", false},
        {"{\"on\":true}", "{\"on\":true}", true},
        {"{\"on\":true}", "{\"on\":false}", false},
        {"{\"on\":true}", "{\"on\":\"1\"}", false},
        {"{\"id\":\"x\",\"n\":2}", "{\"id\":\"x\",\"n\":3}", false},
        {"{\"id\":\"\"}", "{\"id\":\"\"}", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct live_spec spec = spec_of(cases[i].conditions);
        assert_int_equal(live_spec_holds(&spec, item(cases[i].item)), cases[i].holds);
        assert_false(live_spec_holds(&spec, NULL));
    }
    struct live_spec present = {.conds = 1, .cond = {{.name = TEXT("a"), .type = LIVE_PRESENT}}};
    assert_true(live_spec_holds(&present, item("{\"a\":[1]}")));
    assert_false(live_spec_holds(&present, item("{\"b\":1}")));
    struct live_cond cond;
    assert_false(live_cond_of(item("{\"a\":[1]}")->first, &cond));
    assert_false(live_cond_of(item("{\"a\":null}")->first, &cond));
}

static void test_event(void **state)
{
    struct live_spec spec = spec_of("{\"n\":1}");
    struct attr *in = item("{\"n\":1}"), *out = item("{\"n\":2}");
    (void)state;
    assert_int_equal(live_spec_event(&spec, NULL, in), 'I');
    assert_int_equal(live_spec_event(&spec, out, in), 'I');
    assert_int_equal(live_spec_event(&spec, in, in), 'M');
    assert_int_equal(live_spec_event(&spec, in, out), 'R');
    assert_int_equal(live_spec_event(&spec, in, NULL), 'R');
    assert_int_equal(live_spec_event(&spec, out, out), 0);
    assert_int_equal(live_spec_event(&spec, NULL, out), 0);
    assert_int_equal(live_spec_event(&spec, out, NULL), 0);
}

/* ---- frames ---- */

static struct text encoded(const struct attr *map)
{
    struct buf out;
    if (!map)
        return TEXT_NONE;
    buf_init(&out, 1 << 20);
    assert_int_equal(item_encode(&out, map), 0);
    struct text copy = arena_copy(&arena, buf_text(&out));
    buf_fini(&out);
    return copy;
}

static void add(struct live_collect *collect, const struct live_spec *spec, uint64_t sequence, uint32_t number, const char *key, const char *before, const char *after)
{
    struct attr *keys = item(key), *old = before ? item(before) : NULL, *new = after ? item(after) : NULL;
    struct store_change change = {.number = number, .keys = encoded(keys), .before = encoded(old), .after = encoded(new)};
    live_collect_add(collect, spec, 0xabc, sequence, &change, keys, old, new, &arena);
}

/* The messages of a frame, one per line. */
static const char *messages(struct net_frame *frame, uint32_t count)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(frame ? frame->messages : 0, count);
    for (size_t at = 0; frame && at < frame->len;) {
        struct ws_header header;
        int head = ws_header_parse(frame->data + at, frame->len - at, false, &header);
        assert_true(head > 0);
        buf_add(&out, frame->data + at + head, header.length);
        buf_add_char(&out, '\n');
        at += (size_t)head + header.length;
    }
    if (frame)
        net_frame_unref(frame);
    const char *text = arena_copy(&arena, buf_text(&out)).data;
    buf_fini(&out);
    return text ? text : "";
}

#define CHANGE(rest) "{\"type\":\"change\",\"subscription\":\"0000000000000abc\"," rest "}\n"

static void test_frames(void **state)
{
    struct live_spec spec = spec_of("{\"n\":1}");
    struct live_collect collect;
    struct net_frame *frame;
    (void)state;
    live_collect_init(&collect);
    assert_int_equal(live_collect_take(&collect, &spec, 0xabc, &arena, &frame), 0);
    assert_null(frame);
    add(&collect, &spec, 5, 0, "{\"id\":\"x\"}", NULL, "{\"id\":\"x\",\"n\":1}");
    add(&collect, &spec, 5, 1, "{\"id\":\"y\"}", NULL, "{\"id\":\"y\",\"n\":2}");
    add(&collect, &spec, 6, 0, "{\"id\":\"x\"}", "{\"id\":\"x\",\"n\":1}", "{\"id\":\"x\",\"n\":2}");
    assert_int_equal(live_collect_take(&collect, &spec, 0xabc, &arena, &frame), 0);
    assert_string_equal(messages(frame, 2),
        CHANGE("\"sequence\":5,\"number\":0,\"event\":\"INSERT\",\"key\":{\"id\":\"x\"},\"data\":{\"id\":\"x\",\"n\":1}")
        CHANGE("\"sequence\":6,\"number\":0,\"event\":\"REMOVE\",\"key\":{\"id\":\"x\"},\"data\":null"));
    assert_int_equal(collect.bytes, 0);
    live_collect_fini(&collect);
}

static void test_conflation(void **state)
{
    struct live_spec spec = {.conflate = true};
    struct live_collect collect;
    struct net_frame *frame;
    (void)state;
    live_collect_init(&collect);
    for (int round = 0; round < 2; round++) { /* the second one finds nothing of the first */
        add(&collect, &spec, 1, 0, "{\"id\":\"a\"}", NULL, "{\"id\":\"a\",\"n\":1}");
        add(&collect, &spec, 2, 0, "{\"id\":\"b\"}", "{\"id\":\"b\"}", "{\"id\":\"b\",\"n\":1}");
        add(&collect, &spec, 2, 1, "{\"id\":\"c\"}", NULL, "{\"id\":\"c\"}");
        add(&collect, &spec, 3, 0, "{\"id\":\"b\"}", "{\"id\":\"b\",\"n\":1}", "{\"id\":\"b\",\"n\":2}");
        add(&collect, &spec, 4, 0, "{\"id\":\"d\"}", "{\"id\":\"d\"}", NULL);
        add(&collect, &spec, 5, 0, "{\"id\":\"c\"}", "{\"id\":\"c\"}", NULL);
        add(&collect, &spec, 6, 0, "{\"id\":\"a\"}", "{\"id\":\"a\",\"n\":1}", "{\"id\":\"a\",\"n\":9}");
        assert_int_equal(live_collect_take(&collect, &spec, 0xabc, &arena, &frame), 0);
        /* In the order of the last changes; c came and went. */
        assert_string_equal(messages(frame, 3),
            CHANGE("\"from\":\"2.0\",\"sequence\":3,\"number\":0,\"event\":\"MODIFY\",\"key\":{\"id\":\"b\"},\"data\":{\"id\":\"b\",\"n\":2}")
            CHANGE("\"from\":\"4.0\",\"sequence\":4,\"number\":0,\"event\":\"REMOVE\",\"key\":{\"id\":\"d\"},\"data\":null")
            CHANGE("\"from\":\"1.0\",\"sequence\":6,\"number\":0,\"event\":\"INSERT\",\"key\":{\"id\":\"a\"},\"data\":{\"id\":\"a\",\"n\":9}"));
    }
    live_collect_fini(&collect);
}

static void test_message(void **state)
{
    struct live_message message = {.kind = LIVE_PULL, .io = 3, .serial = 99, .from = {7, 8}, .fresh = true}, back;
    struct text spec;
    (void)state;
    struct gw_effect *effect = live_effect(&message, TEXT("abc"), NULL);
    assert_non_null(effect);
    live_effect_read(effect, &back, &spec);
    assert_memory_equal(&message, &back, sizeof(message));
    assert_true(text_is(spec, "abc"));
    gw_effect_unref(effect);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes, setup, teardown), cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_holds, setup, teardown), cmocka_unit_test_setup_teardown(test_event, setup, teardown),
        cmocka_unit_test_setup_teardown(test_frames, setup, teardown), cmocka_unit_test_setup_teardown(test_conflation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_message, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
