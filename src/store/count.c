/*
 * Ordered counts: the rank of an entry and the entry at a rank, in O(log n), kept as rows.
 *
 * The entries of a partition (one hash value of an index, or of a table: of all hash attributes together) are
 * its ordinary rows. Above them lie levels of blocks. A block is a row named by the first key it covers; it covers everything up to the
 * next block of its level and holds how many children it has and how many entries lie below:
 *
 *     level 2   ""(3 children, 200)             m(2, 150)
 *     level 1   ""(70)  e(60)  h(70)            m(80)  t(70)          children of level 1 are entries
 *     entries   a b c d  e f g  h i j k l       m n o  t u v w ...
 *
 * The head row holds the height, the number of blocks of the top level, and the total. A put or a deletion
 * changes one row per level and the head, in the same stage as the entry: consistent after a crash, nothing
 * to rebuild at a start. A block that grows beyond its bound is split at its middle child; an empty one is
 * deleted, but for the first of its level, which is named by the empty key so that every key has a block.
 * Blocks are not merged when they shrink: they empty out or fill again.
 *
 * The parent of a block is the last block of the next level at or before the *block's* first key, never the
 * entry's: after the first child of "m" has been deleted, the keys from "m" up to the next child lie in the
 * block before it, and so do their counts. Every walk below keeps to that.
 *
 * Not chosen: an order-statistic tree in memory (a start would read every entry), nodes as packed arrays
 * (each put would journal kilobytes).
 */
#include "store/internal.h"

#ifndef ENTRIES_MAX    /* a test makes tall trees of few entries */
#define ENTRIES_MAX 64 /* of a block of level 1 */
#define BLOCKS_MAX 64  /* of a block above, and of the head */
#endif
#define HEIGHT_MAX 16

struct counted {
    struct store_view *view;
    struct arena arena;
    struct buf key;      /* scratch */
    struct text prefix;  /* of the count rows: kind, table, part, hash */
    struct text entries; /* of the entry rows */
    struct merge rows, entry;
    bool rows_open, entry_open;
    uint64_t height, children, total; /* the head */
    bool exists;
};

struct block {
    unsigned level;
    struct text first;
    uint64_t children, sum;
};

static uint64_t children_max(unsigned level)
{
    return level == 1 ? ENTRIES_MAX : BLOCKS_MAX;
}

/* ---- rows ---- */

static struct text block_key(struct counted *t, unsigned level, struct text first)
{
    buf_clear(&t->key);
    buf_add_text(&t->key, t->prefix);
    if (level)
        buf_add_u8(&t->key, (uint8_t)level);
    buf_add_text(&t->key, first);
    return buf_text(&t->key);
}

static struct text successor(struct arena *arena, struct text prefix)
{
    struct text copy = arena_copy(arena, prefix);
    struct buf as_buf = {.data = (char *)copy.data, .len = copy.len};
    if (!copy.data || !key_successor(&as_buf))
        return TEXT_NONE;
    return buf_text(&as_buf);
}

static int row_write(struct counted *t, struct text key, const uint64_t *number, int n)
{
    char bytes[32];
    struct buf value = {.data = bytes, .cap = sizeof(bytes), .limit = sizeof(bytes)};
    for (int i = 0; i < n; i++)
        buf_add_varint(&value, number[i]);
    return t->key.failed || value.failed ? ERR_MEMORY : overlay_put(t->view->stage, key, buf_text(&value));
}

static int row_read(struct text value, uint64_t *number, int n)
{
    struct cursor c = cursor_of(value);
    for (int i = 0; i < n; i++)
        number[i] = cursor_varint(&c);
    return c.failed || cursor_left(&c) ? ERR_CORRUPT : 0;
}

static int head_write(struct counted *t)
{
    return row_write(t, block_key(t, 0, TEXT_NONE), (uint64_t[]){t->height, t->children, t->total}, 3);
}

