/*
 * `weir backup`: a copy of a whole data folder. When no server has the folder, this process copies it; when one has, the server does, since only it knows what
 * is durable at this moment, and this command asks it to and shows how far it is. The lock on the folder tells which of the two it is.
 */
#include "main/backup_make.h"
#include "main/command.h"
#include "main/folder.h"
#include "main/progress.h"
#include "main/wire_client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 200
#define POLL_TRIES 25 /* of a question for the state that found the server busy or not answering */

static const struct option_row options[] = {
    {"to", "FOLDER", "the folder to be made; it must not exist. On the server's machine"},
    {"data", "DIR", "the data folder (default ./data)"},
    {"endpoint", "URL", "the server to ask; without --data whatever folder it has: " WIRE_ENDPOINT_HELP},
    {"base", "FOLDER", "an earlier backup on the same disk as --to: files that are the same are linked from there"},
    {"copy", NULL, "copy the tables' files even where the file system could link them"},
    {"region", "NAME", "the region in the signature"},
    {"ca-file", "FILE", "the authorities to trust, PEM (default: the system's, or AWS_CA_BUNDLE)"},
    {NULL, NULL, NULL},
};

static int fail(int exit_code, const char *text)
{
    fprintf(stderr, "weir backup: %s\n", text);
    return exit_code;
}

static int exit_of(int code)
{
    return code == ERR_AGAIN ? EXIT_LOCKED : code == ERR_CORRUPT || code == ERR_VERSION ? EXIT_DATA : EXIT_FAILED;
}

static void show(struct progress *progress, const char *step, uint64_t done, uint64_t total)
{
    char a[PROGRESS_TEXT], b[PROGRESS_TEXT];
    if (progress_due(progress))
        progress_say(progress, "backup: %s, %s of about %s", step, progress_bytes(done, a), progress_bytes(total, b));
}

static void print_done(const char *to, uint64_t sequence)
{
    printf("%s is a backup of everything up to sequence %" PRIu64 "; `weir verify` checks it, `weir restore` makes a data folder of it\n", to, sequence);
}

/* ---- here ---- */

struct local {
    struct backup_state state;
    struct progress progress;
};

static void on_step(void *context)
{
    struct local *local = context;
    show(&local->progress, backup_step_text(atomic_load(&local->state.step)), atomic_load(&local->state.watch.done), atomic_load(&local->state.watch.total));
}

static int backup_here(const char *data, const struct backup_wish *wish)
{
    struct local local = {0};
    struct backup_result result;
    struct backup_source source = {.data = data};
    struct err err = {0};
    progress_begin(&local.progress);
    local.state.watch.on_step = on_step;
    local.state.watch.context = &local;
    int code = backup_make(&source, wish, &local.state, &result, &err);
    progress_end(&local.progress);
    if (code)
        return fail(exit_of(code), err.text);
    print_done(wish->to, result.sequence);
    return EXIT_OK;
}

/* ---- by the server ---- */

static uint64_t number_of(const struct json *root, const char *name)
{
    int64_t number = 0;
    return json_to_i64(json_get_str(root, name), &number) == 0 && number > 0 ? (uint64_t)number : 0;
}

static bool state_is(const struct wire_answer *answer, const char *state)
{
    const struct json *found = json_get_str(answer->root, "state");
    return json_is(found, JSON_STRING) && text_is(found->text, state);
}

static int refused(const struct wire_answer *answer)
{
    const struct json *message = json_get_str(answer->root, "message");
    if (json_is(message, JSON_STRING))
        fprintf(stderr, "weir backup: %.*s\n", TEXT_FMT(message->text));
    else
        fprintf(stderr, "weir backup: the server answers %d, and not as a weir does\n", answer->status);
    return EXIT_SERVER;
}

static int ended(const struct wire_answer *answer, const char *to, uint64_t id)
{
    const struct json *error = json_get_str(answer->root, "error");
    if (number_of(answer->root, "id") != id)
        return fail(EXIT_SERVER, "the server was started anew, or makes another backup; look whether the folder is there");
    if (state_is(answer, "done")) {
        print_done(to, number_of(answer->root, "sequence"));
        return EXIT_OK;
    }
    refused(answer);
    return json_is(error, JSON_STRING) && (text_is(error->text, "CORRUPT") || text_is(error->text, "VERSION")) ? EXIT_DATA : EXIT_FAILED;
}

static int follow(struct wire_client *client, const char *to, uint64_t id, struct wire_answer *answer)
{
    struct progress progress;
    struct err err = {0};
    int exit_code = -1;
    progress_begin(&progress);
    for (int silent = 0; exit_code < 0;) {
        struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
        int code = wire_admin(client, "GET", "/@backup", TEXT_NONE, answer, &err);
        bool told = !code && answer->status == 200 && answer->root;
        silent = told ? 0 : silent + 1;
        if (told && state_is(answer, "running") && number_of(answer->root, "id") == id) {
            const struct json *step = json_get_str(answer->root, "step");
            char text[64] = "";
            if (json_is(step, JSON_STRING))
                snprintf(text, sizeof(text), "%.*s", TEXT_FMT(step->text));
            show(&progress, text, number_of(answer->root, "bytesDone"), number_of(answer->root, "bytesTotal"));
        } else if (told) {
            progress_end(&progress);
            exit_code = ended(answer, to, id);
        } else if (silent >= POLL_TRIES) {
            progress_end(&progress);
            fprintf(stderr, "weir backup: the server does not answer any more, so whether the backup was finished is not known: %s\n"
                            "If %s is there, it is whole; if only %s.partial is, it is not.\n", code ? err.text : "an unexpected answer", to, to);
            exit_code = EXIT_SERVER;
        }
        if (exit_code < 0)
            nanosleep(&pause, NULL);
    }
    progress_end(&progress);
    return exit_code;
}

