/*
 * Entries stand in one array, best first, found by halving; a change moves pointers, a few kilobytes at the most. What was shown is a second array over the same
 * entries (they are counted), so that a comparison is one of pointers: an entry that a change has not touched is the same object in both.
 *
 * The steps from one array to the other are few because untouched entries keep their order: whoever is gone leaves, from the back; whoever has another place in
 * the order is moved, one by one, to where it stands among those that are placed; whoever is new enters, from the front; and what only looks different is updated.
 */
#include "gateway/live_board.h"
#include "base/assert.h"
#include "base/hash.h"
#include "store/key.h"

#include <stdlib.h>

#define SPARE_LEAST 64

int board_init(struct board *board, uint32_t top, bool backward)
{
    uint32_t max = 2 * top + SPARE_LEAST;
    ASSERT(top >= 1 && top <= BOARD_TOP_MAX);
    *board = (struct board){.top = top, .backward = backward, .max = max};
    board->entry = calloc(max + 1, sizeof(struct board_entry *)); /* one more while it is inserted */
    board->shown = calloc(top, sizeof(struct board_entry *));
    if (board->entry && board->shown)
        return 0;
    board_fini(board);
    return ERR_MEMORY;
}

static void entry_unref(struct board_entry *entry)
{
    if (--entry->refs == 0)
        free(entry);
}

void board_fini(struct board *board)
{
    for (uint32_t i = 0; i < board->count; i++)
        entry_unref(board->entry[i]);
    for (uint32_t i = 0; i < board->shown_count; i++)
        entry_unref(board->shown[i]);
    free(board->entry);
    free(board->shown);
    *board = (struct board){0};
}

int board_order(struct buf *out, const struct store_table *table, const struct store_index *index, const struct attr *item)
{
    const struct store_key *of = store_key_of(table, index), *primary = store_key_of(table, NULL);
    struct err err;
    buf_clear(out);
    for (size_t i = of->hashes; i < store_key_parts(of); i++)
        if (key_add_component(out, of->part[i].type, item_get(item, of->part[i].name), of->part[i].name, ITEM_RANGE_KEY_MAX, &err))
            return out->failed ? ERR_MEMORY : ERR_NOT_FOUND;
    for (size_t i = 0; index && i < store_key_parts(primary); i++)
        if (key_add_component(out, primary->part[i].type, item_get(item, primary->part[i].name), primary->part[i].name, ITEM_HASH_KEY_MAX, &err))
            return out->failed ? ERR_MEMORY : ERR_NOT_FOUND;
    return 0;
}

static struct text put(char **at, struct text text)
{
    struct text copy = text_make(*at, text.len);
    if (text.len)
        memcpy(*at, text.data, text.len);
    *at += text.len;
    return copy;
}

static struct board_entry *entry_make(struct text order, struct text key, struct text item)
{
    struct board_entry *entry = malloc(sizeof(*entry) + order.len + key.len + item.len + 1);
    if (!entry)
        return NULL;
    char *at = entry->bytes;
    *entry = (struct board_entry){.refs = 1, .hash = hash_bytes(key)};
    entry->order = put(&at, order);
    entry->key = put(&at, key);
    entry->item = put(&at, item);
    return entry;
}

/* <0: `order` stands before the entry. */
static int order_compare(const struct board *board, struct text order, const struct board_entry *entry)
{
    int way = text_compare(order, entry->order);
    return board->backward ? -way : way;
}

/* The first entry that does not stand before `order`. */
static uint32_t find(const struct board *board, struct text order)
{
    uint32_t low = 0, high = board->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (order_compare(board, order, board->entry[middle]) > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void drop_last(struct board *board)
{
    struct board_entry *last = board->entry[--board->count];
    board->bytes -= last->item.len;
    board->complete = false;
    entry_unref(last);
}

static void trim(struct board *board)
{
    while (board->count > board->max || (board->count > board->top && board->bytes > BOARD_BYTES_MAX))
        drop_last(board);
}

int board_append(struct board *board, struct text order, struct text key, struct text item)
{
    if (board->count == board->max || (board->count >= board->top && board->bytes + item.len > BOARD_BYTES_MAX))
        return ERR_FULL;
    if (board->bytes + item.len > BOARD_TOP_BYTES_MAX)
        return ERR_TOO_LARGE;
    struct board_entry *entry = entry_make(order, key, item);
    if (!entry)
        return ERR_MEMORY;
    board->entry[board->count++] = entry;
    board->bytes += item.len;
    return 0;
}

int board_remove(struct board *board, struct text order, bool *moved)
{
    uint32_t at = find(board, order);
    if (at == board->count || !text_equal(board->entry[at]->order, order))
        return 0;
    struct board_entry *entry = board->entry[at];
    board->bytes -= entry->item.len;
    board->count--;
    memmove(board->entry + at, board->entry + at + 1, (board->count - at) * sizeof(struct board_entry *));
    entry_unref(entry);
    *moved = *moved || at < board->top;
    return board->count < board->top && !board->complete ? ERR_AGAIN : 0;
}

int board_insert(struct board *board, struct text order, struct text key, struct text item, bool *moved)
{
    uint32_t at = find(board, order);
    if (at == board->count && !board->complete)
        return 0; /* among those that are not known */
    struct board_entry *entry = entry_make(order, key, item);
    if (!entry)
        return ERR_MEMORY;
    memmove(board->entry + at + 1, board->entry + at, (board->count - at) * sizeof(struct board_entry *));
    board->entry[at] = entry;
    board->count++;
    board->bytes += item.len;
    trim(board);
    *moved = *moved || at < board->top;
    return 0;
}

bool board_is_low(const struct board *board)
{
    return !board->complete && board->count < board->top + (board->max - board->top) / 4;
}

uint32_t board_top_count(const struct board *board)
{
    return board->count < board->top ? board->count : board->top;
}

/* ---- from what was shown to what is ---- */

struct walk {
    struct board_entry **work; /* what a reader has after the steps so far */
    uint32_t count;
    board_step_fn *step;
    void *context;
};

static void work_remove(struct walk *w, uint32_t at)
{
    w->count--;
    memmove(w->work + at, w->work + at + 1, (w->count - at) * sizeof(struct board_entry *));
}

static void work_insert(struct walk *w, uint32_t at, struct board_entry *entry)
{
    memmove(w->work + at + 1, w->work + at, (w->count - at) * sizeof(struct board_entry *));
    w->work[at] = entry;
    w->count++;
}

/* What stands for the item now, among entries that have not been shown before. */
static struct board_entry *successor(const struct board *board, const struct board_entry *shown, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        struct board_entry *entry = board->entry[i];
        if (entry->hash == shown->hash && text_equal(entry->key, shown->key))
            return entry;
    }
    return NULL;
}

enum { PLACED = 0, MOVING = 1 };

/* Where the entry belongs among those that are placed; those that are still to be moved do not count. */
static uint32_t place_of(const struct walk *w, const struct board_entry *entry, const uint8_t *moving)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < w->count; i++)
        if (moving[w->work[i]->place] == PLACED && w->work[i]->place < entry->place)
            at = i + 1;
    return at;
}

