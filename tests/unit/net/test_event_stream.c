/* Event stream messages, byte for byte: lengths, headers, sums; and what is too large leaves no trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "net/event_stream.h"

/* The sum, bit by bit: another way than the code's. */
static uint32_t sum_of(const char *data, size_t len)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned char)data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ UINT32_C(0xedb88320) : crc >> 1;
    }
    return ~crc;
}

static uint32_t word(const char *at)
{
    const unsigned char *byte = (const unsigned char *)at;
    return (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3];
}

/* Checks the frame at `at`; returns its length. */
static size_t check(const char *at, size_t left, const char *headers, size_t headers_len, const char *payload)
{
    assert_true(left >= 16);
    size_t total = word(at), len = strlen(payload);
    assert_true(total <= left);
    assert_int_equal(word(at + 4), headers_len);
    assert_int_equal(total, 12 + headers_len + len + 4);
    assert_int_equal(word(at + 8), sum_of(at, 8));
    assert_memory_equal(at + 12, headers, headers_len);
    assert_memory_equal(at + 12 + headers_len, payload, len);
    assert_int_equal(word(at + total - 4), sum_of(at, total - 4));
    return total;
}

#define TAIL "\x0d:content-type\x07\x00\x10" "application/json\x0d:message-type\x07"
static const char event_headers[] = "\x0b:event-type\x07\x00\x04" "Tick" TAIL "\x00\x05" "event";
static const char exception_headers[] = "\x0f:exception-type\x07\x00\x04" "Gone" TAIL "\x00\x09" "exception";

static void messages(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 4096);
    assert_int_equal(event_stream_add(&out, EVENT_STREAM_EVENT, TEXT("Tick"), TEXT("application/json"), TEXT("{\"n\":1}")), 0);
    assert_int_equal(event_stream_add(&out, EVENT_STREAM_EXCEPTION, TEXT("Gone"), TEXT("application/json"), TEXT("")), 0);
    size_t first = check(out.data, out.len, event_headers, sizeof(event_headers) - 1, "{\"n\":1}");
    size_t second = check(out.data + first, out.len - first, exception_headers, sizeof(exception_headers) - 1, "");
    assert_int_equal(first + second, out.len);
    buf_fini(&out);
}

static void in_place(void **state)
{
    struct event_stream_message message;
    struct buf out;
    (void)state;
    buf_init(&out, 4096);
    buf_add_text(&out, TEXT("before"));
    event_stream_begin(&out, EVENT_STREAM_EVENT, TEXT("Tick"), TEXT("application/json"), &message);
    buf_add_text(&out, TEXT("{}"));
    assert_int_equal(event_stream_end(&out, &message), 0);
    assert_memory_equal(out.data, "before", 6);
    assert_int_equal(check(out.data + 6, out.len - 6, event_headers, sizeof(event_headers) - 1, "{}"), out.len - 6);
    buf_fini(&out);
}

static void too_large(void **state)
{
    struct buf out;
    struct text type = {.data = calloc(1, 40000), .len = 40000};
    (void)state;
    buf_init(&out, 100);
    assert_int_equal(event_stream_add(&out, EVENT_STREAM_EVENT, TEXT("Tick"), TEXT("application/json"), text_make(type.data, 200)), ERR_MEMORY);
    assert_int_equal(out.len, 0);
    assert_false(out.failed);
    assert_int_equal(event_stream_add(&out, EVENT_STREAM_EVENT, TEXT("Tick"), TEXT("x"), TEXT("")), 0);
    buf_fini(&out);
    buf_init(&out, EVENT_STREAM_PAYLOAD_MAX * 2);
    assert_true(event_stream_add(&out, EVENT_STREAM_EVENT, type, TEXT("x"), TEXT("")) < 0);
    assert_int_equal(out.len, 0);
    char *large = calloc(1, EVENT_STREAM_PAYLOAD_MAX + 1);
    assert_int_equal(event_stream_add(&out, EVENT_STREAM_EVENT, TEXT("Tick"), TEXT("x"), text_make(large, EVENT_STREAM_PAYLOAD_MAX + 1)), ERR_TOO_LARGE);
    assert_int_equal(out.len, 0);
    assert_int_equal(event_stream_add(&out, EVENT_STREAM_EVENT, TEXT("Tick"), TEXT("x"), text_make(large, EVENT_STREAM_PAYLOAD_MAX)), 0);
    free(large);
    free((void *)(uintptr_t)type.data);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(messages), cmocka_unit_test(in_place), cmocka_unit_test(too_large)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
