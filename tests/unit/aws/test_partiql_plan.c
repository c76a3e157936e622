/* What becomes of a statement: the way it takes, its faults, its order, its pages and their tokens. */
#include "aws/fixture.h"

#define V "com.amazon.coral.validate#ValidationException"
#define N "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"
#define KEYS "Where clause does not contain a mandatory equality on all key attributes"

/* {"Statement":...} with the statement escaped. */
static int prepare(struct caller *c, const char *statement, const char *more)
{
    struct buf body;
    buf_init(&body, 1 << 16);
    buf_add_text(&body, TEXT("{\"Statement\":"));
    json_escape(&body, text_of(statement));
    buf_add_format(&body, "%s%s}", more[0] ? "," : "", more);
    buf_add_u8(&body, 0);
    int code = caller_prepare(c, "ExecuteStatement", body.data);
    buf_fini(&body);
    return code;
}

static int perform(struct caller *c)
{
    struct aws_call *call = &c->call;
    aws_body_begin(call);
    int code = call->op->perform(call, &c->store.view, NULL);
    if (!code && call->op->answer)
        call->op->answer(call);
    return code;
}

static const struct {
    const char *statement, *more;
    const char *type, *message; /* NULL: it is fine */
    enum aws_way way;
} rows[] = {
    {"SELECT * FROM simple", "", NULL, NULL, AWS_SCAN},
    {"SELECT * FROM simple WHERE id = 'a'", "", NULL, NULL, AWS_READ},
    {"SELECT * FROM simple WHERE 'a' = id", "", NULL, NULL, AWS_READ},
    {"SELECT * FROM simple WHERE id IN ['a', 'b']", "", NULL, NULL, AWS_READ},
    {"SELECT * FROM simple WHERE id = 'a' OR id = 'b'", "", NULL, NULL, AWS_READ},
    {"SELECT * FROM simple WHERE x = 1 AND (id = 'a' OR (id = 'b' AND y = 2))", "", NULL, NULL, AWS_READ},
    {"SELECT * FROM simple WHERE id = 'a' OR x = 1", "", NULL, NULL, AWS_SCAN},
    {"SELECT * FROM simple WHERE id > 'a'", "", NULL, NULL, AWS_SCAN},
    {"SELECT * FROM simple WHERE NOT id = 'a'", "", NULL, NULL, AWS_SCAN},
    {"SELECT * FROM simple WHERE id = x", "", NULL, NULL, AWS_SCAN},
    {"SELECT * FROM rich.byColor WHERE color = 'red' AND mass BETWEEN 1 AND 2", "", NULL, NULL, AWS_READ},
    {"SELECT * FROM rich.byColor WHERE p = 'a'", "", NULL, NULL, AWS_SCAN},
    {"INSERT INTO simple VALUE {'id': 'a'}", "", NULL, NULL, AWS_WRITE},
    {"UPDATE simple SET x = 1 WHERE id = 'a'", "", NULL, NULL, AWS_WRITE},
    {"DELETE FROM rich WHERE p = 'a' AND r = 1 AND x = 2", "", NULL, NULL, AWS_WRITE},

    {"SELECT * FROM nothing", "", N, "Requested resource not found", 0},
    {"SELECT * FROM rich.none", "", V, "The table does not have the specified index: none", 0},
    {"SELECT * FROM simple WHERE id = 1", "", V, "One or more parameter values were invalid: Condition parameter type does not match schema type", 0},
    {"SELECT * FROM simple WHERE id = ''", "", V,
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: id", 0},
    {"SELECT id.x FROM simple", "", V, "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: id", 0},
    {"SELECT * FROM simple WHERE begins_with(x, 1)", "", V,
        "Invalid FilterExpression: Incorrect operand type for operator or function; operator or function: begins_with, operand type: N", 0},
    {"SELECT * FROM rich WHERE p = 'a' AND r BETWEEN 2 AND 1", "", V, NULL, 0},
    {"SELECT * FROM simple WHERE id = ?", "", V, "Number of parameters in request and statement don't match.", 0},
    {"SELECT * FROM simple WHERE id = 'a'", "\"Parameters\":[{\"S\":\"a\"}]", V, "Number of parameters in request and statement don't match.", 0},
    {"SELECT * FROM simple WHERE id = ?", "\"Parameters\":[{\"SS\":[]}]", V, "One or more parameter values were invalid: An string set  may not be empty", 0},
    {"SELECT * FROM rich ORDER BY r", "", V, "Must have WHERE clause in the statement when using ORDER BY clause.", 0},
    {"SELECT * FROM rich WHERE r = 1 ORDER BY r", "", V, "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.", 0},
    {"SELECT * FROM rich WHERE p = 'a' OR x = 1 ORDER BY r", "", V,
        "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.", 0},
    {"SELECT * FROM rich WHERE p = 'a' ORDER BY x", "", V, "Variable reference x in ORDER BY clause must be part of the primary key", 0},
    {"SELECT * FROM rich WHERE p IN ['a', 'b'] ORDER BY r", "", V,
        "Must have hash key in ORDER BY clause when more than one hash key condition specified in WHERE clause.", 0},
    {"SELECT * FROM rich WHERE p = 'a' ORDER BY r DESC", "", NULL, NULL, AWS_READ},
    {"EXISTS(SELECT * FROM simple WHERE id = 'a')", "", V, "EXISTS is supported in ExecuteTransaction only", 0},
    {"INSERT INTO simple VALUE {'x': 1}", "", V, "One or more parameter values were invalid: Missing the key id in the item", 0},
    {"INSERT INTO simple VALUE {'id': 1}", "", V, "One or more parameter values were invalid: Type mismatch for key id expected: S actual: N", 0},
    {"INSERT INTO simple VALUE {'id': 'a', 'x': 1, 'x': 2}", "", V, NULL, 0},
    {"INSERT INTO rich VALUE {'p': 'a', 'r': 1, 'mass': 'x'}", "", V,
        "One or more parameter values were invalid: Type mismatch for Index Key mass Expected: N Actual: S IndexName: byColor", 0},
    {"UPDATE rich SET x = 1 WHERE p = 'a'", "", V, KEYS, 0},
    {"UPDATE rich SET x = 1", "", V, KEYS, 0},
    {"UPDATE simple SET x = 1 WHERE id > 'a'", "", V, KEYS, 0},
    {"UPDATE simple SET x = 1 WHERE id = 'a' OR id = 'b'", "", V, KEYS, 0},
    {"UPDATE simple SET x = 1 WHERE id = 1", "", V, "The provided key element does not match the schema", 0},
    {"UPDATE simple SET id = 'b' WHERE id = 'a'", "", V, "One or more parameter values were invalid: Cannot update attribute id. This attribute is part of the key", 0},
    {"UPDATE simple SET x = 1, x.y = 2 WHERE id = 'a'", "", V,
        "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [x], path two: [x, y]", 0},
    {"DELETE FROM simple", "", V, KEYS, 0},
    {"DELETE FROM rich WHERE p = 'a'", "", V, KEYS, 0},
    {"SELECT * FROM simple", "\"NextToken\":\"x\"", V, "The NextToken is not valid for this statement", 0},
    {"SELECT * FROM simple", "\"NextToken\":\"AQAA\"", V, "The NextToken is not valid for this statement", 0},
};

static void rows_hold(void **state)
{
    (void)state;
    struct caller c;
    caller_open(&c);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int code = prepare(&c, rows[i].statement, rows[i].more);
        if ((code != 0) != (rows[i].type != NULL) || strcmp(aws_fault_type(c.call.fault), rows[i].type ? rows[i].type : "") ||
            (rows[i].message && !text_is(c.call.message, rows[i].message)) || (!code && c.call.way != rows[i].way))
            fail_msg("%s\n  %d %s: %.*s (way %d)", rows[i].statement, code, aws_fault_type(c.call.fault), TEXT_FMT(c.call.message), c.call.way);
    }
    caller_close(&c);
}

