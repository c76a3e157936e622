/*
 * `cost`: the prices that `weir cost` and GET /@cost reckon with, where they are not the documents': another region, a discount, another year. One key for each row of the table of
 * prices, so a price that is added there can be set here.
 */
#include "main/read.h"

#include <stdlib.h>

#define PRICE_MAX 1e6 /* dollars */

/* Dollars, as a decimal number. The keys stand in the order of the table. */
static void read_price(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    double *price = field, number;
    char *end;
    if (!expect_text(r, value, key->name))
        return;
    bool digits = value->text.len && strspn(value->text.data, "0123456789.") == value->text.len;
    number = strtod(value->text.data, &end);
    if (!digits || *end || number > PRICE_MAX)
        problem(r, value, "'%s' is a price in dollars such as 1.25, at most a million, not '%.40s'", key->name, value->text.data);
    else
        *price = number;
}

#define IN(field) offsetof(struct config, field)

#define STRING_OF(x) #x
static const struct key price_keys[] = {
#define X(id, name, service, text, dollars, per, words, source) \
    {name, "dollars", service ": " text ", per " words " (default " STRING_OF(dollars) ")", read_price, IN(cost_prices.of[COST_##id]), 0, 0, NULL, NULL},
    COST_TABLE(X)
#undef X
    {0},
};

const struct key cost_keys[] = {
    {"memory", "size", "of a function, for its GB-seconds (default 512MB)", read_size, IN(cost_memory), 128 << 20, INT64_C(10240) << 20, NULL, NULL},
    {"prices", "keys and values", "where they differ from the documents'", read_inside, 0, 0, 0, price_keys, NULL},
    {0},
};
