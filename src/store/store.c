/*
 * The store: opening, committing, replaying. Start here; internal.h lists the other files.
 *
 * RocksDB runs without its own log. Every journaled batch carries the applied sequence as its last row, so
 * whatever part of the past a crash leaves on disk (a prefix of batches, since memtables are flushed in
 * order), the sequence found there is the sequence of the data found there, and the journal is replayed from
 * the next one. Replaying is physical and idempotent.
 *
 * Rows of volatile tables ride in the same batches but never in the journal; after a crash some of them may
 * be found, and the purge at open removes them all. They never mix with durable rows: their keys begin with
 * KEY_VOLATILE.
 */
#include "store/internal.h"

#include <errno.h>
#include <sys/stat.h>

/* ---- rows of the store itself ---- */

static struct text be_text(char *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        out[i] = (char)(value >> (8 * (bytes - 1 - i)));
    return text_make(out, (size_t)bytes);
}

static int read_number(struct store *store, enum key_kind kind, uint64_t *out)
{
    char key = (char)kind;
    struct rocks_value value;
    *out = 0;
    int rc = rocks_get(store->rocks, NULL, false, text_make(&key, 1), &value);
    if (rc)
        return rc;
    for (size_t i = 0; i < value.bytes.len && i < 8; i++)
        *out = *out << 8 | (unsigned char)value.bytes.data[i];
    rocks_value_release(&value);
    return 0;
}

static void put_number(struct rocks_batch *batch, enum key_kind kind, uint64_t number)
{
    char key = (char)kind, bytes[8];
    rocks_batch_put(batch, text_make(&key, 1), be_text(bytes, number, 8));
}

/* ---- opening ---- */

static int check_format(struct store *store, struct err *err)
{
    uint64_t version;
    struct err inner;
    int rc = read_number(store, KEY_FORMAT, &version);
    if (rc == ERR_NOT_FOUND) {
        struct rocks_batch *batch = rocks_batch_create();
        if (!batch)
            return err_set(err, ERR_MEMORY, "out of memory");
        put_number(batch, KEY_FORMAT, FORMAT_VERSION);
        rc = rocks_write(store->rocks, batch, &inner);
        rocks_batch_destroy(batch);
        return rc ? err_set(err, rc, "%s", inner.text) : 0;
    }
    if (rc)
        return err_set(err, rc, "the format version could not be read: %s", err_text(rc));
    if (version > FORMAT_VERSION)
        return err_set(err, ERR_VERSION, "the tables have format %llu, this program knows up to %d",
            (unsigned long long)version, FORMAT_VERSION);
    return 0;
}

static int purge_volatile(struct store *store, struct err *err)
{
    char from = KEY_VOLATILE, to = KEY_VOLATILE + 1;
    struct rocks_iter *iter;
    int rc = rocks_iter_open(store->rocks, NULL, 0, text_make(&from, 1), text_make(&to, 1), &iter);
    if (rc)
        return err_set(err, rc, "%s", err_text(rc));
    rc = rocks_iter_seek(iter, text_make(&from, 1), false);
    rocks_iter_close(iter);
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : err_set(err, rc, "the tables could not be read: %s", err_text(rc));
    struct rocks_batch *batch = rocks_batch_create();
    if (!batch)
        return err_set(err, ERR_MEMORY, "out of memory");
    rocks_batch_delete_range(batch, text_make(&from, 1), text_make(&to, 1));
    rc = rocks_write(store->rocks, batch, err);
    rocks_batch_destroy(batch);
    return rc ? rc
              : rocks_flush(
                    store->rocks, false, err); /* so that look-ups need not consult the range for long */
}

