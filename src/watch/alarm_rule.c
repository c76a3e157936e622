/*
 * The rules of composite alarms. A recursive descent over a text of at most 10 KB into a tree whose size and depth are bounded while it grows: a rule comes from outside.
 * Sentences are CloudWatch's: "Error in AlarmRule [Unsupported token ')' at char 1]".
 */
#include "watch/alarm.h"

enum rule_node { RULE_TRUE, RULE_FALSE, RULE_STATE, RULE_NOT, RULE_AND, RULE_OR, RULE_AT_LEAST };
struct watch_rule {
    enum rule_node node;
    enum watch_alarm_state state;
    struct text name;
    const struct watch_rule *left, *right; /* AT_LEAST: the first of its alarms, chained by `right` */
    size_t least, of;                      /* AT_LEAST: how many of how many, */
    bool differs;                          /* of which the state is not the one that is named */
};
struct parsing {
    struct arena *arena;
    struct text text;
    size_t at, elements, alarms, depth;
    struct err *err;
};

static void skip_spaces(struct parsing *p)
{
    while (p->at < p->text.len && (p->text.data[p->at] == ' ' || p->text.data[p->at] == '\t' || p->text.data[p->at] == '\n' || p->text.data[p->at] == '\r'))
        p->at++;
}

static int unexpected(struct parsing *p)
{
    if (p->at >= p->text.len)
        return err_set(p->err, ERR_SYNTAX, "Error in AlarmRule [Unexpected end of expression at char %zu]", p->at);
    struct text rest = text_make(p->text.data + p->at, p->text.len - p->at);
    size_t len = 1;
    while (len < rest.len && len < 64 && !strchr(" \t\r\n()\"", rest.data[len]) && !strchr("()\"", rest.data[0]))
        len++;
    return err_set(p->err, ERR_SYNTAX, "Error in AlarmRule [Unsupported token '%.*s' at char %zu]", (int)len, rest.data, p->at);
}

