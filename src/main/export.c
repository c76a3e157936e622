/*
 * `weir export`: tables out of a server, in the layout that DynamoDB's own export to S3 has, so that whatever reads one reads the other. It only speaks the
 * wire, so it takes tables out of AWS as well as out of weir.
 *
 * A table is scanned in segments, each by a thread of its own that waits for its pages and writes its own files; nothing is shared but counters. Items are
 * taken from the answer byte for byte: 38 digits stay 38 digits, and nothing is decoded. What is held is a page for each thread.
 *
 * A scan is not a moment: what is written meanwhile may be in the export or not. For a moment there is `weir backup`.
 */
#include "main/command.h"
#include "main/export_file.h"
#include "main/folder.h"
#include "main/progress.h"
#include "main/table_schema.h"
#include "main/wire_client.h"

#include "base/clock.h"
#include "base/hash.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define SEGMENTS_MAX 64
#define SEGMENTS_DEFAULT 8
#define TABLES_MAX 10000 /* of --all */
#define FILES_MAX 1000000
#define LOOK_MS 50

static const struct option_row options[] = {
    {"table", "NAME[,NAME...]", "the tables"},
    {"all", NULL, "or all of them"},
    {"to", "FOLDER", "where the folder AWSDynamoDB is made, or found"},
    {"endpoint", "URL", WIRE_ENDPOINT_HELP},
    {"region", "NAME", "the region in the signature"},
    {"ca-file", "FILE", "the authorities to trust, PEM (default: the system's, or AWS_CA_BUNDLE)"},
    {"segments", "N", "requests at once, 1 to 64 (default 8)"},
    {NULL, NULL, NULL},
};

/* One table on its way out. */
struct export {
    struct wire_client *client;
    struct text table;
    char folder[FOLDER_PATH_SIZE], data[FOLDER_PATH_SIZE], id[40];
    unsigned segments;
    _Atomic uint64_t items;
    atomic_uint running;
    atomic_bool stop;
    pthread_mutex_t lock; /* done, failure */
    struct export_done *done;
    size_t files, files_cap;
    struct err failure;
    int64_t start_ms;
};

struct segment {
    struct export *export;
    unsigned number;
    pthread_t thread;
    struct export_file *file;
};

static int fail(int exit_code, const char *text)
{
    fprintf(stderr, "weir export: %s\n", text);
    return exit_code;
}

static int exit_of(int code)
{
    return code == ERR_DISK_FULL || code == ERR_MEMORY || code == ERR_TOO_LARGE ? EXIT_FAILED : EXIT_SERVER;
}

/* ---- a segment ---- */

static int keep_done(struct export *x, const struct export_done *done, struct err *err)
{
    int code = 0;
    pthread_mutex_lock(&x->lock);
    if (x->files == x->files_cap) {
        size_t cap = x->files_cap ? x->files_cap * 2 : 64;
        struct export_done *more = cap > FILES_MAX ? NULL : realloc(x->done, cap * sizeof(*more));
        if (more) {
            x->done = more;
            x->files_cap = cap;
        } else
            code = err_set(err, ERR_MEMORY, "out of memory");
    }
    if (!code)
        x->done[x->files++] = *done;
    pthread_mutex_unlock(&x->lock);
    return code;
}

static int close_file(struct segment *s, struct err *err)
{
    struct export_done done;
    struct export_file *file = s->file;
    s->file = NULL;
    int code = export_file_close(file, &done, err);
    return code ? code : keep_done(s->export, &done, err);
}

static int write_page(struct segment *s, const struct wire_answer *answer, struct err *err)
{
    const struct json *items = json_get_str(answer->root, "Items");
    uint64_t count = 0;
    if (!json_is(items, JSON_ARRAY))
        return err_set(err, ERR_CORRUPT, "%s answers Scan without Items", wire_client_endpoint(s->export->client));
    for (const struct json *item = items->first; item; item = item->next, count++) {
        int code = 0;
        if (s->file && export_file_is_full(s->file))
            code = close_file(s, err);
        if (!code && !s->file)
            code = export_file_open(&s->file, s->export->data, err);
        if (!code)
            code = export_file_add(s->file, item->raw, err);
        if (code)
            return code;
    }
    atomic_fetch_add(&s->export->items, count);
    return 0;
}

