/* Search expressions: read by recursive descent into a tree, which is walked for each series. */
#include "watch/search.h"

#include <ctype.h>

enum kind { KIND_ALL, KIND_TERM, KIND_AND, KIND_OR, KIND_NOT };
struct node {
    enum kind kind;
    struct text property, value; /* of a term; an empty property: any */
    bool exact;
    const struct node *a, *b;
};
struct watch_search {
    struct text space, dimension[WATCH_DIMENSIONS_MAX];
    size_t dimensions;
    bool schema;
    const struct node *root;
};
struct parser {
    struct arena *arena;
    struct text text;
    size_t at;
    unsigned depth;
    int code;
    struct err *err;
};

static struct node *parse_or(struct parser *p, struct text property);

static void *fail(struct parser *p, int code, const char *what)
{
    if (!p->code)
        p->code = err_set(p->err, code, "%s at position %zu of the search", what, p->at + 1);
    return NULL;
}

static void skip_spaces(struct parser *p)
{
    while (p->at < p->text.len && isspace((unsigned char)p->text.data[p->at]))
        p->at++;
}

static char peek(struct parser *p)
{
    skip_spaces(p);
    return p->at < p->text.len ? p->text.data[p->at] : 0;
}

static bool take(struct parser *p, char c)
{
    if (p->code || peek(p) != c)
        return false;
    p->at++;
    return true;
}

static struct text take_quoted(struct parser *p)
{
    ptrdiff_t end = text_find(p->text, '"', p->at + 1);
    if (end < 0) {
        fail(p, ERR_SYNTAX, "A phrase without its end");
        return TEXT_NONE;
    }
    struct text phrase = text_make(p->text.data + p->at + 1, (size_t)end - p->at - 1);
    p->at = (size_t)end + 1;
    return phrase;
}

/* Up to a space or a sign of the language. */
static struct text word_at(struct parser *p, const char *ends)
{
    size_t end = p->at;
    while (end < p->text.len && !isspace((unsigned char)p->text.data[end]) && !strchr(ends, p->text.data[end]))
        end++;
    return text_make(p->text.data + p->at, end - p->at);
}

static bool take_word(struct parser *p, const char *word)
{
    if (p->code)
        return false;
    skip_spaces(p);
    struct text found = word_at(p, "()=\"");
    if (!text_is(found, word))
        return false;
    p->at += found.len;
    return true;
}

static struct node *make(struct parser *p, enum kind kind, const struct node *a, const struct node *b)
{
    struct node *node = p->code ? NULL : arena_zalloc(p->arena, sizeof(*node));
    if (!node)
        return fail(p, ERR_MEMORY, "Out of memory");
    node->kind = kind;
    node->a = a;
    node->b = b;
    return node;
}

/* ---- {Namespace, Dimension, ...} ---- */

static void parse_schema(struct parser *p, struct watch_search *search)
{
    search->schema = true;
    for (size_t i = 0; !p->code; i++) {
        bool quoted = peek(p) == '"';
        struct text name = quoted ? take_quoted(p) : word_at(p, ",}\"");
        p->at += quoted ? 0 : name.len;
        if (!p->code && (!name.len || i > WATCH_DIMENSIONS_MAX)) {
            fail(p, ERR_SYNTAX, "A namespace or a dimension is missing, or there are too many,");
            return;
        }
        if (i)
            search->dimension[search->dimensions++] = name;
        else
            search->space = name;
        if (take(p, '}'))
            return;
        if (!take(p, ','))
            fail(p, ERR_SYNTAX, "A comma or a closing brace is missing");
    }
}

/* ---- terms ---- */

static struct node *parse_term(struct parser *p, struct text property)
{
    bool quoted = peek(p) == '"';
    struct text value = quoted ? take_quoted(p) : word_at(p, "()=\"");
    p->at += quoted ? 0 : value.len;
    if (!p->code && !value.len)
        return fail(p, ERR_SYNTAX, "A term is missing");
    if (!property.len && take(p, '=')) {
        if (take(p, '(')) {
            struct node *inner = parse_or(p, value);
            return inner && !take(p, ')') ? fail(p, ERR_SYNTAX, "A closing bracket is missing") : inner;
        }
        return ++p->depth > SEARCH_DEPTH_MAX ? fail(p, ERR_TOO_LARGE, "Too many terms") : (p->depth--, parse_term(p, value));
    }
    struct node *node = make(p, KIND_TERM, NULL, NULL);
    if (node) {
        node->property = property;
        node->value = value;
        node->exact = quoted;
    }
    return node;
}

