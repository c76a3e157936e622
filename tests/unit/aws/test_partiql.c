/* Statements as they are understood: each is printed again from its forms. And what is none: every truncation, every byte changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "aws/partiql.h"

#define BROKEN "Statement wasn't well formed, can't be processed: "

/* ---- printing ---- */

static void print_value(struct buf *out, const struct attr *value)
{
    struct json_writer w;
    json_writer_init(&w, out);
    attr_to_wire(&w, value);
}

static void print_path(struct buf *out, const struct expr_form *path)
{
    for (uint32_t i = 0; i < path->count; i++) {
        if (path->step[i].is_index)
            buf_add_format(out, "[%u]", path->step[i].index);
        else
            buf_add_format(out, "%s%.*s", i ? "." : "", TEXT_FMT(path->step[i].name));
    }
}

static void print_form(struct buf *out, const struct expr_form *form)
{
    static const char *const name[] = {"or", "and", "not", "=", "<>", "<", "<=", ">", ">=", "between", "in", "exists", "missing", "null", "type", "begins", "contains",
        "size", "append", "+", "-"};
    if (form->op == FORM_VALUE) {
        print_value(out, form->value);
        return;
    }
    if (form->op == FORM_PATH) {
        print_path(out, form);
        return;
    }
    buf_add_format(out, "(%s", name[form->op]);
    for (const struct expr_form *at = form->first; at; at = at->next) {
        buf_add_char(out, ' ');
        print_form(out, at);
    }
    buf_add_char(out, ')');
}

static void print_columns(struct buf *out, const struct partiql_statement *s)
{
    if (!s->columns)
        buf_add_text(out, TEXT(" *"));
    for (size_t i = 0; i < s->columns; i++) {
        buf_add_text(out, i ? TEXT(", ") : TEXT(" "));
        print_path(out, s->column[i]);
        buf_add_format(out, ":%.*s", TEXT_FMT(s->label[i]));
    }
}

static void print_actions(struct buf *out, const struct partiql_statement *s)
{
    static const char *const name[] = {"set", "remove", "add", "delete"};
    for (size_t i = 0; i < s->actions; i++) {
        buf_add_format(out, " %s ", name[s->action[i].section]);
        print_path(out, s->action[i].path);
        if (s->action[i].value) {
            buf_add_char(out, ' ');
            print_form(out, s->action[i].value);
        }
    }
}

static void print_statement(struct buf *out, const struct partiql_statement *s)
{
    static const char *const kind[] = {"select", "insert", "update", "delete", "exists"};
    static const char *const returning[] = {"", " all old", " modified old", " all new", " modified new"};
    buf_add_text(out, text_of(kind[s->kind]));
    if (s->kind == PARTIQL_READ || s->kind == PARTIQL_CHECK)
        print_columns(out, s);
    buf_add_format(out, " %.*s", TEXT_FMT(s->table));
    if (s->index.len)
        buf_add_format(out, "/%.*s", TEXT_FMT(s->index));
    if (s->item) {
        buf_add_char(out, ' ');
        print_value(out, s->item);
    }
    print_actions(out, s);
    if (s->where) {
        buf_add_text(out, TEXT(" where "));
        print_form(out, s->where);
    }
    for (size_t i = 0; i < s->orders; i++)
        buf_add_format(out, " by %.*s%s", TEXT_FMT(s->order[i].name), s->order[i].descending ? " down" : "");
    buf_add_text(out, text_of(returning[s->returning]));
}

/* ---- parsing ---- */

static const struct attr *const *parameters(size_t *count)
{
    static struct attr element = {.type = ATTR_BINARY, .text = {"b", 1}};
    static const struct attr value[] = {{.type = ATTR_STRING, .text = {"one", 3}}, {.type = ATTR_NUMBER, .text = {"2", 1}},
        {.type = ATTR_BINARY_SET, .count = 1, .first = &element, .last = &element}, {.type = ATTR_BINARY, .text = {"\0", 1}}};
    static const struct attr *const list[] = {&value[0], &value[1], &value[2], &value[3]};
    *count = 4;
    return list;
}

