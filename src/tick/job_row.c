/*
 * Jobs as rows: "j" and the id holds the job, "q" and the id says that it is not finished. Two rows, so that looking for work does not walk through a year of
 * finished backups.
 */
#include "tick/job_inside.h"

#include "base/cursor.h"
#include "store/key.h"
#include <stdio.h>

#define ROW_VERSION 1
enum { KEY_SIZE = JOB_ID_TEXT + 2 };

bool job_id_is_valid(struct text id)
{
    if (id.len != JOB_ID_TEXT || id.data[14] != '-')
        return false;
    for (size_t i = 0; i < JOB_ID_TEXT; i++) {
        char c = id.data[i];
        bool digit = c >= '0' && c <= '9', hex = i > 14 && c >= 'a' && c <= 'f';
        if (i != 14 && !digit && !hex)
            return false;
    }
    return true;
}

/* ---- bytes ---- */

int job_encode(struct buf *out, const struct job *job)
{
    buf_add_u8(out, ROW_VERSION);
    buf_add(out, job->id, JOB_ID_TEXT);
    buf_add_u8(out, (uint8_t)job->kind);
    buf_add_u8(out, (uint8_t)job->state);
    buf_add_bytes(out, job->name);
    buf_add_bytes(out, job->source);
    buf_add_be32(out, job->source_id);
    buf_add_bytes(out, job->target);
    buf_add_be32(out, job->target_id);
    buf_add_bytes(out, job->from);
    buf_add_bytes(out, job->path);
    const uint64_t numbers[] = {(uint64_t)job->created_ms, (uint64_t)job->ended_ms, (uint64_t)job->time_ms, job->sequence, job->items, job->item_bytes,
        job->file_bytes, job->errors};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        buf_add_be64(out, numbers[i]);
    buf_add_bytes(out, job->decl);
    buf_add_bytes(out, job->about);
    buf_add_bytes(out, job->reason);
    buf_add_u8(out, job->undo_space);
    buf_add_bytes(out, job->undo_key);
    return out->failed ? ERR_TOO_LARGE : 0;
}

static struct text take(struct arena *arena, struct cursor *c)
{
    struct text text = cursor_bytes(c);
    if (c->failed || !text.len)
        return TEXT_NONE;
    text = arena_copy(arena, text);
    c->failed = !text.data;
    return text;
}

int job_decode(struct arena *arena, struct text bytes, struct job *job)
{
    struct cursor c = cursor_of(bytes);
    memset(job, 0, sizeof(*job));
    if (cursor_u8(&c) != ROW_VERSION)
        return ERR_CORRUPT;
    struct text id = cursor_take(&c, JOB_ID_TEXT);
    if (c.failed || !job_id_is_valid(id))
        return ERR_CORRUPT;
    memcpy(job->id, id.data, JOB_ID_TEXT);
    job->kind = (enum job_kind)cursor_u8(&c);
    job->state = (enum job_state)cursor_u8(&c);
    job->name = take(arena, &c);
    job->source = take(arena, &c);
    job->source_id = cursor_be32(&c);
    job->target = take(arena, &c);
    job->target_id = cursor_be32(&c);
    job->from = take(arena, &c);
    job->path = take(arena, &c);
    job->created_ms = (int64_t)cursor_be64(&c);
    job->ended_ms = (int64_t)cursor_be64(&c);
    job->time_ms = (int64_t)cursor_be64(&c);
    job->sequence = cursor_be64(&c);
    job->items = cursor_be64(&c);
    job->item_bytes = cursor_be64(&c);
    job->file_bytes = cursor_be64(&c);
    job->errors = cursor_be64(&c);
    job->decl = take(arena, &c);
    job->about = take(arena, &c);
    job->reason = take(arena, &c);
    job->undo_space = cursor_u8(&c);
    job->undo_key = take(arena, &c);
    bool known = job->kind >= JOB_BACKUP && job->kind <= JOB_LOGS && job->state >= JOB_WAITING && job->state <= JOB_REMOVING;
    return c.failed || cursor_left(&c) || !known ? ERR_CORRUPT : 0;
}

/* ---- staging ---- */

static struct text row_key(char kind, const char *id, char out[KEY_SIZE])
{
    out[0] = kind;
    memcpy(out + 1, id, JOB_ID_TEXT);
    return text_make(out, 1 + JOB_ID_TEXT);
}

int job_put(struct store_stage *stage, const struct job *job)
{
    char key[KEY_SIZE];
    struct buf row;
    buf_init(&row, JOB_ROW_MAX);
    int code = job_encode(&row, job);
    if (!code)
        code = store_raw_put(stage, STORE_SPACE_BACKUPS, row_key('j', job->id, key), buf_text(&row));
    buf_fini(&row);
    return code;
}

int job_queue(struct store_stage *stage, const struct job *job, bool pending)
{
    char key[KEY_SIZE];
    struct text row = row_key('q', job->id, key);
    return pending ? store_raw_put(stage, STORE_SPACE_BACKUPS, row, TEXT("")) : store_raw_delete(stage, STORE_SPACE_BACKUPS, row);
}

