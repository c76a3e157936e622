/*
 * GetShardIterator and GetRecords: a stream is read from the journal, by a cursor that lives for one request.
 *
 * To open a cursor anywhere costs a look into the journal's index and at most 256 KiB read from there, so no cursor is kept for a reader that will ask again,
 * and none holds the journal's files. A reader that has everything is answered on the io thread, without any; only where there is something to read a worker
 * reads it.
 *
 * The journal holds the changes of all tables. A request looks at it for a bounded time and then answers what it found, perhaps nothing, with an iterator further
 * on, as AWS's shards do. It reads up to the sequence of its snapshot: the stream's row comes from the same one, so that a stream that was ended and begun again
 * meanwhile cannot be taken for the old one.
 *
 * What is older than a day is not shown, though the journal may hold it. An iterator that began at the horizon passes it over; any other one was given
 * for a place, and its reader has to know that what was behind it is gone.
 */
#include "aws/streams.h"

#include "journal/journal.h"

#define RECORDS_MAX 1000
#define PAGE_BYTES ((size_t)1 << 20)      /* of items, as SizeBytes counts them */
#define PAGE_JSON ((size_t)8 << 20)       /* of the answer: small values are long in JSON */
#define LOOK_MS 50                        /* at the journal, for one request */
#define LOOK_CHANGES 100000               /* or so many changes and records */
#define CHANGE_ARENA ((size_t)128 << 20)  /* a change's images, decoded */

static const char trimmed[] = "The operation attempted to read past the oldest stream record in a shard.";

static int refuse_iterator(struct aws_call *call)
{
    return aws_fail(call, AWS_VALIDATION, "Invalid ShardIterator");
}

static struct feed_position later_of(struct feed_position a, struct feed_position b)
{
    return feed_compare(a, b) < 0 ? b : a;
}

/* Everything has been taken up to the first that the journal has. */
static struct feed_position forgotten(const struct aws_call *call)
{
    return streams_before((struct feed_position){journal_first(call->config->journal), 0});
}

/* ---- GetShardIterator ---- */

enum kind { KIND_HORIZON, KIND_LATEST, KIND_AT, KIND_AFTER };

struct asking {
    enum kind kind;
    struct feed_position place;
};

int streams_iterator_prepare(struct aws_call *call)
{
    static const char *const kinds[] = {"TRIM_HORIZON", "LATEST", "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"};
    struct asking *asking = arena_zalloc(call->arena, sizeof(*asking));
    struct text kind = aws_param_text(call->in, "ShardIteratorType"), sequence = aws_param_text(call->in, "SequenceNumber");
    if (!asking)
        return aws_no_memory(call);
    call->state = asking;
    while (asking->kind < KIND_AFTER && !text_is(kind, kinds[asking->kind]))
        asking->kind++;
    if (asking->kind < KIND_AT)
        return 0;
    if (!sequence.len)
        return aws_fail(call, AWS_VALIDATION, "A SequenceNumber is required when the ShardIteratorType is %s", kinds[asking->kind]);
    if (streams_sequence_parse(sequence, &asking->place))
        return aws_fail(call, AWS_VALIDATION, "Invalid SequenceNumber: %.*s", TEXT_FMT(sequence));
    return 0;
}

/* Where what is younger than a day begins, or earlier. */
static int place_horizon(struct aws_call *call, struct store_view *view, const struct streams_row *row, struct feed_position *after)
{
    int64_t horizon_ms = clock_wall_ms() - STREAMS_KEPT_MS;
    uint64_t older = 0;
    *after = later_of(streams_before(row->first), forgotten(call));
    if (row->label_ms > horizon_ms)
        return 0;
    if (view->cache_only)
        return ERR_COLD;
    int code = tick_find_time(view, call->arena, horizon_ms, &older);
    *after = later_of(*after, streams_before((struct feed_position){older, 0}));
    return code;
}

/* A place that a client names must be one that can be read: of the stream, and not forgotten. */
static int judge_place(struct aws_call *call, struct store_view *view, const struct streams_row *row, struct feed_position place)
{
    struct tick *tick = gw_work_tick(call->work);
    struct store_change change;
    struct feed *feed;
    struct err err = {0};
    uint64_t sequence;
    if (feed_compare(place, row->first) < 0)
        return aws_fail(call, STREAMS_TRIMMED, "%s", trimmed);
    if (row->ended_ms ? feed_compare(place, row->end) > 0 : place.sequence > tick_durable(tick))
        return aws_fail(call, AWS_VALIDATION, "Invalid SequenceNumber: it is beyond the end of the shard");
    if (view->cache_only)
        return ERR_COLD;
    int code = feed_open(&feed, tick, call->config->journal, streams_before(place), &err);
    if (!code)
        code = feed_next(feed, &sequence, &change, &err);
    bool old = code == ERR_NOT_FOUND || (!code && change.time_ms <= clock_wall_ms() - STREAMS_KEPT_MS);
    feed_close(feed);
    if (old)
        return aws_fail(call, STREAMS_TRIMMED, "%s", trimmed);
    return code < 0 && code != ERR_AGAIN ? aws_store_fail(call, code, &err) : 0;
}

