/* What the files destinations*.c share beside destinations.h. */
#ifndef WEIR_GATEWAY_DESTINATIONS_INSIDE_H
#define WEIR_GATEWAY_DESTINATIONS_INSIDE_H

#include "gateway/destinations.h"
#include "gateway/follow.h"
#include "gateway/internal.h"
#include "gateway/records_inside.h"

#define DESTINATIONS_SUBJECT UINT64_C(0x64657374696e6174)

int destinations_place(struct store_view *view, struct arena *arena, struct feed_position *out); /* ERR_NOT_FOUND: there never was a destination */
int destinations_place_put(struct tick *tick, struct feed_position at);
int destinations_forget(struct tick *tick, uint32_t table_id, struct text stream);

/* A change as DynamoDB says it to Kinesis. Appends. 0, ERR_CORRUPT, ERR_MEMORY. */
int destination_record(const struct gateway_config *config, struct arena *arena, const struct gw_destination *destination, struct feed_position at,
    const struct store_change *change, struct buf *out);

#endif
