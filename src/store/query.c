/*
 * Queries: a range of entry rows, walked in either direction. On an index the entry's end is the primary key,
 * by which the item is fetched from the same view. An item that is due is passed over, as are entries whose
 * item has gone meanwhile (the handler may delete what it is reading).
 */
#include "store/internal.h"

struct store_cursor {
    struct merge merge;
    const struct store_table *table;
    const struct definition *def;
    const struct store_index *index;
    struct text lower, upper;
    bool backward, keys_only, whole, begun, open;
};

/* ---- bounds ---- */

struct bounds {
    struct buf lower, upper, prefix;
};

/* `at`: which of the range attributes. */
static int range_component(struct buf *out, const struct store_query *q, const struct definition *def,
    size_t at, const struct attr *value, struct err *err)
{
    const struct store_key *key = entry_schema(def, q->index);
    const struct store_key_part *part = &key->part[key->hashes + at];
    return key_add_component(out, part->type, value, part->name, ITEM_RANGE_KEY_MAX, err);
}

/* `out` = prefix + component, moved behind everything that has this component when `above`. */
static int bound_at(struct buf *out, const struct bounds *b, const struct store_query *q,
    const struct definition *def, const struct attr *value, bool above, struct err *err)
{
    buf_clear(out);
    buf_add_text(out, buf_text(&b->prefix));
    int rc = range_component(out, q, def, q->equals, value, err);
    if (!rc && above)
        key_successor(out);
    return rc;
}

static int bound_prefix(
    struct bounds *b, const struct store_query *q, const struct definition *def, struct err *err)
{
    const struct store_key *key = entry_schema(def, q->index);
    enum attr_type type = key->part[key->hashes + q->equals].type;
    if (!q->low || q->low->type != type || type == ATTR_NUMBER)
        return err_set(err, ERR_TYPE,
            "Incorrect operand type for operator or function; operator or function: begins_with");
    buf_clear(&b->lower);
    buf_add_text(&b->lower, buf_text(&b->prefix));
    key_add_partial(&b->lower, q->low->text);
    buf_clear(&b->upper);
    buf_add_text(&b->upper, buf_text(&b->lower));
    key_successor(&b->upper);
    return 0;
}

static int bounds_range(
    struct bounds *b, const struct store_query *q, const struct definition *def, struct err *err)
{
    int rc = 0;
    if (q->op == STORE_RANGE_ALL)
        return 0;
    switch (q->op) {
    case STORE_RANGE_PREFIX:
        return bound_prefix(b, q, def, err);
    case STORE_RANGE_LT:
        return bound_at(&b->upper, b, q, def, q->low, false, err);
    case STORE_RANGE_LE:
        return bound_at(&b->upper, b, q, def, q->low, true, err);
    case STORE_RANGE_GT:
        return bound_at(&b->lower, b, q, def, q->low, true, err);
    case STORE_RANGE_GE:
        return bound_at(&b->lower, b, q, def, q->low, false, err);
    default:
        rc = bound_at(&b->lower, b, q, def, q->low, false, err);
        return rc ? rc
                  : bound_at(&b->upper, b, q, def, q->op == STORE_RANGE_EQ ? q->low : q->high, true, err);
    }
}

/* Narrows the range to what lies behind the exclusive start. */
static int bounds_after(
    struct bounds *b, const struct store_query *q, const struct definition *def, struct err *err)
{
    struct buf *key = &b->prefix;
    if (!q->after)
        return 0;
    buf_clear(key);
    if (entry_key(key, q->table, def, q->index, q->after, NULL))
        return err_set(err, ERR_INVALID, "The provided starting key is invalid");
    if (q->backward) {
        if (text_compare(buf_text(key), buf_text(&b->upper)) < 0) {
            buf_clear(&b->upper);
            buf_add_text(&b->upper, buf_text(key));
        }
        return 0;
    }
    buf_add_u8(key, 0);
    if (text_compare(buf_text(key), buf_text(&b->lower)) > 0) {
        buf_clear(&b->lower);
        buf_add_text(&b->lower, buf_text(key));
    }
    return 0;
}

static void bounds_init(struct bounds *b)
{
    buf_init(&b->lower, KEY_BYTES_MAX);
    buf_init(&b->upper, KEY_BYTES_MAX);
    buf_init(&b->prefix, KEY_BYTES_MAX);
}

