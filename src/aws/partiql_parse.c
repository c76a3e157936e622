/*
 * Statements: recursive descent over an array of words, each looked at once.
 *
 * AWS's parser is PartiQL's own; its sentences are kept where AWS's documentation and clients show them ("Expected data manipulation", "Unexpected keyword",
 * "Invalid path dot component"), and the place in the statement is added behind, which AWS leaves out.
 */
#include "aws/partiql.h"

#define SHOWN_MAX 40 /* bytes of the offending word that are repeated */

/* ---- words ---- */

enum partiql_token_type partiql_peek(const struct partiql_parser *p)
{
    return (enum partiql_token_type)p->token[p->at].type;
}

enum partiql_keyword partiql_word(const struct partiql_parser *p)
{
    return (enum partiql_keyword)p->token[p->at].keyword;
}

struct text partiql_token_text(const struct partiql_parser *p)
{
    return text_make(p->text.data + p->token[p->at].at, p->token[p->at].len);
}

bool partiql_accept(struct partiql_parser *p, enum partiql_token_type type)
{
    if (partiql_peek(p) != type)
        return false;
    p->at++;
    return true;
}

bool partiql_accept_word(struct partiql_parser *p, enum partiql_keyword keyword)
{
    if (partiql_word(p) != keyword)
        return false;
    p->at++;
    return true;
}

bool partiql_expect(struct partiql_parser *p, enum partiql_token_type type, const char *what)
{
    if (partiql_accept(p, type))
        return true;
    partiql_fail(p, what);
    return false;
}

static bool expect_word(struct partiql_parser *p, enum partiql_keyword keyword, const char *what)
{
    if (partiql_accept_word(p, keyword))
        return true;
    partiql_fail(p, what);
    return false;
}

/* Words that are none elsewhere: ALL, OLD, MODIFIED, NEW. */
static bool accept_name(struct partiql_parser *p, const char *name)
{
    if (partiql_peek(p) != PARTIQL_NAME || !text_equal_nocase(partiql_token_text(p), text_of(name)))
        return false;
    p->at++;
    return true;
}

/* ---- failures ---- */

static void *fail_with(struct partiql_parser *p, struct text message)
{
    if (p->code)
        return NULL;
    if (!message.data)
        return partiql_fail_memory(p);
    p->env->message = message;
    p->env->code = p->code = ERR_INVALID;
    return NULL;
}

void *partiql_fail_memory(struct partiql_parser *p)
{
    p->env->message = TEXT("");
    p->env->code = p->code = ERR_MEMORY;
    return NULL;
}

void *partiql_fail(struct partiql_parser *p, const char *what)
{
    unsigned line = 1, column = 1;
    struct text word = partiql_token_text(p);
    for (size_t i = 0; i < p->token[p->at].at; i++) {
        if (p->text.data[i] == '\n') {
            line++;
            column = 1;
        } else {
            column += ((unsigned char)p->text.data[i] & 0xC0) != 0x80;
        }
    }
    if (word.len > SHOWN_MAX) {
        word.len = SHOWN_MAX;
        while (word.len && ((unsigned char)word.data[word.len] & 0xC0) == 0x80)
            word.len--; /* not in the middle of a character */
    }
    return fail_with(p, arena_format(p->arena, "Statement wasn't well formed, can't be processed: %s; line %u, column %u: %.*s", what, line, column,
                            TEXT_FMT(word.len ? word : TEXT("the end of the statement"))));
}

void *partiql_fail_word(struct partiql_parser *p)
{
    enum partiql_keyword word = partiql_word(p);
    if (partiql_peek(p) == PARTIQL_BAD)
        return partiql_fail(p, "Unexpected token");
    return partiql_fail(p, word >= PARTIQL_GROUP && word != PARTIQL_VALUES ? "Unsupported clause" : word ? "Unexpected keyword" : "Unexpected term");
}

static void *fail_manipulation(struct partiql_parser *p)
{
    return fail_with(p, TEXT("Statement wasn't well formed, can't be processed: Expected data manipulation"));
}

/* ---- clauses that several statements have ---- */

