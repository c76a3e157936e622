/* weir.yaml: what is right arrives where it belongs; what is wrong is told with its line and column, all of it at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/clock.h"
#include "main/apps.h"
#include "main/config.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct config config;

static int parse(const char *yaml)
{
    config_fini(&config);
    config_init(&config);
    return config_parse(&config, text_of(yaml), "", CONFIG_OFFLINE);
}

/* The text has exactly this problem, here. */
static void assert_problem(const char *yaml, unsigned line, unsigned column, const char *part)
{
    assert_int_equal(parse(yaml), ERR_INVALID);
    const struct config_problem *found = NULL;
    for (size_t i = 0; i < config.problems; i++)
        if (!config.problem[i].warning && strstr(config.problem[i].text, part))
            found = &config.problem[i];
    if (!found) {
        config_problems_print(&config, "<text>", stderr);
        fail_msg("no problem says: %s", part);
    }
    if (found->line != line || found->column != column || config.errors != 1) {
        config_problems_print(&config, "<text>", stderr);
        fail_msg("expected %u:%u and one problem, found %u:%u and %zu", line, column, found->line, found->column, config.errors);
    }
}

static int setup(void **state)
{
    (void)state;
    config_init(&config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    config_fini(&config);
    return 0;
}

/* ---- right ---- */

static void test_defaults(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(parse(""), 0);
    assert_string_equal(config.address, "127.0.0.1");
    assert_int_equal(config.port, 8080);
    assert_true(text_is(config.environment, "dev"));
    assert_int_equal(config_finish(&config, &err), 0);
    assert_true(config.development_keys);
    assert_true(config.io_threads >= 1 && config.io_threads <= CONFIG_IO_THREADS_MAX);
    assert_true(config.gateway.admin_open);
    assert_true(text_is(config.gateway.keys[0].id, "test"));
    assert_int_equal(config_safe(&config, &err), 0);
    assert_int_equal(parse("# nothing but this\n"), 0);
    assert_int_equal(parse("~"), 0);
}

static void test_server(void **state)
{
    (void)state;
    assert_int_equal(parse("listen: '[::1]:99'\n"
                           "env: prod\nregion: eu-west-1\naccount: '1'\nioThreads: 3\ndrain: 1m30s\npublicHost: api.example.com\n"
                           "limits: {connections: 5000, acceptRate: 100, body: 1MiB}\n"
                           "trustedProxies: [10.0.0.0/8, '::1']\nproxyProtocol: true\n"
                           "keys:\n  - {id: AK, secret: s1}\n  - {id: AK2, secretEnv: X}\n"),
        0);
    assert_string_equal(config.address, "::1");
    assert_int_equal(config.port, 99);
    assert_true(text_is(config.environment, "prod"));
    assert_int_equal(config.io_threads, 3);
    assert_int_equal(config.drain_ms, 90000);
    assert_int_equal(config.connections_max, 5000);
    assert_int_equal(config.accept_rate_max, 100);
    assert_int_equal(config.body_max, 1 << 20);
    assert_int_equal(config.proxy_count, 2);
    assert_true(config.proxy_protocol);
    assert_int_equal(config.key_count, 2);
    assert_true(text_is(config.keys[0].secret, "s1"));
}

static const char whole_api[] = "apis:\n"
                                "  chat:\n"
                                "    auth: jwt\n"
                                "    authInBand: true\n"
                                "    jwt: {secret: 0123456789abcdef0123456789abcdef, issuer: me, audience: you, skew: 30s}\n"
                                "    slowReaders: latest\n"
                                "    queueBytes: 2MB\n"
                                "    limits: {base: aws, messageMax: 64KB, life: 1h, ping: 10s}\n"
                                "    compression: false\n"
                                "    origins: https://a.example\n"
                                "    stages: [test, prod]\n"
                                "    routeSelection: ${request.body.a}/${request.body.b}\n"
                                "    envelope: event\n"
                                "    retainRooms: true\n"
                                "    rates: {connection: 20/s burst 40, user: 60/m, actions: {move: 5/s}}\n"
                                "    ban: {after: 10, for: 5m}\n"
                                "    tables:\n"
                                "      'rows-{env}': {hash: id S, range: at N, ttl: exp, changes: true, recovery: 7, indexes: {ByName: {hash: name, range: b B, counted: true}, ByMany: {hash: [area, year N], range: [day N, slot B, name]}}}\n"
                                "      conns: {hash: connectionId S}\n"
                                "    registry: {table: conns, lifetime: 1h, identity: true}\n"
                                "    routes:\n"
                                "      $connect: {url: 'http://h:1/c', timeout: 50ms, attempts: 5, response: false}\n"
                                "      GET /x/{id}: https://h/x\n";

static void assert_whole_table(const struct gw_api_config *api)
{
    assert_int_equal(api->table_count, 2);
    const struct weir_table *table = api->tables[0];
    assert_string_equal(table->name, "rows-{env}");
    assert_string_equal(table->hash, "id");
    assert_string_equal(table->range, "at");
    assert_int_equal(table->range_type, WEIR_N);
    assert_string_equal(table->ttl, "exp");
    assert_true(table->changes);
    assert_int_equal(table->recovery_days, 7);
    assert_string_equal(table->index[0].name, "ByName");
    assert_int_equal(table->index[0].range_type, WEIR_B);
    assert_true(table->index[0].counted);
    const struct weir_index *many = &table->index[1];
    assert_string_equal(many->hash, "area");
    assert_string_equal(many->more_hash[0].name, "year");
    assert_int_equal(many->more_hash[0].type, WEIR_N);
    assert_null(many->more_hash[1].name);
    assert_int_equal(many->range_type, WEIR_N);
    assert_int_equal(many->more_range[0].type, WEIR_B);
    assert_string_equal(many->more_range[1].name, "name");
    assert_null(many->more_range[2].name);
    assert_null(table->index[2].name);
    assert_ptr_equal(api->registry.table, api->tables[1]);
    assert_int_equal(api->registry.lifetime, HOUR_MS);
    assert_true(api->registry.identity);
}

static void test_api(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(parse(whole_api), 0);
    assert_int_equal(config_finish(&config, &err), 0);
    assert_int_equal(config.gateway.api_count, 1);
    const struct gw_api_config *api = &config.gateway.apis[0];
    assert_true(text_is(api->name, "chat"));
    assert_int_equal(api->auth, WEIR_JWT);
    assert_true(api->auth_in_band);
    assert_int_equal(api->jwt.skew_s, 30);
    assert_int_equal(api->ws.slow, NET_SLOW_LATEST);
    assert_int_equal(api->ws.queue_bytes_max, 2 << 20);
    assert_int_equal(api->ws.limits.message_max, 64 << 10);
    assert_int_equal(api->ws.limits.frame_max, 32 << 10);
    assert_true(api->ws.limits.refuse_binary);
    assert_int_equal(api->ws.life_max_ms, HOUR_MS);
    assert_int_equal(api->ws.idle_max_ms, 10 * MINUTE_MS);
    assert_int_equal(api->ws.ping_every_ms, 10000);
    assert_int_equal(api->ws.pong_within_ms, 20000);
    assert_false(api->ws.deflate.enabled);
    assert_int_equal(api->origin_count, 1);
    assert_int_equal(api->stage_count, 2);
    assert_true(text_is(api->stages[0], "test"));
    assert_true(api->envelope_events && api->retain_rooms && !api->workflow_envelope);
    assert_true(api->limits.connection.rate == 20 && api->limits.connection.burst == 40);
    assert_true(api->limits.user.rate == 1 && api->limits.user.burst == 1);
    assert_int_equal(api->limits.actions, 1);
    assert_int_equal(api->limits.ban_after, 10);
    assert_int_equal(api->limits.ban_ms, 5 * MINUTE_MS);
    assert_whole_table(api);
    assert_int_equal(api->route_count, 2);
    assert_int_equal(api->routes[0].timeout_ms, 50);
    assert_int_equal(api->routes[0].attempts, 5);
    assert_false(api->routes[0].has_response);
    assert_true(text_is(api->routes[1].url, "https://h/x") && api->routes[1].has_response);
    assert_false(config.apis[0].development_secret);
}

static void test_limit_sets(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(parse("apis: {o: {routes: {a: 'http://h/'}}, a: {limits: aws, routes: {a: 'http://h/'}}}"), 0);
    assert_int_equal(config_finish(&config, &err), 0);
    const struct net_ws_config *open = &config.gateway.apis[0].ws, *aws = &config.gateway.apis[1].ws;
    assert_int_equal(open->limits.message_max, 1 << 20);
    assert_int_equal(open->idle_max_ms, 0);
    assert_int_equal(open->ping_every_ms, 25000);
    assert_int_equal(open->queue_bytes_max, 2 << 20);
    assert_true(open->deflate.enabled && open->deflate.threshold == 1024);
    assert_int_equal(aws->limits.message_max, 128 << 10);
    assert_int_equal(aws->limits.frame_max, 32 << 10);
    assert_int_equal(aws->idle_max_ms, 10 * MINUTE_MS);
    assert_int_equal(aws->life_max_ms, 2 * HOUR_MS);
    assert_int_equal(aws->queue_bytes_max, 1 << 20);
}

static void test_warning_is_no_error(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(parse("apis: {a: {auth: jwt, routes: {x: 'http://h/'}}}"), 0);
    assert_int_equal(config.problems, 1);
    assert_true(config.problem[0].warning);
    assert_int_equal(config.problem[0].column, 8);
    assert_int_equal(config_finish(&config, &err), 0);
    assert_true(config.apis[0].development_secret);
}

/* ---- wrong ---- */

static void test_problems(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        unsigned line, column;
        const char *part;
    } cases[] = {
        {"- a\n", 1, 1, "keys and values"},
        {"env: a\nlisen: 1\n", 2, 1, "did you mean listen?"},
        {"zzzzzz: 1\n", 1, 1, "unknown key 'zzzzzz'"},
        {"env: a\nenv: b\n", 2, 1, "given twice"},
        {"env:\n", 1, 1, "has no value"},
        {"env: [a]\n", 1, 6, "takes one value, not a list"},
        {"env: a b\n", 1, 6, "letters, digits"},
        {"listen: here\n", 1, 9, "not ADDRESS:PORT"},
        {"listen: 127.0.0.1:70000\n", 1, 9, "not ADDRESS:PORT"},
        {"listen: example.com:80\n", 1, 9, "IPv4"},
        {"ioThreads: many\n", 1, 12, "a whole number"},
        {"ioThreads: 1000\n", 1, 12, "from 1 to"},
        {"drain: 5 minutes\n", 1, 8, "such as 500ms"},
        {"drain: 1d\n", 1, 8, "from 0 ms to 600000 ms"},
        {"limits: {body: big}\n", 1, 16, "such as 512, 64KB"},
        {"limits: {body: 9GB}\n", 1, 16, "bytes, not 9GB"},
        {"proxyProtocol: yes\ntrustedProxies: [10.0.0.1]\n", 1, 16, "true or false"},
        {"proxyProtocol: true\n", 1, 16, "needs 'trustedProxies'"},
        {"trustedProxies: [me!]\n", 1, 18, "not an address"},
        {"tls: {certificate: c.pem}\n", 1, 6, "a certificate and a key"},
        {"keys: {id: a}\n", 1, 7, "is a list"},
        {"keys: [{id: a}]\n", 1, 8, "an id and a secret"},
        {"keys: [{id: a, secret: b, secretEnv: C}]\n", 1, 27, "given once"},
        {"keys: [{id: a, secret: b}, {id: a, secret: c}]\n", 1, 28, "another key"},
        {"apps: [nothing]\n", 1, 8, "no application"},
        {"apps: some\n", 1, 7, "all, a list"},
        {"apis: {a: {}}\n", 1, 8, "needs 'routes'"},
        {"apis: {a/b: {routes: {x: 'http://h/'}}}\n", 1, 8, "an API's name"},
        {"apis: {metrics: {routes: {x: 'http://h/'}}}\n", 1, 8, "reserved"},
        {"apis: {a: {auth: jtw, routes: {x: 'http://h/'}}}\n", 1, 18, "did you mean jwt?"},
        {"apis: {a: {authInBand: true, routes: {x: 'http://h/'}}}\n", 1, 8, "needs 'auth: jwt'"},
        {"apis: {a: {jwt: {secret: s}, routes: {x: 'http://h/'}}}\n", 1, 8, "would not be looked at"},
        {"apis: {a: {auth: jwt, jwt: {secret: s, jwksUrl: 'https://h/'}, routes: {x: 'http://h/'}}}\n", 1, 28, "one of a secret"},
        {"apis: {a: {limits: closed, routes: {x: 'http://h/'}}}\n", 1, 20, "open, aws"},
        {"apis: {a: {limits: {frameMax: 2MB}, routes: {x: 'http://h/'}}}\n", 1, 8, "larger than 'messageMax'"},
        {"apis: {a: {queueBytes: 2KB, routes: {x: 'http://h/'}}}\n", 1, 8, "at least one message"},
        {"apis: {a: {origins: ['https://a/b'], routes: {x: 'http://h/'}}}\n", 1, 22, "not an origin"},
        {"apis: {a: {stages: [], routes: {x: 'http://h/'}}}\n", 1, 20, "1 to 8 names"},
        {"apis: {a: {stages: [a/b], routes: {x: 'http://h/'}}}\n", 1, 21, "a stage is"},
        {"apis: {a: {rates: {user: 5}, routes: {x: 'http://h/'}}}\n", 1, 26, "a rate such as"},
        {"apis: {a: {rates: {user: 0/s}, routes: {x: 'http://h/'}}}\n", 1, 26, "a rate such as"},
        {"apis: {a: {ban: {after: 5}, routes: {x: 'http://h/'}}}\n", 1, 17, "'after' and 'for'"},
        {"apis: {a: {routeSelection: action, routes: {x: 'http://h/'}}}\n", 1, 28, "an expression"},
        {"apis: {a: {routes: {x: 'ftp://h/'}}}\n", 1, 24, "http:// or https://"},
        {"apis: {a: {routes: {x: {timeout: 5s}}}}\n", 1, 21, "needs a 'url'"},
        {"apis: {a: {routes: {x: {url: 'http://h/', timeout: 30s}}}}\n", 1, 52, "50 ms to 29000 ms"},
        {"apis: {a: {routes: {$conect: 'http://h/'}}}\n", 1, 21, "did you mean $connect?"},
        {"apis: {a: {routes: {'@x': 'http://h/'}}}\n", 1, 21, "begin with @"},
        {"apis: {a: {routes: {'get /x': 'http://h/'}}}\n", 1, 21, "METHOD /path"},
        {"apis: {a: {routes: {x: 'http://h/', x: 'http://h/'}}}\n", 1, 37, "declared twice"},
        {"apis: {a: {routes: {x: 'http://h/'}}, a: {routes: {x: 'http://h/'}}}\n", 1, 39, "mounted twice"},
        {"apis: {a: {tables: {ta: {hash: id}}, routes: {x: 'http://h/'}}}\n", 1, 21, "a table's name"},
        {"apis: {a: {tables: {'t-{x}': {hash: id}}, routes: {x: 'http://h/'}}}\n", 1, 21, "a table's name"},
        {"apis: {a: {tables: {tab: {range: id}}, routes: {x: 'http://h/'}}}\n", 1, 21, "needs a 'hash'"},
        {"apis: {a: {tables: {tab: {hash: id X}}, routes: {x: 'http://h/'}}}\n", 1, 33, "S, N or B"},
        {"apis: {a: {tables: {tab: {hash: id, indexes: {Foo: {range: x}}}}, routes: {x: 'http://h/'}}}\n", 1, 47, "the index 'Foo' needs"},
        {"apis: {a: {tables: {tab: {hash: id, indexes: {Foo: {hash: [a, b, c, d, e]}}}}, routes: {x: 'http://h/'}}}\n", 1, 59, "takes 1 to 4 attributes"},
        {"apis: {a: {tables: {tab: {hash: id, indexes: {Foo: {hash: []}}}}, routes: {x: 'http://h/'}}}\n", 1, 59, "takes 1 to 4 attributes"},
        {"apis: {a: {tables: {tab: {hash: id, indexes: {Foo: {hash: [a, b], range: b}}}}, routes: {x: 'http://h/'}}}\n", 1, 47, "names the attribute 'b' twice"},
        {"apis: {a: {tables: {tab: {hash: [id, b]}}, routes: {x: 'http://h/'}}}\n", 1, 33, "hash takes one value, not a list"},
        {"apis: {a: {registry: {lifetime: 1h}, routes: {x: 'http://h/'}}}\n", 1, 22, "needs a 'table'"},
        {"apis: {a: {registry: {table: tab}, routes: {x: 'http://h/'}}}\n", 1, 30, "not one of this API's tables"},
        {"apis: {a: {tables: {tab: {hash: id}}, registry: {table: tab}, routes: {x: 'http://h/'}}}\n", 1, 57, "connectionId S"},
        {"apis: {a: {streams: {table: tab}}}\n", 1, 21, "a list of at most 64 consumers"},
        {"apis: {a: {streams: [{url: 'http://h/'}]}}\n", 1, 22, "a 'table' or a 'kinesis' stream"},
        {"apis: {a: {streams: [{table: tab, kinesis: k, url: 'http://h/'}]}}\n", 1, 22, "a 'table' or a 'kinesis' stream"},
        {"apis: {a: {streams: [{kinesis: k}]}}\n", 1, 22, "a 'url' or a 'route'"},
        {"apis: {a: {streams: [{kinesis: k, url: 'http://h/', route: '@x'}]}}\n", 1, 22, "a 'url' or a 'route'"},
        {"apis: {a: {streams: [{kinesis: k, route: x}]}}\n", 1, 42, "'@name'"},
        {"apis: {a: {streams: [{kinesis: k, route: '@x'}]}}\n", 1, 42, "no handler of this application"},
        {"apis: {a: {streams: [{kinesis: k, url: 'ftp://h/'}]}}\n", 1, 40, "http:// or https://"},
        {"apis: {a: {tables: {tab: {hash: id}}, streams: [{table: tab, url: 'http://h/'}]}}\n", 1, 57, "'changes: true'"},
        {"apis: {a: {streams: [{kinesis: k, url: 'http://h/', batchSize: 1001}]}}\n", 1, 64, "from 1 to 1000"},
        {"apis: {a: {streams: [{kinesis: k, url: 'http://h/', window: 6m}]}}\n", 1, 61, "from 0 ms to 300000 ms"},
        {"apis: {a: {streams: [{kinesis: k, url: 'http://h/', timeout: 1ms}]}}\n", 1, 62, "from 50 ms"},
        {"apis: {a: {streams: [{kinesis: k, url: 'http://h/', retries: -1}]}}\n", 1, 62, "from 0 to 10000"},
        {"apis: {a: {streams: [{kinesis: k, url: 'http://h/', start: FIRST}]}}\n", 1, 60, "LATEST or TRIM_HORIZON"},
        {"apis: {a: {streams: [{kinesis: k, url: 'http://h/', onFailure: '@x'}]}}\n", 1, 64, "no handler of this application"},
        {"apis: {a: {tables: {bad: {hash: x}}, streams: [{kinesis: k, url: 'http://h/', onFailure: bad}]}}\n", 1, 90, "the hash key 'id S'"},
        {"apis: {a: {streams: [{kinesis: k, url: 'http://h/'}, {kinesis: k, url: 'http://i/'}]}}\n", 1, 54, "two streams are named 'k'"},
        {"apis: {a: {kinesis: {a/b: {}}, routes: {x: 'http://h/'}}}\n", 1, 22, "a Kinesis stream's name"},
        {"apis: {a: {kinesis: {k: {shards: 0}}, routes: {x: 'http://h/'}}}\n", 1, 34, "from 1 to 100"},
        {"apis: {a: {kinesis: {k: {retention: 1h}}, routes: {x: 'http://h/'}}}\n", 1, 37, "from 86400000 ms"},
        {"apis: {a: {live: {table: tab}}}\n", 1, 18, "a list of at most 64 rules"},
        {"apis: {a: {live: [{who: anyone}]}}\n", 1, 19, "needs a 'table'"},
        {"apis: {a: {auth: jwt, live: [{table: tab}]}}\n", 1, 30, "says 'who' may follow it"},
        {"apis: {a: {auth: jwt, live: [{table: tab, who: admins}]}}\n", 1, 48, "role:NAME or group:NAME"},
        {"apis: {a: {auth: jwt, live: [{table: tab, who: 'role:'}]}}\n", 1, 48, "role:NAME or group:NAME"},
        {"apis: {a: {auth: jwt, live: [{table: tab, who: anyone, where: {id: $userId}}]}}\n", 1, 48, "'who' is not anyone"},
        {"apis: {a: {auth: jwt, live: [{table: tab, where: {id: $userid}}]}}\n", 1, 55, "did you mean $userId?"},
        {"apis: {a: {auth: jwt, live: [{table: tab, where: {id: ada}}]}}\n", 1, 55, "what the identity says"},
        {"apis: {a: {auth: jwt, live: [{table: tab, where: {}}]}}\n", 1, 50, "1 to 4 attributes"},
        {"apis: {a: {live: [{table: tab, where: {id: $userId}}]}}\n", 1, 39, "nobody could follow"},
        {"apis: {a: {auth: claimed, live: [{table: tab, who: authenticated}]}}\n", 1, 52, "nobody could follow"},
        {"apis: {a: {live: [{table: ta, who: anyone}]}}\n", 1, 27, "a table's name"},
        {"apis: {a: {live: [{table: 'ta-{x}', who: anyone}]}}\n", 1, 27, "a table's name"},
        {"apis: {a: {live: [{table: weir.stream, who: anyone}]}}\n", 1, 27, "kept for weir itself"},
        {"apis: {a: {live: [{table: tab, who: anyone, ranks: 1001}]}}\n", 1, 52, "from 1 to 1000"},
        {"apis: {a: {tables: {tab: {hash: id}}, live: [{table: tab, who: anyone, index: ByX}]}}\n", 1, 79, "has no index 'ByX'"},
        {"apis: {a: {tables: {tab: {hash: connectionId}}, registry: {table: tab}, live: [{table: tab, who: anyone}]}}\n", 1, 88, "in no journal"},
        {"apis: {a: {slowReaders: latest, live: [{table: tab, who: anyone}]}}\n", 1, 8, "leave 'slowReaders' at disconnect"},
        {"a: &x 1\n", 1, 4, "anchors"},
        {"env: *x\n", 1, 6, "anchors"},
        {"env: !!str x\n", 1, 6, "anchors"},
        {"env: a\n---\nenv: b\n", 2, 1, "second document"},
        {"{a: b}: c\n", 1, 1, "a key must be plain text"},
        {"env: [a\n", 2, 1, "did not find expected"},
        {"env: \"a\n", 2, 1, "unexpected end of stream"},
        {"\tenv: a\n", 1, 1, "found character"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_problem(cases[i].yaml, cases[i].line, cases[i].column, cases[i].part);
}

static void test_streams(void **state)
{
    (void)state;
    assert_int_equal(parse("apis:\n"
                           "  shop:\n"
                           "    tables: {'orders-{env}': {hash: id, changes: true}, lost: {hash: id}}\n"
                           "    kinesis: {clicks: {shards: 4, retention: 7d}, plain: {}}\n"
                           "    streams:\n"
                           "      - {table: 'orders-{env}', url: 'https://h/orders', batchSize: 10, window: 5s, retries: 0, timeout: 1m, bisect: true, start: TRIM_HORIZON, onFailure: lost}\n"
                           "      - {kinesis: clicks, url: 'http://h/', name: two}\n"
                           "      - {table: elsewhere, url: 'http://h/'}\n"),
        0);
    assert_int_equal(config.problems, 1); /* a table that may be made over the wire */
    assert_true(config.problem[0].warning);
    const struct gw_api_config *api = &config.apis[0].gateway;
    assert_int_equal(api->stream_count, 3);
    const struct gw_stream_config *first = &api->streams[0], *second = &api->streams[1];
    assert_true(text_is(first->table, "orders-{env}") && text_is(first->url, "https://h/orders") && text_is(first->on_failure, "lost"));
    assert_true(first->batch_max == 10 && first->window_ms == 5000 && first->retries == 0 && first->timeout_ms == 60000 && first->bisect && first->from_start);
    assert_true(text_is(second->kinesis, "clicks") && text_is(second->name, "two") && second->retries == 3 && !second->from_start && !second->bisect);
    assert_int_equal(api->kinesis_count, 2);
    assert_string_equal(api->kinesis[0].name, "clicks");
    assert_int_equal(api->kinesis[0].shards, 4);
    assert_int_equal(api->kinesis[0].retention, 7 * DAY_MS);
    assert_int_equal(api->kinesis[1].shards, 0);
}

static void test_live(void **state)
{
    (void)state;
    assert_int_equal(parse("apis:\n"
                           "  shop:\n"
                           "    auth: jwt\n"
                           "    jwt: {secret: 'a secret of at least thirty-two bytes'}\n"
                           "    tables: {'scores-{env}': {hash: game, range: id, indexes: {ByScore: {hash: game, range: score N, counted: true}}}}\n"
                           "    live:\n"
                           "      - {table: news, who: anyone}\n"
                           "      - {table: 'orders-{env}', where: {customerId: $userId, team: $userGroups}}\n"
                           "      - {table: 'scores-{env}', index: ByScore, ranks: 100, who: 'group:players'}\n"
                           "      - {table: audit, who: role:admin}\n"),
        0);
    assert_int_equal(config.problems, 0);
    const struct gw_api_config *api = &config.apis[0].gateway;
    const struct gw_live_config *live = api->live;
    assert_int_equal(api->live_count, 4);
    assert_true(text_is(live[0].table, "news") && live[0].who == GW_LIVE_ANYONE && !live[0].wheres && !live[0].ranks && !live[0].index.len);
    assert_true(live[1].who == GW_LIVE_AUTHENTICATED && live[1].wheres == 2);
    assert_true(text_is(live[1].where[0].attribute, "customerId") && live[1].where[0].value == GW_LIVE_USER_ID);
    assert_true(text_is(live[1].where[1].attribute, "team") && live[1].where[1].value == GW_LIVE_USER_GROUPS);
    assert_true(live[2].who == GW_LIVE_GROUP && text_is(live[2].which, "players") && live[2].ranks == 100 && text_is(live[2].index, "ByScore"));
    assert_true(live[3].who == GW_LIVE_ROLE && text_is(live[3].which, "admin"));
}

static void test_all_at_once_in_order(void **state)
{
    (void)state;
    assert_int_equal(parse("apis: {a: {routes: {x: bad}}}\nenv: a b\nioThreads: x\n"), ERR_INVALID);
    assert_int_equal(config.errors, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(config.problem[i].line, i + 1);
}

static void test_bounds(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 25; i++)
        buf_add_char(&text, '[');
    buf_add_char(&text, 0);
    assert_problem(text.data, 1, 21, "deeper than 20");
    buf_clear(&text);
    for (int i = 0; i < 150; i++)
        buf_add_format(&text, "x%d: 1\n", i);
    buf_add_char(&text, 0);
    assert_int_equal(parse(text.data), ERR_INVALID);
    assert_int_equal(config.problems, CONFIG_PROBLEMS_MAX);
    assert_int_equal(config.errors, 150);
    buf_clear(&text);
    buf_add_text(&text, TEXT("env: ["));
    for (int i = 0; i < 20001; i++)
        buf_add_text(&text, TEXT("1,"));
    buf_add_text(&text, TEXT("1]\n"));
    buf_add_char(&text, 0);
    assert_int_equal(parse(text.data), ERR_INVALID);
    assert_non_null(strstr(config.problem[0].text, "too many"));
    buf_fini(&text);
}

/* ---- what follows ---- */

static void test_safe_by_default(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(parse("listen: 0.0.0.0:80"), 0);
    assert_int_equal(config_finish(&config, &err), 0);
    assert_int_equal(config_safe(&config, &err), ERR_FORBIDDEN);
    assert_non_null(strstr(err.text, "--allow-open"));
    assert_false(config.gateway.admin_open);
    config.allow_open = true;
    assert_int_equal(config_safe(&config, &err), 0);
    assert_int_equal(parse("listen: 0.0.0.0:80\nkeys: [{id: a, secret: b}]"), 0);
    assert_int_equal(config_finish(&config, &err), 0);
    assert_int_equal(config_safe(&config, &err), 0);
    assert_false(config.gateway.admin_open);
}

static void test_listen(void **state)
{
    (void)state;
    static const struct {
        const char *text, *address;
        int port;
    } good[] = {{"0", "127.0.0.1", 0}, {"9000", "127.0.0.1", 9000}, {"localhost:1", "127.0.0.1", 1}, {"10.1.2.3:65535", "10.1.2.3", 65535},
        {"[::]:80", "::", 80}};
    static const char *const bad[] = {"", ":", "a", "1.2.3.4:", "1.2.3.4:-1", "1.2.3.4:65536", "1.2.3:80", "::1:80", "[::1]", "[::1]80", "[:80", "1.2.3.4:80 "};
    struct err err;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(config_listen(&config, good[i].text, &err), 0);
        assert_string_equal(config.address, good[i].address);
        assert_int_equal(config.port, good[i].port);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(config_listen(&config, bad[i], &err), ERR_INVALID);
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/weir-config-XXXXXX", path[64];
    struct err err;
    assert_non_null(mkdtemp(folder));
    write_file(folder, "weir.yaml", "data: d\nkeys: [{id: a, secretFile: s}, {id: b, secretEnv: WEIR_TEST_SECRET}]\n");
    snprintf(path, sizeof(path), "%s/weir.yaml", folder);
    unsetenv("WEIR_TEST_SECRET");
    config_fini(&config);
    config_init(&config);
    assert_int_equal(config_load(&config, path, 0, &err), ERR_INVALID);
    assert_int_equal(config.errors, 2);
    config_fini(&config);
    config_init(&config);
    assert_int_equal(config_load(&config, path, CONFIG_CHECK, &err), 0); /* they may exist only where the server runs */
    assert_int_equal(config.problems, 2);
    write_file(folder, "s", "sesame\n");
    setenv("WEIR_TEST_SECRET", "open", 1);
    config_fini(&config);
    config_init(&config);
    assert_int_equal(config_load(&config, path, 0, &err), 0);
    assert_true(text_is(config.keys[0].secret, "sesame"));
    assert_true(text_is(config.keys[1].secret, "open"));
    assert_memory_equal(config.data, folder, strlen(folder)); /* relative to the file */
    assert_int_equal(config_load(&config, "/nowhere/weir.yaml", 0, &err), ERR_IO);
    snprintf(path, sizeof(path), "%s/s", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/weir.yaml", folder);
    unlink(path);
    rmdir(folder);
    unsetenv("WEIR_TEST_SECRET");
}

static void test_development_secret(void **state)
{
    (void)state;
    char folder[] = "/tmp/weir-secret-XXXXXX", path[64], first[128];
    struct err err;
    assert_non_null(mkdtemp(folder));
    unsetenv("JWT_SECRET");
    unsetenv("JWT_SECRET_FILE");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(parse("apis: {a: {auth: jwt, routes: {x: 'http://h/'}}}"), 0);
        config.data = folder;
        assert_int_equal(config_finish(&config, &err), 0);
        assert_int_equal(config_secret(&config, &err), 0);
        struct text secret = config.gateway.apis[0].jwt.secret;
        assert_int_equal(secret.len, 64);
        if (i == 0)
            memcpy(first, secret.data, 65);
        assert_memory_equal(first, secret.data, 64);
    }
    setenv("JWT_SECRET", "mine", 1);
    assert_int_equal(config_secret(&config, &err), 0);
    assert_true(text_is(config.gateway.apis[0].jwt.secret, "mine"));
    unsetenv("JWT_SECRET");
    snprintf(path, sizeof(path), "%s/dev-jwt-secret", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* With files and environment. */
static int parse_here(const char *yaml)
{
    config_fini(&config);
    config_init(&config);
    return config_parse(&config, text_of(yaml), "", 0);
}

static void test_encryption(void **state)
{
    (void)state;
    struct err err;
    char folder[] = "/tmp/weir-encryption-XXXXXX", yaml[128];
    assert_non_null(mkdtemp(folder));
    setenv("WEIR_TEST_KEY", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 1);
    assert_int_equal(parse_here("encryption: {keyEnv: WEIR_TEST_KEY}"), 0);
    assert_true(config.encryption.set);
    assert_int_equal(config.encryption.bytes[31], 0x1f);
    config.data = folder;
    assert_int_equal(config_key(&config, false, &err), 0); /* an empty folder stays empty */
    assert_false(config.data_key.set);
    setenv("WEIR_TEST_KEY", "much too short", 1);
    assert_int_equal(parse_here("encryption: {keyEnv: WEIR_TEST_KEY}"), ERR_INVALID);
    unsetenv("WEIR_TEST_KEY");
    static const char *const wrong[] = {"encryption: {keyEnv: WEIR_TEST_KEY}", "encryption: {keyFile: /nowhere/at/all}", "encryption: {}", "encryption: yes",
        "encryption: {keyFile: a, keyEnv: b}", "encryption: {key: abc}"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(yaml, sizeof(yaml), "%s\n", wrong[i]);
        assert_int_equal(parse_here(yaml), ERR_INVALID);
    }
    /* Where the key is not, as in a pipeline, it is a warning; and nothing is opened with another key from the environment instead. */
    config_fini(&config);
    config_init(&config);
    assert_int_equal(config_parse(&config, TEXT("encryption: {keyEnv: WEIR_TEST_KEY}"), "", CONFIG_CHECK), 0);
    assert_int_equal(config.problems, 1);
    config.data = folder;
    assert_int_equal(config_key(&config, true, &err), ERR_MISSING);
    assert_int_equal(rmdir(folder), 0);
}

/* docs/configuration.md holds the reference as the program prints it. */
static void test_reference(void **state)
{
    (void)state;
    char *keys = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&keys, &len);
    config_keys_print(out);
    fclose(out);
    FILE *file = fopen("docs/configuration.md", "r");
    assert_non_null(file);
    char *text = calloc(1, 1 << 20);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    if (!strstr(text, keys))
        fail_msg("docs/configuration.md does not hold what `weir check --keys` prints");
    free(text);
    free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_server, setup, teardown),
        cmocka_unit_test_setup_teardown(test_api, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit_sets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_warning_is_no_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_problems, setup, teardown),
        cmocka_unit_test_setup_teardown(test_live, setup, teardown),
        cmocka_unit_test_setup_teardown(test_streams, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_at_once_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_safe_by_default, setup, teardown),
        cmocka_unit_test_setup_teardown(test_listen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_development_secret, setup, teardown),
        cmocka_unit_test_setup_teardown(test_encryption, setup, teardown),
        cmocka_unit_test(test_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
