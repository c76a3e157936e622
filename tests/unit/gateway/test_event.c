/* Events as a team's backend receives them, letter by letter: AWS's recorded shapes (CONNECT, MESSAGE, DISCONNECT) and the HTTP API's payload for REST. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/internal.h"

#define NOW INT64_C(1731332746000) /* 2024-11-11T13:45:46Z */

static struct gw_api_config config = {.name = {"paper", 5}, .stages = {{"prod", 4}}, .stage_count = 1};
static struct gw_api api = {.config = &config, .id = {"paper", 5}};
static struct gateway gateway = {.apis = &api, .api_count = 1};
static struct gw_io io = {.gateway = &gateway};
static struct gw_about about = {.user_agent = {"wscat/6", 7}, .domain = {"localhost:8080", 14}};
static struct gw_route route;
static struct weir_call *call;

static int setup(void **state)
{
    (void)state;
    clock_freeze(NOW);
    call = gw_call_take(&io, &api);
    call->has_conn = true;
    call->route = &route;
    call->about = &about;
    call->address = TEXT("192.0.2.7");
    call->connected_ms = NOW - 1000;
    assert_int_equal(net_id_parse(TEXT("BFaT_fALIAMCKug="), &call->conn_id), 0);
    snprintf(call->request_id, sizeof(call->request_id), "BFaT1fALoAMF5kA=");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gw_call_give(call);
    clock_freeze(-1);
    return 0;
}

static void assert_event(const char *expected)
{
    struct buf out;
    struct arena arena;
    const struct json *root = NULL;
    buf_init(&out, 1 << 20);
    gw_event_json(call, &out);
    assert_false(out.failed);
    arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(json_parse(&arena, buf_text(&out), JSON_COPY, &root, NULL), 0);
    buf_add_char(&out, 0);
    assert_string_equal(out.data, expected);
    arena_fini(&arena);
    buf_fini(&out);
}

#define TAIL(kind) \
    "\"eventType\":\"" kind "\",\"extendedRequestId\":\"BFaT1fALoAMF5kA=\",\"requestTime\":\"11/Nov/2024:13:45:46 +0000\",\"messageDirection\":\"IN\"," \
    "\"stage\":\"prod\",\"connectedAt\":1731332745000,\"requestTimeEpoch\":1731332746000,\"identity\":{\"userAgent\":\"wscat/6\",\"sourceIp\":\"192.0.2.7\"},"
#define END "\"requestId\":\"BFaT1fALoAMF5kA=\",\"domainName\":\"localhost:8080\",\"connectionId\":\"BFaT_fALIAMCKug=\",\"apiId\":\"paper\"}"

static void connect_event(void **state)
{
    struct gw_header headers[] = {{TEXT("Host"), TEXT("localhost:8080")}, {TEXT("X-A"), TEXT("1")}, {TEXT("x-a"), TEXT("2")}};
    struct gw_header query[] = {{TEXT("userId"), TEXT("ada \"x\"")}};
    (void)state;
    route.key = TEXT("$connect");
    call->kind = GW_CALL_CONNECT;
    call->headers = headers;
    call->header_count = 3;
    assert_event("{\"headers\":{\"Host\":\"localhost:8080\",\"x-a\":\"2\"},\"multiValueHeaders\":{\"Host\":[\"localhost:8080\"],\"X-A\":[\"1\",\"2\"]},"
                 "\"requestContext\":{\"routeKey\":\"$connect\"," TAIL("CONNECT") END ",\"isBase64Encoded\":false}");
    call->query = query;
    call->query_count = 1;
    assert_event("{\"headers\":{\"Host\":\"localhost:8080\",\"x-a\":\"2\"},\"multiValueHeaders\":{\"Host\":[\"localhost:8080\"],\"X-A\":[\"1\",\"2\"]},"
                 "\"queryStringParameters\":{\"userId\":\"ada \\\"x\\\"\"},\"multiValueQueryStringParameters\":{\"userId\":[\"ada \\\"x\\\"\"]},"
                 "\"requestContext\":{\"routeKey\":\"$connect\"," TAIL("CONNECT") END ",\"isBase64Encoded\":false}");
}

