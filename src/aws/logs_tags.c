/* Tags of groups, by name (TagLogGroup and its kin), and of groups and destinations by ARN (TagResource and its kin). */
#include "aws/logs.h"

static struct watch_log_tag *find_tag(struct watch_log_group *group, struct text key)
{
    for (uint32_t i = 0; i < group->tags; i++)
        if (text_equal(group->tag[i].key, key))
            return &group->tag[i];
    return NULL;
}

int logs_tags_add(struct aws_call *call, struct watch_log_group *group, const struct json *map)
{
    if (!group->tag)
        group->tag = arena_array(call->arena, WATCH_LOG_TAGS_MAX, sizeof(*group->tag));
    if (!group->tag)
        return aws_no_memory(call);
    for (const struct json *at = map ? map->first : NULL; at; at = at->next) {
        if (!at->name.len || at->name.len > 128)
            return aws_fail(call, LOGS_INVALID,
                "1 validation error detected: Value at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to "
                "128, Member must have length greater than or equal to 1]");
        if (text_starts(at->name, TEXT("aws:")))
            return aws_fail(call, LOGS_INVALID, "Tag keys must not begin with aws:.");
        struct watch_log_tag *tag = find_tag(group, at->name);
        if (!tag && group->tags == WATCH_LOG_TAGS_MAX)
            return aws_fail(call, LOGS_TOO_MANY_TAGS, "A resource cannot have more than %d tags.", WATCH_LOG_TAGS_MAX);
        tag = tag ? tag : &group->tag[group->tags++];
        *tag = (struct watch_log_tag){at->name, at->text};
    }
    return 0;
}

/* ---- what has them ---- */

struct tagged {
    struct text group; /* first: logs_group reads it; data NULL: */
    struct text destination;
};

#define OF_DESTINATION ":destination:"

/* The name behind ":destination:" in an ARN of this service. */
static struct text destination_of(struct text arn)
{
    if (!text_starts(arn, TEXT("arn:aws:logs:")))
        return TEXT_NONE;
    for (size_t at = 0; at + sizeof(OF_DESTINATION) <= arn.len; at++)
        if (memcmp(arn.data + at, OF_DESTINATION, sizeof(OF_DESTINATION) - 1) == 0)
            return text_make(arn.data + at + sizeof(OF_DESTINATION) - 1, arn.len - at - sizeof(OF_DESTINATION) + 1);
    return TEXT_NONE;
}

int logs_tagged_prepare(struct aws_call *call)
{
    struct text arn = aws_param_text(call->in, "resourceArn"), destination = destination_of(arn);
    struct tagged *tagged = arena_zalloc(call->arena, sizeof(*tagged));
    int code = !tagged ? aws_no_memory(call) : destination.data ? aws_may(call, call->op->name, arn) : logs_resource_prepare(call);
    if (code)
        return code;
    if (destination.data)
        tagged->destination = destination;
    else
        tagged->group = *(struct text *)call->state;
    call->state = tagged;
    return 0;
}

/* Operations by name have a struct text alone as their state. */
static struct text destination_in(const struct aws_call *call)
{
    return shape_get(call->in, "resourceArn") ? ((const struct tagged *)call->state)->destination : TEXT_NONE;
}

static int find(struct aws_call *call, struct store_view *view, struct watch_log_group *group)
{
    struct text destination = destination_in(call);
    return destination.data ? logs_destination_tags_get(call, view, destination, group) : logs_group(call, view, group);
}

static int keep(struct aws_call *call, struct store_view *view, struct tick *tick, struct watch_log_group *group)
{
    if (destination_in(call).data)
        return logs_destination_tags_put(call, view, tick, group);
    int code = watch_log_group_put(tick, group);
    return code ? logs_fail(call, code) : 0;
}

int logs_tag_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct watch_log_group group;
    int code = find(call, view, &group);
    if (!code)
        code = logs_tags_add(call, &group, shape_get(call->in, "tags"));
    return code ? code : keep(call, view, tick, &group);
}

static int remove_tags(struct aws_call *call, struct store_view *view, struct tick *tick, const char *member)
{
    struct watch_log_group group;
    int code = find(call, view, &group);
    if (code)
        return code;
    for (const struct json *key = shape_get(call->in, member)->first; key; key = key->next) {
        struct watch_log_tag *tag = find_tag(&group, key->text);
        if (tag)
            *tag = group.tag[--group.tags];
    }
    return keep(call, view, tick, &group);
}

int logs_untag_group_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    return remove_tags(call, view, tick, "tags");
}

int logs_untag_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    return remove_tags(call, view, tick, "tagKeys");
}

int logs_list_tags_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct watch_log_group group;
    struct json_writer *w = &call->w;
    (void)tick;
    int code = find(call, view, &group);
    if (code)
        return code;
    json_begin_object(w);
    json_name(w, "tags");
    json_begin_object(w);
    for (uint32_t i = 0; i < group.tags; i++) {
        json_name_text(w, group.tag[i].key);
        json_text(w, group.tag[i].value);
    }
    json_end_object(w);
    json_end_object(w);
    return 0;
}
