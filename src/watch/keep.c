/* See keep.h. */
#include "watch/keep.h"

#include "base/cursor.h"
#include "store/key.h"

enum { WALK_ENDS = 0x5eed };
#define SCAN_ARENA (4u << 20)

static struct text key_of(char out[1 + WATCH_KEEP_NAME_MAX], enum watch_keep kind, struct text name)
{
    size_t len = name.len < WATCH_KEEP_NAME_MAX ? name.len : WATCH_KEEP_NAME_MAX;
    out[0] = (char)kind;
    if (len)
        memcpy(out + 1, name.data, len);
    return text_make(out, 1 + len);
}

int watch_keep_get(struct store_view *view, struct arena *arena, enum watch_keep kind, struct text name, struct text *value)
{
    char key[1 + WATCH_KEEP_NAME_MAX];
    if (!name.len || name.len > WATCH_KEEP_NAME_MAX)
        return ERR_NOT_FOUND;
    return store_raw_get(view, STORE_SPACE_WATCH, key_of(key, kind, name), arena, value);
}

static int count_add(struct tick *tick, struct arena *arena, enum watch_keep kind, int more, uint64_t most)
{
    char key[2] = {'c', (char)kind};
    struct text value;
    uint64_t count = 0;
    int code = store_raw_get(tick_view(tick), STORE_SPACE_WATCH, text_make(key, 2), arena, &value);
    if (!code) {
        struct cursor c = cursor_of(value);
        count = cursor_be64(&c);
    } else if (code != ERR_NOT_FOUND) {
        return code;
    }
    if (more > 0 && count >= most)
        return ERR_FULL;
    count = more > 0 ? count + 1 : count ? count - 1 : 0;
    struct buf row;
    buf_init(&row, 8);
    buf_add_be64(&row, count);
    code = row.failed ? ERR_MEMORY : store_raw_put(tick_stage(tick), STORE_SPACE_WATCH, text_make(key, 2), buf_text(&row));
    buf_fini(&row);
    return code;
}

int watch_keep_put(struct tick *tick, struct arena *arena, enum watch_keep kind, struct text name, struct text value, uint64_t most)
{
    char key[1 + WATCH_KEEP_NAME_MAX];
    struct text old;
    int code = watch_keep_get(tick_view(tick), arena, kind, name, &old);
    if (code == ERR_NOT_FOUND)
        code = count_add(tick, arena, kind, 1, most);
    return code ? code : store_raw_put(tick_stage(tick), STORE_SPACE_WATCH, key_of(key, kind, name), value);
}

int watch_keep_delete(struct tick *tick, struct arena *arena, enum watch_keep kind, struct text name)
{
    char key[1 + WATCH_KEEP_NAME_MAX];
    struct text old;
    int code = watch_keep_get(tick_view(tick), arena, kind, name, &old);
    if (!code)
        code = count_add(tick, arena, kind, -1, 0);
    return code ? code : store_raw_delete(tick_stage(tick), STORE_SPACE_WATCH, key_of(key, kind, name));
}

struct walk {
    char kind;
    struct text after;
    struct arena *arena;
    struct arena_mark mark;
    int (*visit)(void *context, struct text name, struct text value);
    void *context;
};

static int on_row(void *context, struct text key, struct text value)
{
    struct walk *walk = context;
    if (!key.len || key.data[0] != walk->kind)
        return WALK_ENDS;
    struct text name = text_make(key.data + 1, key.len - 1);
    int code = text_equal(name, walk->after) ? 0 : walk->visit(walk->context, name, value);
    arena_rewind(walk->arena, walk->mark);
    return code;
}

int watch_keep_each(struct store_view *view, enum watch_keep kind, struct text after, int (*visit)(void *context, struct text name, struct text value), void *context)
{
    char key[1 + WATCH_KEEP_NAME_MAX];
    struct arena arena;
    arena_init(&arena, 4096, SCAN_ARENA);
    struct walk walk = {.kind = (char)kind, .after = after, .arena = &arena, .mark = arena_mark(&arena), .visit = visit, .context = context};
    int code = store_raw_scan(view, STORE_SPACE_WATCH, key_of(key, kind, after), &arena, on_row, &walk);
    arena_fini(&arena);
    return code == WALK_ENDS ? 0 : code;
}
