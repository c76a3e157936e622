/* The public header's functions that need no tick: input, failures, answers, JSON. The call is real, what stands behind it is made of paper. */
#include "gateway/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct gw_api_config config;
static struct gw_api api;
static struct gw_lines lines;
static struct gateway gateway;
static struct gw_io io;
static struct gw_conn conn;
static struct weir_call *call;

static int setup(void **state)
{
    (void)state;
    memset(&config, 0, sizeof(config));
    memset(&api, 0, sizeof(api));
    memset(&gateway, 0, sizeof(gateway));
    memset(&io, 0, sizeof(io));
    config.name = TEXT("paper");
    config.stages[0] = TEXT("prod");
    config.stage_count = 1;
    api.config = &config;
    api.gateway = &gateway;
    gateway.config.environment = TEXT("dev");
    gateway.io = &io;
    gateway.io_count = 1;
    io.gateway = &gateway;
    map_init(&io.rooms);
    map_init(&api.by_key);
    lines = (struct gw_lines){.api = &api, .route = TEXT("$default")};
    for (size_t i = 0; i < GW_LINES_OWN; i++)
        api.own_lines[i] = &lines;
    gateway.config.log_applications = true;
    call = gw_call_take(&io, &api);
    assert_non_null(call);
    call->kind = GW_CALL_MESSAGE;
    call->conn = &conn;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gw_call_drop_effects(call); /* gw_call_handle leaves none */
    gw_call_give(call);
    gw_lines_io_fini(&io);
    arena_fini(&call->arena);
    free(call);
    map_fini(&io.rooms);
    map_fini(&api.by_key);
    return 0;
}

/* Begins anew with another message. */
static void message(const char *body)
{
    gw_call_docs_give(call);
    gw_call_drop_effects(call);
    call->failed = 0;
    call->client_error = false;
    call->status = 0;
    call->token_exp_s = 0;
    call->reply = (struct gw_reply){0};
    call->reply_last = NULL;
    call->root = NULL;
    call->parsed = call->parsed_late = false;
    call->body = arena_copy(&call->arena, text_of(body));
}

static void assert_text(struct weir_text text, const char *expected)
{
    if (text.len != strlen(expected) || memcmp(text.data, expected, text.len) != 0)
        fail_msg("\"%.*s\" is not \"%s\"", WEIR_TEXT(text), expected);
}

static void assert_reply(const char *expected)
{
    assert_non_null(call->reply.text.data);
    assert_text((struct weir_text){call->reply.text.data, call->reply.text.len}, expected);
}

/* The call failed with this code and named this field. */
static void assert_failure(const char *code, const char *field)
{
    assert_true(weir_failed(call));
    assert_string_equal(call->err_code, code);
    assert_string_equal(call->err_field, field);
}

/* ---- input ---- */

static void fields_are_found_in_all_envelopes(void **state)
{
    static const char *const forms[] = {
        "{\"action\":\"a\",\"data\":{\"n\":7}}",
        "{\"action\":\"a\",\"n\":7}",
        "{\"type\":\"a\",\"n\":7}",
        "{\"type\":\"a\",\"n\":7,\"data\":{\"n\":8}}",
        " {\"action\":\"a\",\"n\":7,\"data\":[1]} ",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        message(forms[i]);
        assert_text(weir_action(call), "a");
        assert_true(weir_has(call, "n"));
        assert_false(weir_has(call, "m"));
        assert_int_equal(weir_in_integer(call, "n", 0, 10), 7);
        assert_false(weir_failed(call));
    }
}

static void a_missing_field_is_named(void **state)
{
    (void)state;
    message("{\"a\":null}");
    weir_in_text(call, "a", 0, 10);
    assert_failure("MISSING", "a");
    message("hello");
    weir_in_integer(call, "score", 0, 10);
    assert_failure("SYNTAX", "score");
    message("");
    assert_null(weir_in_value(call, "v", true));
    assert_failure("SYNTAX", "v");
}

