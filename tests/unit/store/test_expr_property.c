/*
 * Properties of the expressions: what prints parses back to the same; evaluation agrees with a naive evaluator; an update agrees with one on
 * arrays of integers; every beginning of a valid expression and every soup of tokens is either an error or valid. Each failure names its seed.
 */
#include "test_expr_fixture.h"

/* ---- conditions against a naive evaluator ---- */

/* The naive world: attributes a, b, c, d and constants, each a small number, a short string, or absent. */
struct value {
    char type; /* 'N', 'S', 0 */
    int n;
    char s[4];
};
#define ATTRS 4
#define CONSTS 8
struct world {
    struct value attr[ATTRS], value[CONSTS]; /* the first half of the constants are numbers, ascending */
    uint64_t random;
    char text[4096];
    size_t len;
    int budget;
};

static unsigned pick(struct world *w, unsigned n)
{
    return (unsigned)(random_next(&w->random) % n);
}

static struct value random_value(struct world *w, char type)
{
    struct value v = {.type = type};
    if (type == 'N')
        v.n = (int)pick(w, 7) - 3;
    for (unsigned i = 0, n = type == 'S' ? pick(w, 4) : 0; i < n; i++)
        v.s[i] = (char)('a' + pick(w, 2));
    return v;
}

static void put(struct world *w, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    w->len += (size_t)vsnprintf(w->text + w->len, sizeof(w->text) - w->len, format, list);
    va_end(list);
    assert_true(w->len < sizeof(w->text));
}

static const char *word(struct world *w, const char *upper, const char *lower)
{
    return pick(w, 2) ? upper : lower;
}

static struct value put_attr(struct world *w, unsigned i)
{
    put(w, pick(w, 3) ? "%c" : "#%c", 'a' + (int)i);
    return w->attr[i];
}
static struct value put_const(struct world *w, unsigned i)
{
    put(w, ":v%u", i);
    return w->value[i];
}

/* Any operand but attribute `except`. */
static struct value put_operand(struct world *w, unsigned except)
{
    unsigned i = pick(w, ATTRS);
    bool parens = !pick(w, 6);
    put(w, parens ? "(" : "");
    struct value v = i == except || pick(w, 2) ? put_const(w, pick(w, CONSTS)) : put_attr(w, i);
    put(w, parens ? " )" : "");
    return v;
}

static bool order_of(struct value a, struct value b, int *order)
{
    if (!a.type || a.type != b.type)
        return false;
    *order = a.type == 'N' ? a.n - b.n : strcmp(a.s, b.s);
    return true;
}

static bool naive_compare(const char *op, struct value a, struct value b)
{
    int order = 0;
    bool comparable = order_of(a, b, &order);
    if (!strcmp(op, "<>"))
        return !comparable || order != 0;
    if (!comparable)
        return false;
    return !strcmp(op, "=") ? order == 0 : !strcmp(op, "<") ? order < 0 : !strcmp(op, "<=") ? order <= 0 : !strcmp(op, ">") ? order > 0 : order >= 0;
}

static bool put_comparison(struct world *w)
{
    static const char *const ops[] = {"=", "<>", "<", "<=", ">", ">="};
    const char *op = ops[pick(w, 6)];
    unsigned i = pick(w, ATTRS);
    struct value a = put_attr(w, i);
    put(w, pick(w, 2) ? " %s " : "%s", op);
    return naive_compare(op, a, put_operand(w, i));
}

static bool put_between(struct world *w)
{
    unsigned i = pick(w, ATTRS), low = pick(w, CONSTS / 2);
    struct value a = put_attr(w, i);
    put(w, " %s ", word(w, "BETWEEN", "between"));
    struct value from = put_const(w, low);
    put(w, " %s ", word(w, "AND", "and"));
    struct value to = put_const(w, low + pick(w, CONSTS / 2 - low));
    return naive_compare(">=", a, from) && naive_compare("<=", a, to);
}

static bool put_in(struct world *w)
{
    unsigned i = pick(w, ATTRS), n = 1 + pick(w, 3);
    struct value a = put_attr(w, i);
    bool holds = false;
    put(w, " %s (", word(w, "IN", "iN"));
    for (unsigned k = 0; k < n; k++) {
        put(w, k ? ", " : "");
        holds |= naive_compare("=", a, put_operand(w, i));
    }
    put(w, ")");
    return holds;
}

static bool put_function(struct world *w)
{
    unsigned kind = pick(w, 4), i = pick(w, ATTRS);
    static const char *const name[] = {"attribute_exists", "attribute_not_exists", "begins_with", "contains"};
    put(w, "%s(", name[kind]);
    struct value a = put_attr(w, i), b = {0};
    if (kind >= 2) {
        put(w, ",");
        b = put_const(w, CONSTS / 2 + pick(w, CONSTS / 2)); /* a string */
    }
    put(w, ")");
    if (kind < 2)
        return (kind == 0) == (a.type != 0);
    if (a.type != 'S')
        return false;
    return kind == 2 ? !strncmp(a.s, b.s, strlen(b.s)) : strstr(a.s, b.s) != NULL;
}

