/*
 * libyaml's parser gives events with marks; this builds the tree from them. libyaml's own document interface would do that too, but it follows
 * aliases into shared nodes, keeps no bound on nodes, and knows the start mark of a key only through a table of indexes.
 */
#include "main/doc.h"

#include <stdio.h>
#include <yaml.h>

struct parse {
    yaml_parser_t parser;
    struct arena *arena;
    struct doc_problem *problem;
    unsigned nodes;
};

static int fail(struct parse *parse, yaml_mark_t mark, int code, const char *text)
{
    parse->problem->line = (unsigned)mark.line + 1;
    parse->problem->column = (unsigned)mark.column + 1;
    snprintf(parse->problem->text, sizeof(parse->problem->text), "%s", text);
    return code;
}

static int next_event(struct parse *parse, yaml_event_t *event)
{
    const yaml_parser_t *parser = &parse->parser;
    char text[200];
    if (yaml_parser_parse(&parse->parser, event))
        return 0;
    if (parser->error == YAML_MEMORY_ERROR)
        return fail(parse, parser->mark, ERR_MEMORY, "out of memory");
    snprintf(text, sizeof(text), "%s%s%s", parser->problem ? parser->problem : "not YAML", parser->context ? ", " : "",
        parser->context ? parser->context : "");
    /* A broken byte has an offset and no mark of its own; the parser stands before it. */
    return fail(parse, parser->error == YAML_READER_ERROR ? parser->mark : parser->problem_mark, ERR_SYNTAX, text);
}

static bool has_extras(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return event->data.scalar.anchor || event->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.anchor || event->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.anchor || event->data.mapping_start.tag;
    default:
        return event->type == YAML_ALIAS_EVENT;
    }
}

static int node_create(struct parse *parse, const yaml_event_t *event, struct doc **out)
{
    if (has_extras(event))
        return fail(parse, event->start_mark, ERR_UNSUPPORTED, "anchors, aliases and tags are not taken");
    if (parse->nodes++ == DOC_NODES_MAX)
        return fail(parse, event->start_mark, ERR_TOO_LARGE, "too many keys and values");
    struct doc *node = arena_zalloc(parse->arena, sizeof(*node));
    if (!node)
        return fail(parse, event->start_mark, ERR_MEMORY, "out of memory");
    node->line = (unsigned)event->start_mark.line + 1;
    node->column = (unsigned)event->start_mark.column + 1;
    if (event->type == YAML_SCALAR_EVENT) {
        node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        node->text = arena_copy(parse->arena, text_make(event->data.scalar.value, event->data.scalar.length));
        if (!node->text.data)
            return fail(parse, event->start_mark, ERR_MEMORY, "out of memory");
        if (memchr(node->text.data, 0, node->text.len))
            return fail(parse, event->start_mark, ERR_SYNTAX, "a NUL byte");
    } else {
        node->kind = event->type == YAML_MAPPING_START_EVENT ? DOC_MAPPING : DOC_SEQUENCE;
    }
    *out = node;
    return 0;
}

static int children(struct parse *parse, struct doc *parent, int depth);

/* The node that begins with this event, its children included. */
static int node_parse(struct parse *parse, const yaml_event_t *event, int depth, struct doc **out)
{
    int code = node_create(parse, event, out);
    if (!code && (*out)->kind != DOC_SCALAR)
        code = depth == DOC_DEPTH_MAX ? fail(parse, event->start_mark, ERR_TOO_DEEP, "nested deeper than 20 levels") : children(parse, *out, depth + 1);
    return code;
}

static int children(struct parse *parse, struct doc *parent, int depth)
{
    const struct doc **tail = &parent->first;
    struct doc *key = NULL;
    for (;;) {
        yaml_event_t event;
        struct doc *node = NULL;
        int code = next_event(parse, &event);
        if (code)
            return code;
        bool end = event.type == YAML_MAPPING_END_EVENT || event.type == YAML_SEQUENCE_END_EVENT;
        if (!end)
            code = node_parse(parse, &event, depth, &node);
        yaml_mark_t mark = event.start_mark;
        yaml_event_delete(&event);
        if (end || code)
            return code;
        if (parent->kind == DOC_MAPPING && !key) {
            if (node->kind != DOC_SCALAR)
                return fail(parse, mark, ERR_UNSUPPORTED, "a key must be plain text");
            key = node;
            continue;
        }
        node->key = key;
        key = NULL;
        *tail = node;
        tail = &node->next;
        parent->count++;
    }
}

/* Stream start, document start, the root, document end, stream end. */
static int document(struct parse *parse, const struct doc **root)
{
    struct doc *node = NULL;
    for (int documents = 0;;) {
        yaml_event_t event;
        int code = next_event(parse, &event);
        if (code)
            return code;
        bool end = event.type == YAML_STREAM_END_EVENT;
        bool marks = event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT)
            code = documents++ ? fail(parse, event.start_mark, ERR_UNSUPPORTED, "a second document") : 0;
        else if (!end && !marks)
            code = node_parse(parse, &event, 0, &node);
        yaml_event_delete(&event);
        if (code)
            return code;
        if (end) {
            *root = node;
            return 0;
        }
    }
}

int doc_parse(struct text yaml, struct arena *arena, const struct doc **root, struct doc_problem *problem)
{
    struct parse parse = {.arena = arena, .problem = problem};
    *root = NULL;
    *problem = (struct doc_problem){.line = 1, .column = 1, .text = "out of memory"};
    if (!yaml_parser_initialize(&parse.parser))
        return ERR_MEMORY;
    yaml_parser_set_encoding(&parse.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parse.parser, (const unsigned char *)yaml.data, yaml.len);
    int code = document(&parse, root);
    yaml_parser_delete(&parse.parser);
    return code;
}

const struct doc *doc_get(const struct doc *mapping, const char *name)
{
    for (const struct doc *node = mapping->kind == DOC_MAPPING ? mapping->first : NULL; node; node = node->next)
        if (text_is(node->key->text, name))
            return node;
    return NULL;
}

bool doc_is_null(const struct doc *node)
{
    return node->kind == DOC_SCALAR && node->plain && (!node->text.len || text_is(node->text, "~") || text_is(node->text, "null"));
}