static bool parse_table(struct partiql_parser *p, struct text *table)
{
    if (partiql_identifier(p, table))
        return true;
    if (!p->code)
        partiql_fail(p, "Expected the name of a table");
    return false;
}

static bool parse_where(struct partiql_parser *p, struct partiql_statement *s)
{
    if (!partiql_accept_word(p, PARTIQL_WHERE))
        return true;
    s->where = partiql_condition(p);
    return s->where;
}

static bool parse_returning(struct partiql_parser *p, struct partiql_statement *s)
{
    if (!partiql_accept_word(p, PARTIQL_RETURNING))
        return true;
    bool all = accept_name(p, "ALL"), modified = !all && accept_name(p, "MODIFIED"), old = accept_name(p, "OLD"), new = !old && accept_name(p, "NEW");
    if ((!all && !modified) || (!old && !new)) {
        partiql_fail(p, "Expected ALL OLD *, MODIFIED OLD *, ALL NEW * or MODIFIED NEW *");
        return false;
    }
    s->returning = all ? (old ? PARTIQL_RETURN_ALL_OLD : PARTIQL_RETURN_ALL_NEW) : old ? PARTIQL_RETURN_MODIFIED_OLD : PARTIQL_RETURN_MODIFIED_NEW;
    if (s->kind == PARTIQL_ERASE && s->returning != PARTIQL_RETURN_ALL_OLD) {
        partiql_fail(p, "DELETE can return ALL OLD * only");
        return false;
    }
    return partiql_expect(p, PARTIQL_STAR, "Expected '*'");
}

/* ---- SELECT ---- */

/* The last member's name and the positions behind it: a.b[0] is b[0]. */
static struct text label_of(struct partiql_parser *p, const struct expr_form *path)
{
    uint32_t from = path->count - 1;
    while (from && path->step[from].is_index)
        from--;
    struct text label = path->step[from].name;
    for (uint32_t i = from + 1; i < path->count && label.data; i++)
        label = arena_format(p->arena, "%.*s[%u]", TEXT_FMT(label), path->step[i].index);
    return label;
}

static bool add_column(struct partiql_parser *p, struct partiql_statement *s, size_t room)
{
    bool is_call = partiql_peek(p) == PARTIQL_NAME && p->token[p->at + 1].type == PARTIQL_OPEN;
    struct expr_form *path = is_call ? partiql_fail(p, "Unsupported function") : partiql_path(p);
    if (!path)
        return false;
    if (!s->column) {
        s->column = arena_array(p->arena, room, sizeof(struct expr_form *));
        s->label = arena_array(p->arena, room, sizeof(struct text));
    }
    if (!s->column || !s->label) {
        partiql_fail_memory(p);
        return false;
    }
    s->column[s->columns] = path;
    s->label[s->columns] = label_of(p, path);
    if (!s->label[s->columns++].data)
        partiql_fail_memory(p);
    return !p->code;
}

static bool parse_columns(struct partiql_parser *p, struct partiql_statement *s)
{
    size_t room = 1; /* one more than the commas before the statement's next keyword */
    if (partiql_accept(p, PARTIQL_STAR))
        return true;
    for (size_t i = p->at; p->token[i].type != PARTIQL_KEYWORD && p->token[i].type != PARTIQL_END; i++)
        room += p->token[i].type == PARTIQL_COMMA;
    do {
        if (!add_column(p, s, room))
            return false;
    } while (partiql_accept(p, PARTIQL_COMMA));
    return true;
}

static bool parse_order(struct partiql_parser *p, struct partiql_statement *s)
{
    if (!partiql_accept_word(p, PARTIQL_ORDER))
        return true;
    if (!expect_word(p, PARTIQL_BY, "Expected BY"))
        return false;
    do {
        struct partiql_order *order = &s->order[s->orders];
        if (s->orders == PARTIQL_ORDER_MAX) {
            partiql_fail(p, "Too many keys in the ORDER BY clause");
            return false;
        }
        if (!partiql_identifier(p, &order->name)) {
            if (!p->code)
                partiql_fail_word(p);
            return false;
        }
        order->descending = partiql_accept_word(p, PARTIQL_DESC);
        if (!order->descending)
            partiql_accept_word(p, PARTIQL_ASC);
        s->orders++;
    } while (partiql_accept(p, PARTIQL_COMMA));
    return true;
}

