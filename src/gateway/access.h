/*
 * What an access key may do, in the terms that users know from IAM: statements that allow or deny actions on resources. A key without statements
 * may do everything; a key with statements may do what one of them allows and none denies.
 *
 *   actions    "dynamodb:GetItem", "kinesis:Put*", "execute-api:ManageConnections", "*"; letters in any case
 *   resources  an ARN with wildcards, or its last part alone: "table/orders*" stands for arn:aws:dynamodb:*:*:table/orders*
 *
 * `*` is any run of characters (colons and slashes too, as in IAM), `?` one. Any thread; all of it is immutable.
 */
#ifndef WEIR_GATEWAY_ACCESS_H
#define WEIR_GATEWAY_ACCESS_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>

#define GW_ACCESS_STATEMENTS_MAX 32
#define GW_ACCESS_PATTERNS_MAX 64  /* actions, or resources, of one statement */
#define GW_ACCESS_PATTERN_MAX 512  /* bytes */

enum gw_statement_effect { GW_STATEMENT_ALLOW, GW_STATEMENT_DENY };
struct gw_statement {
    int effect; /* enum gw_statement_effect; an int, since the configuration reads it by its word */
    struct text *actions, *resources;
    size_t action_count, resource_count; /* no resources: all */
};
struct gw_access {
    struct gw_statement statement[GW_ACCESS_STATEMENTS_MAX];
    size_t statements;
};

enum gw_permission {
    GW_MAY,          /* allowed, and not denied */
    GW_MAY_NOT,      /* no statement allows it */
    GW_MAY_EXPLICIT  /* a statement denies it */
};
/* `access` NULL: GW_MAY. */
enum gw_permission gw_access_verdict(const struct gw_access *access, struct text action, struct text resource);
/* A deep copy in the arena; NULL for NULL (0) or without memory (ERR_MEMORY). */
int gw_access_copy(struct arena *arena, const struct gw_access *access, const struct gw_access **out);
/* `*` and `?`; linear in the text times the pattern at worst. */
bool gw_access_match(struct text pattern, struct text text, bool nocase);

#endif
