/*
 * Iterators and listing tokens as text: version, kind and members, summed by CRC-32C, in base64. The sum finds what was cut or mistyped. It is no
 * signature, since there is nothing to prove: whoever may send a token may also ask for a new one, and everything in it is checked again when it is used.
 */
#include "gateway/records_inside.h"

#include "base/codec.h"
#include "base/hash.h"

enum { TOKEN_VERSION = 1, FLAG_INCLUSIVE = 1, SUM_BYTES = 4 };

int gw_records_token_format(struct buf *out, const struct gw_records_token *token)
{
    struct buf bytes;
    buf_init(&bytes, GW_RECORDS_TOKEN_MAX / 4 * 3);
    buf_add_u8(&bytes, TOKEN_VERSION);
    buf_add_u8(&bytes, (uint8_t)token->kind);
    buf_add_be64(&bytes, (uint64_t)token->made_ms);
    records_position_add(&bytes, token->id);
    buf_add_be32(&bytes, token->shard);
    records_position_add(&bytes, token->from.position);
    buf_add_u8(&bytes, token->from.inclusive ? FLAG_INCLUSIVE : 0);
    buf_add_u8(&bytes, token->filter);
    buf_add_be64(&bytes, (uint64_t)token->filter_ms);
    buf_add_bytes(&bytes, token->stream);
    buf_add_be32(&bytes, hash_crc32c(0, bytes.data, bytes.len));
    int code = bytes.failed ? ERR_TOO_LARGE : base64_encode(out, buf_text(&bytes));
    buf_fini(&bytes);
    return code;
}

static int decode(struct text bytes, struct gw_records_token *token)
{
    if (bytes.len <= SUM_BYTES)
        return ERR_SYNTAX;
    struct cursor sum = cursor_of(text_make(bytes.data + bytes.len - SUM_BYTES, SUM_BYTES));
    struct cursor c = cursor_of(text_make(bytes.data, bytes.len - SUM_BYTES));
    if (cursor_be32(&sum) != hash_crc32c(0, bytes.data, bytes.len - SUM_BYTES) || cursor_u8(&c) != TOKEN_VERSION)
        return ERR_SYNTAX;
    token->kind = cursor_u8(&c);
    token->made_ms = (int64_t)cursor_be64(&c);
    token->id = records_position_take(&c);
    token->shard = cursor_be32(&c);
    token->from.position = records_position_take(&c);
    token->from.inclusive = cursor_u8(&c) == FLAG_INCLUSIVE;
    token->filter = cursor_u8(&c);
    token->filter_ms = (int64_t)cursor_be64(&c);
    token->stream = cursor_bytes(&c);
    return c.failed || cursor_left(&c) || !gw_stream_name_valid(token->stream) ? ERR_SYNTAX : 0;
}

int gw_records_token_parse(struct arena *arena, struct text text, enum gw_records_token_kind kind, struct gw_records_token *token)
{
    struct buf bytes;
    *token = (struct gw_records_token){0};
    if (text.len > GW_RECORDS_TOKEN_MAX)
        return ERR_SYNTAX;
    buf_init(&bytes, GW_RECORDS_TOKEN_MAX);
    int code = base64_decode(&bytes, text);
    struct text own = code ? TEXT_NONE : arena_copy(arena, buf_text(&bytes));
    if (!code)
        code = own.data ? decode(own, token) : ERR_MEMORY;
    buf_fini(&bytes);
    return !code && token->kind != kind ? ERR_SYNTAX : code;
}
