/*
 * permessage-deflate over zlib.
 *
 * What a connection costs. A deflater of the usual size is 256 KiB, an inflater 40 KiB: at 100,000 connections they
 * would be the whole machine. So nothing is made before its first use, and a direction without context takeover owns nothing at
 * all: its deflater belongs to the thread (a message is compressed in one call, so one per window size is enough), its inflater is
 * taken from a small per-thread stock while a message is being received, which may take many frames, and goes back at its end.
 *
 * Windows. zlib cannot produce raw deflate with a window of 256 bytes: an offer that insists on server_max_window_bits=8
 * is declined (RFC 7692 7.1.2.1 allows that), the client's next offer may do without. A client that promises client_max_window_bits=8
 * for itself is fine, since a larger window reads what a smaller one wrote; the value is then not echoed, because the zlib of that
 * client could not honour it either, and in truth uses 9.
 *
 * Ends of messages. The sender has cut 00 00 ff ff off; it is fed here after the last byte, and then the inflater must
 * stand between two blocks, or the message was cut short. A block with BFINAL ends zlib's stream, but neither the message nor the
 * window (7.2.3.4): inflateResetKeep goes on with the window in place at no cost. (Copying the window out and in again by
 * inflateGetDictionary would let a peer buy 64 KiB of copying with two bytes.)
 */
#include "net/ws_deflate.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/assert.h"

#define WINDOW_MIN 9
#define WINDOW_MAX 15
#define MEMORY_LEVEL_MAX 8
#define STOCK_MAX 4             /* idle inflaters kept by a thread */
#define INFLATE_ROOM_MIN 256    /* bytes of output asked for at a time */
#define INFLATE_ROOM_MAX 65536
#define INFLATER_BYTES 7200     /* zlib's state without the window */
#define DEFLATER_BYTES 6000
#define FLUSH_TAIL 4            /* 00 00 ff ff */
#define PIECE_MAX (1u << 30)    /* zlib counts in unsigned int */

struct ws_deflate {
    struct ws_deflate_params params;
    uint8_t level;
    uint32_t threshold;    /* bytes */
    z_stream *inflater;    /* NULL before the first use; without takeover: between messages */
    z_stream *deflater;    /* NULL before the first use; without takeover: always */
    bool fed;              /* the message being inflated has had input */
    bool ended;            /* its last block had BFINAL */
};

/* ---- what a thread keeps ---- */

struct stock {
    z_stream *inflater[STOCK_MAX];
    unsigned idle;
    z_stream *deflater[WINDOW_MAX + 1]; /* by window bits */
    uint8_t level[WINDOW_MAX + 1];
};

static _Thread_local struct stock *thread_stock;
static pthread_key_t stock_key;
static pthread_once_t stock_once = PTHREAD_ONCE_INIT;

static void inflater_destroy(z_stream *z)
{
    inflateEnd(z);
    free(z);
}

static void deflater_destroy(z_stream *z)
{
    deflateEnd(z);
    free(z);
}

/* At the thread's end. */
static void stock_destroy(void *pointer)
{
    struct stock *stock = pointer;
    while (stock->idle)
        inflater_destroy(stock->inflater[--stock->idle]);
    for (int bits = 0; bits <= WINDOW_MAX; bits++)
        if (stock->deflater[bits])
            deflater_destroy(stock->deflater[bits]);
    free(stock);
    thread_stock = NULL;
}

static void stock_key_make(void)
{
    ASSERT(pthread_key_create(&stock_key, stock_destroy) == 0);
}

static struct stock *stock_get(void)
{
    if (thread_stock)
        return thread_stock;
    pthread_once(&stock_once, stock_key_make);
    struct stock *stock = calloc(1, sizeof(*stock));
    if (!stock)
        return NULL;
    if (pthread_setspecific(stock_key, stock)) {
        free(stock);
        return NULL;
    }
    thread_stock = stock;
    return stock;
}

