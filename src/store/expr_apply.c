/*
 * Applying an update to an item.
 *
 * Every value is worked out from the item as it was (DynamoDB: right sides read the old item), then the new
 * tree is built in one walk down the old one. Trees are immutable once shared, so the walk copies the
 * containers on the way to a written path, one node per member, and lets everything else be shared. The
 * writes are sorted by path: those into one container stand together, each container is copied once, and a
 * member is matched to its write by binary search, so 800 writes into 40,000 members stay cheap.
 *
 * Lists: removals and replacements count positions in the old list; elements beyond its end are appended in
 * the order of their index. Faults are reported in AWS's order: a path into something that is no container,
 * wrong types, then clause by clause from the last one written a path without a parent and an operand that
 * does not exist, then numbers out of range.
 */
#include "store/expr_tree.h"

#include "base/hash.h"

enum fault { FAULT_NONE, FAULT_MISSING, FAULT_NUMBER, FAULT_TYPE, FAULT_MEMORY };

struct write {
    const struct expr_node *path;
    const struct attr *value; /* NULL: remove */
    bool idle;                /* changes nothing */
    enum fault fault;
    struct text number; /* sentence of FAULT_NUMBER */
};

struct apply {
    const struct expr_update *update;
    const struct attr *item; /* as it was, or the key */
    struct arena *arena;
    struct write *write; /* one per action */
    struct err *err;
};

/* ---- nodes ---- */

static struct attr *make_node(struct arena *arena, enum attr_type type)
{
    struct attr *node = arena_zalloc(arena, sizeof(*node));
    if (node)
        node->type = type;
    return node;
}

/* Copies of the children go to the end of `into`. */
static bool add_children(struct arena *arena, struct attr *into, const struct attr *from)
{
    for (const struct attr *at = from->first; at; at = at->next) {
        struct attr *copy = expr_node_copy(arena, at);
        if (!copy)
            return false;
        expr_node_link(into, copy);
    }
    return true;
}

/* ---- numbers ---- */

static struct text number_problem(const struct decimal *a, const struct decimal *b, bool minus)
{
    double sum = decimal_to_double(a) + (minus ? -decimal_to_double(b) : decimal_to_double(b));
    if (sum >= 1e126 || sum <= -1e126)
        return TEXT(
            "Number overflow. Attempting to store a number with magnitude larger than supported range");
    if (sum < 1e-130 && sum > -1e-130)
        return TEXT(
            "Number underflow. Attempting to store a number with magnitude smaller than supported range");
    return TEXT("Attempting to store more than 38 significant digits in a Number");
}

/* FAULT_NUMBER with *problem when it has no exact result. */
static enum fault add_numbers(struct arena *arena, const struct attr *a, const struct attr *b, bool minus,
    const struct attr **out, struct text *problem)
{
    struct decimal x, y, sum;
    char digits[DECIMAL_TEXT_MAX];
    if (decimal_parse(a->text, &x) || decimal_parse(b->text, &y))
        return FAULT_TYPE;
    if (minus ? decimal_subtract(&x, &y, &sum) : decimal_add(&x, &y, &sum)) {
        *problem = number_problem(&x, &y, minus);
        return FAULT_NUMBER;
    }
    struct attr *made = make_node(arena, ATTR_NUMBER);
    if (made)
        made->text = arena_copy(arena, text_make(digits, decimal_format(&sum, digits)));
    if (!made || !made->text.data)
        return FAULT_MEMORY;
    *out = made;
    return FAULT_NONE;
}

/* ---- sets ---- */

struct elements {
    const struct attr **slot;
    size_t slots;
};

static bool elements_open(struct elements *e, struct arena *arena, const struct attr *set)
{
    e->slots = 16;
    while (e->slots < (size_t)set->count * 2)
        e->slots *= 2;
    e->slot = arena_zalloc(arena, e->slots * sizeof(*e->slot));
    for (const struct attr *at = set->first; at && e->slot; at = at->next) {
        size_t i = hash_bytes(at->text) & (e->slots - 1);
        while (e->slot[i])
            i = (i + 1) & (e->slots - 1);
        e->slot[i] = at;
    }
    return e->slot;
}

static bool elements_have(const struct elements *e, struct text text)
{
    size_t i = hash_bytes(text) & (e->slots - 1);
    while (e->slot[i] && !text_equal(e->slot[i]->text, text))
        i = (i + 1) & (e->slots - 1);
    return e->slot[i];
}

