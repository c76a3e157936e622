/*
 * stats: groups in a hash table and what is counted in each. A group's key is the texts of its values, so 1 and "1" are one group, as they are equal elsewhere.
 *
 * All that is kept can be merged with the same of another run: sums with their rounding errors (Neumaier), mean and squared distances (Chan), sketches for percentiles, hashes
 * for distinct values: exactly up to DISTINCT_EXACT of them, then a HyperLogLog of 4,096 registers (1.6 %). At a bound no new group is made; those that are there go on.
 */
#include "watch/query_inside.h"

#include "base/hash.h"
#include <math.h>
#include <stdlib.h>

#define DISTINCT_EXACT 4096
#define REGISTERS 4096 /* two to the power of twelve */
#define REGISTER_BITS 12

struct distinct {
    uint64_t *hash; /* open addressing, 0 is empty; NULL when there are registers */
    size_t count, cap;
    uint8_t *reg;
};
struct tally {
    uint64_t n;
    double a, b;                  /* sum and its error; mean and squared distances */
    struct query_value value;     /* of min, max and the like */
    struct watch_log_place place; /* where it was */
    size_t room;                  /* bytes behind value.text */
    struct sketch sketch;
    struct distinct distinct;
};
struct query_group {
    uint64_t hash;
    struct text key;
    struct query_value *by;
    struct tally tally[];
};

#define PARTIAL_GROUPS "the result has more groups than are kept"
#define PARTIAL_MEMORY "the result takes more memory than a query may have"

void query_groups_init(struct query_groups *groups, const struct query_stats *stats)
{
    *groups = (struct query_groups){.stats = stats};
    arena_init(&groups->arena, 64 << 10, WATCH_QUERY_STATE_MAX);
    buf_init(&groups->key, WATCH_QUERY_EVENT_MAX);
}

void query_groups_fini(struct query_groups *groups)
{
    arena_fini(&groups->arena);
    buf_fini(&groups->key);
    free(groups->slot);
}

/* ---- distinct values ---- */

static void registers_add(uint8_t *reg, uint64_t hash)
{
    uint64_t rest = hash << REGISTER_BITS | UINT64_C(1) << (REGISTER_BITS - 1);
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
    uint8_t *at = &reg[hash >> (64 - REGISTER_BITS)];
    if (rank > *at)
        *at = rank;
}

static int distinct_add(struct distinct *set, struct arena *arena, uint64_t hash);

static int distinct_grow(struct distinct *set, struct arena *arena)
{
    struct distinct grown = {.cap = set->cap ? set->cap * 2 : 16};
    if (set->count >= DISTINCT_EXACT) {
        grown.cap = 0;
        grown.reg = arena_zalloc(arena, REGISTERS);
    } else {
        grown.hash = arena_zalloc(arena, grown.cap * sizeof(*grown.hash));
    }
    if (!grown.hash && !grown.reg)
        return ERR_MEMORY;
    for (size_t i = 0; i < set->cap; i++)
        if (set->hash[i])
            distinct_add(&grown, arena, set->hash[i]);
    *set = grown;
    return 0;
}

static int distinct_add(struct distinct *set, struct arena *arena, uint64_t hash)
{
    hash += hash == 0;
    if (!set->reg && set->count * 2 >= set->cap && distinct_grow(set, arena))
        return ERR_MEMORY;
    if (set->reg) {
        registers_add(set->reg, hash);
        return 0;
    }
    for (size_t at = hash & (set->cap - 1);; at = (at + 1) & (set->cap - 1)) {
        if (set->hash[at] == hash)
            return 0;
        if (!set->hash[at]) {
            set->hash[at] = hash;
            set->count++;
            return 0;
        }
    }
}

static int distinct_merge(struct distinct *into, const struct distinct *from, struct arena *arena)
{
    int code = 0;
    if (from->reg && !into->reg) {
        into->count = DISTINCT_EXACT; /* it becomes registers as well */
        code = distinct_grow(into, arena);
    }
    for (size_t i = 0; from->reg && !code && i < REGISTERS; i++)
        if (from->reg[i] > into->reg[i])
            into->reg[i] = from->reg[i];
    for (size_t i = 0; !from->reg && !code && i < from->cap; i++)
        if (from->hash[i])
            code = distinct_add(into, arena, from->hash[i]);
    return code;
}

