/*
 * weir.yaml: the server's own keys, and the way in. The keys of applications and APIs are in config_api.c, those of tables in config_table.c.
 * To add a key, add a row; docs/configuration.md holds what `weir check --keys` prints, and a test compares them.
 */
#include "main/read.h"

#include "base/clock.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the server's keys ---- */

static void read_listen(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct err err;
    (void)field;
    if (expect_text(r, value, key->name) && config_listen(r->config, value->text.data, &err))
        problem(r, value, "'listen': %s", err.text);
}

static void read_patterns(struct reader *r, const struct key *key, const struct doc *value, struct text **out, size_t *count)
{
    const struct doc *first = value->kind == DOC_SEQUENCE ? value->first : value;
    size_t n = value->kind == DOC_SEQUENCE ? value->count : 1;
    if (n == 0 || n > GW_ACCESS_PATTERNS_MAX) {
        problem(r, value, "'%s' is a pattern, or a list of at most %d", key->name, GW_ACCESS_PATTERNS_MAX);
        return;
    }
    *out = arena_zalloc(r->arena, n * sizeof(**out));
    for (const struct doc *node = first; node && *out && *count < n; node = node->next) {
        if (!expect_text(r, node, key->name))
            return;
        if (node->text.len == 0 || node->text.len > GW_ACCESS_PATTERN_MAX)
            problem(r, node, "a pattern of '%s' has 1 to %d bytes", key->name, GW_ACCESS_PATTERN_MAX);
        (*out)[(*count)++] = node->text;
    }
}

static void read_actions(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_statement *statement = field;
    read_patterns(r, key, value, &statement->actions, &statement->action_count);
    for (size_t i = 0; i < statement->action_count; i++)
        if (!text_is(statement->actions[i], "*") && text_find(statement->actions[i], ':', 0) < 0)
            problem(r, value, "'%.*s' names no service: an action is written as dynamodb:GetItem", TEXT_FMT(statement->actions[i]));
}

static void read_resources(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_statement *statement = field;
    read_patterns(r, key, value, &statement->resources, &statement->resource_count);
}

static const char *const effect_words[] = {"allow", "deny", NULL};
static const struct key statement_keys[] = {
    {"effect", "allow or deny", "what it does (default allow); a denial wins", read_word, offsetof(struct gw_statement, effect), 0, 0, NULL, effect_words},
    {"actions", "pattern or list", "dynamodb:GetItem, kinesis:Put*, execute-api:Invoke, *", read_actions, 0, 0, 0, NULL, NULL},
    {"resources", "pattern or list", "ARNs with * and ?, or their last part: table/orders* (default: all)", read_resources, 0, 0, 0, NULL, NULL},
    {0},
};

static void read_policy(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_access *access = arena_zalloc(r->arena, sizeof(*access));
    const struct gw_access **out = field;
    if (value->kind != DOC_SEQUENCE || value->count > GW_ACCESS_STATEMENTS_MAX) {
        problem(r, value, "'%s' is a list of at most %d statements, each with actions", key->name, GW_ACCESS_STATEMENTS_MAX);
        return;
    }
    for (const struct doc *node = value->first; node && access; node = node->next) {
        struct gw_statement *statement = &access->statement[access->statements++];
        if (!expect_mapping(r, node, "a statement of 'policy'"))
            continue;
        read_keys(r, node, statement_keys, statement);
        if (!statement->action_count)
            problem(r, node, "a statement has actions");
    }
    *out = access;
}

static const struct key access_key_keys[] = {
    {"id", "text", "the access key's id", read_name, offsetof(struct gw_key, id), 1, 128, NULL, NULL},
    {"secret", "text", "its secret", read_secret, offsetof(struct gw_key, secret), 1, CONFIG_SECRET_MAX, NULL, NULL},
    {"secretFile", "path", "or a file with it", read_secret_file, offsetof(struct gw_key, secret), 0, 0, NULL, NULL},
    {"secretEnv", "variable", "or an environment variable with it", read_secret_env, offsetof(struct gw_key, secret), 0, 0, NULL, NULL},
    {"policy", "list of statements", "what it may do; nothing else then (default: everything)", read_policy, offsetof(struct gw_key, access), 0, 0, statement_keys, NULL},
    {0},
};