static void texts_have_bounds(void **state)
{
    (void)state;
    message("{\"t\":\"abc\",\"empty\":\"\",\"n\":5,\"c\":\"a\\u0007b\",\"line\":\"a\\tb\\n\"}");
    assert_text(weir_in_text(call, "t", 1, 3), "abc");
    assert_text(weir_in_text(call, "line", 1, 9), "a\tb\n");
    assert_text(weir_in_text_or(call, "none", 3, WEIR_STR("other")), "other");
    assert_false(weir_failed(call));
    weir_in_text(call, "t", 1, 2);
    assert_failure("TOO_LARGE", "t");
    message("{\"t\":\"abc\",\"empty\":\"\",\"n\":5,\"c\":\"a\\u0007b\"}");
    weir_in_text(call, "empty", 1, 2);
    assert_failure("INVALID", "empty");
    message("{\"n\":5}");
    weir_in_text_or(call, "n", 2, WEIR_STR(""));
    assert_failure("TYPE", "n");
    message("{\"c\":\"a\\u0007b\"}");
    weir_in_text(call, "c", 1, 9);
    assert_failure("INVALID", "c");
}

static void numbers_have_bounds_and_keep_their_digits(void **state)
{
    (void)state;
    message("{\"n\":9223372036854775807,\"big\":1234567890.12345678901234567890123456,\"e\":1e2}");
    assert_true(weir_in_integer(call, "n", 0, INT64_MAX) == INT64_MAX);
    assert_int_equal(weir_in_integer(call, "e", 0, 100), 100);
    assert_int_equal(weir_in_integer_or(call, "none", 0, 1, -5), -5);
    assert_text(weir_in_number(call, "big", 0, 1e10), "1234567890.12345678901234567890123456");
    assert_false(weir_failed(call));
    weir_in_integer(call, "n", 0, 100);
    assert_failure("INVALID", "n");
    message("{\"f\":1.5}");
    weir_in_integer(call, "f", 0, 100);
    assert_failure("INVALID", "f");
    message("{\"s\":\"5\"}");
    weir_in_integer(call, "s", 0, 100);
    assert_failure("TYPE", "s");
    message("{\"d\":-1}");
    weir_in_number(call, "d", 0, 100);
    assert_failure("INVALID", "d");
    message("{\"d\":1e999}");
    weir_in_number(call, "d", 0, 100);
    assert_failure("TOO_LARGE", "d");
}

static void times_come_in_three_forms(void **state)
{
    (void)state;
    message("{\"s\":1234567890,\"ms\":1737109800000,\"iso\":\"2025-01-17T10:30:00.000Z\",\"half\":1.5}");
    assert_true(weir_in_time_or(call, "s", 0) == INT64_C(1234567890000));
    assert_true(weir_in_time_or(call, "ms", 0) == INT64_C(1737109800000));
    assert_true(weir_in_time_or(call, "iso", 0) == INT64_C(1737109800000));
    assert_true(weir_in_time_or(call, "half", 0) == 1500);
    assert_true(weir_in_time_or(call, "none", 42) == 42);
    assert_false(weir_failed(call));
    static const char *const bad[] = {"{\"t\":\"soon\"}", "{\"t\":-1}", "{\"t\":1e30}", "{\"t\":true}"};
    for (size_t i = 0; i < 4; i++) {
        message(bad[i]);
        weir_in_time_or(call, "t", 0);
        assert_failure("INVALID", "t");
    }
}

static void values_are_walked(void **state)
{
    struct weir_text text;
    int64_t number;
    (void)state;
    message("{\"data\":{\"list\":[1,\"two\"],\"object\":{\"a\":3},\"b\":true,\"nothing\":null}}");
    const struct weir_value *list = weir_in_value(call, "list", true);
    assert_int_equal(weir_value_count(list), 2);
    assert_true(weir_value_integer(weir_value_at(list, 0), &number) && number == 1);
    assert_true(weir_value_text(weir_value_at(list, 1), &text));
    assert_text(text, "two");
    assert_null(weir_value_at(list, 2));
    assert_false(weir_value_integer(weir_value_at(list, 1), &number));
    const struct weir_value *object = weir_in_object(call, "object", true);
    assert_true(weir_value_integer(weir_value_get(object, "a"), &number) && number == 3);
    assert_true(weir_in_bool_or(call, "b", false));
    assert_null(weir_in_object(call, "nothing", false));
    assert_non_null(weir_in_value(call, "nothing", true));
    assert_false(weir_failed(call));
    assert_null(weir_in_object(call, "list", false));
    assert_failure("TYPE", "list");
    message("{\"v\":[{\"x\":[\"\\u0000\"]}]}");
    assert_null(weir_in_value(call, "v", true));
    assert_failure("INVALID", "v");
}

