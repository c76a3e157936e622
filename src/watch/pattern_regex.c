/*
 * Without groups an expression is a choice of sequences, and a sequence a list of steps: a set of bytes, once, at most once, or any number of times. The steps of all sequences
 * stand in one row; a set of bits says which of them wait for the next byte.
 */
#include "watch/pattern_regex.h"

enum repeat { ONCE, MAYBE, MANY };
#define WORDS (PATTERN_REGEX_STATES / 64)
#define COUNT_MAX 255

struct step {
    uint8_t bytes[32]; /* a bit per byte value */
    enum repeat repeat;
    bool end;          /* of its sequence: waits for nothing, it is a match */
    bool at_start, at_end; /* of the sequence's first step and of its end: ^ and $ */
};
struct pattern_regex {
    size_t count;
    uint8_t first[32]; /* bytes with which a match may begin; all when one may be empty */
    bool anchored;     /* every sequence is */
    struct step step[PATTERN_REGEX_STATES];
};

static void set_add(uint8_t set[32], unsigned char byte)
{
    set[byte >> 3] |= (uint8_t)(1u << (byte & 7));
}

static bool set_has(const uint8_t set[32], unsigned char byte)
{
    return set[byte >> 3] >> (byte & 7) & 1;
}

/* ---- parsing ---- */

struct parser {
    const char *at, *end;
    struct pattern_regex *regex;
    struct err *err;
};

static int refuse(struct parser *p, const char *what)
{
    return err_set(p->err, ERR_SYNTAX, "Invalid regular expression: %s", what);
}

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_symbol(char c)
{
    return c && strchr(":_#=@/;,-", c) != NULL;
}

static void add_class(uint8_t set[32], char kind)
{
    bool inverse = kind >= 'A' && kind <= 'Z';
    char lower = (char)(kind | 0x20);
    for (int b = 0; b < 128; b++) {
        char c = (char)b;
        bool in = lower == 'd' ? c >= '0' && c <= '9' : lower == 's' ? c == ' ' || (c >= '\t' && c <= '\r') : is_alphanumeric(c) || c == '_';
        if (in != inverse)
            set_add(set, (unsigned char)b);
    }
    for (int b = 128; inverse && b < 256; b++)
        set_add(set, (unsigned char)b);
}

static int hex_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Behind a backslash. *single: the one byte it stands for, or -1 when it is a class. */
static int parse_escape(struct parser *p, uint8_t set[32], int *single)
{
    if (p->at == p->end)
        return refuse(p, "it ends with a backslash");
    char c = *p->at++;
    *single = -1;
    if (strchr("dDsSwW", c)) {
        add_class(set, c);
        return 0;
    }
    if (c == 'x') {
        int high = p->end - p->at >= 2 ? hex_of(p->at[0]) : -1, low = high >= 0 ? hex_of(p->at[1]) : -1;
        if (high < 0 || low < 0)
            return refuse(p, "\\x needs two hexadecimal digits");
        p->at += 2;
        *single = high << 4 | low;
    } else if (is_alphanumeric(c)) {
        return refuse(p, "this escape is not known");
    } else {
        *single = (unsigned char)c;
    }
    set_add(set, (unsigned char)*single);
    return 0;
}

static int parse_set(struct parser *p, uint8_t out[32])
{
    uint8_t set[32] = {0};
    bool inverse = p->at < p->end && *p->at == '^', any = false;
    p->at += inverse;
    int before = -1; /* the byte that a range may begin with */
    for (;;) {
        if (p->at == p->end)
            return refuse(p, "a bracket is not closed");
        char c = *p->at++;
        int single = (unsigned char)c;
        if (c == ']' && any)
            break;
        if (c == '-' && before >= 0 && p->at < p->end && *p->at != ']') {
            uint8_t unused[32] = {0};
            single = (unsigned char)*p->at++;
            if (single == '\\') {
                int code = parse_escape(p, unused, &single);
                if (code)
                    return code;
            }
            if (single < before)
                return refuse(p, "a range ends before it begins");
            for (int b = before; b <= single; b++)
                set_add(set, (unsigned char)b);
            before = -1;
            continue;
        }
        if (c == '\\') {
            int code = parse_escape(p, set, &single);
            if (code)
                return code;
        } else {
            set_add(set, (unsigned char)c);
        }
        before = single;
        any = true;
    }
    for (int i = 0; i < 32; i++)
        out[i] = inverse ? (uint8_t)~set[i] : set[i];
    return 0;
}

