/*
 * The bodies of AWS's query protocol: Action=PutMetricData&Version=2010-08-01&Namespace=x&MetricData.member.1.MetricName=y ... They become the tree that the same request
 * would have been in JSON, by the operation's shape, so that an operation does not know how its client spoke. Any thread.
 */
#ifndef WEIR_AWS_FORM_H
#define WEIR_AWS_FORM_H

#include "aws/shape.h"

#define FORM_PARAMETERS_MAX 65536
#define FORM_NAME_MAX 1024 /* bytes, decoded */

/* One parameter by its name, decoded; data NULL when there is none. For Action and Version, before the rest is looked at. */
struct text form_find(struct arena *arena, struct text body, const char *name);
/*
 * The whole body. Members that the shape does not know are passed over. A list is in the order of its numbers, whatever order they come in. Numbers, times (ISO 8601, or epoch
 * seconds) and booleans become those of JSON; a double that is none of JSON's (NaN) stays a string. 0; ERR_TYPE with a sentence; ERR_SYNTAX (a broken escape);
 * ERR_TOO_LARGE (more parameters or longer names than there may be); ERR_MEMORY. The tree lives in the arena.
 */
int form_parse(struct arena *arena, struct text body, const struct shape *shape, const struct json **out, struct err *err);

#endif
