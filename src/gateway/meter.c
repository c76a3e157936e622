/* Meters and the series they stand for: meter.h says how they work. */
#include "gateway/meter.h"

#include "base/assert.h"
#include "base/counter.h"
#include "base/map.h"
#include <stdlib.h>

#define KEY_MAX 1024 /* bytes of a meter's name: its number and the values, which are cut */

const struct gw_figure_row gw_figure_rows[GW_FIGURES] = {
#define X(id, space, name, unit, kind, seconds, dims, sets, help) {space, name, unit, GW_KIND_##kind, seconds, dims, sets, help},
    GW_FIGURE_TABLE(X)
#undef X
};

struct named_meter {
    struct gw_meter meter;
    struct text key;
    char bytes[];
};

struct gw_meters {
    struct watch_tally *tally;
    struct map by_key;
    struct gw_meter *listed; /* they hold something */
    struct gw_meter nowhere;
};

struct gw_meters *gw_meters_create(struct watch_tally *tally)
{
    struct gw_meters *meters = calloc(1, sizeof(*meters));
    if (!meters)
        return NULL;
    meters->tally = tally;
    meters->nowhere.meters = meters;
    map_init(&meters->by_key);
    return meters;
}

void gw_meters_destroy(struct gw_meters *meters)
{
    size_t at = 0;
    void *meter;
    if (!meters)
        return;
    while ((meter = map_next(&meters->by_key, &at)))
        free(meter);
    map_fini(&meters->by_key);
    free(meters);
}

/* ---- which series a meter stands for ---- */

static size_t split_dims(const char *names, struct text value[GW_FIGURE_DIMS], struct watch_dimension out[GW_FIGURE_DIMS])
{
    struct text rest = text_of(names);
    size_t count = 0;
    while (rest.len && count < GW_FIGURE_DIMS) {
        ptrdiff_t comma = text_find(rest, ',', 0);
        size_t len = comma < 0 ? rest.len : (size_t)comma, step = comma < 0 ? len : len + 1;
        out[count] = (struct watch_dimension){text_make(rest.data, len), value[count].len ? value[count] : TEXT("-")};
        rest = text_make(rest.data + step, rest.len - step);
        count++;
    }
    return count;
}

static void place(struct gw_meters *meters, struct gw_meter *meter, enum gw_figure figure, struct text value[GW_FIGURE_DIMS])
{
    const struct gw_figure_row *row = &gw_figure_rows[figure];
    struct watch_dimension dimension[GW_FIGURE_DIMS];
    size_t count = split_dims(row->dims, value, dimension);
    int unit = watch_unit_find(text_of(row->unit));
    ASSERT(unit >= 0);
    for (size_t n = 0; n <= count; n++) {
        struct watch_name name = {text_of(row->space), text_of(row->name), dimension, n};
        if (row->sets & 1u << n)
            meter->place[meter->places++] = watch_tally_place(meters->tally, &name, (unsigned)unit, row->seconds);
    }
}

/* Number and values, each ended by a NUL. */
static struct text key_of(char out[KEY_MAX], enum gw_figure figure, struct text value[GW_FIGURE_DIMS])
{
    size_t len = 1;
    out[0] = (char)figure;
    for (size_t i = 0; i < GW_FIGURE_DIMS; i++) {
        if (value[i].len > (KEY_MAX - 8) / GW_FIGURE_DIMS)
            value[i].len = (KEY_MAX - 8) / GW_FIGURE_DIMS;
        if (value[i].len)
            memcpy(out + len, value[i].data, value[i].len);
        len += value[i].len;
        out[len++] = 0;
    }
    return text_make(out, len);
}
_Static_assert(GW_FIGURES < 256, "a figure's number is one byte of a meter's name");

struct gw_meter *gw_meter_of(struct gw_meters *meters, enum gw_figure figure, struct text a, struct text b, struct text c)
{
    static _Thread_local struct gw_meter none;
    char bytes[KEY_MAX];
    struct text value[GW_FIGURE_DIMS] = {a, b, c};
    if (!meters)
        return &none;
    struct text key = key_of(bytes, figure, value);
    struct named_meter *named = map_get(&meters->by_key, key);
    if (named)
        return &named->meter;
    named = meters->by_key.count < GW_METERS_MAX ? calloc(1, sizeof(*named) + key.len) : NULL;
    if (!named || map_put(&meters->by_key, text_make(memcpy(named->bytes, key.data, key.len), key.len), named, NULL)) {
        counter_add(COUNTER_gw_meters_refused, 1);
        free(named);
        return &meters->nowhere;
    }
    named->meter.meters = meters;
    place(meters, &named->meter, figure, value);
    return &named->meter;
}

/* ---- values ---- */

static void hand_over(struct gw_meter *meter)
{
    for (unsigned i = 0; i < meter->places && meter->weight > 0; i++)
        watch_tally_add(meter->meters->tally, meter->place[i], meter->value, meter->weight);
    meter->weight = 0;
}

void gw_meter_turn(struct gw_meter *meter, double value)
{
    if (meter->places)
        hand_over(meter);
    meter->value = value;
    meter->weight = 0;
    if (meter->listed || !meter->meters)
        return;
    meter->listed = true;
    meter->next = meter->meters->listed;
    meter->meters->listed = meter;
}

void gw_figure_add(struct gw_meters *meters, enum gw_figure figure, struct text a, struct text b, double value, double weight)
{
    if (meters && weight > 0)
        gw_meter_add(gw_meter_of(meters, figure, a, b, TEXT_NONE), value, weight);
}

void gw_meters_gather(struct gw_meters *meters)
{
    struct gw_meter *meter = meters->listed;
    meters->listed = NULL;
    while (meter) {
        struct gw_meter *next = meter->next;
        hand_over(meter);
        meter->listed = false;
        meter->next = NULL;
        meter = next;
    }
}