static void scan_body(const struct segment *s, struct text after, struct buf *out)
{
    struct json_writer w;
    buf_clear(out);
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_name(&w, "TableName");
    json_text(&w, s->export->table);
    json_name(&w, "ConsistentRead");
    json_bool(&w, true);
    json_name(&w, "Segment");
    json_u64(&w, s->number);
    json_name(&w, "TotalSegments");
    json_u64(&w, s->export->segments);
    if (after.len) {
        json_name(&w, "ExclusiveStartKey");
        json_raw(&w, after);
    }
    json_end_object(&w);
}

static int scan(struct segment *s, struct err *err)
{
    struct wire_answer answer;
    struct buf body, after;
    int code = 0;
    wire_answer_init(&answer);
    buf_init(&body, 1 << 20);
    buf_init(&after, 1 << 20);
    do {
        scan_body(s, buf_text(&after), &body);
        code = body.failed ? err_set(err, ERR_MEMORY, "out of memory") : wire_call(s->export->client, "Scan", buf_text(&body), &answer, err);
        if (!code)
            code = write_page(s, &answer, err);
        const struct json *last = code ? NULL : json_get_str(answer.root, "LastEvaluatedKey");
        buf_clear(&after);
        if (json_is(last, JSON_OBJECT))
            code = buf_add_text(&after, last->raw);
    } while (!code && after.len && !atomic_load(&s->export->stop));
    if (!code && s->file)
        code = close_file(s, err);
    wire_answer_fini(&answer);
    buf_fini(&body);
    buf_fini(&after);
    return code;
}

static void *segment_run(void *context)
{
    struct segment *s = context;
    struct err err = {0};
    if (scan(s, &err)) {
        pthread_mutex_lock(&s->export->lock);
        if (!s->export->failure.code)
            s->export->failure = err;
        pthread_mutex_unlock(&s->export->lock);
        atomic_store(&s->export->stop, true);
    }
    export_file_abandon(s->file);
    atomic_fetch_sub(&s->export->running, 1);
    return NULL;
}

/* ---- a table ---- */

static void show(const struct export *x, struct progress *progress, uint64_t total)
{
    char a[PROGRESS_TEXT], b[PROGRESS_TEXT], c[PROGRESS_TEXT], d[PROGRESS_TEXT];
    uint64_t items = atomic_load(&x->items);
    int64_t ms = progress_elapsed_ms(progress);
    uint64_t rate = ms > 0 ? items * 1000 / (uint64_t)ms : 0;
    if (items && total > items)
        progress_say(progress, "%.*s: %s of about %s items, %s items/s, about %s left", TEXT_FMT(x->table), progress_count(items, a), progress_count(total, b),
            progress_count(rate, c), progress_time((int64_t)((total - items) * (uint64_t)ms / items), d));
    else
        progress_say(progress, "%.*s: %s items, %s items/s", TEXT_FMT(x->table), progress_count(items, a), progress_count(rate, c));
}

static int scan_all(struct export *x, uint64_t total)
{
    static struct segment segment[SEGMENTS_MAX];
    struct progress progress;
    unsigned made = 0;
    progress_begin(&progress);
    atomic_store(&x->running, x->segments);
    for (; made < x->segments; made++) {
        segment[made] = (struct segment){.export = x, .number = made};
        if (pthread_create(&segment[made].thread, NULL, segment_run, &segment[made])) {
            atomic_store(&x->stop, true);
            atomic_fetch_sub(&x->running, x->segments - made);
            break;
        }
    }
    while (atomic_load(&x->running)) {
        struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
        nanosleep(&pause, NULL);
        if (progress_due(&progress))
            show(x, &progress, total);
    }
    for (unsigned i = 0; i < made; i++)
        pthread_join(segment[i].thread, NULL);
    if (progress.open)
        show(x, &progress, total);
    progress_end(&progress);
    if (made < x->segments && !x->failure.code)
        err_set(&x->failure, ERR_MEMORY, "a thread cannot be made");
    return x->failure.code;
}

static int make_folder(const char *path, struct err *err)
{
    if (mkdir(path, 0750) == 0 || errno == EEXIST)
        return 0;
    return err_set(err, ERR_DISK_FULL, "%s cannot be made: %s", path, strerror(errno));
}