static int block_write(struct counted *t, const struct block *b)
{
    return row_write(t, block_key(t, b->level, b->first), (uint64_t[]){b->children, b->sum}, 2);
}

static int head_read(struct counted *t)
{
    struct rocks_value value;
    uint64_t number[3];
    int rc = view_get(t->view, block_key(t, 0, TEXT_NONE), &value);
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    rc = row_read(value.bytes, number, 3);
    rocks_value_release(&value);
    if (rc || !number[0] || number[0] > HEIGHT_MAX)
        return ERR_CORRUPT;
    t->exists = true;
    t->height = number[0];
    t->children = number[1];
    t->total = number[2];
    return 0;
}

/* ---- opening ---- */

static void counted_close(struct counted *t)
{
    if (t->rows_open)
        merge_close(&t->rows);
    if (t->entry_open)
        merge_close(&t->entry);
    buf_fini(&t->key);
    arena_fini(&t->arena);
}

/* `entry_prefix` is the start of the entries' keys: kind, table, [part], hash. */
static int counted_open(struct counted *t, struct store_view *view, const struct store_table *table,
    const struct definition *def, const struct store_index *index, struct text entry_start)
{
    size_t skip = table_key_len(def) + (index ? 2 : 0);
    memset(t, 0, sizeof(*t));
    t->view = view;
    arena_init(&t->arena, 2048, 1u << 20);
    buf_init(&t->key, KEY_BYTES_MAX);
    part_key(&t->key, def, KEY_COUNT, table, index ? index->id : def->count_part);
    buf_add(&t->key, entry_start.data + skip, entry_start.len - skip);
    t->prefix = arena_copy(&t->arena, buf_text(&t->key));
    t->entries = arena_copy(&t->arena, entry_start);
    int rc = t->key.failed || !t->prefix.data || !t->entries.data ? ERR_MEMORY : head_read(t);
    if (rc)
        counted_close(t);
    return rc;
}

static int rows_merge(struct counted *t, struct merge **out)
{
    *out = &t->rows;
    if (t->rows_open)
        return 0;
    struct text upper = successor(&t->arena, t->prefix);
    int rc = upper.data ? merge_open(&t->rows, t->view, t->prefix, upper, false) : ERR_MEMORY;
    t->rows_open = !rc;
    return rc;
}

static int entry_merge(struct counted *t, struct merge **out)
{
    *out = &t->entry;
    if (t->entry_open)
        return 0;
    struct text upper = successor(&t->arena, t->entries);
    int rc = upper.data ? merge_open(&t->entry, t->view, t->entries, upper, false) : ERR_MEMORY;
    t->entry_open = !rc;
    return rc;
}

/* ---- walking ---- */

static int block_read(struct counted *t, const struct merge *m, struct block *b)
{
    uint64_t number[2];
    size_t skip = t->prefix.len + 1;
    if (m->key.len < skip)
        return ERR_CORRUPT;
    b->level = (unsigned char)m->key.data[skip - 1];
    b->first = text_make(m->key.data + skip, m->key.len - skip);
    int rc = row_read(m->value, number, 2);
    b->children = number[0];
    b->sum = number[1];
    return rc;
}

static int block_keep(struct counted *t, struct block *b)
{
    b->first = arena_copy(&t->arena, b->first);
    return b->first.data ? 0 : ERR_MEMORY;
}

/* The block of a level that covers the key. */
static int block_find(struct counted *t, unsigned level, struct text key, struct block *b)
{
    struct merge *m;
    int rc = rows_merge(t, &m);
    if (!rc)
        rc = merge_seek(m, block_key(t, level, key), true);
    if (!rc)
        rc = block_read(t, m, b);
    if (!rc && b->level != level)
        rc = ERR_NOT_FOUND;
    if (rc)
        return rc == ERR_NOT_FOUND ? ERR_CORRUPT : rc; /* every level has its first block */
    return block_keep(t, b);
}