static struct node *parse_factor(struct parser *p, struct text property)
{
    struct node *node;
    if (++p->depth > SEARCH_DEPTH_MAX)
        return fail(p, ERR_TOO_LARGE, "The search is nested too deep");
    if (take_word(p, "NOT") || take(p, '-')) {
        node = parse_factor(p, property);
        node = node ? make(p, KIND_NOT, node, NULL) : NULL;
    } else if (take(p, '(')) {
        node = parse_or(p, property);
        if (node && !take(p, ')'))
            node = fail(p, ERR_SYNTAX, "A closing bracket is missing");
    } else {
        node = parse_term(p, property);
    }
    p->depth--;
    return node;
}

static bool or_follows(struct parser *p)
{
    skip_spaces(p);
    return text_is(word_at(p, "()=\""), "OR");
}

static struct node *parse_and(struct parser *p, struct text property)
{
    struct node *node = parse_factor(p, property);
    while (node && !p->code && peek(p) && peek(p) != ')' && !or_follows(p)) {
        take_word(p, "AND");
        const struct node *more = parse_factor(p, property);
        node = more ? make(p, KIND_AND, node, more) : NULL;
    }
    return node;
}

static struct node *parse_or(struct parser *p, struct text property)
{
    struct node *node = parse_and(p, property);
    while (node && take_word(p, "OR")) {
        const struct node *more = parse_and(p, property);
        node = more ? make(p, KIND_OR, node, more) : NULL;
    }
    return node;
}

int watch_search_parse(struct arena *arena, struct text text, const struct watch_search **out, struct err *err)
{
    struct parser p = {.arena = arena, .text = text, .err = err};
    struct watch_search *search = arena_zalloc(arena, sizeof(*search));
    if (!search)
        return ERR_MEMORY;
    if (text.len > SEARCH_TEXT_MAX)
        return err_set(err, ERR_TOO_LARGE, "A search has at most %d characters", SEARCH_TEXT_MAX);
    if (take(&p, '{'))
        parse_schema(&p, search);
    if (!p.code)
        search->root = peek(&p) ? parse_or(&p, TEXT_NONE) : make(&p, KIND_ALL, NULL, NULL);
    if (!p.code && peek(&p))
        fail(&p, ERR_SYNTAX, "The search goes on where it should end");
    *out = search;
    return p.code;
}

struct text watch_search_space(const struct watch_search *search)
{
    return search->space;
}

/* ---- matching ---- */

static bool holds(struct text text, struct text part)
{
    for (size_t i = 0; i + part.len <= text.len; i++)
        if (text_equal_nocase(text_make(text.data + i, part.len), part))
            return true;
    return false;
}

static bool field_matches(const struct node *term, struct text field)
{
    return term->exact ? text_equal(field, term->value) : holds(field, term->value);
}

static bool term_matches(const struct node *term, const struct watch_name *name)
{
    bool any = !term->property.len, space = any || text_equal_nocase(term->property, TEXT("Namespace")), metric = any || text_equal_nocase(term->property, TEXT("MetricName"));
    if ((space && field_matches(term, name->space)) || (metric && field_matches(term, name->name)))
        return true;
    for (size_t i = 0; i < name->dimensions; i++) {
        const struct watch_dimension *d = &name->dimension[i];
        if ((any && field_matches(term, d->name)) || ((any || text_equal(d->name, term->property)) && field_matches(term, d->value)))
            return true;
    }
    return false;
}

static bool node_matches(const struct node *node, const struct watch_name *name)
{
    switch (node->kind) {
    case KIND_ALL:
        return true;
    case KIND_TERM:
        return term_matches(node, name);
    case KIND_AND:
        return node_matches(node->a, name) && node_matches(node->b, name);
    case KIND_OR:
        return node_matches(node->a, name) || node_matches(node->b, name);
    default:
        return !node_matches(node->a, name);
    }
}

static bool has_dimension(const struct watch_name *name, struct text wanted)
{
    for (size_t i = 0; i < name->dimensions; i++)
        if (text_equal(name->dimension[i].name, wanted))
            return true;
    return false;
}

bool watch_search_matches(const struct watch_search *search, const struct watch_name *name)
{
    if (search->schema && (!text_equal(name->space, search->space) || name->dimensions != search->dimensions))
        return false;
    for (size_t i = 0; i < search->dimensions; i++)
        if (!has_dimension(name, search->dimension[i]))
            return false;
    return node_matches(search->root, name);
}
