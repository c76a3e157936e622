/*
 * One backup at a time, on a thread of its own with a low priority for processor and disk: not on the workers, of which there are two for what clients wait for.
 *
 * The io threads look at the state under a lock that nobody holds longer than it takes to copy some fields, and they only try it: a request that finds it taken
 * is told to ask again.
 */
#include "main/backup_server.h"

#include "base/codec.h"
#include "base/json.h"
#include "base/log.h"
#include "loop/worker.h"
#include "main/backup_make.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BODY_MAX (FOLDER_PATH_SIZE * 8)
#define LOWEST_DISK (2 << 13 | 7) /* ioprio_set(2): best effort, the last of its eight levels */

enum { IDLE, RUNNING, DONE, FAILED };

struct backup_server {
    struct backup_source source;
    char *real; /* the data folder's path without links; NULL: it could not be had */
    gw_wire_fn *next;
    void *next_context;
    struct backup_state state;
    pthread_mutex_t lock; /* everything below */
    pthread_t thread;
    bool thread_made; /* to be joined */
    bool closing;
    int is;
    uint64_t id; /* of the newest one */
    char to[FOLDER_PATH_SIZE], base[FOLDER_PATH_SIZE]; /* base empty: none */
    bool copy;
    struct backup_result result;
    struct err err;
};

int backup_server_create(struct backup_server **out, const char *data, gw_wire_fn *next, void *next_context)
{
    struct backup_server *server = calloc(1, sizeof(*server));
    if (!server)
        return ERR_MEMORY;
    server->source.data = data;
    server->real = realpath(data, NULL);
    server->next = next;
    server->next_context = next_context;
    pthread_mutex_init(&server->lock, NULL);
    *out = server;
    return 0;
}

void backup_server_open(struct backup_server *server, struct store *store, struct journal *journal, struct tick *tick)
{
    backup_tidy(server->source.data);
    server->source = (struct backup_source){.data = server->source.data, .store = store, .journal = journal, .tick = tick};
}

/* ---- the thread ---- */

static void *run(void *context)
{
    struct backup_server *server = context;
    struct backup_result result;
    struct err err = {0};
    thread_name("weir-backup");
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 10);
    syscall(SYS_ioprio_set, 1, 0, LOWEST_DISK);
    log_info("main", "backup to %s", server->to);
    struct backup_wish wish = {.to = server->to, .base = server->base[0] ? server->base : NULL, .copy = server->copy};
    int code = backup_make(&server->source, &wish, &server->state, &result, &err);
    if (code)
        log_error("main", "the backup to %s failed: %s", server->to, err.text);
    else
        log_info("main", "the backup to %s is done, up to sequence %llu", server->to, (unsigned long long)result.sequence);
    pthread_mutex_lock(&server->lock);
    server->result = result;
    server->err = err;
    server->is = code ? FAILED : DONE;
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

static void keep_path(char out[FOLDER_PATH_SIZE], const struct json *path)
{
    size_t len = path ? path->text.len : 0;
    if (len)
        memcpy(out, path->text.data, len);
    out[len] = 0;
}

/* Lock held. The request was checked. */
static int start(struct backup_server *server, const struct json *request)
{
    if (server->thread_made) /* it has ended: is != RUNNING */
        pthread_join(server->thread, NULL);
    server->thread_made = false;
    keep_path(server->to, json_get_str(request, "to"));
    keep_path(server->base, json_get_str(request, "base"));
    server->copy = json_is(json_get_str(request, "copy"), JSON_TRUE);
    atomic_store(&server->state.watch.done, 0);
    atomic_store(&server->state.watch.total, 0);
    atomic_store(&server->state.watch.stop, false);
    atomic_store(&server->state.step, BACKUP_WAITING);
    server->result = (struct backup_result){0};
    server->err = (struct err){0};
    if (pthread_create(&server->thread, NULL, run, server))
        return ERR_MEMORY;
    server->thread_made = true;
    server->is = RUNNING;
    server->id++;
    return 0;
}

void backup_server_stop(struct backup_server *server)
{
    if (!server)
        return;
    pthread_mutex_lock(&server->lock);
    server->closing = true;
    atomic_store(&server->state.watch.stop, true);
    bool made = server->thread_made;
    server->thread_made = false;
    pthread_mutex_unlock(&server->lock);
    if (made)
        pthread_join(server->thread, NULL);
}

void backup_server_destroy(struct backup_server *server)
{
    if (!server)
        return;
    pthread_mutex_destroy(&server->lock);
    free(server->real);
    free(server);
}

/* ---- answers ---- */

static void respond(struct net_conn *conn, int status, const struct buf *body)
{
    net_http_respond(conn, body->failed ? 500 : status, TEXT("Content-Type: application/json\r\n"), buf_text(body), 0);
}

