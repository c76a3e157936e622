/* Negotiation of permessage-deflate (RFC 7692 section 7.1), and the codec beside what the stream's tests prove. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <pthread.h>
#include <cmocka.h>
#include <zlib.h>

#include "base/hash.h"
#include "net/ws_deflate.h"

static const struct ws_deflate_config usual = {
    .enabled = true, .server_max_window_bits = 15, .client_max_window_bits = 15, .level = 6, .threshold = 100};
static const struct ws_deflate_config thrifty = {.enabled = true, .server_no_context_takeover = true,
    .client_no_context_takeover = true, .server_max_window_bits = 12, .client_max_window_bits = 11, .level = 1};

/* expected NULL: no agreement */
static struct ws_deflate_params negotiate(const struct ws_deflate_config *config, const char *offers, const char *expected)
{
    struct ws_deflate_params params = {0};
    struct buf answer;
    buf_init(&answer, 1000);
    buf_add_char(&answer, '>');
    int rc = ws_deflate_negotiate(config, text_of(offers), &params, &answer);
    buf_add_char(&answer, 0);
    if (rc != (expected != NULL) || (expected && strcmp(answer.data + 1, expected)))
        print_error("offers: %s\n", offers);
    assert_int_equal(rc, expected != NULL);
    assert_string_equal(answer.data + 1, expected ? expected : "");
    buf_fini(&answer);
    return params;
}

#define PMD "permessage-deflate"

static void test_negotiation(void **state)
{
    (void)state;
    struct ws_deflate_params p = negotiate(&usual, PMD, PMD);
    assert_true(!p.server_no_context_takeover && !p.client_no_context_takeover);
    assert_true(p.server_max_window_bits == 15 && p.client_max_window_bits == 15);
    negotiate(&usual, PMD "; client_max_window_bits", PMD); /* as browsers offer it */
    p = negotiate(&usual, PMD "; server_no_context_takeover", PMD "; server_no_context_takeover");
    assert_true(p.server_no_context_takeover && !p.client_no_context_takeover);
    p = negotiate(&usual, PMD ";client_no_context_takeover", PMD "; client_no_context_takeover");
    assert_true(p.client_no_context_takeover);
    p = negotiate(&usual, PMD "; server_max_window_bits=9", PMD "; server_max_window_bits=9");
    assert_int_equal(p.server_max_window_bits, 9);
    negotiate(&usual, PMD "; server_max_window_bits=15", PMD "; server_max_window_bits=15");
    p = negotiate(&usual, PMD "; client_max_window_bits=10", PMD "; client_max_window_bits=10");
    assert_int_equal(p.client_max_window_bits, 10);
    negotiate(&usual, PMD "; server_max_window_bits=\"10\"", PMD "; server_max_window_bits=10");
    negotiate(&usual, "PerMessage-Deflate", PMD);
    negotiate(&usual, "  " PMD " ;  client_max_window_bits = 12 ; server_no_context_takeover ",
        PMD "; server_no_context_takeover; client_max_window_bits=12");
}

static void test_first_acceptable_offer(void **state)
{
    (void)state;
    negotiate(&usual, "x-webkit-deflate-frame, " PMD "; client_max_window_bits=9", PMD "; client_max_window_bits=9");
    negotiate(&usual, PMD "; unknown, " PMD, PMD);
    negotiate(&usual, PMD "; server_max_window_bits=8, " PMD "; server_max_window_bits=10, " PMD, PMD "; server_max_window_bits=10");
    negotiate(&usual, "foo; bar=\"a, " PMD "\", " PMD "; server_no_context_takeover", PMD "; server_no_context_takeover");
    negotiate(&usual, ", ,, " PMD, PMD);
    negotiate(&usual, "\x01\x02, " PMD, PMD);
}

