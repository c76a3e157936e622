/*
 * The search expressions of SEARCH and of dashboards: which series are meant.
 *
 *   {Namespace, Dimension, ...} terms     exactly these dimensions; names with other signs than letters and digits in double quotes
 *   word                                  is part of the namespace, the metric's name, or a name or value of a dimension; case does not matter
 *   "phrase"                              is one of them
 *   Namespace=x  MetricName="x"  Dim=x    the same for one of them alone; the value may be (a OR b)
 *   a b  a AND b  a OR b  NOT a  -a  ( )
 *
 * At most SEARCH_TEXT_MAX bytes and SEARCH_DEPTH_MAX levels. Any thread.
 */
#ifndef WEIR_WATCH_SEARCH_H
#define WEIR_WATCH_SEARCH_H

#include "watch/series.h"

#define SEARCH_TEXT_MAX 2048
#define SEARCH_DEPTH_MAX 32

struct watch_search;
/* The search borrows the text and lives in the arena. ERR_SYNTAX, ERR_TOO_LARGE with a sentence, ERR_MEMORY. */
int watch_search_parse(struct arena *arena, struct text text, const struct watch_search **out, struct err *err);
bool watch_search_matches(const struct watch_search *search, const struct watch_name *name);
/* The namespace that it is about; empty: any. */
struct text watch_search_space(const struct watch_search *search);

#endif
