/*
 * Dashboards that are declared: those of the mounted applications, then those of the configuration, with what stands in braces replaced. Their bodies are judged by the gateway
 * when it starts, and by `weir check` here: the words are the same.
 */
#include "main/read.h"

#include "watch/dashboard.h"
#include <errno.h>
#include <stdio.h>

#define IN(type, field) offsetof(struct type, field)
#define DASHBOARDS_DECLARED_MAX 100
#define BODY_JUDGE_MEMORY ((size_t)64 << 20)

struct dashboard_form {
    struct text name, body;
    const char *file;
};

const struct key dashboard_keys[] = {
    {"name", "text", "letters, digits, '_' and '-'; {env}, {region} and {account} are replaced, also in the body", read_text, IN(dashboard_form, name), 1, DASHBOARD_NAME_MAX, NULL, NULL},
    {"file", "path", "a file with the body, JSON, as put-dashboard takes it", read_file, IN(dashboard_form, file), 0, 0, NULL, NULL},
    {"body", "text", "or the body itself", read_text, IN(dashboard_form, body), 1, (int64_t)DASHBOARD_BODY_MAX, NULL, NULL},
    {0},
};

static struct text file_text(struct reader *r, const struct doc *node, const char *path)
{
    struct buf bytes;
    char block[4096];
    size_t got;
    FILE *file = fopen(path, "rb");
    struct text text = TEXT_NONE;
    if (!file) {
        problem_add(r, node, r->flags & CONFIG_CHECK, "%s: %s", path, strerror(errno));
        return text;
    }
    buf_init(&bytes, DASHBOARD_BODY_MAX);
    while (!bytes.failed && (got = fread(block, 1, sizeof(block), file)) > 0)
        buf_add(&bytes, block, got);
    if (bytes.failed || ferror(file))
        problem(r, node, "%s cannot be read, or is larger than %zu bytes", path, DASHBOARD_BODY_MAX);
    else
        text = arena_copy(r->arena, buf_text(&bytes));
    fclose(file);
    buf_fini(&bytes);
    return text;
}

/* Braces that are replaced later leave a body as good as it was. */
static void check_body(struct reader *r, const struct doc *node, struct text text)
{
    struct dashboard_body body;
    struct arena arena;
    arena_init(&arena, 64 << 10, BODY_JUDGE_MEMORY);
    int code = dashboard_body_parse(&arena, text, &body);
    if (code == ERR_INVALID)
        problem(r, node, "%.*s: %.*s", TEXT_FMT(body.message[0].path), TEXT_FMT(body.message[0].text));
    else if (code)
        problem(r, node, "the body is no JSON object");
    for (size_t i = 0; !code && i < body.messages; i++)
        problem_add(r, node, true, "%.*s: %.*s", TEXT_FMT(body.message[i].path), TEXT_FMT(body.message[i].text));
    arena_fini(&arena);
}

static void read_dashboard(struct reader *r, const struct doc *node)
{
    struct dashboard_form form = {.file = NULL};
    struct config *config = r->config;
    if (!expect_mapping(r, node, "a dashboard"))
        return;
    read_keys(r, node, dashboard_keys, &form);
    if (!form.name.len || !form.body.len == !form.file) {
        problem(r, node, "a dashboard has a 'name', and a 'file' or a 'body'");
        return;
    }
    if (form.file && !(r->flags & CONFIG_OFFLINE))
        form.body = file_text(r, node, form.file);
    if (!form.body.len)
        return;
    check_body(r, node, form.body);
    config->dashboards[config->dashboard_count++] = (struct gw_dashboard_config){form.name, form.body};
}

void read_dashboards(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct config *config = r->config;
    (void)field;
    if (value->kind != DOC_SEQUENCE || value->count > DASHBOARDS_DECLARED_MAX) {
        problem(r, value, "'%s' is a list of at most %d dashboards, each with a name and a body", key->name, DASHBOARDS_DECLARED_MAX);
        return;
    }
    config->dashboards = arena_zalloc(r->arena, (value->count + 1) * sizeof(*config->dashboards));
    for (const struct doc *node = value->first; node && config->dashboards; node = node->next)
        read_dashboard(r, node);
}

/* ---- all of them together ---- */

static struct text replaced(struct config *config, struct text from)
{
    const struct {
        struct text word, value;
    } words[] = {{TEXT("{env}"), config->environment}, {TEXT("{region}"), config->region}, {TEXT("{account}"), config->account}};
    struct buf out;
    buf_init(&out, 2 * DASHBOARD_BODY_MAX);
    for (size_t at = 0; at < from.len;) {
        struct text rest = text_make(from.data + at, from.len - at);
        size_t i = 0;
        while (i < sizeof(words) / sizeof(words[0]) && !text_starts(rest, words[i].word))
            i++;
        if (i < sizeof(words) / sizeof(words[0])) {
            buf_add_text(&out, words[i].value);
            at += words[i].word.len;
        } else {
            buf_add_char(&out, from.data[at++]);
        }
    }
    struct text copy = out.failed ? TEXT_NONE : arena_copy(&config->arena, buf_text(&out));
    buf_fini(&out);
    return copy;
}

static size_t count_declared(const struct config *config)
{
    size_t count = config->dashboard_count;
    for (size_t i = 0; i < config->api_count; i++) {
        const struct weir_app *app = config->apis[i].gateway.app;
        for (const struct weir_dashboard *dashboard = app ? app->dashboards : NULL; dashboard && dashboard->name; dashboard++)
            count++;
    }
    return count;
}

static int add_declared(struct config *config, struct gw_dashboard_config *all, size_t *count, struct text name, struct text body)
{
    struct gw_dashboard_config made = {replaced(config, name), replaced(config, body)};
    if (!made.name.data || !made.body.data)
        return ERR_MEMORY;
    for (size_t i = 0; i < *count; i++)
        if (text_equal(all[i].name, made.name)) { /* the configuration stands above the application's */
            all[i] = made;
            return 0;
        }
    all[(*count)++] = made;
    return 0;
}

int config_dashboards(struct config *config, struct gateway_config *gateway)
{
    struct gw_dashboard_config *all = arena_array(&config->arena, count_declared(config) + 1, sizeof(*all));
    size_t count = 0;
    int code = all ? 0 : ERR_MEMORY;
    for (size_t i = 0; i < config->api_count && !code; i++) {
        const struct weir_app *app = config->apis[i].gateway.app;
        for (const struct weir_dashboard *dashboard = app ? app->dashboards : NULL; dashboard && dashboard->name && !code; dashboard++)
            code = add_declared(config, all, &count, text_of(dashboard->name), text_of(dashboard->body));
    }
    for (size_t i = 0; i < config->dashboard_count && !code; i++)
        code = add_declared(config, all, &count, config->dashboards[i].name, config->dashboards[i].body);
    gateway->dashboards = all;
    gateway->dashboard_count = count;
    return code;
}
