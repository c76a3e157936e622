/* Handlers in a real tick over a real store and journal: tables, budgets, ranks, rooms, deferred calls, and what an undone call leaves: nothing. */
#include "gateway/internal.h"
#include "store/key.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW INT64_C(1800000000000)

static struct weir_table people = {
    .name = "people-{env}",
    .hash = "town",
    .hash_type = WEIR_S,
    .range = "name",
    .range_type = WEIR_S,
    .index = {{.name = "ByAge", .hash = "town", .hash_type = WEIR_S, .range = "age", .range_type = WEIR_N, .counted = true},
        {.name = "ByAgeAndName", .hash = "town", .hash_type = WEIR_S, .more_hash = {{"planet", WEIR_S}}, .range = "age", .range_type = WEIR_N, .counted = true, .more_range = {{"name", WEIR_S}}}},
    .ttl = "ttl",
};
static struct weir_table plain = {.name = "plain-{env}", .hash = "id", .hash_type = WEIR_S};
static struct weir_table live = {.name = "live-{env}", .hash = "connectionId", .hash_type = WEIR_S, .ttl = "ttl"};
static struct weir_table stranger = {.name = "stranger", .hash = "id", .hash_type = WEIR_S};

static char folder[] = "/tmp/weir-call-XXXXXX";
static struct store *store;
static struct journal *journal;
static struct worker_pool *workers;
static struct loop *loop;
static struct tick *tick;
static struct gateway *gateway;
static struct gw_io *io;
static struct gw_effect *heard[32];
static size_t heard_count;

static void deliver(void *context, void *effect)
{
    (void)context;
    assert_true(heard_count < 32);
    heard[heard_count++] = effect;
}

static void on_done(void *context, struct tick_call *call)
{
    (void)context;
    (void)call;
}

static void drop(void *effect)
{
    gw_effect_unref(effect);
}

static void on_fatal(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "%s\n", text);
    abort();
}

static void reminder(struct weir_call *call)
{
    (void)call;
}

static struct weir_table *tables[] = {&people, &plain};
static struct gw_route_config routes[] = {{.key = {"@reminder", 9}, .handler = reminder}};
static struct gw_api_config api = {
    .name = {"paper", 5},
    .stages = {{"prod", 4}},
    .stage_count = 1,
    .tables = tables,
    .table_count = 2,
    .routes = routes,
    .route_count = 1,
    .registry = {.table = &live, .lifetime = WEIR_HOUR, .identity = true},
    .retain_rooms = true,
};

static void must(int code, const struct err *err)
{
    if (code)
        fail_msg("%s: %s", err_name(code), err->text);
}

static int begin(void **state)
{
    struct err err = {0};
    char path[64];
    (void)state;
    clock_freeze(NOW);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/tables", folder);
    must(store_open(&store, &(struct store_config){.folder = path}, &err), &err);
    snprintf(path, sizeof(path), "%s/journal", folder);
    must(journal_open(&journal, &(struct journal_config){.folder = path, .foreground = true}, &err), &err);
    must(worker_pool_create(&workers, 1, 16, &err), &err);
    must(loop_create(&loop, &err), &err);
    struct gateway_config config = {.apis = &api, .api_count = 1, .environment = TEXT("dev"), .store = store, .journal = journal, .log_applications = true};
    must(gateway_create(&gateway, &config, &err), &err);
    static struct tick_sink sinks[2];
    for (int i = 0; i < 2; i++)
        sinks[i] = (struct tick_sink){.loop = loop, .deliver = deliver, .on_done = on_done};
    struct tick_config ticks = {.store = store, .journal = journal, .workers = workers, .sources = 2, .sinks = sinks, .effect_drop = drop, .on_fatal = on_fatal};
    gateway_tick_hooks(gateway, &ticks);
    ticks.effect_drop = drop;
    ticks.on_durable = NULL; /* nobody follows */
    must(tick_create(&tick, &ticks, &err), &err);
    must(gateway_define_tables(gateway, tick, &err), &err);
    gateway->tick = tick;
    gateway->io = io = calloc(2, sizeof(*io));
    gateway->io_count = 1;
    io->gateway = gateway;
    return 0;
}

static int unlink_one(const char *path, const struct stat *stat, int type, struct FTW *where)
{
    (void)stat;
    (void)type;
    (void)where;
    return remove(path);
}

