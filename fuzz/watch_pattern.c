/*
 * Filter patterns from anywhere against messages from anywhere: the pattern ends at the first NUL, the rest is the message. What is refused must say why; what is taken must
 * answer yes or no, and name values only in messages that match.
 */
#include "watch/pattern.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count(void *context, struct text name, struct text value)
{
    (void)value;
    if (!name.len || name.data[0] != '$')
        abort();
    ++*(int *)context;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text all = text_make(data, size);
    ptrdiff_t nul = text_find(all, 0, 0);
    struct text source = text_make(all.data, nul < 0 ? all.len : (size_t)nul), message = nul < 0 ? TEXT_NONE : text_make(all.data + nul + 1, all.len - (size_t)nul - 1);
    struct arena arena, scratch;
    struct watch_pattern *pattern;
    struct err err = {0};
    struct text value;
    int named = 0;
    if (!size)
        return 0;
    arena_init(&arena, 4096, 4 << 20);
    arena_init(&scratch, 4096, 4 << 20);
    int code = watch_pattern_parse(&arena, source, &pattern, &err);
    if (code && code != ERR_MEMORY && !err.text[0])
        abort();
    if (!code) {
        int holds = watch_pattern_match(pattern, message, &scratch);
        if (holds > 1 || (holds < 0 && holds != ERR_MEMORY))
            abort();
        if (watch_pattern_extract(pattern, message, &scratch, count, &named) > 0 || scratch.used)
            abort();
        watch_pattern_select(pattern, source, message, &scratch, &value);
    }
    arena_fini(&arena);
    arena_fini(&scratch);
    return 0;
}
