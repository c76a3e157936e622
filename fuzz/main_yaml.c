/* weir.yaml: any bytes end in a configuration or in problems with places, and never in more than the bounds allow. */
#include "main/config.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    struct err err;
    if (size > CONFIG_BYTES_MAX)
        return 0;
    config_init(&config);
    int code = config_parse(&config, text_make(data, size), "", CONFIG_OFFLINE);
    if ((code != 0) != (config.errors > 0) || config.problems > CONFIG_PROBLEMS_MAX)
        abort();
    for (size_t i = 1; i < config.problems; i++)
        if (config.problem[i - 1].line > config.problem[i].line)
            abort();
    if (!code)
        config_finish(&config, &err);
    config_fini(&config);
    return 0;
}