static int parse(struct arena *arena, struct text text, size_t given, struct buf *printed, struct text *message)
{
    struct expr_env env;
    struct partiql_statement s;
    size_t most;
    const struct attr *const *list = parameters(&most);
    expr_env_init(&env, arena);
    int code = partiql_parse(&env, text, list, given, &s);
    if (!code && printed)
        print_statement(printed, &s);
    *message = code ? env.message : TEXT_NONE;
    assert_true(code <= 0 && (!code || env.message.len));
    return code;
}

struct row {
    const char *statement;
    size_t given; /* parameters */
    const char *expected; /* printed, or behind '!' the sentence */
};

static const struct row rows[] = {
    {"SELECT * FROM Music", 0, "select * Music"},
    {"select * from \"Mu-sic\".\"by \"\"x\"\"\" ;", 0, "select * Mu-sic/by \"x\""},
    {"SELECT a, b.c[0].\"d e\"[1][2], f['g.h'] FROM t", 0, "select a:a, b.c[0].d e[1][2]:d e[1][2], f.g.h:g.h t"},
    {"SELECT /* all */ * -- of it\nFROM t", 0, "select * t"},
    {"SELECT * FROM t WHERE a = 'it''s' AND b <> 1.50 and c != -2E2 AND d < 1 AND e <= 2 AND f > 3 AND g >= 4", 0,
        "select * t where (and (= a {\"S\":\"it's\"}) (<> b {\"N\":\"1.5\"}) (<> c {\"N\":\"-200\"}) (< d {\"N\":\"1\"}) (<= e {\"N\":\"2\"}) (> f {\"N\":\"3\"}) (>= g "
        "{\"N\":\"4\"}))"},
    {"SELECT * FROM t WHERE a = 1 OR b = 2 AND NOT c = 3", 0, "select * t where (or (= a {\"N\":\"1\"}) (and (= b {\"N\":\"2\"}) (not (= c {\"N\":\"3\"}))))"},
    {"SELECT * FROM t WHERE (a = 1 OR (b) = 2) AND NOT NOT (c = 3)", 0,
        "select * t where (and (or (= a {\"N\":\"1\"}) (= b {\"N\":\"2\"})) (= c {\"N\":\"3\"}))"},
    {"SELECT * FROM t WHERE a BETWEEN 1 AND 2 AND b NOT BETWEEN ? AND ?", 2,
        "select * t where (and (between a {\"N\":\"1\"} {\"N\":\"2\"}) (not (between b {\"S\":\"one\"} {\"N\":\"2\"})))"},
    {"SELECT * FROM t WHERE a IN [1, 'x'] AND b NOT IN (?, c)", 1, "select * t where (and (in a {\"N\":\"1\"} {\"S\":\"x\"}) (not (in b {\"S\":\"one\"} c)))"},
    {"SELECT * FROM t WHERE a IS MISSING AND b IS NOT MISSING AND c IS NULL AND d IS NOT NULL", 0,
        "select * t where (and (missing a) (exists b) (null c) (not (null d)))"},
    {"SELECT * FROM t WHERE BEGINS_WITH(a, 'x') AND contains(\"b\".c, 'y') AND attribute_type(c, 'N') AND Size(d) > 3", 0,
        "select * t where (and (begins a {\"S\":\"x\"}) (contains b.c {\"S\":\"y\"}) (type c {\"S\":\"N\"}) (> (size d) {\"N\":\"3\"}))"},
    {"SELECT * FROM t WHERE a = TRUE AND b = false AND c = Null AND d = [] AND e = {} AND f = {'x': [1, {'y': null}], 'z': ''}", 0,
        "select * t where (and (= a {\"BOOL\":true}) (= b {\"BOOL\":false}) (= c {\"NULL\":true}) (= d {\"L\":[]}) (= e {\"M\":{}}) (= f {\"M\":{\"x\":{\"L\":[{\"N\":\"1\"},"
        "{\"M\":{\"y\":{\"NULL\":true}}}]},\"z\":{\"S\":\"\"}}}))"},
    {"SELECT * FROM t WHERE a = <<'x', 'y'>> AND b = <<1, 2.0>> AND c = <<?>>", 0, "!Number of parameters in request and statement don't match."},
    {"SELECT * FROM t WHERE a = <<'x', 'y'>> AND b = <<1, 2.0>>", 0, "select * t where (and (= a {\"SS\":[\"x\",\"y\"]}) (= b {\"NS\":[\"1\",\"2\"]}))"},
    {"SELECT * FROM t WHERE a = ? AND b = ? AND c = ? AND d = <<?>>", 4,
        "select * t where (and (= a {\"S\":\"one\"}) (= b {\"N\":\"2\"}) (= c {\"BS\":[\"Yg==\"]}) (= d {\"BS\":[\"AA==\"]}))"},
    {"SELECT * FROM t WHERE 12345678901234567890123456789012345678 = a", 0, "select * t where (= {\"N\":\"12345678901234567890123456789012345678\"} a)"},
    {"SELECT * FROM t WHERE a = 1 ORDER BY a DESC, b ASC, c", 0, "select * t where (= a {\"N\":\"1\"}) by a down by b by c"},
    {"INSERT INTO t VALUE {'a': 1, 'b': ?}", 1, "insert t {\"M\":{\"a\":{\"N\":\"1\"},\"b\":{\"S\":\"one\"}}}"},
    {"INSERT INTO \"t\" value {}", 0, "insert t {\"M\":{}}"},
    {"UPDATE t SET a = 1 SET b.c = d + 2 - e, f = LIST_APPEND(f, [1]) REMOVE g[1], h WHERE k = 1", 0,
        "update t set a {\"N\":\"1\"} set b.c (- (+ d {\"N\":\"2\"}) e) set f (append f {\"L\":[{\"N\":\"1\"}]}) remove g[1] remove h where (= k {\"N\":\"1\"})"},
    {"UPDATE t SET a.b = set_add(a.b, <<1>>) SET c = SET_DELETE(c, ?) WHERE k = 1 RETURNING ALL OLD *", 0, "!Number of parameters in request and statement don't match."},
    {"UPDATE t SET a.b = set_add(a.b, <<1>>) SET c = SET_DELETE(c, <<'x'>>) WHERE k = 1 RETURNING MODIFIED NEW *", 0,
        "update t add a.b {\"NS\":[\"1\"]} delete c {\"SS\":[\"x\"]} where (= k {\"N\":\"1\"}) modified new"},
    {"UPDATE t REMOVE a RETURNING ALL NEW *", 0, "update t remove a all new"},
    {"UPDATE t REMOVE a RETURNING MODIFIED OLD *", 0, "update t remove a modified old"},
    {"DELETE FROM t WHERE a = 1 RETURNING all old *", 0, "delete t where (= a {\"N\":\"1\"}) all old"},
    {"EXISTS(SELECT * FROM t WHERE a = 1 AND b IS MISSING)", 0, "exists * t where (and (= a {\"N\":\"1\"}) (missing b))"},
    {"SELECT all, old, modified, key FROM t WHERE new = 1", 0, "select all:all, old:old, modified:modified, key:key t where (= new {\"N\":\"1\"})"},

    {"", 0, "!" BROKEN "Expected data manipulation"},
    {"   ", 0, "!" BROKEN "Expected data manipulation"},
    {"CREATE TABLE t", 0, "!" BROKEN "Expected data manipulation"},
    {"UPDATE my-table SET a = 1", 0, "!" BROKEN "Expected data manipulation"},
    {"SELECT", 0, "!" BROKEN "Unexpected term; line 1, column 7: the end of the statement"},
    {"SELECT *\n  WHERE", 0, "!" BROKEN "Expected FROM; line 2, column 3: WHERE"},
    {"SELECT * FROM", 0, "!" BROKEN "Expected the name of a table; line 1, column 14: the end of the statement"},
    {"SELECT * FROM t LIMIT 5", 0, "!" BROKEN "Unsupported clause; line 1, column 17: LIMIT"},
    {"SELECT * FROM t GROUP BY a", 0, "!" BROKEN "Unsupported clause; line 1, column 17: GROUP"},
    {"SELECT * FROM t u", 0, "!" BROKEN "Unexpected token after expression; line 1, column 17: u"},
    {"SELECT COUNT(*) FROM t", 0, "!" BROKEN "Unsupported function; line 1, column 8: COUNT"},
    {"SELECT a.size. FROM t", 0, "!" BROKEN "Invalid path dot component; line 1, column 16: FROM"},
    {"SELECT * FROM t WHERE", 0, "!" BROKEN "Unexpected term; line 1, column 22: the end of the statement"},
    {"SELECT * FROM t WHERE a", 0, "!" BROKEN "Expected a condition; line 1, column 24: the end of the statement"},
    {"SELECT * FROM t WHERE a LIKE 'x%'", 0, "!" BROKEN "Unsupported operator; line 1, column 25: LIKE"},
    {"SELECT * FROM t WHERE a = 1 AND", 0, "!" BROKEN "Unexpected term; line 1, column 32: the end of the statement"},
    {"SELECT * FROM t WHERE a = b = c", 0, "!" BROKEN "Unexpected token after expression; line 1, column 29: ="},
    {"SELECT * FROM t WHERE a = (b = c)", 0, "!" BROKEN "Expected a value or a document path; line 1, column 27: ("},
    {"SELECT * FROM t WHERE a + 1 = 2", 0, "!" BROKEN "Expected a condition; line 1, column 25: +"},
    {"SELECT * FROM t WHERE upper(a) = 'X'", 0, "!" BROKEN "Unsupported function; line 1, column 23: upper"},
    {"SELECT * FROM t WHERE size(a, b) = 1", 0, "!" BROKEN "Incorrect number of operands for the function; line 1, column 23: size"},
    {"SELECT * FROM t WHERE a = 'x", 0, "!" BROKEN "Unexpected token; line 1, column 27: 'x"},
    {"SELECT * FROM t WHERE a = 12x", 0, "!" BROKEN "Unexpected token; line 1, column 27: 12x"},
    {"SELECT * FROM t WHERE a = 123456789012345678901234567890123456789", 0,
        "!" BROKEN "A number has up to 38 digits and a magnitude from 1E-130 to 9.9999999999999999999999999999999999999E+125; line 1, column 27: "
                   "123456789012345678901234567890123456789"},
    {"SELECT * FROM t WHERE a = <<>>", 0, "!" BROKEN "A set may not be empty; line 1, column 27: <<"},
    {"SELECT * FROM t WHERE a = <<1, 'x'>>", 0, "!" BROKEN "The elements of a set must be of one type; line 1, column 27: <<"},
    {"SELECT * FROM t WHERE a = <<1, 1.0>>", 0, "!Input collection contains duplicates"},
    {"SELECT * FROM t WHERE a IN 1", 0, "!" BROKEN "Expected a list of values in brackets or parentheses; line 1, column 28: 1"},
    {"SELECT * FROM t WHERE 'x' IS MISSING", 0, "!" BROKEN "IS needs a document path as its operand; line 1, column 30: MISSING"},
    {"SELECT * FROM t WHERE EXISTS(SELECT * FROM t)", 0, "!" BROKEN "EXISTS is a statement of its own, in ExecuteTransaction alone; line 1, column 23: EXISTS"},
    {"SELECT * FROM t WHERE list_append(a, b) = c", 0, "!" BROKEN "Unsupported function; line 1, column 23: list_append"},
    {"SELECT \"\" FROM t", 0, "!" BROKEN "A name may not be empty; line 1, column 8: \"\""},
    {"SELECT a[x] FROM t", 0, "!" BROKEN "Expected the position of a list element; line 1, column 10: x"},
    {"SELECT a[99999999999] FROM t", 0, "!" BROKEN "Expected the position of a list element; line 1, column 10: 99999999999"},
    {"SELECT \xc3\xa9 FROM t", 0, "!" BROKEN "Unexpected token; line 1, column 8: \xc3\xa9"},
    {"INSERT INTO t VALUES (1)", 0, "!" BROKEN "Unexpected keyword; line 1, column 15: VALUES"},
    {"INSERT INTO t (a) VALUES (1)", 0, "!" BROKEN "Unexpected term; line 1, column 15: ("},
    {"INSERT INTO t VALUE 5", 0, "!" BROKEN "Expected an item in braces; line 1, column 21: 5"},
    {"INSERT INTO t VALUE ?", 1, "!" BROKEN "Expected an item in braces; line 1, column 21: ?"},
    {"INSERT INTO t VALUE ?", 0, "!Number of parameters in request and statement don't match."},
    {"INSERT INTO t VALUE {\"a\": 1}", 0, "!" BROKEN "Expected an attribute name in single quotes; line 1, column 22: \"a\""},
    {"INSERT INTO t VALUE <<{'a': 1}, {'a': 2}>>", 0,
        "!Unsupported operation: Inserting multiple items in a single statement is not supported, use \"INSERT INTO tableName VALUE item\" instead"},
    {"INSERT INTO t VALUE {'a': 1} ON CONFLICT DO NOTHING", 0, "!" BROKEN "Unsupported clause; line 1, column 30: ON"},
    {"UPDATE t SET a = size(b) WHERE k = 1", 0, "!" BROKEN "Unsupported function; line 1, column 18: size"},
    {"UPDATE t SET a = set_add(b, <<1>>) WHERE k = 1", 0, "!" BROKEN "SET_ADD and SET_DELETE change the attribute that is set; line 1, column 18: set_add"},
    {"UPDATE t SET a = set_add(a, 1) WHERE k = 1", 0, "!" BROKEN "SET_ADD and SET_DELETE need a set as their second operand; line 1, column 18: set_add"},
    {"UPDATE t SET a = 1 WHERE k = 1 RETURNING SOME *", 0,
        "!" BROKEN "Expected ALL OLD *, MODIFIED OLD *, ALL NEW * or MODIFIED NEW *; line 1, column 42: SOME"},
    {"DELETE FROM t WHERE k = 1 RETURNING ALL NEW *", 0, "!" BROKEN "DELETE can return ALL OLD * only; line 1, column 45: *"},
    {"DELETE t", 0, "!" BROKEN "Expected FROM; line 1, column 8: t"},
    {"SELECT * FROM t WHERE a = ?", 2, "!Number of parameters in request and statement don't match."},
};