static void read_access_key(struct reader *r, const struct doc *node, struct gw_key *out)
{
    struct config *config = r->config;
    if (!expect_mapping(r, node, "an entry of 'keys'"))
        return;
    r->names_secret = false;
    read_keys(r, node, access_key_keys, out);
    if (!out->id.len || !out->secret.len) {
        problem(r, node, "a key has an id and a secret");
        return;
    }
    for (size_t i = 0; i < config->key_count; i++)
        if (text_equal(config->keys[i].id, out->id))
            problem(r, node, "there is another key with the id '%.*s'", TEXT_FMT(out->id));
    config->key_count++;
}

static void read_access_keys(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct config *config = field;
    (void)key;
    if (value->kind != DOC_SEQUENCE || value->count > CONFIG_KEYS_MAX) {
        problem(r, value, "'keys' is a list of at most %d keys, each with an id and a secret", CONFIG_KEYS_MAX);
        return;
    }
    config->keys = arena_zalloc(r->arena, (value->count + 1) * sizeof(*config->keys));
    for (const struct doc *node = value->first; node && config->keys; node = node->next)
        read_access_key(r, node, &config->keys[config->key_count]);
}

/* Their syntax is checked by the network core as it starts; here only that they look like addresses. */
static void read_proxies(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct config *config = field;
    (void)key;
    if (value->kind != DOC_SEQUENCE || value->count > CONFIG_PROXIES_MAX) {
        problem(r, value, "'trustedProxies' is a list of at most %d addresses", CONFIG_PROXIES_MAX);
        return;
    }
    config->proxies = arena_zalloc(r->arena, (value->count + 1) * sizeof(*config->proxies));
    for (const struct doc *node = value->first; node && config->proxies; node = node->next) {
        if (!expect_text(r, node, "an entry of 'trustedProxies'"))
            continue;
        if (strspn(node->text.data, "0123456789abcdefABCDEF.:/") != node->text.len)
            problem(r, node, "'%.80s' is not an address or a range such as 10.0.0.0/8", node->text.data);
        else
            config->proxies[config->proxy_count++] = node->text;
    }
}

#define IN(type, field) offsetof(struct type, field)

static const struct key tls_keys[] = {
    {"certificate", "path", "PEM, the chain, leaf first", read_file, IN(config, certificate_file), 0, 0, NULL, NULL},
    {"key", "path", "PEM, its private key", read_file, IN(config, key_file), 0, 0, NULL, NULL},
    {"only", "true or false", "plain connections are refused (default false)", read_flag, IN(config, tls_only), 0, 0, NULL, NULL},
    {0},
};
/* ---- encryption ---- */

static bool second_key(struct reader *r, const struct doc *value)
{
    bool second = r->config->names_encryption;
    if (second)
        problem(r, value->key, "the encryption key is given once: as keyFile or keyEnv");
    r->config->names_encryption = true;
    return second;
}

static void read_key_file(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    const char *path = NULL;
    struct err err;
    if (second_key(r, value))
        return;
    read_path(r, key, value, &path);
    if (path && !(r->flags & CONFIG_OFFLINE) && key_file(path, field, &err))
        problem_add(r, value, r->flags & CONFIG_CHECK, "'%s': %s", key->name, err.text);
}

static void read_key_variable(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct err err;
    if (second_key(r, value) || !expect_text(r, value, key->name))
        return;
    if (!(r->flags & CONFIG_OFFLINE) && key_variable(value->text.data, field, &err))
        problem_add(r, value, r->flags & CONFIG_CHECK, "'%s': %s", key->name, err.text);
}

