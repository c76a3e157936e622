/* Rules of Contributor Insights and log events from anywhere: the definition stands before the first NUL, the event behind it. */
#include "watch/insight.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text text = text_make(data, size);
    ptrdiff_t end = text_find(text, 0, 0);
    struct text definition = text_make(data, end < 0 ? size : (size_t)end), message = end < 0 ? TEXT("{\"a\":1}") : text_make(data + end + 1, size - (size_t)end - 1);
    struct insight_rule rule;
    struct text key[INSIGHT_KEYS_MAX];
    struct arena arena;
    struct err err = {0};
    double value = 0;
    arena_init(&arena, 4096, 4 << 20);
    int code = insight_rule_parse(&arena, definition, &rule, &err);
    if (code && code != ERR_MEMORY && !err.text[0])
        abort();
    code = code ? 0 : insight_rule_match(&rule, message, &arena, key, &value);
    if (code == 1 && !isfinite(value))
        abort();
    for (size_t i = 0; code == 1 && i < rule.keys; i++)
        if (!key[i].data)
            abort();
    arena_fini(&arena);
    return 0;
}
