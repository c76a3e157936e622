/* A transaction of writes, whichever way its actions were written down. */
#ifndef WEIR_AWS_TRANSACT_H
#define WEIR_AWS_TRANSACT_H

#include "aws/keyset.h"
#include "aws/write.h"

#define DDB_TRANSACT_BYTES (4u << 20)    /* of its items */
#define DDB_TRANSACT_IO_BYTES (128u << 10) /* read on the io thread; more moves to a worker */

struct ddb_reason {
    const char *code; /* NULL: none */
    struct text message;
    const struct attr *item;
};
/* call->state of an operation that is performed by ddb_transact_write_perform and answered by ddb_transact_write_answer. */
struct ddb_transaction {
    struct ddb_write *write;
    struct ddb_reason *reason;
    size_t count;
    struct ddb_keyset *seen;
    size_t bytes;
    struct text token;
    uint64_t digest;
    enum ddb_return_capacity capacity;
    bool metrics, replayed;
    bool (*local)[STORE_INDEXES_MAX];
    bool responses; /* answer an empty object for each action */
};
/* Room for an action per element of `items`; makes it call->state. */
int ddb_transaction_create(struct aws_call *call, const struct json *items, struct ddb_transaction **out);
/* t->write[t->count] has been read: counts it, refuses a second one on its item and what is too much. */
int ddb_transaction_add(struct aws_call *call, struct ddb_transaction *t);
/* The transaction is refused for what its items are, before anything is read: t->reason tells which. Answers a negative code. */
int ddb_transaction_cancel(struct aws_call *call, const struct ddb_reason *reason, size_t count);
/* FNV-1a: only ever compared with the same client's own retry. */
uint64_t ddb_digest(uint64_t seed, struct text bytes);
#define DDB_DIGEST_SEED UINT64_C(0xcbf29ce484222325)

#endif
