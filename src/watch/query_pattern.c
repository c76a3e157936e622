/*
 * Patterns: substrings, globs and regular expressions. The only file that sees PCRE2 (docs/decisions/0010-pcre2.md).
 *
 * A backtracking matcher can take exponential time, so each match has a budget of steps and of memory; an event that uses it up does not match, and the result says so. What
 * most queries search for is a plain word: an expression without operators becomes a substring, and one with operators is asked only about texts that hold the longest run of
 * characters that every match must have.
 */
#include "watch/query_inside.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#define MATCH_STEPS 200000          /* of one match */
#define MATCH_HEAP_KB 4096
#define MATCH_DEPTH 5000
#define JIT_STACK_MAX (512u << 10)  /* bytes */
#define NEST_MAX 100                /* parentheses in parentheses */
#define GROUPS_MAX 64               /* captures of one expression */
#define PARTS_MAX 50                /* fields of one parse */

enum kind { LITERAL, GLOB, REGEX };
struct query_pattern {
    enum kind kind;
    struct text literal;     /* LITERAL: all of it; REGEX: what every match holds, or empty */
    char *memory;            /* of the texts */
    struct text *piece;      /* GLOB: what stands between the asterisks; parts + 1 */
    pcre2_code *code;
    size_t parts;
    struct text name[PARTS_MAX];
    uint32_t group[PARTS_MAX];
};
struct query_matcher {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    bool gave_up;
};

ptrdiff_t query_find_text(struct text text, struct text needle, size_t from)
{
    if (from > text.len || needle.len > text.len - from)
        return -1;
    if (!needle.len)
        return (ptrdiff_t)from;
    const char *found = memmem(text.data + from, text.len - from, needle.data, needle.len);
    return found ? found - text.data : -1;
}

static struct query_pattern *make(enum kind kind, struct text text)
{
    struct query_pattern *pattern = calloc(1, sizeof(*pattern));
    if (!pattern)
        return NULL;
    pattern->kind = kind;
    pattern->memory = malloc(text.len + 1);
    if (!pattern->memory) {
        free(pattern);
        return NULL;
    }
    if (text.len)
        memcpy(pattern->memory, text.data, text.len);
    return pattern;
}

void query_pattern_free(struct query_pattern *pattern)
{
    if (!pattern)
        return;
    pcre2_code_free(pattern->code);
    free(pattern->piece);
    free(pattern->memory);
    free(pattern);
}

struct query_pattern *query_pattern_literal(struct text text)
{
    struct query_pattern *pattern = make(LITERAL, text);
    if (pattern)
        pattern->literal = text_make(pattern->memory, text.len);
    return pattern;
}

struct query_pattern *query_pattern_glob(struct text glob, struct err *error)
{
    struct query_pattern *pattern = make(GLOB, glob);
    size_t stars = 0, piece = 0, begin = 0;
    for (size_t i = 0; i < glob.len; i++)
        stars += glob.data[i] == '*';
    if (pattern)
        pattern->piece = calloc(stars + 1, sizeof(*pattern->piece));
    if (!pattern || !pattern->piece || !stars || stars > PARTS_MAX) {
        err_set(error, stars ? stars > PARTS_MAX ? ERR_TOO_LARGE : ERR_MEMORY : ERR_INVALID,
            stars ? stars > PARTS_MAX ? "more than %d wildcards" : "out of memory" : "the pattern has no wildcard (*)", PARTS_MAX);
        query_pattern_free(pattern);
        return NULL;
    }
    for (size_t i = 0; i <= glob.len; i++)
        if (i == glob.len || glob.data[i] == '*') {
            pattern->piece[piece++] = text_make(pattern->memory + begin, i - begin);
            begin = i + 1;
        }
    pattern->parts = stars;
    return pattern;
}

/* ---- what every match of an expression holds ---- */

static bool is_operator(char c)
{
    return strchr("\\^$.[|()?*+{}", c) != NULL;
}

