/*
 * A stage's section of the journal record: the physical rows, so that replaying needs no rules and may be
 * repeated, and the change records, for streams and subscriptions.
 *
 *   record  = u8 version, be64 time_ms,
 *             varint rows,    rows x    (u8 0, key bytes | u8 1, key bytes, value bytes)
 *             varint tables,  tables x  (varint id, name bytes)
 *             varint changes, changes x (varint table (position above), u8 event, u8 flags, keys bytes,
 * before bytes, after) after   = u8 0 | u8 1, bytes | u8 2, varint offset of a value's length in this section
 *   bytes   = varint length, then that many
 *
 * The new image of nearly every change is the value of a row that is there anyway, so it is referred to, not
 * repeated. Only an item written twice within one tick has images that no row holds.
 */
#include "store/internal.h"

#define RECORD_VERSION 1
enum { AFTER_NONE, AFTER_INLINE, AFTER_ROW };
enum { ROW_DELETE, ROW_PUT };
#define CHANGE_BY_SERVICE 1

/* ---- writing ---- */

static void write_rows(struct store_stage *stage, size_t start, struct buf *out)
{
    buf_add_varint(out, stage->durable);
    for (struct node *node = stage->head->next[0]; node; node = node->next[0]) {
        if (node->state == NODE_ABSENT || node->key.data[0] == KEY_VOLATILE)
            continue;
        buf_add_u8(out, node->state == NODE_PUT ? ROW_PUT : ROW_DELETE);
        buf_add_bytes(out, node->key);
        node->record_at = (uint32_t)(out->len - start);
        if (node->state == NODE_PUT)
            buf_add_bytes(out, node->value);
    }
}

static uint64_t table_position(
    const struct store_table **tables, size_t *count, const struct store_table *table)
{
    size_t i = 0;
    while (i < *count && tables[i] != table)
        i++;
    if (i == *count)
        tables[(*count)++] = table;
    return i;
}

static void write_change(const struct change *change, uint64_t table, struct buf *out)
{
    buf_add_varint(out, table);
    buf_add_u8(out, (uint8_t)change->event);
    buf_add_u8(out, change->by_service ? CHANGE_BY_SERVICE : 0);
    buf_add_bytes(out, change->keys);
    buf_add_bytes(out, change->before);
    if (!change->node) {
        buf_add_u8(out, AFTER_NONE);
    } else if (change->node->state == NODE_PUT && change->node->value.data == change->after.data) {
        buf_add_u8(out, AFTER_ROW);
        buf_add_varint(out, change->node->record_at);
    } else {
        buf_add_u8(out, AFTER_INLINE);
        buf_add_bytes(out, change->after);
    }
}

static int write_changes(struct store_stage *stage, struct buf *out)
{
    size_t count = 0;
    const struct store_table **tables = calloc(stage->change_count + 1, sizeof(*tables));
    if (!tables)
        return ERR_MEMORY;
    for (size_t i = 0; i < stage->change_count; i++)
        table_position(tables, &count, stage->change[i].table);
    buf_add_varint(out, count);
    for (size_t i = 0; i < count; i++) {
        buf_add_varint(out, tables[i]->id);
        buf_add_bytes(out, tables[i]->name);
    }
    buf_add_varint(out, stage->change_count);
    for (size_t i = 0; i < stage->change_count; i++)
        write_change(&stage->change[i], table_position(tables, &count, stage->change[i].table), out);
    free(tables);
    return 0;
}

int record_write(struct store_stage *stage, int64_t time_ms, struct buf *out)
{
    size_t start = out->len;
    buf_add_u8(out, RECORD_VERSION);
    buf_add_be64(out, (uint64_t)time_ms);
    write_rows(stage, start, out);
    int rc = write_changes(stage, out);
    if (!rc && out->failed)
        rc = ERR_TOO_LARGE;
    if (rc)
        out->len = start;
    return rc;
}

/* ---- reading ---- */

static struct cursor begin(struct text record, int64_t *time_ms)
{
    struct cursor c = cursor_of(record);
    if (cursor_u8(&c) != RECORD_VERSION)
        c.failed = true;
    *time_ms = (int64_t)cursor_be64(&c);
    return c;
}

static int read_row(struct cursor *c, struct text *key, struct text *value)
{
    uint8_t kind = cursor_u8(c);
    *key = cursor_bytes(c);
    *value = TEXT_NONE;
    if (kind == ROW_PUT)
        *value = cursor_bytes(c);
    return c->failed || kind > ROW_PUT || !key->len ? ERR_CORRUPT : 0;
}