static void bounds_fini(struct bounds *b)
{
    buf_fini(&b->lower);
    buf_fini(&b->upper);
    buf_fini(&b->prefix);
}

/* The values of several attributes together, so that every bound fits a key. Each alone is looked at where it
 * is added. */
static int check_bytes(const struct store_query *q, struct err *err)
{
    size_t low = q->op == STORE_RANGE_ALL ? 0 : key_value_bytes(q->low);
    size_t high = q->op == STORE_RANGE_BETWEEN ? key_value_bytes(q->high) : 0;
    size_t bytes = low > high ? low : high;
    for (size_t i = 0; i < q->equals; i++)
        bytes += key_value_bytes(q->equal[i]);
    return bytes > ITEM_RANGE_KEY_MAX
               ? err_set(err, ERR_TOO_LARGE, "the range key's values are too large together")
               : 0;
}

static int bounds_make(
    struct bounds *b, const struct store_query *q, const struct definition *def, struct err *err)
{
    const struct store_key *key = entry_schema(def, q->index);
    bool bound = q->equals || q->op != STORE_RANGE_ALL;
    if (bound && (!q->hash[0] || q->equals + (q->op != STORE_RANGE_ALL) > key->ranges))
        return err_set(err, ERR_INVALID, "Query key condition not supported");
    int rc = check_bytes(q, err);
    if (!rc)
        rc = entry_prefix(&b->prefix, q->table, def, q->index, q->hash, err);
    for (size_t i = 0; i < q->equals && !rc; i++)
        rc = range_component(&b->prefix, q, def, i, q->equal[i], err);
    if (rc)
        return rc;
    buf_add_text(&b->lower, buf_text(&b->prefix));
    buf_add_text(&b->upper, buf_text(&b->prefix));
    key_successor(&b->upper);
    rc = bounds_range(b, q, def, err);
    if (!rc)
        rc = bounds_after(b, q, def, err);
    if (!rc && (b->lower.failed || b->upper.failed || b->prefix.failed))
        rc = err_set(err, ERR_MEMORY, "out of memory");
    return rc;
}

/* ---- opening ---- */

static int query_check(const struct store_view *view, const struct store_query *q, struct err *err)
{
    if (table_is_gone(view, q->table))
        return err_set(err, ERR_NOT_FOUND, "table %.*s does not exist", TEXT_FMT(q->table->name));
    if (!q->index)
        return 0;
    ASSERT(q->index->table == q->table);
    if (!part_ready(view, &q->index->fill))
        return err_set(err, ERR_AGAIN, "index %.*s is being filled", TEXT_FMT(q->index->decl.name));
    return 0;
}

static int cursor_make(struct store_view *view, const struct store_query *q, const struct definition *def,
    struct text lower, struct text upper, struct arena *arena, struct store_cursor **out)
{
    struct store_cursor *cursor = arena_zalloc(arena, sizeof(*cursor));
    if (!cursor)
        return ERR_MEMORY;
    cursor->table = q->table;
    cursor->def = def;
    cursor->index = q->index;
    cursor->backward = q->backward;
    cursor->keys_only = q->keys_only;
    cursor->whole = q->whole;
    cursor->lower = arena_copy(arena, lower);
    cursor->upper = arena_copy(arena, upper);
    if (!cursor->lower.data || !cursor->upper.data)
        return ERR_MEMORY;
    if (text_compare(lower, upper) < 0) {
        int rc = merge_open(&cursor->merge, view, cursor->lower, cursor->upper, false);
        if (rc)
            return rc;
        cursor->open = true;
    }
    *out = cursor;
    return 0;
}

int store_query_open(struct store_view *view, const struct store_query *query, struct arena *arena,
    struct store_cursor **out, struct err *err)
{
    const struct definition *def = table_definition(view, query->table);
    struct bounds b;
    int rc = query_check(view, query, err);
    if (rc)
        return rc;
    bounds_init(&b);
    rc = bounds_make(&b, query, def, err);
    if (!rc) {
        rc = cursor_make(view, query, def, buf_text(&b.lower), buf_text(&b.upper), arena, out);
        if (rc)
            err_set(err, rc, "%s", err_text(rc));
    }
    bounds_fini(&b);
    return rc;
}