static void too_many_hash_keys(void **state)
{
    (void)state;
    struct caller c;
    struct buf text;
    caller_open(&c);
    for (int count = 50; count <= 51; count++) {
        buf_init(&text, 1 << 16);
        buf_add_text(&text, TEXT("SELECT * FROM simple WHERE id IN ('k0'"));
        for (int i = 1; i < count; i++)
            buf_add_format(&text, ", 'k%d'%s", i, i < 9 ? ", 'k0'" : ""); /* one that comes again counts once */
        buf_add_char(&text, ')');
        buf_add_u8(&text, 0);
        int code = prepare(&c, text.data, "");
        assert_int_equal(code != 0, count == 51);
        buf_fini(&text);
    }
    assert_true(text_is(c.call.message, "The WHERE clause has too many values for the hash key; maximum: 50"));
    caller_close(&c);
}

/* ---- with items ---- */

static void run(struct caller *c, const char *statement)
{
    if (prepare(c, statement, "") || perform(c))
        fail_msg("%s: %.*s", statement, TEXT_FMT(c->call.message));
}

static void fill(struct caller *c)
{
    char statement[200];
    for (int p = 0; p < 4; p++)
        for (int r = 0; r < 6; r++) {
            snprintf(statement, sizeof(statement), "INSERT INTO rich VALUE {'p': 'p%d', 'r': %d, 'color': '%s', 'mass': %d, 'odd': %s}", p, r, r < 3 ? "red" : "blue", p * 10 + r,
                r % 2 ? "true" : "false");
            run(c, statement);
        }
    fixture_commit(&c->store);
}

