/*
 * A place keeps the figures of its second and its values in one of three forms, so that the many places of rare events cost little and the few of frequent ones are quick:
 *
 *   few       up to 4 distinct values in the place itself: counters (1, 1, 1, ...), gauges, rates of 0 and 100
 *   list      up to SKETCH_EXACT_MAX distinct values in order: what sketch.h calls exact
 *   table     buckets of a coarse sketch in a hash table, by their numbers: an add is a multiplication and a look
 *
 * So what is taken is the very sketch that sketch_add would have made of the same values, without moving its entries about at each add. Chunks of memory for lists and tables
 * are given back when a second is taken and used again by whoever needs one next: an idle place holds none.
 */
#include "watch/tally.h"

#include "base/counter.h"
#include "base/map.h"
#include <math.h>
#include <stdlib.h>

#define FEW 4
#define NAMES_LIMIT ((size_t)64 << 20)
#define GATHERED_LIMIT ((size_t)64 << 20)
#define TABLE_CLASSES 2
static const uint32_t table_slots[TABLE_CLASSES] = {512, 4096}; /* powers of two; the last holds more than SKETCH_BUCKETS_MAX */

enum form { FORM_FEW, FORM_LIST, FORM_TABLE, FORM_NONE /* no room: the figures alone */ };

struct slot {
    double weight; /* 0: empty */
    int32_t bucket;
};
struct values {
    struct sketch_entry entry[SKETCH_EXACT_MAX + 1];
};
struct table {
    uint32_t slots, used;
    unsigned shift;
    struct slot slot[];
};
struct place {
    double count, sum, min, max;
    uint8_t form;
    uint8_t entries; /* of few or list */
    uint8_t last;    /* the entry that was added to last */
    uint8_t unit;
    bool high;
    union {
        struct sketch_entry few[FEW];
        struct values *list;
        struct table *table;
    };
    struct watch_name name;
};
struct spare {
    struct spare *next;
};
struct watch_tally {
    struct map by_name;   /* key: flat name, unit, high; value: the number of the place */
    struct place *place;  /* from 1 */
    size_t places, room;
    uint32_t *touched;    /* as many as `room` */
    size_t touches;
    struct arena names;
    struct spare *spare_list, *spare_table[TABLE_CLASSES];
    size_t bytes;         /* of chunks, spare ones too */
};

/* ---- chunks ---- */

static void *chunk_take(struct watch_tally *tally, struct spare **spares, size_t size)
{
    struct spare *spare = *spares;
    if (spare) {
        *spares = spare->next;
        return spare;
    }
    if (tally->bytes + size > WATCH_TALLY_BYTES)
        return NULL;
    void *chunk = malloc(size);
    tally->bytes += chunk ? size : 0;
    return chunk;
}

static void chunk_give(struct spare **spares, void *chunk)
{
    struct spare *spare = chunk;
    spare->next = *spares;
    *spares = spare;
}

static void chunks_free(struct spare *spare)
{
    while (spare) {
        struct spare *next = spare->next;
        free(spare);
        spare = next;
    }
}

/* ---- tables ---- */

static unsigned class_of(const struct table *table)
{
    return table->slots == table_slots[0] ? 0 : 1;
}

static struct table *table_take(struct watch_tally *tally, unsigned class)
{
    uint32_t slots = table_slots[class];
    struct table *table = chunk_take(tally, &tally->spare_table[class], sizeof(*table) + slots * sizeof(table->slot[0]));
    if (!table)
        return NULL;
    table->slots = slots;
    table->used = 0;
    table->shift = 32 - (unsigned)__builtin_ctz(slots);
    memset(table->slot, 0, slots * sizeof(table->slot[0]));
    return table;
}

static void table_add(struct table *table, int64_t bucket, double weight)
{
    uint32_t at = (uint32_t)bucket * UINT32_C(0x9E3779B1) >> table->shift;
    while (table->slot[at].weight > 0 && table->slot[at].bucket != bucket)
        at = (at + 1) & (table->slots - 1);
    table->used += table->slot[at].weight <= 0;
    table->slot[at].bucket = (int32_t)bucket;
    table->slot[at].weight += weight;
}

