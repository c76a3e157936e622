/* The output queue against a model: what comes out is what went in, less what was dropped, and the sums agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/out_queue.h"

static struct out_pool pool;
static struct out_queue queue;

static int setup(void **state)
{
    (void)state;
    out_pool_init(&pool);
    out_queue_init(&queue);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    out_queue_clear(&pool, &queue);
    assert_int_equal(queue.segments, 0);
    out_pool_fini(&pool);
    return 0;
}

static void add_frame(enum ws_opcode opcode, char fill, size_t len)
{
    uint8_t header[WS_SERVER_HEADER_MAX];
    size_t size = ws_header_format(header, opcode, true, false, len);
    char *at = out_queue_append(&pool, &queue, OUT_FRAMES, size + len, opcode < 8);
    assert_non_null(at);
    memcpy(at, header, size);
    memset(at + size, fill, len);
}

static void add_shared(char fill, size_t len, uint64_t key)
{
    char *data = malloc(len + 1);
    memset(data, fill, len);
    struct net_frame *frame = net_frame_create(WS_TEXT, data, len);
    assert_int_equal(out_queue_append_frame(&pool, &queue, frame, 0, key), 0);
    net_frame_unref(frame);
    free(data);
}

/* Sends everything in steps of n bytes; each frame becomes "T" or the like with its fill: "a3 p0 ". */
static void take_all(size_t step, char *out)
{
    static uint8_t wire[1 << 22];
    size_t len = 0;
    while (queue.bytes != 0) {
        struct iovec iov[8];
        unsigned pieces = out_queue_iov(&queue, iov, 8);
        size_t left = step < queue.bytes ? step : queue.bytes, sent = 0;
        for (unsigned i = 0; i < pieces && left != 0; i++) {
            size_t n = iov[i].iov_len < left ? iov[i].iov_len : left;
            memcpy(wire + len, iov[i].iov_base, n);
            len += n;
            left -= n;
            sent += n;
        }
        out_queue_sent(&pool, &queue, sent);
    }
    assert_null(queue.head);
    assert_null(queue.tail);
    assert_int_equal(queue.messages, 0);
    assert_int_equal(queue.controls, 0);
    *out = '\0';
    for (size_t at = 0; at < len;) {
        struct ws_header header;
        int size = ws_header_parse(wire + at, len - at, true, &header);
        assert_true(size > 0);
        char fill = header.length != 0 ? (char)wire[at + (size_t)size] : '-';
        for (uint64_t i = 0; i < header.length; i++)
            assert_int_equal(wire[at + (size_t)size + i], fill);
        at += (size_t)size + header.length;
        *out++ = fill;
        *out = '\0';
    }
}

static void order_is_kept_whatever_the_step(void **state)
{
    (void)state;
    char out[64];
    for (size_t step = 1; step < 40; step++) {
        add_frame(WS_TEXT, 'a', 3);
        add_frame(WS_PONG, 'p', 2);
        add_shared('s', 10, 0);
        add_frame(WS_BINARY, 'b', 0);
        add_frame(WS_BINARY, 'c', 200);
        add_shared('t', 1, 7);
        assert_int_equal(queue.messages, 5);
        assert_int_equal(queue.controls, 1);
        take_all(step, out);
        assert_string_equal(out, "aps-ct");
    }
}

static void a_chunk_is_reused(void **state)
{
    (void)state;
    char out[64];
    add_frame(WS_TEXT, 'a', 100);
    struct out_segment *first = queue.head;
    take_all(1 << 20, out);
    add_frame(WS_TEXT, 'b', 100);
    assert_ptr_equal(queue.head, first);
    add_frame(WS_TEXT, 'c', 100);
    assert_int_equal(queue.segments, 1);
    take_all(1 << 20, out);
    assert_string_equal(out, "bc");
}

