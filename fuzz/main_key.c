/* A master key as a person gives it: in a file, in a variable. What is taken has 32 bytes, and what is refused leaves nothing. */
#include "main/key.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int raw = 0; raw < 2; raw++) {
        struct key_master key = {0}, zero = {0};
        struct err err = {0};
        int code = key_parse(text_make(data, size), raw, "it", &key, &err);
        if (code ? memcmp(&key, &zero, sizeof(key)) != 0 || !err.text[0] : !key.set)
            abort();
    }
    return 0;
}
