/*
 * Filter patterns of CloudWatch Logs (FilterAndPatternSyntax of its user guide): what FilterLogEvents and metric filters ask of a message.
 *
 *   (empty)                                    every message
 *   ERROR "out of memory" -DEBUG %[45]\d\d%    terms: all of them, none of the excluded; ?A ?B alone: any of them
 *   [ip, ..., status = 4* && status != 404, bytes > 1000]    fields between spaces; "..." and [...] in the message are one field
 *   { ($.a.b = "x*") && ($.c[0] > 5 || $.d IS TRUE || $.e NOT EXISTS) }    JSON
 *
 * A parsed pattern is immutable, lives in its arena and may be used by any thread. Hostile text on both sides: everything is bounded, and no expression makes a message take
 * more than a time in proportion to its length.
 */
#ifndef WEIR_WATCH_PATTERN_H
#define WEIR_WATCH_PATTERN_H

#include "base/arena.h"
#include "base/err.h"

#define WATCH_PATTERN_MAX 1024      /* bytes */
#define WATCH_PATTERN_DEPTH_MAX 32  /* parentheses */
#define WATCH_PATTERN_REGEX_MAX 2   /* in a pattern of fields or for JSON, as AWS has it */

struct watch_pattern;
/* 0, ERR_SYNTAX or ERR_TOO_LARGE with a sentence, ERR_MEMORY. Borrows nothing. */
int watch_pattern_parse(struct arena *arena, struct text pattern, struct watch_pattern **out, struct err *err);
/* 1 yes, 0 no, ERR_MEMORY. The scratch arena is rewound. */
int watch_pattern_match(const struct watch_pattern *pattern, struct text message, struct arena *scratch);
/* What the pattern names in a message that matches: "$name" or "$3" of fields, "$.a.b" of JSON; each once. Texts live until visit returns. 0, what visit answered, ERR_MEMORY. */
int watch_pattern_extract(const struct watch_pattern *pattern, struct text message, struct arena *scratch,
    int (*visit)(void *context, struct text name, struct text value), void *context);
/* One value: a selector "$.a.b" of a JSON message, "$name" of fields. In the arena. ERR_NOT_FOUND, ERR_SYNTAX (not a selector), ERR_MEMORY. */
int watch_pattern_select(const struct watch_pattern *pattern, struct text selector, struct text message, struct arena *arena, struct text *value);

#endif
