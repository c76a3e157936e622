/* Token buckets, grades and bans, with time in the test's hand. The file under test is part of this program: its clock and its sockets are made of paper. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/internal.h"

static int64_t now = 1000;
static const char *peer = "192.0.2.1";

static int64_t paper_now(const struct loop *loop)
{
    (void)loop;
    return now;
}

static struct text paper_address(const struct net_conn *conn, char out[46])
{
    (void)conn;
    snprintf(out, 46, "%s", peer);
    return text_of(out);
}

#define loop_now_ms paper_now
#define net_conn_address paper_address
#include "gateway/limit.c"

static struct gw_api_config config = {.name = {"paper", 5}};
static struct gw_api api = {.config = &config}, second = {.config = &config, .index = 1};
static struct gw_policy_api rules[2];
static struct gw_policy policy = {.api = rules, .api_count = 2};
static struct gw_io io;

static int setup(void **state)
{
    (void)state;
    memset(rules, 0, sizeof(rules));
    memset(&io, 0, sizeof(io));
    io.policy = &policy;
    map_init(&io.addresses);
    map_init(&io.user_buckets);
    list_init(&io.bucket_age);
    peer = "192.0.2.1";
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gw_limit_fini(&io);
    return 0;
}

static struct gw_conn conn_new(void)
{
    return (struct gw_conn){.api = &api, .io = &io};
}

static enum gw_verdict say(struct gw_conn *conn, const char *action, int64_t *retry)
{
    int64_t ignored = 0;
    return gw_limit_message(&io, conn, text_of(action), retry ? retry : &ignored);
}

static void burst_and_refill(void **state)
{
    struct gw_conn conn = conn_new();
    int64_t retry = 0;
    (void)state;
    rules[0].limits.connection = (struct gw_rate){2, 3};
    for (int i = 0; i < 3; i++)
        assert_int_equal(say(&conn, "", NULL), GW_ALLOW);
    assert_int_equal(say(&conn, "", &retry), GW_REFUSE);
    assert_in_range(retry, 499, 502);
    now += retry; /* what was told is true */
    assert_int_equal(say(&conn, "", NULL), GW_ALLOW);
    assert_int_equal(say(&conn, "", NULL), GW_REFUSE);
    now += 3600 * 1000; /* no more than the burst gathers */
    for (int i = 0; i < 3; i++)
        assert_int_equal(say(&conn, "", NULL), GW_ALLOW);
    assert_int_equal(say(&conn, "", NULL), GW_REFUSE);
    gw_buckets_destroy(conn.buckets);
}

static void actions_count_by_themselves(void **state)
{
    struct gw_conn conn = conn_new(), other = conn_new();
    (void)state;
    rules[0].limits.action[0].action = TEXT("join");
    rules[0].limits.action[0].rate = (struct gw_rate){1, 2};
    rules[0].limits.actions = 1;
    assert_int_equal(say(&conn, "join", NULL), GW_ALLOW);
    assert_int_equal(say(&conn, "join", NULL), GW_ALLOW);
    assert_int_equal(say(&conn, "join", NULL), GW_REFUSE);
    assert_int_equal(say(&conn, "else", NULL), GW_ALLOW);
    assert_int_equal(say(&other, "join", NULL), GW_ALLOW);
    gw_buckets_destroy(conn.buckets);
    gw_buckets_destroy(other.buckets);
}

static void a_user_over_connections(void **state)
{
    struct gw_identity *ada = gw_identity_create(TEXT("ada"), TEXT_NONE, TEXT_NONE, TEXT("user"), NULL, 0);
    struct gw_conn a = conn_new(), b = conn_new(), nobody = conn_new();
    (void)state;
    a.identity = b.identity = ada;
    rules[0].limits.user = (struct gw_rate){1, 2};
    assert_int_equal(say(&a, "", NULL), GW_ALLOW);
    assert_int_equal(say(&b, "", NULL), GW_ALLOW);
    assert_int_equal(say(&a, "", NULL), GW_REFUSE);
    assert_int_equal(say(&nobody, "", NULL), GW_ALLOW);
    gw_buckets_destroy(a.buckets);
    gw_buckets_destroy(b.buckets);
    gw_buckets_destroy(nobody.buckets);
    gw_identity_unref(ada);
}