/* A walk along the children of a block: blocks, or entries below level 1. */
struct walk {
    struct merge *m;
    unsigned level; /* of the children; 0: entries */
    bool begun;
};

static int walk_begin(struct counted *t, struct walk *w, unsigned level, struct text first)
{
    *w = (struct walk){.level = level};
    int rc = level ? rows_merge(t, &w->m) : entry_merge(t, &w->m);
    if (rc)
        return rc;
    if (level)
        return merge_seek(w->m, block_key(t, level, first), false);
    buf_clear(&t->key);
    buf_add_text(&t->key, t->entries);
    buf_add_text(&t->key, first);
    return merge_seek(w->m, buf_text(&t->key), false);
}

/* The next child; its key is valid until the next step. An entry counts as a block with sum 1. */
static int walk_next(struct counted *t, struct walk *w, struct block *b)
{
    int rc = w->begun ? merge_step(w->m) : 0;
    w->begun = true;
    if (rc)
        return rc == ERR_NOT_FOUND ? ERR_CORRUPT : rc;
    if (w->level) {
        rc = block_read(t, w->m, b);
        return rc ? rc : b->level == w->level ? 0 : ERR_CORRUPT;
    }
    size_t skip = t->entries.len;
    *b = (struct block){
        .first = text_make(w->m->key.data + skip, w->m->key.len - skip), .children = 0, .sum = 1};
    return 0;
}

/* ---- changing ---- */

/* Passes a change of a block of `level` on to everything above it. `parent` receives the block above, level 0
 * when that is the head. */
static int adjust_above(
    struct counted *t, unsigned level, struct text first, int64_t sum, int64_t children, struct block *parent)
{
    parent->level = 0;
    for (unsigned up = level + 1; up <= t->height; up++) {
        struct block b;
        int rc = block_find(t, up, first, &b);
        if (rc)
            return rc;
        b.sum += (uint64_t)sum;
        if (up == level + 1) {
            b.children += (uint64_t)children;
            *parent = b;
        }
        rc = block_write(t, &b);
        if (rc)
            return rc;
        first = b.first;
    }
    t->total += (uint64_t)sum;
    if (level == t->height)
        t->children += (uint64_t)children;
    return head_write(t);
}

/* Walks over the first half of the children: `left` and `right` become the halves. */
static int halve(struct counted *t, const struct block *whole, struct block *left, struct block *right)
{
    struct walk w;
    struct block child;
    uint64_t half = whole->children / 2;
    *left = *right = *whole;
    left->children = half;
    left->sum = 0;
    int rc = walk_begin(t, &w, whole->level - 1, whole->first);
    for (uint64_t i = 0; i < half && !rc; i++) {
        rc = walk_next(t, &w, &child);
        left->sum += rc ? 0 : child.sum;
    }
    if (!rc)
        rc = walk_next(t, &w, &child);
    if (rc)
        return rc == ERR_NOT_FOUND ? ERR_CORRUPT : rc;
    right->first = child.first;
    right->children = whole->children - half;
    right->sum = whole->sum - left->sum;
    return block_keep(t, right);
}

static int grow(struct counted *t);

static int split(struct counted *t, struct block whole)
{
    for (;;) {
        struct block left, right, parent;
        int rc = halve(t, &whole, &left, &right);
        if (!rc)
            rc = block_write(t, &left);
        if (!rc)
            rc = block_write(t, &right);
        if (!rc)
            rc = adjust_above(t, whole.level, left.first, -(int64_t)right.sum, 0, &parent);
        if (!rc)
            rc = adjust_above(t, whole.level, right.first, (int64_t)right.sum, 1, &parent);
        if (rc)
            return rc;
        if (!parent.level)
            return t->children > BLOCKS_MAX ? grow(t) : 0;
        if (parent.children <= children_max(parent.level))
            return 0;
        whole = parent;
    }
}

