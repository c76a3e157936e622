/* A table's definition as it travels with an export: what DescribeTable said, and the request that makes such a table again. One thread. */
#ifndef WEIR_MAIN_TABLE_SCHEMA_H
#define WEIR_MAIN_TABLE_SCHEMA_H

#include "main/wire_client.h"

#define SCHEMA_FILE "table.json"
#define SCHEMA_MAX ((size_t)4 << 20) /* bytes */

/* DescribeTable into *description, and the content of the file into *out: {"Table":...,"TimeToLiveDescription":...}. As wire_call. */
int schema_fetch(struct wire_client *client, struct text table, struct wire_answer *description, struct buf *out, struct err *err);
/* CreateTable's request for a table of that name, from such a file or from a request for CreateTable. ERR_SYNTAX with a sentence. */
int schema_create_body(const struct json *schema, struct text name, struct buf *out, struct err *err);
/* Makes the table unless there is one, and waits until it can be used. *made tells which; id (64 bytes) gets its TableId. `schema` NULL: ERR_MISSING when there
   is none. Else as wire_call. */
int schema_ensure(struct wire_client *client, const struct json *schema, struct text name, bool *made, char id[64], struct err *err);

#endif