static bool put_leaf(struct world *w)
{
    switch (pick(w, 4)) {
    case 0:
        return put_between(w);
    case 1:
        return put_in(w);
    case 2:
        return put_function(w);
    default:
        return put_comparison(w);
    }
}

/* level 0: OR may stand bare; 1: only AND; 2: only NOT and leaves. */
static bool put_condition(struct world *w, int level)
{
    unsigned kind = w->budget-- > 0 ? pick(w, 5) : 4;
    if (kind >= 3)
        return put_leaf(w);
    if (kind == 2) {
        put(w, "%s ", word(w, "NOT", "Not"));
        return !put_condition(w, 2);
    }
    bool parens = level > (kind == 0 ? 0 : 1);
    put(w, parens ? "(" : "");
    bool holds = put_condition(w, kind == 0 ? 1 : 2);
    put(w, kind == 0 ? word(w, " OR ", " or ") : word(w, " AND ", " and "));
    bool other = put_condition(w, kind == 0 ? 1 : 2);
    put(w, parens ? ")" : "");
    return kind == 0 ? holds || other : holds && other;
}

static void make_world(struct world *w, uint64_t seed)
{
    *w = (struct world){.random = seed * 0x9E3779B97F4A7C15u + 1, .budget = 12};
    for (int i = 0; i < ATTRS; i++)
        w->attr[i] = random_value(w, "NS\0NS"[pick(w, 5)]);
    for (int i = 0; i < CONSTS; i++)
        w->value[i] = random_value(w, i < CONSTS / 2 ? 'N' : 'S');
    for (int i = 1; i < CONSTS / 2; i++)
        if (w->value[i].n < w->value[i - 1].n)
            w->value[i].n = w->value[i - 1].n;
}

static void bind_world(struct world *w, struct expr_env *env, struct attr *item)
{
    static const char *const alias[] = {":v0", ":v1", ":v2", ":v3", ":v4", ":v5", ":v6", ":v7"};
    static const char *const names[] = {"#a", "#b", "#c", "#d"};
    struct attr *values = item_create(&arena);
    expr_env_init(env, &arena);
    for (int i = 0; i < CONSTS; i++) {
        struct attr *v = w->value[i].type == 'N' ? item_set_i64(&arena, values, text_of(alias[i]), w->value[i].n)
                                                 : item_set_string(&arena, values, text_of(alias[i]), text_of(w->value[i].s));
        assert_int_equal(expr_env_add_value(env, text_of(alias[i]), v), 0);
    }
    for (int i = 0; i < ATTRS; i++) {
        struct text name = text_of(names[i] + 1);
        assert_int_equal(expr_env_add_name(env, text_of(names[i]), name), 0);
        if (w->attr[i].type == 'N')
            item_set_i64(&arena, item, name, w->attr[i].n);
        if (w->attr[i].type == 'S')
            item_set_string(&arena, item, name, text_of(w->attr[i].s));
    }
}

static const char *formatted(const struct expr_tree *tree)
{
    struct buf out;
    buf_init(&out, 65536);
    assert_int_equal(expr_tree_format(tree, &out), 0);
    struct text copy = arena_copy(&arena, buf_text(&out));
    buf_fini(&out);
    return copy.data;
}

static void test_conditions(void **state)
{
    (void)state;
    unsigned held = 0;
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        static struct world w;
        struct expr_env env;
        const struct expr_tree *tree, *again;
        const struct expr_condition *condition;
        arena_reset(&arena);
        make_world(&w, seed);
        bool want = put_condition(&w, 0);
        struct attr *item = item_create(&arena);
        bind_world(&w, &env, item);
        struct text text = text_make(w.text, w.len);
        if (expr_tree_parse(&env, EXPR_CONDITION, text, &arena, &tree) || expr_condition_bind(&env, tree, &condition))
            fail_msg("seed %lu: %s: %s", (unsigned long)seed, w.text, env.message.data);
        if (expr_condition_eval(condition, item) != want)
            fail_msg("seed %lu: %s is not %d on %s", (unsigned long)seed, w.text, want, wire_of(item));
        const char *print = formatted(tree);
        if (expr_tree_parse(&env, EXPR_CONDITION, text_of(print), &arena, &again) || expr_condition_bind(&env, again, &condition))
            fail_msg("seed %lu: %s: %s", (unsigned long)seed, print, env.message.data);
        assert_string_equal(formatted(again), print);
        assert_int_equal(expr_condition_eval(condition, item), want);
        held += want;
    }
    assert_true(held > 5000 && held < 15000); /* both answers are really tried */
}

