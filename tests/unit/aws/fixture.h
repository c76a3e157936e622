/* A call without a gateway: a store with two tables, and requests that are prepared against it. */
#ifndef WEIR_TEST_AWS_FIXTURE_H
#define WEIR_TEST_AWS_FIXTURE_H

#include "aws/ddb.h"
#include "store/fixture.h"

struct caller {
    struct fixture store;
    struct gateway_config config;
    struct aws_call call;
    struct arena arena;
};

/* `simple`: hash id (S). `rich`: hash p (S), range r (N), index byColor (color S, mass N; all), keysOnly (color S; keys). */
static inline void caller_tables(struct caller *c)
{
    static struct store_table_decl rich;
    const struct store_table_decl simple = {.name = TEXT("simple"), .hash = TEXT("id"), .hash_type = ATTR_STRING};
    rich = (struct store_table_decl){.name = TEXT("rich"), .hash = TEXT("p"), .hash_type = ATTR_STRING, .range = TEXT("r"), .range_type = ATTR_NUMBER, .indexes = 2};
    rich.index[0] = (struct store_index_decl){
        .name = TEXT("byColor"), .key = {.part = {{TEXT("color"), ATTR_STRING}, {TEXT("mass"), ATTR_NUMBER}}, .hashes = 1, .ranges = 1}};
    rich.index[1] =
        (struct store_index_decl){.name = TEXT("keysOnly"), .key = {.part = {{TEXT("color"), ATTR_STRING}}, .hashes = 1}, .projection = STORE_PROJECT_KEYS};
    assert_int_equal(store_table_define(c->store.stage, &simple, NULL, NULL), 0);
    assert_int_equal(store_table_define(c->store.stage, &rich, NULL, NULL), 0);
    fixture_commit(&c->store);
}

static inline void caller_open(struct caller *c)
{
    memset(c, 0, sizeof(*c));
    fixture_open(&c->store);
    caller_tables(c);
    arena_init(&c->arena, 4096, 64 << 20);
    c->config = (struct gateway_config){.region = TEXT("us-east-1"), .account = TEXT("123456789012")};
}

static inline void caller_close(struct caller *c)
{
    buf_fini(&c->call.body);
    arena_fini(&c->arena);
    fixture_close(&c->store);
}

static inline const struct aws_operation *caller_operation(const char *name)
{
    for (const struct aws_operation *op = ddb_service.operations; op->name; op++)
        if (strcmp(op->name, name) == 0)
            return op;
    return NULL;
}

/* Prepares a request anew. */
static inline int caller_prepare(struct caller *c, const char *operation, const char *body)
{
    buf_fini(&c->call.body);
    arena_reset(&c->arena);
    c->call = (struct aws_call){.config = &c->config, .store = c->store.store, .arena = &c->arena, .service = &ddb_service, .op = caller_operation(operation)};
    assert_non_null(c->call.op);
    buf_init(&c->call.body, 1 << 20);
    aws_body_begin(&c->call);
    return aws_prepare(&c->call, text_of(body));
}

#endif