static void test_declined(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ",", ";", "permessage-deflat", "permessage-deflates", "x-deflate",
        PMD "; server_max_window_bits", PMD "; server_max_window_bits=8", PMD "; server_max_window_bits=7",
        PMD "; server_max_window_bits=16", PMD "; server_max_window_bits=010", PMD "; server_max_window_bits=", PMD "; server_max_window_bits=+9",
        PMD "; server_max_window_bits=\"9", PMD "; server_max_window_bits=\" 10\"", PMD "; client_max_window_bits=16", PMD "; client_max_window_bits=abc",
        PMD "; client_max_window_bits=1", PMD "; server_no_context_takeover=1", PMD "; client_no_context_takeover=true",
        PMD "; server_no_context_takeover; server_no_context_takeover", PMD "; client_max_window_bits; client_max_window_bits=9",
        PMD "; foo=bar", PMD ";", PMD "; ;", PMD " server_no_context_takeover", PMD "=1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        negotiate(&usual, bad[i], NULL);
    static const struct ws_deflate_config off = {.server_max_window_bits = 15, .client_max_window_bits = 15, .level = 6};
    negotiate(&off, PMD, NULL);
}

static void test_our_wishes(void **state)
{
    (void)state;
    struct ws_deflate_params p = negotiate(
        &thrifty, PMD, PMD "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12");
    assert_int_equal(p.client_max_window_bits, 15); /* it did not say that it can be told */
    assert_int_equal(p.server_max_window_bits, 12);
    p = negotiate(&thrifty, PMD "; client_max_window_bits; server_max_window_bits=14",
        PMD "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=11");
    assert_int_equal(p.client_max_window_bits, 11);
    p = negotiate(&usual, PMD "; client_max_window_bits=8", PMD); /* not echoed: no zlib client could keep it */
    assert_int_equal(p.client_max_window_bits, 9);
}

/* Every prefix of a long header is read without harm. */
static void test_prefixes(void **state)
{
    (void)state;
    static const char offers[] = "foo; a=\"b\\\"c, d\", " PMD "; client_max_window_bits=\"12\"; server_max_window_bits=10, " PMD;
    for (size_t len = 0; len < sizeof(offers); len++) {
        char *copy = malloc(len ? len : 1);
        memcpy(copy, offers, len);
        struct ws_deflate_params params;
        struct buf answer;
        buf_init(&answer, 1000);
        int rc = ws_deflate_negotiate(&usual, text_make(copy, len), &params, &answer);
        assert_true(rc == 0 || rc == 1);
        assert_int_equal(rc == 1, answer.len > 0);
        buf_fini(&answer);
        free(copy);
    }
}

static struct ws_deflate *make(const struct ws_deflate_params *params)
{
    struct ws_deflate *deflate;
    assert_int_equal(ws_deflate_create(&deflate, &usual, params), 0);
    return deflate;
}

static void test_threshold_and_memory(void **state)
{
    (void)state;
    struct ws_deflate_params keep = {.server_max_window_bits = 15, .client_max_window_bits = 15}, drop = {true, true, 15, 15};
    struct buf out, back;
    buf_init(&out, 100000);
    buf_init(&back, 100000);
    for (int i = 0; i < 2; i++) {
        struct ws_deflate *deflate = make(i ? &drop : &keep);
        assert_false(ws_deflate_wants(deflate, 99));
        assert_true(ws_deflate_wants(deflate, 100));
        assert_in_range(ws_deflate_memory(deflate), 1, 100); /* nothing is made before its first use */
        buf_clear(&out);
        buf_clear(&back);
        assert_int_equal(ws_deflate_deflate(deflate, "hello hello hello", 17, &out), 0);
        assert_int_equal(ws_deflate_inflate(deflate, out.data, out.len, true, &back), 0);
        assert_int_equal(back.len, 17);
        assert_memory_equal(back.data, "hello hello hello", 17);
        if (i)
            assert_in_range(ws_deflate_memory(deflate), 1, 100);
        else
            assert_in_range(ws_deflate_memory(deflate), 200000, 400000);
        ws_deflate_destroy(deflate);
    }
    buf_fini(&out);
    buf_fini(&back);
}

