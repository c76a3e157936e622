/* Actions of alarms from anywhere: what is taken has the parts that its kind needs, and they lie within the text. */
#include "gateway/alarms.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lies_in(struct text part, const uint8_t *data, size_t size)
{
    return part.len && (const uint8_t *)part.data >= data && (const uint8_t *)part.data + part.len <= data + size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gw_alarm_target target;
    if (!size || gw_alarm_target_parse(text_make(data, size), &target) || target.kind == GW_ALARM_WEBHOOK || target.kind == GW_ALARM_ELSEWHERE)
        return 0;
    if (!lies_in(target.api, data, size) || (target.kind != GW_ALARM_BROADCAST && !lies_in(target.name, data, size)))
        abort();
    if (target.kind == GW_ALARM_ROUTE && target.name.data[0] != '@')
        abort();
    return 0;
}