/* ---- updates against arrays of integers ---- */

#define FLAT 5
#define LIST_MAX 12

static void naive_list(int *list, int *count, int writes, const int *index, const int *value)
{
    int out[LIST_MAX * 2], n = 0;
    for (int i = 0; i < *count; i++) {
        int kept = 1, v = list[i];
        for (int k = 0; k < writes; k++)
            if (index[k] == i) {
                kept = value[k] != INT32_MIN;
                v = value[k];
            }
        if (kept)
            out[n++] = v;
    }
    for (int i = *count; i < LIST_MAX; i++)
        for (int k = 0; k < writes; k++)
            if (index[k] == i && value[k] != INT32_MIN)
                out[n++] = value[k];
    memcpy(list, out, (size_t)n * sizeof(int));
    *count = n;
}

static void check_list(uint64_t seed, const char *expression, const struct attr *item, const int *list, int count)
{
    const struct attr *l = item_get_str(item, "l");
    int64_t value;
    int i = 0;
    bool good = l && (int)l->count == count;
    for (const struct attr *at = good ? l->first : NULL; at && good; at = at->next, i++)
        good = !attr_to_i64(at, &value) && value == list[i];
    if (!good)
        fail_msg("seed %lu: %s gives %s", (unsigned long)seed, expression, wire_of(item));
}

static void test_updates_of_lists(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5000; seed++) {
        uint64_t random = seed * 0x9E3779B97F4A7C15u + 1;
        int list[LIST_MAX * 2], count = (int)(random_next(&random) % 6), index[4], value[4], writes = 1 + (int)(random_next(&random) % 4);
        char expression[512] = "", removes[256] = "", sets[256] = "";
        struct expr_env env;
        const struct expr_update *update;
        const struct attr *out;
        arena_reset(&arena);
        expr_env_init(&env, &arena);
        struct attr *item = item_create(&arena);
        struct attr *l = item_set_container(&arena, item, TEXT("l"), ATTR_LIST);
        for (int i = 0; i < count; i++) {
            list[i] = i;
            item_append(&arena, l, ATTR_NUMBER, arena_format(&arena, "%d", i));
        }
        for (int k = 0; k < writes; k++) {
            index[k] = k * 3 + (int)(random_next(&random) % 3); /* distinct */
            value[k] = random_next(&random) % 3 ? 100 + k : INT32_MIN;
            if (value[k] == INT32_MIN) {
                sprintf(removes + strlen(removes), "%sl[%d]", *removes ? ", " : "REMOVE ", index[k]);
                continue;
            }
            struct attr *v = arena_zalloc(&arena, sizeof(*v));
            *v = (struct attr){.type = ATTR_NUMBER, .text = arena_format(&arena, "%d", value[k])};
            assert_int_equal(expr_env_add_value(&env, arena_format(&arena, ":v%d", k), v), 0);
            sprintf(sets + strlen(sets), "%sl[%d] = :v%d", *sets ? ", " : "SET ", index[k], k);
        }
        snprintf(expression, sizeof(expression), "%s %s", removes, sets);
        if (expr_update_parse(&env, text_of(expression), &update))
            fail_msg("seed %lu: %s: %s", (unsigned long)seed, expression, env.message.data);
        assert_int_equal(expr_update_apply(update, item, item, &arena, &out, NULL), 0);
        naive_list(list, &count, writes, index, value);
        check_list(seed, expression, out, list, count);
    }
}

