/*
 * DynamoDB requests from anywhere: a byte chooses the operation, the rest is the body. Everything up to the point where a call would leave the io thread is
 * run, against a store with tables: JSON, shapes, items, expressions, keys. What is refused must say why.
 */
#include "aws/ddb.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/weir-fuzz-XXXXXX";
static struct store *store;

static void remove_folder(void)
{
    char command[64];
    store_close(store);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command))
        perror(folder);
}

static void define(struct store_stage *stage)
{
    static struct store_table_decl decl;
    decl = (struct store_table_decl){.name = TEXT("rich"), .hash = TEXT("p"), .hash_type = ATTR_STRING, .range = TEXT("r"), .range_type = ATTR_NUMBER, .indexes = 2};
    decl.index[0] = (struct store_index_decl){
        .name = TEXT("byColor"), .key = {.part = {{TEXT("color"), ATTR_STRING}, {TEXT("mass"), ATTR_NUMBER}}, .hashes = 1, .ranges = 1}};
    decl.index[1] = (struct store_index_decl){.name = TEXT("byMany"),
        .key = {.part = {{TEXT("h1"), ATTR_STRING}, {TEXT("h2"), ATTR_NUMBER}, {TEXT("r1"), ATTR_STRING}, {TEXT("r2"), ATTR_BINARY}, {TEXT("r"), ATTR_NUMBER}},
            .hashes = 2,
            .ranges = 3}};
    if (store_table_define(stage, &decl, NULL, NULL))
        abort();
}

static void open_store(void)
{
    struct store_config config = {.folder = folder};
    struct store_stage *stage;
    struct buf record;
    if (!mkdtemp(folder) || store_open(&store, &config, NULL) || store_stage_create(store, &stage))
        abort();
    buf_init(&record, 1 << 20);
    define(stage);
    if (store_stage_seal(stage, 1, &record) || store_stage_apply(stage, 1, NULL))
        abort();
    store_stage_destroy(stage);
    buf_fini(&record);
    atexit(remove_folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gateway_config config = {.region = {"us-east-1", 9}, .account = {"123456789012", 12}};
    const struct aws_operation *op = ddb_service.operations;
    struct arena arena;
    if (!size)
        return 0;
    if (!store)
        open_store();
    for (unsigned n = data[0]; n && op[1].name; n--)
        op++;
    arena_init(&arena, 4096, 16 << 20);
    struct aws_call call = {.config = &config, .store = store, .arena = &arena, .service = &ddb_service, .op = op};
    buf_init(&call.body, 1 << 20);
    aws_body_begin(&call);
    int code = aws_prepare(&call, text_make(data + 1, size - 1));
    if (code > 0 || (code != 0) != (call.fault != AWS_FINE) || (code && call.fault != AWS_INTERNAL && call.fault != AWS_SERIALIZATION && !call.message.len))
        abort();
    buf_fini(&call.body);
    arena_fini(&arena);
    return 0;
}
