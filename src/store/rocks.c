/*
 * RocksDB as the tables' sorted map: one column family, no log of its own, small when idle.
 *
 * What is on disk. Every batch is written without a log, so only a flush makes it durable. rocks_mark
 * remembers pairs (RocksDB's internal sequence after a write, our mark), and each installed flush reports the
 * largest internal sequence that it covered (rocks_ext.cc). The mark of the last pair at or below it is
 * durable, because a batch never spans two memtables and memtables are installed in order. The list of pairs
 * is bounded: when it is full every second pair is forgotten, which can only make the answer older, never
 * wrong; the newest pair always stays, so a flush of everything is seen exactly.
 *
 * Options. Measured lessons: no cache_index_and_filter_blocks and no optimize_filters_for_hits (look-ups get
 * 4 to 80 times slower with a small cache); unordered and pipelined writes gain nothing with one writer.
 */
#include "store/rocks.h"

#include "base/assert.h"
#include "store/rocks_crypt.h"
#include "store/rocks_ext.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define MARKS_MAX 4096

struct mark {
    uint64_t internal, mark;
};

struct rocks {
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_cache_t *cache;
    struct rocks_crypt *crypt; /* NULL: plain files */
    rocksdb_readoptions_t *read[2]; /* [cache_only] */
    rocksdb_writeoptions_t *write;
    atomic_uint_least64_t flushed; /* internal sequence */
    pthread_mutex_t lock;          /* marks */
    struct mark marks[MARKS_MAX];
    size_t mark_count;
    uint64_t marked;
};

struct rocks_batch {
    rocksdb_writebatch_t *batch;
};

struct rocks_snapshot {
    const rocksdb_snapshot_t *snapshot;
    rocksdb_readoptions_t *read[2];
};

struct rocks_iter {
    rocksdb_iterator_t *iter;
    rocksdb_readoptions_t *read; /* holds the bounds */
};

/* ---- errors ---- */

static int classify(const char *text)
{
    if (!strncmp(text, "Result incomplete", 17))
        return ERR_COLD;
    if (!strncmp(text, "Corruption", 10))
        return ERR_CORRUPT;
    if (strstr(text, "No space") || strstr(text, "no space"))
        return ERR_DISK_FULL;
    return ERR_IO;
}

/* Takes the text. */
static int failure(char *text, struct err *err)
{
    int rc = classify(text);
    err_set(err, rc, "%s", text);
    rocksdb_free(text);
    return rc;
}

/* ---- opening ---- */

static void on_flush(void *context, uint64_t largest)
{
    struct rocks *rocks = context;
    uint64_t seen = atomic_load(&rocks->flushed);
    while (seen < largest && !atomic_compare_exchange_weak(&rocks->flushed, &seen, largest))
        ;
}

static void table_options(struct rocks *rocks, size_t cache_bytes)
{
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocks->cache = rocksdb_cache_create_lru(cache_bytes ? cache_bytes : 256u << 20);
    rocksdb_block_based_options_set_block_cache(table, rocks->cache);
    rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(10));
    rocksdb_block_based_options_set_format_version(table, 5);
    rocksdb_options_set_block_based_table_factory(rocks->options, table);
    rocksdb_block_based_options_destroy(table);
}

static void make_options(struct rocks *rocks, size_t cache_bytes, size_t write_buffer_bytes)
{
    rocksdb_options_t *o = rocks->options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(o, 1);
    rocksdb_options_set_write_buffer_size(o, write_buffer_bytes ? write_buffer_bytes : 16u << 20);
    rocksdb_options_set_max_write_buffer_number(o, 3);
    rocksdb_options_set_arena_block_size(o, 256u << 10);
    rocksdb_options_set_max_background_jobs(o, 2);
    rocksdb_options_set_max_open_files(o, 256);
    rocksdb_options_set_target_file_size_base(o, 16u << 20);
    rocksdb_options_set_max_bytes_for_level_base(o, 64u << 20);
    rocksdb_options_set_compression(o, rocksdb_lz4_compression);
    rocksdb_options_set_bytes_per_sync(o, 1u << 20);
    rocksdb_options_set_info_log_level(o, 3);
    rocksdb_options_set_keep_log_file_num(o, 2);
    rocksdb_options_set_max_log_file_size(o, 1u << 20);
    rocksdb_options_set_stats_dump_period_sec(o, 0);
    rocksdb_options_set_skip_stats_update_on_db_open(o, 1);
    rocksdb_options_set_allow_concurrent_memtable_write(o, 0);
    table_options(rocks, cache_bytes);
    rocks_ext_on_flush(o, on_flush, rocks);
}

