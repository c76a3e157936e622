/* Bodies of the query protocol from anywhere: a byte chooses the operation, the rest is the form. What is read has the types that the shape asks for, and can be prepared. */
#include "aws/cloudwatch.h"
#include "aws/form.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gateway_config config = {.region = {"us-east-1", 9}, .account = {"123456789012", 12}};
    const struct aws_operation *op = cloudwatch_service.operations;
    struct arena arena;
    if (!size)
        return 0;
    for (unsigned n = data[0] % 4; n && op[1].name; n--)
        op++;
    arena_init(&arena, 4096, 16 << 20);
    for (int protocol = AWS_PROTOCOL_JSON; protocol <= AWS_PROTOCOL_QUERY; protocol++) {
        struct aws_call call = {.config = &config, .arena = &arena, .service = &cloudwatch_service, .op = op, .protocol = (enum aws_protocol)protocol};
        buf_init(&call.body, 1 << 20);
        aws_body_begin(&call);
        int code = aws_prepare(&call, text_make(data + 1, size - 1));
        if (code > 0 || (code != 0) != (call.fault != AWS_FINE) || (code && call.fault != AWS_INTERNAL && call.fault != AWS_SERIALIZATION && !call.message.len))
            abort();
        buf_fini(&call.body);
    }
    arena_fini(&arena);
    return 0;
}