static int end(void **state)
{
    (void)state;
    while (io->free_calls) {
        struct weir_call *call = io->free_calls;
        io->free_calls = call->next;
        arena_fini(&call->arena);
        free(call);
    }
    tick_destroy(tick);
    gateway->io = NULL;
    free(io);
    gateway_destroy(gateway);
    loop_destroy(loop);
    worker_pool_destroy(workers);
    journal_close(journal);
    store_close(store);
    nftw(folder, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
    clock_freeze(-1);
    return 0;
}

/* ---- running a handler as a message ---- */

static char answer[4096], failure[64];

static void forget_effects(void)
{
    while (heard_count)
        gw_effect_unref(heard[--heard_count]);
}

/* Answers the call's code; its first answer and its failure are kept. */
static int run(void (*handler)(struct weir_call *call), const char *body)
{
    struct gw_route route = {.handler = handler};
    struct err err = {0};
    forget_effects();
    struct weir_call *call = gw_call_take(io, &gateway->apis[0]);
    call->kind = GW_CALL_MESSAGE;
    call->has_conn = true;
    call->route = &route;
    call->body = arena_copy(&call->arena, text_of(body));
    call->base.arena = &call->arena;
    call->base.run = gw_tick_run;
    call->base.on_undone = gw_tick_undone;
    int code = tick_run_now(tick, &call->base, &err);
    snprintf(answer, sizeof(answer), "%.*s", TEXT_FMT(call->reply.text));
    snprintf(failure, sizeof(failure), "%s", code ? call->err_code : "");
    gw_call_give(call);
    tick_drain(tick, 0);
    return code;
}

static struct weir_item *person(struct weir_call *call, const char *name, int64_t age)
{
    struct weir_item *item = weir_item(call);
    weir_item_text(item, "town", WEIR_STR("Ely"));
    weir_item_text(item, "planet", WEIR_STR("Terra"));
    weir_item_text(item, "name", weir_text_of(name));
    if (age >= 0)
        weir_item_integer(item, "age", age);
    return item;
}

static void add_five(struct weir_call *call)
{
    static const char *const names[] = {"Ann", "Bob", "Cid", "Dan", "Eve"};
    for (int i = 0; i < 5; i++)
        weir_put(call, &people, person(call, names[i], 20 + 10 * (i % 4)));
    weir_ack(call);
}

static void add_and_fail(struct weir_call *call)
{
    weir_put(call, &people, person(call, "Zoe", 1));
    struct weir_json *json = weir_json(call);
    weir_null(json);
    weir_broadcast(call, json);
    weir_log(call, "this line goes with the call");
    assert_non_null(weir_get(call, &people, person(call, "Zoe", -1)));
    weir_in_integer(call, "missing", 0, 1);
    weir_put(call, &people, person(call, "Yan", 1)); /* does nothing any more */
}

static void look(struct weir_call *call)
{
    struct weir_text name = weir_in_text(call, "name", 1, 10);
    char text[16];
    snprintf(text, sizeof(text), "%.*s", WEIR_TEXT(name));
    const struct weir_item *found = weir_get(call, &people, person(call, text, -1));
    struct weir_json *json = weir_json(call);
    weir_item_json(json, found);
    weir_reply(call, json);
}

static void a_call_is_all_or_nothing(void **state)
{
    (void)state;
    assert_int_equal(run(add_five, "{\"action\":\"add\",\"requestId\":\"q\"}"), 0);
    char expected[96];
    snprintf(expected, sizeof(expected), "{\"type\":\"ack\",\"action\":\"add\",\"requestId\":\"q\",\"seq\":%llu}", (unsigned long long)tick_durable(tick));
    assert_string_equal(answer, expected);
    assert_int_equal(run(look, "{\"name\":\"Cid\"}"), 0);
    assert_string_equal(answer, "{\"town\":\"Ely\",\"planet\":\"Terra\",\"name\":\"Cid\",\"age\":40}");
    assert_int_equal(run(add_and_fail, "{}"), ERR_MISSING);
    assert_string_equal(answer, "{\"type\":\"error\",\"error\":\"MISSING\",\"field\":\"missing\",\"message\":\"missing is required\"}");
    assert_int_equal(heard_count, 1); /* what is said of the failure */
    assert_int_equal(heard[0]->kind, GW_EFFECT_LINE);
    run(look, "{\"name\":\"Zoe\"}");
    assert_string_equal(answer, "null");
}

static void delete_bob(struct weir_call *call)
{
    weir_delete(call, &people, person(call, "Bob", -1));
    weir_delete(call, &people, person(call, "Nobody", -1));
    assert_null(weir_get(call, &people, person(call, "Bob", -1)));
    weir_put_new(call, &people, person(call, "Bob", 30));
}

static void what_is_deleted_is_gone(void **state)
{
    (void)state;
    assert_int_equal(run(delete_bob, "{}"), 0);
    run(look, "{\"name\":\"Bob\"}");
    assert_string_equal(answer, "{\"town\":\"Ely\",\"planet\":\"Terra\",\"name\":\"Bob\",\"age\":30}");
}

/* ---- queries ---- */

static struct weir_item *age(struct weir_call *call, int64_t years)
{
    struct weir_item *item = weir_item(call);
    weir_item_integer(item, "age", years);
    return item;
}

static void names_of(struct weir_call *call, const struct weir_query *query, const char *expected)
{
    char names[128] = "";
    const struct weir_item *row;
    struct weir_cursor *cursor = weir_query(call, query);
    while ((row = weir_next(cursor))) {
        size_t len = strlen(names);
        snprintf(names + len, sizeof(names) - len, "%.*s ", WEIR_TEXT(weir_get_text(row, "name")));
    }
    assert_null(weir_next(cursor));
    assert_string_equal(names, expected);
}

static void queries(struct weir_call *call)
{
    struct weir_item *key = person(call, "Cid", -1), *low = weir_item(call);
    weir_item_text(low, "name", WEIR_STR("D"));
    for (int i = 0; i < 20; i++) /* a cursor at its end gives its place back */
        names_of(call, &(struct weir_query){.table = &people, .key = key}, "Ann Bob Cid Dan Eve ");
    names_of(call, &(struct weir_query){.table = &people, .key = key, .backward = true}, "Eve Dan Cid Bob Ann ");
    names_of(call, &(struct weir_query){.table = &people, .key = key, .after = key}, "Dan Eve ");
    names_of(call, &(struct weir_query){.table = &people, .key = key, .range = WEIR_PREFIX, .low = low}, "Dan ");
    names_of(call, &(struct weir_query){.table = &people, .key = key, .range = WEIR_LT, .low = low}, "Ann Bob Cid ");
    names_of(call, &(struct weir_query){.table = &people, .index = "ByAge", .key = key, .range = WEIR_GE, .low = age(call, 40)}, "Cid Dan ");
    names_of(call, &(struct weir_query){.table = &people, .index = "ByAge", .key = key, .range = WEIR_BETWEEN, .low = age(call, 20), .high = age(call, 30)}, "Ann Eve Bob ");
}

/* A key of several attributes: what the query's key binds of the range attributes, from the first on, comes before the range. */
static void queries_of_many(struct weir_call *call)
{
    struct weir_item *place = weir_item(call), *young = age(call, 20), *low = weir_item(call);
    uint64_t rank = 0;
    weir_item_text(place, "town", WEIR_STR("Ely"));
    weir_item_text(place, "planet", WEIR_STR("Terra"));
    weir_item_text(young, "town", WEIR_STR("Ely"));
    weir_item_text(young, "planet", WEIR_STR("Terra"));
    weir_item_text(low, "name", WEIR_STR("E"));
    struct weir_query query = {.table = &people, .index = "ByAgeAndName", .key = place};
    names_of(call, &query, "Ann Eve Bob Cid Dan ");
    query.after = person(call, "Eve", 20);
    names_of(call, &query, "Bob Cid Dan ");
    names_of(call, &(struct weir_query){.table = &people, .index = "ByAgeAndName", .key = place, .range = WEIR_GE, .low = age(call, 40), .backward = true}, "Dan Cid ");
    names_of(call, &(struct weir_query){.table = &people, .index = "ByAgeAndName", .key = young}, "Ann Eve ");
    names_of(call, &(struct weir_query){.table = &people, .index = "ByAgeAndName", .key = young, .range = WEIR_PREFIX, .low = low}, "Eve ");
    names_of(call, &(struct weir_query){.table = &people, .index = "ByAgeAndName", .key = person(call, "Zoe", 20), .range = WEIR_LT, .low = low}, "Ann ");
    names_of(call, &(struct weir_query){.table = &people, .index = "ByAgeAndName", .key = person(call, "Eve", 20)}, "Eve ");
    assert_int_equal(weir_rank_count(call, &query), 5);
    query.after = NULL;
    assert_true(weir_rank_of(call, &query, person(call, "Eve", 20), &rank));
    assert_int_equal(rank, 1);
    query.key = person(call, "Bob", 30);
    const struct weir_item *third = weir_next(weir_rank_seek(call, &query, 3));
    assert_non_null(third);
    assert_true(weir_text_is(weir_get_text(third, "name"), "Cid"));
}

static void key_lacks_one(struct weir_call *call)
{
    struct weir_item *key = weir_item(call);
    weir_item_text(key, "town", WEIR_STR("Ely"));
    weir_query(call, &(struct weir_query){.table = &people, .index = "ByAgeAndName", .key = key});
}

static void nine_cursors(struct weir_call *call)
{
    struct weir_item *key = person(call, "Cid", -1);
    for (int i = 0; i < 9; i++)
        weir_next(weir_query(call, &(struct weir_query){.table = &people, .key = key}));
}

static void unknown_index(struct weir_call *call)
{
    weir_query(call, &(struct weir_query){.table = &people, .index = "ByShoe", .key = person(call, "Cid", -1)});
}

static void keyless(struct weir_call *call)
{
    weir_query(call, &(struct weir_query){.table = &people, .key = weir_item(call)});
}

static void unknown_table(struct weir_call *call)
{
    weir_get(call, &stranger, weir_item(call));
}

static void queries_have_an_order_and_bounds(void **state)
{
    (void)state;
    assert_int_equal(run(queries, "{}"), 0);
    assert_int_equal(run(queries_of_many, "{}"), 0);
    assert_int_equal(run(nine_cursors, "{}"), ERR_FULL);
    assert_string_equal(failure, "LIMIT");
    assert_int_equal(run(unknown_index, "{}"), ERR_INTERNAL);
    assert_int_equal(run(key_lacks_one, "{}"), ERR_INTERNAL);
    assert_int_equal(run(keyless, "{}"), ERR_INTERNAL);
    assert_int_equal(run(unknown_table, "{}"), ERR_INTERNAL);
}

static void ranks(struct weir_call *call)
{
    uint64_t rank = 99;
    struct weir_query query = {.table = &people, .index = "ByAge", .key = person(call, "Cid", -1)};
    assert_int_equal(weir_rank_count(call, &query), 5);
    assert_true(weir_rank_of(call, &query, weir_get(call, &people, person(call, "Cid", -1)), &rank));
    assert_int_equal(rank, 3);
    query.backward = true;
    assert_true(weir_rank_of(call, &query, weir_get(call, &people, person(call, "Cid", -1)), &rank));
    assert_int_equal(rank, 1);
    assert_false(weir_rank_of(call, &query, person(call, "Zoe", 40), &rank));
    const struct weir_item *second = weir_next(weir_rank_seek(call, &query, 1));
    assert_true(weir_text_is(weir_get_text(second, "name"), "Cid"));
    assert_null(weir_next(weir_rank_seek(call, &query, 5)));
}

static void ranks_are_exact(void **state)
{
    (void)state;
    assert_int_equal(run(ranks, "{}"), 0);
}

/* ---- budgets ---- */

static void touch_items(struct weir_call *call, int count)
{
    for (int i = 0; i < count; i++)
        weir_get(call, &people, person(call, "Ann", -1));
    weir_ack(call);
}

static void touch_1000(struct weir_call *call)
{
    touch_items(call, WEIR_TOUCH_ITEMS);
}

static void touch_1001(struct weir_call *call)
{
    touch_items(call, WEIR_TOUCH_ITEMS + 1);
}

static void write_megabyte(struct weir_call *call)
{
    static char much[300000];
    char id[12];
    memset(much, 'x', sizeof(much));
    for (int i = 0; i < 4; i++) {
        struct weir_item *item = weir_item(call);
        snprintf(id, sizeof(id), "%d", i);
        weir_item_text(item, "id", weir_text_of(id));
        weir_item_text(item, "much", (struct weir_text){much, sizeof(much)});
        weir_put(call, &plain, item);
    }
}

static void too_large_item(struct weir_call *call)
{
    static char much[ITEM_BYTES_MAX];
    struct weir_item *item = weir_item(call);
    memset(much, 'x', sizeof(much));
    weir_item_text(item, "id", WEIR_STR("a"));
    weir_item_text(item, "much", (struct weir_text){much, sizeof(much)});
    weir_put(call, &plain, item);
}

static void budgets_are_kept(void **state)
{
    (void)state;
    assert_int_equal(run(touch_1000, "{}"), 0);
    assert_int_equal(run(touch_1001, "{}"), ERR_FULL);
    assert_string_equal(failure, "LIMIT");
    assert_int_equal(run(write_megabyte, "{}"), ERR_FULL);
    assert_string_equal(failure, "LIMIT");
    assert_int_equal(store_table_count(gw_table(gateway, &plain)), 0);
    assert_int_equal(run(too_large_item, "{}"), ERR_TOO_LARGE);
}

/* ---- expiry, ids ---- */

static void put_mayfly(struct weir_call *call)
{
    struct weir_item *item = person(call, "May", 1);
    weir_item_expires_in(item, 10 * WEIR_SECOND);
    weir_put(call, &people, item);
    weir_item_text(item, "id", WEIR_STR("x"));
}

static void expires_without_ttl(struct weir_call *call)
{
    struct weir_item *item = weir_item(call);
    weir_item_text(item, "id", WEIR_STR("x"));
    weir_item_expires_in(item, 1);
    weir_put(call, &plain, item);
}

static void an_item_expires(void **state)
{
    (void)state;
    assert_int_equal(run(put_mayfly, "{}"), 0);
    run(look, "{\"name\":\"May\"}");
    assert_string_equal(answer, "{\"town\":\"Ely\",\"planet\":\"Terra\",\"name\":\"May\",\"age\":1,\"ttl\":1800000010}");
    clock_freeze(NOW + 10 * WEIR_SECOND);
    run(look, "{\"name\":\"May\"}");
    assert_string_equal(answer, "null");
    assert_int_equal(run(expires_without_ttl, "{}"), ERR_INTERNAL);
}

static void ids(struct weir_call *call)
{
    struct weir_text first = weir_id(call), second = weir_id(call);
    assert_int_equal(first.len, TICK_ID_TEXT);
    assert_true(text_compare(text_make(first.data, first.len), text_make(second.data, second.len)) < 0);
    assert_true(weir_sequence(call) > 0);
    assert_true(weir_now(call) == NOW + 10 * WEIR_SECOND);
    assert_true(weir_text_is(weir_now_iso(call), "2027-01-15T08:00:10.000Z"));
    assert_int_equal(weir_connection_id(call).len, NET_ID_TEXT);
    assert_true(weir_text_is(weir_environment(call), "dev"));
    assert_true(weir_text_is(weir_stage(call), "prod"));
}

static void the_tick_gives_ids_and_time(void **state)
{
    (void)state;
    assert_int_equal(run(ids, "{}"), 0);
}

/* ---- sending ---- */

static void say(struct weir_call *call)
{
    struct weir_json *json = weir_json(call);
    weir_value(json, weir_in_value(call, "say", true));
    weir_join(call, WEIR_STR("tea"));
    weir_publish(call, WEIR_STR("tea"), json);
    weir_send_user(call, WEIR_STR("ann"), json);
    weir_post(call, weir_connection_id(call), json);
    weir_leave(call, WEIR_STR("tea"));
    weir_log(call, "said");
    weir_ack(call);
}

static void last_said(struct weir_call *call)
{
    uint64_t sequence = 99;
    struct weir_text last = weir_room_last(call, WEIR_STR("tea"), &sequence);
    struct weir_json *json = weir_json(call);
    weir_array(json);
    weir_raw(json, last);
    weir_boolean(json, sequence == tick_durable(tick));
    weir_integer(json, sequence > 0);
    weir_end(json);
    weir_reply(call, json);
}

static void effects_leave_in_order_and_rooms_remember(void **state)
{
    static const enum gw_effect_kind order[] = {GW_EFFECT_JOIN, GW_EFFECT_PUBLISH, GW_EFFECT_USER, GW_EFFECT_POST, GW_EFFECT_LEAVE, GW_EFFECT_LOG};
    (void)state;
    run(last_said, "{}");
    assert_string_equal(answer, "[null,false,0]");
    assert_int_equal(run(say, "{\"say\":\"milk?\"}"), 0);
    assert_non_null(strstr(answer, "\"seq\":"));
    assert_int_equal(heard_count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(heard[i]->kind, order[i]);
    assert_true(text_is(heard[1]->text, "tea"));
    assert_true(text_equal(text_make(heard[1]->frame->data + 2, heard[1]->frame->len - 2), TEXT("\"milk?\"")));
    assert_int_equal(run(last_said, "{}"), 0);
    assert_string_equal(answer, "[\"milk?\",true,1]");
    assert_int_equal(run(say, "{}"), ERR_MISSING);
    assert_int_equal(heard_count, 1);
    assert_int_equal(heard[0]->kind, GW_EFFECT_LINE);
    run(last_said, "{}");
    assert_string_equal(answer, "[\"milk?\",true,1]");
}

static void register_self(struct weir_call *call)
{
    assert_int_equal(gw_registry_put(call), 0);
    weir_join(call, WEIR_STR("a"));
    weir_join(call, WEIR_STR("b"));
    weir_join(call, WEIR_STR("a"));
    weir_leave(call, WEIR_STR("b"));
    weir_ack(call);
}

static void look_self(struct weir_call *call)
{
    struct weir_item *key = weir_item(call);
    weir_item_text(key, "connectionId", weir_connection_id(call));
    struct weir_json *json = weir_json(call);
    weir_item_json(json, weir_get(call, &live, key));
    weir_reply(call, json);
}

static void the_registry_row_knows_the_rooms(void **state)
{
    (void)state;
    /* A fake call has no gw_about, and the row of an identity-less connection needs none. */
    assert_int_equal(run(register_self, "{\"action\":\"join\"}"), 0);
    assert_string_equal(answer, "{\"type\":\"ack\",\"action\":\"join\"}"); /* live rows are not durable: no seq */
    run(look_self, "{}");
    assert_non_null(strstr(answer, "\"rooms\":[\"a\"]"));
}

/* ---- later ---- */

static void remind(struct weir_call *call)
{
    struct weir_json *json = weir_json(call);
    weir_object(json);
    weir_end(json);
    weir_later(call, WEIR_MINUTE, "@reminder", json);
    weir_ack(call);
}

static void remind_nobody(struct weir_call *call)
{
    struct weir_json *json = weir_json(call);
    weir_null(json);
    weir_later(call, WEIR_MINUTE, "@nobody", json);
}

static int find_name(void *context, struct text key, struct text value)
{
    (void)key;
    *(bool *)context |= memmem(value.data, value.len, "paper/@reminder", 15) != NULL;
    return 0;
}

static bool reminder_found;
static void look_for_reminder(struct weir_call *call)
{
    assert_int_equal(store_raw_scan(call->view, STORE_SPACE_DEFERRED, TEXT_NONE, &call->arena, find_name, &reminder_found), 0);
}

static void a_deferred_call_is_a_row(void **state)
{
    (void)state;
    assert_int_equal(run(remind, "{}"), 0);
    assert_non_null(strstr(answer, "\"seq\":"));
    assert_int_equal(run(look_for_reminder, "{}"), 0);
    assert_true(reminder_found);
    assert_int_equal(run(remind_nobody, "{}"), ERR_INTERNAL);
    forget_effects();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_all_or_nothing),
        cmocka_unit_test(what_is_deleted_is_gone),
        cmocka_unit_test(queries_have_an_order_and_bounds),
        cmocka_unit_test(ranks_are_exact),
        cmocka_unit_test(budgets_are_kept),
        cmocka_unit_test(an_item_expires),
        cmocka_unit_test(the_tick_gives_ids_and_time),
        cmocka_unit_test(effects_leave_in_order_and_rooms_remember),
        cmocka_unit_test(the_registry_row_knows_the_rooms),
        cmocka_unit_test(a_deferred_call_is_a_row),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
