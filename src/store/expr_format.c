/*
 * A parse tree as text again, in one spacing: for diagnostics, and so that the tests can hold the parser
 * against itself. Parentheses come out exactly where they stood, which is also where precedence needs them.
 */
#include "store/expr_tree.h"

static void format_node(const struct expr_node *node, struct buf *out);

static void format_path(const struct expr_node *path, struct buf *out)
{
    for (uint32_t i = 0; i < path->count; i++) {
        const struct expr_step *step = &path->step[i];
        if (i && !step->is_index)
            buf_add_char(out, '.');
        if (step->is_index)
            buf_add_char(out, '[');
        buf_add_text(out, step->name);
        if (step->is_index)
            buf_add_char(out, ']');
    }
}

static void format_joined(const struct expr_node *first, const char *between, struct buf *out)
{
    for (const struct expr_node *at = first; at; at = at->next) {
        if (at != first)
            buf_add_text(out, text_of(between));
        format_node(at, out);
    }
}

static void format_comparison(const struct expr_node *node, struct buf *out)
{
    static const char *const sign[] = {" = ", " <> ", " < ", " <= ", " > ", " >= "};
    if (node->op <= OP_GE) {
        format_joined(node->first, sign[node->op - OP_EQ], out);
        return;
    }
    format_node(node->first, out);
    if (node->op == OP_BETWEEN) {
        buf_add_text(out, TEXT(" BETWEEN "));
        format_joined(node->first->next, " AND ", out);
        return;
    }
    buf_add_text(out, TEXT(" IN ("));
    format_joined(node->first->next, ", ", out);
    buf_add_char(out, ')');
}

static void format_inner(const struct expr_node *node, struct buf *out)
{
    switch (node->op) {
    case OP_OR:
        format_joined(node->first, " OR ", out);
        break;
    case OP_AND:
        format_joined(node->first, " AND ", out);
        break;
    case OP_NOT:
        buf_add_text(out, TEXT("NOT "));
        format_node(node->first, out);
        break;
    case OP_PLUS:
    case OP_MINUS:
        format_joined(node->first, node->op == OP_PLUS ? " + " : " - ", out);
        break;
    case OP_PATH:
        format_path(node, out);
        break;
    case OP_VALUE:
        buf_add_text(out, node->name);
        break;
    default:
        if (node->op <= OP_IN) {
            format_comparison(node, out);
            break;
        }
        buf_add_text(out, node->name);
        buf_add_char(out, '(');
        format_joined(node->first, ", ", out);
        buf_add_char(out, ')');
    }
}

static void format_node(const struct expr_node *node, struct buf *out)
{
    if (node->parens)
        buf_add_char(out, '(');
    format_inner(node, out);
    if (node->parens)
        buf_add_char(out, ')');
}

static void format_update(const struct expr_tree *tree, struct buf *out)
{
    static const char *const keyword[SECTIONS] = {"SET ", "REMOVE ", "ADD ", "DELETE "};
    for (size_t i = 0; i < tree->actions; i++) {
        const struct expr_action *action = &tree->action[i];
        bool begins = !i || action->clause != action[-1].clause;
        if (i)
            buf_add_text(out, begins ? TEXT(" ") : TEXT(", "));
        if (begins)
            buf_add_text(out, text_of(keyword[action->section]));
        format_node(action->path, out);
        if (action->value) {
            buf_add_text(out, action->section == SECTION_SET ? TEXT(" = ") : TEXT(" "));
            format_node(action->value, out);
        }
    }
}

int expr_tree_format(const struct expr_tree *tree, struct buf *out)
{
    if (tree->kind == EXPR_UPDATE)
        format_update(tree, out);
    else if (tree->kind == EXPR_PROJECTION)
        format_joined(tree->root, ", ", out);
    else
        format_node(tree->root, out);
    return out->failed ? ERR_TOO_LARGE : 0;
}
