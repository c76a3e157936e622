/*
 * Statements are few and short, and a request is judged once, so they are matched as they stand: no compilation, nothing cached that a reload would have to forget.
 */
#include "gateway/access.h"

#include "base/err.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* The usual walk with one point to come back to: the newest star. An earlier star need never be tried again, since whatever it could give up, the newest can take. */
bool gw_access_match(struct text pattern, struct text text, bool nocase)
{
    size_t p = 0, t = 0, star = SIZE_MAX, star_text = 0;
    while (t < text.len) {
        bool same = p < pattern.len && pattern.data[p] != '*' &&
            (pattern.data[p] == '?' || pattern.data[p] == text.data[t] || (nocase && lower(pattern.data[p]) == lower(text.data[t])));
        if (same) {
            p++;
            t++;
        } else if (p < pattern.len && pattern.data[p] == '*') {
            star = p++;
            star_text = t;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.data[p] == '*')
        p++;
    return p == pattern.len;
}

/* What follows arn:partition:service:region:account: */
static struct text last_part(struct text arn)
{
    size_t at = 0;
    for (int colon = 0; colon < 5; colon++) {
        ptrdiff_t next = text_find(arn, ':', at);
        if (next < 0)
            return arn;
        at = (size_t)next + 1;
    }
    return text_make(arn.data + at, arn.len - at);
}

static bool names_action(const struct gw_statement *s, struct text action)
{
    for (size_t i = 0; i < s->action_count; i++)
        if (gw_access_match(s->actions[i], action, true))
            return true;
    return false;
}

static bool names_resource(const struct gw_statement *s, struct text resource)
{
    for (size_t i = 0; i < s->resource_count; i++) {
        bool whole = text_starts(s->resources[i], TEXT("arn:")) || text_is(s->resources[i], "*");
        if (gw_access_match(s->resources[i], whole ? resource : last_part(resource), false))
            return true;
    }
    return s->resource_count == 0;
}

enum gw_permission gw_access_verdict(const struct gw_access *access, struct text action, struct text resource)
{
    enum gw_permission verdict = GW_MAY_NOT;
    if (!access)
        return GW_MAY;
    for (size_t i = 0; i < access->statements; i++) {
        const struct gw_statement *s = &access->statement[i];
        if (!names_action(s, action) || !names_resource(s, resource))
            continue;
        if (s->effect == GW_STATEMENT_DENY)
            return GW_MAY_EXPLICIT;
        verdict = GW_MAY;
    }
    return verdict;
}

static int copy_patterns(struct arena *arena, struct text **patterns, size_t count)
{
    const struct text *from = *patterns;
    *patterns = arena_array(arena, count + 1, sizeof(struct text));
    if (!*patterns)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        (*patterns)[i] = arena_copy(arena, from[i]);
        if (!(*patterns)[i].data)
            return ERR_MEMORY;
    }
    return 0;
}

int gw_access_copy(struct arena *arena, const struct gw_access *access, const struct gw_access **out)
{
    *out = NULL;
    if (!access)
        return 0;
    struct gw_access *copy = arena_alloc(arena, sizeof(*copy));
    if (!copy)
        return ERR_MEMORY;
    *copy = *access;
    for (size_t i = 0; i < copy->statements; i++)
        if (copy_patterns(arena, &copy->statement[i].actions, copy->statement[i].action_count) ||
            copy_patterns(arena, &copy->statement[i].resources, copy->statement[i].resource_count))
            return ERR_MEMORY;
    *out = copy;
    return 0;
}
