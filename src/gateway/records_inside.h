/* What the files records*.c share beside records.h. */
#ifndef WEIR_GATEWAY_RECORDS_INSIDE_H
#define WEIR_GATEWAY_RECORDS_INSIDE_H

#include "base/cursor.h"
#include "gateway/records.h"
#include "store/key.h"

#define RECORDS_DONE 1       /* a scan that has seen enough */
#define RECORDS_SHARD_KEY 21 /* bytes */
#define RECORDS_PREFIX_KEY 17

void records_position_add(struct buf *out, struct gw_position position);
struct gw_position records_position_take(struct cursor *c);

/* ---- rows; in the tick ---- */
struct text records_shard_key(char out[RECORDS_SHARD_KEY], struct gw_position id, uint32_t shard);
int records_shard_put(struct tick *tick, const struct gw_stream *stream, const struct gw_shard *shard);
int records_stream_forget(struct tick *tick, const struct gw_stream *stream);

/* The shards that a new stream begins with (records_shard.c). */
int records_shards_begin(struct gw_reshard *reshard, uint32_t count);

/* The table behind a stream as others find it; NULL when its definition has not been applied yet. */
const struct store_table *records_table(const struct store *store, struct text stream);
/* What the rows of a kind ('h', 'c', 'u') of a stream begin with. */
struct text records_prefix(char out[RECORDS_PREFIX_KEY], char kind, struct gw_position id);
/* All rows that begin with this are deleted, in slices, soon. */
int records_purge_later(struct tick *tick, struct text prefix);
/* The next steps of a stream that is being scaled: asked for, and made. */
int records_scale_later(struct tick *tick, const struct gw_stream *stream);
int records_scale_on(struct tick *tick, struct arena *arena, struct gw_stream *stream);
/* The first sweep of a new stream, or the one that clears up behind a deleted one. */
int records_sweep_later(struct tick *tick, const struct gw_stream *stream, int64_t delay_ms);

#endif