static int ask(struct wire_client *client, const char *data, const struct backup_wish *wish)
{
    struct wire_answer answer;
    struct buf body;
    struct json_writer w;
    struct err err = {0};
    wire_answer_init(&answer);
    buf_init(&body, FOLDER_PATH_SIZE * 16);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_name(&w, "to");
    json_str(&w, wish->to);
    if (wish->base) {
        json_name(&w, "base");
        json_str(&w, wish->base);
    }
    if (data) {
        json_name(&w, "data");
        json_str(&w, data);
    }
    json_name(&w, "copy");
    json_bool(&w, wish->copy);
    json_end_object(&w);
    int code = wire_admin(client, "POST", "/@backup", buf_text(&body), &answer, &err), exit_code;
    if (code && data)
        fprintf(stderr, "weir backup: a server has the folder, and cannot be asked: %s. Where it listens is said with --endpoint\n", err.text);
    else if (code)
        fprintf(stderr, "weir backup: %s\n", err.text);
    if (code)
        exit_code = EXIT_SERVER;
    else
        exit_code = answer.status == 202 ? follow(client, wish->to, number_of(answer.root, "id"), &answer) : refused(&answer);
    buf_fini(&body);
    wire_answer_fini(&answer);
    return exit_code;
}

/* data NULL: whatever folder the server has. */
static int backup_there(const struct arguments *arguments, const char *data, const struct backup_wish *wish)
{
    struct wire_options wire = {.endpoint = argument(arguments, "endpoint"), .region = argument(arguments, "region"), .ca_file = argument(arguments, "ca-file")};
    struct wire_client *client;
    struct err err = {0};
    char *real = data ? realpath(data, NULL) : NULL;
    int code = wire_client_create(&client, &wire, &err);
    if (code) {
        free(real);
        return fail(code == ERR_INVALID ? EXIT_USAGE : EXIT_FAILED, err.text);
    }
    int exit_code = ask(client, real, wish);
    wire_client_destroy(client);
    free(real);
    return exit_code;
}

/* ---- which ---- */

static bool absolute(const char *path, char out[FOLDER_PATH_SIZE])
{
    char here[FOLDER_PATH_SIZE];
    if (path[0] == '/')
        return (size_t)snprintf(out, FOLDER_PATH_SIZE, "%s", path) < FOLDER_PATH_SIZE;
    return getcwd(here, sizeof(here)) && (size_t)snprintf(out, FOLDER_PATH_SIZE, "%s/%s", here, path) < FOLDER_PATH_SIZE;
}

static int backup_folder(const struct arguments *arguments, const char *data, const struct backup_wish *wish)
{
    char journal[FOLDER_PATH_SIZE];
    struct err err = {0};
    if (folder_path(journal, sizeof(journal), data, "journal", &err) || access(journal, F_OK)) {
        fprintf(stderr, "weir backup: %s is not a data folder of weir; name it with --data, or the server with --endpoint\n", data);
        return EXIT_FAILED;
    }
    int lock = folder_lock(data, &err);
    if (lock == ERR_AGAIN)
        return backup_there(arguments, data, wish);
    if (lock < 0)
        return fail(EXIT_FAILED, err.text);
    int exit_code = backup_here(data, wish);
    folder_unlock(lock);
    return exit_code;
}

static int run(const struct arguments *arguments)
{
    const char *given = argument(arguments, "to"), *given_base = argument(arguments, "base"), *data = argument(arguments, "data"), *endpoint = argument(arguments, "endpoint");
    char to[FOLDER_PATH_SIZE], base[FOLDER_PATH_SIZE];
    if (!given || !*given)
        return fail(EXIT_USAGE, "--to FOLDER is needed. See: weir backup --help");
    if (endpoint && !data && (given[0] != '/' || (given_base && given_base[0] != '/')))
        return fail(EXIT_USAGE, "with --endpoint alone, --to and --base are absolute paths on the server's machine");
    if (!absolute(given, to) || (given_base && !absolute(given_base, base)))
        return fail(EXIT_USAGE, "the path is too long");
    struct backup_wish wish = {.to = to, .base = given_base ? base : NULL, .copy = argument(arguments, "copy") != NULL};
    return endpoint && !data ? backup_there(arguments, NULL, &wish) : backup_folder(arguments, data ? data : "./data", &wish);
}

const struct command command_backup = {
    .name = "backup",
    .words = "",
    .summary = "copies a whole data folder, also under a running server",
    .more = "The backup is a data folder: `weir verify FOLDER` checks it, `weir restore --from FOLDER --data DIR` makes a new data folder of it. It holds\n"
            "everything that was acknowledged before the command. It is made as FOLDER.partial and renamed when it is whole; what an interrupted run left is\n"
            "removed by the next one. When a server has the data folder, it is asked to make the backup; it needs no stop, and goes on with it when this\n"
            "command is interrupted. On the same file system the tables' files are linked and take no room; a backup that is to survive the disk belongs on\n"
            "another one. An encrypted folder's backup opens with the same master key.\n\n" WIRE_KEYS_HELP "\n"
            "Exit codes: 0 done; 1 it failed; 2 usage; 5 another process is writing it; 6 the data is damaged; 10 the server is not reached or refuses.\n",
    .options = options,
    .run = run,
};