/* The top level has become too wide: a level of two blocks above it. */
static int grow(struct counted *t)
{
    struct block whole = {.level = (unsigned)t->height + 1,
                     .first = TEXT(""),
                     .children = t->children,
                     .sum = t->total},
                 left, right;
    if (t->height >= HEIGHT_MAX)
        return ERR_TOO_LARGE;
    int rc = halve(t, &whole, &left, &right);
    if (!rc)
        rc = block_write(t, &left);
    if (!rc)
        rc = block_write(t, &right);
    t->height++;
    t->children = 2;
    return rc ? rc : head_write(t);
}

static int insert(struct counted *t, struct text key)
{
    struct block b = {.level = 1, .first = TEXT("")}, parent;
    int rc = 0;
    if (t->exists)
        rc = block_find(t, 1, key, &b);
    else
        t->height = t->children = 1;
    b.children++;
    b.sum++;
    if (!rc)
        rc = block_write(t, &b);
    if (!rc)
        rc = adjust_above(t, 1, b.first, 1, 0, &parent);
    return rc || b.children <= ENTRIES_MAX ? rc : split(t, b);
}

static int delete_all(struct counted *t)
{
    int rc = overlay_delete(t->view->stage, block_key(t, 0, TEXT_NONE));
    for (unsigned level = 1; level <= t->height && !rc; level++)
        rc = overlay_delete(t->view->stage, block_key(t, level, TEXT_NONE));
    return rc;
}

static int delete_empty(struct counted *t, struct block b)
{
    while (b.level && !b.children && b.first.len) {
        struct block parent;
        int rc = overlay_delete(t->view->stage, block_key(t, b.level, b.first));
        if (!rc)
            rc = adjust_above(t, b.level, b.first, 0, -1, &parent);
        if (rc)
            return rc;
        b = parent;
    }
    return 0;
}

/* A top level of one block says nothing that the head cannot say. */
static int shrink(struct counted *t)
{
    if (t->height == 1 || t->children > 1)
        return 0;
    while (t->height > 1 && t->children == 1) {
        struct block top;
        int rc = block_find(t, (unsigned)t->height, TEXT(""), &top);
        if (!rc)
            rc = overlay_delete(t->view->stage, block_key(t, top.level, top.first));
        if (rc)
            return rc;
        t->children = top.children;
        t->height--;
    }
    return head_write(t);
}

static int take_out(struct counted *t, struct text key)
{
    struct block b, parent;
    int rc = t->exists ? block_find(t, 1, key, &b) : ERR_CORRUPT;
    if (rc || !b.children || !t->total)
        return rc ? rc : ERR_CORRUPT;
    b.children--;
    b.sum--;
    rc = block_write(t, &b);
    if (!rc)
        rc = adjust_above(t, 1, b.first, -1, 0, &parent);
    if (!rc)
        rc = delete_empty(t, b);
    if (!rc && !t->total)
        return delete_all(t); /* only the first block of each level is left */
    return rc ? rc : shrink(t);
}

/* Length of an entry key's start up to and including its hash components; 0 when it is damaged. */
static size_t entry_start_len(
    const struct definition *def, const struct store_index *index, struct text entry)
{
    size_t skip = table_key_len(def) + (index ? 2 : 0);
    struct cursor c = cursor_of(entry);
    const struct store_key *key = entry_schema(def, index);
    cursor_take(&c, skip);
    if (key_skip_parts(&c, key, key->hashes))
        return 0;
    return entry.len - cursor_left(&c);
}

int count_adjust(struct store_view *view, const struct store_table *table, const struct definition *def,
    const struct store_index *index, struct text entry, int change)
{
    struct counted t;
    size_t start = entry_start_len(def, index, entry);
    int rc = start ? counted_open(&t, view, table, def, index, text_make(entry.data, start)) : ERR_CORRUPT;
    if (rc)
        return rc;
    struct text key = text_make(entry.data + start, entry.len - start);
    rc = change > 0 ? insert(&t, key) : take_out(&t, key);
    counted_close(&t);
    return rc;
}

/* ---- asking ---- */