static void large_ones_chain(void **state)
{
    (void)state;
    char out[64];
    add_frame(WS_TEXT, 'a', 20000);
    add_frame(WS_TEXT, 'b', 20000);
    add_frame(WS_TEXT, 'c', 300000);
    add_frame(WS_TEXT, 'd', 5);
    assert_true(queue.segments > 2);
    take_all(7777, out);
    assert_string_equal(out, "abcd");
    assert_null(out_queue_append(&pool, &queue, OUT_RAW, OUT_MESSAGE_MAX + 1, 0));
    assert_int_equal(queue.segments, 0);
}

/* Broadcasts and acks in turn must not cost a chunk for each ack. */
static void alternation_is_cheap(void **state)
{
    (void)state;
    char out[2048];
    for (int i = 0; i < 500; i++) {
        add_frame(WS_TEXT, 'a', 30);
        add_shared('s', 30, 0);
    }
    assert_int_equal(queue.messages, 1000);
    take_all(100, out);
    assert_int_equal(strlen(out), 1000);
    assert_true(pool.free_count[2] + pool.free_count[3] <= 1);
}

static void oldest_goes_but_not_what_was_begun(void **state)
{
    (void)state;
    char out[64];
    for (size_t begun = 0; begun < 12; begun++) {
        add_frame(WS_TEXT, 'a', 3); /* 5 bytes */
        add_frame(WS_PONG, 'p', 2); /* 4 */
        add_frame(WS_TEXT, 'b', 6); /* 8 */
        add_shared('s', 4, 0);
        add_frame(WS_TEXT, 'c', 1);
        uint8_t sent[16];
        struct iovec iov;
        out_queue_iov(&queue, &iov, 1);
        memcpy(sent, iov.iov_base, begun);
        if (begun != 0)
            out_queue_sent(&pool, &queue, begun);
        uint32_t before = queue.bytes, messages = queue.messages;
        assert_int_equal(out_queue_drop_oldest(&pool, &queue, NULL), 1);
        assert_int_equal(queue.messages, messages - 1);
        assert_true(queue.bytes < before);
        /* What is left, with what was sent before it, must parse. */
        uint8_t wire[64];
        size_t len = begun;
        memcpy(wire, sent, begun);
        struct iovec rest[8];
        unsigned pieces = out_queue_iov(&queue, rest, 8);
        for (unsigned i = 0; i < pieces; i++) {
            memcpy(wire + len, rest[i].iov_base, rest[i].iov_len);
            len += rest[i].iov_len;
        }
        char *at = out;
        for (size_t i = 0; i < len;) {
            struct ws_header header;
            int size = ws_header_parse(wire + i, len - i, true, &header);
            assert_true(size > 0);
            *at++ = (char)wire[i + (size_t)size];
            i += (size_t)size + header.length;
        }
        *at = '\0';
        assert_string_equal(out, begun == 0 ? "pbsc" : begun < 10 ? "apsc" : "apbc");
        out_queue_clear(&pool, &queue);
    }
}

