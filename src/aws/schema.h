/* Reading table declarations from requests, for CreateTable and UpdateTable. */
#ifndef WEIR_AWS_SCHEMA_H
#define WEIR_AWS_SCHEMA_H

#include "aws/ddb.h"

#define DDB_LOCAL_INDEXES_MAX 5
#define DDB_GLOBAL_INDEXES_MAX 20
#define DDB_NON_KEY_ATTRIBUTES_MAX 100 /* over all indexes of a table */

struct ddb_schema {
    struct store_table_decl decl;
    struct ddb_meta meta;
};
/* The whole of a CreateTable request. 0 or negative with the fault noted. io thread. */
int ddb_schema_read(struct aws_call *call, struct ddb_schema *schema);
/* Appends one index (an element of GlobalSecondaryIndexes, or UpdateTable's Create) with its meta. */
int ddb_schema_add_index(struct aws_call *call, struct ddb_schema *schema, const struct json *index, bool local);
/* Every key attribute is defined, with the type of AttributeDefinitions. `exact`: and nothing else is. Sets the types. */
int ddb_schema_types(struct aws_call *call, struct ddb_schema *schema, const struct json *definitions, bool exact);
int ddb_schema_stream(struct aws_call *call, const struct json *stream, struct ddb_schema *schema, int64_t now_ms);
/* Reads, checks and appends tags. */
int ddb_schema_tags(struct aws_call *call, const struct json *list, struct ddb_meta *meta);
/* A ProvisionedThroughput, of an index when that has a name. */
int ddb_schema_units(struct aws_call *call, const struct json *throughput, struct text index, int64_t *reads, int64_t *writes);
/* SSESpecification; NULL: as it was. */
void ddb_schema_sse(struct aws_call *call, const struct json *spec, struct ddb_meta *meta);
/* The JSON of a parameter, re-encoded. Empty when it is absent. */
struct text ddb_schema_json(struct aws_call *call, const struct json *json);

#endif
