/*
 * Every vector is a run of wire bytes and the transcript it must give: "T(hello)" a text, "B(..)" a binary message, "P(..)" ping,
 * "O(..)" pong, "C1000(bye)" close, "E1002" the refusal. Each runs whole, byte by byte, split in two at every point, and cut at
 * random; always in heap blocks of exactly the promised size, so that a sanitizer sees a byte too far.
 * The sections follow the Autobahn suite.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/json.h"
#include "net/ws_deflate.h"
#include "net/ws_stream.h"

#define TRANSCRIPT_SHORT 200 /* bytes of a payload that are written out; longer ones as length and checksum */

static const struct ws_limits limits = {.message_max = 1 << 20, .require_mask = true};
static const struct ws_limits small_limits = {.message_max = 200, .require_mask = true};
static const struct ws_limits frame_limits = {.message_max = 200, .frame_max = 100, .require_mask = true};
static const struct ws_limits text_limits = {.message_max = 1 << 20, .refuse_binary = true, .require_mask = true};
static const struct ws_limits open_limits = {.message_max = 1 << 20};

static const struct ws_deflate_config deflate_config = {
    .enabled = true, .server_max_window_bits = 15, .client_max_window_bits = 15, .level = 6};
static const struct ws_deflate_params takeover = {.server_max_window_bits = 15, .client_max_window_bits = 15};
static const struct ws_deflate_params no_takeover = {true, true, 15, 15};

static struct buf wire;

/* ---- building frames ---- */

static void frame(int first, const void *payload, size_t len)
{
    static uint32_t seed = 0x12345678;
    seed = seed * 1664525 + 1013904223;
    uint8_t header[14];
    size_t size = ws_header_format(header, WS_TEXT, true, false, len);
    header[0] = (uint8_t)first;
    header[1] |= 0x80;
    memcpy(header + size, &seed, 4);
    buf_add(&wire, header, size + 4);
    size_t at = wire.len;
    if (len)
        buf_add(&wire, payload, len);
    if (len)
        ws_unmask(wire.data + at, len, header + size, 0);
}

static void frame_str(int first, const char *payload)
{
    frame(first, payload, strlen(payload));
}

enum { TEXT_FIN = 0x81, BINARY_FIN = 0x82, TEXT_MORE = 0x01, BINARY_MORE = 0x02, MORE = 0x00, FIN = 0x80,
    PING = 0x89, PONG = 0x8a, CLOSE = 0x88, TEXT_Z = 0xc1, TEXT_Z_MORE = 0x41, BINARY_Z = 0xc2 };

/* ---- the transcript ---- */

static void note(struct buf *out, const char *kind, const char *data, size_t len)
{
    volatile unsigned sum = 0;
    for (size_t i = 0; i < JSON_PADDING; i++) /* the promise: readable behind the data */
        sum += (unsigned char)data[len + i];
    buf_add_text(out, text_of(kind));
    if (len <= TRANSCRIPT_SHORT)
        buf_add_format(out, "(%.*s)", (int)len, data);
    else
        buf_add_format(out, "(%zu:%08x)", len, hash_crc32c(0, data, len));
}

static enum ws_verdict on_message(void *context, bool binary, char *data, size_t len)
{
    note(context, binary ? "B" : "T", data, len);
    return WS_GO_ON;
}

static enum ws_verdict on_control(void *context, enum ws_opcode opcode, int close_code, char *data, size_t len)
{
    char kind[16] = "P";
    if (opcode == WS_PONG)
        kind[0] = 'O';
    if (opcode == WS_CLOSE)
        snprintf(kind, sizeof(kind), "C%d", close_code);
    note(context, kind, data, len);
    return WS_GO_ON;
}

static const struct ws_events events = {on_message, on_control};

/* Feeds one piece; false when the stream has ended with an error. */
static bool feed_piece(struct ws_stream *stream, const struct ws_limits *lim, const char *data, size_t len, struct buf *out)
{
    char *block = malloc(len + JSON_PADDING);
    memcpy(block, data, len);
    memset(block + len, 0xaa, JSON_PADDING);
    size_t consumed;
    bool stopped;
    int code = ws_stream_feed(stream, lim, block, len, &events, out, &consumed, &stopped);
    assert_false(stopped);
    for (size_t i = 0; i < JSON_PADDING; i++)
        assert_int_equal((unsigned char)block[len + i], 0xaa);
    free(block);
    if (code) {
        buf_add_format(out, "E%d", code);
        return false;
    }
    assert_int_equal(consumed, len);
    return true;
}