int record_ops(
    struct text record, int (*op)(void *context, struct text key, struct text value), void *context)
{
    int64_t time_ms;
    struct cursor c = begin(record, &time_ms);
    uint64_t rows = cursor_varint(&c);
    if (c.failed || rows > cursor_left(&c))
        return ERR_CORRUPT;
    for (uint64_t i = 0; i < rows; i++) {
        struct text key, value;
        int rc = read_row(&c, &key, &value);
        if (!rc)
            rc = op(context, key, value);
        if (rc)
            return rc;
    }
    return 0;
}

static int skip_row(void *context, struct text key, struct text value)
{
    struct text *end = context;
    *end = value.data ? value : key;
    return 0;
}

/* Where the table of names begins: behind the rows. */
static int skip_rows(struct text record, struct cursor *c, int64_t *time_ms)
{
    struct text last = TEXT_NONE;
    int rc = record_ops(record, skip_row, &last);
    if (rc)
        return rc;
    *c = begin(record, time_ms);
    cursor_varint(c);
    if (last.data)
        c->at = (const unsigned char *)last.data + last.len;
    return 0;
}

int store_change_begin(struct store_change_reader *reader, struct text record)
{
    struct cursor c;
    int64_t time_ms;
    int rc = skip_rows(record, &c, &time_ms);
    if (rc)
        return rc;
    *reader = (struct store_change_reader){.record = record, .time_ms = time_ms};
    reader->names_at = record.len - cursor_left(&c);
    uint64_t names = cursor_varint(&c);
    for (uint64_t i = 0; i < names && !c.failed; i++) {
        cursor_varint(&c);
        cursor_bytes(&c);
    }
    uint64_t changes = cursor_varint(&c);
    if (c.failed || changes > cursor_left(&c))
        return ERR_CORRUPT;
    reader->at = record.len - cursor_left(&c);
    reader->changes = (uint32_t)changes;
    return 0;
}

static struct cursor cursor_from(struct text record, size_t at)
{
    return cursor_of(text_make(record.data + at, record.len - at));
}

static int read_name(const struct store_change_reader *reader, uint64_t position, struct store_change *change)
{
    struct cursor c = cursor_from(reader->record, reader->names_at);
    uint64_t names = cursor_varint(&c);
    if (position >= names)
        return ERR_CORRUPT;
    for (uint64_t i = 0; i <= position && !c.failed; i++) {
        change->table_id = (uint32_t)cursor_varint(&c);
        change->table = cursor_bytes(&c);
    }
    return c.failed ? ERR_CORRUPT : 0;
}

static int read_after(const struct store_change_reader *reader, struct cursor *c, struct text *after)
{
    uint8_t kind = cursor_u8(c);
    *after = TEXT_NONE;
    if (kind == AFTER_INLINE) {
        *after = cursor_bytes(c);
    } else if (kind == AFTER_ROW) {
        uint64_t at = cursor_varint(c);
        if (c->failed || at >= reader->names_at)
            return ERR_CORRUPT;
        struct cursor row = cursor_of(text_make(reader->record.data + at, reader->names_at - at));
        *after = cursor_bytes(&row);
        c->failed |= row.failed;
    } else if (kind != AFTER_NONE) {
        c->failed = true;
    }
    return c->failed ? ERR_CORRUPT : 0;
}

int store_change_next(struct store_change_reader *reader, struct store_change *change)
{
    if (reader->number >= reader->changes)
        return ERR_NOT_FOUND;
    struct cursor c = cursor_from(reader->record, reader->at);
    uint64_t table = cursor_varint(&c);
    change->event = (char)cursor_u8(&c);
    change->by_service = cursor_u8(&c) & CHANGE_BY_SERVICE;
    change->keys = cursor_bytes(&c);
    change->before = cursor_bytes(&c);
    int rc = c.failed ? ERR_CORRUPT : read_after(reader, &c, &change->after);
    if (!rc)
        rc = read_name(reader, table, change);
    if (rc || !memchr("IMR", change->event, 3))
        return rc ? rc : ERR_CORRUPT;
    change->time_ms = reader->time_ms;
    change->number = reader->number++;
    reader->at = reader->record.len - cursor_left(&c);
    return 0;
}