static void read_encryption(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    read_inside(r, key, value, field);
    if (!r->config->names_encryption)
        problem(r, value, "'%s' has a keyFile or a keyEnv", key->name);
}

static const struct key encryption_keys[] = {
    {"keyFile", "path", "a file with it: 32 bytes, or 64 hex digits, or base64", read_key_file, IN(config, encryption), 0, 0, NULL, NULL},
    {"keyEnv", "variable", "or an environment variable with it: hex or base64", read_key_variable, IN(config, encryption), 0, 0, NULL, NULL},
    {0},
};
static const struct key limit_keys[] = {
    {"connections", "number", "sockets at most (default: what the descriptor limit allows)", read_u32, IN(config, connections_max), 1, 10000000, NULL, NULL},
    {"acceptRate", "number", "new sockets a second at most, the others wait (default: no limit)", read_u32, IN(config, accept_rate_max), 1, 10000000, NULL, NULL},
    {"body", "size", "an HTTP body at most (default 16MB)", read_size, IN(config, body_max), 1024, 64 << 20, NULL, NULL},
    {0},
};
static const struct key log_keys[] = {
    {"applications", "true or false", "what applications say at the level INFO, too; it is in their log groups anyway (default false)", read_flag, IN(config, log_applications), 0, 0, NULL, NULL},
    {0},
};
static const struct key metric_keys[] = {
    {"seriesMax", "number", "metrics there may be, each set of dimensions counted; a new one beyond is refused, or left out (default 100000)", read_number, IN(config, series_max), 1, 10000000, NULL, NULL},
    {0},
};
static const struct key recovery_keys[] = {
    {"bytes", "size", "journal kept at most while a table can be restored to points in time; older times are forgotten above (default 4GB)", read_size, IN(config, recovery_bytes), 64 << 20, INT64_C(1) << 44, NULL, NULL},
    {0},
};
/* ---- export ---- */

/* name: value. A value that begins with "env:" is that environment variable's: tokens do not belong into a file that is shown around. */
static void read_otlp_headers(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_otlp_config *otlp = field;
    if (!expect_mapping(r, value, key->name))
        return;
    for (const struct doc *node = value->first; node; node = node->next) {
        if (!expect_text(r, node, key->name))
            continue;
        if (otlp->headers == GW_OTLP_HEADERS_MAX) {
            problem(r, node, "at most %d headers are sent", GW_OTLP_HEADERS_MAX);
            return;
        }
        struct text given = node->text;
        if (text_starts(given, TEXT("env:")) && !(r->flags & CONFIG_OFFLINE)) {
            const char *found = getenv(given.data + 4);
            if (!found)
                problem_add(r, node, r->flags & CONFIG_CHECK, "the environment variable %s is not set", given.data + 4);
            given = arena_copy(r->arena, text_of(found ? found : ""));
        }
        otlp->header[otlp->headers].name = node->key->text;
        otlp->header[otlp->headers++].value = given;
    }
}

static void read_otlp(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    read_inside(r, key, value, field);
    if (!((struct gw_otlp_config *)field)->endpoint.len)
        problem(r, value, "'%s' has an endpoint", key->name);
}