static int parse_atom(struct parser *p, uint8_t set[32])
{
    char c = *p->at++;
    int single;
    memset(set, 0, 32);
    if (c == '[')
        return parse_set(p, set);
    if (c == '\\')
        return parse_escape(p, set, &single);
    if (c == '.') {
        memset(set, 0xff, 32);
        return 0;
    }
    if (!is_alphanumeric(c) && !is_symbol(c))
        return refuse(p, c == '(' || c == ')' ? "parentheses are not supported" : "a character is not supported here");
    set_add(set, (unsigned char)c);
    return 0;
}

static int add_step(struct parser *p, const uint8_t set[32], enum repeat repeat, bool end)
{
    struct pattern_regex *regex = p->regex;
    if (regex->count == PATTERN_REGEX_STATES)
        return err_set(p->err, ERR_TOO_LARGE, "Invalid regular expression: it has more than %d steps", PATTERN_REGEX_STATES);
    struct step *step = &regex->step[regex->count++];
    *step = (struct step){.repeat = repeat, .end = end};
    if (set)
        memcpy(step->bytes, set, 32);
    return 0;
}

static int parse_number(struct parser *p, int *out)
{
    int value = 0;
    const char *from = p->at;
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9' && value <= COUNT_MAX)
        value = value * 10 + (*p->at++ - '0');
    *out = value;
    return p->at == from || value > COUNT_MAX ? refuse(p, "a repetition is not a number up to 255") : 0;
}

/* least, most (-1: any number). */
static int parse_repeat(struct parser *p, int *least, int *most)
{
    char c = p->at < p->end ? *p->at : 0;
    *least = *most = 1;
    if (c == '*' || c == '+' || c == '?') {
        p->at++;
        *least = c == '+';
        *most = c == '?' ? 1 : -1;
        return 0;
    }
    if (c != '{')
        return 0;
    p->at++;
    int code = parse_number(p, least);
    *most = *least;
    if (!code && p->at < p->end && *p->at == ',') {
        p->at++;
        *most = -1;
        if (p->at < p->end && *p->at != '}')
            code = parse_number(p, most);
    }
    if (code)
        return code;
    if (p->at == p->end || *p->at != '}' || (*most >= 0 && *most < *least))
        return refuse(p, "a repetition in braces is not well formed");
    p->at++;
    return 0;
}

static int parse_step(struct parser *p)
{
    uint8_t set[32];
    int least, most, code = parse_atom(p, set);
    if (!code)
        code = parse_repeat(p, &least, &most);
    if (code)
        return code;
    for (int i = 0; i < least && !code; i++)
        code = add_step(p, set, ONCE, false);
    for (int i = least; i < most && !code; i++)
        code = add_step(p, set, MAYBE, false);
    return most < 0 && !code ? add_step(p, set, MANY, false) : code;
}

static int parse_sequence(struct parser *p)
{
    size_t from = p->regex->count;
    bool at_start = p->at < p->end && *p->at == '^', at_end = false;
    int code = 0;
    p->at += at_start;
    while (p->at < p->end && *p->at != '|' && !code) {
        if (at_end)
            return refuse(p, "$ stands before the end");
        if (*p->at == '$') {
            at_end = true;
            p->at++;
        } else {
            code = parse_step(p);
        }
    }
    if (!code)
        code = add_step(p, NULL, ONCE, true);
    if (code)
        return code;
    p->regex->step[from].at_start = at_start;
    p->regex->step[p->regex->count - 1].at_end = at_end;
    return 0;
}