static void table_copy(struct table *into, const struct table *from)
{
    for (uint32_t i = 0; i < from->slots; i++)
        if (from->slot[i].weight > 0)
            table_add(into, from->slot[i].bucket, from->slot[i].weight);
}

static int compare_slots(const void *a, const void *b)
{
    int32_t x = ((const struct slot *)a)->bucket, y = ((const struct slot *)b)->bucket;
    return x < y ? -1 : x > y;
}

/* The buckets in order, at the front; the table is no table then. */
static uint32_t table_sort(struct table *table)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->slots; i++)
        if (table->slot[i].weight > 0)
            table->slot[count++] = table->slot[i];
    qsort(table->slot, count, sizeof(table->slot[0]), compare_slots);
    return count;
}

/* Values of every size there is: the lowest buckets become one, as in a sketch. */
static void table_collapse(struct table *full, struct table *into)
{
    uint32_t count = table_sort(full), low = count - SKETCH_BUCKETS_MAX;
    for (uint32_t i = 0; i < count; i++)
        table_add(into, full->slot[i < low ? low : i].bucket, full->slot[i].weight);
}

/* False: there is no room. */
static bool table_room(struct watch_tally *tally, struct place *place)
{
    struct table *table = place->table;
    if (table->used < table->slots / 4 * 3)
        return true;
    struct table *larger = table_take(tally, TABLE_CLASSES - 1);
    if (!larger)
        return false;
    if (class_of(table) == TABLE_CLASSES - 1)
        table_collapse(table, larger);
    else
        table_copy(larger, table);
    chunk_give(&tally->spare_table[class_of(table)], table);
    place->table = larger;
    return true;
}

/* ---- forms ---- */

static void give_chunk(struct watch_tally *tally, struct place *place)
{
    if (place->form == FORM_LIST)
        chunk_give(&tally->spare_list, place->list);
    if (place->form == FORM_TABLE)
        chunk_give(&tally->spare_table[class_of(place->table)], place->table);
    place->form = FORM_NONE;
}

static bool to_list(struct watch_tally *tally, struct place *place)
{
    struct values *list = chunk_take(tally, &tally->spare_list, sizeof(*list));
    if (!list)
        return false;
    memcpy(list->entry, place->few, sizeof(place->few));
    place->list = list;
    place->form = FORM_LIST;
    return true;
}

static bool to_table(struct watch_tally *tally, struct place *place)
{
    struct table *table = table_take(tally, 0);
    if (!table)
        return false;
    for (unsigned i = 0; i < place->entries; i++)
        table_add(table, sketch_bucket(place->list->entry[i].value), place->list->entry[i].weight);
    chunk_give(&tally->spare_list, place->list);
    place->table = table;
    place->form = FORM_TABLE;
    return true;
}

static void add_bucket(struct watch_tally *tally, struct place *place, double value, double weight)
{
    if (table_room(tally, place))
        table_add(place->table, sketch_bucket(value), weight);
    else
        give_chunk(tally, place);
}

static void add_entry(struct watch_tally *tally, struct place *place, double value, double weight)
{
    struct sketch_entry *entry = place->form == FORM_FEW ? place->few : place->list->entry;
    unsigned low = 0, high = place->entries;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (entry[middle].value < value)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < place->entries && entry[low].value == value) {
        entry[low].weight += weight;
        place->last = (uint8_t)low;
        return;
    }
    bool fits = place->entries < (place->form == FORM_FEW ? FEW : SKETCH_EXACT_MAX);
    if (!fits && !(place->form == FORM_FEW ? to_list(tally, place) : to_table(tally, place))) {
        give_chunk(tally, place);
        return;
    }
    if (place->form == FORM_TABLE) {
        add_bucket(tally, place, value, weight);
        return;
    }
    entry = place->form == FORM_FEW ? place->few : place->list->entry;
    memmove(entry + low + 1, entry + low, (place->entries - low) * sizeof(*entry));
    entry[low] = (struct sketch_entry){value, weight};
    place->last = (uint8_t)low;
    place->entries++;
}

static void add_value(struct watch_tally *tally, struct place *place, double value, double weight)
{
    if (place->form == FORM_TABLE) {
        add_bucket(tally, place, value, weight);
        return;
    }
    if (place->form == FORM_NONE)
        return;
    value = fabs(value) < 0x1p-360 ? 0 : value;
    struct sketch_entry *entry = place->form == FORM_FEW ? place->few : place->list->entry;
    if (place->entries && entry[place->last].value == value)
        entry[place->last].weight += weight;
    else
        add_entry(tally, place, value, weight);
}

