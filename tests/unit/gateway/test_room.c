/*
 * Rooms, users and everybody of one io thread: who hears what, in which order. The files under test are part of this program; beneath them each socket is a list of
 * the frames that it was given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/internal.h"

#define HEARD_MAX 4096

struct socket {
    char heard[HEARD_MAX];
    size_t len;
    int writes, answer;
};

static int finish_asked;

static int paper_send(struct net_conn *net, struct net_frame *frame, uint64_t key)
{
    struct socket *socket = (struct socket *)net;
    (void)key;
    if (socket->answer)
        return socket->answer;
    for (size_t at = 0; at < frame->len;) { /* short frames only: two bytes of head */
        size_t len = (unsigned char)frame->data[at + 1];
        if (len == 126) {
            len = (size_t)(unsigned char)frame->data[at + 2] << 8 | (unsigned char)frame->data[at + 3];
            at += 2;
        }
        size_t shown = len > 8 ? 1 : len;
        assert_true(socket->len + shown < HEARD_MAX);
        memcpy(socket->heard + socket->len, frame->data + at + 2, shown);
        socket->len += shown;
        at += 2 + len;
    }
    socket->writes++;
    return 0;
}

static void paper_ask(struct loop *loop, struct loop_finish *finish)
{
    (void)loop;
    (void)finish;
    finish_asked++;
}

static void paper_close(struct net_conn *conn, enum net_end how, int code, struct text reason)
{
    (void)conn;
    (void)how;
    (void)code;
    (void)reason;
}

static void paper_timer(struct loop *loop, struct loop_timer *timer, int64_t at)
{
    (void)loop;
    (void)timer;
    (void)at;
}

static void paper_timer_stop(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    (void)timer;
}

#define net_ws_send_frame paper_send
#define net_ws_close paper_close
#define loop_finish_ask paper_ask
#define loop_timer_set paper_timer
#define loop_timer_stop paper_timer_stop
#include "gateway/members.c"
#include "gateway/room.c"
#include "gateway/user.c"

#define CONNS 64

static struct gw_api_config config = {.name = {"paper", 5}};
static struct gw_api api = {.config = &config}, other = {.config = &config, .index = 1};
static struct gw_io io;
static struct gw_members members[2];
static struct socket sockets[CONNS];
static struct gw_conn conns[CONNS];

static int setup(void **state)
{
    (void)state;
    memset(&io, 0, sizeof(io));
    memset(members, 0, sizeof(members));
    memset(sockets, 0, sizeof(sockets));
    memset(conns, 0, sizeof(conns));
    finish_asked = 0;
    io.members = members;
    map_init(&io.rooms);
    map_init(&io.users);
    for (int i = 0; i < CONNS; i++)
        conns[i] = (struct gw_conn){.net = (struct net_conn *)&sockets[i], .api = &api, .io = &io, .state = GW_OPEN, .member_at = UINT32_MAX, .user_at = UINT32_MAX};
    return 0;
}

static void leave_all(void)
{
    for (int i = 0; i < CONNS; i++)
        gw_room_leave_all(&io, &conns[i]);
    gw_rooms_flush(&io);
}

static int teardown(void **state)
{
    (void)state;
    leave_all();
    assert_int_equal(io.rooms.count, 0);
    assert_int_equal(counter_read(COUNTER_gw_rooms), 0);
    assert_int_equal(counter_read(COUNTER_gw_room_members), 0);
    map_fini(&io.rooms);
    map_fini(&io.users);
    for (int i = 0; i < 2; i++)
        free(members[i].conn);
    return 0;
}

static void publish(struct gw_api *to, const char *room, const char *text)
{
    struct net_frame *frame = net_frame_create(WS_TEXT, text, strlen(text));
    gw_room_publish(&io, to, text_of(room), frame);
    net_frame_unref(frame);
}

static void assert_heard(int at, const char *expected)
{
    sockets[at].heard[sockets[at].len] = 0;
    assert_string_equal(sockets[at].heard, expected);
}

static int join(int at, const char *room)
{
    return gw_room_join(&io, &conns[at], text_of(room));
}