/* ---- failing ---- */

static void the_first_failure_stands(void **state)
{
    (void)state;
    message("{}");
    weir_in_integer(call, "first", 0, 1);
    weir_in_integer(call, "second", 0, 1);
    weir_fail(call, "LATER", "third", "no");
    assert_failure("MISSING", "first");
    assert_int_equal(call->failed, ERR_MISSING);
    assert_text(weir_in_text_or(call, "x", 5, WEIR_STR("y")), "y");
}

static void a_cold_block_is_nobodys_fault(void **state)
{
    (void)state;
    message("{}");
    call->failed = ERR_COLD;
    weir_fail(call, "NOT_FOUND", NULL, "it seems to be missing");
    weir_refuse(call, 403, "FORBIDDEN", "no");
    assert_int_equal(call->failed, ERR_COLD);
    assert_int_equal(call->status, 0);
    assert_false(call->client_error);
}

static void errors_are_answered_in_the_family_form(void **state)
{
    (void)state;
    message("{\"requestId\":\"r\\\"1\"}");
    weir_reply_bytes(call, WEIR_STR("an answer that is withdrawn"), false);
    weir_in_text(call, "name", 1, 5);
    gw_call_error_reply(call);
    assert_reply("{\"type\":\"error\",\"error\":\"MISSING\",\"field\":\"name\",\"message\":\"name is required\",\"requestId\":\"r\\\"1\"}");
    assert_null(call->reply.next);
    message("{\"data\":{\"requestId\":17}}");
    weir_fail(call, "TEAM_FULL", NULL, "the team has %d players", 5);
    assert_int_equal(call->failed, ERR_INVALID);
    gw_call_error_reply(call);
    assert_reply("{\"type\":\"error\",\"error\":\"TEAM_FULL\",\"message\":\"the team has 5 players\",\"requestId\":17}");
    message("not json");
    gw_call_fail(call, ERR_TOKEN_EXPIRED, "TOKEN_EXPIRED", "token", "too late");
    call->token_exp_s = 10;
    call->token_now_s = 20;
    gw_call_error_reply(call);
    assert_reply("{\"type\":\"error\",\"error\":\"TOKEN_EXPIRED\",\"field\":\"token\",\"message\":\"too late\",\"exp\":10,\"now\":20}");
}

static void errors_are_answered_in_the_envelope(void **state)
{
    (void)state;
    config.envelope_events = true;
    message("{\"requestId\":{\"not\":\"an id\"}}");
    call->now_ms = INT64_C(1737109800000);
    weir_fail(call, "FORBIDDEN", "room", "no");
    gw_call_error_reply(call);
    assert_reply("{\"event\":\"error\",\"data\":{\"error\":\"FORBIDDEN\",\"field\":\"room\",\"message\":\"no\"},\"timestamp\":\"2025-01-17T10:30:00.000Z\"}");
}

static void rest_errors_have_a_status(void **state)
{
    static const struct {
        const char *code;
        int status;
    } cases[] = {{"MISSING", 400}, {"MADE_UP", 400}, {"UNAUTHENTICATED", 401}, {"FORBIDDEN", 403}, {"NOT_FOUND", 404}, {"EXISTS", 409},
        {"CONDITION", 409}, {"TOO_LARGE", 413}, {"RATE_LIMITED", 429}, {"DISK_FULL", 503}, {"CORRUPT", 500}};
    (void)state;
    call->kind = GW_CALL_REST;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        message("{}");
        weir_fail(call, cases[i].code, i ? NULL : "f", "why");
        gw_call_error_reply(call);
        assert_int_equal(call->status, cases[i].status);
        if (i == 0)
            assert_reply("{\"message\":\"why\",\"error\":\"MISSING\",\"field\":\"f\"}");
    }
    message("{}");
    weir_refuse(call, 418, "TEAPOT", "short and stout");
    gw_call_error_reply(call);
    assert_int_equal(call->status, 418);
    assert_reply("{\"message\":\"short and stout\",\"error\":\"TEAPOT\"}");
}

