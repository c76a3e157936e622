/*
 * Where the events of subscription filters go (watch/log.h): a stream of records by its Kinesis ARN, a Logs destination that stands for one, or a route of an application,
 * "weir:<api>/<route>". The first two get what AWS sends, gzip'ed JSON; a route gets the JSON itself as the body of a deferred call.
 */
#ifndef WEIR_GATEWAY_LOG_DELIVER_H
#define WEIR_GATEWAY_LOG_DELIVER_H

#include "tick/tick.h"

struct gateway;

#define GW_LOG_ROUTE "weir:" /* what a route's address begins with */

/* State thread: the deferred call of a delivery. A destination that is not there any more drops it (counter logs_deliveries_dropped); else 0, or negative: it is tried again. */
int gw_log_deliver(struct gateway *gateway, struct tick *tick, struct text payload);
/* State thread: the test message that a new subscription, or a new destination, sends to a stream of records; a route gets none. ERR_NOT_FOUND: nothing is there; ERR_INVALID: no
   address of a kind that is known. `direct`: a Logs destination is none. */
int gw_log_test(struct gateway *gateway, struct tick *tick, struct arena *arena, struct text address, bool direct);

#endif