/* The first piece ends at `first` (0: there is none), the others have `step` bytes; step 0: at random. */
static void run(const struct ws_limits *lim, const struct ws_deflate_params *params, size_t first, size_t step, struct buf *out)
{
    struct ws_deflate *deflate = NULL;
    if (params)
        assert_int_equal(ws_deflate_create(&deflate, &deflate_config, params), 0);
    struct ws_stream stream;
    ws_stream_init(&stream, deflate);
    buf_clear(out);
    bool alive = true;
    for (size_t at = 0; at < wire.len && alive;) {
        size_t len = at < first ? first - at : step ? step : 1 + random_u64() % 700;
        if (len > wire.len - at)
            len = wire.len - at;
        alive = feed_piece(&stream, lim, wire.data + at, len, out);
        at += len;
    }
    if (!alive) { /* a dead stream swallows what follows */
        size_t before = out->len;
        assert_true(feed_piece(&stream, lim, "\x81\x80....", 6, out));
        assert_int_equal(out->len, before);
    }
    if (!stream.deflate)
        assert_true(ws_stream_memory(&stream) == 0 || stream.partial);
    ws_stream_fini(&stream);
    assert_int_equal(ws_stream_memory(&stream), 0);
}

static void compare(struct buf *out, const char *expected, const char *how)
{
    buf_add_char(out, 0);
    if (strcmp(out->data, expected)) {
        print_error("%s\n", how);
        assert_string_equal(out->data, expected);
    }
}

static void check_with(const struct ws_limits *lim, const struct ws_deflate_params *params, const char *expected)
{
    struct buf out;
    buf_init(&out, 1 << 24);
    run(lim, params, 0, SIZE_MAX, &out);
    compare(&out, expected, "whole");
    if (wire.len < 300000) {
        run(lim, params, 0, 1, &out);
        compare(&out, expected, "byte by byte");
    }
    for (size_t cut = 1; cut < wire.len && wire.len < 3000; cut++) {
        run(lim, params, cut, SIZE_MAX, &out);
        compare(&out, expected, "split in two");
    }
    for (int i = 0; i < (wire.len < 20000 ? 20 : 3); i++) {
        run(lim, params, 0, 0, &out);
        compare(&out, expected, "random pieces");
    }
    buf_fini(&out);
    buf_clear(&wire);
}

static void check(const char *expected)
{
    check_with(&limits, NULL, expected);
}

/* "T(len:crc)" of len times 'x' and so on. */
static char *filled(const char *kind, const void *data, size_t len, char *out)
{
    if (len <= TRANSCRIPT_SHORT)
        sprintf(out, "%s(%.*s)", kind, (int)len, (const char *)data);
    else
        sprintf(out, "%s(%zu:%08x)", kind, len, hash_crc32c(0, data, len));
    return out;
}

/* ---- 1: sizes ---- */

static void test_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 7, 63, 64, 125, 126, 127, 128, 1000, 65535, 65536, 100000};
    char expected[400];
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        char *data = malloc(sizes[i] + 1);
        memset(data, '*', sizes[i]);
        frame(TEXT_FIN, data, sizes[i]);
        check(filled("T", data, sizes[i], expected));
        frame(BINARY_FIN, data, sizes[i]);
        check(filled("B", data, sizes[i], expected));
        free(data);
    }
    frame_str(TEXT_FIN, "one");
    frame_str(BINARY_FIN, "two");
    frame_str(TEXT_FIN, "");
    frame_str(TEXT_FIN, "three");
    check("T(one)B(two)T()T(three)");
}

/* ---- 2: ping and pong ---- */

static void test_control(void **state)
{
    (void)state;
    char big[127], expected[300];
    memset(big, 'p', sizeof(big));
    frame_str(PING, "");
    frame_str(PING, "hello");
    frame_str(PONG, "unasked");
    check("P()P(hello)O(unasked)");
    frame(PING, big, 125);
    check(filled("P", big, 125, expected));
    frame(PING, big, 126);
    check("E1002");
    frame_str(0x09, "fragmented");
    check("E1002");
}