static void a_refused_handshake_has_its_status_and_no_frame(void **state)
{
    (void)state;
    call->kind = GW_CALL_CONNECT;
    message("");
    weir_refuse(call, 401, "UNAUTHENTICATED", "who are you");
    gw_call_error_reply(call);
    assert_int_equal(call->status, 401);
    assert_int_equal(call->failed, ERR_UNAUTHENTICATED);
    assert_null(call->reply.text.data);
}

/* ---- who ---- */

static void nobody_acts_for_another(void **state)
{
    (void)state;
    struct gw_identity *alice = gw_identity_create(TEXT("alice"), TEXT_NONE, TEXT_NONE, TEXT("user"), NULL, 0);
    int64_t mismatches = counter_read(COUNTER_gw_identity_mismatches);
    message("{\"userId\":\"bob\"}");
    assert_text(weir_acting_user(call, "userId"), "bob"); /* nobody is known: the body is believed */
    call->identity = alice;
    assert_text(weir_acting_user(call, "userId"), "bob"); /* merely claimed */
    message("{}");
    assert_text(weir_acting_user(call, "userId"), "alice");
    alice->proven = true;
    assert_text(weir_acting_user(call, "userId"), "alice");
    message("{\"data\":{\"userId\":\"alice\"}}");
    assert_text(weir_acting_user(call, "userId"), "alice");
    assert_int_equal(counter_read(COUNTER_gw_identity_mismatches), mismatches);
    message("{\"userId\":\"bob\"}");
    weir_acting_user(call, "userId");
    assert_failure("FORBIDDEN", "userId");
    assert_int_equal(counter_read(COUNTER_gw_identity_mismatches), mismatches + 1);
    message("{\"userId\":17}");
    weir_acting_user(call, "userId");
    assert_failure("FORBIDDEN", "userId");
    call->identity = NULL;
    message("{}");
    weir_acting_user(call, "userId");
    assert_failure("MISSING", "userId");
    gw_identity_unref(alice);
}

static void the_query_is_decoded(void **state)
{
    (void)state;
    assert_int_equal(gw_call_keep_query(call, TEXT("a=1&&b=x%20y+z&c&d=%C3%A9=")), 0);
    assert_int_equal(call->query_count, 4);
    assert_text(weir_query_param(call, "a"), "1");
    assert_text(weir_query_param(call, "b"), "x y z");
    assert_text(weir_query_param(call, "c"), "");
    assert_text(weir_query_param(call, "d"), "\xc3\xa9=");
    assert_text(weir_query_param(call, "none"), "");
    assert_int_equal(gw_call_keep_query(call, TEXT("")), 0);
    assert_int_equal(call->query_count, 0);
    assert_int_equal(gw_call_keep_query(call, TEXT("a=%zz")), ERR_SYNTAX);
    assert_int_equal(gw_call_keep_query(call, TEXT("a=%ff")), ERR_SYNTAX);
    char many[600];
    memset(many, '&', sizeof(many));
    assert_int_equal(gw_call_keep_query(call, text_make(many, sizeof(many))), ERR_SYNTAX);
}

static void a_tick_is_asked_for_where_it_is_needed(void **state)
{
    static struct weir_table table = {.name = "t", .hash = "h"};
    (void)state;
    message("{}");
    assert_text(weir_id(call), "");
    assert_failure("INTERNAL", "");
    message("{}");
    weir_put(call, &table, weir_item(call));
    assert_failure("INTERNAL", "");
    message("{}");
    assert_null(weir_next(weir_query(call, &(struct weir_query){.table = &table})));
    assert_failure("INTERNAL", "");
    message("{}");
    weir_later(call, 1, "@x", weir_json(call));
    assert_failure("INTERNAL", "");
}

