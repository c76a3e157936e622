/*
 * A run: events go through the stages until one keeps them; at the end each keeping stage gives its rows on to those behind it. Nothing is allocated for an event but from one
 * arena, which forgets it before the next.
 */
#include "watch/query_inside.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

void query_partial(struct watch_query_run *run, const char *why)
{
    if (!run->totals.partial)
        run->totals.partial = why;
}

void query_row_begin(struct query_row *row, const struct watch_query_event *event)
{
    if (row->run->arena.used)
        arena_reset(&row->run->arena);
    memset(row->known, 0, row->scope->count);
    row->event = event;
    row->aggregate = NULL;
    if (event)
        row->place = event->place;
}

/* A row for each element of the list, of which there may be many in one event: what they compute is forgotten between them, the memory of it with the event. What is no list is one
   row, without the name. */
static int unnest(struct watch_query_run *run, uint32_t stage, struct query_row *row)
{
    const struct query_stage *at = &run->query->stage[stage];
    struct query_value list = query_eval(row, at->filter);
    const struct json *root = NULL;
    int code = list.type == QUERY_TEXT && list.text.len && list.text.data[0] == '[' ? json_parse(&run->arena, list.text, 0, &root, NULL) : 0;
    if (code == ERR_MEMORY)
        return code;
    bool is_list = !code && json_is(root, JSON_ARRAY);
    const struct json *element = is_list ? root->first : NULL;
    size_t later = row->scope->count - at->slot;
    code = 0;
    do {
        memset(row->known + at->slot, 0, later);
        row->known[at->slot] = true;
        row->value[at->slot] = element ? query_json_value(element) : QUERY_NOTHING;
        if (element || !is_list)
            code = query_push(run, stage + 1, row);
        element = element ? element->next : NULL;
    } while (element && !code);
    return code;
}

int query_push(struct watch_query_run *run, uint32_t stage, struct query_row *row)
{
    for (;; stage++) {
        const struct query_stage *at = &run->query->stage[stage];
        if (at->kind == STAGE_FILTER) {
            struct query_value value = query_eval(row, at->filter);
            if (!query_to_bool(&value))
                return 0;
            continue;
        }
        if (at->kind == STAGE_UNNEST)
            return unnest(run, stage, row);
        run->totals.matched += row->event != NULL;
        return at->kind == STAGE_STATS ? query_groups_add(&run->state[stage].groups, row) : query_rows_add(&run->state[stage].rows, row);
    }
}

/* ---- life ---- */

static int row_init(struct watch_query_run *run, struct query_row *row, const struct query_scope *scope)
{
    *row = (struct query_row){.run = run, .scope = scope};
    row->value = calloc(scope->count + 1, sizeof(*row->value));
    row->known = calloc(scope->count + 1, 1);
    return row->value && row->known ? 0 : ERR_MEMORY;
}

int watch_query_run_create(const struct watch_query *query, int64_t now_ms, struct watch_query_run **out)
{
    struct watch_query_run *run = calloc(1, sizeof(*run));
    if (!run)
        return ERR_MEMORY;
    run->query = query;
    run->now_ms = now_ms;
    arena_init(&run->arena, 16 << 10, WATCH_QUERY_EVENT_MAX);
    run->matcher = query_matcher_create();
    run->state = calloc(query->stages, sizeof(*run->state));
    int code = run->matcher && run->state ? 0 : ERR_MEMORY;
    for (uint32_t i = 0; !code && i < query->scopes; i++)
        code = row_init(run, &run->row[i], query->scope[i]);
    for (uint32_t i = 0; !code && i < query->stages; i++) {
        const struct query_stage *stage = &query->stage[i];
        if (stage->kind == STAGE_STATS)
            query_groups_init(&run->state[i].groups, stage->stats);
        else if (stage->kind == STAGE_COLLECT)
            query_rows_init(&run->state[i].rows, stage->collect, query->scope[stage->scope], i + 1 == query->stages);
    }
    if (code) {
        free(run->state);
        run->state = NULL;
        watch_query_run_destroy(run);
        return code;
    }
    *out = run;
    return 0;
}

static void state_fini(struct watch_query_run *run, uint32_t stage)
{
    if (run->query->stage[stage].kind == STAGE_STATS)
        query_groups_fini(&run->state[stage].groups);
    else if (run->query->stage[stage].kind == STAGE_COLLECT)
        query_rows_fini(&run->state[stage].rows);
}

void watch_query_run_destroy(struct watch_query_run *run)
{
    if (!run)
        return;
    for (uint32_t i = 0; run->state && i < run->query->stages; i++)
        state_fini(run, i);
    free(run->state);
    for (size_t i = 0; i <= QUERY_STATS_MAX; i++) {
        free(run->row[i].value);
        free(run->row[i].known);
    }
    query_matcher_free(run->matcher);
    arena_fini(&run->arena);
    free(run);
}