/* The longest run outside of every group. Anything that is not understood ends a run; alternatives and options end it all. */
static struct text required(struct text regex, bool *plain)
{
    struct text best = TEXT_NONE;
    size_t begin = 0, depth = 0;
    *plain = true;
    for (size_t i = 0; i <= regex.len; i++) {
        char c = i < regex.len ? regex.data[i] : '|';
        if (i < regex.len && c && !is_operator(c) && !depth)
            continue;
        bool counted = c == '?' || c == '*' || c == '{'; /* the character before it may be missing */
        size_t end = i;
        if (counted && end > begin)
            for (end--; end > begin && ((unsigned char)regex.data[end] & 0xC0) == 0x80;)
                end--;
        if (!depth && end > begin && end - begin > best.len)
            best = text_make(regex.data + begin, end - begin);
        if (i == regex.len)
            break;
        *plain = false;
        if (c == '\\') {
            if (i + 1 < regex.len && strchr("QEc", regex.data[i + 1]))
                return TEXT_NONE;
            i++;
            /* what stands behind \x41, \p{L}, \k<a>, \12 belongs to it: */
            if (i < regex.len && strchr("xpPkgoNu0123456789", regex.data[i]))
                return best;
        } else if (c == '[') {
            i++;
            if (i < regex.len && regex.data[i] == '^')
                i++;
            if (i < regex.len && regex.data[i] == ']')
                i++;
            for (; i < regex.len && regex.data[i] != ']'; i++)
                if (regex.data[i] == '\\')
                    i++;
                else if (regex.data[i] == '[')
                    return best; /* [:alpha:] and the like */
        } else if (c == '(') {
            if (i + 1 < regex.len && (regex.data[i + 1] == '*' || (regex.data[i + 1] == '?' && i + 2 < regex.len && !strchr("<P:=!>", regex.data[i + 2]))))
                return TEXT_NONE;
            depth++;
        } else if (c == ')') {
            depth -= depth > 0;
        } else if (c == '|' && !depth) {
            return TEXT_NONE;
        } else if (c == '{') {
            while (i < regex.len && regex.data[i] != '}')
                i++;
        }
        begin = i + 1;
    }
    return best;
}

static bool find_names(struct query_pattern *pattern)
{
    uint32_t count = 0, size = 0;
    PCRE2_SPTR table;
    pcre2_pattern_info(pattern->code, PCRE2_INFO_NAMECOUNT, &count);
    pcre2_pattern_info(pattern->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
    pcre2_pattern_info(pattern->code, PCRE2_INFO_NAMETABLE, &table);
    if (count > PARTS_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++, table += size) {
        uint32_t group = (uint32_t)(table[0] << 8 | table[1]);
        size_t at = pattern->parts++;
        for (; at > 0 && pattern->group[at - 1] > group; at--) {
            pattern->group[at] = pattern->group[at - 1];
            pattern->name[at] = pattern->name[at - 1];
        }
        pattern->group[at] = group;
        pattern->name[at] = text_of((const char *)table + 2); /* lives as long as the code */
    }
    return true;
}

static pcre2_code *compile(struct text regex, struct err *error, size_t *where)
{
    int code;
    PCRE2_SIZE at = 0;
    PCRE2_UCHAR why[160];
    uint32_t groups = 0;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context) {
        err_set(error, ERR_MEMORY, "out of memory");
        return NULL;
    }
    pcre2_set_parens_nest_limit(context, NEST_MAX);
    pcre2_code *out = pcre2_compile((PCRE2_SPTR)regex.data, regex.len, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &at, context);
    pcre2_compile_context_free(context);
    *where = at;
    if (!out) {
        if (pcre2_get_error_message(code, why, sizeof(why)) < 0)
            why[0] = 0;
        err_set(error, ERR_SYNTAX, "%s", (const char *)why);
        return NULL;
    }
    pcre2_pattern_info(out, PCRE2_INFO_CAPTURECOUNT, &groups);
    if (groups > GROUPS_MAX) {
        pcre2_code_free(out);
        err_set(error, ERR_TOO_LARGE, "more than %d groups", GROUPS_MAX);
        return NULL;
    }
    return out;
}

struct query_pattern *query_pattern_regex(struct text regex, struct err *error, size_t *where)
{
    bool plain;
    *where = 0;
    struct query_pattern *pattern = make(REGEX, regex);
    if (!pattern) {
        err_set(error, ERR_MEMORY, "out of memory");
        return NULL;
    }
    pattern->literal = required(text_make(pattern->memory, regex.len), &plain);
    if (plain && regex.len) {
        pattern->kind = LITERAL;
        pattern->literal = text_make(pattern->memory, regex.len);
        return pattern;
    }
    pattern->code = compile(regex, error, where);
    if (pattern->code && !find_names(pattern)) {
        err_set(error, ERR_TOO_LARGE, "more than %d named groups", PARTS_MAX);
        pcre2_code_free(pattern->code);
        pattern->code = NULL;
    }
    if (!pattern->code) {
        query_pattern_free(pattern);
        return NULL;
    }
    pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE); /* where it cannot be, the interpreter does the same more slowly */
    return pattern;
}