static void one_write_in_order_at_the_end_of_the_turn(void **state)
{
    (void)state;
    join(0, "r");
    join(1, "r");
    publish(&api, "r", "a");
    publish(&api, "r", "b");
    publish(&api, "r", "c");
    publish(&api, "nobody", "x");
    assert_heard(0, "");
    assert_int_equal(finish_asked, 1);
    gw_rooms_flush(&io);
    assert_heard(0, "abc");
    assert_heard(1, "abc");
    assert_int_equal(sockets[0].writes, 1);
    gw_rooms_flush(&io);
    assert_heard(0, "abc");
}

static void joining_and_leaving_divide_what_is_heard(void **state)
{
    (void)state;
    join(0, "r");
    publish(&api, "r", "a");
    join(1, "r");
    publish(&api, "r", "b");
    gw_room_leave(&io, &conns[0], TEXT("r"));
    publish(&api, "r", "c");
    join(0, "r");
    publish(&api, "r", "d");
    gw_rooms_flush(&io);
    assert_heard(0, "abd");
    assert_heard(1, "bcd");
}

static void rooms_are_walked_in_the_order_of_their_first_frame(void **state)
{
    (void)state;
    join(0, "one");
    join(0, "two");
    publish(&api, "two", "a");
    publish(&api, "one", "b");
    gw_rooms_flush(&io);
    assert_heard(0, "ab");
}

static void users_and_broadcasts_come_after_what_was_published(void **state)
{
    struct gw_identity *ada = gw_identity_create(TEXT("ada"), TEXT_NONE, TEXT_NONE, TEXT("user"), NULL, 0);
    struct gw_sums sums = {0};
    (void)state;
    for (int i = 0; i < 3; i++) {
        if (i < 2)
            conns[i].identity = gw_identity_ref(ada);
        assert_int_equal(gw_conn_enlist(&io, &conns[i]), 0);
    }
    join(0, "r");
    publish(&api, "r", "a");
    struct net_frame *frame = net_frame_create(WS_TEXT, "u", 1);
    gw_user_send(&io, &api, TEXT("ada"), NULL, frame, 0, &sums);
    gw_user_send(&io, &other, TEXT("ada"), NULL, frame, 0, &sums); /* another API's ada */
    gw_user_send(&io, &api, TEXT("bob"), NULL, frame, 0, &sums);
    assert_int_equal(sums.delivered, 2);
    publish(&api, "r", "b");
    sockets[1].answer = ERR_FULL;
    sockets[2].answer = ERR_GONE;
    sums = (struct gw_sums){0};
    gw_broadcast_send(&io, &api, frame, 0, &sums);
    net_frame_unref(frame);
    assert_int_equal(sums.delivered, 1);
    assert_int_equal(sums.dropped, 1);
    assert_int_equal(sums.gone, 1);
    assert_heard(0, "aubu");
    assert_heard(1, "u");
    for (int i = 0; i < 3; i++) {
        gw_conn_delist(&io, &conns[i]);
        gw_identity_unref(conns[i].identity);
    }
    assert_int_equal(io.users.count, 0);
    gw_identity_unref(ada);
}

static void an_identity_moves_its_connection(void **state)
{
    struct gw_identity *ada = gw_identity_create(TEXT("ada"), TEXT_NONE, TEXT_NONE, TEXT("user"), NULL, 0);
    struct gw_identity *bob = gw_identity_create(TEXT("bob"), TEXT_NONE, TEXT_NONE, TEXT("user"), NULL, 0);
    struct net_frame *frame = net_frame_create(WS_TEXT, "u", 1);
    struct gw_sums sums = {0};
    (void)state;
    assert_int_equal(gw_conn_enlist(&io, &conns[0]), 0);
    assert_int_equal(gw_conn_set_identity(&io, &conns[0], ada), 0);
    assert_int_equal(gw_conn_set_identity(&io, &conns[0], bob), 0);
    gw_user_send(&io, &api, TEXT("ada"), NULL, frame, 0, &sums);
    assert_int_equal(sums.delivered, 0);
    gw_user_send(&io, &api, TEXT("bob"), NULL, frame, 0, &sums);
    assert_int_equal(sums.delivered, 1);
    net_frame_unref(frame);
    gw_conn_delist(&io, &conns[0]);
    gw_identity_unref(bob);
    assert_int_equal(io.users.count, 0);
}