static void refuse(struct net_conn *conn, int status, const char *error, const char *message)
{
    struct buf body;
    struct json_writer w;
    buf_init(&body, BODY_MAX * 2);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_name(&w, "message");
    json_str(&w, message);
    json_name(&w, "error");
    json_str(&w, error);
    json_end_object(&w);
    respond(conn, status, &body);
    buf_fini(&body);
}

static void member(struct json_writer *w, const char *name, uint64_t value)
{
    json_name(w, name);
    json_u64(w, value);
}

/* Lock held. */
static void describe(struct backup_server *server, struct net_conn *conn, int status)
{
    static const char *const states[] = {"idle", "running", "done", "failed"};
    struct buf body;
    struct json_writer w;
    buf_init(&body, BODY_MAX * 2);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_name(&w, "state");
    json_str(&w, states[server->is]);
    if (server->is != IDLE) {
        member(&w, "id", server->id);
        json_name(&w, "to");
        json_str(&w, server->to);
        json_name(&w, "step");
        json_str(&w, backup_step_text(atomic_load(&server->state.step)));
        member(&w, "bytesDone", atomic_load(&server->state.watch.done));
        member(&w, "bytesTotal", atomic_load(&server->state.watch.total));
    }
    if (server->is == DONE)
        member(&w, "sequence", server->result.sequence);
    if (server->is == FAILED) {
        json_name(&w, "error");
        json_str(&w, err_name(server->err.code));
        json_name(&w, "message");
        json_str(&w, server->err.text);
    }
    json_end_object(&w);
    respond(conn, status, &body);
    buf_fini(&body);
}

/* ---- requests ---- */

/* Is the folder that the command means the one that this server has? */
static bool same_folder(const struct backup_server *server, struct text given)
{
    return server->real && text_is(given, server->real);
}

static bool is_path(const struct json *value)
{
    return json_is(value, JSON_STRING) && value->text.len && value->text.data[0] == '/' && value->text.len < FOLDER_PATH_SIZE - 64 && !memchr(value->text.data, 0, value->text.len);
}

/* NULL: it is well formed; else what is wrong. */
static const char *check_request(const struct backup_server *server, const struct json *root, int *status)
{
    const struct json *base = json_get_str(root, "base"), *data = json_get_str(root, "data"), *copy = json_get_str(root, "copy");
    *status = 400;
    if (!is_path(json_get_str(root, "to")))
        return "\"to\" is the absolute path, on this machine, of the folder to be made";
    if (base && !is_path(base))
        return "\"base\" is the absolute path, on this machine, of an earlier backup";
    if (copy && !json_is(copy, JSON_TRUE) && !json_is(copy, JSON_FALSE))
        return "\"copy\" is true or false";
    *status = 409;
    if (data && !(json_is(data, JSON_STRING) && same_folder(server, data->text)))
        return "this server has another data folder; name the server that has yours with --endpoint";
    return NULL;
}

static void post(struct backup_server *server, struct net_conn *conn, struct text body)
{
    struct arena arena;
    const struct json *root;
    int status = 400;
    arena_init(&arena, 4096, BODY_MAX * 4);
    const char *wrong = body.len > BODY_MAX || json_parse(&arena, body, JSON_REFUSE_DUPLICATES, &root, NULL) || !json_is(root, JSON_OBJECT)
                            ? "the body is {\"to\":\"/path/of/the/new/folder\"}"
                            : check_request(server, root, &status);
    if (wrong)
        refuse(conn, status, status == 409 ? "CONFLICT" : "INVALID", wrong);
    else if (server->closing)
        refuse(conn, 503, "CLOSED", "the server is stopping");
    else if (server->is == RUNNING)
        refuse(conn, 409, "AGAIN", "a backup is being made already; GET /@backup tells how far it is");
    else if (start(server, root))
        refuse(conn, 503, "MEMORY", "the thread for the backup cannot be made");
    else
        describe(server, conn, 202);
    arena_fini(&arena);
}

static void answer(struct backup_server *server, struct net_conn *conn, const struct http_request *request, struct text body)
{
    if (text_is(request->method, "POST")) {
        post(server, conn, body);
    } else if (text_is(request->method, "GET")) {
        describe(server, conn, 200);
    } else if (text_is(request->method, "DELETE")) {
        atomic_store(&server->state.watch.stop, server->is == RUNNING);
        describe(server, conn, 200);
    } else {
        refuse(conn, 405, "METHOD_NOT_ALLOWED", "/@backup takes POST, GET and DELETE");
    }
}

bool backup_wire(void *context, struct gw_io *io, struct net_conn *conn, const struct http_request *request, struct text body)
{
    struct backup_server *server = context;
    if (!text_is(request->path, "/@backup"))
        return server->next(server->next_context, io, conn, request, body);
    if (!gw_admin_allowed(io, conn, "Backup", request, body))
        return true;
    if (pthread_mutex_trylock(&server->lock)) {
        refuse(conn, 503, "AGAIN", "busy for a moment; ask again");
        return true;
    }
    answer(server, conn, request, body);
    pthread_mutex_unlock(&server->lock);
    return true;
}
