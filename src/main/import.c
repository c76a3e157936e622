/*
 * `weir import`: the items of an export into a table, over the wire: from AWS's export to S3 as it was copied down, from `weir export`, or from any file with
 * an item in each line.
 *
 * This thread reads: it unpacks, splits lines, looks that each is an item, and fills batches; the sender's threads wait for the server. So a single large file
 * keeps the server as busy as many small ones, and what is held is the batches under way. Items are handed on byte for byte as they stand in the line.
 *
 * Once a second the place behind which everything is written goes to the state file. A run that was cut off, however it was, goes on from there; what is
 * written twice is the same.
 */
#include "main/command.h"
#include "main/import_send.h"
#include "main/import_source.h"
#include "main/import_state.h"
#include "main/progress.h"
#include "main/table_schema.h"
#include "main/wire_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLIGHT_DEFAULT 8
#define LINE_ARENA_MAX (IMPORT_LINE_MAX * 24) /* the tree of the longest line */
#define SAVE_MS 1000

static const struct option_row options[] = {
    {"from", "PATH", "the export: see below"},
    {"table", "NAME", "the table to write to; of an export of several tables: only this one"},
    {"schema", "FILE", "the table's definition, to make it: what DescribeTable answers, or CreateTable takes"},
    {"endpoint", "URL", WIRE_ENDPOINT_HELP},
    {"region", "NAME", "the region in the signature"},
    {"ca-file", "FILE", "the authorities to trust, PEM (default: the system's, or AWS_CA_BUNDLE)"},
    {"in-flight", "N", "requests at once, 1 to 64 (default 8)"},
    {"state", "FILE", "where it is noted how far the import is (default: " IMPORT_STATE_FILE " in the folder)"},
    {NULL, NULL, NULL},
};

struct import {
    struct wire_client *client;
    const struct import_set *set;
    char table[IMPORT_NAME_MAX + 1], table_id[64];
    struct import_state *state;
    struct sender *sender;
    struct progress progress;
    uint64_t before; /* items of earlier runs */
    int64_t saved_ms;
    struct arena arena;
    struct err trouble; /* of a state that could not be saved */
};

static int fail(int exit_code, const char *text)
{
    fprintf(stderr, "weir import: %s\n", text);
    return exit_code;
}

static int exit_of(int code)
{
    switch (code) {
    case ERR_CORRUPT:
    case ERR_SYNTAX:
    case ERR_UNSUPPORTED:
        return EXIT_DATA;
    case ERR_MEMORY:
    case ERR_DISK_FULL:
    case ERR_MISSING:
    case ERR_TOO_LARGE:
    case ERR_NOT_FOUND:
        return EXIT_FAILED;
    default:
        return EXIT_SERVER;
    }
}

/* ---- progress and state ---- */

static void show(const struct import *im, const struct import_place *place)
{
    char a[PROGRESS_TEXT], b[PROGRESS_TEXT], c[PROGRESS_TEXT], d[PROGRESS_TEXT];
    uint64_t now = place->items - im->before, total = im->set->summary.items_known ? im->set->summary.items : 0;
    int64_t ms = progress_elapsed_ms(&im->progress);
    uint64_t rate = ms > 0 ? now * 1000 / (uint64_t)ms : 0;
    struct progress *progress = (struct progress *)&im->progress;
    if (now && total > place->items)
        progress_say(progress, "%s: %s of %s items, %s items/s, about %s left", im->table, progress_count(place->items, a), progress_count(total, b), progress_count(rate, c),
            progress_time((int64_t)((double)(total - place->items) * (double)ms / (double)now), d));
    else
        progress_say(progress, "%s: %s items, %s items/s", im->table, progress_count(place->items, a), progress_count(rate, c));
}

static void look(void *context)
{
    struct import *im = context;
    struct import_place place;
    bool save = progress_elapsed_ms(&im->progress) - im->saved_ms >= SAVE_MS;
    if (!save && !progress_due(&im->progress))
        return;
    sender_place(im->sender, &place);
    if (progress_due(&im->progress))
        show(im, &place);
    if (!save)
        return;
    im->saved_ms = progress_elapsed_ms(&im->progress);
    if (!im->trouble.code)
        import_state_save(im->state, im->set, im->table, im->table_id, &place, &im->trouble);
}

/* ---- reading ---- */

static int read_lines(struct import *im, struct import_lines *lines, struct import_place *place, struct err *err)
{
    const char *name = im->set->file[place->file].name;
    uint64_t number = place->file_items;
    struct text line, item;
    struct err inner;
    int code;
    while (!(code = import_lines_next(lines, &line, &place->offset, err))) {
        number++;
        arena_reset(&im->arena);
        code = import_line_parse(&im->arena, line, &item, &inner);
        if (code)
            return err_set(err, code, "%s, line %llu: %s", name, (unsigned long long)number, inner.text);
        place->items++;
        place->file_items++;
        code = sender_add(im->sender, item, name, number, place, err);
        if (code)
            return code;
        look(im);
        if (im->trouble.code)
            return err_set(err, im->trouble.code, "%s", im->trouble.text);
    }
    return code == ERR_NOT_FOUND ? 0 : code;
}