static void dropping_ends(void **state)
{
    (void)state;
    char out[64];
    add_frame(WS_TEXT, 'a', 3);
    add_frame(WS_PING, 'p', 3);
    add_frame(WS_TEXT, 'b', 3);
    add_shared('s', 3, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(out_queue_drop_oldest(&pool, &queue, NULL), 1);
    assert_int_equal(out_queue_drop_oldest(&pool, &queue, NULL), 0);
    assert_int_equal(queue.messages, 0);
    assert_int_equal(queue.bytes, 5);
    take_all(2, out);
    assert_string_equal(out, "p");
}

static void what_tls_was_offered_stays(void **state)
{
    (void)state;
    char out[64];
    add_frame(WS_TEXT, 'a', 3);
    add_frame(WS_TEXT, 'b', 3);
    out_queue_offered(&queue, 6); /* all of a, one byte of b */
    add_frame(WS_TEXT, 'c', 3);
    assert_int_equal(out_queue_drop_oldest(&pool, &queue, NULL), 1);
    assert_int_equal(out_queue_drop_oldest(&pool, &queue, NULL), 0);
    take_all(100, out);
    assert_string_equal(out, "ab");
}

static void compressed_frames_stay(void **state)
{
    (void)state;
    queue.keep_compressed = true;
    char *at = out_queue_append(&pool, &queue, OUT_FRAMES, 3, 1);
    memcpy(at, "\xc1\x01x", 3);
    add_frame(WS_TEXT, 'b', 1);
    assert_int_equal(out_queue_drop_oldest(&pool, &queue, NULL), 1);
    assert_int_equal(out_queue_drop_oldest(&pool, &queue, NULL), 0);
    char out[8];
    take_all(1, out);
    assert_string_equal(out, "x");
}

static void the_newest_of_a_key(void **state)
{
    (void)state;
    char out[64];
    add_shared('a', 3, 1);
    add_shared('b', 3, 2);
    add_shared('c', 3, 1);
    struct net_frame *frame = net_frame_create(WS_TEXT, "zzzzz", 5);
    assert_int_equal(out_queue_replace(&pool, &queue, frame, 3), 0);
    assert_int_equal(out_queue_replace(&pool, &queue, frame, 2), 1);
    assert_int_equal(queue.bytes, 5 + 7 + 5);
    out_queue_sent(&pool, &queue, 1);
    assert_int_equal(out_queue_replace(&pool, &queue, frame, 1), 1); /* the first is begun, so the third */
    net_frame_unref(frame);
    assert_int_equal(queue.bytes, 4 + 7 + 7);
    assert_int_equal(frame->refs, 2);
    out_queue_sent(&pool, &queue, 4);
    take_all(3, out);
    assert_string_equal(out, "zz");
}

static void a_key_is_queued_once(void **state)
{
    (void)state;
    char out[64];
    add_shared('a', 3, 1);
    add_frame(WS_TEXT, 'x', 3);
    add_shared('b', 3, 1);
    add_shared('c', 3, 1);
    struct net_frame *frame = net_frame_create(WS_TEXT, "zzzzz", 5);
    assert_int_equal(out_queue_replace(&pool, &queue, frame, 1), 3);
    net_frame_unref(frame);
    assert_int_equal(queue.messages, 2);
    assert_int_equal(queue.bytes, 7 + 5);
    add_frame(WS_TEXT, 'y', 1);
    take_all(3, out);
    assert_string_equal(out, "zxy");
}

static void little_rests_leave_their_chunk(void **state)
{
    (void)state;
    char out[512];
    for (int i = 0; i < 100; i++)
        add_frame(WS_TEXT, 'a', 100);
    out_queue_sent(&pool, &queue, 9800 + 50); /* within a frame */
    struct out_segment *before = queue.head;
    out_queue_trim(&pool, &queue);
    assert_ptr_not_equal(queue.head, before);
    assert_int_equal(queue.bytes, 10200 - 9850);
    add_frame(WS_TEXT, 'b', 10);
    assert_int_equal(out_queue_drop_oldest(&pool, &queue, NULL), 1);
    out_queue_sent(&pool, &queue, 44); /* the rest of the begun one */
    take_all(11, out);
    assert_string_equal(out, "aab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(order_is_kept_whatever_the_step, setup, teardown),
        cmocka_unit_test_setup_teardown(a_chunk_is_reused, setup, teardown),
        cmocka_unit_test_setup_teardown(large_ones_chain, setup, teardown),
        cmocka_unit_test_setup_teardown(alternation_is_cheap, setup, teardown),
        cmocka_unit_test_setup_teardown(oldest_goes_but_not_what_was_begun, setup, teardown),
        cmocka_unit_test_setup_teardown(dropping_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(what_tls_was_offered_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(compressed_frames_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(the_newest_of_a_key, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_is_queued_once, setup, teardown),
        cmocka_unit_test_setup_teardown(little_rests_leave_their_chunk, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