/* The items of a page as "p0/1 p0/3 ...". */
static void collect(struct caller *c, struct buf *out, struct text *token)
{
    const struct json *root;
    struct err err;
    if (json_parse(&c->arena, buf_text(&c->call.body), JSON_COPY, &root, &err))
        fail_msg("%s: %.*s", err.text, TEXT_FMT(buf_text(&c->call.body)));
    for (const struct json *at = json_get_str(root, "Items")->first; at; at = at->next)
        buf_add_format(out, "%s%.*s/%.*s", out->len ? " " : "", TEXT_FMT(json_path(at, TEXT("p.S"))->text), TEXT_FMT(json_path(at, TEXT("r.N"))->text));
    const struct json *more = json_get_str(root, "NextToken");
    assert_int_equal(!more, !json_get_str(root, "LastEvaluatedKey"));
    *token = more ? more->text : TEXT_NONE;
}

/* All pages of a statement, `limit` items examined on each (0: no limit). */
static void read_all(struct caller *c, const char *statement, int limit, struct buf *out)
{
    char more[4096] = "", token[3072] = "";
    do {
        struct text next;
        int len = limit ? snprintf(more, sizeof(more), "\"Limit\":%d", limit) : 0;
        if (token[0])
            snprintf(more + len, sizeof(more) - (size_t)len, ",\"NextToken\":\"%s\"", token);
        if (prepare(c, statement, more) || perform(c))
            fail_msg("%s: %.*s", statement, TEXT_FMT(c->call.message));
        collect(c, out, &next);
        assert_true(next.len < sizeof(token));
        if (next.len)
            memcpy(token, next.data, next.len);
        token[next.len] = 0;
    } while (token[0]);
}

