/*
 * PartiQL for DynamoDB (Developer Guide, "PartiQL - a SQL-compatible query language for Amazon DynamoDB"), a subset of SQL in four statements.
 *
 * A statement goes through the same machinery as every other request: its text becomes forms (store/expr_build.h), which become the conditions, projections and
 * updates that expressions become; the plan then fills a struct ddb_page or a struct ddb_write. Nothing is evaluated here.
 *
 * partiql_lex.c words · partiql_parse.c statements · partiql_term.c conditions · partiql_value.c values · partiql_plan.c statement and table · partiql_select.c
 * queries and scans · partiql_run.c ExecuteStatement · partiql_batch.c BatchExecuteStatement · partiql_transact.c ExecuteTransaction · partiql_get.c the read
 * of one item · partiql_token.c NextToken
 */
#ifndef WEIR_AWS_PARTIQL_H
#define WEIR_AWS_PARTIQL_H

#include "aws/page.h"
#include "aws/write.h"
#include "store/expr_build.h"

#define PARTIQL_TEXT_MAX 8192      /* bytes of a statement; the shapes refuse more */
#define PARTIQL_DEPTH_MAX 64       /* levels of parentheses and functions */
#define PARTIQL_HASHES_MAX 50      /* hash key values of one SELECT, as AWS has it */
#define PARTIQL_ORDER_MAX 8        /* keys of ORDER BY: as many as an index may have */

/* ---- partiql_lex.c ---- */
enum partiql_token_type {
    PARTIQL_END, PARTIQL_BAD, PARTIQL_NAME, PARTIQL_KEYWORD, PARTIQL_QUOTED, PARTIQL_STRING, PARTIQL_NUMBER, PARTIQL_PARAMETER,
    PARTIQL_OPEN, PARTIQL_CLOSE, PARTIQL_OPEN_LIST, PARTIQL_CLOSE_LIST, PARTIQL_OPEN_MAP, PARTIQL_CLOSE_MAP, PARTIQL_OPEN_SET, PARTIQL_CLOSE_SET,
    PARTIQL_COMMA, PARTIQL_DOT, PARTIQL_COLON, PARTIQL_SEMICOLON, PARTIQL_STAR, PARTIQL_PLUS, PARTIQL_MINUS,
    PARTIQL_EQ, PARTIQL_NE, PARTIQL_LT, PARTIQL_LE, PARTIQL_GT, PARTIQL_GE
};
/* Words that name nothing unless they are quoted. Those behind NULL are of SQL alone: they are known in order to be refused by name. */
#define PARTIQL_KEYWORDS(X)                                                                                                               \
    X(SELECT) X(FROM) X(WHERE) X(AND) X(OR) X(NOT) X(IN) X(BETWEEN) X(IS) X(MISSING) X(TRUE) X(FALSE) X(ORDER) X(BY) X(ASC) X(DESC)       \
    X(INSERT) X(INTO) X(VALUE) X(UPDATE) X(SET) X(REMOVE) X(DELETE) X(RETURNING) X(EXISTS) X(NULL)                                        \
    X(GROUP) X(HAVING) X(LIMIT) X(OFFSET) X(JOIN) X(LIKE) X(AS) X(CASE) X(CAST) X(UNION) X(DISTINCT) X(ON) X(VALUES)
enum partiql_keyword {
    PARTIQL_NO_KEYWORD,
#define X(word) PARTIQL_##word,
    PARTIQL_KEYWORDS(X)
#undef X
};
struct partiql_token {
    uint8_t type, keyword;
    uint16_t at, len; /* bytes, quotes included */
};
/* All words of a statement (at most PARTIQL_TEXT_MAX bytes) and a PARTIQL_END, in the arena; NULL without memory. What begins no word is PARTIQL_BAD. */
const struct partiql_token *partiql_lex(struct arena *arena, struct text statement, size_t *count);
/* What stands between the quotes of a PARTIQL_STRING or PARTIQL_QUOTED, doubled quotes made one. data NULL without memory. */
struct text partiql_unquote(struct arena *arena, struct text word);

/* ---- partiql_parse.c, partiql_term.c, partiql_value.c ---- */
enum partiql_kind { PARTIQL_READ, PARTIQL_PUT, PARTIQL_CHANGE, PARTIQL_ERASE, PARTIQL_CHECK }; /* SELECT INSERT UPDATE DELETE EXISTS(SELECT) */
enum partiql_returning { PARTIQL_RETURN_NONE, PARTIQL_RETURN_ALL_OLD, PARTIQL_RETURN_MODIFIED_OLD, PARTIQL_RETURN_ALL_NEW, PARTIQL_RETURN_MODIFIED_NEW };
struct partiql_order {
    struct text name;
    bool descending;
};
struct partiql_statement {
    enum partiql_kind kind;
    struct text table, index;                /* index empty: none */
    struct expr_form **column;               /* SELECT: paths; NULL for * */
    struct text *label;
    size_t columns;
    const struct expr_form *where;           /* NULL: none */
    struct partiql_order order[PARTIQL_ORDER_MAX];
    size_t orders;
    const struct attr *item;                 /* INSERT: a map */
    const struct expr_form_action *action;   /* UPDATE */
    size_t actions;
    enum partiql_returning returning;
};
/*
 * 0; ERR_INVALID (ValidationException) with the sentence in env->message; ERR_MEMORY. Everything lives in env->arena and borrows `text` and the parameters.
 * Any thread; nothing but the arguments is read.
 */
