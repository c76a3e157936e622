/*
 * Idempotency of TransactWriteItems: a ClientRequestToken is remembered for ten minutes, durably, in the tick of its transaction, so a retry after a crash does nothing
 * twice. Two raw rows each: "k" token -> time and the request's digest; "x" time token, by which forgotten ones are found. Every new token removes
 * a few that are past.
 */
#include "aws/ddb.h"

#include "base/clock.h"
#include "base/cursor.h"
#include "store/key.h"

#define TOKEN_LIFE_MS (10 * MINUTE_MS)
#define SWEEP_MAX 8 /* forgotten tokens removed by a new one */
#define ROW_MAX 64

struct sweep {
    int64_t now_ms;
    struct text row[SWEEP_MAX];
    size_t count;
};

static int visit(void *context, struct text key, struct text value)
{
    struct sweep *sweep = context;
    struct cursor c = cursor_of(key);
    (void)value;
    if (cursor_u8(&c) != 'x' || (int64_t)cursor_be64(&c) > sweep->now_ms || c.failed || sweep->count == SWEEP_MAX)
        return 1;
    sweep->row[sweep->count++] = key;
    return 0;
}

static int sweep_past(struct store_view *view, struct tick *tick, struct arena *arena)
{
    struct sweep sweep = {.now_ms = tick_now_ms(tick)};
    int code = store_raw_scan(view, STORE_SPACE_AWS, TEXT("x"), arena, visit, &sweep);
    for (size_t i = 0; i < sweep.count && code >= 0; i++) {
        char key[ROW_MAX] = "k";
        struct text token = text_make(sweep.row[i].data + 9, sweep.row[i].len - 9);
        code = store_raw_delete(tick_stage(tick), STORE_SPACE_AWS, sweep.row[i]);
        if (code >= 0 && token.len < ROW_MAX - 1) {
            memcpy(key + 1, token.data, token.len);
            code = store_raw_delete(tick_stage(tick), STORE_SPACE_AWS, text_make(key, token.len + 1));
        }
    }
    return code < 0 ? code : 0;
}

static void put_be64(unsigned char *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (unsigned char)(value >> (56 - 8 * i));
}

int ddb_token_note(struct store_view *view, struct tick *tick, struct arena *arena, struct text token, uint64_t request)
{
    char key[ROW_MAX] = "k", past[ROW_MAX] = "x";
    unsigned char value[16];
    struct text found;
    int64_t now = tick_now_ms(tick);
    if (token.len > ROW_MAX - 10)
        return ERR_TOO_LARGE;
    memcpy(key + 1, token.data, token.len);
    struct text row = text_make(key, token.len + 1);
    int code = store_raw_get(view, STORE_SPACE_AWS, row, arena, &found);
    if (code && code != ERR_NOT_FOUND)
        return code;
    if (!code) {
        struct cursor c = cursor_of(found);
        int64_t until = (int64_t)cursor_be64(&c);
        uint64_t had = cursor_be64(&c);
        if (!c.failed && until > now)
            return had == request ? 1 : ERR_DUPLICATE;
    }
    code = sweep_past(view, tick, arena);
    put_be64(value, (uint64_t)(now + TOKEN_LIFE_MS));
    put_be64(value + 8, request);
    memcpy(past + 1, value, 8);
    memcpy(past + 9, token.data, token.len);
    if (!code)
        code = store_raw_put(tick_stage(tick), STORE_SPACE_AWS, row, text_make(value, sizeof(value)));
    return code ? code : store_raw_put(tick_stage(tick), STORE_SPACE_AWS, text_make(past, token.len + 9), TEXT_NONE);
}