/* Flajolet and others 2007, with linear counting where many registers are empty. */
static double distinct_count(const struct distinct *set)
{
    double sum = 0, empty = 0;
    if (!set->reg)
        return (double)set->count;
    for (size_t i = 0; i < REGISTERS; i++) {
        sum += ldexp(1, -set->reg[i]);
        empty += set->reg[i] == 0;
    }
    double estimate = 0.7213 / (1 + 1.079 / REGISTERS) * REGISTERS * REGISTERS / sum;
    if (estimate <= 2.5 * REGISTERS && empty > 0)
        estimate = REGISTERS * log(REGISTERS / empty);
    return floor(estimate + 0.5);
}

/* ---- tallies ---- */

static void sum_add(struct tally *tally, double x)
{
    double sum = tally->a + x;
    tally->b += fabs(tally->a) >= fabs(x) ? tally->a - sum + x : x - sum + tally->a;
    tally->a = sum;
}

static void spread_add(struct tally *tally, double x)
{
    double delta = x - tally->a;
    tally->a += delta / (double)tally->n;
    tally->b += delta * (x - tally->a);
}

static void spread_merge(struct tally *into, const struct tally *from)
{
    double n = (double)into->n, m = (double)from->n, delta = from->a - into->a;
    if (!from->n)
        return;
    into->b += from->b + delta * delta * n * m / (n + m);
    into->a += delta * m / (n + m);
}

static int keep_value(struct tally *tally, struct arena *arena, const struct query_value *value, const struct watch_log_place *place)
{
    struct text text = value->text;
    if (text.len > tally->room) {
        size_t room = text.len < 32 ? 32 : text.len + text.len / 2;
        char *to = arena_alloc(arena, room);
        if (!to)
            return ERR_MEMORY;
        tally->value.text.data = to;
        tally->room = room;
    }
    char *to = (char *)tally->value.text.data;
    if (text.len)
        memcpy(to, text.data, text.len);
    tally->value = *value;
    tally->value.text = text_make(to, text.len);
    tally->place = *place;
    return 0;
}

static bool wins(enum query_aggregate kind, const struct tally *tally, const struct query_value *value, const struct watch_log_place *place)
{
    char left[QUERY_TEXT_ROOM], right[QUERY_TEXT_ROOM];
    switch (kind) {
    case AGGREGATE_min:
        return query_compare(value, &tally->value) < 0;
    case AGGREGATE_max:
        return query_compare(value, &tally->value) > 0;
    case AGGREGATE_earliest:
        return watch_log_place_compare(place, &tally->place) < 0;
    case AGGREGATE_latest:
        return watch_log_place_compare(place, &tally->place) > 0;
    case AGGREGATE_sortsfirst:
        return text_compare(query_to_text(value, left), query_to_text(&tally->value, right)) < 0;
    default:
        return text_compare(query_to_text(value, left), query_to_text(&tally->value, right)) > 0;
    }
}

static int tally_number(struct tally *tally, enum query_aggregate kind, double x)
{
    if (kind == AGGREGATE_pct) {
        if (fabs(x) > SKETCH_VALUE_MAX)
            return 0;
        int code = sketch_add(&tally->sketch, x, 1);
        tally->n += !code;
        return code;
    }
    tally->n++;
    if (kind == AGGREGATE_stddev)
        spread_add(tally, x);
    else
        sum_add(tally, x);
    return 0;
}

static int tally_add(struct tally *tally, struct arena *arena, const struct query_aggregation *of, struct query_row *row)
{
    char room[QUERY_TEXT_ROOM];
    double x;
    if (!of->arg) {
        tally->n++;
        return 0;
    }
    struct query_value value = query_eval(row, of->arg);
    if (value.type == QUERY_NONE)
        return 0;
    switch (of->kind) {
    case AGGREGATE_count:
        tally->n++;
        return 0;
    case AGGREGATE_count_distinct:
        return distinct_add(&tally->distinct, arena, hash_bytes(query_to_text(&value, room)));
    case AGGREGATE_sum:
    case AGGREGATE_avg:
    case AGGREGATE_pct:
    case AGGREGATE_stddev:
        return query_to_number(&value, &x) ? tally_number(tally, of->kind, x) : 0;
    default:
        if (tally->n && !wins(of->kind, tally, &value, &row->place))
            return 0;
        tally->n++;
        return keep_value(tally, arena, &value, &row->place);
    }
}