/* ---- JSON ---- */

static void json_is_written(void **state)
{
    (void)state;
    message("{\"v\":{\"big\":12345678901234567890123456789012345678,\"t\":\"\\u00e9\\n\"}}");
    struct weir_json *json = weir_json(call);
    weir_object(json);
    weir_member(json, "text", WEIR_STR("a\"b\x01"));
    weir_member_integer(json, "n", -5);
    weir_name(json, "list");
    weir_array(json);
    weir_boolean(json, true);
    weir_null(json);
    weir_real(json, 0.1);
    weir_digits(json, WEIR_STR("1.50"));
    weir_digits(json, WEIR_STR(""));
    weir_cstring(json, "c");
    weir_object(json);
    weir_end(json);
    weir_end(json);
    weir_name(json, "value");
    weir_value(json, weir_in_value(call, "v", true));
    weir_name(json, "raw");
    weir_raw(json, WEIR_STR(" { \"x\" : 1 } "));
    weir_name(json, "none");
    weir_item_json(json, NULL);
    weir_end(json);
    assert_false(weir_failed(call));
    assert_text(weir_json_text(json), "{\"text\":\"a\\\"b\\u0001\",\"n\":-5,\"list\":[true,null,0.1,1.50,null,\"c\",{}],"
        "\"value\":{\"big\":12345678901234567890123456789012345678,\"t\":\"\xc3\xa9\\n\"},\"raw\":{\"x\":1},\"none\":null}");
}

static void name_in_array(struct weir_json *json)
{
    weir_array(json);
    weir_name(json, "n");
}
static void name_at_top(struct weir_json *json)
{
    weir_name(json, "n");
}
static void two_names(struct weir_json *json)
{
    weir_object(json);
    weir_name(json, "n");
    weir_name(json, "n");
}
static void nameless(struct weir_json *json)
{
    weir_object(json);
    weir_integer(json, 1);
}
static void two_values(struct weir_json *json)
{
    weir_integer(json, 1);
    weir_integer(json, 2);
}
static void end_of_nothing(struct weir_json *json)
{
    weir_end(json);
}
static void end_after_name(struct weir_json *json)
{
    weir_object(json);
    weir_name(json, "n");
    weir_end(json);
}
static void unfinished(struct weir_json *json)
{
    weir_object(json);
}
static void nothing(struct weir_json *json)
{
    (void)json;
}
static void bad_digits(struct weir_json *json)
{
    weir_digits(json, WEIR_STR("01"));
}
static void bad_raw(struct weir_json *json)
{
    weir_raw(json, WEIR_STR("{"));
}
static void bottomless(struct weir_json *json)
{
    for (int i = 0; i < 1000; i++)
        weir_array(json);
}

static void misused_json_fails_the_call(void **state)
{
    static void (*const misuses[])(struct weir_json *) = {name_in_array, name_at_top, two_names, nameless, two_values, end_of_nothing, end_after_name,
        unfinished, nothing, bad_digits, bad_raw, bottomless};
    (void)state;
    for (size_t i = 0; i < sizeof(misuses) / sizeof(misuses[0]); i++) {
        message("{}");
        struct weir_json *json = weir_json(call);
        misuses[i](json);
        weir_reply(call, json);
        assert_failure("INTERNAL", "");
        assert_null(call->reply.text.data);
    }
}

static void documents_are_recycled_and_bounded(void **state)
{
    (void)state;
    message("{}");
    struct weir_json *first = weir_json(call);
    weir_cstring(first, "one");
    gw_call_docs_give(call);
    struct weir_json *again = weir_json(call);
    assert_ptr_equal(first, again);
    assert_text(weir_json_text(again), "");
    for (int i = 0; i < 2000; i++)
        weir_null(weir_json(call));
    assert_failure("LIMIT", "");
    gw_call_docs_give(call);
    gw_call_error_reply(call);
    assert_reply("{\"type\":\"error\",\"error\":\"LIMIT\",\"message\":\"a handler may write 1024 JSON documents\"}");
}