static bool is_word_sign(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* Takes the word when it stands here as a whole. */
static bool take_word(struct parsing *p, const char *word)
{
    size_t len = strlen(word);
    skip_spaces(p);
    if (p->text.len - p->at < len || memcmp(p->text.data + p->at, word, len) != 0 || (p->at + len < p->text.len && is_word_sign(p->text.data[p->at + len])))
        return false;
    p->at += len;
    return true;
}

static bool take_sign(struct parsing *p, char sign)
{
    skip_spaces(p);
    if (p->at >= p->text.len || p->text.data[p->at] != sign)
        return false;
    p->at++;
    return true;
}

static struct watch_rule *make(struct parsing *p, enum rule_node node, const struct watch_rule *left, const struct watch_rule *right)
{
    if (++p->elements > WATCH_RULE_ELEMENTS_MAX) {
        err_set(p->err, ERR_TOO_LARGE, "Error in AlarmRule [The rule has more than %d elements]", WATCH_RULE_ELEMENTS_MAX);
        return NULL;
    }
    struct watch_rule *rule = arena_zalloc(p->arena, sizeof(*rule));
    if (!rule) {
        err_set(p->err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    *rule = (struct watch_rule){.node = node, .left = left, .right = right};
    return rule;
}

static int made(struct parsing *p, const struct watch_rule *rule)
{
    return rule ? 0 : p->err->code;
}

/* ---- names ---- */

static int take_quoted(struct parsing *p, struct text *name)
{
    size_t start = ++p->at, len = 0;
    char *out = arena_alloc(p->arena, p->text.len - start + 1);
    if (!out)
        return err_set(p->err, ERR_MEMORY, "out of memory");
    for (; p->at < p->text.len && p->text.data[p->at] != '"'; p->at++) {
        if (p->text.data[p->at] == '\\' && p->at + 1 < p->text.len && (p->text.data[p->at + 1] == '"' || p->text.data[p->at + 1] == '\\'))
            p->at++;
        out[len++] = p->text.data[p->at];
    }
    if (p->at >= p->text.len)
        return unexpected(p);
    p->at++;
    *name = text_make(out, len);
    return 0;
}

/* `ends`: signs that end a name without quotation marks. */
static int take_name(struct parsing *p, const char *ends, struct text *name)
{
    skip_spaces(p);
    if (p->at < p->text.len && p->text.data[p->at] == '"') {
        int code = take_quoted(p, name);
        if (code)
            return code;
    } else {
        size_t start = p->at;
        while (p->at < p->text.len && !strchr(ends, p->text.data[p->at]))
            p->at++;
        *name = text_make(p->text.data + start, p->at - start);
        while (name->len && strchr(" \t\r\n", name->data[name->len - 1]))
            name->len--;
    }
    *name = watch_alarm_of_arn(*name);
    if (!name->len)
        return unexpected(p);
    if (name->len > WATCH_ALARM_NAME_MAX || memchr(name->data, 0, name->len))
        return err_set(p->err, ERR_SYNTAX, "Error in AlarmRule [The name of an alarm has at most %d characters]", WATCH_ALARM_NAME_MAX);
    if (++p->alarms > WATCH_RULE_ALARMS_MAX)
        return err_set(p->err, ERR_TOO_LARGE, "Error in AlarmRule [The rule names more than %d alarms]", WATCH_RULE_ALARMS_MAX);
    return 0;
}

/* ---- expressions ---- */

static int take_any(struct parsing *p, const struct watch_rule **out);

static int take_state(struct parsing *p, enum watch_alarm_state state, const struct watch_rule **out)
{
    struct text name;
    if (!take_sign(p, '('))
        return unexpected(p);
    int code = take_name(p, "()\"", &name);
    if (code)
        return code;
    if (!take_sign(p, ')'))
        return unexpected(p);
    struct watch_rule *rule = make(p, RULE_STATE, NULL, NULL);
    if (rule) {
        rule->state = state;
        rule->name = name;
    }
    *out = rule;
    return made(p, rule);
}

/* 2, or 60%: *percent. */
static int take_least(struct parsing *p, uint64_t *least, bool *percent)
{
    skip_spaces(p);
    size_t start = p->at;
    while (p->at < p->text.len && p->text.data[p->at] >= '0' && p->text.data[p->at] <= '9')
        p->at++;
    if (text_to_u64(text_make(p->text.data + start, p->at - start), WATCH_RULE_ALARMS_MAX, least) || !*least) {
        p->at = start;
        return unexpected(p);
    }
    *percent = take_sign(p, '%');
    return 0;
}

/* (a, b, ...) */
static int take_list(struct parsing *p, struct watch_rule *rule)
{
    const struct watch_rule **end = &rule->left;
    if (!take_sign(p, '('))
        return unexpected(p);
    do {
        struct text name;
        int code = take_name(p, "(),\"", &name);
        struct watch_rule *one = code ? NULL : make(p, RULE_STATE, NULL, NULL);
        if (!one)
            return code ? code : made(p, one);
        one->name = name;
        one->state = rule->state;
        *end = one;
        end = &one->right;
        rule->of++;
    } while (take_sign(p, ','));
    return take_sign(p, ')') ? 0 : unexpected(p);
}

/* AT_LEAST(2, ALARM, (a, b, c)), AT_LEAST(60%, NOT OK, (a, b)) */
static int take_at_least(struct parsing *p, const struct watch_rule **out)
{
    uint64_t least = 0;
    bool percent = false, known = false;
    struct watch_rule *rule = make(p, RULE_AT_LEAST, NULL, NULL);
    if (!rule)
        return made(p, rule);
    int code = take_sign(p, '(') ? take_least(p, &least, &percent) : unexpected(p);
    if (!code && !take_sign(p, ','))
        code = unexpected(p);
    rule->differs = !code && take_word(p, "NOT");
    for (int state = 0; state < WATCH_ALARM_STATES && !code && !known; state++) {
        known = take_word(p, watch_alarm_state_names[state]);
        rule->state = (enum watch_alarm_state)state;
    }
    if (!code && (!known || !take_sign(p, ',')))
        code = unexpected(p);
    if (!code)
        code = take_list(p, rule);
    if (!code && !take_sign(p, ')'))
        code = unexpected(p);
    rule->least = percent ? (rule->of * least + 99) / 100 : least;
    if (!code && rule->least > rule->of)
        code = err_set(p->err, ERR_SYNTAX, "Error in AlarmRule [AT_LEAST wants %zu of %zu alarms]", rule->least, rule->of);
    *out = rule;
    return code;
}

static int take_one(struct parsing *p, const struct watch_rule **out)
{
    int code = 0;
    if (take_word(p, "TRUE") || take_word(p, "FALSE")) {
        bool is_true = p->text.data[p->at - 2] == 'U';
        *out = make(p, is_true ? RULE_TRUE : RULE_FALSE, NULL, NULL);
        return made(p, *out);
    }
    for (int state = 0; state < WATCH_ALARM_STATES; state++)
        if (take_word(p, watch_alarm_state_names[state]))
            return take_state(p, (enum watch_alarm_state)state, out);
    if (take_word(p, "AT_LEAST"))
        return take_at_least(p, out);
    bool is_not = take_word(p, "NOT");
    if (!is_not && !take_sign(p, '('))
        return unexpected(p);
    if (++p->depth > WATCH_RULE_DEPTH_MAX)
        return err_set(p->err, ERR_TOO_DEEP, "Error in AlarmRule [The rule is more than %d levels deep]", WATCH_RULE_DEPTH_MAX);
    if (is_not) {
        const struct watch_rule *inner = NULL;
        code = take_one(p, &inner);
        if (!code)
            *out = make(p, RULE_NOT, inner, NULL);
        code = code ? code : made(p, *out);
    } else {
        code = take_any(p, out);
        if (!code && !take_sign(p, ')'))
            code = unexpected(p);
    }
    p->depth--;
    return code;
}

static int take_all(struct parsing *p, const struct watch_rule **out)
{
    int code = take_one(p, out);
    while (!code && take_word(p, "AND")) {
        const struct watch_rule *right = NULL;
        code = take_one(p, &right);
        if (!code)
            *out = make(p, RULE_AND, *out, right);
        code = code ? code : made(p, *out);
    }
    return code;
}

static int take_any(struct parsing *p, const struct watch_rule **out)
{
    int code = take_all(p, out);
    while (!code && take_word(p, "OR")) {
        const struct watch_rule *right = NULL;
        code = take_all(p, &right);
        if (!code)
            *out = make(p, RULE_OR, *out, right);
        code = code ? code : made(p, *out);
    }
    return code;
}

int watch_rule_parse(struct arena *arena, struct text text, const struct watch_rule **out, struct err *err)
{
    struct err own = {0};
    struct parsing p = {.arena = arena, .text = text, .err = err ? err : &own};
    if (text.len > WATCH_RULE_TEXT_MAX)
        return err_set(err, ERR_TOO_LARGE, "Error in AlarmRule [The rule is longer than %d bytes]", WATCH_RULE_TEXT_MAX);
    int code = take_any(&p, out);
    skip_spaces(&p);
    return !code && p.at < text.len ? unexpected(&p) : code;
}

/* ---- walking ---- */

/* As deep as the rule has elements. */
int watch_rule_names(const struct watch_rule *rule, int (*visit)(void *context, struct text name), void *context)
{
    int code = 0;
    if (rule->node == RULE_STATE)
        return visit(context, rule->name);
    for (const struct watch_rule *at = rule->left; rule->node == RULE_AT_LEAST && at && !code; at = at->right)
        code = visit(context, at->name);
    if (rule->node == RULE_AT_LEAST)
        return code;
    code = rule->left ? watch_rule_names(rule->left, visit, context) : 0;
    return !code && rule->right ? watch_rule_names(rule->right, visit, context) : code;
}

static int count_states(const struct watch_rule *rule, int (*state)(void *context, struct text name, enum watch_alarm_state *state), void *context, bool *truth)
{
    size_t count = 0;
    int code = 0;
    for (const struct watch_rule *at = rule->left; at && !code; at = at->right) {
        enum watch_alarm_state is;
        code = state(context, at->name, &is);
        count += !code && (is == rule->state) != rule->differs;
        code = code == ERR_NOT_FOUND ? 0 : code;
    }
    *truth = count >= rule->least;
    return code;
}

int watch_rule_evaluate(const struct watch_rule *rule, int (*state)(void *context, struct text name, enum watch_alarm_state *state), void *context, bool *truth)
{
    enum watch_alarm_state is;
    bool left = false, right = false;
    int code = 0;
    switch (rule->node) {
    case RULE_TRUE:
    case RULE_FALSE:
        *truth = rule->node == RULE_TRUE;
        return 0;
    case RULE_STATE:
        code = state(context, rule->name, &is);
        *truth = !code && is == rule->state;
        return code == ERR_NOT_FOUND ? 0 : code;
    case RULE_AT_LEAST:
        return count_states(rule, state, context, truth);
    default:
        break;
    }
    code = watch_rule_evaluate(rule->left, state, context, &left);
    if (!code && rule->right)
        code = watch_rule_evaluate(rule->right, state, context, &right);
    *truth = rule->node == RULE_NOT ? !left : rule->node == RULE_AND ? left && right : left || right;
    return code;
}
