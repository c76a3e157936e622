/* The applications that are compiled in. */
#ifndef WEIR_MAIN_APPS_H
#define WEIR_MAIN_APPS_H

#include "base/arena.h"
#include "gateway/gateway.h"

/* Those of this program: ends with NULL, borrowed for good. Once, before any thread begins. */
void apps_set(const struct weir_app *const *apps);
/* The application number `at` (from 0) of those linked into this program; NULL at the end. */
const struct weir_app *apps_at(size_t at);
/* By mount name ("landing-hub") or name ("landing_hub"); NULL. */
const struct weir_app *apps_find(struct text name);
/* "landing_hub" -> "landing-hub"; data NULL without memory. */
struct text apps_mount(const struct weir_app *app, struct arena *arena);
/* An application's declaration as an API; `api` is overwritten. ERR_MEMORY, ERR_TOO_LARGE. */
int apps_api(const struct weir_app *app, struct arena *arena, struct gw_api_config *api);
/* The two sets of limits. */
void apps_limits(enum weir_limits limits, struct net_ws_config *ws);
/* What follows from the message size when it was not given: the bounds of the output queue. */
void apps_queue(struct net_ws_config *ws);

#endif