static z_stream *inflater_create(int bits)
{
    z_stream *z = calloc(1, sizeof(*z));
    if (z && inflateInit2(z, -bits) != Z_OK) {
        free(z);
        z = NULL;
    }
    return z;
}

static z_stream *deflater_create(int bits, int level)
{
    int memory = bits - 7 < MEMORY_LEVEL_MAX ? bits - 7 : MEMORY_LEVEL_MAX;
    z_stream *z = calloc(1, sizeof(*z));
    if (z && deflateInit2(z, level, Z_DEFLATED, -bits, memory, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(z);
        z = NULL;
    }
    return z;
}

static z_stream *stock_inflater_take(void)
{
    struct stock *stock = stock_get();
    return stock && stock->idle ? stock->inflater[--stock->idle] : inflater_create(WINDOW_MAX);
}

static void stock_inflater_return(z_stream *z)
{
    struct stock *stock = stock_get();
    if (stock && stock->idle < STOCK_MAX && inflateReset(z) == Z_OK)
        stock->inflater[stock->idle++] = z;
    else
        inflater_destroy(z);
}

static z_stream *stock_deflater(int bits, uint8_t level)
{
    struct stock *stock = stock_get();
    if (!stock)
        return NULL;
    z_stream *z = stock->deflater[bits];
    if (z && stock->level[bits] != level) {
        deflater_destroy(z);
        z = stock->deflater[bits] = NULL;
    }
    if (!z) {
        z = stock->deflater[bits] = deflater_create(bits, level);
        stock->level[bits] = level;
        return z;
    }
    deflateReset(z);
    return z;
}

/* ---- one connection ---- */

int ws_deflate_create(struct ws_deflate **out, const struct ws_deflate_config *config, const struct ws_deflate_params *params)
{
    ASSERT(config->level >= 1 && config->level <= 9);
    ASSERT(params->server_max_window_bits >= WINDOW_MIN && params->server_max_window_bits <= WINDOW_MAX);
    ASSERT(params->client_max_window_bits >= WINDOW_MIN && params->client_max_window_bits <= WINDOW_MAX);
    struct ws_deflate *deflate = calloc(1, sizeof(*deflate));
    if (!deflate)
        return ERR_MEMORY;
    deflate->params = *params;
    deflate->level = config->level;
    deflate->threshold = config->threshold;
    *out = deflate;
    return 0;
}

void ws_deflate_destroy(struct ws_deflate *deflate)
{
    if (!deflate)
        return;
    if (deflate->inflater && deflate->params.client_no_context_takeover)
        stock_inflater_return(deflate->inflater);
    else if (deflate->inflater)
        inflater_destroy(deflate->inflater);
    if (deflate->deflater)
        deflater_destroy(deflate->deflater);
    free(deflate);
}

size_t ws_deflate_memory(const struct ws_deflate *deflate)
{
    size_t bytes = sizeof(*deflate);
    if (deflate->inflater) {
        bool borrowed = deflate->params.client_no_context_takeover;
        int bits = borrowed ? WINDOW_MAX : deflate->params.client_max_window_bits;
        bytes += sizeof(z_stream) + INFLATER_BYTES + ((size_t)1 << bits);
    }
    if (deflate->deflater) {
        int bits = deflate->params.server_max_window_bits;
        int memory = bits - 7 < MEMORY_LEVEL_MAX ? bits - 7 : MEMORY_LEVEL_MAX;
        bytes += sizeof(z_stream) + DEFLATER_BYTES + ((size_t)1 << (bits + 2)) + ((size_t)1 << (memory + 9));
    }
    return bytes;
}

bool ws_deflate_wants(const struct ws_deflate *deflate, size_t len)
{
    return len >= deflate->threshold;
}

/* ---- inflating ---- */

/* Output space for the next step: *room is 0 when the limit is reached. 0 or ERR_MEMORY. */
static int inflate_room(struct buf *out, size_t input, size_t *room)
{
    size_t most = out->len < out->limit ? out->limit - out->len : 0;
    if (out->cap == out->len && most) {
        size_t want = input > INFLATE_ROOM_MAX / 4 ? INFLATE_ROOM_MAX : input * 4;
        if (want < INFLATE_ROOM_MIN)
            want = INFLATE_ROOM_MIN;
        if (buf_reserve(out, want < most ? want : most))
            return ERR_MEMORY;
    }
    *room = out->cap - out->len < most ? out->cap - out->len : most;
    return 0;
}

/* Feeds one piece of input, at most PIECE_MAX bytes. */
static int inflate_piece(struct ws_deflate *deflate, const void *data, size_t len, struct buf *out)
{
    z_stream *z = deflate->inflater;
    z->next_in = (Bytef *)(uintptr_t)data;
    z->avail_in = (uInt)len;
    for (;;) {
        if (deflate->ended) {
            if (!z->avail_in)
                return 0;
            inflateResetKeep(z);
            deflate->ended = false;
        }
        size_t room;
        int err = inflate_room(out, z->avail_in, &room);
        if (err)
            return err;
        /* At the limit one spare byte tells "exactly full" from "there is more". */
        Bytef spare;
        uInt offered = room ? (uInt)(room < PIECE_MAX ? room : PIECE_MAX) : 1;
        z->next_out = room ? (Bytef *)out->data + out->len : &spare;
        z->avail_out = offered;
        int rc = inflate(z, Z_SYNC_FLUSH);
        uInt made = offered - z->avail_out;
        if (!room && made)
            return ERR_TOO_LARGE;
        out->len += made;
        if (rc == Z_STREAM_END) {
            deflate->ended = true;
            continue;
        }
        if (rc != Z_OK && rc != Z_BUF_ERROR)
            return rc == Z_MEM_ERROR ? ERR_MEMORY : ERR_SYNTAX;
        if (z->avail_out)
            return 0; /* it wants input */
    }
}

/* zlib's data_type: 128 is set between two blocks. */
static bool between_blocks(const z_stream *z)
{
    return z->data_type & 128;
}

/* The tail, the check, and readiness for the next message. A message without a single byte counts as an empty one. */
static int inflate_finish(struct ws_deflate *deflate, struct buf *out)
{
    static const uint8_t tail[FLUSH_TAIL] = {0x00, 0x00, 0xff, 0xff};
    if (deflate->fed && !deflate->ended) {
        int err = inflate_piece(deflate, tail, sizeof(tail), out);
        if (err)
            return err;
        if (!deflate->ended && !between_blocks(deflate->inflater))
            return ERR_SYNTAX;
    }
    if (deflate->ended)
        inflateResetKeep(deflate->inflater);
    deflate->fed = deflate->ended = false;
    if (deflate->inflater && deflate->params.client_no_context_takeover) {
        stock_inflater_return(deflate->inflater);
        deflate->inflater = NULL;
    }
    return 0;
}

int ws_deflate_inflate(struct ws_deflate *deflate, const void *data, size_t len, bool last, struct buf *out)
{
    if (len && !deflate->inflater) {
        bool takeover = !deflate->params.client_no_context_takeover;
        deflate->inflater = takeover ? inflater_create(deflate->params.client_max_window_bits) : stock_inflater_take();
        if (!deflate->inflater)
            return ERR_MEMORY;
    }
    const char *at = data;
    while (len) {
        size_t piece = len < PIECE_MAX ? len : PIECE_MAX;
        int err = inflate_piece(deflate, at, piece, out);
        if (err)
            return err;
        deflate->fed = true;
        at += piece;
        len -= piece;
    }
    return last ? inflate_finish(deflate, out) : 0;
}

/* ---- deflating ---- */

static z_stream *deflater_for(struct ws_deflate *deflate)
{
    int bits = deflate->params.server_max_window_bits;
    if (deflate->params.server_no_context_takeover)
        return stock_deflater(bits, deflate->level);
    if (!deflate->deflater)
        deflate->deflater = deflater_create(bits, deflate->level);
    return deflate->deflater;
}

int ws_deflate_deflate(struct ws_deflate *connection, const void *data, size_t len, struct buf *out)
{
    if (!len)
        return buf_add_u8(out, 0); /* 7.2.3.6: an empty stored block without its tail */
    if (len > PIECE_MAX)
        return ERR_TOO_LARGE;
    z_stream *z = deflater_for(connection);
    if (!z)
        return ERR_MEMORY;
    /* All in one step: a second Z_SYNC_FLUSH after a full buffer could add a second marker. */
    size_t bound = deflateBound(z, len) + 16;
    int err = buf_reserve(out, bound);
    if (err)
        return err;
    z->next_in = (Bytef *)(uintptr_t)data;
    z->avail_in = (uInt)len;
    z->next_out = (Bytef *)out->data + out->len;
    z->avail_out = (uInt)bound;
    int rc = deflate(z, Z_SYNC_FLUSH);
    size_t made = bound - z->avail_out;
    if (rc != Z_OK || z->avail_in || !z->avail_out || made < FLUSH_TAIL) {
        deflateReset(z); /* a sender may forget its window at any message */
        return ERR_INTERNAL;
    }
    out->len += made - FLUSH_TAIL;
    return 0;
}

/* ---- negotiation ---- */

/* The offers, being read. */
struct reader {
    struct text in;
    size_t at;
};

/* One offer of permessage-deflate; 0 stands for a parameter that is absent, 1 for one without a value. */
struct offer {
    uint8_t server_no_context, client_no_context;
    uint8_t server_bits, client_bits;
};

static void skip_space(struct reader *r)
{
    while (r->at < r->in.len && (r->in.data[r->at] == ' ' || r->in.data[r->at] == '\t'))
        r->at++;
}

static bool skip_char(struct reader *r, char c)
{
    skip_space(r);
    if (r->at >= r->in.len || r->in.data[r->at] != c)
        return false;
    r->at++;
    skip_space(r);
    return true;
}

static bool token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static struct text read_token(struct reader *r)
{
    size_t from = r->at;
    while (r->at < r->in.len && token_char(r->in.data[r->at]))
        r->at++;
    return text_make(r->in.data + from, r->at - from);
}

/* A token, or a quoted string whose content is one (RFC 6455 9.1). Empty when it is neither. */
static struct text read_value(struct reader *r)
{
    if (r->at >= r->in.len || r->in.data[r->at] != '"')
        return read_token(r);
    r->at++; /* the spaces behind it are content, and no token */
    struct text value = read_token(r);
    if (r->at >= r->in.len || r->in.data[r->at] != '"')
        return TEXT_NONE;
    r->at++;
    return value;
}

/* 8..15 without leading zeros, else 0. */
static uint8_t window_bits(struct text value)
{
    uint64_t bits;
    if (!value.len || value.data[0] == '0' || text_to_u64(value, WINDOW_MAX, &bits) || bits < 8)
        return 0;
    return (uint8_t)bits;
}

/* One parameter; false declines the offer: unknown, repeated, or with a wrong value. */
static bool offer_add(struct offer *offer, struct text name, bool has_value, struct text value)
{
    uint8_t *slot;
    uint8_t set = 1;
    if (text_is(name, "server_no_context_takeover")) {
        slot = &offer->server_no_context;
    } else if (text_is(name, "client_no_context_takeover")) {
        slot = &offer->client_no_context;
    } else if (text_is(name, "server_max_window_bits")) {
        slot = &offer->server_bits;
        set = has_value ? window_bits(value) : 0;
        has_value = false;
    } else if (text_is(name, "client_max_window_bits")) {
        slot = &offer->client_bits;
        set = has_value ? window_bits(value) : 1;
        has_value = false;
    } else {
        return false;
    }
    if (*slot || has_value || !set)
        return false;
    *slot = set;
    return true;
}

/* Behind a broken offer: on to the next comma outside of quotes. */
static void skip_offer(struct reader *r)
{
    bool quoted = false;
    for (; r->at < r->in.len; r->at++) {
        char c = r->in.data[r->at];
        if (quoted && c == '\\')
            r->at++;
        else if (c == '"')
            quoted = !quoted;
        else if (c == ',' && !quoted)
            return;
    }
    r->at = r->in.len;
}

/* Reads one offer up to its comma or the end. False: not ours, or malformed. */
static bool read_offer(struct reader *r, struct offer *offer)
{
    memset(offer, 0, sizeof(*offer));
    skip_space(r);
    bool good = text_equal_nocase(read_token(r), TEXT("permessage-deflate"));
    while (good && skip_char(r, ';')) {
        struct text name = read_token(r);
        bool has_value = skip_char(r, '=');
        struct text value = has_value ? read_value(r) : TEXT_NONE;
        good = name.len && (!has_value || value.len) && offer_add(offer, name, has_value, value);
    }
    skip_space(r);
    if (good && r->at < r->in.len && r->in.data[r->at] != ',')
        good = false;
    skip_offer(r);
    return good;
}

static uint8_t smaller(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

/* What we agree to; false when zlib cannot do it. */
static bool offer_accept(const struct ws_deflate_config *config, const struct offer *offer, struct ws_deflate_params *params)
{
    if (offer->server_bits && offer->server_bits < WINDOW_MIN)
        return false;
    params->server_no_context_takeover = config->server_no_context_takeover || offer->server_no_context;
    params->client_no_context_takeover = config->client_no_context_takeover || offer->client_no_context;
    params->server_max_window_bits =
        smaller(config->server_max_window_bits, offer->server_bits ? offer->server_bits : WINDOW_MAX);
    /* A client that does not mention its window cannot be told to shrink it (7.1.2.2). */
    params->client_max_window_bits = WINDOW_MAX;
    if (offer->client_bits)
        params->client_max_window_bits =
            smaller(config->client_max_window_bits, offer->client_bits > 1 ? offer->client_bits : WINDOW_MAX);
    if (params->client_max_window_bits < WINDOW_MIN)
        params->client_max_window_bits = WINDOW_MIN;
    return true;
}

static int answer_format(const struct offer *offer, const struct ws_deflate_params *params, struct buf *answer)
{
    size_t before = answer->len;
    buf_add_text(answer, TEXT("permessage-deflate"));
    if (params->server_no_context_takeover)
        buf_add_text(answer, TEXT("; server_no_context_takeover"));
    if (params->client_no_context_takeover)
        buf_add_text(answer, TEXT("; client_no_context_takeover"));
    if (params->server_max_window_bits < WINDOW_MAX || offer->server_bits)
        buf_add_format(answer, "; server_max_window_bits=%d", params->server_max_window_bits);
    if (params->client_max_window_bits < WINDOW_MAX && offer->client_bits != 8)
        buf_add_format(answer, "; client_max_window_bits=%d", params->client_max_window_bits);
    if (!answer->failed)
        return 0;
    answer->len = before;
    return ERR_TOO_LARGE;
}

int ws_deflate_negotiate(
    const struct ws_deflate_config *config, struct text offers, struct ws_deflate_params *params, struct buf *answer)
{
    struct reader r = {offers, 0};
    if (!config->enabled)
        return 0;
    while (r.at < r.in.len) {
        struct offer offer;
        if (read_offer(&r, &offer) && offer_accept(config, &offer, params))
            return answer_format(&offer, params, answer) ? 0 : 1;
        r.at++; /* the comma */
    }
    return 0;
}
