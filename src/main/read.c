/* The readers of single values, and the walk over a mapping. What they accept is said in their problems' words, and nowhere else. */
#include "main/read.h"

#include "base/clock.h"
#include "main/command.h"
#include "main/secret.h"
#include "net/fetch.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- problems ---- */

void problem_add(struct reader *r, const struct doc *at, bool warning, const char *format, ...)
{
    struct config *config = r->config;
    char text[512];
    va_list args;
    config->errors += !warning;
    if (config->problems == CONFIG_PROBLEMS_MAX)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    struct text copy = arena_copy(r->arena, text_of(text));
    config->problem[config->problems++] =
        (struct config_problem){at ? at->line : 0, at ? at->column : 0, warning, copy.data ? copy.data : "out of memory"};
}

/* Edit distance, rows of one array; names are short. */
static unsigned distance(struct text a, struct text b)
{
    unsigned row[48];
    if (a.len >= 47 || b.len >= 47)
        return 99;
    for (unsigned i = 0; i <= b.len; i++)
        row[i] = i;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned corner = row[0];
        row[0] = i;
        for (unsigned k = 1; k <= b.len; k++) {
            unsigned change = corner + ((a.data[i - 1] | 0x20) != (b.data[k - 1] | 0x20));
            unsigned shorter = (row[k] < row[k - 1] ? row[k] : row[k - 1]) + 1;
            corner = row[k];
            row[k] = change < shorter ? change : shorter;
        }
    }
    return row[b.len];
}

void suggest(struct text name, const char *const *names, char *out, size_t size)
{
    unsigned best = name.len > 8 ? 4 : name.len > 2 ? 3 : 2; /* below this it is a slip, not another word */
    out[0] = 0;
    for (; *names; names++) {
        unsigned far = distance(name, text_of(*names));
        if (far < best) {
            best = far;
            snprintf(out, size, "; did you mean %s?", *names);
        }
    }
}

/* ---- mappings ---- */

static void unknown_key(struct reader *r, const struct doc *key, const struct key *keys)
{
    const char *names[64];
    size_t count = 0;
    char hint[80];
    for (; keys->name && count < 63; keys++)
        names[count++] = keys->name;
    names[count] = NULL;
    suggest(key->text, names, hint, sizeof(hint));
    problem(r, key, "unknown key '%.*s'%s", (int)(key->text.len > 80 ? 80 : key->text.len), key->text.data, hint);
}

static const struct key *key_find(const struct key *keys, struct text name)
{
    for (; keys->name; keys++)
        if (text_is(name, keys->name))
            return keys;
    return NULL;
}

void read_keys(struct reader *r, const struct doc *mapping, const struct key *keys, void *target)
{
    for (const struct doc *node = mapping->first; node; node = node->next)
        if (!key_find(keys, node->key->text))
            unknown_key(r, node->key, keys);
    for (const struct key *key = keys; key->name; key++) {
        bool seen = false;
        for (const struct doc *node = mapping->first; node; node = node->next) {
            if (!text_is(node->key->text, key->name))
                continue;
            if (seen)
                problem(r, node->key, "'%s' is given twice", key->name);
            else if (doc_is_null(node) && key->read != read_apps)
                problem(r, node->key, "'%s' has no value; it takes %s", key->name, key->form);
            else
                key->read(r, key, node, (char *)target + key->offset);
            seen = true;
        }
    }
}

bool expect_mapping(struct reader *r, const struct doc *node, const char *what)
{
    if (node->kind == DOC_MAPPING)
        return true;
    problem(r, node, "%s takes keys and values", what);
    return false;
}

bool expect_text(struct reader *r, const struct doc *node, const char *what)
{
    if (node->kind == DOC_SCALAR && node->text.len)
        return true;
    problem(r, node, "%s takes one value, not %s", what, node->kind == DOC_SCALAR ? "an empty one" : node->kind == DOC_MAPPING ? "keys and values" : "a list");
    return false;
}

static void expected(struct reader *r, const struct key *key, const struct doc *value, const char *what)
{
    problem(r, value, "'%s' takes %s, not '%.80s'", key->name, what, value->text.data);
}