static bool parse_select(struct partiql_parser *p, struct partiql_statement *s)
{
    s->kind = PARTIQL_READ;
    if (!parse_columns(p, s) || !expect_word(p, PARTIQL_FROM, "Expected FROM") || !parse_table(p, &s->table))
        return false;
    if (partiql_accept(p, PARTIQL_DOT) && !partiql_identifier(p, &s->index)) {
        if (!p->code)
            partiql_fail(p, "Invalid path dot component");
        return false;
    }
    return parse_where(p, s) && parse_order(p, s);
}

/* ---- INSERT ---- */

static bool parse_insert(struct partiql_parser *p, struct partiql_statement *s)
{
    s->kind = PARTIQL_PUT;
    if (!expect_word(p, PARTIQL_INTO, "Expected INTO") || !parse_table(p, &s->table))
        return false;
    if (!partiql_accept_word(p, PARTIQL_VALUE)) {
        partiql_fail_word(p);
        return false;
    }
    if (partiql_peek(p) == PARTIQL_OPEN_SET) {
        fail_with(p, TEXT("Unsupported operation: Inserting multiple items in a single statement is not supported, use \"INSERT INTO tableName VALUE item\" instead"));
        return false;
    }
    size_t begin = p->at;
    bool given = partiql_peek(p) == PARTIQL_PARAMETER && p->used < p->parameters;
    s->item = partiql_value(p);
    if (s->item && s->item->type != ATTR_MAP && (given || p->token[begin].type != PARTIQL_PARAMETER)) {
        p->at = begin;
        partiql_fail(p, "Expected an item in braces");
    }
    return s->item && !p->code;
}

/* ---- UPDATE ---- */

static bool same_path(const struct expr_form *a, const struct expr_form *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->step[i].is_index != b->step[i].is_index || a->step[i].index != b->step[i].index || !text_equal(a->step[i].name, b->step[i].name))
            return false;
    return true;
}

/* SET path = SET_ADD(path, <<...>>) is what ADD path <<...>> is to an expression; a set cannot be made from another attribute's. */
static bool parse_set_function(struct partiql_parser *p, struct expr_form_action *action)
{
    size_t begin = p->at;
    bool deletes = text_equal_nocase(partiql_token_text(p), TEXT("set_delete"));
    p->at += 2;
    struct expr_form *path = partiql_path(p), *value = NULL;
    if (path && !same_path(path, action->path)) {
        p->at = begin;
        partiql_fail(p, "SET_ADD and SET_DELETE change the attribute that is set");
    }
    if (!p->code && partiql_expect(p, PARTIQL_COMMA, "Expected ','"))
        value = partiql_operand(p);
    if (!value || !partiql_expect(p, PARTIQL_CLOSE, "Expected ')'"))
        return false;
    bool unknown = value->op == FORM_VALUE && p->used > p->parameters; /* refused at the end, for their number */
    if (value->op != FORM_VALUE || (value->value->type < ATTR_STRING_SET && !unknown)) {
        p->at = begin;
        partiql_fail(p, "SET_ADD and SET_DELETE need a set as their second operand");
    }
    action->section = deletes ? FORM_DELETE : FORM_ADD;
    action->value = value;
    return !p->code;
}

static bool parse_assignment(struct partiql_parser *p, struct expr_form_action *action)
{
    action->path = partiql_path(p);
    if (!action->path || !partiql_expect(p, PARTIQL_EQ, "Expected '='"))
        return false;
    bool is_call = partiql_peek(p) == PARTIQL_NAME && p->token[p->at + 1].type == PARTIQL_OPEN;
    struct text word = partiql_token_text(p);
    if (is_call && (text_equal_nocase(word, TEXT("set_add")) || text_equal_nocase(word, TEXT("set_delete"))))
        return parse_set_function(p, action);
    action->section = FORM_SET;
    p->is_update = true;
    action->value = partiql_operand(p);
    p->is_update = false;
    return action->value;
}