void watch_tally_add(struct watch_tally *tally, unsigned number, double value, double weight)
{
    if (!number || !(fabs(value) <= SKETCH_VALUE_MAX) || !(weight > 0 && weight <= SKETCH_VALUE_MAX)) {
        counter_add(COUNTER_watch_tally_dropped, 1);
        return;
    }
    struct place *place = &tally->place[number];
    if (place->count <= 0) {
        tally->touched[tally->touches++] = number;
        place->min = place->max = value;
    }
    place->count += weight;
    place->sum += value * weight;
    place->min = value < place->min ? value : place->min;
    place->max = value > place->max ? value : place->max;
    add_value(tally, place, value, weight);
}

/* ---- places ---- */

static bool make_room(struct watch_tally *tally)
{
    size_t room = tally->room ? tally->room * 2 : 64;
    if (tally->places + 1 < tally->room)
        return true;
    struct place *place = realloc(tally->place, room * sizeof(*place));
    if (!place)
        return false;
    tally->place = place;
    uint32_t *touched = realloc(tally->touched, room * sizeof(*touched));
    if (!touched)
        return false;
    tally->touched = touched;
    tally->room = room;
    return true;
}

static struct text copy_text(struct arena *arena, struct text text, bool *failed)
{
    struct text copy = arena_copy(arena, text);
    *failed = *failed || !copy.data;
    return copy;
}

static bool copy_name(struct arena *arena, const struct watch_name *name, struct watch_name *out)
{
    bool failed = false;
    struct watch_dimension *dimension = arena_array(arena, name->dimensions ? name->dimensions : 1, sizeof(*dimension));
    if (!dimension)
        return false;
    out->space = copy_text(arena, name->space, &failed);
    out->name = copy_text(arena, name->name, &failed);
    for (size_t i = 0; i < name->dimensions; i++) {
        dimension[i].name = copy_text(arena, name->dimension[i].name, &failed);
        dimension[i].value = copy_text(arena, name->dimension[i].value, &failed);
    }
    out->dimension = dimension;
    out->dimensions = name->dimensions;
    return !failed;
}

static unsigned place_make(struct watch_tally *tally, const struct watch_name *name, struct text key, unsigned unit, bool high)
{
    struct arena_mark mark = arena_mark(&tally->names);
    struct watch_name copy;
    if (tally->places >= WATCH_TALLY_PLACES || watch_name_check(name, NULL) || !make_room(tally) || !copy_name(&tally->names, name, &copy))
        return 0;
    struct text own = arena_copy(&tally->names, key);
    if (!own.data || map_put(&tally->by_name, own, (void *)(uintptr_t)(tally->places + 1), NULL)) {
        arena_rewind(&tally->names, mark);
        return 0;
    }
    tally->place[++tally->places] = (struct place){.unit = (uint8_t)unit, .high = high, .name = copy};
    return (unsigned)tally->places;
}

unsigned watch_tally_place(struct watch_tally *tally, const struct watch_name *name, unsigned unit, bool high)
{
    char flat[WATCH_FLAT_MAX + 2];
    size_t len = name->dimensions <= WATCH_DIMENSIONS_MAX && unit < WATCH_UNITS ? watch_name_flat(name, flat) : 0;
    if (!len)
        return 0;
    flat[len] = (char)unit;
    flat[len + 1] = (char)high;
    struct text key = text_make(flat, len + 2);
    unsigned number = (unsigned)(uintptr_t)map_get(&tally->by_name, key);
    return number ? number : place_make(tally, name, key, unit, high);
}

int watch_tally_create(struct watch_tally **out)
{
    struct watch_tally *tally = *out = calloc(1, sizeof(*tally));
    if (!tally)
        return ERR_MEMORY;
    map_init(&tally->by_name);
    arena_init(&tally->names, 4096, NAMES_LIMIT);
    return 0;
}