static void message_event(void **state)
{
    (void)state;
    route.key = TEXT("send");
    call->kind = GW_CALL_MESSAGE;
    call->body = TEXT("{\"action\":\"send\"}");
    assert_event("{\"requestContext\":{\"routeKey\":\"send\",\"messageId\":\"BFaT1fALoAMF5kA=\"," TAIL("MESSAGE") END
                 ",\"body\":\"{\\\"action\\\":\\\"send\\\"}\",\"isBase64Encoded\":false}");
    call->body = TEXT("\x01\xff");
    call->binary = true;
    assert_event("{\"requestContext\":{\"routeKey\":\"send\",\"messageId\":\"BFaT1fALoAMF5kA=\"," TAIL("MESSAGE") END ",\"body\":\"Af8=\",\"isBase64Encoded\":true}");
}

static void message_event_of_somebody(void **state)
{
    (void)state;
    route.key = TEXT("send");
    call->kind = GW_CALL_MESSAGE;
    call->body = TEXT("hi");
    call->identity = gw_identity_create(TEXT("ada"), TEXT("Ada"), TEXT("ada@example.org"), TEXT("admin"), NULL, 0);
    call->identity->proven = true;
    assert_event("{\"requestContext\":{\"routeKey\":\"send\",\"messageId\":\"BFaT1fALoAMF5kA=\"," TAIL("MESSAGE")
                 "\"authorizer\":{\"principalId\":\"ada\",\"userId\":\"ada\",\"userName\":\"Ada\",\"userEmail\":\"ada@example.org\",\"userRole\":\"admin\",\"groups\":[],\"proven\":true},"
                 END ",\"body\":\"hi\",\"isBase64Encoded\":false}");
}

static void disconnect_event(void **state)
{
    (void)state;
    route.key = TEXT("$disconnect");
    call->kind = GW_CALL_DISCONNECT;
    call->close_code = 1005;
    call->close_reason = TEXT("Client-side close frame status not set");
    assert_event("{\"headers\":{\"Host\":\"localhost:8080\",\"x-api-key\":\"\",\"X-Forwarded-For\":\"\",\"x-restapi\":\"\"},"
                 "\"multiValueHeaders\":{\"Host\":[\"localhost:8080\"],\"x-api-key\":[\"\"],\"X-Forwarded-For\":[\"\"],\"x-restapi\":[\"\"]},"
                 "\"requestContext\":{\"routeKey\":\"$disconnect\",\"disconnectStatusCode\":1005,\"disconnectReason\":\"Client-side close frame status not set\","
                 TAIL("DISCONNECT") END ",\"isBase64Encoded\":false}");
}

static void rest_event(void **state)
{
    struct gw_header headers[] = {{TEXT("Host"), TEXT("h")}}, query[] = {{TEXT("a"), TEXT("1")}, {TEXT("a"), TEXT("2")}}, params[] = {{TEXT("id"), TEXT("t-1")}};
    (void)state;
    route.key = TEXT("POST /tournaments/{id}/start");
    call->kind = GW_CALL_REST;
    call->has_conn = false;
    call->method = TEXT("POST");
    call->path = TEXT("/paper/tournaments/t-1/start");
    call->headers = headers;
    call->header_count = 1;
    call->query = query;
    call->query_count = 2;
    call->params = params;
    call->param_count = 1;
    call->body = TEXT("{}");
    assert_event("{\"version\":\"2.0\",\"routeKey\":\"POST /tournaments/{id}/start\",\"rawPath\":\"/paper/tournaments/t-1/start\",\"headers\":{\"Host\":\"h\"},"
                 "\"multiValueHeaders\":{\"Host\":[\"h\"]},\"queryStringParameters\":{\"a\":\"2\"},\"multiValueQueryStringParameters\":{\"a\":[\"1\",\"2\"]},"
                 "\"pathParameters\":{\"id\":\"t-1\"},\"requestContext\":{\"http\":{\"method\":\"POST\",\"path\":\"/paper/tournaments/t-1/start\",\"sourceIp\":\"192.0.2.7\"},"
                 "\"stage\":\"prod\",\"requestId\":\"BFaT1fALoAMF5kA=\",\"apiId\":\"paper\",\"timeEpoch\":1731332746000},\"body\":\"{}\",\"isBase64Encoded\":false}");
}

static int fini(void **state)
{
    (void)state;
    while (io.free_calls) {
        struct weir_call *next = io.free_calls->next;
        arena_fini(&io.free_calls->arena);
        free(io.free_calls);
        io.free_calls = next;
    }
    return 0;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {T(connect_event), T(message_event), T(message_event_of_somebody), T(disconnect_event), T(rest_event)};
    return cmocka_run_group_tests(tests, NULL, fini);
}
