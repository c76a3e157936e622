/*
 * Batches of items to a table, several at once: one thread fills them in, the sender's threads send them and wait for their answers. What the server leaves
 * undone or throttles is sent again; a batch that it refuses is sent item by item, so that the line at fault can be named.
 */
#ifndef WEIR_MAIN_IMPORT_SEND_H
#define WEIR_MAIN_IMPORT_SEND_H

#include "main/import_state.h"
#include "main/wire_client.h"

#define SEND_BATCH_ITEMS 25               /* BatchWriteItem's */
#define SEND_BATCH_BYTES ((size_t)8 << 20) /* of JSON; half of what a request may have */
#define SEND_FLIGHT_MAX 64                /* batches at once */

struct sender;
/* `threads` requests at once, 1..SEND_FLIGHT_MAX. ERR_MEMORY. */
int sender_create(struct sender **out, struct wire_client *client, const char *table, unsigned threads, const struct import_place *from, struct err *err);
/* Adds an item of the file `place->file`; `line` is its number there, `place` the place behind it. Waits when too much is under way. The error of an earlier
   batch, or 0. */
int sender_add(struct sender *sender, struct text item, const char *file, uint64_t line, const struct import_place *place, struct err *err);
/* Sends what is left and waits for all. As sender_add. */
int sender_finish(struct sender *sender, struct err *err);
/* Everything before it is written. Any thread. */
void sender_place(struct sender *sender, struct import_place *place);
/* Called about each LOOK_MS while sender_add or sender_finish waits. */
void sender_on_wait(struct sender *sender, void (*on_wait)(void *context), void *context);
/* Waits for the threads. NULL is allowed. */
void sender_destroy(struct sender *sender);

#endif