static int rank_of(struct counted *t, struct text key, uint64_t *rank)
{
    struct block b, child;
    struct walk w;
    int rc = block_find(t, 1, key, &b);
    if (rc)
        return rc;
    *rank = 0;
    /* Siblings before it, level by level from the entries up. */
    for (unsigned level = 0; level <= t->height; level++) {
        struct block parent = {.first = TEXT("")};
        struct text self = level ? b.first : key;
        if (level == 0)
            parent = b;
        else if (level < t->height)
            rc = block_find(t, level + 1, b.first, &parent);
        if (!rc)
            rc = walk_begin(t, &w, level, parent.first);
        while (!rc && !(rc = walk_next(t, &w, &child)) && !text_equal(child.first, self)) {
            if (text_compare(child.first, self) > 0)
                rc = ERR_CORRUPT;
            *rank += child.sum;
        }
        if (rc)
            return rc == ERR_NOT_FOUND ? ERR_CORRUPT : rc;
        b = parent;
    }
    return 0;
}

/* The key (behind the hash) of the entry with a rank below the total. */
static int key_at(struct counted *t, uint64_t rank, struct text *key)
{
    struct text first = TEXT("");
    for (unsigned level = (unsigned)t->height;; level--) {
        struct walk w;
        struct block child;
        int rc = walk_begin(t, &w, level, first);
        while (!rc && !(rc = walk_next(t, &w, &child)) && rank >= child.sum)
            rank -= child.sum;
        if (!rc)
            rc = block_keep(t, &child);
        if (rc)
            return rc == ERR_NOT_FOUND ? ERR_CORRUPT : rc;
        first = child.first;
        if (!level)
            break;
    }
    *key = first;
    return 0;
}

static int check_counted(const struct store_view *view, const struct store_table *table,
    const struct definition *def, const struct store_index *index)
{
    if (table_is_gone(view, table))
        return ERR_NOT_FOUND;
    if (index ? !index->decl.counted : !def->count_part)
        return ERR_UNSUPPORTED;
    return part_ready(view, index ? &index->fill : &table->primary_fill) ? 0 : ERR_AGAIN;
}

int store_rank_count(struct store_view *view, const struct store_table *table,
    const struct store_index *index, const struct attr *const *hash, uint64_t *count)
{
    const struct definition *def = table_definition(view, table);
    struct counted t;
    struct buf start;
    int rc = check_counted(view, table, def, index);
    if (rc)
        return rc;
    buf_init(&start, KEY_BYTES_MAX);
    rc = hash && hash[0] ? entry_prefix(&start, table, def, index, hash, NULL) : ERR_MISSING;
    if (!rc)
        rc = counted_open(&t, view, table, def, index, buf_text(&start));
    if (!rc) {
        *count = t.total;
        counted_close(&t);
    }
    buf_fini(&start);
    return rc;
}

int store_rank_of(struct store_view *view, const struct store_table *table, const struct store_index *index,
    const struct attr *item, bool backward, uint64_t *rank)
{
    const struct definition *def = table_definition(view, table);
    struct counted t;
    struct rocks_value value;
    struct buf key;
    int rc = check_counted(view, table, def, index);
    if (rc)
        return rc;
    buf_init(&key, KEY_BYTES_MAX);
    rc = entry_key(&key, table, def, index, item, NULL);
    if (rc == ERR_INVALID)
        rc = ERR_NOT_FOUND; /* the item lacks the index's attributes */
    if (!rc)
        rc = view_get(view, buf_text(&key), &value);
    if (!rc) {
        rocks_value_release(&value);
        size_t start = entry_start_len(def, index, buf_text(&key));
        rc = counted_open(&t, view, table, def, index, text_make(key.data, start));
        if (!rc) {
            rc = t.exists ? rank_of(&t, text_make(key.data + start, key.len - start), rank) : ERR_CORRUPT;
            if (!rc && backward)
                *rank = t.total - 1 - *rank;
            counted_close(&t);
        }
    }
    buf_fini(&key);
    return rc;
}