/* ---- numbers ---- */

static bool number_of(struct reader *r, const struct key *key, const struct doc *value, int64_t *out)
{
    if (!expect_text(r, value, key->name))
        return false;
    if (text_to_i64(value->text, out)) {
        expected(r, key, value, "a whole number");
        return false;
    }
    if (*out >= key->min && *out <= key->max)
        return true;
    problem(r, value, "'%s' is from %lld to %lld, not %lld", key->name, (long long)key->min, (long long)key->max, (long long)*out);
    return false;
}

void read_number(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    int64_t number;
    if (number_of(r, key, value, &number))
        *(int64_t *)field = number;
}

void read_u32(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    int64_t number;
    if (number_of(r, key, value, &number))
        *(uint32_t *)field = (uint32_t)number;
}

void read_u8(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    int64_t number;
    if (number_of(r, key, value, &number))
        *(uint8_t *)field = (uint8_t)number;
}

void read_int(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    int64_t number;
    if (number_of(r, key, value, &number))
        *(int *)field = (int)number;
}

static bool duration_of(struct reader *r, const struct key *key, const struct doc *value, int64_t *ms)
{
    if (!expect_text(r, value, key->name))
        return false;
    if (text_is(value->text, "0"))
        *ms = 0;
    else if (!duration_parse(value->text.data, ms)) {
        expected(r, key, value, "a time such as 500ms, 30s, 10m, 2h or 1d");
        return false;
    }
    if (*ms >= key->min && *ms <= key->max)
        return true;
    problem(r, value, "'%s' is from %lld ms to %lld ms, not %.*s", key->name, (long long)key->min, (long long)key->max, TEXT_FMT(value->text));
    return false;
}

void read_duration(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    int64_t ms;
    if (duration_of(r, key, value, &ms))
        *(int64_t *)field = ms;
}

void read_seconds(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    int64_t ms;
    if (duration_of(r, key, value, &ms))
        *(int64_t *)field = ms / 1000;
}

/* "65536", "64KB", "1MiB": powers of 1024 either way, as these teams' limits are written. */
static bool size_parse(struct text text, int64_t *out)
{
    size_t digits = 0;
    while (digits < text.len && text.data[digits] >= '0' && text.data[digits] <= '9')
        digits++;
    struct text unit = text_trim(text_make(text.data + digits, text.len - digits));
    static const char *const units[] = {"", "B", "KB", "KiB", "MB", "MiB", "GB", "GiB"};
    static const int shifts[] = {0, 0, 10, 10, 20, 20, 30, 30};
    int64_t number;
    if (text_to_i64(text_make(text.data, digits), &number))
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (text_equal_nocase(unit, text_of(units[i])))
            return !__builtin_mul_overflow(number, INT64_C(1) << shifts[i], out);
    return false;
}

void read_size(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    int64_t bytes;
    _Static_assert(sizeof(size_t) == sizeof(uint64_t), "one reader for both");
    if (!expect_text(r, value, key->name))
        return;
    if (!size_parse(value->text, &bytes))
        expected(r, key, value, "a size such as 512, 64KB or 1MB");
    else if (bytes < key->min || bytes > key->max)
        problem(r, value, "'%s' is from %lld to %lld bytes, not %.*s", key->name, (long long)key->min, (long long)key->max, TEXT_FMT(value->text));
    else
        *(uint64_t *)field = (uint64_t)bytes;
}

/* ---- flags and words ---- */

static bool flag_of(struct reader *r, const struct key *key, const struct doc *value, bool *out)
{
    bool yes = value->kind == DOC_SCALAR && text_is(value->text, "true"), no = value->kind == DOC_SCALAR && text_is(value->text, "false");
    if (!yes && !no)
        problem(r, value, "'%s' is true or false", key->name);
    *out = yes;
    return yes || no;
}

void read_flag(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    bool flag;
    if (flag_of(r, key, value, &flag))
        *(bool *)field = flag;
}

void read_flag_not(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    bool flag;
    if (flag_of(r, key, value, &flag))
        *(bool *)field = !flag;
}