static const struct key otlp_keys[] = {
    {"endpoint", "url", "the collector, such as http://127.0.0.1:4318; /v1/metrics, /v1/logs, /v1/traces are added", read_url, IN(gw_otlp_config, endpoint), 1, 4096, NULL, NULL},
    {"headers", "names and values", "sent with each request; 'env:NAME' takes a variable's value", read_otlp_headers, 0, 0, 0, NULL, NULL},
    {"interval", "duration", "between two exports (default 10s)", read_duration, IN(gw_otlp_config, interval_ms), 1000, 600000, NULL, NULL},
    {"metrics", "true or false", "figures are exported (default true)", read_flag_not, IN(gw_otlp_config, metrics_off), 0, 0, NULL, NULL},
    {"logs", "true or false", "events of log groups are exported (default true)", read_flag_not, IN(gw_otlp_config, logs_off), 0, 0, NULL, NULL},
    {"traces", "true or false", "calls are exported as spans (default true)", read_flag_not, IN(gw_otlp_config, traces_off), 0, 0, NULL, NULL},
    {0},
};
static const struct key server_keys[] = {
    {"listen", "address:port", "where to listen (default 127.0.0.1:8080)", read_listen, 0, 0, 0, NULL, NULL},
    {"data", "path", "the data folder (default ./data of the current folder)", read_path, IN(config, data), 0, 4000, NULL, NULL},
    {"env", "name", "the environment, {env} in the names of tables (default dev)", read_name, IN(config, environment), 1, 64, NULL, NULL},
    {"region", "name", "the region of signatures and events (default us-east-1)", read_name, IN(config, region), 1, 64, NULL, NULL},
    {"account", "name", "the account in events (default 123456789012)", read_name, IN(config, account), 1, 64, NULL, NULL},
    {"publicHost", "host or host:port", "the domainName of events (default: the Host header)", read_text, IN(config, public_url), 1, 255, NULL, NULL},
    {"ioThreads", "number", "threads for sockets (default: cores less one)", read_int, IN(config, io_threads), 1, CONFIG_IO_THREADS_MAX, NULL, NULL},
    {"drain", "duration", "how long a stop may wait for connections to end (default 10s)", read_duration, IN(config, drain_ms), 0, 600000, NULL, NULL},
    {"drainSpread", "duration", "over how long the clients of a stopped server are asked to come back (default 5s)", read_duration, IN(config, spread_ms), 0, 600000, NULL, NULL},
    {"tls", "keys and values", "TLS on the same port", read_inside, 0, 0, 0, tls_keys, NULL},
    {"keys", "list", "access keys (SigV4); without any: test/test, on loopback only", read_access_keys, 0, 0, 0, access_key_keys, NULL},
    {"encryption", "keys and values", "the key of the data folder, which must begin empty (default: WEIR_ENCRYPTION_KEY, WEIR_ENCRYPTION_KEY_FILE, or plain)", read_encryption, 0, 0, 0, encryption_keys, NULL},
    {"trustedProxies", "list of addresses or ranges", "whose X-Forwarded-For and PROXY header are believed", read_proxies, 0, 0, 0, NULL, NULL},
    {"proxyProtocol", "true or false", "trusted proxies begin with a PROXY header (default false)", read_flag, IN(config, proxy_protocol), 0, 0, NULL, NULL},
    {"figures", "true or false", "weir's own figures are kept as metrics (docs/figures.md; default true)", read_flag_not, IN(config, figures_off), 0, 0, NULL, NULL},
    {"log", "keys and values", "lines on standard error", read_inside, 0, 0, 0, log_keys, NULL},
    {"metrics", "keys and values", "metrics (docs/metrics.md)", read_inside, 0, 0, 0, metric_keys, NULL},
    {"otlp", "keys and values", "export to a collector by OTLP/HTTP (docs/otlp.md)", read_otlp, IN(config, otlp), 0, 0, otlp_keys, NULL},
    {"recovery", "keys and values", "restoring tables to points in time", read_inside, 0, 0, 0, recovery_keys, NULL},
    {"exchange", "path", "the folder of exports and imports (ExportTableToPointInTime, ImportTable, CreateExportTask); without it there are none", read_path, IN(config, exchange), 0, 4000, NULL, NULL},
    {"cost", "keys and values", "what `weir cost` reckons with", read_inside, 0, 0, 0, cost_keys, NULL},
    {"limits", "keys and values", "of the whole server", read_inside, 0, 0, 0, limit_keys, NULL},
    {"alarms", "list", "alarms of the server, made when it starts (docs/alarms.md)", read_server_alarms, 0, 0, 0, alarm_keys, NULL},
    {"alarmWebhook", "keys and values", "what webhooks of alarms are signed with (default: they are not signed)", read_alarm_webhook, 0, 0, 0, alarm_webhook_keys, NULL},
    {"outgoing", "keys and values", "where webhooks of alarms and requests of applications may go (docs/security.md)", read_inside, 0, 0, 0, outgoing_keys, NULL},
    {"apps", "all, a list of names, or names with settings", "compiled-in applications to mount", read_apps, 0, 0, 0, app_keys, NULL},
    {"dashboards", "list of dashboards", "put at start (docs/dashboards.md)", read_dashboards, 0, 0, 0, dashboard_keys, NULL},
    {"apis", "names with keys and values", "APIs declared here", read_apis, 0, 0, 0, api_keys, NULL},
    {0},
};

