/*
 * What the key that signed may do (gateway/access.h): an action on the resources that a request names.
 *
 * Nearly all requests name them in a few members, whatever the operation, so they are found here; the actions of a transaction are those of its parts, as in
 * IAM. Operations whose resources lie deeper (in a statement, in an iterator) say so in their row and ask aws_may themselves. A request that names none is
 * about "*". It is judged behind the parameters' types and constraints and before everything else, so that a refusal tells nothing about what there is.
 */
#include "aws/call.h"

#include "base/counter.h"
#include <stdio.h>

int aws_may(struct aws_call *call, const char *action, struct text resource)
{
    const struct gw_key *key = call->work ? call->work->key : NULL;
    char full[128];
    if (!key || !key->access)
        return 0;
    int len = snprintf(full, sizeof(full), "%s:%s", call->service->actions ? call->service->actions : call->service->signing, action);
    enum gw_permission verdict = gw_access_verdict(key->access, text_make(full, (size_t)len), resource);
    if (verdict == GW_MAY)
        return 0;
    counter_add(COUNTER_gw_auth_failures, 1);
    return aws_fail(call, AWS_DENIED, "User: arn:aws:iam::%.*s:user/%.*s is not authorized to perform: %s on resource: %.*s %s", TEXT_FMT(call->config->account),
        TEXT_FMT(key->id), full, TEXT_FMT(resource),
        verdict == GW_MAY_EXPLICIT ? "with an explicit deny in an identity-based policy" : "because no identity-based policy allows the action");
}

/* `name`: a name, or an ARN, which stands for itself with our region and account: whose it claims to be decides nothing here. */
int aws_may_on(struct aws_call *call, const char *action, const char *kind, struct text name, struct text index)
{
    struct buf arn;
    if (text_starts(name, TEXT("arn:"))) {
        struct text rest = name;
        for (int colon = 0; colon < 5; colon++) {
            ptrdiff_t next = text_find(rest, ':', 0);
            rest = next < 0 ? TEXT_NONE : text_make(rest.data + next + 1, rest.len - (size_t)next - 1);
        }
        ptrdiff_t slash = text_find(rest, '/', 0);
        name = slash < 0 ? rest : text_make(rest.data + slash + 1, rest.len - (size_t)slash - 1);
    }
    buf_init(&arn, 4096);
    buf_add_format(&arn, "arn:aws:%s:%.*s:%.*s:%s/%.*s", call->service->signing, TEXT_FMT(call->config->region), TEXT_FMT(call->config->account), kind, TEXT_FMT(name));
    if (index.len)
        buf_add_format(&arn, "/index/%.*s", TEXT_FMT(index));
    int code = arn.failed ? aws_no_memory(call) : aws_may(call, action, buf_text(&arn));
    buf_fini(&arn);
    return code;
}

/* Members that name one resource: what a name stands for, and whether it is an ARN always. */
static const struct {
    const char *member, *kind;
} naming[] = {
    {"TableName", "table"}, {"ResourceArn", "table"}, {"StreamArn", "table"}, {"BackupArn", "table"}, {"TableArn", "table"}, {"ExportArn", "table"},
    {"ImportArn", "table"}, {"SourceTableName", "table"}, {"SourceTableArn", "table"}, {"TargetTableName", "table"}, {"StreamName", "stream"}, {"StreamARN", "stream"},
    {"ResourceARN", "stream"},
};

static int by_members(struct aws_call *call, const struct json *in, const char *action, size_t *found)
{
    struct text index = aws_param_text(in, "IndexName");
    int code = 0;
    for (size_t i = 0; i < sizeof(naming) / sizeof(naming[0]) && !code; i++) {
        struct text name = aws_param_text(in, naming[i].member);
        if (!name.data)
            continue;
        (*found)++;
        code = aws_may_on(call, action, naming[i].kind, name, index);
    }
    return code;
}

static int by_batch(struct aws_call *call, const struct json *tables, size_t *found)
{
    int code = 0;
    for (const struct json *table = tables->first; table && !code; table = table->next, (*found)++)
        code = aws_may_on(call, call->op->name, "table", table->name, TEXT_NONE);
    return code;
}

static int by_parts(struct aws_call *call, const struct json *parts, size_t *found)
{
    static const char *const actions[][2] = {{"Get", "GetItem"}, {"Put", "PutItem"}, {"Update", "UpdateItem"}, {"Delete", "DeleteItem"}, {"ConditionCheck", "ConditionCheckItem"}};
    int code = 0;
    for (const struct json *part = parts->first; part && !code; part = part->next)
        for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]) && !code; i++)
            if (json_is(shape_get(part, actions[i][0]), JSON_OBJECT))
                code = by_members(call, shape_get(part, actions[i][0]), actions[i][1], found);
    return code;
}

int aws_access_check(struct aws_call *call)
{
    const struct gw_key *key = call->work ? call->work->key : NULL;
    size_t found = 0;
    if (!key || !key->access || (call->op->flags & AWS_OWN_ACCESS))
        return 0;
    int code = by_members(call, call->in, call->op->name, &found);
    if (!code && json_is(shape_get(call->in, "RequestItems"), JSON_OBJECT))
        code = by_batch(call, shape_get(call->in, "RequestItems"), &found);
    if (!code && json_is(shape_get(call->in, "TransactItems"), JSON_ARRAY))
        code = by_parts(call, shape_get(call->in, "TransactItems"), &found);
    return !code && !found ? aws_may(call, call->op->name, TEXT("*")) : code;
}