/* ---- 3 and 4: reserved bits, opcodes ---- */

static void test_reserved(void **state)
{
    (void)state;
    for (int rsv = 1; rsv < 8; rsv++) {
        frame_str(TEXT_FIN, "before");
        frame_str(TEXT_FIN | rsv << 4, "x");
        frame_str(TEXT_FIN, "after");
        check("T(before)E1002");
        frame_str(PING | rsv << 4, "x");
        check("E1002");
        frame_str(CLOSE | rsv << 4, "");
        check_with(&limits, &takeover, "E1002");
    }
    static const int opcodes[] = {3, 4, 5, 6, 7, 11, 12, 13, 14, 15};
    for (size_t i = 0; i < sizeof(opcodes) / sizeof(*opcodes); i++) {
        frame_str(TEXT_FIN, "before");
        frame_str(0x80 | opcodes[i], "x");
        check("T(before)E1002");
        frame_str(opcodes[i], "x");
        check("E1002");
    }
}

/* ---- 5: fragments ---- */

static void test_fragments(void **state)
{
    (void)state;
    frame_str(0x09, "fragment1");
    frame_str(0x80, "fragment2");
    check("E1002");
    frame_str(TEXT_MORE, "fragment1");
    frame_str(FIN, "fragment2");
    check("T(fragment1fragment2)");
    frame_str(BINARY_MORE, "fragment1");
    frame_str(PING, "ping");
    frame_str(MORE, "fragment2");
    frame_str(PONG, "pong");
    frame_str(PING, "");
    frame_str(FIN, "fragment3");
    frame_str(TEXT_FIN, "next");
    check("P(ping)O(pong)P()B(fragment1fragment2fragment3)T(next)");
    frame_str(FIN, "nothing to continue");
    check("E1002");
    frame_str(MORE, "nothing to continue");
    check("E1002");
    frame_str(TEXT_MORE, "fragment1");
    frame_str(TEXT_FIN, "not a continuation");
    check("E1002");
    frame_str(TEXT_MORE, "fragment1");
    frame_str(BINARY_MORE, "not a continuation");
    check("E1002");
    frame_str(TEXT_MORE, "a");
    frame_str(FIN, "b");
    frame_str(FIN, "c");
    check("T(ab)E1002");
    frame_str(TEXT_MORE, "");
    frame_str(MORE, "");
    frame_str(FIN, "");
    check("T()");
    frame_str(TEXT_MORE, "");
    frame_str(MORE, "middle");
    frame_str(FIN, "");
    check("T(middle)");
    frame_str(TEXT_MORE, "dropped");
    frame_str(CLOSE, "\x03\xe8" "bye");
    frame_str(FIN, "ignored");
    check("C1000(bye)");
}

static void test_masks(void **state)
{
    (void)state;
    buf_add(&wire, "\x81\x05hello", 7);
    check("E1002");
    buf_add(&wire, "\x81\x7e\x00\x80", 4);
    check("E1002");
    buf_add(&wire, "\x89\x00", 2);
    check("E1002");
    buf_add(&wire, "\x81\x05hello\x89\x01!\x81\x00", 12);
    check_with(&open_limits, NULL, "T(hello)P(!)T()");
    frame_str(TEXT_FIN, "masked");
    check_with(&open_limits, NULL, "T(masked)");
}

/* ---- 6: UTF-8 ---- */

static void text_in_one(const char *data, size_t len, const char *expected)
{
    frame(TEXT_FIN, data, len);
    check(expected);
    for (size_t cut = 0; cut <= len; cut++) {
        frame(TEXT_MORE, data, cut);
        frame_str(PING, "");
        frame(FIN, data + cut, len - cut);
        struct buf out;
        buf_init(&out, 4096);
        run(&limits, NULL, 0, SIZE_MAX, &out);
        buf_add_char(&out, 0);
        const char *seen = out.data[0] == 'P' ? out.data + 3 : out.data;
        assert_string_equal(seen, expected);
        buf_fini(&out);
        buf_clear(&wire);
    }
}