static int place(struct aws_call *call, struct store_view *view, const struct streams_row *row, struct streams_iterator *it)
{
    const struct asking *asking = call->state;
    if (asking->kind == KIND_HORIZON) {
        it->from_horizon = true;
        return place_horizon(call, view, row, &it->after);
    }
    if (asking->kind == KIND_LATEST) {
        it->after = row->ended_ms ? streams_before(row->end) : (struct feed_position){tick_durable(gw_work_tick(call->work)), FEED_ALL};
        return 0;
    }
    it->after = asking->kind == KIND_AT ? streams_before(asking->place) : asking->place;
    return judge_place(call, view, row, asking->place);
}

static int write_iterator(struct aws_call *call, const char *name, const struct streams_iterator *it)
{
    struct buf text;
    buf_init(&text, 2048);
    int code = streams_iterator_format(it, &text);
    json_name(&call->w, name);
    json_text(&call->w, buf_text(&text));
    buf_fini(&text);
    return code ? aws_no_memory(call) : 0;
}

int streams_iterator_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct streams_row row;
    char shard[STREAMS_SHARD_SIZE];
    (void)tick;
    int code = streams_find(call, view, aws_param_text(call->in, "StreamArn"), &row);
    if (code)
        return code;
    streams_shard(&row, shard);
    if (!aws_param_is(call->in, "ShardId", shard))
        return aws_fail(call, DDB_NOT_FOUND, "Requested resource not found: Shard does not exist");
    struct streams_iterator it = {.table_len = row.table.len, .label_ms = row.label_ms, .issued_ms = clock_wall_ms()};
    memcpy(it.table, row.table.data, row.table.len);
    code = place(call, view, &row, &it);
    if (code)
        return call->fault ? code : aws_store_fail(call, code, NULL);
    json_begin_object(&call->w);
    code = write_iterator(call, "ShardIterator", &it);
    json_end_object(&call->w);
    return code;
}

/* ---- GetRecords ---- */

struct reading {
    struct aws_call *call;
    struct streams_row row;
    struct streams_iterator it;  /* `after` moves on */
    int64_t limit, count;
    size_t bytes;
    uint64_t bound;              /* the snapshot's sequence */
    int64_t horizon_ms;
    struct feed *feed;
    struct arena arena;          /* of one change */
    bool full;
};

int streams_records_prepare(struct aws_call *call)
{
    struct reading *r = arena_zalloc(call->arena, sizeof(*r));
    const struct json *limit = shape_get(call->in, "Limit");
    char label[STREAMS_LABEL_SIZE];
    if (!r)
        return aws_no_memory(call);
    call->state = r;
    r->call = call;
    r->limit = RECORDS_MAX;
    if (limit)
        json_to_i64(limit, &r->limit);
    if (r->limit > RECORDS_MAX)
        return aws_fail(call, DDB_LIMIT, "GetRecords was called with a value of more than 1000 for the limit request parameter.");
    if (streams_iterator_parse(aws_param_text(call->in, "ShardIterator"), &r->it))
        return refuse_iterator(call);
    streams_label(r->it.label_ms, label);
    struct text name = arena_format(call->arena, "%.*s/stream/%s", (int)r->it.table_len, r->it.table, label);
    int code = name.data ? aws_may_on(call, "GetRecords", "table", name, TEXT_NONE) : aws_no_memory(call);
    if (!code && clock_wall_ms() - r->it.issued_ms > STREAMS_ITERATOR_MS)
        code = aws_fail(call, STREAMS_EXPIRED, "The shard iterator has expired and can no longer be used to retrieve stream records.");
    return code;
}

static bool is_at_end(const struct reading *r)
{
    return r->row.ended_ms && feed_compare(r->it.after, streams_before(r->row.end)) >= 0;
}

/* Everything of the snapshot has been taken. */
static bool is_caught_up(const struct reading *r)
{
    return feed_compare(r->it.after, (struct feed_position){r->bound, FEED_ALL}) >= 0;
}

