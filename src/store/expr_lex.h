/*
 * The words of an expression. One lexer for all five kinds, as AWS has it: SET is a keyword in a condition
 * too. Inside src/store/expr*.
 */
#ifndef WEIR_STORE_EXPR_LEX_H
#define WEIR_STORE_EXPR_LEX_H

#include "store/expr_tree.h"

enum expr_token_type {
    TOKEN_END,
    TOKEN_BAD,
    TOKEN_NAME,
    TOKEN_NAME_ALIAS,
    TOKEN_VALUE_ALIAS,
    TOKEN_INTEGER,
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_NOT,
    TOKEN_BETWEEN,
    TOKEN_IN,
    TOKEN_SET,
    TOKEN_REMOVE,
    TOKEN_ADD,
    TOKEN_DELETE,
    TOKEN_EQ,
    TOKEN_NE,
    TOKEN_LT,
    TOKEN_LE,
    TOKEN_GT,
    TOKEN_GE,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_OPEN_INDEX,
    TOKEN_CLOSE_INDEX,
    TOKEN_COMMA,
    TOKEN_DOT,
    TOKEN_PLUS,
    TOKEN_MINUS
};

struct expr_token {
    uint16_t type;
    uint16_t at, len; /* bytes; an expression has at most EXPR_TEXT_MAX */
};

/* All tokens of `text` and a TOKEN_END, in the arena; NULL without memory. A byte that no token begins with
 * becomes TOKEN_BAD. */
const struct expr_token *expr_lex(struct arena *arena, struct text text, size_t *count);

#endif