int count_entry_at(struct store_view *view, const struct store_table *table, const struct definition *def,
    const struct store_index *index, struct text entry_start, uint64_t rank, bool backward,
    struct arena *arena, struct text *entry)
{
    struct counted t;
    struct text key = TEXT_NONE;
    int rc = check_counted(view, table, def, index);
    if (!rc)
        rc = counted_open(&t, view, table, def, index, entry_start);
    if (rc)
        return rc;
    rc = t.exists && rank < t.total ? key_at(&t, backward ? t.total - 1 - rank : rank, &key) : ERR_NOT_FOUND;
    if (!rc) {
        char *bytes = arena_alloc(arena, entry_start.len + key.len + 1);
        if (bytes) {
            memcpy(bytes, entry_start.data, entry_start.len);
            memcpy(bytes + entry_start.len, key.data, key.len);
            *entry = text_make(bytes, entry_start.len + key.len);
        } else {
            rc = ERR_MEMORY;
        }
    }
    counted_close(&t);
    return rc;
}

/* ---- checking ---- */

/* Counts the children between one block and the next of its level; entries when level is 1. */
static int verify_block(
    struct counted *t, const struct block *b, struct text end, struct store_report *report)
{
    struct walk w;
    struct block child;
    uint64_t children = 0, sum = 0;
    int rc = walk_begin(t, &w, b->level - 1, b->first);
    while (!rc) {
        bool done = w.begun && merge_step(w.m);
        w.begun = false;
        if (done || walk_next(t, &w, &child) || (end.data && text_compare(child.first, end) >= 0))
            break;
        children++;
        sum += child.sum;
    }
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    if (children != b->children || sum != b->sum)
        report_damage(report, "an ordered count says %llu entries where there are %llu",
            (unsigned long long)b->sum, (unsigned long long)sum);
    return 0;
}

static int verify_level(
    struct counted *t, unsigned level, struct store_report *report, uint64_t *blocks, uint64_t *sum)
{
    struct text from = TEXT("");
    *blocks = *sum = 0;
    for (;;) {
        struct walk w;
        struct block b, next;
        struct arena_mark mark = arena_mark(&t->arena);
        int rc = walk_begin(t, &w, level, from);
        if (!rc)
            rc = walk_next(t, &w, &b);
        if (!rc)
            rc = block_keep(t, &b);
        if (rc)
            return rc;
        (*blocks)++;
        *sum += b.sum;
        bool more = !walk_next(t, &w, &next) && !block_keep(t, &next);
        rc = verify_block(t, &b, more ? next.first : TEXT_NONE, report);
        if (rc || !more)
            return rc;
        char keep[KEY_BYTES_MAX];
        size_t len = next.first.len;
        memcpy(keep, next.first.data, len);
        arena_rewind(&t->arena, mark);
        from = arena_copy(&t->arena, text_make(keep, len));
        if (!from.data)
            return ERR_MEMORY;
    }
}

int count_verify(struct store_view *view, const struct store_table *table, const struct definition *def,
    const struct store_index *index, struct text entry_start, struct store_report *report, uint64_t *total)
{
    struct counted t;
    int rc = counted_open(&t, view, table, def, index, entry_start);
    if (rc)
        return rc;
    struct merge *unused;
    rc = rows_merge(
        &t, &unused); /* both now: their bounds must not lie in the part of the arena that is rewound */
    if (!rc)
        rc = entry_merge(&t, &unused);
    *total = t.exists ? t.total : 0;
    for (unsigned level = 1; t.exists && level <= t.height && !rc; level++) {
        uint64_t blocks, sum;
        rc = verify_level(&t, level, report, &blocks, &sum);
        if (!rc && (sum != t.total || (level == t.height && blocks != t.children)))
            report_damage(report, "an ordered count's level %u does not add up", level);
    }
    counted_close(&t);
    return rc;
}