/* The bytes with which a match may begin, so that texts without them are passed over quickly. */
static void find_first(struct pattern_regex *regex)
{
    regex->anchored = true;
    for (size_t i = 0; i < regex->count; i++) {
        regex->anchored &= regex->step[i].at_start;
        size_t k = i;
        while (regex->step[k].repeat != ONCE && !regex->step[k].end) {
            for (int b = 0; b < 32; b++)
                regex->first[b] |= regex->step[k].bytes[b];
            k++;
        }
        if (regex->step[k].end)
            memset(regex->first, 0xff, sizeof(regex->first));
        for (int b = 0; b < 32; b++)
            regex->first[b] |= regex->step[k].bytes[b];
        while (!regex->step[i].end)
            i++;
    }
}

int pattern_regex_parse(struct arena *arena, struct text source, struct pattern_regex **out, struct err *err)
{
    struct pattern_regex *regex = arena_zalloc(arena, sizeof(*regex));
    struct parser p = {source.data, source.data + source.len, regex, err};
    if (!regex)
        return ERR_MEMORY;
    if (!source.len)
        return refuse(&p, "it is empty");
    int code = parse_sequence(&p);
    while (!code && p.at < p.end) {
        p.at++; /* the bar */
        code = parse_sequence(&p);
    }
    if (code)
        return code;
    find_first(regex);
    *out = regex;
    return 0;
}

/* ---- matching ---- */

struct run {
    const struct pattern_regex *regex;
    uint64_t now[WORDS], next[WORDS];
    bool any, start, end; /* something waits; before the first byte; behind the last one */
    bool matched;
};

/* The step, and those behind it that may be passed over. */
static void enter(struct run *run, uint64_t set[WORDS], size_t at)
{
    const struct pattern_regex *regex = run->regex;
    for (;; at++) {
        const struct step *step = &regex->step[at];
        if (step->end) {
            if (!step->at_end || run->end)
                run->matched = true;
            return;
        }
        if (set[at / 64] >> (at % 64) & 1)
            return; /* with all that may follow */
        set[at / 64] |= UINT64_C(1) << (at % 64);
        run->any = true;
        if (step->repeat == ONCE)
            return;
    }
}

static void begin(struct run *run, uint64_t set[WORDS])
{
    const struct pattern_regex *regex = run->regex;
    for (size_t i = 0; i < regex->count; i++) {
        if (!regex->step[i].at_start || run->start)
            enter(run, set, i);
        while (!regex->step[i].end)
            i++;
    }
}

static void take(struct run *run, unsigned char byte)
{
    memset(run->next, 0, sizeof(run->next));
    run->any = false;
    for (size_t w = 0; w < WORDS; w++)
        for (uint64_t bits = run->now[w]; bits; bits &= bits - 1) {
            size_t at = w * 64 + (size_t)__builtin_ctzll(bits);
            const struct step *step = &run->regex->step[at];
            if (set_has(step->bytes, byte))
                enter(run, run->next, step->repeat == MANY ? at : at + 1);
        }
    memcpy(run->now, run->next, sizeof(run->now));
}

bool pattern_regex_match(const struct pattern_regex *regex, struct text text)
{
    struct run run = {.regex = regex, .start = true, .end = !text.len};
    begin(&run, run.now);
    for (size_t i = 0; i < text.len && !run.matched; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        run.end = i + 1 == text.len;
        run.start = false;
        if (run.any)
            take(&run, byte);
        if (run.matched)
            break;
        if (!run.any && regex->anchored)
            return false;
        if (run.any || run.end || set_has(regex->first, (unsigned char)text.data[i + 1]))
            begin(&run, run.now);
    }
    return run.matched;
}
