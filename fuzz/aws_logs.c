/*
 * Logs requests from anywhere: a byte chooses the operation, the rest is the body. Everything up to the point where a call would leave the io
 * thread is run: the body, its shape, names, ARNs, events, filter patterns, tokens. What is refused must say why.
 */
#include "aws/logs.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gateway_config config = {.region = {"us-east-1", 9}, .account = {"123456789012", 12}};
    const struct aws_operation *op = logs_service.operations;
    struct arena arena;
    if (!size)
        return 0;
    for (unsigned n = data[0]; n && op[1].name; n--)
        op++;
    arena_init(&arena, 4096, 16 << 20);
    struct aws_call call = {.config = &config, .arena = &arena, .service = &logs_service, .op = op};
    buf_init(&call.body, 1 << 20);
    aws_body_begin(&call);
    int code = aws_prepare(&call, text_make(data + 1, size - 1));
    if (code > 0 || (code != 0) != (call.fault != AWS_FINE) || (code && call.fault != AWS_INTERNAL && call.fault != AWS_SERIALIZATION && !call.message.len))
        abort();
    buf_fini(&call.body);
    arena_fini(&arena);
    return 0;
}
