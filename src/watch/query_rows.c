/*
 * sort, dedup and limit: the best rows in a heap, the worst of them on top. A row that would not stay costs a comparison; one that stays is copied into a block of its own, with
 * every value that later stages may ask for. So what is held is the limit, not the events, and the result does not depend on the order in which they came.
 *
 * When nothing sorts, events are ordered newest first, and rows of a stats as it gives them. Rows that are equal in the order are told apart the same way.
 */
#include "watch/query_inside.h"

#include <stdlib.h>

#define HELD_MAX 100000 /* rows of a sort or dedup that is not the last stage */
#define PARTIAL_ROWS "more rows are sorted than are kept"
#define PARTIAL_MEMORY "the result takes more memory than a query may have"

struct query_kept {
    struct watch_log_place place;
    size_t bytes, index;
    struct text key; /* of dedup; data NULL: none */
    struct query_value *order, *value;
    uint8_t *known;
};

void query_rows_init(struct query_rows *rows, const struct query_collect *collect, const struct query_scope *scope, bool last)
{
    *rows = (struct query_rows){.collect = collect, .scope = scope, .limit = collect->limit ? collect->limit : last ? WATCH_QUERY_LIMIT_MAX : HELD_MAX};
    map_init(&rows->seen);
}

void query_rows_fini(struct query_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        free(rows->heap[i]);
    free(rows->heap);
    map_fini(&rows->seen);
}

/* ---- order ---- */

static int compare(const struct query_rows *rows, const struct query_value *a, const struct watch_log_place *a_place, const struct query_value *b,
    const struct watch_log_place *b_place)
{
    for (size_t i = 0; i < rows->collect->orders; i++) {
        int order = query_compare(&a[i], &b[i]);
        if (order)
            return rows->collect->order[i].descending ? -order : order;
    }
    int order = watch_log_place_compare(a_place, b_place);
    return rows->scope->events ? -order : order;
}

static int compare_kept(const struct query_rows *rows, const struct query_kept *a, const struct query_kept *b)
{
    return compare(rows, a->order, &a->place, b->order, &b->place);
}

static int sort_order(const void *a, const void *b, void *context)
{
    return compare_kept(context, *(struct query_kept *const *)a, *(struct query_kept *const *)b);
}

static void heap_set(struct query_rows *rows, size_t at, struct query_kept *kept)
{
    rows->heap[at] = kept;
    kept->index = at;
}

static void heap_up(struct query_rows *rows, size_t at, struct query_kept *kept)
{
    while (at && compare_kept(rows, kept, rows->heap[(at - 1) / 2]) > 0) {
        heap_set(rows, at, rows->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_set(rows, at, kept);
}

static void heap_down(struct query_rows *rows, size_t at, struct query_kept *kept)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= rows->count)
            break;
        if (child + 1 < rows->count && compare_kept(rows, rows->heap[child + 1], rows->heap[child]) > 0)
            child++;
        if (compare_kept(rows, kept, rows->heap[child]) >= 0)
            break;
        heap_set(rows, at, rows->heap[child]);
        at = child;
    }
    heap_set(rows, at, kept);
}

static void drop(struct query_rows *rows, struct query_kept *kept)
{
    size_t at = kept->index;
    struct query_kept *moved = rows->heap[--rows->count];
    if (moved != kept) {
        heap_down(rows, at, moved);
        if (moved->index == at)
            heap_up(rows, at, moved);
    }
    if (kept->key.data)
        map_delete(&rows->seen, kept->key);
    rows->bytes -= kept->bytes;
    free(kept);
}

/* ---- keeping ---- */

static bool is_kept(const struct query_rows *rows, uint32_t slot)
{
    enum query_source source = rows->scope->slot[slot].source;
    return (source != SOURCE_NODE && source != SOURCE_PARSE) || slot < rows->collect->slots;
}

static struct query_value move(struct query_value value, char **at)
{
    if (value.text.len)
        memcpy(*at, value.text.data, value.text.len);
    value.text.data = *at;
    *at += value.text.len;
    return value;
}

/* The row in a block of its own. */
static struct query_kept *kept_make(struct query_rows *rows, struct query_row *row, const struct query_value *order, struct text key)
{
    size_t orders = rows->collect->orders, slots = rows->scope->count;
    size_t bytes = sizeof(struct query_kept) + (orders + slots) * sizeof(struct query_value) + slots + key.len;
    for (size_t i = 0; i < orders; i++)
        bytes += order[i].text.len;
    for (uint32_t i = 0; i < slots; i++)
        if (is_kept(rows, i))
            bytes += query_slot_value(row, i).text.len;
    struct query_kept *kept = malloc(bytes);
    if (!kept)
        return NULL;
    *kept = (struct query_kept){.place = row->place, .bytes = bytes};
    kept->order = (struct query_value *)(kept + 1);
    kept->value = kept->order + orders;
    kept->known = (uint8_t *)(kept->value + slots);
    char *at = (char *)kept->known + slots;
    for (size_t i = 0; i < orders; i++)
        kept->order[i] = move(order[i], &at);
    for (uint32_t i = 0; i < slots; i++) {
        kept->known[i] = is_kept(rows, i);
        kept->value[i] = kept->known[i] ? move(row->value[i], &at) : QUERY_NOTHING;
    }
    if (key.data) {
        memcpy(at, key.data, key.len);
        kept->key = text_make(at, key.len);
    }
    return kept;
}

