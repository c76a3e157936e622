/*
 * What watching costs: `monitor [SECONDS]`, half a second for each line by default, the best of five rounds. One thread, nothing on a disk and nothing on a network.
 *
 *   a route's own             what every call of every route pays: two looks at the clock, nine additions to the thread's tally
 *   a declared operation      the same with thresholds, the window of the error rate, four captured members and the four business metrics of a conversation
 *   a handler's monitor       weir_monitor_start and weir_monitor_complete with its thresholds, beside the route's own, which is taken off
 *
 * Below it the verification of tokens, with keys that were parsed once: the signature, the claims, and a tree of them. No line is logged in any of them.
 */
#include "measure.h"

#include "gateway/call.h"
#include "gateway/figures.h"
#include "gateway/monitor.h"
#include "net/jwt.h"

#include "../tests/unit/net/jwt_make.h"

#define ROUNDS 5
#define BATCH 64          /* between two looks at the clock */
#define TAKE_EVERY 100000 /* completions: about a second of a busy thread */
#define SECRET "0123456789abcdef0123456789abcdef"

static double seconds = 0.5;

/* ---- the monitor ---- */

static void handler(struct weir_call *call)
{
    (void)call;
}

static const struct weir_capture captured[] = {
    {"messageType", "type", WEIR_CAPTURE_TEXT, "action"}, {"hasToken", "token", WEIR_CAPTURE_PRESENT, NULL}, {"messageLength", "message", WEIR_CAPTURE_LENGTH, NULL},
    {"sessionId", "sessionId", WEIR_CAPTURE_TEXT, NULL}, {0}};
static const char *const types[] = {"auth", "message", "ping", NULL};
static const struct weir_figure figures[] = {
    {.name = "messagesPerMinute", .kind = WEIR_FIGURE_COUNT},
    {.name = "averageMessageLength", .kind = WEIR_FIGURE_FIELD, .field = "messageLength"},
    {.name = "authenticationSuccessRate", .kind = WEIR_FIGURE_SUCCESS, .when = "messageType", .is = "auth"},
    {.name = "messageTypes", .kind = WEIR_FIGURE_COUNT, .dimension = "Type", .by = "messageType", .values = types},
    {0}};
static const struct weir_operation operations[] = {
    {.name = "conversation", .routes = (const char *const[]){"message", NULL}, .duration_max_ms = 5000, .memory_max = (size_t)100 << 20, .error_rate_max = 0.05, .captures = captured,
        .figures = figures},
    {.name = "processing", .duration_max_ms = 1000, .memory_max = (size_t)30 << 20, .error_rate_max = 0.05},
    {0}};
static const struct weir_app app = {.name = "bench", .operations = operations};
static struct gw_route_config routes[] = {{.key = {"plain", 5}, .handler = handler}, {.key = {"message", 7}, .handler = handler}};

struct house {
    struct gateway *gateway;
    struct gw_io *io;
    struct weir_call *call;
};

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "monitor: %s\n", what);
    exit(1);
}

static void house_open(struct house *house)
{
    static struct gw_api_config api = {.name = {"bench", 5}, .app = &app, .stages = {{"prod", 4}}, .stage_count = 1, .routes = routes, .route_count = 2, .stream_window_ms = -1};
    static const char message[] = "{\"type\":\"message\",\"message\":\"how are you today?\",\"sessionId\":\"01JC6Z3X5K8Q\"}";
    struct gateway_config config = {.apis = &api, .api_count = 1, .environment = TEXT("dev")};
    struct err err = {0};
    must(gateway_create(&house->gateway, &config, &err) == 0, err.text);
    house->gateway->io = house->io = calloc(1, sizeof(*house->io));
    house->io->gateway = house->gateway;
    must(watch_tally_create(&house->io->tally) == 0, "out of memory");
    house->call = gw_call_take(house->io, &house->gateway->apis[0]);
    house->call->body = text_make(message, sizeof(message) - 1);
    must(gw_call_field(house->call, TEXT("type")) != NULL, "the message is not read");
}

