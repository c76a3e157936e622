/* The tree of an expression, shared by math_parse.c and math_eval.c. */
#ifndef WEIR_WATCH_MATH_TREE_H
#define WEIR_WATCH_MATH_TREE_H

#include "watch/math.h"

enum math_node { NODE_NUMBER, NODE_ID, NODE_TEXT, NODE_LIST, NODE_CALL, NODE_NEGATE, NODE_ADD, NODE_SUBTRACT, NODE_MULTIPLY, NODE_DIVIDE, NODE_POWER, NODE_EQUAL, NODE_UNEQUAL,
    NODE_LESS, NODE_LESS_EQUAL, NODE_GREATER, NODE_GREATER_EQUAL, NODE_AND, NODE_OR };

/* X(name, fewest arguments, most). To add a function: a row here, a function in math_call.c. */
#define MATH_FUNCTIONS(X)                                                                                                                 \
    X(ABS, 1, 1) X(ANOMALY_DETECTION_BAND, 1, 2) X(INSIGHT_RULE_METRIC, 2, 2) X(AVG, 1, 1) X(CEIL, 1, 1) X(DATAPOINT_COUNT, 1, 1) X(DATE, 1, 1) X(DAY, 1, 1) X(DIFF, 1, 1) X(DIFF_TIME, 1, 1) X(EPOCH, 1, 1)   \
    X(FILL, 2, 2) X(FIRST, 1, 1) X(FLOOR, 1, 1) X(HOUR, 1, 1) X(IF, 2, 3) X(LAST, 1, 1) X(LOG, 1, 1) X(LOG10, 1, 1) X(MAX, 1, 1)                   \
    X(METRICS, 0, 1) X(METRIC_COUNT, 1, 1) X(MIN, 1, 1) X(MINUTE, 1, 1) X(MONTH, 1, 1) X(PERIOD, 1, 1) X(RATE, 1, 1) X(REMOVE_EMPTY, 1, 1)         \
    X(RUNNING_SUM, 1, 1) X(SEARCH, 2, 3) X(SLICE, 2, 3) X(SORT, 3, 4) X(STDDEV, 1, 1) X(SUM, 1, 1) X(TIME_SERIES, 1, 1) X(YEAR, 1, 1)
enum math_function {
#define X(name, fewest, most) MATH_##name,
    MATH_FUNCTIONS(X)
#undef X
    MATH_FUNCTION_COUNT
};
extern const char *const math_function_names[MATH_FUNCTION_COUNT];

struct math_expr {
    enum math_node node;
    enum math_function function;
    double number;
    struct text text; /* an id, a text */
    size_t count;     /* arguments, elements, operands */
    const struct math_expr *first, *next;
};

/* ---- math_value.c: building blocks ---- */
/* A series of up to `count` points, to be filled by math_push. ERR_MEMORY. */
int math_series_make(const struct math_env *env, size_t count, const struct math_series *like, struct math_value *out);
void math_push(struct math_value *series, int64_t time_s, double value);
struct math_value math_scalar(double value);
int math_list_make(const struct math_env *env, size_t count, struct math_value *out);
double math_operate(enum math_node node, double a, double b);
int math_operate_values(const struct math_env *env, enum math_node node, const struct math_value *a, const struct math_value *b, struct math_value *out);
/* One value out of many: AVG, SUM, MIN, MAX, STDDEV. */
double math_reduce(enum math_function function, const double *value, size_t count);
/* The value at that time; NaN when there is none. `hint` makes a walk in order cheap; begin with 0. */
double math_at(const struct math_value *value, int64_t time_s, size_t *hint);

/* ---- math_call.c ---- */
int math_call(const struct math_expr *call, const struct math_env *env, struct math_value *out, struct err *err);

#endif