static void test_utf8(void **state)
{
    (void)state;
    static const char *const good[] = {"Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!",
        "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80", "\x7f", "\xdf\xbf",
        "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd", "\xef\xbf\xbe"};
    static const char *const bad[] = {"\x80", "\xbf", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xe0\x9f\xbf",
        "\xf0\x80\x80\xaf", "\xf0\x8f\xbf\xbf", "\xf8\x80\x80\x80\xaf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xed\xa0\x80\xed\xb0\x80",
        "\xf4\x90\x80\x80", "\xf7\xbf\xbf\xbf", "\xfe", "\xff", "\xce", "\xe1\xbd", "\xf0\x9f\x98", "abc\xe2\x28\xa1",
        "01234567890123456789012345678901234567890123456789012345678901234567890123456789\xce\xba\xff"};
    char expected[200];
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        sprintf(expected, "T(%s)", good[i]);
        text_in_one(good[i], strlen(good[i]), expected);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        text_in_one(bad[i], strlen(bad[i]), "E1007");
    text_in_one("a\0b", 3, "T(a)"); /* printed up to the NUL */
    frame_str(BINARY_FIN, "\xff\xfe\x80");
    check("B(\xff\xfe\x80)");
}

/* 6.4: refused at the byte that makes it impossible, not at the message's end. */
static void test_utf8_fails_fast(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    frame(TEXT_MORE, "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4", 12);
    frame(MORE, "\x90", 1);
    run(&limits, NULL, 0, 1, &out);
    compare(&out, "E1007", "second fragment");
    buf_clear(&wire);
    char data[100] = "\xf4\x90";
    frame(TEXT_FIN, data, sizeof(data));
    wire.len = 6 + 2; /* only two payload bytes arrive */
    run(&limits, NULL, 0, 1, &out);
    compare(&out, "E1007", "unfinished frame");
    buf_fini(&out);
    buf_clear(&wire);
}

/* ---- 7: closing ---- */

static void test_close(void **state)
{
    (void)state;
    frame_str(CLOSE, "");
    frame_str(TEXT_FIN, "ignored");
    frame_str(0xff, "ignored");
    check("C1005()");
    frame(CLOSE, "\x03", 1);
    check("E1002");
    frame(CLOSE, "\x03\xe8", 2);
    check("C1000()");
    frame_str(CLOSE, "\x03\xe8" "a reason");
    check("C1000(a reason)");
    char reason[126];
    memset(reason, 'r', sizeof(reason));
    memcpy(reason, "\x0f\xa0", 2);
    frame(CLOSE, reason, 125);
    char expected[200];
    sprintf(expected, "C4000(%.*s)", 123, reason + 2);
    check(expected);
    frame(CLOSE, reason, 126);
    check("E1002");
    frame_str(CLOSE, "\x03\xe8\xce\xba\xe1\xbd\xb9\xed\xa0\x80");
    check("E1007");
    static const int good[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999};
    static const int bad[] = {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535};
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        frame(CLOSE, (char[]){(char)(good[i] >> 8), (char)good[i]}, 2);
        sprintf(expected, "C%d()", good[i]);
        check(expected);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        frame(CLOSE, (char[]){(char)(bad[i] >> 8), (char)bad[i]}, 2);
        check("E1002");
    }
    frame_str(PING, "x");
    frame_str(CLOSE, "\x03\xe9");
    frame_str(PING, "ignored");
    check("P(x)C1001()");
}

/* ---- 9 and 10: limits ---- */

static void test_limits(void **state)
{
    (void)state;
    char data[400], expected[300];
    memset(data, 'l', sizeof(data));
    frame(TEXT_FIN, data, 200);
    check_with(&small_limits, NULL, filled("T", data, 200, expected));
    frame(TEXT_FIN, data, 201);
    check_with(&small_limits, NULL, "E1009");
    frame(TEXT_MORE, data, 150);
    frame(FIN, data, 50);
    check_with(&small_limits, NULL, expected);
    frame(TEXT_MORE, data, 150);
    frame(FIN, data, 51);
    check_with(&small_limits, NULL, "E1009");
    frame(TEXT_FIN, data, 101);
    check_with(&frame_limits, NULL, "E1009");
    frame(TEXT_MORE, data, 100);
    frame(FIN, data, 100);
    check_with(&frame_limits, NULL, expected);
    static const struct ws_limits tiny = {.message_max = 10, .require_mask = true}; /* the inline path has the check too */
    frame(TEXT_FIN, data, 11);
    check_with(&tiny, NULL, "E1009");
    frame(PING, data, 11);
    check_with(&tiny, NULL, "P(lllllllllll)");
    frame_str(BINARY_FIN, "no");
    check_with(&text_limits, NULL, "E1003");
    frame_str(BINARY_MORE, "no");
    check_with(&text_limits, NULL, "E1003");
    frame_str(TEXT_FIN, "yes");
    check_with(&text_limits, NULL, "T(yes)");
}