/* Flushes and compactions come in bursts of a second; on a busy core they must not stand before a tick. Three write buffers leave them the time. */
static void background_is_patient(void)
{
    rocksdb_env_t *env = rocksdb_create_default_env();
    rocksdb_env_lower_thread_pool_cpu_priority(env);
    rocksdb_env_lower_high_priority_thread_pool_cpu_priority(env);
    rocksdb_env_destroy(env);
}

static rocksdb_readoptions_t *read_options(const rocksdb_snapshot_t *snapshot, bool cache_only)
{
    rocksdb_readoptions_t *read = rocksdb_readoptions_create();
    if (snapshot)
        rocksdb_readoptions_set_snapshot(read, snapshot);
    if (cache_only)
        rocksdb_readoptions_set_read_tier(read, 1);
    return read;
}

int rocks_open(struct rocks **out, const char *folder, size_t cache_bytes, size_t write_buffer_bytes,
    const unsigned char *key, struct err *err)
{
    char *text = NULL;
    struct rocks *rocks = calloc(1, sizeof(*rocks));
    if (!rocks)
        return err_set(err, ERR_MEMORY, "out of memory");
    pthread_mutex_init(&rocks->lock, NULL);
    make_options(rocks, cache_bytes, write_buffer_bytes);
    background_is_patient();
    rocks->read[0] = read_options(NULL, false);
    rocks->read[1] = read_options(NULL, true);
    rocks->write = rocksdb_writeoptions_create();
    rocksdb_writeoptions_disable_WAL(rocks->write, 1);
    if (key && !(rocks->crypt = rocks_crypt_create(key))) {
        rocks_close(rocks);
        return err_set(err, ERR_INTERNAL, "RocksDB has no encrypted files");
    }
    if (key)
        rocks_crypt_use(rocks->crypt, rocks->options);
    rocks->db = rocksdb_open(rocks->options, folder, &text);
    if (text) {
        rocks_close(rocks);
        return failure(text, err);
    }
    *out = rocks;
    return 0;
}

void rocks_close(struct rocks *rocks)
{
    if (rocks->db)
        rocksdb_close(rocks->db);
    rocksdb_readoptions_destroy(rocks->read[0]);
    rocksdb_readoptions_destroy(rocks->read[1]);
    rocksdb_writeoptions_destroy(rocks->write);
    rocksdb_options_destroy(rocks->options);
    rocksdb_cache_destroy(rocks->cache);
    rocks_crypt_destroy(rocks->crypt);
    pthread_mutex_destroy(&rocks->lock);
    free(rocks);
}

/* ---- reading ---- */

/* RocksDB counts every comparison in thread-local variables that nobody here reads: an eighth of an insert's instructions. */
static void leave_uncounted(void)
{
    static _Thread_local bool done;
    if (done)
        return;
    rocksdb_set_perf_level(rocksdb_disable);
    done = true;
}

/* Asked to read nothing from the disk, RocksDB answers a key as found, with an empty value, when it has not even opened the file that may hold it (the first look at a
   file after the start, or one more than it keeps open). Only this question tells that from a value that is empty. */
static bool is_really_empty(struct rocks *rocks, rocksdb_readoptions_t *read, struct text key)
{
    char *value = NULL;
    size_t len = 0;
    unsigned char found = 0;
    unsigned char exists = rocksdb_key_may_exist(rocks->db, read, key.data, key.len, &value, &len, NULL, 0, &found);
    rocksdb_free(value);
    return exists && found && len == 0; /* longer, or not there: the file was opened meanwhile, and `found` alone says so of a key that is not there, too */
}

