/* Parameters of requests, and what many answers hold. */
#include "aws/call.h"

#include "base/hash.h"

#include <stdio.h>

struct text aws_param_text(const struct json *object, const char *name)
{
    const struct json *found = shape_get(object, name);
    return found && found->type == JSON_STRING ? found->text : TEXT_NONE;
}

bool aws_param_is(const struct json *object, const char *name, const char *value)
{
    return text_is(aws_param_text(object, name), value);
}

bool aws_param_true(const struct json *object, const char *name)
{
    return json_is(shape_get(object, name), JSON_TRUE);
}

void aws_time_json(struct json_writer *w, const char *name, int64_t ms)
{
    char text[32];
    json_name(w, name);
    int len = snprintf(text, sizeof(text), "%lld.%03d", (long long)(ms / 1000), (int)(ms % 1000));
    json_number_text(w, text_make(text, (size_t)len));
}

void aws_uuid(char out[37])
{
    unsigned char b[16];
    random_bytes(b, sizeof(b));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
        b[11], b[12], b[13], b[14], b[15]);
}
