/*
 * The parser: recursive descent over an array of tokens, without backtracking.
 *
 * The one ambiguity of the grammar is "(": it may open a condition or an operand, `(a = :v)` and `(a) = :v`.
 * Trying one and then the other doubles the work at each level, so an outsider's "((((" would cost 2^n.
 * Instead one function reads either, and the caller looks at what came out: a path or a value alone is an
 * operand and needs a comparator, a finished comparison must not have one, and a function call may be both.
 * Depth is bounded by EXPR_DEPTH_MAX: at most EXPR_OPERATORS_MAX operators can give a level a meaning, deeper
 * parentheses are redundant whatever they hold.
 *
 * What else is wrong whatever the request's names and values are is found by a second walk (expr_shape.c),
 * because AWS reports any syntax error first.
 */
#include "store/expr_lex.h"

struct parser {
    struct expr_env *env;
    struct arena *arena;
    enum expr_kind kind;
    struct text text;
    const struct expr_token *token;
    size_t tokens, at;
    uint32_t operators;
    int depth;
    int code; /* of the failure, once a function has answered NULL */
};

struct expr_node *expr_node_make(struct arena *arena, enum expr_op op)
{
    struct expr_node *node = arena_zalloc(arena, sizeof(*node));
    if (node)
        node->op = op;
    return node;
}