/* ---- events ---- */

int watch_query_feed(struct watch_query_run *run, const struct watch_query_event *event)
{
    run->totals.scanned++;
    run->totals.bytes += event->message.len;
    query_row_begin(&run->row[0], event);
    return query_push(run, 0, &run->row[0]);
}

int watch_query_merge(struct watch_query_run *into, struct watch_query_run *from)
{
    int code = 0;
    into->totals.scanned += from->totals.scanned;
    into->totals.bytes += from->totals.bytes;
    into->totals.matched += from->totals.matched;
    struct watch_query_totals theirs = watch_query_totals(from);
    if (theirs.partial)
        query_partial(into, theirs.partial);
    for (uint32_t i = 0; !code && i < into->query->stages; i++) {
        if (into->query->stage[i].kind == STAGE_STATS)
            code = query_groups_merge(into, &into->state[i].groups, &from->state[i].groups);
        else if (into->query->stage[i].kind == STAGE_COLLECT)
            code = query_rows_merge(into, &into->state[i].rows, &from->state[i].rows);
    }
    return code;
}

/* ---- the end ---- */

struct onward {
    struct watch_query_run *run;
    uint32_t stage;
};

static int push_on(void *context, struct query_row *row)
{
    struct onward *onward = context;
    return query_push(onward->run, onward->stage, row);
}

int watch_query_finish(struct watch_query_run *run)
{
    const struct watch_query *query = run->query;
    int code = 0;
    for (uint32_t i = 0; !code && !run->finished && i + 1 < query->stages; i++) {
        struct onward onward = {run, i + 1};
        if (query->stage[i].kind == STAGE_STATS) {
            code = query_groups_drain(&run->state[i].groups, run, i + 1);
        } else if (query->stage[i].kind == STAGE_COLLECT) {
            code = query_rows_each(&run->state[i].rows, &run->row[query->stage[i].scope], push_on, &onward);
        } else {
            continue;
        }
        state_fini(run, i); /* its memory is free for what follows */
        if (query->stage[i].kind == STAGE_STATS)
            query_groups_init(&run->state[i].groups, query->stage[i].stats);
        else
            query_rows_init(&run->state[i].rows, query->stage[i].collect, query->scope[query->stage[i].scope], false);
    }
    run->finished = true;
    return code;
}

struct watch_query_totals watch_query_totals(const struct watch_query_run *run)
{
    struct watch_query_totals totals = run->totals;
    if (!totals.partial && query_matcher_gave_up(run->matcher))
        totals.partial = "a regular expression met its limit of steps";
    return totals;
}

struct showing {
    const struct query_scope *scope;
    int (*visit)(void *context, const struct watch_query_cell *cell, size_t count);
    void *context;
};

static int show_row(void *context, struct query_row *row)
{
    struct showing *showing = context;
    const struct query_scope *scope = showing->scope;
    struct watch_query_cell cell[WATCH_QUERY_FIELDS_MAX];
    size_t count = 0;
    for (uint32_t i = 0; i < scope->shown_count; i++) {
        char room[QUERY_TEXT_ROOM];
        struct query_value value = query_slot_value(row, scope->shown[i]);
        if (value.type == QUERY_NONE)
            continue;
        struct text text = query_to_text(&value, room);
        if (text.data == room)
            text = arena_copy(&row->run->arena, text);
        if (!text.data && text.len)
            continue;
        cell[count++] = (struct watch_query_cell){scope->slot[scope->shown[i]].name, text};
    }
    return showing->visit(showing->context, cell, count);
}

int watch_query_rows(struct watch_query_run *run, int (*visit)(void *context, const struct watch_query_cell *cell, size_t count), void *context)
{
    uint32_t last = run->query->stages - 1, scope = run->query->stage[last].scope;
    struct showing showing = {run->query->scope[scope], visit, context};
    return query_rows_each(&run->state[last].rows, &run->row[scope], show_row, &showing);
}

/* ---- @ptr ---- */

void watch_query_ptr_format(uint64_t group, const struct watch_log_place *place, char out[WATCH_QUERY_PTR_TEXT + 1])
{
    snprintf(out, WATCH_QUERY_PTR_TEXT + 1, "%016llx", (unsigned long long)group);
    watch_log_id_format(place, out + 16);
}

int watch_query_ptr_parse(struct text text, uint64_t *group, struct watch_log_place *place)
{
    *group = 0;
    if (text.len != WATCH_QUERY_PTR_TEXT)
        return ERR_SYNTAX;
    for (size_t i = 0; i < 16; i++) {
        const char *digits = "0123456789abcdef", *at = text.data[i] ? strchr(digits, text.data[i]) : NULL;
        if (!at)
            return ERR_SYNTAX;
        *group = *group << 4 | (uint64_t)(at - digits);
    }
    return watch_log_id_parse(text_make(text.data + 16, WATCH_LOG_ID_TEXT), place);
}
