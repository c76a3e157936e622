/*
 * An answer in XML: it is written as JSON like every other one, and dressed when it is done.
 *
 *   {"Metrics":[{"MetricName":"a"}]}   <ListMetricsResponse xmlns=".."><ListMetricsResult><Metrics><member><MetricName>a</MetricName></member></Metrics></ListMetricsResult>
 *                                      <ResponseMetadata><RequestId>..</RequestId></ResponseMetadata></ListMetricsResponse>
 *
 * What JSON cannot say is in the service's hints: which numbers are times (ISO 8601 here) and which objects are maps (entries of key and value).
 */
#include "aws/call.h"

#include "base/clock.h"
#include <math.h>

#define TREE_BYTES_MAX ((size_t)128 << 20) /* of the longest answer's tree and its text */

static void add_escaped(struct buf *out, struct text text)
{
    size_t from = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        const char *entity = c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : c == '\r' ? "&#13;" : NULL;
        if (!entity && (c >= 0x20 || c == '\n' || c == '\t'))
            continue;
        buf_add(out, text.data + from, i - from);
        buf_add_text(out, text_of(entity ? entity : "\xef\xbf\xbd")); /* XML 1.0 has no way to write the other control characters */
        from = i + 1;
    }
    buf_add(out, text.data + from, text.len - from);
}

static bool listed(const char *const *names, struct text name)
{
    for (; names && *names; names++)
        if (text_is(name, *names))
            return true;
    return false;
}

static void add_time(struct buf *out, const struct json *json)
{
    char text[CLOCK_ISO_SIZE];
    double seconds;
    if (json_to_double(json, &seconds) || fabs(seconds) > 253402300799.0)
        return;
    clock_format_iso(llround(seconds * 1000), text);
    if (memcmp(text + CLOCK_ISO_SIZE - 6, ".000", 4) == 0)
        memcpy(text + CLOCK_ISO_SIZE - 6, "Z", 2);
    buf_add_text(out, text_of(text));
}

static void add_value(struct buf *out, const struct json *json, struct text name, const struct aws_service *service);

static void add_element(struct buf *out, struct text tag, const struct json *json, struct text name, const struct aws_service *service)
{
    buf_add_char(out, '<');
    buf_add_text(out, tag);
    buf_add_char(out, '>');
    add_value(out, json, name, service);
    buf_add(out, "</", 2);
    buf_add_text(out, tag);
    buf_add_char(out, '>');
}

static void add_entry(struct buf *out, const struct json *json, const struct aws_service *service)
{
    buf_add_text(out, TEXT("<entry><key>"));
    add_escaped(out, json->name);
    buf_add_text(out, TEXT("</key>"));
    add_element(out, TEXT("value"), json, TEXT_NONE, service);
    buf_add_text(out, TEXT("</entry>"));
}

/* As deep as the answer, which is ours. `name`: the member that holds it, or whose list holds it. */
static void add_value(struct buf *out, const struct json *json, struct text name, const struct aws_service *service)
{
    switch (json->type) {
    case JSON_NULL:
        return;
    case JSON_TRUE:
        buf_add_text(out, TEXT("true"));
        return;
    case JSON_FALSE:
        buf_add_text(out, TEXT("false"));
        return;
    case JSON_STRING:
        add_escaped(out, json->text);
        return;
    case JSON_NUMBER:
        if (service->cbor && listed(service->cbor->times, name))
            add_time(out, json);
        else
            buf_add_text(out, json->text);
        return;
    case JSON_ARRAY:
        for (const struct json *at = json->first; at; at = at->next)
            add_element(out, TEXT("member"), at, name, service);
        return;
    case JSON_OBJECT:
        for (const struct json *at = json->first; at; at = at->next)
            if (listed(service->query->maps, name))
                add_entry(out, at, service);
            else if (at->type != JSON_NULL)
                add_element(out, at->name, at, at->name, service);
        return;
    }
}

static bool has_result(const struct aws_query *query, const char *operation)
{
    for (const char *const *name = query->results; name && *name; name++)
        if (strcmp(*name, operation) == 0)
            return true;
    return false;
}

int aws_dress_xml(struct text json, const struct aws_service *service, const char *operation, const char *request_id, struct buf *out)
{
    struct arena arena;
    const struct json *tree = NULL;
    arena_init(&arena, 4096, TREE_BYTES_MAX);
    int code = json.len ? json_parse(&arena, json, 0, &tree, NULL) : 0;
    buf_add_format(out, "<%sResponse xmlns=\"%s\">", operation, service->query->xmlns);
    if (!code && tree && (tree->count || has_result(service->query, operation))) {
        buf_add_format(out, "<%sResult>", operation);
        add_value(out, tree, TEXT_NONE, service);
        buf_add_format(out, "</%sResult>", operation);
    }
    buf_add_format(out, "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>\n", request_id, operation);
    arena_fini(&arena);
    return code ? code : out->failed ? ERR_TOO_LARGE : 0;
}

void aws_xml_fault(const struct aws_service *service, const char *code, bool receiver, struct text message, const char *request_id, struct buf *out)
{
    buf_add_format(out, "<ErrorResponse xmlns=\"%s\"><Error><Type>%s</Type><Code>%s</Code><Message>", service->query->xmlns, receiver ? "Receiver" : "Sender", code);
    add_escaped(out, message);
    buf_add_format(out, "</Message></Error><RequestId>%s</RequestId></ErrorResponse>\n", request_id);
}
