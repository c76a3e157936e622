/*
 * Projections. The paths are sorted once, when they are bound, so that those which share a beginning stand
 * together: applying them is then one walk down the item, and `a.b, a.c` comes out as one map `a`. List
 * elements keep their order and close up, as AWS answers them.
 */
#include "store/expr_tree.h"

static bool same_step(const struct expr_step *a, const struct expr_step *b)
{
    return a->is_index == b->is_index && (a->is_index ? a->index == b->index : text_equal(a->name, b->name));
}

static int take(const struct expr_node *const *path, size_t paths, uint32_t depth, const struct attr *from,
    struct arena *arena, struct attr **out);

/* The groups of paths that share their step at `depth`, each with what it selects. */
static int take_groups(const struct expr_node *const *path, size_t paths, uint32_t depth,
    const struct attr *from, struct arena *arena, struct attr *into)
{
    for (size_t low = 0, high; low < paths; low = high) {
        struct expr_node step = {.op = OP_PATH, .count = 1, .step = &path[low]->step[depth]};
        struct attr *child = NULL;
        for (high = low + 1; high < paths && same_step(&path[high]->step[depth], step.step); high++)
            ;
        const struct attr *source = expr_path_find(&step, 1, from);
        int rc = source ? take(path + low, high - low, depth + 1, source, arena, &child) : 0;
        if (rc)
            return rc;
        if (child)
            expr_node_link(into, child);
    }
    return 0;
}

/* *out is NULL when nothing of `from` is selected. */
static int take(const struct expr_node *const *path, size_t paths, uint32_t depth, const struct attr *from,
    struct arena *arena, struct attr **out)
{
    struct attr *copy = expr_node_copy(arena, from);
    if (!copy)
        return ERR_MEMORY;
    if (path[0]->count == depth) { /* paths do not overlap: it is the only one */
        *out = copy;
        return 0;
    }
    copy->count = 0;
    copy->first = copy->last = NULL;
    int rc = take_groups(path, paths, depth, from, arena, copy);
    *out = copy->count ? copy : NULL;
    return rc;
}

static int project(const struct expr_node *const *path, size_t paths, const struct attr *item,
    struct arena *arena, struct attr **out)
{
    struct attr *map = item_create(arena);
    if (!map)
        return ERR_MEMORY;
    *out = map;
    return take_groups(path, paths, 0, item, arena, map);
}

/* ---- the public face ---- */

int expr_projection_bind(
    struct expr_env *env, const struct expr_tree *tree, const struct expr_projection **out)
{
    struct expr_projection *projection = arena_zalloc(env->arena, sizeof(*projection));
    size_t paths = 0;
    for (const struct expr_node *at = tree->root; at; at = at->next)
        paths++;
    const struct expr_node **path = arena_array(env->arena, paths, sizeof(*path));
    if (!projection || !path)
        return expr_fail_memory(env);
    for (const struct expr_node *at = tree->root; at; at = at->next) {
        struct expr_node *bound;
        int rc = expr_node_bind(env, EXPR_PROJECTION, at, &bound);
        if (rc)
            return rc;
        path[projection->paths++] = bound;
    }
    int rc = expr_paths_check(env, EXPR_PROJECTION, path, paths);
    if (rc)
        return rc;
    projection->path = expr_paths_sort(env->arena, path, paths);
    if (!projection->path)
        return expr_fail_memory(env);
    *out = projection;
    return 0;
}

int expr_projection_parse(struct expr_env *env, struct text expression, const struct expr_projection **out)
{
    const struct expr_tree *tree;
    int rc = expr_tree_parse(env, EXPR_PROJECTION, expression, env->arena, &tree);
    return rc ? rc : expr_projection_bind(env, tree, out);
}

int expr_projection_check_paths(
    struct expr_env *env, const struct expr_projection *projection, const struct text *keys, size_t count)
{
    return projection ? expr_nested_key_fail(
                            env, expr_paths_key(projection->path, projection->paths, keys, count, true))
                      : 0;
}

/* A flat projection: a member per path. */
static int take_columns(const struct expr_projection *projection, const struct attr *item, struct arena *arena, struct attr **out)
{
    struct attr *map = item_create(arena);
    if (!map)
        return ERR_MEMORY;
    *out = map;
    for (size_t i = 0; i < projection->paths; i++) {
        const struct attr *found = expr_path_find(projection->path[i], projection->path[i]->count, item);
        struct attr *copy = found ? expr_node_copy(arena, found) : NULL;
        if (!found)
            continue;
        if (!copy)
            return ERR_MEMORY;
        copy->name = projection->label[i];
        expr_node_link(map, copy);
    }
    return 0;
}

int expr_projection_apply(const struct expr_projection *projection, const struct attr *item,
    struct arena *arena, const struct attr **out)
{
    struct attr *made = NULL;
    int rc = 0;
    if (projection && projection->label)
        rc = take_columns(projection, item, arena, &made);
    else if (projection)
        rc = project(projection->path, projection->paths, item, arena, &made);
    if (!rc)
        *out = projection ? made : item;
    return rc;
}

struct text expr_projection_name(const struct expr_projection *projection, size_t at)
{
    return projection && at < projection->paths ? projection->path[at]->step[0].name : TEXT_NONE;
}

int expr_update_touched(
    const struct expr_update *update, const struct attr *from, struct arena *arena, const struct attr **out)
{
    struct attr *made = NULL;
    *out = NULL;
    if (!update || !from || !update->actions)
        return 0;
    const struct expr_node **sorted = expr_paths_sort(arena, update->path, update->actions);
    int rc = sorted ? project(sorted, update->actions, from, arena, &made) : ERR_MEMORY;
    if (!rc && made->count)
        *out = made;
    return rc;
}
