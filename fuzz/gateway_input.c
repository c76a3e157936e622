/*
 * Bytes from outside as a handler reads them: the first line as a query string, the rest as a message. Whatever is accepted holds what the public header promises
 * (bounds, no control characters, a number that can be stored), and an error answer and a log line are always well-formed JSON.
 */
#include "gateway/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gw_api_config config = {.name = {"paper", 5}, .stages = {{"prod", 4}}, .stage_count = 1};
static struct gw_lines lines;
static struct gw_api api = {.config = &config, .id = {"paper", 5}, .own_lines = {&lines, &lines, &lines}};
static struct gateway gateway;
static struct gw_io io = {.gateway = &gateway};

static void check_fields(struct weir_call *call)
{
    struct decimal exact;
    struct weir_text text = weir_in_text_or(call, "t", 64, WEIR_STR("none"));
    ASSERT(text.len <= 64);
    for (size_t i = 0; i < text.len; i++)
        ASSERT((unsigned char)text.data[i] >= 0x20 || text.data[i] == '\t' || text.data[i] == '\n' || text.data[i] == '\r');
    int64_t integer = weir_in_integer_or(call, "n", -5, 5, 0);
    ASSERT(integer >= -5 && integer <= 5);
    ASSERT(weir_in_time_or(call, "when", 0) >= 0);
    if (!weir_failed(call) && weir_has(call, "d")) {
        struct weir_text digits = weir_in_number(call, "d", 0, 1e9);
        ASSERT(weir_failed(call) || decimal_parse(text_make(digits.data, digits.len), &exact) == 0);
    }
}

/* The fields of a line, spliced into it, leave it one object whose own members are weir's. */
static void check_line(struct weir_call *call)
{
    const struct json *root = NULL;
    struct weir_json *fields = weir_json(call);
    weir_object(fields);
    weir_name(fields, "v");
    weir_value(fields, weir_in_value(call, "v", false));
    weir_name(fields, "level");
    weir_value(fields, weir_in_value(call, "v", false));
    weir_name(fields, "last");
    weir_value(fields, weir_in_value(call, "t", false));
    weir_end(fields);
    weir_log_event(call, WEIR_INFO, "said", fields);
    struct gw_effect *line = call->sent_first;
    if (!line)
        return;
    ASSERT(json_parse(&call->arena, line->text, JSON_REFUSE_DUPLICATES, &root, NULL) == 0 || weir_has(call, "v"));
    ASSERT(json_parse(&call->arena, line->text, 0, &root, NULL) == 0 && root->type == JSON_OBJECT);
    ASSERT(text_is(json_get_str(root, "level")->text, "INFO"));
    ASSERT(json_get_str(root, "truncated") || (json_get_str(root, "v") && json_get_str(root, "last")));
    gw_call_drop_effects(call);
}

static void check_answer(struct weir_call *call)
{
    const struct json *root = NULL;
    struct weir_json *json = weir_json(call);
    weir_object(json);
    weir_name(json, "v");
    weir_value(json, weir_in_value(call, "v", false));
    weir_member_request(json);
    weir_end(json);
    weir_reply(call, json);
    if (weir_failed(call))
        gw_call_error_reply(call);
    ASSERT(call->reply.text.data && json_parse(&call->arena, call->reply.text, 0, &root, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
    size_t head = line ? (size_t)(line - data) : 0;
    struct weir_call *call = gw_call_take(&io, &api);
    if (!call)
        return 0;
    call->kind = GW_CALL_MESSAGE;
    if (gw_call_keep_query(call, text_make(data, head)) == 0)
        for (size_t i = 0; i < call->query_count; i++)
            ASSERT(weir_query_param(call, call->query[i].name.data).data != NULL);
    size_t from = line ? head + 1 : 0;
    call->body = arena_copy(&call->arena, text_make(data + from, size - from));
    config.logs_off = false;
    lines = (struct gw_lines){.api = &api, .route = TEXT("$default")};
    check_fields(call);
    if (!weir_failed(call))
        check_line(call);
    config.logs_off = true; /* a failure's line would be gathered for a tick */
    check_answer(call);
    gw_call_give(call);
    return 0;
}