int store_rank_seek(struct store_view *view, const struct store_query *query, uint64_t rank,
    struct arena *arena, struct store_cursor **out, struct err *err)
{
    const struct definition *def = table_definition(view, query->table);
    struct bounds b;
    struct text entry;
    if (!query->hash[0] || query->equals || query->op != STORE_RANGE_ALL || query->after)
        return err_set(err, ERR_INVALID, "a rank is a place among all entries of a hash value");
    bounds_init(&b);
    int rc = bounds_make(&b, query, def, err);
    if (!rc) {
        rc = count_entry_at(
            view, query->table, def, query->index, buf_text(&b.prefix), rank, query->backward, arena, &entry);
        struct buf *edge = query->backward ? &b.upper : &b.lower;
        if (!rc) {
            buf_clear(edge);
            buf_add_text(edge, entry);
            if (query->backward)
                buf_add_u8(edge, 0); /* the entry itself is the first one */
            rc = edge->failed ? ERR_MEMORY : 0;
        } else if (rc == ERR_NOT_FOUND) {
            b.lower.len = b.upper.len = 0; /* beyond the end: an empty cursor */
            rc = 0;
        }
        if (!rc)
            rc = cursor_make(view, query, def, buf_text(&b.lower), buf_text(&b.upper), arena, out);
        if (rc)
            err_set(err, rc, "%s", err_text(rc));
    }
    bounds_fini(&b);
    return rc;
}

bool store_cursor_is_exact(const struct store_cursor *cursor)
{
    const struct store_snapshot *snapshot = cursor->merge.view->snapshot;
    return !snapshot || cursor->def->since <= snapshot->sequence;
}

void store_cursor_close(struct store_cursor *cursor)
{
    if (cursor && cursor->open)
        merge_close(&cursor->merge);
    if (cursor)
        cursor->open = false;
}

/* ---- items ---- */

static int add_part(
    struct arena *arena, struct attr *item, const struct store_key_part *part, struct cursor *c)
{
    struct text text;
    int rc = key_read(c, part->type, arena, &text);
    if (rc)
        return rc;
    struct attr *member = item_set_string(arena, item, part->name, text);
    if (!member)
        return ERR_MEMORY;
    member->type = part->type;
    return 0;
}

static int add_key(struct arena *arena, struct attr *item, const struct store_key *key, struct cursor *c)
{
    int rc = 0;
    for (size_t i = 0; i < store_key_parts(key) && !rc; i++)
        rc = add_part(arena, item, &key->part[i], c);
    return rc;
}

/* Table key and index key from an index row alone. */
static int keys_of_entry(struct store_cursor *cursor, struct arena *arena, struct text key, struct attr **out)
{
    struct cursor c = cursor_of(key);
    struct attr *item = item_create(arena);
    if (!item)
        return ERR_MEMORY;
    cursor_take(&c, table_key_len(cursor->def) + 2);
    int rc = add_key(arena, item, &cursor->index->decl.key, &c);
    if (!rc)
        rc = add_key(arena, item, &cursor->def->key, &c);
    *out = item;
    return rc;
}

static bool is_projected(const struct store_cursor *cursor, struct text name, bool with_included)
{
    const struct store_index_decl *index = cursor->index ? &cursor->index->decl : NULL;
    if (store_key_has(&cursor->def->key, name) || (index && store_key_has(&index->key, name)))
        return true;
    for (size_t i = 0; with_included && i < index->includes; i++)
        if (text_equal(name, index->include[i]))
            return true;
    return false;
}

static void project(const struct store_cursor *cursor, struct attr *item, bool with_included)
{
    struct attr *kept = NULL, *next;
    item->count = 0;
    for (struct attr *at = item->first; at; at = next) {
        next = at->next;
        if (!is_projected(cursor, at->name, with_included))
            continue;
        if (kept)
            kept->next = at;
        else
            item->first = at;
        kept = at;
        item->count++;
    }
    if (kept)
        kept->next = NULL;
    else
        item->first = NULL;
    item->last = kept;
}