/* ---- the way in ---- */

static int by_place(const void *a, const void *b)
{
    const struct config_problem *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->column < y->column ? -1 : x->column > y->column;
}

static void read_root(struct reader *r, const struct doc *root)
{
    if (root->kind != DOC_MAPPING) {
        problem(r, root, "a configuration is keys and values");
        return;
    }
    read_keys(r, root, server_keys, r->config);
    if (!r->config->certificate_file != !r->config->key_file)
        problem(r, doc_get(root, "tls"), "'tls' has a certificate and a key");
    if (r->config->tls_only && !r->config->certificate_file)
        problem(r, doc_get(root, "tls"), "'only' needs a certificate and a key");
    if (r->config->proxy_protocol && !r->config->proxy_count)
        problem(r, doc_get(root, "proxyProtocol"), "'proxyProtocol' needs 'trustedProxies': nobody else may tell another address");
}

int config_parse(struct config *config, struct text yaml, const char *folder, unsigned flags)
{
    struct reader r = {.config = config, .arena = &config->arena, .folder = folder, .flags = flags};
    struct doc_problem broken;
    const struct doc *root;
    if (doc_parse(yaml, &config->arena, &root, &broken)) {
        struct doc at = {.line = broken.line, .column = broken.column};
        problem(&r, &at, "%s", broken.text);
    } else if (root && !doc_is_null(root)) {
        read_root(&r, root);
    }
    qsort(config->problem, config->problems, sizeof(config->problem[0]), by_place);
    return config->errors ? ERR_INVALID : 0;
}

static int file_read(const char *path, struct buf *out, struct err *err)
{
    char block[4096];
    size_t got;
    FILE *file = fopen(path, "rb");
    if (!file)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    while (!out->failed && (got = fread(block, 1, sizeof(block), file)) > 0)
        buf_add(out, block, got);
    int code = ferror(file) ? err_set(err, ERR_IO, "%s cannot be read", path) : 0;
    fclose(file);
    return out->failed ? err_set(err, ERR_TOO_LARGE, "%s is larger than %d bytes", path, CONFIG_BYTES_MAX) : code;
}

int config_load(struct config *config, const char *path, unsigned flags, struct err *err)
{
    struct buf bytes;
    buf_init(&bytes, CONFIG_BYTES_MAX);
    int code = file_read(path, &bytes, err);
    const char *slash = strrchr(path, '/');
    struct text folder = slash ? arena_copy(&config->arena, text_make(path, slash == path ? 1 : (size_t)(slash - path))) : TEXT("");
    if (!code && !folder.data)
        code = err_set(err, ERR_MEMORY, "out of memory");
    if (!code) {
        code = config_parse(config, buf_text(&bytes), folder.data, flags);
        if (code)
            err_set(err, code, "%s has %zu problem%s", path, config->errors, config->errors == 1 ? "" : "s");
    }
    buf_fini(&bytes);
    return code;
}

/* ---- the reference ---- */

static void keys_print(FILE *out, const struct key *keys, int depth)
{
    for (; keys->name; keys++) {
        fprintf(out, "%*s%s: <%s> # %s\n", depth * 2, "", keys->name, keys->form, keys->help);
        if (keys->inside)
            keys_print(out, keys->inside, depth + 1);
    }
}

void config_keys_print(void *stream)
{
    keys_print(stream, server_keys, 0);
}