/* The stream that the iterator names, and a place in it. */
static int find_row(struct reading *r, struct store_view *view)
{
    struct aws_call *call = r->call;
    struct buf arn;
    struct text table = text_make(r->it.table, r->it.table_len);
    int code = streams_row_get(view, call->arena, table, r->it.label_ms, &r->row);
    if (code == ERR_NOT_FOUND) {
        buf_init(&arn, 1024);
        streams_arn_add(call, table, r->it.label_ms, &arn);
        code = aws_fail(call, DDB_NOT_FOUND, "Requested resource not found: Stream: %.*s not found", TEXT_FMT(buf_text(&arn)));
        buf_fini(&arn);
        return code;
    }
    if (code)
        return aws_store_fail(call, code, NULL);
    if (r->it.after.sequence > tick_durable(gw_work_tick(call->work)))
        return refuse_iterator(call); /* of another folder, or of one that was restored */
    r->it.after = later_of(r->it.after, streams_before(r->row.first));
    return 0;
}

static int trim(struct reading *r)
{
    return aws_fail(r->call, STREAMS_TRIMMED, "%s", trimmed);
}

static int open_feed(struct reading *r)
{
    struct aws_call *call = r->call;
    struct err err = {0};
    if (r->it.from_horizon)
        r->it.after = later_of(r->it.after, forgotten(call));
    int code = feed_open(&r->feed, gw_work_tick(call->work), call->config->journal, r->it.after, &err);
    if (code == ERR_NOT_FOUND)
        return trim(r);
    return code ? aws_store_fail(call, code, &err) : 0;
}

/* A change of the stream: 0 when it is taken, 1 when it is for the next page, or a failure. */
static int take(struct reading *r, struct feed_position place, const struct store_change *change)
{
    struct aws_call *call = r->call;
    struct streams_record record;
    if (change->time_ms <= r->horizon_ms)
        return r->it.from_horizon ? 0 : trim(r);
    arena_reset(&r->arena);
    int code = streams_record_read(&r->arena, r->row.view, change, &record);
    if (code)
        return aws_store_fail(call, code, NULL);
    if (r->count && r->bytes + record.bytes > PAGE_BYTES)
        return 1;
    streams_record_json(call, &r->row, place, change, &record);
    r->bytes += record.bytes;
    r->it.from_horizon = false;
    r->full = ++r->count == r->limit || call->body.len >= PAGE_JSON;
    return 0;
}

static bool is_mine(const struct reading *r, const struct store_change *change)
{
    return change->table_id == r->row.table_id && change->time_ms >= r->row.from_ms;
}

/* One step of the cursor: 0, 1 when the page ends here, or a failure. */
static int step(struct reading *r)
{
    struct store_change change;
    struct err err = {0};
    uint64_t sequence;
    int code = feed_next(r->feed, &sequence, &change, &err);
    if (code == FEED_END) {
        r->it.after = feed_position(r->feed);
        return is_at_end(r) || is_caught_up(r);
    }
    if (code == ERR_AGAIN || (code && r->count)) /* what is wrong is said when it comes first */
        return 1;
    if (code == ERR_NOT_FOUND)
        return trim(r);
    if (code)
        return aws_store_fail(r->call, code, &err);
    struct feed_position place = {sequence, change.number};
    if (r->row.ended_ms && feed_compare(place, r->row.end) >= 0) {
        r->it.after = streams_before(place);
        return 1;
    }
    code = is_mine(r, &change) ? take(r, place, &change) : 0;
    if (code == 0)
        r->it.after = place;
    return code ? code : r->full;
}

static int read_page(struct reading *r)
{
    int64_t until_ms = clock_mono_ms() + LOOK_MS;
    int code = open_feed(r);
    arena_init(&r->arena, 64 << 10, CHANGE_ARENA);
    for (unsigned n = 1; !code; n++) {
        code = step(r);
        if (!code && (n == LOOK_CHANGES || (n % 16 == 0 && clock_mono_ms() > until_ms)))
            code = 1;
    }
    arena_fini(&r->arena);
    feed_close(r->feed);
    return code < 0 ? code : 0;
}

/* `is_more`: the shard may go on. */
static int write_end(struct reading *r)
{
    struct aws_call *call = r->call;
    int code = 0;
    json_end_array(&call->w);
    r->it.issued_ms = clock_wall_ms();
    if (!is_at_end(r))
        code = write_iterator(call, "NextShardIterator", &r->it);
    json_end_object(&call->w);
    return code;
}

int streams_records_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct reading *prepared = call->state, own = *prepared, *r = &own; /* it may run again */
    (void)tick;
    int code = find_row(r, view);
    if (code)
        return code;
    r->bound = store_snapshot_sequence(view->snapshot);
    r->horizon_ms = clock_wall_ms() - STREAMS_KEPT_MS;
    bool nothing = is_at_end(r) || is_caught_up(r);
    if (!nothing && view->cache_only)
        return ERR_COLD;
    json_begin_object(&call->w);
    json_name(&call->w, "Records");
    json_begin_array(&call->w);
    code = nothing ? 0 : read_page(r);
    return code ? code : write_end(r);
}
