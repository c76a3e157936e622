/*
 * An application's own settings. Their names and defaults stand in its declaration, their values in the API's configuration, in the same order: a handler asks by
 * name, and a declaration has a handful, so the name is looked for from the first one on.
 */
#include "gateway/call.h"

struct text gw_setting(const struct gw_api_config *config, struct text name)
{
    const struct weir_setting *declared = config->app ? config->app->settings : NULL;
    for (size_t i = 0; declared && declared[i].name; i++) {
        if (!text_is(name, declared[i].name))
            continue;
        if (config->settings && config->settings[i].data)
            return config->settings[i];
        return declared[i].otherwise ? text_of(declared[i].otherwise) : TEXT_NONE;
    }
    return TEXT_NONE;
}

struct weir_text weir_settings_get(const struct weir_settings *settings, const char *name)
{
    return text_out(gw_setting((const struct gw_api_config *)settings, text_of(name)));
}

struct weir_text weir_setting(struct weir_call *call, const char *name)
{
    return text_out(gw_setting(call->api->config, text_of(name)));
}

int64_t weir_setting_integer(struct weir_call *call, const char *name)
{
    int64_t number;
    return text_to_i64(gw_setting(call->api->config, text_of(name)), &number) == 0 ? number : 0;
}
