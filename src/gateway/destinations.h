/*
 * Tables whose changes go to streams of records (DynamoDB's Kinesis streaming destinations). One follower of the feed on the services' thread reads the journal once for all
 * of them, makes records, and puts them in calls of the tick that also store how far it has come: so each change is in each stream once, in the order of the commits,
 * whatever happens between. Changes of one item have one partition key, so a reader of its shard sees them in order.
 *
 *   STORE_SPACE_RECORDS   'd' table id(be32) stream name  ->  version since(be64) until(be64) precise(u8) table name(bytes)
 *                         'D'                             ->  sequence(be64) number(be32): everything up to here has been put
 *
 * A destination takes the changes of commits in (since, until]; until 0: it goes on. What it has not been given yet when it is disabled still comes: it is disabled when
 * the follower has passed `until`.
 */
#ifndef WEIR_GATEWAY_DESTINATIONS_H
#define WEIR_GATEWAY_DESTINATIONS_H

#include "gateway/host.h"
#include "gateway/records.h"
#include "tick/feed.h"

#define GW_DESTINATIONS_PER_TABLE 2  /* that go on */
#define GW_DESTINATIONS_MAX 4096     /* rows, those that are disabled included */

struct gw_destination {
    uint32_t table_id;
    struct text table, stream; /* names */
    uint64_t since, until;
    bool precise;              /* times in microseconds */
};
/* Those of a table, by their streams' names (table_id 0: of all tables), until `visit` answers non-zero (returned). Any view. */
int gw_destination_each(struct store_view *view, struct arena *arena, uint32_t table_id, int (*visit)(void *context, const struct gw_destination *destination), void *context);
int gw_destination_get(struct store_view *view, struct arena *arena, uint32_t table_id, struct text stream, struct gw_destination *out); /* ERR_NOT_FOUND, ... */
/* How far everything has been put; 0 when nothing ever was. */
int gw_destinations_at(struct store_view *view, struct arena *arena, uint64_t *sequence);
/* In the tick. Enable: `since` is set, and the table keeps changes from here on; ERR_FULL. Disable: `until` is set. */
int gw_destination_enable(struct tick *tick, struct arena *arena, const struct store_table *table, struct gw_destination *destination, struct err *err);
int gw_destination_disable(struct tick *tick, struct gw_destination *destination);
int gw_destination_put(struct tick *tick, const struct gw_destination *destination);
bool gw_destination_is_any(struct store_view *view, struct arena *arena, uint32_t table_id);

/* ---- for the gateway: the services' thread ---- */
int gw_destinations_create(struct gateway *gateway);
void gw_destinations_begin(struct gw_io *io);
void gw_destinations_durable(struct gateway *gateway); /* committing thread */
void gw_destinations_end(struct gateway *gateway);

#endif