size_t query_pattern_parts(const struct query_pattern *pattern)
{
    return pattern->parts;
}

struct text query_pattern_part_name(const struct query_pattern *pattern, size_t part)
{
    return pattern->name[part];
}

/* ---- matching ---- */

void query_matcher_free(struct query_matcher *matcher)
{
    if (!matcher)
        return;
    pcre2_match_data_free(matcher->data);
    pcre2_match_context_free(matcher->context);
    pcre2_jit_stack_free(matcher->stack);
    free(matcher);
}

struct query_matcher *query_matcher_create(void)
{
    struct query_matcher *matcher = calloc(1, sizeof(*matcher));
    if (!matcher)
        return NULL;
    matcher->data = pcre2_match_data_create(GROUPS_MAX + 1, NULL);
    matcher->context = pcre2_match_context_create(NULL);
    matcher->stack = pcre2_jit_stack_create(32u << 10, JIT_STACK_MAX, NULL);
    if (!matcher->data || !matcher->context) {
        query_matcher_free(matcher);
        return NULL;
    }
    if (matcher->stack)
        pcre2_jit_stack_assign(matcher->context, NULL, matcher->stack);
    pcre2_set_match_limit(matcher->context, MATCH_STEPS);
    pcre2_set_heap_limit(matcher->context, MATCH_HEAP_KB);
    pcre2_set_depth_limit(matcher->context, MATCH_DEPTH);
    return matcher;
}

bool query_matcher_gave_up(const struct query_matcher *matcher)
{
    return matcher->gave_up;
}

static bool match(const struct query_pattern *pattern, struct query_matcher *matcher, struct text text)
{
    if (pattern->literal.len && query_find_text(text, pattern->literal, 0) < 0)
        return false;
    int code = pcre2_match(pattern->code, (PCRE2_SPTR)(text.data ? text.data : ""), text.len, 0, 0, matcher->data, matcher->context);
    if (code < 0 && code != PCRE2_ERROR_NOMATCH)
        matcher->gave_up = true;
    return code > 0;
}

bool query_pattern_find(const struct query_pattern *pattern, struct query_matcher *matcher, struct text text)
{
    if (pattern->kind == LITERAL)
        return query_find_text(text, pattern->literal, 0) >= 0;
    return match(pattern, matcher, text);
}

/* Each asterisk takes as little as it can, the last one of a glob all the rest. */
static bool take_glob(const struct query_pattern *pattern, struct text text, struct text *parts)
{
    ptrdiff_t at = query_find_text(text, pattern->piece[0], 0);
    if (at < 0)
        return false;
    size_t from = (size_t)at + pattern->piece[0].len;
    for (size_t i = 0; i < pattern->parts; i++) {
        struct text next = pattern->piece[i + 1];
        bool rest = !next.len && i + 1 == pattern->parts;
        at = rest ? (ptrdiff_t)text.len : query_find_text(text, next, from);
        if (at < 0)
            return false;
        parts[i] = text_make(text.data + from, (size_t)at - from);
        from = (size_t)at + next.len;
    }
    return true;
}

bool query_pattern_take(const struct query_pattern *pattern, struct query_matcher *matcher, struct text text, struct text *parts)
{
    if (pattern->kind == GLOB)
        return take_glob(pattern, text, parts);
    if (pattern->kind == LITERAL)
        return query_pattern_find(pattern, matcher, text);
    if (!match(pattern, matcher, text))
        return false;
    const PCRE2_SIZE *offset = pcre2_get_ovector_pointer(matcher->data);
    for (size_t i = 0; i < pattern->parts; i++) {
        PCRE2_SIZE begin = offset[2 * pattern->group[i]], end = offset[2 * pattern->group[i] + 1];
        parts[i] = begin == PCRE2_UNSET || end < begin ? TEXT_NONE : text_make(text.data + begin, end - begin);
    }
    return true;
}