static void test_updates_of_numbers(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5000; seed++) {
        uint64_t random = seed * 0x9E3779B97F4A7C15u + 1;
        int64_t old[FLAT], want[FLAT], got;
        char expression[1024] = "", part[4][300] = {"", "", "", ""};
        static const char *const keyword[] = {"SET ", "REMOVE ", "ADD "};
        struct expr_env env;
        const struct expr_update *update;
        const struct attr *out;
        struct attr five = {.type = ATTR_NUMBER, .text = TEXT("5")};
        arena_reset(&arena);
        expr_env_init(&env, &arena);
        assert_int_equal(expr_env_add_value(&env, TEXT(":five"), &five), 0);
        struct attr *item = item_create(&arena);
        for (int i = 0; i < FLAT; i++) {
            want[i] = old[i] = (int64_t)(random_next(&random) % 2000) - 1000;
            item_set_i64(&arena, item, arena_format(&arena, "x%d", i), old[i]);
        }
        for (int i = 0; i < FLAT; i++) {
            int kind = (int)(random_next(&random) % 4), other = (int)(random_next(&random) % FLAT);
            if (kind == 3)
                continue;
            strcat(part[kind], *part[kind] ? ", " : keyword[kind]);
            char *p = part[kind] + strlen(part[kind]);
            if (kind == 0 && random_next(&random) % 2) {
                sprintf(p, "x%d = x%d - :five", i, other);
                want[i] = old[other] - 5;
            } else if (kind == 0) {
                sprintf(p, "x%d = if_not_exists(y, x%d) + x%d", i, other, i);
                want[i] = old[other] + old[i];
            } else {
                sprintf(p, kind == 1 ? "x%d" : "x%d :five", i);
                want[i] = kind == 1 ? INT64_MIN : old[i] + 5;
            }
        }
        snprintf(expression, sizeof(expression), "%s %s %s", part[2], part[0], part[1]);
        if (strspn(expression, " ") == strlen(expression))
            continue;
        if (expr_update_parse(&env, text_of(expression), &update))
            fail_msg("seed %lu: %s: %s", (unsigned long)seed, expression, env.message.data);
        assert_int_equal(expr_update_apply(update, item, item, &arena, &out, NULL), 0);
        for (int i = 0; i < FLAT; i++) {
            const struct attr *x = item_get(out, arena_format(&arena, "x%d", i));
            bool good = want[i] == INT64_MIN ? !x : x && !attr_to_i64(x, &got) && got == want[i];
            if (!good)
                fail_msg("seed %lu: %s: x%d in %s", (unsigned long)seed, expression, i, wire_of(out));
        }
    }
}

/* ---- anything else ---- */

/* Parses as every kind; what is accepted prints and parses back to the same print. */
static unsigned try_all(struct text text)
{
    unsigned accepted = 0;
    for (int kind = EXPR_CONDITION; kind <= EXPR_UPDATE; kind++) {
        struct expr_env env;
        const struct expr_tree *tree, *again;
        expr_env_init(&env, &arena);
        if (expr_tree_parse(&env, (enum expr_kind)kind, text, &arena, &tree)) {
            assert_memory_equal(env.message.data, "Invalid ", 8);
            continue;
        }
        const char *print = formatted(tree);
        if (expr_tree_parse(&env, (enum expr_kind)kind, text_of(print), &arena, &again))
            fail_msg("%.*s -> %s: %s", TEXT_FMT(text), print, env.message.data);
        assert_string_equal(formatted(again), print);
        accepted++;
    }
    return accepted;
}

static void test_truncations(void **state)
{
    (void)state;
    static const char *const valid[] = {
        "NOT (a.b[10].#c = :v OR size( d ) >= :w) AND e IN (:v, f, (:w)) OR begins_with(g, :s) AND h BETWEEN i AND j",
        "attribute_exists(a) AND attribute_not_exists(b) AND attribute_type(c, :t) AND contains((d), :e)",
        "SET a.b[1] = if_not_exists(c, :d) + :e, f = list_append(:g, (h)), i = j - k REMOVE l[0], m ADD n :o, p.q :r DELETE s :t",
        "a, b.c[1][2].#d, e[0]",
        "pk = :p AND sk BETWEEN :a AND :b",
    };
    for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++) {
        assert_int_not_equal(try_all(text_of(valid[i])), 0);
        for (size_t len = 0; len < strlen(valid[i]); len++) {
            /* An exact copy, so that a sanitizer sees a read beyond the end. */
            char *copy = malloc(len ? len : 1);
            memcpy(copy, valid[i], len);
            try_all(text_make(copy, len));
            for (size_t k = 0; k < len; k += 7) { /* and with one byte changed */
                char was = copy[k];
                copy[k] = (char)(was ^ (1 << k % 8));
                try_all(text_make(copy, len));
                copy[k] = was;
            }
            free(copy);
            arena_reset(&arena);
        }
    }
}

static void test_token_soup(void **state)
{
    (void)state;
    static const char *const token[] = {"a", "b", "#c", ":v", ":w", "=", "<>", "<", ">=", "(", ")", "(", ")", "[0]", "[", "]", ".d", ",", "AND", "OR",
        "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE", "+", "-", "size(", "contains(", "attribute_exists(a)", "if_not_exists(", "7", "%"};
    unsigned accepted = 0;
    for (uint64_t seed = 1; seed <= 40000; seed++) {
        uint64_t random = seed * 0x9E3779B97F4A7C15u + 1;
        char text[256] = "";
        unsigned n = 1 + (unsigned)(random_next(&random) % 9);
        arena_reset(&arena);
        for (unsigned i = 0; i < n; i++) {
            strcat(text, token[random_next(&random) % (sizeof(token) / sizeof(token[0]))]);
            strcat(text, random_next(&random) % 4 ? " " : "");
        }
        accepted += try_all(text_of(text));
    }
    assert_true(accepted > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_conditions, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_updates_of_lists, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_updates_of_numbers, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_truncations, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_token_soup, arena_setup, arena_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