static void refusals_close_a_connection(void **state)
{
    struct gw_conn conn = conn_new();
    (void)state;
    rules[0].limits.connection = (struct gw_rate){0.001, 1};
    assert_int_equal(say(&conn, "", NULL), GW_ALLOW);
    for (int i = 1; i < CLOSE_AFTER; i++)
        assert_int_equal(say(&conn, "", NULL), GW_REFUSE);
    assert_int_equal(say(&conn, "", NULL), GW_CLOSE);
    now += REFUSAL_WINDOW_MS + 1; /* another minute, another count */
    assert_int_equal(say(&conn, "", NULL), GW_REFUSE);
    gw_buckets_destroy(conn.buckets);
}

static void an_address_is_banned(void **state)
{
    struct gw_conn conn = conn_new(), later = conn_new();
    int64_t bans = counter_read(COUNTER_gw_bans), retry = 0;
    (void)state;
    rules[0].limits.connection = (struct gw_rate){0.001, 1};
    rules[0].limits.ban_after = 3;
    rules[0].limits.ban_ms = 5 * MINUTE_MS;
    assert_int_equal(say(&conn, "", NULL), GW_ALLOW);
    assert_int_equal(say(&conn, "", NULL), GW_REFUSE);
    now += 25 * SECOND_MS; /* slow abuse is abuse: nothing forgets the count in between */
    gw_limit_second(&io);
    assert_int_equal(say(&conn, "", NULL), GW_REFUSE);
    assert_int_equal(say(&conn, "", &retry), GW_BAN);
    assert_int_equal(retry, 5 * MINUTE_MS);
    assert_int_equal(counter_read(COUNTER_gw_bans), bans + 1);
    assert_int_equal(say(&later, "", NULL), GW_BAN); /* all its sockets */
    assert_int_equal(gw_limit_address(&io, &api, text_of(peer), true, &retry), GW_BAN);
    assert_int_equal(gw_limit_address(&io, &api, text_of(peer), false, &retry), GW_BAN);
    assert_int_equal(gw_limit_address(&io, &second, text_of(peer), true, &retry), GW_ALLOW); /* other APIs do not know */
    assert_int_equal(gw_limit_address(&io, &api, TEXT("192.0.2.2"), true, &retry), GW_ALLOW);
    now += 5 * MINUTE_MS + 1;
    gw_limit_second(&io);
    assert_int_equal(say(&later, "", NULL), GW_ALLOW);
    gw_buckets_destroy(conn.buckets);
    gw_buckets_destroy(later.buckets);
}

static void connects_of_an_address(void **state)
{
    int64_t retry = 0;
    (void)state;
    rules[0].limits.connects = (struct gw_rate){1, 2};
    assert_int_equal(gw_limit_address(&io, &api, TEXT("a"), true, &retry), GW_ALLOW);
    assert_int_equal(gw_limit_address(&io, &api, TEXT("a"), true, &retry), GW_ALLOW);
    assert_int_equal(gw_limit_address(&io, &api, TEXT("a"), true, &retry), GW_REFUSE);
    assert_in_range(retry, 999, 1002);
    assert_int_equal(gw_limit_address(&io, &api, TEXT("a"), false, &retry), GW_ALLOW); /* requests are not connects */
    assert_int_equal(gw_limit_address(&io, &api, TEXT("b"), true, &retry), GW_ALLOW);
}

static void memory_is_bounded(void **state)
{
    int64_t retry = 0;
    char name[32];
    (void)state;
    rules[0].limits.connects = (struct gw_rate){1, 1};
    for (int i = 0; i < SHARED_BUCKETS_MAX + 1000; i++) {
        snprintf(name, sizeof(name), "%d", i);
        assert_int_equal(gw_limit_address(&io, &api, text_of(name), true, &retry), GW_ALLOW);
    }
    assert_int_equal(io.addresses.count, SHARED_BUCKETS_MAX);
    assert_int_equal(gw_limit_address(&io, &api, text_of(name), true, &retry), GW_REFUSE); /* the newest are remembered */
    now += FORGET_MS + 1;
    while (io.addresses.count) {
        size_t before = io.addresses.count;
        gw_limit_second(&io);
        assert_true(io.addresses.count < before); /* a slice each second */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(burst_and_refill, setup, teardown),
        cmocka_unit_test_setup_teardown(actions_count_by_themselves, setup, teardown),
        cmocka_unit_test_setup_teardown(a_user_over_connections, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals_close_a_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(an_address_is_banned, setup, teardown),
        cmocka_unit_test_setup_teardown(connects_of_an_address, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_is_bounded, setup, teardown),
    };
    log_level_set(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