/* The header alone decides, and an allowed length is not allocated before it arrives. */
static void test_claimed_length(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    buf_add(&wire, "\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff" "mask", 14);
    check("E1009");

    static const struct ws_limits huge = {.message_max = UINT64_C(1) << 40, .require_mask = true};
    struct ws_stream stream;
    ws_stream_init(&stream, NULL);
    assert_true(feed_piece(&stream, &huge, "\x82\xff\0\0\x00\xff\xff\xff\xff\xff" "mask", 14, &out));
    assert_in_range(ws_stream_memory(&stream), 1, 1024);
    assert_true(feed_piece(&stream, &huge, "data", 4, &out));
    assert_in_range(ws_stream_memory(&stream), 4, 200000);
    ws_stream_fini(&stream);
    buf_fini(&out);
    buf_clear(&wire);
}

/* ---- nothing is held between messages ---- */

static void test_idle_holds_nothing(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    struct ws_stream stream;
    ws_stream_init(&stream, NULL);
    frame_str(TEXT_FIN, "cut");
    frame_str(TEXT_MORE, "in ");
    frame_str(PING, "between");
    frame_str(FIN, "two");
    for (size_t i = 0; i < wire.len; i++)
        assert_true(feed_piece(&stream, &limits, wire.data + i, 1, &out));
    assert_null(stream.partial);
    assert_int_equal(ws_stream_memory(&stream), 0);
    ws_stream_fini(&stream);
    buf_fini(&out);
    buf_clear(&wire);
}

/* ---- verdicts ---- */

struct verdicts {
    enum ws_verdict verdict;
    struct ws_stream *stream; /* ended inside the callback when set */
    int calls;
};

static enum ws_verdict verdict_apply(struct verdicts *v)
{
    v->calls++;
    if (v->stream) {
        ws_stream_fini(v->stream);
        memset(v->stream, 0xdd, sizeof(*v->stream));
    }
    return v->verdict;
}

static enum ws_verdict verdict_message(void *context, bool binary, char *data, size_t len)
{
    (void)binary;
    enum ws_verdict verdict = verdict_apply(context);
    volatile unsigned sum = 0; /* the data outlives the stream */
    for (size_t i = 0; i < len + JSON_PADDING; i++)
        sum += (unsigned char)data[i];
    return verdict;
}

static enum ws_verdict verdict_control(void *context, enum ws_opcode opcode, int code, char *data, size_t len)
{
    (void)code;
    return verdict_message(context, opcode == WS_BINARY, data, len);
}

static void test_pause(void **state)
{
    (void)state;
    static const struct ws_events pausing = {verdict_message, verdict_control};
    frame_str(TEXT_FIN, "one");
    frame_str(TEXT_MORE, "t");
    frame_str(PING, "p");
    frame_str(FIN, "wo");
    frame_str(BINARY_FIN, "three");
    struct verdicts v = {WS_PAUSE, NULL, 0};
    struct ws_stream stream;
    ws_stream_init(&stream, NULL);
    char *block = malloc(wire.len + JSON_PADDING);
    memcpy(block, wire.data, wire.len);
    for (size_t at = 0, turns = 0; at < wire.len; turns++) {
        size_t consumed;
        bool stopped;
        assert_int_equal(ws_stream_feed(&stream, &limits, block + at, wire.len - at, &pausing, &v, &consumed, &stopped), 0);
        assert_false(stopped);
        assert_in_range(consumed, 1, wire.len - at);
        assert_int_equal(v.calls, turns + 1);
        at += consumed;
    }
    assert_int_equal(v.calls, 4);
    ws_stream_fini(&stream);
    free(block);
    buf_clear(&wire);
}