/* FOLDER/AWSDynamoDB/<id>/data, with the mark of a beginning that AWS makes, too. */
static int make_folders(struct export *x, const char *to, struct err *err)
{
    char path[FOLDER_PATH_SIZE];
    snprintf(x->id, sizeof(x->id), "%014lld-%08x", (long long)x->start_ms, (unsigned)random_u64());
    int code = folder_make(to, err);
    if (!code)
        code = folder_path(path, sizeof(path), to, "AWSDynamoDB", err);
    if (!code)
        code = make_folder(path, err);
    if (!code)
        code = folder_path(x->folder, sizeof(x->folder), path, x->id, err);
    if (!code)
        code = make_folder(x->folder, err);
    if (!code)
        code = folder_path(x->data, sizeof(x->data), x->folder, "data", err);
    if (!code)
        code = make_folder(x->data, err);
    if (!code)
        code = folder_path(path, sizeof(path), x->folder, "_started", err);
    return code ? code : file_write(path, "", 0, err);
}

static const char *last_part(const char *path)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    size_t from = len;
    while (from && path[from - 1] != '/')
        from--;
    static char part[256];
    snprintf(part, sizeof(part), "%.*s", (int)(len - from), path + from);
    return part;
}

static int write_out(struct export *x, const struct json *table, const char *to, struct err *err)
{
    const struct json *arn = json_get_str(table, "TableArn"), *id = json_get_str(table, "TableId");
    struct export_manifest manifest = {.folder = x->folder, .id = x->id, .bucket = last_part(to), .start_ms = x->start_ms, .end_ms = clock_wall_ms(),
        .table_arn = json_is(arn, JSON_STRING) ? arn->text : x->table, .table_id = json_is(id, JSON_STRING) ? id->text : TEXT_NONE, .done = x->done, .files = x->files};
    int code = folder_sync(x->data, err);
    return code ? code : export_manifest_write(&manifest, err);
}

static int export_table(struct export *x, const char *to, struct err *err)
{
    struct wire_answer description;
    struct buf schema;
    char path[FOLDER_PATH_SIZE];
    int64_t total = 0;
    wire_answer_init(&description);
    buf_init(&schema, 4 << 20);
    int code = schema_fetch(x->client, x->table, &description, &schema, err);
    const struct json *table = code ? NULL : json_get_str(description.root, "Table");
    json_to_i64(json_get_str(table, "ItemCount"), &total);
    if (!code)
        code = make_folders(x, to, err);
    if (!code)
        code = folder_path(path, sizeof(path), x->folder, SCHEMA_FILE, err);
    if (!code)
        code = file_write(path, schema.data, schema.len, err);
    if (!code && (code = scan_all(x, total > 0 ? (uint64_t)total : 0)))
        *err = x->failure;
    if (!code)
        code = write_out(x, table, to, err);
    wire_answer_fini(&description);
    buf_fini(&schema);
    return code;
}

static int export_one(struct wire_client *client, struct text table, const char *to, unsigned segments)
{
    struct export *x = calloc(1, sizeof(*x));
    struct err err = {0}, ignored;
    char count[PROGRESS_TEXT], time[PROGRESS_TEXT], rate[PROGRESS_TEXT];
    if (!x)
        return fail(EXIT_FAILED, "out of memory");
    *x = (struct export){.client = client, .table = table, .segments = segments, .start_ms = clock_wall_ms()};
    pthread_mutex_init(&x->lock, NULL);
    int code = export_table(x, to, &err);
    if (code) {
        fprintf(stderr, "weir export: %.*s: %s\n", TEXT_FMT(table), err.text);
        if (x->folder[0])
            tree_remove(x->folder, &ignored); /* no manifest names it, so it would be useless as well as harmless */
    } else {
        int64_t ms = clock_wall_ms() - x->start_ms;
        uint64_t items = atomic_load(&x->items);
        printf("%.*s: %s items to %s in %s, %s items/s\n", TEXT_FMT(table), progress_count(items, count), x->folder, progress_time(ms, time),
            progress_count(ms > 0 ? items * 1000 / (uint64_t)ms : items, rate));
        fflush(stdout);
    }
    pthread_mutex_destroy(&x->lock);
    free(x->done);
    free(x);
    return code ? exit_of(code) : EXIT_OK;
}