/* One SET or REMOVE, with the commas in it. */
static bool parse_actions(struct partiql_parser *p, struct expr_form_action *action, size_t *actions)
{
    bool sets = partiql_word(p) == PARTIQL_SET;
    p->at++;
    do {
        struct expr_form_action *one = &action[(*actions)++];
        if (sets && !parse_assignment(p, one))
            return false;
        if (sets)
            continue;
        *one = (struct expr_form_action){.section = FORM_REMOVE, .path = partiql_path(p)};
        if (!one->path)
            return false;
    } while (partiql_accept(p, PARTIQL_COMMA));
    return true;
}

static bool parse_update(struct partiql_parser *p, struct partiql_statement *s)
{
    s->kind = PARTIQL_CHANGE;
    if (!parse_table(p, &s->table))
        return false;
    if (partiql_word(p) != PARTIQL_SET && partiql_word(p) != PARTIQL_REMOVE)
        return fail_manipulation(p);
    size_t room = 0; /* each action follows a word or a comma */
    for (size_t i = p->at; p->token[i].type != PARTIQL_END; i++)
        room += p->token[i].type == PARTIQL_COMMA || p->token[i].keyword == PARTIQL_SET || p->token[i].keyword == PARTIQL_REMOVE;
    struct expr_form_action *action = arena_zalloc(p->arena, room * sizeof(*action));
    if (!action)
        return partiql_fail_memory(p);
    s->action = action;
    while (partiql_word(p) == PARTIQL_SET || partiql_word(p) == PARTIQL_REMOVE)
        if (!parse_actions(p, action, &s->actions))
            return false;
    return parse_where(p, s) && parse_returning(p, s);
}

/* ---- DELETE and EXISTS ---- */

static bool parse_delete(struct partiql_parser *p, struct partiql_statement *s)
{
    s->kind = PARTIQL_ERASE;
    return expect_word(p, PARTIQL_FROM, "Expected FROM") && parse_table(p, &s->table) && parse_where(p, s) && parse_returning(p, s);
}

static bool parse_exists(struct partiql_parser *p, struct partiql_statement *s)
{
    if (!partiql_expect(p, PARTIQL_OPEN, "Expected '('") || !expect_word(p, PARTIQL_SELECT, "Expected SELECT") || !parse_select(p, s))
        return false;
    s->kind = PARTIQL_CHECK;
    return partiql_expect(p, PARTIQL_CLOSE, "Expected ')'");
}

/* ---- the statement ---- */

static bool parse_statement(struct partiql_parser *p, struct partiql_statement *s)
{
    enum partiql_keyword word = partiql_word(p);
    if (word != PARTIQL_SELECT && word != PARTIQL_INSERT && word != PARTIQL_UPDATE && word != PARTIQL_DELETE && word != PARTIQL_EXISTS)
        return fail_manipulation(p);
    p->at++;
    switch (word) {
    case PARTIQL_SELECT:
        return parse_select(p, s);
    case PARTIQL_INSERT:
        return parse_insert(p, s);
    case PARTIQL_UPDATE:
        return parse_update(p, s);
    case PARTIQL_DELETE:
        return parse_delete(p, s);
    default:
        return parse_exists(p, s);
    }
}

static void parse_end(struct partiql_parser *p)
{
    partiql_accept(p, PARTIQL_SEMICOLON);
    if (partiql_peek(p) == PARTIQL_END) {
        if (p->used != p->parameters)
            fail_with(p, TEXT("Number of parameters in request and statement don't match."));
    } else if (partiql_word(p)) {
        partiql_fail_word(p);
    } else {
        partiql_fail(p, "Unexpected token after expression");
    }
}

int partiql_parse(struct expr_env *env, struct text text, const struct attr *const *parameter, size_t parameters, struct partiql_statement *out)
{
    struct partiql_parser p = {.env = env, .arena = env->arena, .text = text, .parameter = parameter, .parameters = parameters};
    size_t count;
    *out = (struct partiql_statement){.kind = PARTIQL_READ};
    p.token = partiql_lex(env->arena, text, &count);
    if (!p.token)
        partiql_fail_memory(&p);
    else if (parse_statement(&p, out))
        parse_end(&p);
    return p.code;
}