static void apis_do_not_hear_each_other(void **state)
{
    (void)state;
    conns[1].api = &other;
    join(0, "r");
    join(1, "r");
    publish(&api, "r", "a");
    publish(&other, "r", "b");
    gw_rooms_flush(&io);
    assert_heard(0, "a");
    assert_heard(1, "b");
}

static void packing_keeps_the_order(void **state)
{
    (void)state;
    for (int i = 0; i < CONNS; i++)
        join(i, "r");
    for (int i = 0; i < CONNS; i += 2)
        gw_room_leave(&io, &conns[i], TEXT("r"));
    struct gw_room *room = gw_room_find(&io, &api, TEXT("r"));
    uint32_t seen = 0;
    struct gw_conn *last = NULL;
    assert_true(room->members.count < CONNS);
    for (uint32_t i = 0; i < room->members.count; i++) {
        struct gw_conn *conn = room->members.conn[i];
        if (!conn)
            continue;
        assert_int_equal(conn->rooms->at, i);
        assert_ptr_equal(room->back[i], conn->rooms);
        assert_true(conn > last);
        last = conn;
        seen++;
    }
    assert_int_equal(seen, CONNS / 2);
    publish(&api, "r", "a");
    gw_rooms_flush(&io);
    for (int i = 0; i < CONNS; i++)
        assert_heard(i, i % 2 ? "a" : "");
}

static void bounds(void **state)
{
    char name[GW_ROOM_NAME_MAX + 2], big[20001];
    (void)state;
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = 0;
    assert_int_equal(join(0, name), ERR_TOO_LARGE);
    assert_int_equal(join(0, ""), ERR_TOO_LARGE);
    name[GW_ROOM_NAME_MAX] = 0;
    assert_int_equal(join(0, name), 0);
    assert_int_equal(join(0, name), 0); /* twice is once */
    assert_int_equal(conns[0].room_count, 1);
    for (int i = 1; i < GW_ROOMS_PER_CONNECTION; i++) {
        snprintf(name, sizeof(name), "%d", i);
        assert_int_equal(join(0, name), 0);
    }
    assert_int_equal(join(0, "one more"), ERR_FULL);
    assert_int_equal(join(0, "1"), 0);
    /* A turn's frames are bounded by number and by bytes; then the walk comes early. */
    join(1, "1");
    for (int i = 0; i < ROOM_PENDING_MAX; i++)
        publish(&api, "1", "a");
    assert_int_equal(sockets[1].writes, 0);
    publish(&api, "1", "b");
    assert_int_equal(sockets[1].writes, 1);
    gw_rooms_flush(&io);
    memset(big, 'B', sizeof(big));
    big[sizeof(big) - 1] = 0;
    for (int i = 0; i < 4; i++)
        publish(&api, "1", big);
    assert_int_equal(sockets[1].writes, 3);
    gw_rooms_flush(&io);
    assert_int_equal(sockets[1].writes, 4);
    assert_int_equal(sockets[1].len, ROOM_PENDING_MAX + 1 + 4);
}

static void a_room_that_empties_with_frames_noted_is_freed_once(void **state)
{
    (void)state;
    join(0, "r");
    publish(&api, "r", "a");
    gw_room_leave_all(&io, &conns[0]);
    gw_rooms_flush(&io);
    assert_int_equal(io.rooms.count, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(one_write_in_order_at_the_end_of_the_turn),
        T(joining_and_leaving_divide_what_is_heard),
        T(rooms_are_walked_in_the_order_of_their_first_frame),
        T(users_and_broadcasts_come_after_what_was_published),
        T(an_identity_moves_its_connection),
        T(apis_do_not_hear_each_other),
        T(packing_keeps_the_order),
        T(bounds),
        T(a_room_that_empties_with_frames_noted_is_freed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