/* The connection, stream included, is ended inside the callback, on each path. */
static void test_stop(void **state)
{
    (void)state;
    static const struct ws_events stopping = {verdict_message, verdict_control};
    for (int path = 0; path < 6; path++) {
        struct ws_deflate *deflate = NULL;
        assert_int_equal(ws_deflate_create(&deflate, &deflate_config, &takeover), 0);
        size_t cut = 0;
        switch (path) {
        case 0: frame_str(TEXT_FIN, "inline"); break;
        case 1: frame_str(PING, "in place"); break;
        case 2: frame_str(CLOSE, ""); break;
        case 3: frame_str(TEXT_FIN, "collected"); cut = 9; break;
        case 4: frame_str(TEXT_MORE, "x"); frame_str(PING, "collected"); cut = wire.len - 3; break;
        default: frame(TEXT_Z, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7); break;
        }
        frame_str(TEXT_FIN, "never seen");
        struct ws_stream *stream = malloc(sizeof(*stream));
        ws_stream_init(stream, deflate);
        struct verdicts v = {WS_STOP, stream, 0};
        char *block = malloc(wire.len + JSON_PADDING);
        memcpy(block, wire.data, wire.len);
        size_t consumed;
        bool stopped = false;
        if (cut)
            assert_int_equal(ws_stream_feed(stream, &limits, block, cut, &stopping, &v, &consumed, &stopped), 0);
        assert_false(stopped);
        assert_int_equal(ws_stream_feed(stream, &limits, block + cut, wire.len - cut, &stopping, &v, &consumed, &stopped), 0);
        assert_true(stopped);
        assert_int_equal(v.calls, 1);
        free(stream);
        free(block);
        buf_clear(&wire);
    }
}

/* ---- 12 and 13: compression ---- */

/* A client's compressor. `bits` negative raw; flush Z_SYNC_FLUSH leaves the tail on. */
static size_t squeeze(z_stream *z, const void *data, size_t len, int flush, char *out, size_t cap)
{
    z->next_in = (Bytef *)(uintptr_t)data;
    z->avail_in = (uInt)len;
    z->next_out = (Bytef *)out;
    z->avail_out = (uInt)cap;
    int rc = deflate(z, flush);
    assert_true(rc == Z_OK || rc == Z_STREAM_END);
    assert_int_equal(z->avail_in, 0);
    return cap - z->avail_out;
}