static void items_are_built_and_read(void **state)
{
    char name[8] = "age";
    (void)state;
    message("{\"m\":{\"a\":[1,\"x\"]}}");
    struct weir_item *item = weir_item(call);
    weir_item_text(item, "name", WEIR_STR("Ann"));
    weir_item_integer(item, name, 41);
    memset(name, 'z', sizeof(name) - 1); /* names and values are copied */
    weir_item_number(item, "exact", WEIR_STR("1.50"));
    weir_item_boolean(item, "yes", true);
    weir_item_value(item, "m", weir_in_value(call, "m", true));
    struct weir_item *copy = weir_item(call);
    weir_item_copy(copy, item);
    assert_text(weir_get_text(copy, "name"), "Ann");
    assert_int_equal(weir_get_integer(copy, "age", 0), 41);
    assert_int_equal(weir_get_integer(copy, "name", -1), -1);
    assert_text(weir_get_number(copy, "exact"), "1.5");
    assert_true(weir_get_real(copy, "exact", 0) == 1.5);
    assert_true(weir_get_boolean(copy, "yes", false));
    assert_false(weir_item_has(copy, "zzzzzzz"));
    struct weir_json *json = weir_json(call);
    weir_item_json(json, copy);
    assert_text(weir_json_text(json), "{\"name\":\"Ann\",\"age\":41,\"exact\":1.5,\"yes\":true,\"m\":{\"a\":[1,\"x\"]}}");
    assert_false(weir_failed(call));
    weir_item_number(item, "bad", WEIR_STR("1,5"));
    assert_failure("INVALID", "bad");
}

/* ---- answering and sending ---- */

static void an_echo_copies_nothing(void **state)
{
    char other[] = "other";
    (void)state;
    message("hello");
    weir_reply_bytes(call, weir_body(call), false);
    weir_reply_bytes(call, weir_text_of(other), true);
    weir_reply_bytes(call, WEIR_STR(""), false);
    other[0] = 'X';
    assert_ptr_equal(call->reply.text.data, call->body.data);
    assert_text((struct weir_text){call->reply.next->text.data, call->reply.next->text.len}, "other");
    assert_true(call->reply.next->binary);
    assert_int_equal(call->reply.next->next->text.len, 0);
    assert_non_null(call->reply.next->next->text.data);
    assert_null(call->reply.next->next->next);
}

static void an_ack_repeats_action_and_request(void **state)
{
    (void)state;
    message("{\"action\":\"save\",\"requestId\":\"r1\"}");
    weir_ack(call);
    assert_reply("{\"type\":\"ack\",\"action\":\"save\",\"requestId\":\"r1\"}");
    config.envelope_events = true;
    call->now_ms = INT64_C(1737109800000);
    message("{\"type\":\"auth\"}");
    weir_ack(call);
    assert_reply("{\"event\":\"ack\",\"data\":{\"action\":\"auth\"},\"timestamp\":\"2025-01-17T10:30:00.000Z\"}");
}

static void (*body_of_handler)(void);
static void handler(struct weir_call *about)
{
    assert_ptr_equal(about, call);
    body_of_handler();
}

static void publishes(void)
{
    struct weir_json *json = weir_json(call);
    weir_cstring(json, "hi");
    weir_publish(call, WEIR_STR("room"), json);
    weir_log(call, "line\nbreak");
    assert_non_null(call->sent_first);
    assert_int_equal(call->sent_first->kind, GW_EFFECT_PUBLISH);
    assert_int_equal(call->sent_first->to, TICK_ALL_SINKS);
    const struct gw_effect *said = call->sent_first->next, *line = said->next;
    assert_int_equal(said->kind, GW_EFFECT_LOG);
    assert_text((struct weir_text){said->text.data, said->text.len}, "paper: line break");
    assert_int_equal(line->kind, GW_EFFECT_LINE);
    assert_ptr_equal(line->lines, &lines);
    static const char *const parts[] = {"{\"timestamp\":\"20", "Z\",\"level\":\"INFO\",\"message\":\"line\\nbreak\",\"stage\":\"prod\"", "\"route\":\"$default\",\"requestId\":\"", "\"correlationId\":\""};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (!strstr(line->bytes, parts[i]))
            fail_msg("%s is not in %s", parts[i], line->bytes);
}

