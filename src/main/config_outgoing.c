/*
 * Where the server may send requests that an application or an alarm asks for.
 *
 *   outgoing:
 *     allow: ["https://hooks.example/team/", "http://10.0.0.7:9000"]
 */
#include "main/read.h"

#define IN(field) offsetof(struct config, outgoing.field)

/* struct gw_outgoing: a whole address, or the beginning of one. */
static void read_allow(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_outgoing *outgoing = field;
    if (value->kind != DOC_SEQUENCE || value->count > GW_OUTGOING_MAX) {
        problem(r, value, "'%s' is a list of at most %d addresses", key->name, GW_OUTGOING_MAX);
        return;
    }
    outgoing->given = true;
    outgoing->count = 0;
    outgoing->allow = arena_array(r->arena, value->count + 1, sizeof(*outgoing->allow));
    for (const struct doc *node = value->first; node && outgoing->allow; node = node->next) {
        struct text prefix = TEXT_NONE;
        read_url(r, key, node, &prefix);
        if (!prefix.len)
            continue;
        if (!gw_outgoing_begins(prefix, prefix))
            problem(r, node, "'%s' holds beginnings of addresses without '..' and backslashes, not '%.80s'", key->name, node->text.data);
        outgoing->allow[outgoing->count++] = prefix;
    }
}

const struct key outgoing_keys[] = {
    {"allow", "list of addresses", "webhooks of alarms and requests of applications go only to addresses that begin so (default: of alarms what alarms of this file name, of applications all)",
        read_allow, offsetof(struct config, outgoing), 0, 0, NULL, NULL},
    {"linkLocal", "true or false", "addresses such as 169.254.169.254, where clouds keep credentials, may be reached (default false)", read_flag, IN(link_local), 0, 0, NULL, NULL},
    {0},
};