static int heap_room(struct query_rows *rows)
{
    if (rows->count < rows->cap)
        return 0;
    size_t cap = rows->cap ? rows->cap * 2 : 64;
    struct query_kept **grown = realloc(rows->heap, cap * sizeof(struct query_kept *));
    if (!grown)
        return ERR_MEMORY;
    rows->heap = grown;
    rows->cap = cap;
    return 0;
}

/* Makes room for a row, or says that it does not stay. */
static bool admit(struct query_rows *rows, struct watch_query_run *run, const struct query_kept *kept)
{
    while (rows->count && (rows->count >= rows->limit || rows->bytes + kept->bytes > WATCH_QUERY_STATE_MAX)) {
        if (rows->count < rows->limit)
            query_partial(run, PARTIAL_MEMORY);
        else if (rows->limit == HELD_MAX)
            query_partial(run, PARTIAL_ROWS);
        if (compare_kept(rows, kept, rows->heap[0]) >= 0)
            return false;
        drop(rows, rows->heap[0]);
    }
    return true;
}

/* Takes the row. */
static int insert(struct query_rows *rows, struct watch_query_run *run, struct query_kept *kept)
{
    struct query_kept *same = kept->key.data ? map_get(&rows->seen, kept->key) : NULL;
    if (same && compare_kept(rows, kept, same) >= 0) {
        free(kept);
        return 0;
    }
    if (same)
        drop(rows, same);
    int code = heap_room(rows);
    if (code || !admit(rows, run, kept)) {
        free(kept);
        return code;
    }
    if (kept->key.data)
        code = map_put(&rows->seen, kept->key, kept, NULL);
    if (code) {
        free(kept);
        return code;
    }
    rows->bytes += kept->bytes;
    rows->count++;
    heap_up(rows, rows->count - 1, kept);
    return 0;
}

/* Nothing when one of the values is missing: then the row is no duplicate. data NULL on a lack of memory as well, which keeps the row. */
static struct text dedup_key(struct query_rows *rows, struct query_row *row)
{
    char room[QUERY_TEXT_ROOM];
    struct buf key;
    struct text out = TEXT_NONE;
    buf_init(&key, WATCH_QUERY_EVENT_MAX / 2);
    for (size_t i = 0; i < rows->collect->dedups; i++) {
        struct query_value value = query_eval(row, rows->collect->dedup[i]);
        if (value.type == QUERY_NONE)
            key.failed = true;
        else
            buf_add_bytes(&key, query_to_text(&value, room));
    }
    if (rows->collect->dedups && !key.failed)
        out = arena_copy(&row->run->arena, buf_text(&key));
    buf_fini(&key);
    return out;
}

int query_rows_add(struct query_rows *rows, struct query_row *row)
{
    struct query_value order[QUERY_ORDERS_MAX];
    for (size_t i = 0; i < rows->collect->orders; i++)
        order[i] = query_eval(row, rows->collect->order[i].node);
    bool full = rows->count >= rows->limit && rows->count;
    if (full && !rows->collect->dedups && rows->limit != HELD_MAX && compare(rows, order, &row->place, rows->heap[0]->order, &rows->heap[0]->place) >= 0)
        return 0;
    struct query_kept *kept = kept_make(rows, row, order, dedup_key(rows, row));
    return kept ? insert(rows, row->run, kept) : ERR_MEMORY;
}

int query_rows_merge(struct watch_query_run *run, struct query_rows *into, struct query_rows *from)
{
    int code = 0;
    while (from->count && !code) {
        struct query_kept *kept = from->heap[--from->count];
        code = insert(into, run, kept);
    }
    return code;
}

int query_rows_each(struct query_rows *rows, struct query_row *row, int (*visit)(void *context, struct query_row *row), void *context)
{
    struct query_value *value = row->value;
    uint8_t *known = row->known;
    int code = 0;
    if (!rows->sorted && rows->count)
        qsort_r(rows->heap, rows->count, sizeof(rows->heap[0]), sort_order, rows);
    rows->sorted = true;
    for (size_t i = 0; i < rows->count && !code; i++) {
        query_row_begin(row, NULL);
        memcpy(value, rows->heap[i]->value, rows->scope->count * sizeof(*value));
        memcpy(known, rows->heap[i]->known, rows->scope->count);
        row->place = rows->heap[i]->place;
        code = visit(context, row);
    }
    return code;
}
