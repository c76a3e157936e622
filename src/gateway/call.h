/*
 * What the files call_*.c share: how the public header's types stand over those of the layers below. The public texts and values are the base's own
 * under another name, so that the public header includes nothing.
 */
#ifndef WEIR_GATEWAY_CALL_H
#define WEIR_GATEWAY_CALL_H

#include "gateway/internal.h"

struct weir_item {
    struct weir_call *call;
    struct attr *map; /* NULL: out of memory; the call has failed */
    bool expires;
    int64_t expires_in_ms;
};

static inline struct text text_in(struct weir_text t)
{
    return (struct text){t.data, t.len};
}
static inline struct weir_text text_out(struct text t)
{
    return (struct weir_text){t.data ? t.data : "", t.len};
}
static inline const struct json *json_in(const struct weir_value *value)
{
    return (const struct json *)value;
}
static inline const struct weir_value *json_out(const struct json *value)
{
    return (const struct weir_value *)value;
}

/* Fails the call for want of memory; answers NULL, for `return`. */
void *gw_call_no_memory(struct weir_call *call);
/* Takes the answer of a store or tick function: true when it is 0. ERR_COLD stops the call without an error of the client's. */
bool gw_call_kept(struct weir_call *call, int code, const struct err *err);
/* True in the tick; else fails the call, naming the function. */
bool gw_call_in_tick(struct weir_call *call, const char *function);
/* A copy in the call's arena; fails the call without memory. */
struct text gw_call_copy(struct weir_call *call, struct text text);
/* An item of the store as the application sees it. */
struct weir_item *gw_call_item(struct weir_call *call, const struct attr *map);
/* The finished document's text; false, and a failed call, when it is not finished or too large. */
bool gw_call_json_text(struct weir_call *call, struct weir_json *json, struct text *out);
/* Writes the members of an error: "error", "field"?, "message", "requestId"?, "exp"?, "now"?. */
void gw_call_error_members(struct weir_call *call, struct weir_json *json);
/* No control characters but tab, line feed and carriage return; UTF-8 is the parser's business. */
bool gw_text_clean(struct text text);

#endif
