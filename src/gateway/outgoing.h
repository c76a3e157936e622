/*
 * Where requests that somebody else than the operator can bring about may go: webhooks of alarms, which whoever may put alarms can name over the wire, and what applications send (weir_fetch).
 * Endpoints, token keys and collectors are named by the configuration alone and are not asked about here. Link-local addresses, where clouds keep their credentials, are refused for all of them
 * when the connection is made (net/fetch.h). Any thread; nothing here changes after it was made.
 */
#ifndef WEIR_GATEWAY_OUTGOING_H
#define WEIR_GATEWAY_OUTGOING_H

#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>

#define GW_OUTGOING_MAX 256 /* prefixes */

struct gw_outgoing {
    struct text *allow;  /* beginnings of addresses, "https://hooks.example/team/" */
    size_t count;
    bool given;          /* there is a list, be it empty */
    bool link_local;     /* those may be reached, too */
};

/* Does the address begin with this, at a border of host or path? An address that would leave its own path ("..") begins with nothing. */
bool gw_outgoing_begins(struct text url, struct text prefix);
bool gw_outgoing_listed(const struct gw_outgoing *outgoing, struct text url);

#endif
