/* What the tests of the expressions share: an arena, trees from JSON, a request's environment, and values as JSON again. */
#ifndef WEIR_TEST_STORE_EXPR_FIXTURE_H
#define WEIR_TEST_STORE_EXPR_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/expr.h"

static struct arena arena;

static inline int arena_setup(void **state)
{
    (void)state;
    arena_init(&arena, 64 << 10, 64 << 20);
    return 0;
}
static inline int arena_teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static inline const struct json *json_of(const char *text)
{
    const struct json *json;
    struct err err = {0};
    if (json_parse(&arena, text_of(text), JSON_COPY, &json, &err))
        fail_msg("%s: %s", text, err.text);
    return json;
}

static inline struct attr *item_of(const char *text)
{
    struct attr *item;
    struct err err = {0};
    if (!text)
        return NULL;
    if (item_from_wire(&arena, json_of(text), &item, &err))
        fail_msg("%s: %s", text, err.text);
    return item;
}

/* Single quotes stand for double ones, so that the tables stay readable. */
static inline const char *quoted(const char *text)
{
    if (!text)
        return NULL;
    char *copy = (char *)arena_copy(&arena, text_of(text)).data;
    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    return copy;
}

static const char *const all_expressions[] = {"UpdateExpression", "ConditionExpression", "KeyConditionExpression",
    "FilterExpression", "ProjectionExpression", NULL};
static const char *const all_legacy[] = {"AttributesToGet", "AttributeUpdates", "Expected", "QueryFilter", "ScanFilter",
    "KeyConditions", "ConditionalOperator", NULL};

/* Names and values: "{'#a':'name'}" and "{':v':{'N':'1'}}", NULL for none. */
static inline void env_of(struct expr_env *env, const char *names, const char *values)
{
    char request[8192];
    snprintf(request, sizeof(request), "{\"FilterExpression\":\"x\"%s%s%s%s}", names ? ",\"ExpressionAttributeNames\":" : "",
        names ? quoted(names) : "", values ? ",\"ExpressionAttributeValues\":" : "", values ? quoted(values) : "");
    if (expr_env_open(env, &arena, json_of(request), all_expressions, all_legacy))
        fail_msg("%s: %s", request, env->message.data);
}

static inline const char *wire_of(const struct attr *item)
{
    struct buf out;
    struct json_writer w;
    if (!item)
        return "none";
    buf_init(&out, 4 << 20);
    json_writer_init(&w, &out);
    item_to_wire(&w, item);
    assert_false(out.failed);
    struct text copy = arena_copy(&arena, buf_text(&out));
    buf_fini(&out);
    return copy.data;
}

static inline void expect_item(const char *what, const struct attr *item, const char *want)
{
    struct attr *wanted = want ? item_of(quoted(want)) : NULL;
    if (!item != !wanted || (item && !attr_equal(item, wanted)))
        fail_msg("%s: %s instead of %s", what, wire_of(item), want ? want : "none");
}

static inline void expect_message(const char *what, const struct expr_env *env, int rc, const char *want)
{
    if (!rc)
        fail_msg("%s: accepted instead of: %s", what, want);
    assert_int_equal(rc, env->code);
    assert_int_equal(strlen(env->message.data), env->message.len);
    if (strcmp(env->message.data, want))
        fail_msg("%s:\n  %s\ninstead of\n  %s", what, env->message.data, want);
}

static inline uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * UINT64_C(2685821657736338717) >> 11;
}

#endif
