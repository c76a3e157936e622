/* GET /@cost?from=&to=&period=: what the traffic of a period would have cost on AWS (watch/cost.h, docs/cost.md). */
#ifndef WEIR_GATEWAY_COST_H
#define WEIR_GATEWAY_COST_H

#include "gateway/internal.h"

#define GW_COST_PERIOD_MS (30 * DAY_MS) /* when neither a beginning nor a period is given */

/* io thread. False: the request is for something else. */
bool gw_cost(struct gw_io *io, struct net_conn *conn, const struct http_request *request, struct text body);

#endif