/* The window [from, to) of both arrays is all that differs at their ends. */
static void compare(struct board *board, struct walk *w, uint32_t from, uint32_t now_to, uint8_t *moving)
{
    uint64_t serial = ++board->serial;
    uint32_t shown_to = w->count - (board_top_count(board) - now_to);
    for (uint32_t i = 0; i < board_top_count(board); i++) {
        board->entry[i]->seen = serial;
        board->entry[i]->place = i;
    }
    for (uint32_t i = shown_to; i-- > from;) { /* from the back: who is gone, and who is somebody else's predecessor */
        struct board_entry *shown = w->work[i];
        if (shown->seen == serial)
            continue;
        struct board_entry *now = successor(board, shown, from, now_to);
        if (!now) {
            w->step(w->context, 'L', i, 0, shown);
            work_remove(w, i);
            continue;
        }
        moving[now->place] = text_equal(now->order, shown->order) ? PLACED : MOVING;
        w->work[i] = now;
        if (moving[now->place] == PLACED && text_equal(now->item, shown->item)) { /* written again as it was */
            shown->seen = serial;
            shown->place = now->place;
        }
    }
}

static void move_all(struct walk *w, uint8_t *moving)
{
    for (uint32_t i = 0; i < w->count;) {
        struct board_entry *entry = w->work[i];
        if (moving[entry->place] == PLACED) {
            i++;
            continue;
        }
        work_remove(w, i);
        uint32_t to = place_of(w, entry, moving);
        moving[entry->place] = PLACED;
        work_insert(w, to, entry);
        w->step(w->context, to == i ? 'U' : 'M', i, to, entry);
        if (to <= i)
            i++;
    }
}

int board_show(struct board *board, board_step_fn *step, void *context)
{
    uint32_t now = board_top_count(board), most = now + board->shown_count, from = 0, same = 0;
    struct walk w = {.work = malloc((most + 1) * sizeof(struct board_entry *)), .count = board->shown_count, .step = step, .context = context};
    uint8_t *moving = calloc(now + 1, 1), *fresh = calloc(now + 1, 1);
    if (!w.work || !moving || !fresh) {
        free(w.work);
        free(moving);
        free(fresh);
        return ERR_MEMORY;
    }
    if (board->shown_count)
        memcpy(w.work, board->shown, board->shown_count * sizeof(struct board_entry *));
    while (from < now && from < w.count && w.work[from] == board->entry[from])
        from++;
    while (same < now - from && same < w.count - from && w.work[w.count - 1 - same] == board->entry[now - 1 - same])
        same++;
    compare(board, &w, from, now - same, moving);
    /* An entry that was shown as another object, and stays where it is in the order, has been changed. */
    uint64_t serial = board->serial;
    for (uint32_t i = 0; i < board->shown_count; i++)
        if (board->shown[i]->seen == serial)
            fresh[board->shown[i]->place] = 1;
    for (uint32_t i = 0; i < w.count; i++)
        if (moving[w.work[i]->place] == MOVING)
            fresh[w.work[i]->place] = 1; /* its move tells */
    move_all(&w, moving);
    for (uint32_t i = 0; i < now; i++) {
        if (i < w.count && w.work[i] == board->entry[i]) {
            if (!fresh[i])
                step(context, 'U', i, i, board->entry[i]);
            continue;
        }
        work_insert(&w, i, board->entry[i]);
        step(context, 'E', 0, i, board->entry[i]);
    }
    ASSERT(w.count == now);
    for (uint32_t i = 0; i < now; i++)
        board->entry[i]->refs++;
    for (uint32_t i = 0; i < board->shown_count; i++)
        entry_unref(board->shown[i]);
    if (now)
        memcpy(board->shown, board->entry, now * sizeof(struct board_entry *));
    board->shown_count = now;
    free(w.work);
    free(moving);
    free(fresh);
    return 0;
}
