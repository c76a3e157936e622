/* An export's bytes from anywhere: a manifest's summary, a line of its files, a line of data, a table's description. What is taken keeps its promises: names stay below their folder, an item is a part of its line. */
#include "main/import_format.h"
#include "main/table_schema.h"

#include <stdlib.h>

static void check_name(const char *name)
{
    if (strlen(name) > IMPORT_NAME_MAX || strchr(name, '/') || name[0] == '.')
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text bytes = text_make(data, size), item = TEXT_NONE;
    struct import_summary summary;
    struct import_data_file file;
    struct err err;
    struct arena arena;
    struct buf out;
    const struct json *root;
    if (import_summary_parse(bytes, &summary, &err) == 0)
        check_name(summary.table);
    if (import_data_file_parse(bytes, &file, &err) == 0) {
        check_name(file.name);
        if (!file.name[0])
            abort();
    }
    arena_init(&arena, 4096, 16 << 20);
    buf_init(&out, SCHEMA_MAX);
    if (import_line_parse(&arena, bytes, &item, &err) == 0 && (item.len < 2 || item.len > size || item.data[0] != '{'))
        abort();
    arena_reset(&arena);
    if (json_parse(&arena, bytes, 0, &root, NULL) == 0 && schema_create_body(root, TEXT("table"), &out, &err) == 0 && json_parse(&arena, buf_text(&out), 0, &root, NULL) == ERR_SYNTAX)
        abort();
    buf_fini(&out);
    arena_fini(&arena);
    return 0;
}
