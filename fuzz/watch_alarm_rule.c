/* Rules of composite alarms from anywhere: they are read and evaluated within their bounds, and what is refused says why. */
#include "watch/alarm.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_name(void *context, struct text name)
{
    size_t *names = context;
    if (!name.len || name.len > WATCH_ALARM_NAME_MAX || ++*names > WATCH_RULE_ALARMS_MAX)
        abort();
    return 0;
}

static int state_of(void *context, struct text name, enum watch_alarm_state *state)
{
    (void)context;
    *state = (enum watch_alarm_state)(name.len % WATCH_ALARM_STATES);
    return name.data[0] == 'z' ? ERR_NOT_FOUND : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct err err = {0};
    const struct watch_rule *rule;
    size_t names = 0;
    bool truth;
    arena_init(&arena, 1024, 1 << 20);
    int code = watch_rule_parse(&arena, text_make(data, size), &rule, &err);
    if (code && !err.text[0])
        abort();
    if (!code && (watch_rule_names(rule, on_name, &names) || watch_rule_evaluate(rule, state_of, NULL, &truth)))
        abort();
    arena_fini(&arena);
    return 0;
}