static void rows_hold(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct buf printed;
        struct text message;
        buf_init(&printed, 1 << 16);
        arena_reset(&arena);
        int code = parse(&arena, text_of(row->statement), row->given, &printed, &message);
        bool fails = row->expected[0] == '!';
        struct text expected = text_of(row->expected + fails), got = code ? message : buf_text(&printed);
        if (fails != (code != 0) || !text_equal(expected, got))
            fail_msg("%s\n  expected %.*s\n  got      %.*s", row->statement, TEXT_FMT(expected), TEXT_FMT(got));
        buf_fini(&printed);
    }
    arena_fini(&arena);
}

/* From a copy of its own size, so that a sanitizer sees a read beyond it. */
static int parse_copy(struct arena *arena, const char *statement, size_t len, size_t given)
{
    struct text message;
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, statement, len);
    arena_reset(arena);
    int code = parse(arena, text_make(copy, len), given, NULL, &message);
    free(copy);
    return code;
}

static void truncations_are_refused_or_read(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t len = 0; len <= strlen(rows[i].statement); len++)
            parse_copy(&arena, rows[i].statement, len, rows[i].given);
    arena_fini(&arena);
}

static void changed_bytes_are_refused_or_read(void **state)
{
    static const char other[] = "'\"()[]{}<>.,:;?*+-=!@ \n\0\xff" "a0";
    (void)state;
    struct arena arena;
    char statement[1024];
    arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t at = 0, len = strlen(rows[i].statement); at < len && len < sizeof(statement); at++)
            for (size_t k = 0; k < sizeof(other) - 1; k++) {
                memcpy(statement, rows[i].statement, len);
                statement[at] = other[k];
                parse_copy(&arena, statement, len, rows[i].given);
            }
    arena_fini(&arena);
}

