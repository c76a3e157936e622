/*
 * The settings that applications declare for themselves (struct weir_setting), read like every other key: from the declarations rows of the key table are made, so a
 * misspelt name is suggested, a value out of bounds is a problem with line and column, and the reference lists them.
 *
 * "bot.model" is the key `model` of the mapping `bot`; the name "bot" alone is what `bot` takes without a mapping. A row's field is a text in
 * api->settings: a word and a duration are checked first and kept as text, since that is what handlers ask for.
 */
#include "main/read.h"

#include "main/apps.h"
#include <stdio.h>

#define SETTINGS_MAX 32 /* of one application */

/* ---- single values: field is a struct text ---- */

static void read_setting_word(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    int word = -1;
    read_word(r, key, value, &word);
    if (word >= 0)
        *(struct text *)field = text_of(key->words[word]);
}

static void read_setting_duration(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    int64_t ms = -1;
    read_duration(r, key, value, &ms);
    if (ms >= 0)
        *(struct text *)field = arena_format(r->arena, "%lld", (long long)ms);
}

static void read_setting_env(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    r->names_secret = false; /* each is a secret of its own */
    read_secret_env(r, key, value, field);
}

/* ---- rows ---- */

static const struct {
    const char *form;
    void (*read)(struct reader *r, const struct key *key, const struct doc *value, void *field);
} kinds[] = {
    [WEIR_SETTING_TEXT] = {"text", read_text},
    [WEIR_SETTING_WORD] = {"word", read_setting_word},
    [WEIR_SETTING_URL] = {"address", read_url},
    [WEIR_SETTING_DURATION] = {"duration", read_setting_duration},
    [WEIR_SETTING_ENV] = {"variable", read_setting_env},
};

static const char *form_of(const struct weir_setting *setting)
{
    return setting->kind == WEIR_SETTING_WORD && !setting->words[1] ? setting->words[0] : kinds[setting->kind].form;
}

static size_t head_of(const char *name)
{
    return strcspn(name, ".");
}

static bool same_head(const char *a, const char *b)
{
    return head_of(a) == head_of(b) && strncmp(a, b, head_of(a)) == 0;
}

/* `name`: of the row, the setting's last part. The field is the setting's place in the values. */
static struct key row_of(const struct weir_setting *all, size_t at, const char *name)
{
    const struct weir_setting *s = &all[at];
    return (struct key){.name = name, .form = form_of(s), .help = s->help, .read = kinds[s->kind].read, .offset = at * sizeof(struct text), .min = s->min, .max = s->max, .words = s->words};
}

/* The rows below a mapping: those settings whose first part is the same. */
static const struct key *rows_inside(struct arena *arena, const struct weir_setting *all, size_t at)
{
    struct key *rows = arena_zalloc(arena, (SETTINGS_MAX + 1) * sizeof(*rows));
    size_t count = 0, head = head_of(all[at].name);
    for (size_t i = 0; rows && all[i].name; i++)
        if (same_head(all[i].name, all[at].name) && all[i].name[head])
            rows[count++] = row_of(all, i, all[i].name + head + 1);
    return rows;
}

/* One key of the application's mapping; field is the struct gw_api_config. */
static void read_setting(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_api_config *api = field;
    const struct weir_setting *all = api->app->settings;
    if (value->kind == DOC_MAPPING && key->inside && key->inside->name) {
        read_keys(r, value, key->inside, api->settings);
        return;
    }
    for (size_t i = 0; all[i].name; i++)
        if (strcmp(all[i].name, key->name) == 0) {
            struct key row = row_of(all, i, key->name);
            row.read(r, &row, value, (char *)api->settings + row.offset);
            return;
        }
    problem(r, value, "'%s' takes keys and values", key->name);
}

const struct key *setting_keys(struct reader *r, const struct weir_app *app, const struct key *keys, struct gw_api_config *api)
{
    size_t count = 0, settings = 0;
    if (!app->settings)
        return keys;
    while (keys[count].name)
        count++;
    while (app->settings[settings].name)
        settings++;
    struct key *all = settings <= SETTINGS_MAX ? arena_zalloc(r->arena, (count + settings + 1) * sizeof(*all)) : NULL;
    api->settings = all ? arena_zalloc(r->arena, (settings + 1) * sizeof(*api->settings)) : NULL;
    if (!api->settings) {
        problem(r, NULL, "no memory for the settings of '%s'", app->name);
        return NULL;
    }
    memcpy(all, keys, count * sizeof(*all));
    for (size_t i = 0; i < settings; i++) {
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++)
            seen = same_head(app->settings[k].name, app->settings[i].name);
        struct text head = seen ? TEXT_NONE : arena_copy(r->arena, text_make(app->settings[i].name, head_of(app->settings[i].name)));
        if (head.data)
            all[count++] = (struct key){.name = head.data, .form = "a value, or keys and values", .help = app->settings[i].help, .read = read_setting,
                .inside = rows_inside(r->arena, app->settings, i)};
    }
    return all;
}

void setting_check(struct reader *r, const struct doc *at, const struct gw_api_config *api)
{
    const char *why = api->app->settings_rule ? api->app->settings_rule((const struct weir_settings *)api) : NULL;
    if (why)
        problem(r, at, "%s", why);
}

/* ---- the reference ---- */

static void setting_print(FILE *out, const struct weir_setting *all, size_t at)
{
    const struct weir_setting *s = &all[at];
    size_t head = head_of(s->name);
    bool first = true;
    for (size_t k = 0; k < at; k++)
        first = first && !same_head(all[k].name, s->name);
    if (s->name[head] && first)
        fprintf(out, "    %.*s:\n", (int)head, s->name);
    if (s->name[head])
        fprintf(out, "      %s: <%s> # %s\n", s->name + head + 1, form_of(s), s->help);
    else
        fprintf(out, "    %s: <%s> # %s\n", s->name, form_of(s), s->help);
}

void config_settings_print(void *stream)
{
    const struct weir_app *app;
    for (size_t i = 0; (app = apps_at(i)); i++) {
        if (!app->settings)
            continue;
        fprintf(stream, "# of the application itself\napps:\n  %s:\n", app->name);
        for (size_t k = 0; app->settings[k].name; k++)
            setting_print(stream, app->settings, k);
    }
}