void read_word(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    char hint[80];
    if (!expect_text(r, value, key->name))
        return;
    for (int i = 0; key->words[i]; i++)
        if (text_is(value->text, key->words[i])) {
            *(int *)field = i;
            return;
        }
    suggest(value->text, key->words, hint, sizeof(hint));
    problem(r, value, "'%s' is %s%s", key->name, key->form, hint);
}

/* ---- texts ---- */

void read_text(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    if (!expect_text(r, value, key->name))
        return;
    if (key->max && value->text.len > (size_t)key->max)
        problem(r, value, "'%s' is longer than %lld bytes", key->name, (long long)key->max);
    else
        *(struct text *)field = value->text;
}

void read_name(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    if (!expect_text(r, value, key->name))
        return;
    size_t good = strspn(value->text.data, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    if (good != value->text.len)
        problem(r, value, "'%s' has letters, digits, '-', '_' and '.' only", key->name);
    else
        read_text(r, key, value, field);
}

void read_string(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct text text = TEXT_NONE;
    read_text(r, key, value, &text);
    if (text.data)
        *(const char **)field = text.data;
}

void read_path(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct text path = TEXT_NONE;
    read_text(r, key, value, &path);
    if (path.data && path.data[0] != '/' && r->folder[0])
        path = arena_format(r->arena, "%s/%s", r->folder, value->text.data);
    if (path.data)
        *(const char **)field = path.data;
}

void read_file(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    const char *path = NULL;
    read_path(r, key, value, &path);
    if (path)
        *(const char **)field = path;
    if (path && !(r->flags & CONFIG_OFFLINE) && access(path, R_OK))
        problem_add(r, value, r->flags & CONFIG_CHECK, "'%s': the file %s cannot be read", key->name, path);
}

void read_url(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    if (!expect_text(r, value, key->name))
        return;
    bool bad = value->text.len > FETCH_URL_MAX || !fetch_origin(value->text).len || strpbrk(value->text.data, " \t\r\n\"<>");
    if (bad)
        problem(r, value, "'%s' takes an address that begins with http:// or https://, not '%.80s'", key->name, value->text.data);
    else
        *(struct text *)field = value->text;
}

void read_inside(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    if (expect_mapping(r, value, key->name))
        read_keys(r, value, key->inside, field);
}

/* ---- secrets ---- */

static bool second_secret(struct reader *r, const struct doc *value)
{
    if (r->names_secret)
        problem(r, value->key, "a secret is given once: as secret, secretFile or secretEnv");
    bool second = r->names_secret;
    r->names_secret = true;
    return second;
}

void read_secret(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    if (!second_secret(r, value))
        read_text(r, key, value, field);
}

/* The value stays empty when the file is missing and that is only a warning; the API is then told as having one. */
static const struct text not_here = {"(not here)", 10};

void read_secret_file(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    const char *path = NULL;
    struct err err;
    if (second_secret(r, value))
        return;
    read_path(r, key, value, &path);
    *(struct text *)field = not_here;
    if (path && !(r->flags & CONFIG_OFFLINE) && secret_file(path, r->arena, field, &err))
        problem_add(r, value, r->flags & CONFIG_CHECK, "'%s': %s", key->name, err.text);
}

void read_secret_env(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    if (second_secret(r, value) || !expect_text(r, value, key->name))
        return;
    const char *secret = r->flags & CONFIG_OFFLINE ? NULL : getenv(value->text.data);
    *(struct text *)field = not_here;
    if (secret && *secret) {
        struct text copy = arena_copy(r->arena, text_of(secret));
        if (copy.len > CONFIG_SECRET_MAX)
            problem(r, value, "the variable %.80s is longer than %d bytes", value->text.data, CONFIG_SECRET_MAX);
        else if (copy.data)
            *(struct text *)field = copy;
    } else if (!(r->flags & CONFIG_OFFLINE)) {
        problem_add(r, value, r->flags & CONFIG_CHECK, "'%s': the environment variable %.80s is not set", key->name, value->text.data);
    }
}
