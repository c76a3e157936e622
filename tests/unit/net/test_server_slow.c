/* Slow readers: each policy at the bound, over plain sockets. What arrives is whole frames in order, and the sums agree. */
#include "server_fixture.h"

static struct fixture f;
static char out[1 << 20];

static int setup(void **state)
{
    (void)state;
    clock_freeze(-1);
    fixture_init(&f);
    f.ws.queue_bytes_max = 64 * 1024;
    f.ws.queue_messages_max = 32;
    return 0;
}

static struct net_conn *only_conn(struct fixture *fx)
{
    uint32_t at = 0;
    struct net_conn *conn = net_io_next(fx->io, &at);
    assert_non_null(conn);
    return conn;
}

struct burst {
    int count, keys;  /* messages; keys: 0 none */
    size_t size;      /* bytes of each */
    bool mixed;       /* shared and copied by turns; else all shared when keys, all copied when not */
    int sent, full, gone;
};

/* "number key xxxx..." */
static void send_one(struct net_conn *conn, struct burst *burst, int i)
{
    char *message = malloc(burst->size);
    int key = burst->keys != 0 ? 1 + i % burst->keys : 0;
    memset(message, 'x', burst->size);
    message[snprintf(message, burst->size, "%d %d ", i, key)] = 'x';
    int rc;
    if (burst->keys != 0 || (burst->mixed && i % 2)) {
        struct net_frame *frame = net_frame_create(WS_TEXT, message, burst->size);
        rc = net_ws_send_frame(conn, frame, (uint64_t)key);
        net_frame_unref(frame);
    } else {
        rc = net_ws_send(conn, WS_TEXT, message, burst->size);
    }
    burst->sent += rc == 0;
    burst->full += rc == ERR_FULL;
    burst->gone += rc == ERR_GONE;
    free(message);
}

static void run_burst(struct fixture *fx, void *arg)
{
    struct burst *burst = arg;
    struct net_conn *conn = only_conn(fx);
    for (int i = 0; i < burst->count; i++) {
        send_one(conn, burst, i);
        assert_true(net_conn_queued(conn) <= fx->ws.queue_bytes_max + burst->size + 14);
    }
}

static void disconnect(void **state)
{
    (void)state;
    struct burst burst = {.count = 20000, .size = 1000};
    f.ws.slow = NET_SLOW_DISCONNECT;
    clock_freeze(INT64_C(1700000000000)); /* the close waits two seconds for a reader, who may be slower */
    fixture_start(&f);
    int fd = ws_open_with(&f, 4096);
    int64_t closed = counter_read(COUNTER_ws_slow_closed);
    fixture_run(&f, run_burst, &burst);
    assert_int_equal(burst.full, 1);
    assert_int_equal(burst.sent + burst.gone, 19999);
    assert_true(burst.gone > 0);
    assert_int_equal(counter_read(COUNTER_ws_slow_closed) - closed, 1);
    int next = 0;
    while (ws_read(fd, out, sizeof(out), NULL) == 0x81)
        assert_int_equal(atoi(out), next++);
    assert_int_equal((uint8_t)out[0] << 8 | (uint8_t)out[1], 1013);
    ws_send_frame(fd, 0x88, "\x03\xf5", 2);
    assert_eof(fd);
    close(fd);
    WAIT_FOR(f.closes == 1);
    assert_int_equal(f.end, NET_END_SLOW);
    assert_int_equal(f.code, 1013);
    fixture_stop(&f);
    clock_freeze(-1);
}

static void disconnect_of_the_dead(void **state)
{
    (void)state;
    struct burst burst = {.count = 20000, .size = 1000, .mixed = true};
    f.ws.slow = NET_SLOW_DISCONNECT;
    fixture_start(&f);
    int fd = ws_open_with(&f, 4096);
    fixture_run(&f, run_burst, &burst);
    assert_int_equal(f.closes, 0);
    fixture_advance(&f, 2100);
    WAIT_FOR(f.closes == 1);
    assert_int_equal(f.end, NET_END_SLOW);
    close(fd);
    fixture_stop(&f);
}

