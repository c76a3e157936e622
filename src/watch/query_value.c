/*
 * Values of fields. Log lines have no types: "200" in a message that was parsed with an asterisk is as much a number as 200 in JSON. So a text counts as a number wherever a
 * number is wanted and it is one, and two values are compared as numbers when both can be. A number keeps the text that it came with: identifiers of 20 digits leave as they
 * came, and are told apart by their digits where doubles cannot.
 *
 * Results of arithmetic that are no whole numbers are shown with four decimals, as Insights does; below one, with four digits that mean something.
 */
#include "watch/query_inside.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define EXACT_DIGITS 15 /* decimal digits that every double keeps */
#define NUMBER_TEXT_MAX 400

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* Checks the grammar and collects up to 18 digits: *exact when they and the scale say it all. */
static bool scan_number(struct text text, bool *negative, uint64_t *mantissa, int *scale, bool *exact)
{
    size_t at = 0, digits = 0;
    *negative = false;
    *mantissa = 0;
    *scale = 0;
    *exact = true;
    if (at < text.len && (text.data[at] == '-' || text.data[at] == '+'))
        *negative = text.data[at++] == '-';
    size_t begin = at;
    bool point = false;
    for (; at < text.len && (is_digit(text.data[at]) || (text.data[at] == '.' && !point)); at++) {
        if (text.data[at] == '.') {
            point = true;
            continue;
        }
        if (*mantissa >= UINT64_C(100000000000000000))
            *exact = false;
        else
            *mantissa = *mantissa * 10 + (uint64_t)(text.data[at] - '0');
        digits++;
        *scale -= point;
    }
    if (!digits || text.data[begin] == '.' || text.data[at - 1] == '.')
        return false;
    if (at < text.len && (text.data[at] | 0x20) == 'e') {
        *exact = false;
        at++;
        if (at < text.len && (text.data[at] == '-' || text.data[at] == '+'))
            at++;
        begin = at;
        while (at < text.len && is_digit(text.data[at]))
            at++;
        if (at == begin)
            return false;
    }
    return at == text.len;
}

bool query_parse_number(struct text text, double *out)
{
    static const double power[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    bool negative, exact;
    uint64_t mantissa;
    int scale;
    if (!text.len || text.len > NUMBER_TEXT_MAX || !scan_number(text, &negative, &mantissa, &scale, &exact))
        return false;
    if (exact && mantissa <= UINT64_C(1) << 53 && scale >= -22) {
        *out = (negative ? -(double)mantissa : (double)mantissa) / power[-scale];
        return true;
    }
    char copy[NUMBER_TEXT_MAX + 1];
    memcpy(copy, text.data, text.len);
    copy[text.len] = 0;
    *out = strtod(copy, NULL);
    return isfinite(*out);
}

bool query_to_number(const struct query_value *value, double *out)
{
    switch (value->type) {
    case QUERY_NUMBER:
    case QUERY_TIME:
    case QUERY_BOOL:
        *out = value->number;
        return true;
    case QUERY_TEXT:
        return query_parse_number(value->text, out);
    case QUERY_NONE:
        break;
    }
    return false;
}

bool query_to_bool(const struct query_value *value)
{
    double number;
    if (query_to_number(value, &number))
        return number != 0;
    return value->type == QUERY_TEXT && text_equal_nocase(value->text, TEXT("true"));
}

static size_t format_number(double number, char *room)
{
    if (number == floor(number) && fabs(number) < 1e18)
        return (size_t)snprintf(room, QUERY_TEXT_ROOM, "%.0f", number + 0.0); /* -0 shows as 0 */
    if (fabs(number) >= 1e18)
        return (size_t)snprintf(room, QUERY_TEXT_ROOM, "%.17g", number);
    int decimals = 4;
    for (double size = fabs(number); size < 0.1 && decimals < 20; size *= 10)
        decimals++;
    size_t len = (size_t)snprintf(room, QUERY_TEXT_ROOM, "%.*f", decimals, number);
    while (room[len - 1] == '0')
        len--;
    return room[len - 1] == '.' ? len - 1 : len;
}

struct text query_to_text(const struct query_value *value, char room[QUERY_TEXT_ROOM])
{
    switch (value->type) {
    case QUERY_TEXT:
        return value->text;
    case QUERY_NUMBER:
        return value->text.len ? value->text : text_make(room, format_number(value->number, room));
    case QUERY_TIME:
        return text_make(room, query_time_format(value->number, room));
    case QUERY_BOOL:
        return value->number != 0 ? TEXT("1") : TEXT("0");
    case QUERY_NONE:
        break;
    }
    return TEXT_NONE;
}

static int compare_doubles(double a, double b)
{
    return a < b ? -1 : a > b;
}

/* Equal as doubles: long whole numbers are told apart by their digits. */
static int compare_digits(const struct query_value *a, const struct query_value *b)
{
    if (a->text.len <= EXACT_DIGITS || b->text.len <= EXACT_DIGITS)
        return 0;
    for (size_t i = 0; i < a->text.len; i++)
        if (!is_digit(a->text.data[i]))
            return 0;
    for (size_t i = 0; i < b->text.len; i++)
        if (!is_digit(b->text.data[i]))
            return 0;
    if (a->text.len != b->text.len)
        return a->text.len < b->text.len ? -1 : 1;
    return text_compare(a->text, b->text);
}

static bool as_truth(const struct query_value *value, double *out)
{
    bool yes = text_equal_nocase(value->text, TEXT("true"));
    if (value->type != QUERY_TEXT || (!yes && !text_equal_nocase(value->text, TEXT("false"))))
        return false;
    *out = yes;
    return true;
}

int query_compare(const struct query_value *a, const struct query_value *b)
{
    double x, y;
    char left[QUERY_TEXT_ROOM], right[QUERY_TEXT_ROOM];
    if (a->type == QUERY_NONE || b->type == QUERY_NONE)
        return (a->type != QUERY_NONE) - (b->type != QUERY_NONE);
    bool a_number = query_to_number(a, &x), b_number = query_to_number(b, &y);
    if (a->type == QUERY_TIME && !b_number)
        b_number = query_time_parse(b->text, &y);
    if (b->type == QUERY_TIME && !a_number)
        a_number = query_time_parse(a->text, &x);
    if (a->type == QUERY_BOOL && !b_number)
        b_number = as_truth(b, &y);
    if (b->type == QUERY_BOOL && !a_number)
        a_number = as_truth(a, &x);
    if (a_number && b_number) {
        int order = compare_doubles(x, y);
        return order ? order : compare_digits(a, b);
    }
    return text_compare(query_to_text(a, left), query_to_text(b, right));
}