/* The elements of `from` that `other` has not, after copies of `base`'s (NULL: none). NULL without memory. */
static const struct attr *set_difference(
    struct arena *arena, const struct attr *base, const struct attr *from, const struct attr *other)
{
    struct elements known;
    struct attr *set = make_node(arena, from->type);
    if (!set || !elements_open(&known, arena, other) || (base && !add_children(arena, set, base)))
        return NULL;
    for (const struct attr *at = from->first; at; at = at->next) {
        if (elements_have(&known, at->text))
            continue;
        struct attr *copy = expr_node_copy(arena, at);
        if (!copy)
            return NULL;
        expr_node_link(set, copy);
    }
    return set;
}

/* ---- the right sides ---- */

static enum fault value_of(
    const struct apply *a, const struct expr_node *node, const struct attr **out, struct text *problem);

/* Both operands of + - list_append: a wrong type counts before a missing one. */
static enum fault two_values(const struct apply *a, const struct expr_node *node, enum attr_type type,
    const struct attr *value[2], struct text *problem)
{
    enum fault worst = FAULT_NONE;
    int i = 0;
    for (const struct expr_node *at = node->first; at; at = at->next, i++) {
        value[i] = NULL;
        enum fault fault = value_of(a, at, &value[i], problem);
        if (!fault && value[i]->type != type)
            fault = FAULT_TYPE;
        if (fault == FAULT_TYPE || fault == FAULT_MEMORY)
            return fault;
        if (!worst)
            worst = fault;
    }
    return worst;
}

static enum fault sum_of(
    const struct apply *a, const struct expr_node *node, const struct attr **out, struct text *problem)
{
    const struct attr *value[2];
    enum fault fault = two_values(a, node, ATTR_NUMBER, value, problem);
    return fault ? fault : add_numbers(a->arena, value[0], value[1], node->op == OP_MINUS, out, problem);
}

static enum fault joined_list(
    const struct apply *a, const struct expr_node *node, const struct attr **out, struct text *problem)
{
    const struct attr *value[2];
    enum fault fault = two_values(a, node, ATTR_LIST, value, problem);
    if (fault)
        return fault;
    struct attr *list = make_node(a->arena, ATTR_LIST);
    if (!list || !add_children(a->arena, list, value[0]) || !add_children(a->arena, list, value[1]))
        return FAULT_MEMORY;
    *out = list;
    return FAULT_NONE;
}

static enum fault value_of(
    const struct apply *a, const struct expr_node *node, const struct attr **out, struct text *problem)
{
    switch (node->op) {
    case OP_VALUE:
        *out = node->value;
        return FAULT_NONE;
    case OP_PATH:
        *out = expr_path_find(node, node->count, a->item);
        return *out ? FAULT_NONE : FAULT_MISSING;
    case OP_IF_NOT_EXISTS:
        *out = expr_path_find(node->first, node->first->count, a->item);
        return *out ? FAULT_NONE : value_of(a, node->last, out, problem);
    case OP_LIST_APPEND:
        return joined_list(a, node, out, problem);
    default:
        return sum_of(a, node, out, problem);
    }
}

/* ---- what each action writes ---- */

/* The container that the last step of a path leads into; NULL when it is not there. */
static const struct attr *parent_of(const struct apply *a, const struct expr_node *path)
{
    return expr_path_find(path, path->count - 1, a->item);
}

static bool parent_fits(const struct attr *parent, const struct expr_node *path)
{
    return parent && parent->type == (path->step[path->count - 1].is_index ? ATTR_LIST : ATTR_MAP);
}

static enum fault add_to(
    const struct apply *a, const struct attr *old, const struct attr *value, struct write *write)
{
    if (!old) {
        write->value = value;
        return FAULT_NONE;
    }
    if (old->type != value->type)
        return FAULT_TYPE;
    if (value->type == ATTR_NUMBER)
        return add_numbers(a->arena, old, value, false, &write->value, &write->number);
    if (value->type == ATTR_LIST) { /* AttributeUpdates alone come here */
        struct attr *list = make_node(a->arena, ATTR_LIST);
        if (!list || !add_children(a->arena, list, old) || !add_children(a->arena, list, value))
            return FAULT_MEMORY;
        write->value = list;
        return FAULT_NONE;
    }
    write->value = set_difference(a->arena, old, value, old);
    return write->value ? FAULT_NONE : FAULT_MEMORY;
}

static enum fault delete_from(
    const struct apply *a, const struct attr *old, const struct attr *value, struct write *write)
{
    write->idle = !old;
    if (!old)
        return FAULT_NONE;
    if (old->type != value->type)
        return FAULT_TYPE;
    const struct attr *left = set_difference(a->arena, NULL, old, value);
    write->value = left && left->count ? left : NULL;
    return left ? FAULT_NONE : FAULT_MEMORY;
}

