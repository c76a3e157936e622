/*
 * The regular expressions of filter patterns: AWS's subset (no groups, no back references), on bytes, matched anywhere in a text in one pass. Own, because what a
 * stranger sends must not choose how long a match takes: the states of all attempts are a set, so the time is that of the text times the (bounded) size of the expression.
 */
#ifndef WEIR_WATCH_PATTERN_REGEX_H
#define WEIR_WATCH_PATTERN_REGEX_H

#include "base/arena.h"
#include "base/err.h"

#define PATTERN_REGEX_STATES 256

struct pattern_regex;
/* 0, ERR_SYNTAX or ERR_TOO_LARGE with a sentence, ERR_MEMORY. */
int pattern_regex_parse(struct arena *arena, struct text source, struct pattern_regex **out, struct err *err);
bool pattern_regex_match(const struct pattern_regex *regex, struct text text);

#endif
