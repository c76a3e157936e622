/*
 * Requests of the wires above the gateway: they borrow a call from the io thread's pool and go the same ways as everything else, through the tick or to
 * a worker, and come back to the io thread on which their client is connected.
 */
#include "gateway/internal.h"

void gw_host_init(struct gateway *gateway)
{
    pthread_mutex_init(&gateway->worked_lock, NULL);
}

static struct weir_call *call_of(struct gw_work *work)
{
    return (struct weir_call *)((char *)work - offsetof(struct weir_call, work));
}

struct gw_work *gw_work_take(struct gw_io *io, struct net_conn *conn)
{
    struct weir_call *call = gw_call_take(io, io->gateway->api_count ? &io->gateway->apis[0] : NULL);
    if (!call) {
        net_http_respond(conn, 500, TEXT(""), TEXT(""), 0);
        return NULL;
    }
    call->kind = GW_CALL_WORK;
    call->conn_id = *net_conn_id(conn);
    call->work.arena = &call->arena;
    call->work.gateway = io->gateway;
    return &call->work;
}

struct gw_work *gw_work_own(struct gw_io *io)
{
    struct weir_call *call = gw_call_take(io, io->gateway->api_count ? &io->gateway->apis[0] : NULL);
    if (!call)
        return NULL;
    call->kind = GW_CALL_WORK;
    call->own = true;
    call->work.arena = &call->arena;
    call->work.gateway = io->gateway;
    return &call->work;
}

/* NULL: its client has left, or it never had one. */
static struct net_conn *conn_of(const struct gw_io *io, const struct weir_call *call)
{
    return call->own ? NULL : net_io_find(io->net, &call->conn_id);
}

void gw_work_submit(struct gw_work *work)
{
    struct weir_call *call = call_of(work);
    gw_submit(call->io, call);
}

void gw_work_done(struct gw_io *io, struct weir_call *call)
{
    int code = call->job ? call->job_code : call->base.code;
    call->job = NULL;
    call->work.done(&call->work, conn_of(io, call), code);
    gw_call_give(call);
}

void gw_work_finish(struct gw_work *work, int code)
{
    struct weir_call *call = call_of(work);
    work->done(work, conn_of(call->io, call), code);
    gw_call_give(call);
}

/* ---- workers ---- */

/* Reader slots: the io threads', the services', then one for each worker thread, given out at its first job. */
static unsigned worker_reader(struct gateway *gateway)
{
    static _Thread_local unsigned slot;
    if (!slot)
        slot = gateway->io_count + 1 + __atomic_fetch_add(&gateway->worker_readers, 1, __ATOMIC_RELAXED);
    ASSERT(slot < STORE_READERS_MAX);
    return slot;
}

static void job_run(struct worker_job *job)
{
    struct weir_call *call = LIST_ENTRY(job, struct weir_call, worker_job);
    struct gateway *gateway = call->gateway;
    struct store *store = gateway->config.store;
    unsigned reader = call->reader ? call->reader : worker_reader(gateway);
    struct gw_effect *effect = gw_effect_create(GW_EFFECT_WORKED, NULL, TEXT_NONE, NULL);
    ASSERT(effect); /* a request that cannot even be refused: memory is gone */
    struct store_view view = {
        .store = store,
        .snapshot = store_snapshot_acquire(store, reader),
        .now_s = clock_wall_ms() / 1000,
    };
    call->job_code = call->job(&call->work, &view);
    store_snapshot_release(store, reader);
    effect->call = call;
    unsigned target = call->io->index;
    pthread_mutex_lock(&gateway->worked_lock);
    bool pushed = ring_push(gateway->io[target].mail[gateway->io_count], effect);
    pthread_mutex_unlock(&gateway->worked_lock);
    ASSERT(pushed); /* jobs in flight are bounded by the pool's queue, far below the ring */
    loop_wake(gateway->io[target].loop);
}

int gw_work_offload_on(struct gw_work *work, struct worker_pool *pool, unsigned reader, int (*job)(struct gw_work *work, struct store_view *view))
{
    struct weir_call *call = call_of(work);
    if (!pool)
        return ERR_FULL;
    call->job = job;
    call->reader = reader;
    call->worker_job.run = job_run;
    int code = worker_submit(pool, &call->worker_job);
    if (code)
        call->job = NULL;
    return code;
}

int gw_work_offload(struct gw_work *work, int (*job)(struct gw_work *work, struct store_view *view))
{
    return gw_work_offload_on(work, call_of(work)->gateway->config.workers, 0, job);
}

void gw_work_drop(struct gw_work *work)
{
    gw_call_give(call_of(work));
}

/* ---- reading here ---- */

void gw_view_begin(struct gw_io *io, struct store_view *view)
{
    struct store *store = io->gateway->config.store;
    *view = (struct store_view){
        .store = store,
        .snapshot = store_snapshot_acquire(store, io->index),
        .now_s = clock_wall_ms() / 1000,
        .cache_only = true,
    };
}

void gw_view_end(struct gw_io *io)
{
    store_snapshot_release(io->gateway->config.store, io->index);
}

struct store *gw_io_store(struct gw_io *io)
{
    return io->gateway->config.store;
}

struct gw_meters *gw_work_meters(const struct gw_work *work)
{
    const struct weir_call *call = (const struct weir_call *)((const char *)work - offsetof(struct weir_call, work));
    return gw_io_meters(call->io);
}

struct tick *gw_work_tick(const struct gw_work *work)
{
    return work->gateway->tick;
}

int gw_work_authorise(struct gw_io *io, const struct http_request *request, struct text body, const char *service, const struct gw_key **key,
    const char **type, struct err *err)
{
    const void *policy = NULL;
    int status = gw_check_signature(io, request, body, service, type, &policy, err);
    *key = policy;
    return status;
}