static enum fault prepare(const struct apply *a, const struct expr_action *action, struct write *write)
{
    const struct attr *old = expr_path_find(action->path, action->path->count, a->item);
    write->path = action->path;
    switch (action->section) {
    case SECTION_SET:
        return value_of(a, action->value, &write->value, &write->number);
    case SECTION_REMOVE:
        write->idle = !old;
        return FAULT_NONE;
    case SECTION_ADD:
        return add_to(a, old, action->value->value, write);
    default:
        return delete_from(a, old, action->value->value, write);
    }
}

/* ---- faults, in AWS's order ---- */

static int fail_path(const struct apply *a)
{
    return err_set(
        a->err, ERR_INVALID, "The document path provided in the update expression is invalid for update");
}

static int fail(const struct apply *a, const struct write *write)
{
    switch (write->fault) {
    case FAULT_TYPE:
        return err_set(a->err, ERR_TYPE,
            a->update->legacy ? "Type mismatch for attribute to update"
                              : "An operand in the update expression has an incorrect data type");
    case FAULT_MISSING:
        return err_set(a->err, ERR_INVALID,
            "The provided expression refers to an attribute that does not exist in the item");
    case FAULT_NUMBER:
        return err_set(a->err, ERR_INVALID, "%.*s", TEXT_FMT(write->number));
    default:
        return err_set(a->err, ERR_MEMORY, "out of memory");
    }
}

static int check_clause(const struct apply *a, uint32_t clause)
{
    const struct expr_action *action = a->update->action;
    for (size_t i = 0; i < a->update->actions; i++)
        if (action[i].clause == clause && !parent_fits(parent_of(a, action[i].path), action[i].path))
            return fail_path(a);
    for (size_t i = 0; i < a->update->actions; i++)
        if (action[i].clause == clause && a->write[i].fault == FAULT_MISSING)
            return fail(a, &a->write[i]);
    return 0;
}

static int prepare_all(const struct apply *a)
{
    const struct expr_update *update = a->update;
    int rc = 0;
    for (size_t i = 0; i < update->actions; i++) {
        const struct attr *parent = parent_of(a, update->action[i].path);
        if (parent && !parent_fits(parent, update->action[i].path))
            return fail_path(a);
    }
    for (size_t i = 0; i < update->actions; i++) {
        a->write[i].fault = prepare(a, &update->action[i], &a->write[i]);
        if (a->write[i].fault >= FAULT_TYPE)
            return fail(a, &a->write[i]);
    }
    for (size_t clause = update->clauses; clause-- && !rc;)
        rc = check_clause(a, (uint32_t)clause);
    for (size_t i = 0; i < update->actions && !rc; i++)
        rc = a->write[i].fault ? fail(a, &a->write[i]) : 0;
    return rc;
}

/* ---- building the new tree ---- */

/* Writes that share their step at `depth`. */
struct group {
    struct write *const *write;
    size_t count;
    bool used;
};

static const struct expr_step *group_step(const struct group *group, uint32_t depth)
{
    return &group->write[0]->path->step[depth];
}

static bool same_step(const struct expr_step *a, const struct expr_step *b)
{
    return a->is_index == b->is_index && (a->is_index ? a->index == b->index : text_equal(a->name, b->name));
}

static size_t group_writes(struct write *const *write, size_t writes, uint32_t depth, struct group *group)
{
    size_t groups = 0;
    for (size_t low = 0, high; low < writes; low = high) {
        for (high = low + 1;
             high < writes && same_step(&write[low]->path->step[depth], &write[high]->path->step[depth]);
             high++)
            ;
        group[groups++] = (struct group){.write = write + low, .count = high - low};
    }
    return groups;
}