int rocks_get(struct rocks *rocks, const struct rocks_snapshot *snapshot, bool cache_only, struct text key,
    struct rocks_value *value)
{
    char *text = NULL;
    rocksdb_readoptions_t *read = snapshot ? snapshot->read[cache_only] : rocks->read[cache_only];
    leave_uncounted();
    rocksdb_pinnableslice_t *pin = rocksdb_get_pinned(rocks->db, read, key.data, key.len, &text);
    value->pin = NULL;
    value->bytes = TEXT_NONE;
    if (text)
        return failure(text, NULL);
    if (!pin)
        return ERR_NOT_FOUND;
    value->pin = pin;
    value->bytes.data = rocksdb_pinnableslice_value(pin, &value->bytes.len);
    if (!cache_only || value->bytes.len || is_really_empty(rocks, read, key))
        return 0;
    rocks_value_release(value);
    return ERR_COLD;
}

void rocks_value_release(struct rocks_value *value)
{
    if (value->pin)
        rocksdb_pinnableslice_destroy(value->pin);
    value->pin = NULL;
}

int rocks_iter_open(struct rocks *rocks, const struct rocks_snapshot *snapshot, unsigned flags,
    struct text lower, struct text upper, struct rocks_iter **out)
{
    struct rocks_iter *iter = calloc(1, sizeof(*iter));
    if (!iter)
        return ERR_MEMORY;
    leave_uncounted();
    iter->read = read_options(snapshot ? snapshot->snapshot : NULL, flags & ROCKS_CACHE_ONLY);
    if (lower.len)
        rocksdb_readoptions_set_iterate_lower_bound(iter->read, lower.data, lower.len);
    if (upper.len)
        rocksdb_readoptions_set_iterate_upper_bound(iter->read, upper.data, upper.len);
    if (flags & ROCKS_NO_FILL)
        rocksdb_readoptions_set_fill_cache(iter->read, 0);
    iter->iter = rocksdb_create_iterator(rocks->db, iter->read);
    *out = iter;
    return 0;
}

void rocks_iter_close(struct rocks_iter *iter)
{
    if (!iter)
        return;
    rocksdb_iter_destroy(iter->iter);
    rocksdb_readoptions_destroy(iter->read);
    free(iter);
}

static int iter_state(const struct rocks_iter *iter)
{
    char *text = NULL;
    if (rocksdb_iter_valid(iter->iter))
        return 0;
    rocksdb_iter_get_error(iter->iter, &text);
    return text ? failure(text, NULL) : ERR_NOT_FOUND;
}

int rocks_iter_seek(struct rocks_iter *iter, struct text target, bool backward)
{
    if (backward)
        rocksdb_iter_seek_for_prev(iter->iter, target.data, target.len);
    else
        rocksdb_iter_seek(iter->iter, target.data, target.len);
    return iter_state(iter);
}

int rocks_iter_step(struct rocks_iter *iter, bool backward)
{
    if (backward)
        rocksdb_iter_prev(iter->iter);
    else
        rocksdb_iter_next(iter->iter);
    return iter_state(iter);
}

struct text rocks_iter_key(const struct rocks_iter *iter)
{
    struct text key;
    key.data = rocksdb_iter_key(iter->iter, &key.len);
    return key;
}

struct text rocks_iter_value(const struct rocks_iter *iter)
{
    struct text value;
    value.data = rocksdb_iter_value(iter->iter, &value.len);
    return value;
}

/* ---- writing ---- */

struct rocks_batch *rocks_batch_create(void)
{
    struct rocks_batch *batch = calloc(1, sizeof(*batch));
    if (batch)
        batch->batch = rocksdb_writebatch_create();
    return batch;
}

void rocks_batch_destroy(struct rocks_batch *batch)
{
    if (!batch)
        return;
    rocksdb_writebatch_destroy(batch->batch);
    free(batch);
}

void rocks_batch_clear(struct rocks_batch *batch)
{
    rocksdb_writebatch_clear(batch->batch);
}

void rocks_batch_put(struct rocks_batch *batch, struct text key, struct text value)
{
    rocksdb_writebatch_put(batch->batch, key.data, key.len, value.data, value.len);
}