static int tally_merge(struct tally *into, const struct tally *from, struct arena *arena, enum query_aggregate kind)
{
    int code = 0;
    switch (kind) {
    case AGGREGATE_count:
        break;
    case AGGREGATE_count_distinct:
        code = distinct_merge(&into->distinct, &from->distinct, arena);
        break;
    case AGGREGATE_sum:
    case AGGREGATE_avg:
        sum_add(into, from->a);
        sum_add(into, from->b);
        break;
    case AGGREGATE_pct:
        code = sketch_merge(&into->sketch, &from->sketch);
        break;
    case AGGREGATE_stddev:
        spread_merge(into, from);
        break;
    default:
        if (from->n && (!into->n || wins(kind, into, &from->value, &from->place)))
            code = keep_value(into, arena, &from->value, &from->place);
    }
    into->n += from->n;
    return code;
}

/* Of n values as they are, not an estimate for more of them. */
static double deviation(const struct tally *tally)
{
    double variance = tally->b / (double)tally->n;
    return variance > 0 ? sqrt(variance) : 0;
}

static struct query_value tally_value(const struct tally *tally, const struct query_aggregation *of)
{
    double n = (double)tally->n, sum = tally->a + tally->b;
    if (of->kind == AGGREGATE_count)
        return query_number(n);
    if (of->kind == AGGREGATE_count_distinct)
        return query_number(distinct_count(&tally->distinct));
    if (!tally->n)
        return QUERY_NOTHING;
    switch (of->kind) {
    case AGGREGATE_sum:
        return isfinite(sum) ? query_number(sum) : QUERY_NOTHING;
    case AGGREGATE_avg:
        return isfinite(sum) ? query_number(sum / n) : QUERY_NOTHING;
    case AGGREGATE_pct:
        return query_number(sketch_quantile(&tally->sketch, of->share));
    case AGGREGATE_stddev:
        return isfinite(tally->b) ? query_number(deviation(tally)) : QUERY_NOTHING;
    default:
        return tally->value;
    }
}

/* ---- groups ---- */

static int table_grow(struct query_groups *groups)
{
    size_t cap = groups->cap ? groups->cap * 2 : 64;
    struct query_group **slot = calloc(cap, sizeof(struct query_group *));
    if (!slot)
        return ERR_MEMORY;
    for (size_t i = 0; i < groups->cap; i++)
        if (groups->slot[i]) {
            size_t at = groups->slot[i]->hash & (cap - 1);
            while (slot[at])
                at = (at + 1) & (cap - 1);
            slot[at] = groups->slot[i];
        }
    free(groups->slot);
    groups->slot = slot;
    groups->cap = cap;
    return 0;
}

static struct query_group *group_make(struct query_groups *groups, uint64_t hash, struct text key, const struct query_value *by)
{
    const struct query_stats *stats = groups->stats;
    struct query_group *group = arena_zalloc(&groups->arena, sizeof(*group) + stats->aggregations * sizeof(group->tally[0]));
    struct query_value *values = arena_array(&groups->arena, stats->bys, sizeof(*values));
    struct text copy = arena_copy(&groups->arena, key);
    if (!group || !values || !copy.data)
        return NULL;
    for (size_t i = 0; i < stats->bys; i++) {
        values[i] = by[i];
        values[i].text = arena_copy(&groups->arena, by[i].text);
        if (!values[i].text.data)
            return NULL;
    }
    for (size_t i = 0; i < stats->aggregations; i++)
        if (stats->aggregation[i].kind == AGGREGATE_pct)
            sketch_init(&group->tally[i].sketch, &groups->arena);
    group->hash = hash;
    group->key = copy;
    group->by = values;
    return group;
}

/* The group of a key, made when it is new; NULL with 0: a bound. */
static int group_find(struct query_groups *groups, struct watch_query_run *run, struct text key, const struct query_value *by, struct query_group **out)
{
    uint64_t hash = hash_bytes(key);
    *out = NULL;
    if (groups->count * 2 >= groups->cap && table_grow(groups))
        return ERR_MEMORY;
    size_t at = hash & (groups->cap - 1);
    for (; groups->slot[at]; at = (at + 1) & (groups->cap - 1))
        if (groups->slot[at]->hash == hash && text_equal(groups->slot[at]->key, key)) {
            *out = groups->slot[at];
            return 0;
        }
    if (groups->count == WATCH_QUERY_GROUPS_MAX) {
        query_partial(run, PARTIAL_GROUPS);
        return 0;
    }
    *out = group_make(groups, hash, key, by);
    if (!*out) {
        query_partial(run, PARTIAL_MEMORY);
        return 0;
    }
    groups->slot[at] = *out;
    groups->count++;
    return 0;
}