int job_forget(struct store_stage *stage, const struct job *job)
{
    char key[KEY_SIZE];
    int code = store_raw_delete(stage, STORE_SPACE_BACKUPS, row_key('j', job->id, key));
    return code ? code : job_queue(stage, job, false);
}

static int count(void *context, const struct job *job)
{
    (void)job;
    ++*(size_t *)context;
    return 0;
}

/* A millisecond has many ticks, a tick many calls; two jobs of one millisecond differ in one of the two. */
void job_name(struct tick *tick, char id[JOB_ID_TEXT + 1])
{
    uint32_t unique = (uint32_t)(tick_sequence(tick) << 10 ^ tick_call_number(tick));
    snprintf(id, JOB_ID_TEXT + 1, "%014lld-%08x", (long long)tick_now_ms(tick), unique);
}

int job_stage(struct jobs *jobs, struct tick *tick, struct job *job)
{
    struct arena arena;
    size_t pending = 0;
    arena_init(&arena, 4096, (size_t)JOBS_PENDING_MAX * 2 * JOB_ROW_MAX);
    int code = job_scan_pending(tick_view(tick), &arena, count, &pending);
    arena_fini(&arena);
    if (code || pending >= JOBS_PENDING_MAX)
        return code ? code : ERR_FULL;
    job->created_ms = tick_now_ms(tick);
    job_name(tick, job->id);
    job->state = JOB_WAITING;
    code = job_put(tick_stage(tick), job);
    if (!code)
        code = job_queue(tick_stage(tick), job, true);
    if (!code)
        jobs_expect(jobs, job->kind == JOB_REWIND || job->kind == JOB_EXPORT);
    return code;
}

int job_remove(struct jobs *jobs, struct tick *tick, struct job *job)
{
    job->state = JOB_REMOVING;
    int code = job_put(tick_stage(tick), job);
    if (!code)
        code = job_queue(tick_stage(tick), job, true);
    if (!code)
        jobs_expect(jobs, false);
    return code;
}

int job_cancel(struct tick *tick, const struct job *job)
{
    return job_forget(tick_stage(tick), job);
}

int job_give_up(struct tick *tick, struct job *job, struct text reason)
{
    job->state = JOB_FAILED;
    job->reason = reason;
    job->ended_ms = tick_now_ms(tick);
    int code = job_put(tick_stage(tick), job);
    return code ? code : job_queue(tick_stage(tick), job, false);
}

/* ---- reading ---- */

int job_get(struct store_view *view, struct arena *arena, struct text id, struct job *job)
{
    char key[KEY_SIZE];
    struct text row;
    if (!job_id_is_valid(id))
        return ERR_NOT_FOUND;
    int code = store_raw_get(view, STORE_SPACE_BACKUPS, row_key('j', id.data, key), arena, &row);
    return code ? code : job_decode(arena, row, job);
}

struct walk {
    struct store_view *view;
    struct arena *arena;
    struct text after;
    int (*visit)(void *context, const struct job *job);
    void *context;
};
enum { WALK_OVER = 1 << 20 };

static int on_job(void *context, struct text key, struct text value)
{
    struct walk *walk = context;
    struct job job;
    if (!key.len || key.data[0] != 'j')
        return WALK_OVER;
    if (walk->after.len && text_compare(text_make(key.data + 1, key.len - 1), walk->after) <= 0)
        return 0;
    int code = job_decode(walk->arena, value, &job);
    return code ? code : walk->visit(walk->context, &job);
}

static int on_pending(void *context, struct text key, struct text value)
{
    struct walk *walk = context;
    struct job job;
    (void)value;
    if (!key.len || key.data[0] != 'q')
        return WALK_OVER;
    int code = job_get(walk->view, walk->arena, text_make(key.data + 1, key.len - 1), &job);
    return code ? code : walk->visit(walk->context, &job);
}

int job_scan(struct store_view *view, struct arena *arena, struct text after, int (*visit)(void *context, const struct job *job), void *context)
{
    struct walk walk = {.arena = arena, .after = after, .visit = visit, .context = context};
    char key[KEY_SIZE] = "j";
    size_t len = after.len < JOB_ID_TEXT ? after.len : JOB_ID_TEXT;
    if (len)
        memcpy(key + 1, after.data, len);
    int code = store_raw_scan(view, STORE_SPACE_BACKUPS, text_make(key, 1 + len), arena, on_job, &walk);
    return code == WALK_OVER ? 0 : code;
}

int job_scan_pending(struct store_view *view, struct arena *arena, int (*visit)(void *context, const struct job *job), void *context)
{
    struct walk walk = {.view = view, .arena = arena, .visit = visit, .context = context};
    int code = store_raw_scan(view, STORE_SPACE_BACKUPS, TEXT("q"), arena, on_pending, &walk);
    return code == WALK_OVER ? 0 : code;
}