void watch_tally_destroy(struct watch_tally *tally)
{
    if (!tally)
        return;
    for (size_t i = 1; i <= tally->places; i++)
        give_chunk(tally, &tally->place[i]);
    chunks_free(tally->spare_list);
    for (unsigned i = 0; i < TABLE_CLASSES; i++)
        chunks_free(tally->spare_table[i]);
    free(tally->place);
    free(tally->touched);
    map_fini(&tally->by_name);
    arena_fini(&tally->names);
    free(tally);
}

/* ---- what was gathered ---- */

struct watch_gathered {
    struct arena arena;
    size_t count;
    struct watch_figures *figures;
};

static bool take_table(struct arena *arena, const struct place *place, struct sketch *out)
{
    size_t size = sizeof(struct table) + place->table->slots * sizeof(place->table->slot[0]);
    struct table *sorted = malloc(size);
    out->entry = arena_array(arena, place->table->used, sizeof(*out->entry));
    if (sorted && out->entry) {
        memcpy(sorted, place->table, size);
        out->count = out->room = table_sort(sorted);
        out->coarse = true;
        for (size_t i = 0; i < out->count; i++)
            out->entry[i] = (struct sketch_entry){sketch_bucket_middle(sorted->slot[i].bucket), sorted->slot[i].weight};
    }
    free(sorted);
    return sorted && out->entry;
}

static bool take_values(struct arena *arena, const struct place *place, struct watch_summary *out)
{
    sketch_init(&out->values, NULL);
    out->unknown = place->form == FORM_NONE;
    if (out->unknown)
        return true;
    if (place->form == FORM_TABLE)
        return take_table(arena, place, &out->values);
    size_t size = place->entries * sizeof(struct sketch_entry);
    out->values.entry = arena_alloc(arena, size);
    if (out->values.entry)
        memcpy(out->values.entry, place->form == FORM_FEW ? place->few : place->list->entry, size);
    out->values.count = out->values.room = place->entries;
    return out->values.entry;
}

static bool take_place(struct watch_gathered *gathered, const struct place *place, struct watch_figures *out)
{
    out->unit = place->unit;
    out->high = place->high;
    out->summary = (struct watch_summary){.count = place->count, .sum = place->sum, .min = place->min, .max = place->max};
    return copy_name(&gathered->arena, &place->name, &out->name) && take_values(&gathered->arena, place, &out->summary);
}

static void clear(struct watch_tally *tally)
{
    for (size_t i = 0; i < tally->touches; i++) {
        struct place *place = &tally->place[tally->touched[i]];
        give_chunk(tally, place);
        place->form = FORM_FEW;
        place->entries = place->last = 0;
        place->count = place->sum = 0;
    }
    tally->touches = 0;
}

struct watch_gathered *watch_tally_take(struct watch_tally *tally)
{
    struct watch_gathered *gathered = tally->touches ? calloc(1, sizeof(*gathered)) : NULL;
    if (!gathered)
        return NULL;
    arena_init(&gathered->arena, 4096, GATHERED_LIMIT);
    gathered->figures = arena_array(&gathered->arena, tally->touches, sizeof(*gathered->figures));
    bool good = gathered->figures;
    for (size_t i = 0; i < tally->touches && good; i++) {
        const struct place *place = &tally->place[tally->touched[i]];
        bool is_finite = fabs(place->sum) <= SKETCH_VALUE_MAX && place->count <= SKETCH_VALUE_MAX; /* else nothing could be added to its row any more */
        good = !is_finite || take_place(gathered, place, &gathered->figures[gathered->count]);
        gathered->count += good && is_finite;
    }
    if (!good) {
        watch_gathered_destroy(gathered);
        return NULL;
    }
    clear(tally);
    return gathered;
}

size_t watch_gathered_count(const struct watch_gathered *gathered)
{
    return gathered->count;
}

int watch_gathered_put(struct tick *tick, struct arena *arena, const struct watch_gathered *gathered)
{
    int code = 0;
    for (size_t i = 0; i < gathered->count && !code; i++) {
        code = watch_metric_put_figures(tick, arena, &gathered->figures[i], NULL);
        if (code == ERR_FULL || code == ERR_INVALID)
            code = 0;
    }
    return code;
}

void watch_gathered_destroy(struct watch_gathered *gathered)
{
    if (!gathered)
        return;
    arena_fini(&gathered->arena);
    free(gathered);
}