static int read_file(struct import *im, struct import_place *place, struct err *err)
{
    const struct import_data_file *file = &im->set->file[place->file];
    struct import_lines *lines = NULL;
    int code = import_file_check(im->set, file, err);
    if (!code)
        code = import_lines_open(&lines, im->set, file, err);
    if (!code && place->offset)
        code = import_lines_seek(lines, place->offset, err);
    if (!code)
        code = read_lines(im, lines, place, err);
    import_lines_close(lines);
    if (!code && file->items_known && file->items != place->file_items)
        code = err_set(err, ERR_CORRUPT, "%s holds %llu items, the manifest says %llu", file->name, (unsigned long long)place->file_items, (unsigned long long)file->items);
    return code;
}

static int read_files(struct import *im, struct import_place *place, struct err *err)
{
    while (place->file < im->set->files) {
        int code = read_file(im, place, err);
        if (code)
            return code;
        place->file++;
        place->offset = place->file_items = 0;
    }
    return 0;
}

/* Also after a failure what was written is noted. */
static int transfer(struct import *im, unsigned flight, struct import_place *place, struct err *err)
{
    struct err ignored;
    int code = sender_create(&im->sender, im->client, im->table, flight, place, err);
    if (code)
        return code;
    progress_begin(&im->progress);
    sender_on_wait(im->sender, look, im);
    code = read_files(im, place, err);
    int sent = sender_finish(im->sender, code ? &ignored : err);
    if (!code)
        code = sent;
    sender_place(im->sender, place);
    place->done = code == 0;
    if (im->progress.open || code)
        show(im, place);
    progress_end(&im->progress);
    int saved = import_state_save(im->state, im->set, im->table, im->table_id, place, code ? &ignored : err);
    sender_destroy(im->sender);
    return code ? code : saved;
}

/* ---- one table ---- */

/* From --schema, or from beside the data; *bytes and the arena hold it. NULL: there is none. */
static int read_schema(const struct import_set *set, const char *given, struct buf *bytes, struct arena *arena, const struct json **schema, struct err *err)
{
    const char *path = given ? given : set->schema[0] ? set->schema : NULL;
    *schema = NULL;
    if (!path)
        return 0;
    int code = import_read_small(path, SCHEMA_MAX, bytes, err);
    if (!code && json_parse(arena, buf_text(bytes), 0, schema, NULL))
        code = err_set(err, ERR_SYNTAX, "%s is not JSON", path);
    return code;
}

static int prepare(struct import *im, const char *schema_file, struct err *err)
{
    struct arena arena;
    struct buf bytes;
    const struct json *schema;
    bool made = false;
    buf_init(&bytes, SCHEMA_MAX);
    arena_init(&arena, 4096, SCHEMA_MAX * 24);
    int code = read_schema(im->set, schema_file, &bytes, &arena, &schema, err);
    if (!code)
        code = schema_ensure(im->client, schema, text_of(im->table), &made, im->table_id, err);
    if (!code && made)
        fprintf(stderr, "%s: the table was made\n", im->table);
    arena_fini(&arena);
    buf_fini(&bytes);
    return code;
}

static int import_set(struct import *im, const char *schema_file, unsigned flight)
{
    struct import_place place;
    struct err err = {0};
    char a[PROGRESS_TEXT], b[PROGRESS_TEXT], c[PROGRESS_TEXT];
    arena_init(&im->arena, 64 << 10, LINE_ARENA_MAX);
    int code = prepare(im, schema_file, &err);
    if (!code) {
        import_state_find(im->state, im->set, im->table, im->table_id, &place);
        im->before = place.items;
        if (place.items)
            fprintf(stderr, "%s: %s items are there from an earlier run\n", im->table, progress_count(place.items, a));
    }
    if (!code && !place.done)
        code = transfer(im, flight, &place, &err);
    arena_fini(&im->arena);
    if (code) {
        fprintf(stderr, "weir import: %s: %s\n", im->table, err.text);
        return exit_of(code);
    }
    int64_t ms = im->progress.began_ms ? progress_elapsed_ms(&im->progress) : 0;
    printf("%s: %s items in %s, %s items/s\n", im->table, progress_count(place.items, a), progress_time(ms, b),
        progress_count(ms > 0 ? (place.items - im->before) * 1000 / (uint64_t)ms : place.items - im->before, c));
    fflush(stdout);
    return EXIT_OK;
}

/* ---- which tables ---- */