/* `head`, then `piece` until the statement is full. */
static int parse_repeated(struct arena *arena, const char *head, const char *piece, const char *tail)
{
    static char statement[PARTIQL_TEXT_MAX];
    size_t len = strlen(head);
    memcpy(statement, head, len);
    for (; len + strlen(piece) + strlen(tail) <= sizeof(statement); len += strlen(piece))
        memcpy(statement + len, piece, strlen(piece));
    memcpy(statement + len, tail, strlen(tail));
    return parse_copy(arena, statement, len + strlen(tail), 0);
}

static void the_longest_statements(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 4096, 4 << 20);
    assert_int_equal(parse_repeated(&arena, "SELECT * FROM t WHERE ", "(", ""), ERR_INVALID);
    assert_int_equal(parse_repeated(&arena, "SELECT * FROM t WHERE a = ", "[", ""), ERR_INVALID);
    assert_int_equal(parse_repeated(&arena, "SELECT * FROM t WHERE a = ", "{'a':", ""), ERR_INVALID);
    assert_int_equal(parse_repeated(&arena, "SELECT * FROM t WHERE ", "size(", ""), ERR_INVALID);
    assert_int_equal(parse_repeated(&arena, "SELECT a", ".a", " FROM t"), ERR_INVALID);
    assert_int_equal(parse_repeated(&arena, "UPDATE t SET a = 1", "+1", " WHERE k = 1"), ERR_INVALID);
    assert_int_equal(parse_repeated(&arena, "SELECT * FROM t WHERE a = 1 ORDER BY a", ",a", ""), ERR_INVALID);
    assert_int_equal(parse_repeated(&arena, "SELECT * FROM t WHERE ", "NOT ", "a = 1"), 0);
    assert_int_equal(parse_repeated(&arena, "SELECT * FROM t WHERE a = 1", " OR a = 1", ""), ERR_INVALID);
    assert_int_equal(parse_repeated(&arena, "SELECT a", ",a", " FROM t"), 0);
    assert_int_equal(parse_repeated(&arena, "SELECT * FROM t WHERE a = [1", ",1", "]"), 0);
    assert_int_equal(parse_repeated(&arena, "UPDATE t REMOVE a", ",a", ""), 0);
    for (int terms = 298; terms <= 301; terms++) { /* each is an operator, and their OR is one */
        char statement[8192] = "SELECT * FROM t WHERE a = 1";
        for (int i = 1; i < terms; i++)
            strcat(statement, " OR a = 1");
        assert_int_equal(parse_copy(&arena, statement, strlen(statement), 0), terms < EXPR_OPERATORS_MAX ? 0 : ERR_INVALID);
    }
    arena_fini(&arena);
}

/* Without memory it says so, wherever that is. */
static void memory_ends_anywhere(void **state)
{
    (void)state;
    const char *statement = "UPDATE t SET a = LIST_APPEND(a, [1, {'x': 'it''s'}]), b = <<1, 2>> REMOVE c[1] WHERE k = 1 AND (l IN [1, 2] OR NOT m IS NULL) RETURNING ALL NEW *";
    for (size_t limit = 64; limit < 16384; limit += 64) {
        struct arena arena;
        struct text message;
        struct expr_env env;
        struct partiql_statement s;
        arena_init(&arena, 64, limit);
        expr_env_init(&env, &arena);
        int code = partiql_parse(&env, text_of(statement), NULL, 0, &s);
        assert_true(code == 0 || code == ERR_MEMORY);
        assert_int_equal(env.code, code);
        message = env.message;
        assert_true(!code || !message.len);
        arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_hold),
        cmocka_unit_test(truncations_are_refused_or_read),
        cmocka_unit_test(changed_bytes_are_refused_or_read),
        cmocka_unit_test(the_longest_statements),
        cmocka_unit_test(memory_ends_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
