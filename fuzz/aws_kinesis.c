/*
 * Kinesis requests from anywhere: a byte chooses the operation, the next one JSON or CBOR, the rest is the body. Everything up to the point where a call would leave the io
 * thread is run: the body, its shape, names, records, hash keys, tokens. What is refused must say why, and the refusal must go into CBOR.
 */
#include "aws/kinesis.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gateway_config config = {.region = {"us-east-1", 9}, .account = {"123456789012", 12}};
    const struct aws_operation *op = kinesis_service.operations;
    struct arena arena;
    struct buf dressed;
    if (size < 2)
        return 0;
    for (unsigned n = data[0]; n && op[1].name; n--)
        op++;
    arena_init(&arena, 4096, 16 << 20);
    struct aws_call call = {.config = &config, .arena = &arena, .service = &kinesis_service, .op = op, .cbor = data[1] & 1};
    buf_init(&call.body, 1 << 20);
    buf_init(&dressed, 1 << 20);
    aws_body_begin(&call);
    int code = aws_prepare(&call, text_make(data + 2, size - 2));
    if (code > 0 || (code != 0) != (call.fault != AWS_FINE) || (code && call.fault != AWS_INTERNAL && call.fault != AWS_SERIALIZATION && !call.message.len))
        abort();
    json_begin_object(&call.w);
    json_name(&call.w, "message");
    json_text(&call.w, call.message);
    json_end_object(&call.w);
    if (aws_dress(buf_text(&call.body), kinesis_service.cbor, &dressed))
        abort();
    buf_fini(&dressed);
    buf_fini(&call.body);
    arena_fini(&arena);
    return 0;
}
