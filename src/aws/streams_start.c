/*
 * The streams of tables that were there before. A table that keeps changes has a stream that goes on, always: those which the API makes get it in the same tick; the
 * others are found here, before the first call:
 *
 *   tables of applications that keep changes     their stream has both images; it begins when they are first seen
 *   tables of folders from before there were     their label and view are in the table's meta; their changes are in the journal, so the stream begins where the
 *   rows of streams                              journal does. A stream of the same table before that one is told apart by the time
 *   tables that keep no changes any more         the application's declaration says so now: the stream ends
 *
 * The tables behind streams of records (gateway/records.h) keep changes for their consumers, and are nobody's tables on this wire.
 */
#include "aws/aws.h"
#include "aws/streams.h"

#include "gateway/records.h"
#include "journal/journal.h"

#define ARENA_MAX (64u << 20)

struct known {
    struct streams_row row;
    struct known *next;
};

struct start {
    struct tick_call base;
    const struct gateway_config *config;
    struct known *first, *last; /* in the order of names */
};

static int on_known(void *context, const struct streams_row *row)
{
    struct start *start = context;
    struct known *known = arena_alloc(start->base.arena, sizeof(*known));
    if (!known)
        return ERR_MEMORY;
    *known = (struct known){.row = *row};
    if (start->last)
        start->last->next = known;
    else
        start->first = known;
    start->last = known;
    return 0;
}

static const struct store_table *table_of(const struct store *store, const struct streams_row *row)
{
    const struct store_table *table = store_table_find(store, row->table);
    return table && store_table_id(table) == row->table_id && store_table_decl(table)->changes ? table : NULL;
}

/* Deletes what is long over, ends what has lost its table. */
static int tidy(struct start *start, struct tick *tick)
{
    struct store_view *view = tick_view(tick);
    int code = 0;
    for (struct known *known = start->first; known && !code; known = known->next) {
        struct streams_row *row = &known->row;
        if (streams_row_is_past(row, tick_now_ms(tick)))
            code = streams_row_delete(tick_stage(tick), row);
        else if (!row->ended_ms && !table_of(view->store, row))
            code = streams_end(view, tick, start->base.arena, row->table);
    }
    return code;
}

/* Does the stream that goes on agree with what DescribeTable says? An older program may have written the folder meanwhile. */
static bool agrees(const struct streams_row *row, const struct ddb_meta *meta)
{
    return !meta->stream_view.len || (row->label_ms == meta->stream_ms && row->view == streams_view_of(meta->stream_view));
}

static int begin_old(struct start *start, struct tick *tick, const struct store_table *table, struct ddb_meta *meta)
{
    struct store_view *view = tick_view(tick);
    struct arena *arena = start->base.arena;
    struct streams_row row;
    uint64_t first = journal_first(start->config->journal);
    int64_t since_ms = meta->stream_ms;
    int code = streams_begin(view, tick, arena, table, streams_view_of(meta->stream_view), &meta->stream_ms);
    if (!code)
        code = streams_current(view, arena, table, &row);
    if (code)
        return code;
    row.first = (struct feed_position){first ? first : 1, 0};
    row.from_ms = since_ms;
    code = streams_row_put(tick_stage(tick), &row);
    return code || meta->stream_ms == since_ms ? code : ddb_meta_put(tick_stage(tick), store_table_name(table), meta);
}

static int ensure(struct start *start, struct tick *tick, const struct store_table *table)
{
    struct store_view *view = tick_view(tick);
    struct arena *arena = start->base.arena;
    struct ddb_meta *meta = arena_alloc(arena, sizeof(*meta));
    struct streams_row row;
    if (!meta)
        return ERR_MEMORY;
    int code = ddb_meta_get(view, arena, store_table_name(table), meta);
    if (code)
        return code;
    code = streams_current(view, arena, table, &row);
    if (code == 0 && agrees(&row, meta))
        return 0;
    if (code && code != ERR_NOT_FOUND)
        return code;
    if (meta->stream_view.len && meta->stream_ms > 0)
        return begin_old(start, tick, table, meta);
    int64_t label_ms = tick_now_ms(tick);
    return streams_begin(view, tick, arena, table, STREAMS_BOTH, &label_ms);
}

static int run(struct tick *tick, struct tick_call *base)
{
    struct start *start = (struct start *)base;
    struct store_view *view = tick_view(tick);
    start->first = start->last = NULL;
    int code = streams_row_scan(view, base->arena, TEXT_NONE, 0, on_known, start);
    if (!code)
        code = tidy(start, tick);
    for (const struct store_table *table = store_table_next(view->store, NULL); table && !code; table = store_table_next(view->store, table)) {
        struct arena_mark mark = arena_mark(base->arena);
        if (store_table_decl(table)->changes && !ddb_is_hidden(store_table_name(table)))
            code = ensure(start, tick, table);
        arena_rewind(base->arena, mark);
    }
    return code;
}

int aws_define(const struct gateway_config *config, struct tick *tick, struct err *err)
{
    struct arena arena;
    arena_init(&arena, 4096, ARENA_MAX);
    struct start start = {.base = {.run = run, .arena = &arena}, .config = config};
    int code = tick_run_now(tick, &start.base, err);
    arena_fini(&arena);
    return code;
}