/* The group of a member (by name) or an element (by position). */
static struct group *group_find(
    struct group *group, size_t groups, uint32_t depth, const struct attr *child, uint32_t index)
{
    size_t low = 0, high = groups;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct expr_step *step = group_step(&group[middle], depth);
        int order = step->is_index ? (step->index > index) - (step->index < index)
                                   : text_compare(step->name, child->name);
        if (!order)
            return &group[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static struct attr *rebuild(
    struct arena *arena, const struct attr *from, struct write *const *write, size_t writes, uint32_t depth);

/* The last of a group whose path ends here; NULL when the paths go on. */
static const struct write *group_leaf(const struct group *group, uint32_t depth)
{
    const struct write *last = group->write[group->count - 1];
    return last->path->count == depth + 1 ? last : NULL;
}

/* One child of the old container: as it was, replaced, left out, or rebuilt. */
static bool add_child(
    struct arena *arena, struct attr *into, const struct attr *child, struct group *group, uint32_t depth)
{
    const struct write *leaf = group ? group_leaf(group, depth) : NULL;
    struct attr *copy;
    if (group)
        group->used = true;
    if (leaf && !leaf->idle && !leaf->value)
        return true;
    if (group && !leaf)
        copy = rebuild(arena, child, group->write, group->count, depth + 1);
    else
        copy = expr_node_copy(arena, leaf && !leaf->idle ? leaf->value : child);
    if (!copy)
        return false;
    copy->name = child->name;
    expr_node_link(into, copy);
    return true;
}

/* What was written to places that did not exist. */
static bool add_new(
    struct arena *arena, struct attr *into, const struct group *group, size_t groups, uint32_t depth)
{
    for (size_t i = 0; i < groups; i++) {
        const struct write *leaf = group_leaf(&group[i], depth);
        if (group[i].used || !leaf || leaf->idle || !leaf->value)
            continue;
        struct attr *copy = expr_node_copy(arena, leaf->value);
        if (!copy)
            return false;
        copy->name = into->type == ATTR_MAP ? group_step(&group[i], depth)->name : TEXT_NONE;
        expr_node_link(into, copy);
    }
    return true;
}

static struct attr *rebuild(
    struct arena *arena, const struct attr *from, struct write *const *write, size_t writes, uint32_t depth)
{
    struct attr *into = expr_node_copy(arena, from);
    struct group *group = arena_array(arena, writes, sizeof(*group));
    uint32_t index = 0;
    if (!into || !group)
        return NULL;
    size_t groups = group_writes(write, writes, depth, group);
    into->count = 0;
    into->first = into->last = NULL;
    for (const struct attr *at = from->first; at; at = at->next, index++)
        if (!add_child(arena, into, at, group_find(group, groups, depth, at, index), depth))
            return NULL;
    return add_new(arena, into, group, groups, depth) ? into : NULL;
}

/* Pointers to the writes in the order of their paths. expr_paths_sort sorts the paths; each leads back to its
 * write. */
static struct write **sort_writes(const struct apply *a)
{
    size_t actions = a->update->actions;
    const struct expr_node **sorted = expr_paths_sort(a->arena, a->update->path, actions);
    struct write **order = arena_array(a->arena, actions + 1, sizeof(*order));
    struct write **slot = NULL;
    size_t slots = 16;
    while (slots < actions * 2)
        slots *= 2;
    slot = arena_zalloc(a->arena, slots * sizeof(*slot));
    if (!sorted || !order || !slot)
        return NULL;
    for (size_t i = 0; i < actions; i++) {
        size_t at = ((uintptr_t)a->write[i].path >> 4) & (slots - 1);
        while (slot[at])
            at = (at + 1) & (slots - 1);
        slot[at] = &a->write[i];
    }
    for (size_t i = 0; i < actions; i++) {
        size_t at = ((uintptr_t)sorted[i] >> 4) & (slots - 1);
        while (slot[at]->path != sorted[i])
            at = (at + 1) & (slots - 1);
        order[i] = slot[at];
    }
    return order;
}

/* ---- the public face ---- */

static bool only_removes(const struct expr_update *update)
{
    for (size_t i = 0; i < update->actions; i++)
        if (update->action[i].section != SECTION_REMOVE && update->action[i].section != SECTION_DELETE)
            return false;
    return update->actions;
}

static int check_result(const struct attr *item, struct err *err)
{
    int rc = item_check(item, err);
    return rc == ERR_TOO_LARGE ? err_set(err, rc, "Item size to update has exceeded the maximum allowed size")
                               : rc;
}

static int apply_actions(const struct apply *a, const struct attr **out)
{
    int rc = prepare_all(a);
    if (rc)
        return rc;
    struct write **order = sort_writes(a);
    struct attr *item = order ? rebuild(a->arena, a->item, order, a->update->actions, 0) : NULL;
    if (!item)
        return err_set(a->err, ERR_MEMORY, "out of memory");
    rc = check_result(item, a->err);
    if (!rc)
        *out = item;
    return rc;
}

int expr_update_apply(const struct expr_update *update, const struct attr *old, const struct attr *key,
    struct arena *arena, const struct attr **out, struct err *err)
{
    struct apply a = {.update = update, .item = old ? old : key, .arena = arena, .err = err};
    const struct attr *item = a.item;
    if (update && update->actions) {
        a.write = arena_zalloc(arena, update->actions * sizeof(*a.write));
        if (!a.write)
            return err_set(err, ERR_MEMORY, "out of memory");
        int rc = apply_actions(&a, &item);
        if (rc)
            return rc;
    }
    *out = !old && update && only_removes(update) ? NULL : item;
    return 0;
}
