/* An answer in CBOR: it is written as JSON like every other one, and dressed when it is done. */
#include "aws/call.h"

#define TREE_BYTES_MAX ((size_t)128 << 20) /* of the longest answer's tree and its text */

int aws_dress(struct text json, const struct cbor_hints *hints, struct buf *out)
{
    struct arena arena;
    const struct json *tree;
    arena_init(&arena, 4096, TREE_BYTES_MAX);
    int code = json.len ? json_parse(&arena, json, 0, &tree, NULL) : ERR_NOT_FOUND;
    if (!code)
        code = cbor_from_json(out, tree, hints);
    arena_fini(&arena);
    return code == ERR_NOT_FOUND ? 0 : code; /* an empty body stays empty */
}
