/*
 * A cursor over the journal's records. The journal answers with whole records; the cursor hands out their changes one by one and says when a record
 * is over, because whoever groups changes (a batch for a consumer, a round of live tables) wants to end on a commit.
 *
 * It stops at tick_durable, not at the journal's durable end: between the two lie the records that are synced but not yet applied and published, which
 * no snapshot shows. A follower that saw them could not be brought together with a snapshot without looking at each row.
 */
#include "tick/feed.h"

#include <stdlib.h>

struct feed {
    struct tick *tick;
    struct journal *journal;
    struct journal_reader *reader; /* NULL until the first record is wanted */
    struct store_change_reader changes;
    struct feed_position at;
    uint64_t sequence; /* of the record being handed out */
    bool inside;       /* a record is being handed out */
};

int feed_compare(struct feed_position a, struct feed_position b)
{
    if (a.sequence != b.sequence)
        return a.sequence < b.sequence ? -1 : 1;
    return a.number == b.number ? 0 : a.number < b.number ? -1 : 1;
}

int feed_position_parse(struct text text, struct feed_position *out)
{
    ptrdiff_t dot = text_find(text, '.', 0);
    uint64_t number = FEED_ALL, sequence = 0;
    struct text head = dot < 0 ? text : text_make(text.data, (size_t)dot);
    if (text_to_u64(head, UINT64_MAX - 1, &sequence))
        return ERR_SYNTAX;
    if (dot >= 0 && text_to_u64(text_make(text.data + dot + 1, text.len - (size_t)dot - 1), FEED_ALL, &number))
        return ERR_SYNTAX;
    *out = (struct feed_position){sequence, (uint32_t)number};
    return 0;
}

/* The first record that is of interest behind a position. */
static uint64_t first_wanted(struct feed_position after)
{
    return after.number == FEED_ALL ? after.sequence + 1 : after.sequence;
}

int feed_open(struct feed **out, struct tick *tick, struct journal *journal, struct feed_position after, struct err *err)
{
    *out = NULL;
    if (after.sequence > tick_durable(tick))
        return err_set(err, ERR_INVALID, "the position lies ahead of what has been committed");
    if (first_wanted(after) < journal_first(journal))
        return err_set(err, ERR_NOT_FOUND, "the journal does not reach back so far any more");
    struct feed *feed = calloc(1, sizeof(*feed));
    if (!feed)
        return err_set(err, ERR_MEMORY, "no memory for a cursor");
    *feed = (struct feed){.tick = tick, .journal = journal, .at = after};
    *out = feed;
    return 0;
}

void feed_close(struct feed *feed)
{
    if (!feed)
        return;
    if (feed->reader)
        journal_reader_close(feed->reader);
    free(feed);
}

struct feed_position feed_position(const struct feed *feed)
{
    return feed->at;
}

static int enter(struct feed *feed, struct err *err)
{
    struct tick_record record;
    struct text bytes;
    uint64_t wanted = first_wanted(feed->at), found;
    if (wanted > tick_durable(feed->tick))
        return ERR_AGAIN;
    int rc = feed->reader ? 0 : journal_reader_open(feed->journal, wanted, &feed->reader, err);
    if (rc == 0)
        rc = journal_reader_next(feed->reader, &found, &bytes, err);
    if (rc != 0)
        return rc;
    if (found != wanted)
        return err_set(err, ERR_CORRUPT, "the journal skipped a record");
    rc = tick_record_parse(bytes, &record);
    if (rc == 0)
        rc = store_change_begin(&feed->changes, record.store);
    if (rc != 0)
        return err_set(err, rc, "record %llu cannot be read: %s", (unsigned long long)found, err_text(rc));
    feed->sequence = found;
    feed->inside = true;
    return 0;
}

int feed_next(struct feed *feed, uint64_t *sequence, struct store_change *change, struct err *err)
{
    int rc = feed->inside ? 0 : enter(feed, err);
    if (rc != 0)
        return rc;
    for (;;) {
        rc = store_change_next(&feed->changes, change);
        if (rc == ERR_NOT_FOUND) {
            feed->inside = false;
            feed->at = (struct feed_position){feed->sequence, FEED_ALL};
            return FEED_END;
        }
        if (rc != 0)
            return err_set(err, rc, "a change of record %llu cannot be read", (unsigned long long)feed->sequence);
        struct feed_position here = {feed->sequence, change->number};
        if (feed_compare(here, feed->at) <= 0)
            continue; /* taken before the cursor was opened */
        feed->at = here;
        *sequence = feed->sequence;
        return 0;
    }
}