/* ---- which tables ---- */

/* One name to a line. */
static int list_tables(struct wire_client *client, struct buf *names, struct err *err)
{
    struct wire_answer answer;
    struct buf body;
    int code = 0;
    wire_answer_init(&answer);
    buf_init(&body, 4096);
    buf_add_text(&body, TEXT("{}"));
    for (bool more = true; more && !code;) {
        code = wire_call(client, "ListTables", buf_text(&body), &answer, err);
        const struct json *list = code ? NULL : json_get_str(answer.root, "TableNames"), *last = code ? NULL : json_get_str(answer.root, "LastEvaluatedTableName");
        for (const struct json *name = list ? list->first : NULL; name; name = name->next) {
            buf_add_text(names, name->text);
            buf_add_char(names, ',');
        }
        more = json_is(last, JSON_STRING);
        buf_clear(&body);
        if (more) {
            buf_add_text(&body, TEXT("{\"ExclusiveStartTableName\":"));
            json_escape(&body, last->text);
            buf_add_char(&body, '}');
        }
    }
    if (!code && names->failed)
        code = err_set(err, ERR_TOO_LARGE, "there are more than %d tables", TABLES_MAX);
    wire_answer_fini(&answer);
    buf_fini(&body);
    return code;
}

/* Goes on with the next table after one that failed; the first failure is the exit code. */
static int export_listed(struct wire_client *client, struct text names, const char *to, unsigned segments)
{
    int exit_code = EXIT_OK, number = 0;
    while (names.len) {
        ptrdiff_t comma = text_find(names, ',', 0);
        size_t len = comma < 0 ? names.len : (size_t)comma;
        struct text name = text_trim(text_make(names.data, len));
        names = comma < 0 ? TEXT_NONE : text_make(names.data + len + 1, names.len - len - 1);
        if (!name.len)
            continue;
        int code = export_one(client, name, to, segments);
        exit_code = exit_code ? exit_code : code;
        number++;
    }
    if (!number)
        return fail(EXIT_FAILED, "there is no table to export");
    return exit_code;
}

static int run(const struct arguments *arguments)
{
    const char *table = argument(arguments, "table"), *to = argument(arguments, "to");
    bool all = argument(arguments, "all") != NULL;
    int64_t segments = SEGMENTS_DEFAULT;
    struct wire_client *client;
    struct err err = {0};
    if (!to || !*to || !table == !all)
        return fail(EXIT_USAGE, "--to FOLDER is needed, and either --table NAME or --all. See: weir export --help");
    if (!argument_number(arguments, "segments", 1, SEGMENTS_MAX, &segments))
        return EXIT_USAGE;
    struct wire_options wire = {
        .endpoint = argument(arguments, "endpoint"), .region = argument(arguments, "region"), .ca_file = argument(arguments, "ca-file"), .in_flight = (unsigned)segments};
    int code = wire_client_create(&client, &wire, &err);
    if (code)
        return fail(code == ERR_INVALID ? EXIT_USAGE : EXIT_FAILED, err.text);
    struct buf names;
    buf_init(&names, TABLES_MAX * 257);
    code = all ? list_tables(client, &names, &err) : buf_add_text(&names, text_of(table));
    int exit_code = code ? fail(exit_of(code), err.text) : export_listed(client, buf_text(&names), to, (unsigned)segments);
    buf_fini(&names);
    wire_client_destroy(client);
    return exit_code;
}

const struct command command_export = {
    .name = "export",
    .words = "",
    .summary = "takes tables out, in the format of DynamoDB's export to S3",
    .more = "Each table becomes FOLDER/AWSDynamoDB/<export id>/ with manifest-summary.json, manifest-files.json, data/*.json.gz and, which AWS does not\n"
            "write, " SCHEMA_FILE " with the table's definition for `weir import`. The summary is written last: without it an export is not whole, and a run\n"
            "that was interrupted is begun anew under another id. The table is scanned with consistent reads while it is in use: an item that is written\n"
            "meanwhile is in it as it was before, or after.\n\n" WIRE_KEYS_HELP "\n"
            "Exit codes: 0 done; 1 it failed here (disk, keys); 2 usage; 10 the server is not reached or refuses.\n",
    .options = options,
    .run = run,
};