static const struct {
    const char *statement, *expected;
} reads[] = {
    {"SELECT p, r FROM rich WHERE p = 'p1'", "p1/0 p1/1 p1/2 p1/3 p1/4 p1/5"},
    {"SELECT p, r FROM rich WHERE p = 'p1' AND r > 3", "p1/4 p1/5"},
    {"SELECT p, r FROM rich WHERE 2 >= r AND p = 'p1' ORDER BY r DESC", "p1/2 p1/1 p1/0"},
    {"SELECT p, r FROM rich WHERE p = 'p1' AND r > 1 AND r < 4", "p1/2 p1/3"},
    {"SELECT p, r FROM rich WHERE p = 'p1' AND r BETWEEN 1 AND 4 AND odd = true", "p1/1 p1/3"},
    {"SELECT p, r FROM rich WHERE p = 'p1' AND p = 'p2'", ""},
    {"SELECT p, r FROM rich WHERE p IN ['p3', 'p1', 'p3', 'none', 'p2'] AND r < 2", "p3/0 p3/1 p1/0 p1/1 p2/0 p2/1"},
    {"SELECT p, r FROM rich WHERE p IN ('p3', 'p1', 'p2') AND r < 2 ORDER BY p", "p1/0 p1/1 p2/0 p2/1 p3/0 p3/1"},
    {"SELECT p, r FROM rich WHERE p IN ('p3', 'p1', 'p2') AND r < 2 ORDER BY p DESC, r", "p3/0 p3/1 p2/0 p2/1 p1/0 p1/1"},
    {"SELECT p, r FROM rich WHERE p IN ('p3', 'p1', 'p2') AND r < 2 ORDER BY p, r DESC", "p1/1 p1/0 p2/1 p2/0 p3/1 p3/0"},
    {"SELECT p, r FROM rich WHERE (p = 'p3' AND r = 1) OR (p = 'p2' AND r = 5)", "p3/1 p2/5"},
    {"SELECT p, r FROM rich WHERE r = 5", "p0/5 p1/5 p2/5 p3/5"},
    {"SELECT p, r FROM rich WHERE p = 'p2' OR r = 5", "p0/5 p1/5 p2/0 p2/1 p2/2 p2/3 p2/4 p2/5 p3/5"},
    {"SELECT p, r FROM rich.byColor WHERE color = 'red' AND mass >= 20", "p2/0 p2/1 p2/2 p3/0 p3/1 p3/2"},
    {"SELECT p, r FROM rich.byColor WHERE color IN ('red', 'blue') AND mass BETWEEN 11 AND 21 ORDER BY color DESC, mass DESC", "p2/1 p2/0 p1/2 p1/1 p1/5 p1/4 p1/3"},
    {"SELECT p, r FROM rich.keysOnly WHERE color = 'blue' AND p = 'p1' ORDER BY color", "p1/3 p1/4 p1/5"},
};

static void reads_and_their_pages(void **state)
{
    (void)state;
    struct caller c;
    caller_open(&c);
    fill(&c);
    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++)
        for (int limit = 0; limit < 8; limit++) {
            struct buf out;
            buf_init(&out, 1 << 16);
            read_all(&c, reads[i].statement, limit, &out);
            if (!text_is(buf_text(&out), reads[i].expected))
                fail_msg("%s (limit %d)\n  expected %s\n  got      %.*s", reads[i].statement, limit, reads[i].expected, TEXT_FMT(buf_text(&out)));
            buf_fini(&out);
        }
    caller_close(&c);
}

/* A token of one statement, changed in every place: refused, or read as a place of this statement. Never items that its WHERE does not allow. */
static void tokens_are_hostile(void **state)
{
    static const char statement[] = "SELECT p, r FROM rich.byColor WHERE color = 'red' AND mass > 2";
    (void)state;
    struct caller c;
    struct text token;
    struct buf out;
    char good[1024], more[1100];
    caller_open(&c);
    fill(&c);
    buf_init(&out, 1 << 16);
    assert_int_equal(prepare(&c, statement, "\"Limit\":2"), 0);
    assert_int_equal(perform(&c), 0);
    collect(&c, &out, &token);
    assert_true(token.len && token.len < sizeof(good));
    memcpy(good, token.data, token.len);
    size_t len = token.len;
    for (size_t at = 0; at <= len; at++)
        for (int k = 0; k < 4; k++) {
            char changed[1024];
            memcpy(changed, good, len);
            if (at < len)
                changed[at] = "A/z9"[k];
            snprintf(more, sizeof(more), "\"NextToken\":\"%.*s\"", (int)(at < len ? len : (size_t)k * 16), changed);
            buf_clear(&out);
            if (at == len && k == 0)
                continue; /* an empty one is refused by its shape */
            if (prepare(&c, statement, more))
                continue;
            assert_int_equal(perform(&c), 0);
            collect(&c, &out, &token);
            for (size_t i = 0; i + 4 <= out.len; i += 5)
                assert_true(out.data[i + 3] < '3'); /* red */
        }
    snprintf(more, sizeof(more), "\"NextToken\":\"%.*s\"", (int)len, good);
    assert_int_equal(prepare(&c, statement, more), 0);
    assert_int_not_equal(prepare(&c, "SELECT p, r FROM rich.byColor WHERE color = 'red' AND mass > 3", more), 0);
    assert_int_not_equal(prepare(&c, "SELECT p, r FROM rich", more), 0);
    buf_fini(&out);
    caller_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_hold),
        cmocka_unit_test(too_many_hash_keys),
        cmocka_unit_test(reads_and_their_pages),
        cmocka_unit_test(tokens_are_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