static void key_add(struct buf *key, const struct query_value *value)
{
    char room[QUERY_TEXT_ROOM];
    if (value->type == QUERY_TIME) {
        buf_add_u8(key, 2);
        buf_add(key, &value->number, sizeof(value->number));
    } else {
        buf_add_u8(key, value->type != QUERY_NONE);
        buf_add_bytes(key, query_to_text(value, room));
    }
}

int query_groups_add(struct query_groups *groups, struct query_row *row)
{
    const struct query_stats *stats = groups->stats;
    struct query_value by[QUERY_BY_MAX];
    struct query_group *group;
    buf_clear(&groups->key);
    for (size_t i = 0; i < stats->bys; i++) {
        by[i] = query_eval(row, stats->by[i]);
        key_add(&groups->key, &by[i]);
    }
    if (groups->key.failed) {
        query_partial(row->run, PARTIAL_MEMORY);
        return 0;
    }
    int code = group_find(groups, row->run, buf_text(&groups->key), by, &group);
    for (size_t i = 0; !code && group && i < stats->aggregations; i++)
        if (tally_add(&group->tally[i], &groups->arena, &stats->aggregation[i], row))
            query_partial(row->run, PARTIAL_MEMORY);
    return code;
}

int query_groups_merge(struct watch_query_run *run, struct query_groups *into, struct query_groups *from)
{
    const struct query_stats *stats = into->stats;
    for (size_t i = 0; i < from->cap; i++) {
        struct query_group *group, *other = from->slot[i];
        if (!other)
            continue;
        int code = group_find(into, run, other->key, other->by, &group);
        if (code)
            return code;
        for (size_t j = 0; group && j < stats->aggregations; j++)
            if (tally_merge(&group->tally[j], &other->tally[j], &into->arena, stats->aggregation[j].kind))
                query_partial(run, PARTIAL_MEMORY);
    }
    return 0;
}

/* The order of groups when nothing sorts them: the newest time first, as events are; else by value. */
static int by_values(const void *a, const void *b, void *context)
{
    const struct query_group *x = *(struct query_group *const *)a, *y = *(struct query_group *const *)b;
    const struct query_stats *stats = context;
    for (size_t i = 0; i < stats->bys; i++) {
        int order = query_compare(&x->by[i], &y->by[i]);
        if (order)
            return x->by[i].type == QUERY_TIME ? -order : order;
    }
    return text_compare(x->key, y->key);
}

static int drain_one(struct query_groups *groups, const struct query_group *group, struct watch_query_run *run, uint32_t next)
{
    const struct query_stats *stats = groups->stats;
    struct query_value value[QUERY_AGGREGATIONS_MAX];
    struct query_row *row = &run->row[run->query->stage[next].scope];
    query_row_begin(row, NULL);
    for (size_t i = 0; i < stats->aggregations; i++)
        value[i] = tally_value(&group->tally[i], &stats->aggregation[i]);
    row->aggregate = value;
    for (size_t i = 0; i < stats->bys; i++)
        row->value[i] = group->by[i];
    for (size_t i = 0; i < stats->items; i++)
        row->value[stats->bys + i] = query_eval(row, stats->item[i]);
    row->aggregate = NULL;
    memset(row->known, 1, stats->bys + stats->items);
    row->place = (struct watch_log_place){.sequence = run->order++};
    return query_push(run, next, row);
}

int query_groups_drain(struct query_groups *groups, struct watch_query_run *run, uint32_t next)
{
    int code = 0;
    size_t count = 0;
    struct query_group **list = calloc(groups->count + 1, sizeof(struct query_group *));
    if (!list)
        return ERR_MEMORY;
    for (size_t i = 0; i < groups->cap; i++)
        if (groups->slot[i])
            list[count++] = groups->slot[i];
    qsort_r(list, count, sizeof(list[0]), by_values, (void *)groups->stats);
    for (size_t i = 0; i < count && !code; i++)
        code = drain_one(groups, list[i], run, next);
    free(list);
    return code;
}