static void test_rfc7692_examples(void **state)
{
    (void)state;
    const struct ws_deflate_params *both[] = {&takeover, &no_takeover};
    for (int i = 0; i < 2; i++) {
        frame(TEXT_Z, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7); /* 7.2.3.1 */
        frame_str(TEXT_FIN, "plain between");
        frame(TEXT_Z_MORE, "\xf2\x48\xcd", 3);
        frame_str(PING, "p");
        frame(FIN, "\xc9\xc9\x07\x00", 4);
        check_with(&limits, both[i], "T(Hello)T(plain between)P(p)T(Hello)");
        frame(TEXT_Z, "\x00\x05\x00\xfa\xffHello\x00", 11); /* 7.2.3.3, stored */
        check_with(&limits, both[i], "T(Hello)");
        frame(TEXT_Z, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8); /* 7.2.3.4, BFINAL */
        frame(TEXT_Z, "\xf3\x48\xcd\xc9\xc9\x07\x00", 7);     /* without the byte that the sender should have added */
        frame(TEXT_Z, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
        check_with(&limits, both[i], "T(Hello)T(Hello)T(Hello)");
        frame(TEXT_Z, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13); /* 7.2.3.5, two blocks */
        check_with(&limits, both[i], "T(Hello)");
        frame(TEXT_Z, "\x00", 1); /* 7.2.3.6, empty */
        frame(BINARY_Z, "", 0);
        frame(TEXT_Z_MORE, "", 0);
        frame(FIN, "\x00", 1);
        frame(TEXT_Z_MORE, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
        frame(FIN, "", 0);
        check_with(&limits, both[i], "T()B()T()T(Hello)");
    }
    frame(TEXT_Z, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    frame(TEXT_Z, "\xf2\x00\x11\x00\x00", 5); /* 7.2.3.2: refers to the message before */
    frame(TEXT_Z, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8);
    frame(TEXT_Z, "\xf2\x00\x11\x00\x00", 5); /* the window survives BFINAL */
    check_with(&limits, &takeover, "T(Hello)T(Hello)T(Hello)T(Hello)");
    frame(TEXT_Z, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    frame(TEXT_Z, "\xf2\x00\x11\x00\x00", 5);
    check_with(&limits, &no_takeover, "T(Hello)E1007");
}

static void test_compressed_refusals(void **state)
{
    (void)state;
    frame(TEXT_Z, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    check("E1002"); /* not negotiated */
    frame(TEXT_Z_MORE, "\xf2\x48\xcd", 3);
    frame(0xc0, "\xc9\xc9\x07\x00", 4);
    check_with(&limits, &takeover, "E1002");
    frame(0xc9, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    check_with(&limits, &takeover, "E1002");
    frame(TEXT_Z, "\x07\xff\xff\xff", 4); /* block type 3 */
    check_with(&limits, &takeover, "E1007");
    frame(TEXT_Z, "\x00\x05\x00\xfa\x00Hello\x00", 11); /* LEN and NLEN differ */
    check_with(&limits, &takeover, "E1007");
    frame(TEXT_Z, "\x00\x05\x00\xfa\xffHel", 8); /* cut short */
    check_with(&limits, &no_takeover, "E1007");
    frame(TEXT_Z, "\xf2\x48\xcd\xc9", 4);
    check_with(&limits, &takeover, "E1007");
    frame(TEXT_Z, "\x00\x03\x00\xfc\xff\xed\xa0\x80\x00", 9); /* a surrogate inside */
    check_with(&limits, &takeover, "E1007");
    frame(BINARY_Z, "\x00\x03\x00\xfc\xff\xed\xa0\x80\x00", 9);
    check_with(&limits, &takeover, "B(\xed\xa0\x80)");
    frame(BINARY_Z, "\x00", 1);
    check_with(&text_limits, &takeover, "E1003");
}

static void test_bombs(void **state)
{
    (void)state;
    static char zeros[1 << 20 | 1], packed[8192];
    memset(zeros, 'z', sizeof(zeros));
    for (int over = 0; over < 2; over++) {
        z_stream z = {0};
        deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
        size_t len = squeeze(&z, zeros, (1 << 20) + (size_t)over, Z_SYNC_FLUSH, packed, sizeof(packed)) - 4;
        deflateEnd(&z);
        char expected[100];
        frame(TEXT_Z, packed, len);
        check_with(&limits, &takeover, over ? "E1009" : filled("T", zeros, 1 << 20, expected));
    }
    /* A compressed frame longer than any honest one is refused by its header. */
    buf_add(&wire, "\xc1\xfe\x04\xff" "mask", 8);
    buf_add(&wire, zeros, 0x4ff);
    check_with(&small_limits, &takeover, "E1009");
}

/* Text like an application's, sometimes noise, sometimes not ASCII. */
static void sample(char *out, size_t len, int kind)
{
    static const char *const words[] = {"{\"action\":\"", "update", "\",\"score\":", "12345", "},", "room", "gr\xc3\xbc\xc3\x9f" "e ", "null"};
    size_t at = 0;
    while (at < len) {
        const char *word = words[random_u64() % 8];
        size_t size = strlen(word);
        if (kind == 1)
            out[at++] = (char)(33 + random_u64() % 90);
        else if (at + size <= len)
            at += (memcpy(out + at, word, size), size);
        else
            out[at++] = ' ';
    }
}

struct round {
    struct ws_deflate_params params;
    int client_bits;
    size_t len, fragment;
    int kind;
};

/* A client's messages in, and their echo out through a client's inflater. */
static void run_round(const struct round *r)
{
    static char data[140000], packed[300000];
    struct buf expected, out, echo;
    buf_init(&expected, 1 << 20);
    buf_init(&out, 1 << 20);
    buf_init(&echo, 1 << 20);
    z_stream zip = {0}, unzip = {0};
    deflateInit2(&zip, 5, Z_DEFLATED, -r->client_bits, 8, Z_DEFAULT_STRATEGY);
    inflateInit2(&unzip, -r->params.server_max_window_bits);
    struct ws_deflate *server;
    assert_int_equal(ws_deflate_create(&server, &deflate_config, &r->params), 0);
    for (int message = 0; message < 6; message++) {
        char note_text[400];
        sample(data, r->len, r->kind);
        if (r->params.client_no_context_takeover)
            deflateReset(&zip);
        size_t len = r->len ? squeeze(&zip, data, r->len, Z_SYNC_FLUSH, packed, sizeof(packed)) - 4 : 1;
        if (!r->len)
            packed[0] = 0;
        size_t step = r->fragment && r->fragment < len ? r->fragment : len;
        for (size_t at = 0; at < len; at += step) {
            size_t size = len - at < step ? len - at : step;
            frame((at ? 0 : 0x41) | (at + size == len ? 0x80 : 0), packed + at, size);
        }
        buf_add_text(&expected, text_of(filled("T", data, r->len, note_text)));

        buf_clear(&echo);
        assert_int_equal(ws_deflate_deflate(server, data, r->len, &echo), 0);
        buf_add(&echo, "\0\0\xff\xff", 4);
        unzip.next_in = (Bytef *)echo.data;
        unzip.avail_in = (uInt)echo.len;
        unzip.next_out = (Bytef *)packed;
        unzip.avail_out = sizeof(packed);
        assert_true(inflate(&unzip, Z_SYNC_FLUSH) == Z_OK);
        assert_int_equal(sizeof(packed) - unzip.avail_out, r->len);
        assert_memory_equal(packed, data, r->len);
        if (r->params.server_no_context_takeover)
            inflateReset(&unzip);
    }
    buf_add_char(&expected, 0);
    for (int way = 0; way < 3; way++) {
        static const size_t steps[] = {SIZE_MAX, 0, 1};
        if (steps[way] == 1 && r->len > 5000)
            break;
        run(&limits, &r->params, 0, steps[way], &out);
        compare(&out, expected.data, "compressed round");
    }
    ws_deflate_destroy(server);
    deflateEnd(&zip);
    inflateEnd(&unzip);
    buf_clear(&wire);
    buf_fini(&expected);
    buf_fini(&out);
    buf_fini(&echo);
}

static void test_compressed_rounds(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 16, 64, 256, 1024, 4096, 8192, 32768, 131072};
    static const int bits[] = {9, 12, 15};
    for (int mode = 0; mode < 4; mode++)
        for (size_t l = 0; l < sizeof(lengths) / sizeof(*lengths); l++)
            for (size_t b = 0; b < 3; b++) {
                struct round r = {{mode & 1, mode & 2, (uint8_t)bits[b], (uint8_t)bits[b]}, bits[b], lengths[l],
                    (size_t[]){0, 256, 1}[b] * (lengths[l] <= 4096 || b < 2), (int)(l + b) & 1};
                run_round(&r);
            }
}

/* Without takeover two connections of a thread may be in the middle of messages at once: each has its own inflater then. */
static void test_interleaved_connections(void **state)
{
    (void)state;
    struct ws_stream stream[6];
    struct buf out[6];
    for (int i = 0; i < 6; i++) {
        struct ws_deflate *deflate;
        assert_int_equal(ws_deflate_create(&deflate, &deflate_config, &no_takeover), 0);
        ws_stream_init(&stream[i], deflate);
        buf_init(&out[i], 4096);
    }
    frame(TEXT_Z, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    frame(TEXT_Z, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    for (size_t at = 0; at < wire.len; at++)
        for (int i = 0; i < 6; i++)
            assert_true(feed_piece(&stream[i], &limits, wire.data + at, 1, &out[i]));
    for (int i = 0; i < 6; i++) {
        compare(&out[i], "T(Hello)T(Hello)", "interleaved");
        assert_in_range(ws_stream_memory(&stream[i]), 1, 128); /* no zlib state is left */
        ws_stream_fini(&stream[i]);
        buf_fini(&out[i]);
    }
    buf_clear(&wire);
}

static int setup(void **state)
{
    (void)state;
    buf_init(&wire, 1 << 24);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&wire);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_control),
        cmocka_unit_test(test_reserved),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_utf8_fails_fast),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_claimed_length),
        cmocka_unit_test(test_idle_holds_nothing),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_rfc7692_examples),
        cmocka_unit_test(test_compressed_refusals),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_compressed_rounds),
        cmocka_unit_test(test_interleaved_connections),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
