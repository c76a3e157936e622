/*
 * Cold rows: what a reader that must not touch the disk did not find in memory, so that another thread can fetch it.
 *
 * A note is a place, not a block: a key that was looked up, or where a walk stood and which way it went. The tables may be compacted between the
 * note and the warming, and a block number would then mean nothing. For a walk some rows more than the one that was missing are read: the reader would meet
 * the next cold block right behind.
 */
#include "store/internal.h"

enum { COLD_KEPT = 4096 /* bytes of a cleared list that stay allocated */ };

void store_cold_init(struct store_cold *cold)
{
    cold->count = 0;
    buf_init(&cold->keys, STORE_COLD_BYTES);
}

void store_cold_fini(struct store_cold *cold)
{
    cold->count = 0;
    buf_fini(&cold->keys);
}

void store_cold_clear(struct store_cold *cold)
{
    cold->count = 0;
    if (cold->keys.cap > COLD_KEPT)
        buf_fini(&cold->keys);
    buf_clear(&cold->keys);
}

void cold_note(struct store_view *view, struct text key, enum store_cold_kind kind)
{
    struct store_cold *cold = view->cold;
    if (!cold || !view->cache_only || cold->count == STORE_COLD_ROWS)
        return;
    uint32_t at = (uint32_t)cold->keys.len;
    if (buf_add_text(&cold->keys, key) == 0)
        cold->row[cold->count++] = (struct store_cold_row){.at = at, .len = (uint32_t)key.len, .kind = kind};
    cold->keys.failed = false; /* full: the places before it are worth their round */
}

static int warm_row(struct store *store, struct text key)
{
    struct rocks_value value;
    int rc = rocks_get(store->rocks, NULL, false, key, &value);
    rocks_value_release(&value);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int warm_walk(struct store *store, struct text from, bool backward, size_t rows)
{
    struct rocks_iter *iter;
    int rc = rocks_iter_open(store->rocks, NULL, 0, TEXT_NONE, TEXT_NONE, &iter);
    if (rc)
        return rc;
    rc = rocks_iter_seek(iter, from, backward);
    for (size_t i = 1; i < rows && !rc; i++)
        rc = rocks_iter_step(iter, backward);
    rocks_iter_close(iter);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

int store_warm(struct store *store, const struct store_cold *cold, size_t rows)
{
    int rc = 0;
    for (size_t i = 0; i < cold->count && !rc; i++) {
        const struct store_cold_row *row = &cold->row[i];
        struct text key = text_make(cold->keys.data + row->at, row->len);
        rc = row->kind == STORE_COLD_GET ? warm_row(store, key) : warm_walk(store, key, row->kind == STORE_COLD_BACK, rows);
    }
    return rc;
}