/* With one table, --table says how it is to be called; with several it picks one. */
static const char *target_of(const struct import_source *source, const struct import_set *set, const char *table)
{
    if (source->sets == 1 && table)
        return table;
    if (table && strcmp(set->summary.table, table) != 0)
        return NULL;
    return set->summary.table;
}

static int import_sets(const struct arguments *arguments, const struct import_source *source, struct wire_client *client, struct import_state *state, unsigned flight)
{
    const char *table = argument(arguments, "table"), *schema = argument(arguments, "schema");
    int exit_code = EXIT_OK, number = 0;
    for (size_t i = 0; i < source->sets; i++) {
        const char *target = target_of(source, &source->set[i], table);
        if (!target)
            continue;
        if (!*target)
            return fail(EXIT_USAGE, "nothing in the data says which table it is: name it with --table");
        struct import *im = calloc(1, sizeof(*im));
        if (!im)
            return fail(EXIT_FAILED, "out of memory");
        im->client = client;
        im->set = &source->set[i];
        im->state = state;
        snprintf(im->table, sizeof(im->table), "%s", target);
        int code = import_set(im, schema, flight);
        free(im);
        exit_code = exit_code ? exit_code : code;
        number++;
    }
    if (!number) {
        fprintf(stderr, "weir import: there is no table %s in the export\n", table);
        return EXIT_FAILED;
    }
    if (!exit_code)
        import_state_remove(state);
    return exit_code;
}

static int with_source(const struct arguments *arguments, const struct import_source *source, unsigned flight)
{
    const char *given = argument(arguments, "state"), *from = argument(arguments, "from");
    char path[FOLDER_PATH_SIZE];
    struct wire_client *client = NULL;
    struct import_state *state = NULL;
    struct err err = {0};
    struct wire_options wire = {
        .endpoint = argument(arguments, "endpoint"), .region = argument(arguments, "region"), .ca_file = argument(arguments, "ca-file"), .in_flight = flight};
    int len = given ? snprintf(path, sizeof(path), "%s", given) : snprintf(path, sizeof(path), "%s%s" IMPORT_STATE_FILE, from, source->is_file ? "" : "/");
    if (len >= (int)sizeof(path))
        return fail(EXIT_USAGE, "the path of the state file is too long");
    int code = wire_client_create(&client, &wire, &err);
    if (code)
        return fail(code == ERR_INVALID ? EXIT_USAGE : EXIT_FAILED, err.text);
    code = import_state_open(&state, path, wire_client_endpoint(client), &err);
    int exit_code = code ? fail(exit_of(code), err.text) : import_sets(arguments, source, client, state, flight);
    import_state_close(state);
    wire_client_destroy(client);
    return exit_code;
}

static int run(const struct arguments *arguments)
{
    const char *from = argument(arguments, "from"), *table = argument(arguments, "table");
    int64_t flight = FLIGHT_DEFAULT;
    struct import_source source;
    struct err err = {0};
    if (!from || !*from)
        return fail(EXIT_USAGE, "--from PATH is needed. See: weir import --help");
    if (table && (!*table || strlen(table) > IMPORT_NAME_MAX))
        return fail(EXIT_USAGE, "--table is a name of up to 255 letters");
    if (!argument_number(arguments, "in-flight", 1, SEND_FLIGHT_MAX, &flight))
        return EXIT_USAGE;
    int code = import_source_open(&source, from, &err);
    if (code)
        return fail(code == ERR_IO ? EXIT_FAILED : exit_of(code), err.text);
    if (source.unfinished)
        fprintf(stderr, "%zu exports without a manifest-summary.json were never finished, and are left out\n", source.unfinished);
    if (source.older)
        fprintf(stderr, "%zu exports are left out: there is a newer one of the same table\n", source.older);
    int exit_code = with_source(arguments, &source, (unsigned)flight);
    import_source_close(&source);
    return exit_code;
}

const struct command command_import = {
    .name = "import",
    .words = "",
    .summary = "brings tables in, from DynamoDB's export to S3 or any file of items",
    .more = "PATH is a folder with AWSDynamoDB in it, as the export to S3 lays it out and `weir export` too; one export's folder; a folder of .json and\n"
            ".json.gz files; or one such file: an item in each line, {\"Item\":{...}} or {...}, in DynamoDB JSON. Checksums and counts of manifests are checked.\n"
            "A table that is missing is made from " SCHEMA_FILE " beside the manifest, or from --schema. An item whose key is there replaces the one that is.\n"
            "An interrupted import goes on when it is run again; it notes about once a second how far it is. The order of lines with equal keys is only\n"
            "kept within a batch.\n\n" WIRE_KEYS_HELP "\n"
            "Exit codes: 0 done; 1 it failed here; 2 usage; 6 the data is damaged or not an export; 10 the server is not reached or refuses.\n",
    .options = options,
    .run = run,
};
