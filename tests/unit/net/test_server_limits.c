/* What happens when something runs out: descriptors, patience with a peer that does not read, the descriptor table after thousands of peers. */
#include "server_fixture.h"

#include <fcntl.h>
#include <sys/resource.h>

static struct fixture f;
static char out[1 << 16];

static int setup(void **state)
{
    (void)state;
    fixture_init(&f);
    return 0;
}

static void no_descriptor_is_left(void **state)
{
    (void)state;
    struct rlimit before, low;
    int filler[256], filled = 0;
    f.config.connections_max = 1000;
    fixture_start(&f);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = 60};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = 128;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    while (filled < 256 && (filler[filled] = dup(fd)) >= 0)
        filled++;
    int64_t refused = counter_read(COUNTER_net_accepts_refused);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(net_server_port(f.server))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    client_head(fd, out, sizeof(out)); /* the reserve was enough to say so */
    assert_int_equal(atoi(out + 9), 503);
    WAIT_FOR(counter_read(COUNTER_net_accepts_refused) - refused == 1); /* counted after it was said */
    while (filled > 0)
        close(filler[--filled]);
    close(fd);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    fixture_advance(&f, 100);
    fd = ws_open(&f);
    ws_shut(fd);
    fixture_stop(&f);
}

static void an_answer_that_nobody_reads(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_open_with(&f, 4096);
    size_t size = 8 << 20;
    char *body = calloc(1, size), head[128];
    client_send(fd, head, (size_t)sprintf(head, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", size));
    client_send(fd, body, size);
    free(body);
    WAIT_FOR(f.requests == 1 && counter_read(COUNTER_net_queue_bytes) > 0);
    fixture_advance(&f, 30000);
    assert_int_equal(counter_read(COUNTER_net_connections), 1);
    fixture_advance(&f, 31000);
    WAIT_FOR(counter_read(COUNTER_net_connections) == 0);
    close(fd);
    assert_int_equal(f.gones, 1);
    fixture_stop(&f);
}

static void look_up(struct fixture *fx, void *arg)
{
    struct net_conn *conn = net_io_find(fx->io, arg);
    *(struct net_id *)arg = conn != NULL ? *net_conn_id(conn) : (struct net_id){{0}};
}

static void ids_do_not_come_back(void **state)
{
    (void)state;
    fixture_start(&f);
    struct net_id first, probe, none = {{0}};
    int fd = ws_open(&f);
    first = probe = f.last_id;
    fixture_run(&f, look_up, &probe);
    assert_memory_equal(&probe, &first, sizeof(first));
    ws_shut(fd);
    WAIT_FOR(f.closes == 1);
    WAIT_FOR(counter_read(COUNTER_net_connections) == 0);
    for (int i = 0; i < 20; i++) {
        fd = ws_open(&f); /* the same slot */
        assert_memory_equal(f.last_id.byte, first.byte, 4);
        assert_memory_not_equal(&f.last_id, &first, sizeof(first));
        probe = first;
        fixture_run(&f, look_up, &probe);
        assert_memory_equal(&probe, &none, sizeof(none));
        ws_shut(fd);
        WAIT_FOR(counter_read(COUNTER_net_connections) == 0);
    }
    probe = (struct net_id){{0, 0xff, 0xff, 0xff}};
    fixture_run(&f, look_up, &probe);
    assert_memory_equal(&probe, &none, sizeof(none));
    fixture_stop(&f);
}

static void walk(struct fixture *fx, void *arg)
{
    struct net_conn *conn;
    uint32_t at = 0;
    int *seen = arg;
    int64_t last = -1;
    for (*seen = 0; (conn = net_io_next(fx->io, &at)) != NULL; ++*seen) {
        assert_true((int64_t)(intptr_t)net_conn_user(conn) > last);
        last = (int64_t)(intptr_t)net_conn_user(conn);
    }
}

static void number_newest(struct fixture *fx, void *arg)
{
    struct net_conn *conn = net_io_find(fx->io, &fx->last_id);
    assert_non_null(conn);
    net_conn_set_user(conn, (void *)(intptr_t)*(int *)arg);
}

static void the_walk_keeps_the_order_of_acceptance(void **state)
{
    (void)state;
    int fds[300], seen = 0;
    fixture_start(&f);
    for (int i = 0; i < 300; i++) {
        fds[i] = ws_open(&f);
        fixture_run(&f, number_newest, &i);
    }
    for (int i = 0; i < 300; i++)
        if (i % 5 != 0)
            close(fds[i]);
    WAIT_FOR(f.closes == 240); /* holes, and their closing */
    fixture_run(&f, walk, &seen);
    assert_int_equal(seen, 60);
    for (int i = 1000; i < 1010; i++) {
        fds[i - 999] = ws_open(&f);
        fixture_run(&f, number_newest, &i);
    }
    fixture_run(&f, walk, &seen);
    assert_int_equal(seen, 70);
    for (int i = 0; i < 300; i += 5)
        if (i == 0 || i > 10)
            close(fds[i]);
    net_server_stop(f.server);
    fixture_stop(&f);
}

static void bad_configurations(void **state)
{
    (void)state;
    struct err err;
    struct text trusted = TEXT("10.0.0.1/8");
    f.config.io_threads = 65;
    assert_int_equal(net_server_create(&f.server, &f.config, &f.events, &err), ERR_INVALID);
    f.config.io_threads = 1;
    f.config.trusted_proxies = &trusted;
    f.config.trusted_count = 1;
    assert_int_equal(net_server_create(&f.server, &f.config, &f.events, &err), ERR_INVALID);
    f.config.trusted_count = 0;
    f.config.address = "not an address";
    assert_int_equal(net_server_create(&f.server, &f.config, &f.events, &err), 0);
    assert_int_equal(net_server_start(f.server, &err), ERR_INVALID);
    net_server_destroy(f.server);
    /* A port that is taken, with one thread and with several. */
    f.config.address = "127.0.0.1";
    fixture_start(&f);
    for (int threads = 1; threads <= 2; threads++) {
        struct net_server *second;
        struct net_config config = f.config;
        config.port = net_server_port(f.server);
        config.io_threads = threads;
        assert_int_equal(net_server_create(&second, &config, &f.events, &err), 0);
        assert_int_equal(net_server_start(second, &err), ERR_EXISTS);
        net_server_destroy(second);
    }
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(no_descriptor_is_left, setup),
        cmocka_unit_test_setup(an_answer_that_nobody_reads, setup),
        cmocka_unit_test_setup(ids_do_not_come_back, setup),
        cmocka_unit_test_setup(the_walk_keeps_the_order_of_acceptance, setup),
        cmocka_unit_test_setup(bad_configurations, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