static void complete(struct house *house, size_t route, bool own)
{
    struct weir_call *call = house->call;
    struct arena_mark mark = arena_mark(&call->arena);
    call->route = &call->api->routes[route];
    call->arrived_ns = clock_mono_ns();
    if (own)
        weir_monitor_complete(weir_monitor_start(call, "processing"), true);
    gw_monitor_end(house->io, call);
    gw_monitor_reset(call);
    arena_rewind(&call->arena, mark);
}

/* ns of one */
static double completions(struct house *house, size_t route, bool own)
{
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = now_ns(), end = start + (int64_t)(seconds * 1e9 / ROUNDS), now = start;
        uint64_t count = 0;
        for (; now < end; count += BATCH, now = now_ns()) {
            for (int i = 0; i < BATCH; i++)
                complete(house, route, own);
            if (count % TAKE_EVERY < BATCH)
                watch_gathered_destroy(watch_tally_take(house->io->tally));
        }
        double each = (double)(now - start) / (double)count;
        best = each < best ? each : best;
    }
    return best;
}

/* ---- tokens ---- */

/* us of one */
static double verifications(EVP_PKEY *key, const char *alg)
{
    char header[64], payload[256];
    int64_t now_ms = clock_wall_ms();
    struct jwt_keys *keys = NULL;
    struct jwt_policy policy = {.skew_s = 5};
    struct arena arena;
    double best = 1e9;
    snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"JWT\"}", alg);
    snprintf(payload, sizeof(payload), "{\"sub\":\"3f1c2a7e-8f55-4a4e-9c79-0a8b2c5d6e7f\",\"name\":\"Ann Example\",\"email\":\"ann@example.com\",\"groups\":[\"players\"],\"iat\":%" PRId64 ",\"exp\":%" PRId64 "}",
        now_ms / 1000, now_ms / 1000 + 3600);
    char *token = make_token(key, SECRET, header, payload), *pem = key ? make_pem(key) : NULL;
    must((key ? jwt_keys_from_pem(text_of(pem), &keys, NULL) : jwt_keys_from_secret(TEXT(SECRET), &keys, NULL)) == 0, "the key is not taken");
    arena_init(&arena, 4096, 1 << 20);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = now_ns(), end = start + (int64_t)(seconds * 1e9 / ROUNDS), now = start;
        uint64_t count = 0;
        for (; now < end; count++, now = now_ns()) {
            struct jwt_result result = {0};
            must(jwt_verify(keys, text_of(token), &policy, now_ms, &arena, &result) == 0, "a good token is refused");
            arena_reset(&arena);
        }
        double each = (double)(now - start) / (double)count / 1000;
        best = each < best ? each : best;
    }
    arena_fini(&arena);
    jwt_keys_unref(keys);
    free(token);
    free(pem);
    return best;
}

int main(int argc, char **argv)
{
    struct house house;
    if (argc > 1)
        seconds = atof(argv[1]);
    must(argc <= 2 && seconds > 0 && seconds <= 60, "usage: monitor [SECONDS]");
    house_open(&house);
    double route = completions(&house, 0, false), declared = completions(&house, 1, false), both = completions(&house, 0, true);
    printf("| a completion | ns | goal |\n|---|---|---|\n");
    printf("| a route's own | %.0f | < 1,000 |\n", route);
    printf("| a declared operation: thresholds, captured members, business metrics | %.0f | < 1,000 |\n", declared);
    printf("| a handler's monitor, start and complete | %.0f | < 1,000 |\n\n", both - route);
    printf("| a token's verification | us | goal |\n|---|---|---|\n");
    EVP_PKEY *rsa = EVP_RSA_gen(2048), *ec = EVP_EC_gen("P-256"), *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    printf("| HS256 | %.1f | – |\n", verifications(NULL, "HS256"));
    printf("| RS256 (2048 bits) | %.1f | – |\n", verifications(rsa, "RS256"));
    printf("| ES256 | %.1f | < 250 |\n", verifications(ec, "ES256"));
    printf("| EdDSA | %.1f | – |\n", verifications(ed, "EdDSA"));
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(ed);
    return 0;
}