static void publishes_and_fails(void)
{
    publishes();
    weir_fail(call, "NO", NULL, "after all");
}

static void effects_leave_with_success_alone(void **state)
{
    struct gw_route route = {.handler = handler};
    (void)state;
    call->route = &route;
    body_of_handler = publishes;
    message("{}");
    assert_int_equal(gw_call_handle(call), 0);
    assert_null(call->sent_first);
    assert_null(call->docs);
    body_of_handler = publishes_and_fails;
    message("{}");
    assert_int_equal(gw_call_handle(call), ERR_INVALID);
    assert_null(call->sent_first);
}

static void rooms_have_names_with_bounds(void **state)
{
    char name[GW_ROOM_NAME_MAX + 1];
    (void)state;
    memset(name, 'r', sizeof(name));
    message("{}");
    assert_true(weir_may_join(call, (struct weir_text){name, GW_ROOM_NAME_MAX}));
    assert_false(weir_may_join(call, (struct weir_text){name, sizeof(name)}));
    assert_false(weir_may_join(call, WEIR_STR("")));
    weir_join(call, (struct weir_text){name, GW_ROOM_NAME_MAX});
    assert_false(weir_failed(call));
    assert_int_equal(call->sent_first->kind, GW_EFFECT_JOIN);
    weir_join(call, (struct weir_text){name, sizeof(name)});
    assert_failure("INVALID", "room");
    message("{}");
    call->kind = GW_CALL_CONNECT;
    weir_join(call, WEIR_STR("early"));
    assert_failure("INTERNAL", "");
}

static void a_disconnect_lets_the_answers_pass(void **state)
{
    (void)state;
    message("{}");
    weir_reply_bytes(call, WEIR_STR("last words"), false);
    weir_disconnect(call, 4000, "bye");
    assert_null(call->reply.text.data);
    assert_int_equal(call->sent_first->kind, GW_EFFECT_POST);
    assert_int_equal(call->sent_first->next->kind, GW_EFFECT_CLOSE);
    assert_int_equal(call->sent_first->next->code, 4000);
}

static void posts_to_nobody_are_counted(void **state)
{
    int64_t gone = counter_read(COUNTER_gw_posts_gone);
    (void)state;
    message("{}");
    struct weir_json *json = weir_json(call);
    weir_null(json);
    weir_post(call, WEIR_STR("nonsense"), json);
    weir_post(call, WEIR_STR("_wAAAAAAAAAAAAA="), json); /* an io thread that does not exist */
    assert_int_equal(counter_read(COUNTER_gw_posts_gone), gone + 2);
    assert_null(call->sent_first);
    assert_false(weir_failed(call));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fields_are_found_in_all_envelopes), TEST(a_missing_field_is_named), TEST(texts_have_bounds),
        TEST(numbers_have_bounds_and_keep_their_digits), TEST(times_come_in_three_forms), TEST(values_are_walked),
        TEST(the_first_failure_stands), TEST(a_cold_block_is_nobodys_fault), TEST(errors_are_answered_in_the_family_form),
        TEST(errors_are_answered_in_the_envelope), TEST(rest_errors_have_a_status), TEST(a_refused_handshake_has_its_status_and_no_frame),
        TEST(nobody_acts_for_another), TEST(the_query_is_decoded), TEST(a_tick_is_asked_for_where_it_is_needed),
        TEST(json_is_written), TEST(misused_json_fails_the_call), TEST(documents_are_recycled_and_bounded), TEST(items_are_built_and_read),
        TEST(an_echo_copies_nothing), TEST(an_ack_repeats_action_and_request), TEST(effects_leave_with_success_alone),
        TEST(rooms_have_names_with_bounds), TEST(a_disconnect_lets_the_answers_pass), TEST(posts_to_nobody_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