void expr_node_add(struct expr_node *parent, struct expr_node *child)
{
    child->next = NULL;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

/* ---- tokens and failures ---- */

static enum expr_token_type peek(const struct parser *p)
{
    return (enum expr_token_type)p->token[p->at].type;
}

static struct text token_text(const struct parser *p, size_t at)
{
    return text_make(p->text.data + p->token[at].at, p->token[at].len);
}

static void *fail_memory(struct parser *p)
{
    p->code = expr_fail_memory(p->env);
    return NULL;
}

static void *fail_syntax(struct parser *p)
{
    size_t before = p->at ? p->at - 1 : 0, after = p->at + 1 < p->tokens ? p->at + 1 : p->at;
    size_t from = p->at ? p->token[before].at : 0, to = (size_t)p->token[after].at + p->token[after].len;
    struct text token = peek(p) == TOKEN_END ? TEXT("<EOF>") : token_text(p, p->at);
    p->code = EXPR_INVALID(p->env, p->kind, "Syntax error; token: \"%.*s\", near: \"%.*s\"", TEXT_FMT(token),
        (int)(to - from), p->text.data + from);
    return NULL;
}

static void *fail_parentheses(struct parser *p)
{
    p->code = EXPR_INVALID(p->env, p->kind, "The expression has redundant parentheses;");
    return NULL;
}

static bool accept(struct parser *p, enum expr_token_type type)
{
    if (peek(p) != type)
        return false;
    p->at++;
    return true;
}

static bool expect(struct parser *p, enum expr_token_type type)
{
    if (accept(p, type))
        return true;
    fail_syntax(p);
    return false;
}

static struct expr_node *make(struct parser *p, enum expr_op op)
{
    struct expr_node *node = expr_node_make(p->arena, op);
    return node ? node : fail_memory(p);
}

/* ---- operands ---- */

static struct expr_node *parse_operand(struct parser *p);

static struct expr_node *open_parentheses(struct parser *p, struct expr_node *(*inner)(struct parser *))
{
    p->at++;
    if (++p->depth > EXPR_DEPTH_MAX)
        return fail_parentheses(p);
    struct expr_node *node = inner(p);
    p->depth--;
    if (!node || !expect(p, TOKEN_CLOSE))
        return NULL;
    if (node->parens)
        return fail_parentheses(p);
    node->parens = true;
    return node;
}

/* Steps that follow a path's first name, as far as they are well formed. */
static size_t count_steps(const struct parser *p)
{
    size_t at = p->at + 1, steps = 1;
    for (;;) {
        enum expr_token_type type = (enum expr_token_type)p->token[at].type;
        if (type == TOKEN_DOT && at + 1 < p->tokens)
            at += 2;
        else if (type == TOKEN_OPEN_INDEX && at + 2 < p->tokens)
            at += 3;
        else
            return steps;
        if (at >= p->tokens)
            return steps;
        steps++;
    }
}

static bool parse_name(struct parser *p, struct expr_step *step)
{
    if (peek(p) != TOKEN_NAME && peek(p) != TOKEN_NAME_ALIAS) {
        fail_syntax(p);
        return false;
    }
    step->name = token_text(p, p->at);
    step->is_alias = peek(p) == TOKEN_NAME_ALIAS;
    p->at++;
    return true;
}

static bool parse_index(struct parser *p, struct expr_step *step)
{
    uint64_t index;
    step->is_index = true;
    step->name = token_text(p, p->at);
    if (!expect(p, TOKEN_INTEGER) || !expect(p, TOKEN_CLOSE_INDEX))
        return false;
    step->index = text_to_u64(step->name, INT32_MAX, &index) ? UINT32_MAX : (uint32_t)index;
    return true;
}

static struct expr_node *parse_path(struct parser *p)
{
    if (peek(p) != TOKEN_NAME && peek(p) != TOKEN_NAME_ALIAS)
        return fail_syntax(p);
    struct expr_node *node = make(p, OP_PATH);
    size_t room = count_steps(p);
    struct expr_step *step = node ? arena_zalloc(p->arena, room * sizeof(*step)) : NULL;
    if (!step)
        return fail_memory(p);
    node->step = step;
    if (!parse_name(p, &step[node->count++]))
        return NULL;
    while (node->count < room) {
        bool good = accept(p, TOKEN_DOT) ? parse_name(p, &step[node->count])
                                         : expect(p, TOKEN_OPEN_INDEX) && parse_index(p, &step[node->count]);
        if (!good)
            return NULL;
        node->count++;
    }
    if (peek(p) == TOKEN_DOT || peek(p) == TOKEN_OPEN_INDEX) { /* the expression ends within a step */
        p->at++;
        if (peek(p) == TOKEN_INTEGER)
            p->at++;
        return fail_syntax(p);
    }
    return node;
}

static bool parse_operands(struct parser *p, struct expr_node *parent)
{
    if (!expect(p, TOKEN_OPEN))
        return false;
    do {
        struct expr_node *operand = parse_operand(p);
        if (!operand)
            return false;
        expr_node_add(parent, operand);
    } while (accept(p, TOKEN_COMMA));
    return expect(p, TOKEN_CLOSE);
}

static struct expr_node *parse_call(struct parser *p)
{
    const struct expr_function *function = expr_function_find(token_text(p, p->at));
    struct expr_node *node = make(p, function ? function->op : OP_CALL);
    if (!node)
        return NULL;
    if (++p->depth > EXPR_DEPTH_MAX)
        return fail_syntax(p);
    node->name = token_text(p, p->at++);
    p->operators++;
    if (!parse_operands(p, node))
        return NULL;
    p->depth--;
    return node;
}

static struct expr_node *parse_operand(struct parser *p)
{
    if (peek(p) == TOKEN_VALUE_ALIAS) {
        struct expr_node *node = make(p, OP_VALUE);
        if (node)
            node->name = token_text(p, p->at++);
        return node;
    }
    if (peek(p) == TOKEN_OPEN)
        return open_parentheses(p, parse_operand);
    if (peek(p) == TOKEN_NAME && p->token[p->at + 1].type == TOKEN_OPEN)
        return parse_call(p);
    return parse_path(p);
}

/* ---- conditions ---- */

static struct expr_node *parse_or(struct parser *p, bool operand_too);

static struct expr_node *parse_or_operand(struct parser *p)
{
    return parse_or(p, true);
}

static struct expr_node *parse_right(struct parser *p, enum expr_op op, struct expr_node *left)
{
    struct expr_node *node = make(p, op);
    if (!node)
        return NULL;
    node->name = token_text(p, p->at++);
    p->operators++;
    expr_node_add(node, left);
    if (op == OP_IN)
        return parse_operands(p, node) ? node : NULL;
    struct expr_node *right = parse_operand(p);
    if (!right)
        return NULL;
    expr_node_add(node, right);
    if (op != OP_BETWEEN)
        return node;
    if (!expect(p, TOKEN_AND))
        return NULL;
    right = parse_operand(p);
    if (right)
        expr_node_add(node, right);
    return right ? node : NULL;
}

static bool comparator(enum expr_token_type type, enum expr_op *op)
{
    if (type >= TOKEN_EQ && type <= TOKEN_GE)
        *op = (enum expr_op)(OP_EQ + (type - TOKEN_EQ));
    else if (type == TOKEN_BETWEEN)
        *op = OP_BETWEEN;
    else if (type == TOKEN_IN)
        *op = OP_IN;
    else
        return false;
    return true;
}

static struct expr_node *parse_comparison(struct parser *p, bool operand_too)
{
    enum expr_op op;
    struct expr_node *left = peek(p) == TOKEN_OPEN ? open_parentheses(p, parse_or_operand) : parse_operand(p);
    if (!left || left->op <= OP_IN)
        return left;
    if (comparator(peek(p), &op))
        return parse_right(p, op, left);
    if (expr_op_is_call(left->op) || (operand_too && peek(p) == TOKEN_CLOSE))
        return left;
    return fail_syntax(p);
}

static struct expr_node *parse_not(struct parser *p, bool operand_too)
{
    struct expr_node *outer = NULL, *inner = NULL;
    while (accept(p, TOKEN_NOT)) {
        struct expr_node *node = make(p, OP_NOT);
        if (!node)
            return NULL;
        p->operators++;
        if (inner)
            expr_node_add(inner, node);
        else
            outer = node;
        inner = node;
    }
    struct expr_node *operand = parse_comparison(p, operand_too && !outer);
    if (operand && inner)
        expr_node_add(inner, operand);
    return operand && outer ? outer : operand;
}

/* left, then as many more as the keyword joins: one node for the whole chain. */
static struct expr_node *parse_chain(struct parser *p, enum expr_op op, enum expr_token_type keyword,
    struct expr_node *(*part)(struct parser *, bool), bool operand_too)
{
    struct expr_node *left = part(p, operand_too);
    if (!left || peek(p) != keyword)
        return left;
    struct expr_node *node = make(p, op);
    if (!node)
        return NULL;
    expr_node_add(node, left);
    while (accept(p, keyword)) {
        struct expr_node *right = part(p, false);
        if (!right)
            return NULL;
        p->operators++;
        expr_node_add(node, right);
    }
    return node;
}

static struct expr_node *parse_and(struct parser *p, bool operand_too)
{
    return parse_chain(p, OP_AND, TOKEN_AND, parse_not, operand_too);
}

static struct expr_node *parse_or(struct parser *p, bool operand_too)
{
    return parse_chain(p, OP_OR, TOKEN_OR, parse_and, operand_too);
}

/* ---- updates ---- */

static struct expr_node *parse_sum(struct parser *p)
{
    struct expr_node *left = peek(p) == TOKEN_OPEN ? open_parentheses(p, parse_sum) : parse_operand(p);
    if (!left || left->op == OP_PLUS || left->op == OP_MINUS ||
        (peek(p) != TOKEN_PLUS && peek(p) != TOKEN_MINUS))
        return left;
    struct expr_node *node = make(p, peek(p) == TOKEN_PLUS ? OP_PLUS : OP_MINUS);
    if (!node)
        return NULL;
    node->name = token_text(p, p->at++);
    p->operators++;
    expr_node_add(node, left);
    struct expr_node *right = parse_operand(p);
    if (right)
        expr_node_add(node, right);
    return right ? node : NULL;
}

static bool parse_action(struct parser *p, struct expr_action *action)
{
    action->path = parse_path(p);
    if (!action->path)
        return false;
    if (action->section == SECTION_REMOVE)
        return true;
    if (action->section == SECTION_SET) {
        action->value = expect(p, TOKEN_EQ) ? parse_sum(p) : NULL;
        return action->value;
    }
    if (peek(p) != TOKEN_VALUE_ALIAS) {
        fail_syntax(p);
        return false;
    }
    action->value = parse_operand(p);
    return action->value;
}

static bool parse_clauses(struct parser *p, struct expr_tree *tree)
{
    do {
        enum expr_token_type keyword = peek(p);
        if (keyword < TOKEN_SET || keyword > TOKEN_DELETE) {
            fail_syntax(p);
            return false;
        }
        p->at++;
        do {
            struct expr_action *action = &tree->action[tree->actions];
            action->section = (enum expr_section)(keyword - TOKEN_SET);
            action->clause = (uint32_t)tree->clauses;
            if (!parse_action(p, action))
                return false;
            tree->actions++;
        } while (accept(p, TOKEN_COMMA));
        tree->clauses++;
    } while (peek(p) != TOKEN_END);
    return true;
}

static bool parse_update(struct parser *p, struct expr_tree *tree)
{
    size_t room = 0; /* a keyword or a comma goes before each action */
    for (size_t i = 0; i < p->tokens; i++)
        room += p->token[i].type == TOKEN_COMMA ||
                (p->token[i].type >= TOKEN_SET && p->token[i].type <= TOKEN_DELETE);
    tree->action = arena_zalloc(p->arena, (room + 1) * sizeof(*tree->action));
    if (!tree->action)
        return fail_memory(p);
    return parse_clauses(p, tree);
}

static bool parse_projection(struct parser *p, struct expr_tree *tree)
{
    struct expr_node *last = NULL;
    do {
        struct expr_node *path = parse_path(p);
        if (!path)
            return false;
        if (last)
            last->next = path;
        else
            tree->root = path;
        last = path;
    } while (accept(p, TOKEN_COMMA));
    return true;
}

static bool parse_all(struct parser *p, struct expr_tree *tree)
{
    bool good;
    if (p->kind == EXPR_UPDATE)
        good = parse_update(p, tree);
    else if (p->kind == EXPR_PROJECTION)
        good = parse_projection(p, tree);
    else
        good = (tree->root = parse_or(p, false));
    return good && expect(p, TOKEN_END);
}

int expr_tree_parse(struct expr_env *env, enum expr_kind kind, struct text expression, struct arena *arena,
    const struct expr_tree **out)
{
    struct parser p = {.env = env, .arena = arena, .kind = kind, .text = expression};
    if (!expression.len)
        return EXPR_INVALID(env, kind, "The expression can not be empty;");
    if (expression.len > EXPR_TEXT_MAX)
        return EXPR_INVALID(env, kind,
            "Expression size has exceeded the maximum allowed size; expression size: %zu", expression.len);
    struct expr_tree *tree = arena_zalloc(arena, sizeof(*tree));
    p.token = tree ? expr_lex(arena, expression, &p.tokens) : NULL;
    if (!p.token)
        return expr_fail_memory(env);
    tree->kind = kind;
    tree->text = expression;
    if (!parse_all(&p, tree))
        return p.code;
    if (p.operators > EXPR_OPERATORS_MAX)
        return EXPR_INVALID(
            env, kind, "The expression contains too many operators; operator count: %u", p.operators);
    int rc = expr_tree_check(env, tree);
    if (!rc)
        *out = tree;
    return rc;
}