/* Visits the rows of one kind. */
static int load_rows(
    struct store *store, enum key_kind kind, int (*row)(struct store *, struct text key, struct text value))
{
    char from = (char)kind, to = (char)(kind + 1);
    struct rocks_iter *iter;
    int rc = rocks_iter_open(store->rocks, NULL, 0, text_make(&from, 1), text_make(&to, 1), &iter);
    if (rc)
        return rc;
    for (rc = rocks_iter_seek(iter, text_make(&from, 1), false); !rc; rc = rocks_iter_step(iter, false)) {
        rc = row(store, rocks_iter_key(iter), rocks_iter_value(iter));
        if (rc)
            break;
    }
    rocks_iter_close(iter);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int load_definition(struct store *store, struct text key, struct text value)
{
    struct cursor c = cursor_of(key);
    cursor_u8(&c);
    uint32_t id = cursor_be32(&c);
    if (c.failed)
        return ERR_CORRUPT;
    if (!value.data)
        return catalogue_unload(store, id);
    if (id)
        return catalogue_load(store, id, value);
    struct cursor next = cursor_of(value);
    uint32_t number = cursor_be32(&next);
    if (number > store->next_table)
        store->next_table = number;
    return next.failed ? ERR_CORRUPT : 0;
}

/* Rows that the catalogue keeps in memory, too. value.data NULL: deleted. */
static int note_row(struct store *store, struct text key, struct text value)
{
    char kind = key.data[0] == KEY_VOLATILE && key.len > 1 ? key.data[1] : key.data[0];
    switch (kind) {
    case KEY_CATALOGUE:
        return load_definition(store, key, value);
    case KEY_NUMBER:
        if (value.data)
            catalogue_count(store, key, value);
        return 0;
    case KEY_PROGRESS:
        catalogue_pending(store, key, value.data != NULL);
        return 0;
    case KEY_DEBRIS:
        store->debris = true;
        return 0;
    default:
        return 0;
    }
}

static int load_catalogue(struct store *store, struct err *err)
{
    static const enum key_kind kinds[] = {KEY_CATALOGUE, KEY_NUMBER, KEY_PROGRESS, KEY_DEBRIS};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        int rc = load_rows(store, kinds[i], note_row);
        if (rc)
            return err_set(err, rc, "the catalogue could not be read: %s", err_text(rc));
    }
    return 0;
}

static int load(struct store *store, struct err *err)
{
    uint64_t applied;
    int rc = check_format(store, err);
    if (!rc)
        rc = purge_volatile(store, err);
    if (!rc)
        rc = load_catalogue(store, err);
    if (rc)
        return rc;
    rc = read_number(store, KEY_APPLIED, &applied);
    if (rc && rc != ERR_NOT_FOUND)
        return err_set(err, rc, "the applied sequence could not be read: %s", err_text(rc));
    atomic_store(&store->applied, applied);
    store->opened_at = applied;
    return store_snapshot_publish(store) ? err_set(err, ERR_MEMORY, "out of memory") : 0;
}

int store_open(struct store **out, const struct store_config *config, struct err *err)
{
    if (mkdir(config->folder, 0700) && errno != EEXIST)
        return err_set(err, ERR_IO, "%s: %s", config->folder, strerror(errno));
    struct store *store = calloc(1, sizeof(*store));
    if (!store)
        return err_set(err, ERR_MEMORY, "out of memory");
    store->sync_flush = config->sync_flush;
    store->next_table = 1;
    arena_init(&store->arena, 16u << 10, CATALOGUE_BYTES_MAX);
    int rc = rocks_open(&store->rocks, config->folder, config->cache_bytes, config->write_buffer_bytes,
        config->key, err);
    if (!rc)
        rc = load(store, err);
    if (rc) {
        store_close(store);
        return rc;
    }
    *out = store;
    return 0;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    if (store->rocks) {
        if (store->sync_flush)
            rocks_flush(store->rocks, true, NULL);
        snapshot_fini(store);
        rocks_close(store->rocks);
    }
    catalogue_fini(store);
    free(store);
}

uint64_t store_applied(const struct store *store)
{
    return atomic_load_explicit(&store->applied, memory_order_acquire);
}

uint64_t store_flushed(struct store *store)
{
    uint64_t marked = rocks_marked(store->rocks);
    return marked > store->opened_at ? marked : store->opened_at;
}

int store_flush(struct store *store, bool wait, struct err *err)
{
    return rocks_flush(store->rocks, wait, err);
}

/* ---- committing ---- */

static int put_totals(struct store_stage *stage)
{
    for (size_t i = 0; i < stage->delta_count; i++) {
        struct delta *delta = &stage->delta[i];
        char bytes[8];
        delta->total = delta->table->sealed + delta->change;
        if (!delta->change || atomic_load(&delta->table->dropped))
            continue;
        buf_clear(&stage->key[0]);
        table_key(&stage->key[0], atomic_load(&delta->table->newest), KEY_NUMBER, delta->table);
        int rc = overlay_put(stage, buf_text(&stage->key[0]), be_text(bytes, (uint64_t)delta->total, 8));
        if (rc)
            return rc;
    }
    return 0;
}