int partiql_parse(struct expr_env *env, struct text text, const struct attr *const *parameter, size_t parameters, struct partiql_statement *out);

/* Inside the parser. */
struct partiql_parser {
    struct expr_env *env;
    struct arena *arena;
    struct text text;
    const struct partiql_token *token;
    size_t at;
    const struct attr *const *parameter;
    size_t parameters, used; /* given; met so far */
    int depth;
    uint32_t operators;      /* and functions, at most EXPR_OPERATORS_MAX: what judging one item may cost */
    bool is_update;          /* the right side of SET: arithmetic and its functions are known */
    int code;                /* of the failure, once a function has answered NULL or false */
};
enum partiql_token_type partiql_peek(const struct partiql_parser *p);
enum partiql_keyword partiql_word(const struct partiql_parser *p); /* PARTIQL_NO_KEYWORD when it is none */
bool partiql_accept(struct partiql_parser *p, enum partiql_token_type type);
bool partiql_accept_word(struct partiql_parser *p, enum partiql_keyword keyword);
bool partiql_expect(struct partiql_parser *p, enum partiql_token_type type, const char *what);
struct text partiql_token_text(const struct partiql_parser *p);
/* Notes "Statement wasn't well formed, can't be processed: WHAT", with the place of the current word. */
void *partiql_fail(struct partiql_parser *p, const char *what);
void *partiql_fail_word(struct partiql_parser *p); /* the word is not what may stand here */
void *partiql_fail_memory(struct partiql_parser *p);
/* NULL with the failure noted. */
struct expr_form *partiql_condition(struct partiql_parser *p);
struct expr_form *partiql_operand(struct partiql_parser *p);
struct expr_form *partiql_path(struct partiql_parser *p);
const struct attr *partiql_value(struct partiql_parser *p); /* a literal or a parameter */
bool partiql_at_value(const struct partiql_parser *p);
bool partiql_identifier(struct partiql_parser *p, struct text *name);

/* ---- partiql_plan.c, partiql_select.c ---- */
/* What a statement needs, as it came: "Statement", "Parameters", "ReturnValuesOnConditionCheckFailure", "ConsistentRead". */
struct partiql_request {
    struct expr_env env;
    struct partiql_statement statement;
    const struct store_table *table;
    bool on_failure, consistent;
};
/* Parameters, statement, table and permission. 0 or negative with the fault noted. io thread. */
int partiql_read_request(struct aws_call *call, const struct json *object, struct partiql_request *request);
bool partiql_is_read(const struct partiql_request *request);
/* SELECT: a query over one or several hash keys, or a scan. The page's `more` is left alone. */
int partiql_plan_page(struct aws_call *call, struct partiql_request *request, struct ddb_page *page);
/* INSERT, UPDATE, DELETE, and EXISTS as a DDB_CHECK. */
int partiql_plan_write(struct aws_call *call, struct partiql_request *request, struct ddb_write *write);
/* What RETURNING asks for, from a write that has run; NULL: nothing. */
const struct attr *partiql_returned(struct aws_call *call, const struct partiql_request *request, const struct ddb_write *write);

/* Inside the plans. The form is a path of this one name; the value that it says the attribute is equal to (NULL: it is no such equality); the same among
   all terms that must hold together (form NULL: NULL). */
bool partiql_is_name(const struct expr_form *form, struct text name);
const struct attr *partiql_equal_to(const struct expr_form *form, struct text name);
const struct attr *partiql_find_equal(const struct expr_form *form, struct text name);
/* `where` NULL, no columns: *out is NULL. */
int partiql_plan_filter(struct aws_call *call, struct partiql_request *request, enum expr_kind kind, const struct expr_form *where,
    const struct expr_condition **out);
int partiql_plan_columns(struct aws_call *call, struct partiql_request *request, const struct expr_projection **out);

/* ---- partiql_get.c: a SELECT that names one item ---- */
struct partiql_get {
    const struct store_table *table;
    const struct attr *key;
    const struct expr_condition *filter;     /* the whole WHERE */
    const struct expr_projection *projection;
    size_t bytes;                            /* read by the last run, before the filter */
};
int partiql_plan_get(struct aws_call *call, struct partiql_request *request, const char *operation, struct partiql_get *get);
/* Writes "Item" when there is one, into an object that is open. 0, ERR_COLD, or negative with the fault noted. */
int partiql_get_run(struct aws_call *call, struct store_view *view, struct partiql_get *get);

/* ---- partiql_token.c ---- */
/* The place of a page in the sequence of its statement, as text for the client. data NULL without memory. */
struct text partiql_token_make(struct aws_call *call, const struct attr *key);
/* Takes a client's token apart: ERR_INVALID with the fault noted when it is not one of this statement. Sets where the page begins. */
int partiql_token_read(struct aws_call *call, struct text token, struct ddb_page *page);
/* The key attributes of table and index in an item, as a map; NULL without memory. */
struct attr *partiql_page_key(struct arena *arena, const struct ddb_page *page, const struct attr *item);

#endif