void rocks_batch_delete(struct rocks_batch *batch, struct text key)
{
    rocksdb_writebatch_delete(batch->batch, key.data, key.len);
}

void rocks_batch_delete_range(struct rocks_batch *batch, struct text from, struct text to)
{
    rocksdb_writebatch_delete_range(batch->batch, from.data, from.len, to.data, to.len);
}

int rocks_write(struct rocks *rocks, struct rocks_batch *batch, struct err *err)
{
    char *text = NULL;
    leave_uncounted();
    rocksdb_write(rocks->db, rocks->write, batch->batch, &text);
    return text ? failure(text, err) : 0;
}

const struct rocks_snapshot *rocks_snapshot_create(struct rocks *rocks)
{
    struct rocks_snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (!snapshot)
        return NULL;
    snapshot->snapshot = rocksdb_create_snapshot(rocks->db);
    snapshot->read[0] = read_options(snapshot->snapshot, false);
    snapshot->read[1] = read_options(snapshot->snapshot, true);
    return snapshot;
}

void rocks_snapshot_destroy(struct rocks *rocks, const struct rocks_snapshot *snapshot)
{
    if (!snapshot)
        return;
    rocksdb_readoptions_destroy(snapshot->read[0]);
    rocksdb_readoptions_destroy(snapshot->read[1]);
    rocksdb_release_snapshot(rocks->db, snapshot->snapshot);
    free((void *)snapshot);
}

/* ---- what is on disk ---- */

int rocks_flush(struct rocks *rocks, bool wait, struct err *err)
{
    char *text = NULL;
    rocksdb_flushoptions_t *flush = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(flush, wait);
    rocksdb_flush(rocks->db, flush, &text);
    rocksdb_flushoptions_destroy(flush);
    if (text && !wait && strstr(text, "Writes have been stopped")) { /* until the flushes that are under way have ended: nothing has to be begun */
        rocksdb_free(text);
        return 0;
    }
    return text ? failure(text, err) : 0;
}

int rocks_checkpoint(struct rocks *rocks, const char *folder, struct err *err)
{
    char *text = NULL;
    rocksdb_checkpoint_t *checkpoint = rocksdb_checkpoint_object_create(rocks->db, &text);
    if (!text)
        rocksdb_checkpoint_create(checkpoint, folder, 0, &text); /* 0: flush always; there is no log that could stand in for it */
    if (checkpoint)
        rocksdb_checkpoint_object_destroy(checkpoint);
    return text ? failure(text, err) : 0;
}

int rocks_verify(struct rocks *rocks, struct err *err)
{
    char *text = rocks_ext_verify(rocks->db);
    return text ? failure(text, err) : 0;
}

static void marks_settle(struct rocks *rocks)
{
    uint64_t flushed = atomic_load(&rocks->flushed);
    size_t done = 0;
    while (done < rocks->mark_count && rocks->marks[done].internal <= flushed)
        rocks->marked = rocks->marks[done++].mark;
    if (!done)
        return;
    rocks->mark_count -= done;
    memmove(rocks->marks, rocks->marks + done, rocks->mark_count * sizeof(struct mark));
}

static void marks_thin(struct rocks *rocks)
{
    size_t kept = 0;
    for (size_t i = 1; i < rocks->mark_count; i += 2)
        rocks->marks[kept++] = rocks->marks[i];
    rocks->mark_count = kept;
}

void rocks_mark(struct rocks *rocks, uint64_t mark)
{
    uint64_t internal = rocksdb_get_latest_sequence_number(rocks->db);
    pthread_mutex_lock(&rocks->lock);
    if (rocks->mark_count == MARKS_MAX)
        marks_settle(rocks);
    if (rocks->mark_count == MARKS_MAX)
        marks_thin(rocks);
    rocks->marks[rocks->mark_count++] = (struct mark){internal, mark};
    pthread_mutex_unlock(&rocks->lock);
}

uint64_t rocks_marked(struct rocks *rocks)
{
    pthread_mutex_lock(&rocks->lock);
    marks_settle(rocks);
    uint64_t marked = rocks->marked;
    pthread_mutex_unlock(&rocks->lock);
    return marked;
}