int store_stage_seal(struct store_stage *stage, int64_t time_ms, struct buf *record)
{
    struct store_save save = store_stage_save(stage);
    int rc = catalogue_stamp(stage, time_ms);
    if (!rc)
        rc = put_totals(stage);
    if (!rc && store_stage_durable(stage))
        rc = record_write(stage, time_ms, record);
    if (rc) {
        store_stage_rollback(stage, save);
        return rc;
    }
    for (size_t i = 0; i < stage->delta_count; i++)
        stage->delta[i].table->sealed += stage->delta[i].change;
    stage->sealed = true;
    return 0;
}

static void fill_batch(struct store_stage *stage, uint64_t sequence)
{
    struct rocks_batch *batch = stage->batch;
    rocks_batch_clear(batch);
    for (const struct node *node = stage->head->next[0]; node; node = node->next[0]) {
        if (node->state == NODE_PUT)
            rocks_batch_put(batch, node->key, node->value);
        else if (node->state == NODE_DELETE)
            rocks_batch_delete(batch, node->key);
    }
    if (sequence)
        put_number(batch, KEY_APPLIED, sequence); /* last: see rocks.c */
}

/* Backfills that have ended: their indexes become readable. */
static void note_ended(struct store_stage *stage)
{
    for (size_t i = 0; i < stage->ended_count; i++) {
        const struct node *node = overlay_find(stage, stage->ended[i].key);
        if (!node || node->state != NODE_DELETE)
            continue; /* rolled back */
        atomic_store(&stage->ended[i].fill->ready_at, store_applied(stage->store));
        atomic_store(&stage->ended[i].fill->pending, false);
    }
}

int store_stage_apply(struct store_stage *stage, uint64_t sequence, struct err *err)
{
    struct store *store = stage->store;
    ASSERT(stage->sealed && (!sequence || sequence > store_applied(store)));
    fill_batch(stage, sequence);
    int rc = rocks_write(store->rocks, stage->batch, err);
    rocks_batch_clear(stage->batch);
    if (rc)
        return rc;
    if (sequence) {
        rocks_mark(store->rocks, sequence);
        atomic_store_explicit(&store->applied, sequence, memory_order_release);
    }
    for (size_t i = 0; i < stage->delta_count; i++)
        if (stage->delta[i].change) /* also when a later stage drops the table: that may be undone */
            atomic_store(&stage->delta[i].table->count, stage->delta[i].total);
    note_ended(stage);
    return stage->defined_count ? catalogue_commit(stage, sequence) : 0;
}

/* ---- replaying ---- */

struct replay {
    struct store *store;
    struct rocks_batch *batch;
};

static int replay_row(void *context, struct text key, struct text value)
{
    struct replay *replay = context;
    if (key.data[0] == KEY_APPLIED || key.data[0] == KEY_FORMAT || key.data[0] == KEY_VOLATILE)
        return ERR_CORRUPT; /* no stage journals these */
    if (value.data)
        rocks_batch_put(replay->batch, key, value);
    else
        rocks_batch_delete(replay->batch, key);
    return note_row(replay->store, key, value);
}

int store_replay(struct store *store, uint64_t sequence, struct text record, struct err *err)
{
    struct replay replay = {.store = store, .batch = rocks_batch_create()};
    if (!replay.batch)
        return err_set(err, ERR_MEMORY, "out of memory");
    int rc = 0;
    if (sequence <= store_applied(store))
        goto out;
    if (record.len)
        rc = record_ops(record, replay_row, &replay);
    if (rc) {
        err_set(err, rc, "journal record %llu cannot be replayed: %s", (unsigned long long)sequence,
            err_text(rc));
        goto out;
    }
    put_number(replay.batch, KEY_APPLIED, sequence);
    rc = rocks_write(store->rocks, replay.batch, err);
    if (rc)
        goto out;
    rocks_mark(store->rocks, sequence);
    atomic_store_explicit(&store->applied, sequence, memory_order_release);
out:
    rocks_batch_destroy(replay.batch);
    return rc;
}