static void drop_oldest_with(size_t size, bool mixed, int count)
{
    struct burst burst = {.count = count, .size = size, .mixed = mixed};
    fixture_init(&f);
    f.ws.queue_bytes_max = 64 * 1024;
    f.ws.queue_messages_max = 32;
    f.ws.slow = NET_SLOW_DROP_OLDEST;
    fixture_start(&f);
    int fd = ws_open_with(&f, 4096);
    int64_t dropped = counter_read(COUNTER_ws_slow_dropped);
    fixture_run(&f, run_burst, &burst);
    dropped = counter_read(COUNTER_ws_slow_dropped) - dropped;
    assert_int_equal(burst.gone, 0);
    assert_true(dropped > 0);
    int got = 0, last = -1;
    while (last != count - 1) {
        size_t len;
        assert_int_equal(ws_read(fd, out, sizeof(out), &len), 0x81);
        assert_int_equal(len, size);
        assert_true(atoi(out) > last);
        last = atoi(out);
        got++;
    }
    assert_int_equal(got + dropped, count);
    ws_shut(fd);
    fixture_stop(&f);
}

static void drop_oldest(void **state)
{
    (void)state;
    drop_oldest_with(1000, false, 20000);
    drop_oldest_with(1000, true, 20000);
    drop_oldest_with(50, true, 200000);
    drop_oldest_with(30000, true, 500);
}

static void latest(void **state)
{
    (void)state;
    struct burst burst = {.count = 20000, .keys = 7, .size = 2000};
    f.ws.slow = NET_SLOW_LATEST;
    fixture_start(&f);
    int fd = ws_open_with(&f, 4096);
    int64_t replaced = counter_read(COUNTER_ws_slow_replaced), dropped = counter_read(COUNTER_ws_slow_dropped);
    fixture_run(&f, run_burst, &burst);
    replaced = counter_read(COUNTER_ws_slow_replaced) - replaced;
    dropped = counter_read(COUNTER_ws_slow_dropped) - dropped;
    assert_true(replaced > 0);
    int last[8] = {0}, got = 0, finals = 0;
    while (finals < 7) {
        int number, key;
        assert_int_equal(ws_read(fd, out, sizeof(out), NULL), 0x81);
        assert_int_equal(sscanf(out, "%d %d", &number, &key), 2);
        assert_true(got == 0 || number == 0 || number > last[key]); /* in order for each key */
        last[key] = number;
        finals += number >= 20000 - 7;
        got++;
    }
    assert_int_equal(got + replaced + dropped, 20000);
    ws_shut(fd);
    fixture_stop(&f);
}

static void a_turn_may_exceed_the_bound(void **state)
{
    (void)state;
    /* 5,000 echoes come of one read; the bound is 32, the peer reads: nothing is lost. */
    char word[16];
    f.ws.slow = NET_SLOW_DISCONNECT;
    fixture_start(&f);
    int fd = ws_open(&f);
    char *batch = malloc(5000 * 16);
    size_t len = 0;
    for (int i = 0; i < 5000; i++)
        len += ws_encode(batch + len, 0x81, word, (size_t)sprintf(word, "%d", i));
    client_send(fd, batch, len);
    for (int i = 0; i < 5000; i++) {
        sprintf(word, "%d", i);
        ws_expect(fd, word);
    }
    free(batch);
    ws_shut(fd);
    fixture_stop(&f);
}

static void broadcast_to_slow(struct fixture *fx, void *arg)
{
    struct net_frame *frame = arg;
    for (int i = 0; i < 1000; i++) {
        uint32_t at = 0;
        struct net_conn *conn;
        while ((conn = net_io_next(fx->io, &at)) != NULL)
            net_ws_send_frame(conn, frame, 0);
    }
}

static void a_shared_frame_is_one_copy(void **state)
{
    (void)state;
    int fds[8];
    char *data = malloc(4000);
    memset(data, 's', 4000);
    f.ws.slow = NET_SLOW_DROP_OLDEST;
    f.ws.queue_bytes_max = 1 << 20;
    f.ws.queue_messages_max = 100;
    fixture_start(&f);
    for (int i = 0; i < 8; i++)
        fds[i] = ws_open_with(&f, 4096);
    struct net_frame *frame = net_frame_create(WS_BINARY, data, 4000);
    fixture_run(&f, broadcast_to_slow, frame);
    uint32_t refs = __atomic_load_n(&frame->refs, __ATOMIC_RELAXED);
    assert_true(refs > 8 && refs <= 1 + 8 * 101);
    for (int i = 0; i < 8; i++)
        close(fds[i]);
    WAIT_FOR(f.closes == 8);
    WAIT_FOR(__atomic_load_n(&frame->refs, __ATOMIC_ACQUIRE) == 1);
    net_frame_unref(frame);
    free(data);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(disconnect, setup),
        cmocka_unit_test_setup(disconnect_of_the_dead, setup),
        cmocka_unit_test_setup(drop_oldest, setup),
        cmocka_unit_test_setup(latest, setup),
        cmocka_unit_test_setup(a_turn_may_exceed_the_bound, setup),
        cmocka_unit_test_setup(a_shared_frame_is_one_copy, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
