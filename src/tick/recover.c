/*
 * Records, and the start after a crash: what the journal has and the tables have not is applied to them again, in order.
 *
 * The tables say which sequence they reflect. They may be behind the journal (that is the normal case: their memory is gone), never ahead of it, and between
 * them and the journal's first record there must be no gap: both would mean that somebody mixed folders or lost a file, and starting would lose
 * data silently.
 */
#include "tick/inside.h"

#include "base/clock.h"
#include "base/log.h"

#define PROGRESS_NS (INT64_C(2) * 1000000000)

int tick_record_parse(struct text bytes, struct tick_record *record)
{
    struct cursor c = cursor_of(bytes);
    uint8_t version = cursor_u8(&c);
    record->time_ms = (int64_t)cursor_be64(&c);
    record->calls = cursor_be32(&c);
    record->store = cursor_take(&c, cursor_left(&c));
    if (c.failed)
        return ERR_CORRUPT;
    return version == TICK_RECORD_VERSION ? 0 : ERR_VERSION;
}

static int replay_one(struct store *store, uint64_t sequence, struct text bytes, struct err *err)
{
    struct tick_record record;
    int rc = tick_record_parse(bytes, &record);
    if (rc != 0)
        return err_set(err, rc, "record %llu of the journal is not a tick: %s", (unsigned long long)sequence, err_text(rc));
    return store_replay(store, sequence, record.store, err);
}

static int replay_all(struct store *store, struct journal_reader *reader, uint64_t last, uint64_t *records, struct err *err)
{
    int64_t said = clock_mono_ns();
    uint64_t sequence, bytes = 0;
    struct text record;
    int rc;
    while ((rc = journal_reader_next(reader, &sequence, &record, err)) == 0) {
        rc = replay_one(store, sequence, record, err);
        if (rc != 0)
            return rc;
        ++*records;
        bytes += record.len;
        if (clock_mono_ns() - said < PROGRESS_NS)
            continue;
        said = clock_mono_ns();
        log_info("tick", "replayed up to %llu of %llu (%llu MiB)", (unsigned long long)sequence, (unsigned long long)last,
            (unsigned long long)(bytes >> 20));
    }
    return rc == ERR_AGAIN ? 0 : rc;
}

int tick_recover(struct store *store, struct journal *journal, uint64_t *records, struct err *err)
{
    uint64_t applied = store_applied(store), last = journal_last(journal), first = journal_first(journal);
    uint64_t count = 0;
    if (records)
        *records = 0;
    if (applied > last)
        return err_set(err, ERR_CORRUPT, "the tables reflect sequence %llu, the journal ends with %llu: they do not belong together",
            (unsigned long long)applied, (unsigned long long)last);
    if (applied == last)
        return 0;
    if (applied + 1 < first)
        return err_set(err, ERR_CORRUPT, "the tables reflect sequence %llu, the journal begins with %llu: records are missing between them",
            (unsigned long long)applied, (unsigned long long)first);
    struct journal_reader *reader = NULL;
    int rc = journal_reader_open(journal, applied + 1, &reader, err);
    if (rc != 0)
        return rc;
    int64_t began = clock_mono_ns();
    rc = replay_all(store, reader, last, &count, err);
    journal_reader_close(reader);
    if (rc == 0 && store_applied(store) != last)
        rc = err_set(err, ERR_CORRUPT, "the replay ended with sequence %llu instead of %llu", (unsigned long long)store_applied(store),
            (unsigned long long)last);
    if (rc == 0)
        log_info("tick", "replayed %llu records in %lld ms", (unsigned long long)count, (long long)((clock_mono_ns() - began) / 1000000));
    if (records)
        *records = count;
    return rc;
}