/* The row key of the item behind an index row. */
static int item_row(const struct store_cursor *cursor, struct text key, struct buf *row)
{
    struct cursor c = cursor_of(key);
    cursor_take(&c, table_key_len(cursor->def) + 2);
    if (key_skip_parts(&c, &cursor->index->decl.key, store_key_parts(&cursor->index->decl.key)))
        return ERR_CORRUPT;
    buf_clear(row);
    table_key(row, cursor->def, KEY_ITEM, cursor->table);
    buf_add(row, c.at, cursor_left(&c));
    return row->failed ? ERR_MEMORY : 0;
}

/* An item was cold, so those of the next entries are likely to be: noted without a look, to be warmed in one go. The cursor is used up. */
static void note_ahead(struct store_cursor *cursor, struct buf *row)
{
    struct merge *m = &cursor->merge;
    struct store_cold *cold = m->view->cold;
    for (size_t i = cold ? cold->count : STORE_COLD_ROWS; i < STORE_COLD_ROWS; i++) {
        if (merge_step(m) || item_row(cursor, m->key, row))
            break;
        cold_note(m->view, buf_text(row), STORE_COLD_GET);
    }
    m->broken = ERR_COLD;
}

/* The stored bytes of the item behind an index row, in the arena. */
static int fetch(struct store_cursor *cursor, struct arena *arena, struct text key, struct text *bytes)
{
    struct rocks_value value;
    struct buf row;
    buf_init(&row, KEY_BYTES_MAX);
    int rc = item_row(cursor, key, &row);
    if (!rc)
        rc = view_get(cursor->merge.view, buf_text(&row), &value);
    if (rc == ERR_COLD)
        note_ahead(cursor, &row);
    buf_fini(&row);
    if (rc)
        return rc;
    *bytes = arena_copy(arena, value.bytes);
    rocks_value_release(&value);
    return bytes->data ? 0 : ERR_MEMORY;
}

static bool entry_is_past(const struct store_cursor *cursor)
{
    struct cursor c = cursor_of(cursor->merge.value);
    if (!cursor->merge.value.len || !cursor->def->decl.ttl.len)
        return false;
    int64_t due = (int64_t)cursor_be64(&c);
    return !c.failed && due_is_past(due, cursor->merge.view->now_s);
}

/* The item of the row under the cursor: ERR_NOT_FOUND when it is to be passed over. */
static int item_here(struct store_cursor *cursor, struct arena *arena, struct attr **item)
{
    struct merge *m = &cursor->merge;
    const struct store_index *index = cursor->index;
    struct text bytes;
    int rc;
    bool keys_only = cursor->keys_only || (index && !cursor->whole && index->decl.projection == STORE_PROJECT_KEYS);
    bool told = part_ready(m->view, &cursor->table->ttl_fill); /* else an entry's due time may be one of an earlier ttl attribute */
    if (index && told && entry_is_past(cursor))
        return ERR_NOT_FOUND;
    if (index && told && keys_only) {
        m->view->bytes += m->key.len;
        return keys_of_entry(cursor, arena, m->key, item);
    }
    if (index) {
        rc = fetch(cursor, arena, m->key, &bytes);
    } else {
        bytes = arena_copy(arena, m->value);
        rc = bytes.data ? 0 : ERR_MEMORY;
    }
    if (!rc)
        rc = item_decode(arena, bytes, item);
    if (rc)
        return rc;
    m->view->bytes += bytes.len;
    if (due_is_past(due_of(cursor->def, *item), m->view->now_s))
        return ERR_NOT_FOUND;
    if (keys_only)
        project(cursor, *item, false);
    else if (index && !cursor->whole && index->decl.projection == STORE_PROJECT_INCLUDE)
        project(cursor, *item, true);
    return 0;
}

int store_cursor_next(struct store_cursor *cursor, struct arena *arena, const struct attr **item)
{
    if (!cursor->open)
        return ERR_NOT_FOUND;
    for (;;) {
        struct attr *made;
        int rc = cursor->begun ? merge_step(&cursor->merge) : merge_first(&cursor->merge, cursor->backward);
        cursor->begun = true;
        if (rc)
            return rc;
        struct arena_mark mark = arena_mark(arena);
        cursor->merge.view->items++;
        rc = item_here(cursor, arena, &made);
        if (!rc)
            *item = made;
        if (rc != ERR_NOT_FOUND)
            return rc;
        arena_rewind(arena, mark);
    }
}