/* Incompressible messages, a limit that refuses, and the stream afterwards. */
static void test_output_limit(void **state)
{
    (void)state;
    static char noise[50000];
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (char)random_u64();
    struct ws_deflate_params keep = {.server_max_window_bits = 15, .client_max_window_bits = 15};
    struct ws_deflate *deflate = make(&keep);
    struct buf out, back;
    buf_init(&out, 60000);
    buf_init(&back, sizeof(noise));
    for (int i = 0; i < 3; i++) {
        struct buf small;
        buf_init(&small, 1000);
        assert_int_equal(ws_deflate_deflate(deflate, noise, sizeof(noise), &small), ERR_TOO_LARGE);
        assert_int_equal(small.len, 0);
        buf_fini(&small);
        buf_clear(&out);
        buf_clear(&back);
        assert_int_equal(ws_deflate_deflate(deflate, noise, sizeof(noise), &out), 0);
        assert_int_equal(ws_deflate_inflate(deflate, out.data, out.len, true, &back), 0);
        assert_int_equal(back.len, sizeof(noise));
        assert_memory_equal(back.data, noise, sizeof(noise));
    }
    buf_clear(&out);
    assert_int_equal(ws_deflate_deflate(deflate, noise, sizeof(noise), &out), 0);
    back.len = 1;
    assert_int_equal(ws_deflate_inflate(deflate, out.data, out.len, true, &back), ERR_TOO_LARGE);
    ws_deflate_destroy(deflate);
    buf_fini(&out);
    buf_fini(&back);
}

/* ws_deflate_bound is enough in every window, at every size, for what shrinks and for what grows. */
static void test_bound(void **state)
{
    (void)state;
    enum { MOST = 1 << 20 };
    char *data = malloc(MOST);
    for (int kind = 0; kind < 3; kind++) {
        for (size_t i = 0; i < MOST; i++)
            data[i] = kind == 0 ? 'x' : (char)(random_u64() | (kind == 1 ? 0x90 : 0)); /* 0x90 and above: nine bits in a fixed block */
        for (uint8_t bits = 9; bits <= 15; bits++) {
            for (size_t len = 1; len <= MOST; len *= 32) {
                struct ws_deflate_params params = {true, true, bits, 15};
                struct ws_deflate *deflate = make(&params);
                struct buf out, back;
                buf_init(&out, ws_deflate_bound(len));
                buf_init(&back, len);
                assert_int_equal(ws_deflate_deflate(deflate, data, len, &out), 0);
                assert_int_equal(ws_deflate_inflate(deflate, out.data, out.len, true, &back), 0);
                assert_int_equal(back.len, len);
                assert_memory_equal(back.data, data, len);
                ws_deflate_destroy(deflate);
                buf_fini(&out);
                buf_fini(&back);
            }
        }
    }
    free(data);
}

/* A peer that ends each block with BFINAL buys no more work than its bytes are worth; the output stays right. */
static void test_many_final_blocks(void **state)
{
    (void)state;
    struct ws_deflate_params keep = {.server_max_window_bits = 15, .client_max_window_bits = 15};
    struct ws_deflate *deflate = make(&keep);
    struct buf in, out;
    buf_init(&in, 1 << 20);
    buf_init(&out, 1 << 20);
    for (int i = 0; i < 10000; i++)
        buf_add(&in, "\xf3\x48\xcd\xc9\xc9\x07\x00\x03\x00", 9); /* "Hello" final, then an empty final block */
    assert_int_equal(ws_deflate_inflate(deflate, in.data, in.len, true, &out), 0);
    assert_int_equal(out.len, 50000);
    for (size_t i = 0; i < out.len; i += 5)
        assert_memory_equal(out.data + i, "Hello", 5);
    ws_deflate_destroy(deflate);
    buf_fini(&in);
    buf_fini(&out);
}

static void *use_in_thread(void *unused)
{
    struct ws_deflate_params drop = {true, true, 15, 15};
    struct ws_deflate *deflate = make(&drop);
    struct buf out, back;
    buf_init(&out, 1000);
    buf_init(&back, 1000);
    int err = ws_deflate_deflate(deflate, "thread", 6, &out);
    if (!err)
        err = ws_deflate_inflate(deflate, out.data, out.len, true, &back);
    bool good = !err && text_equal(buf_text(&back), TEXT("thread"));
    ws_deflate_destroy(deflate);
    buf_fini(&out);
    buf_fini(&back);
    return good ? unused : NULL;
}

/* What a thread keeps goes with it (the leak checker is the judge). */
static void test_thread_stock_ends(void **state)
{
    pthread_t thread[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, use_in_thread, state), 0);
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(thread[i], &result);
        assert_ptr_equal(result, state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_negotiation),
        cmocka_unit_test(test_first_acceptable_offer),
        cmocka_unit_test(test_declined),
        cmocka_unit_test(test_our_wishes),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_threshold_and_memory),
        cmocka_unit_test(test_output_limit),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_many_final_blocks),
        cmocka_unit_test(test_thread_stock_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
