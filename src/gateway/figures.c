/* See figures.h. What was taken lives in the call's own struct until the call is done: the end of the tick looks at it, and a run may be run again. */
#include "gateway/figures.h"

#include "gateway/internal.h"
#include "gateway/otlp.h"

#include <stdlib.h>

struct gw_figures {
    struct watch_tally *state; /* state thread */
    bool touched;              /* atomic: it may hold something */
};

/* One second of one thread. */
struct flush {
    struct gw_io *io;
    struct watch_gathered *own, *state; /* state: taken in the run, by the first io thread's call */
};

struct watch_tally *gw_tally(struct gw_io *io)
{
    return io->tally;
}

struct watch_tally *gw_tally_state(struct gateway *gateway)
{
    __atomic_store_n(&gateway->figures->touched, true, __ATOMIC_RELAXED);
    return gateway->figures->state;
}

static int put(struct gateway *gateway, struct tick *tick, struct arena *arena, struct flush *flush)
{
    bool takes_state = flush->io->index == 0;
    if (takes_state && !flush->state) {
        gw_state_meters_gather(gateway);
        flush->state = watch_tally_take(gateway->figures->state);
    }
    int code = flush->own ? watch_gathered_put(tick, arena, flush->own) : 0;
    return code || !flush->state ? code : watch_gathered_put(tick, arena, flush->state);
}

static int run(struct gw_work *work, struct tick *tick)
{
    return put(work->gateway, tick, work->arena, work->user);
}

static void done(struct gw_work *work, struct net_conn *conn, int code)
{
    struct flush *flush = work->user;
    (void)conn;
    if (code && code != ERR_DISK_FULL && code != ERR_CLOSED)
        log_warn("gateway", "figures of a second are lost: %s", err_text(code));
    watch_gathered_destroy(flush->own);
    watch_gathered_destroy(flush->state);
    flush->io->flushing = false;
    counter_add(COUNTER_gw_figure_calls, 1);
    free(flush);
}

static bool has_credit(struct gw_io *io)
{
    return !io->waiting_first && tick_credit(io->gateway->tick, io->index) > 0;
}

void gw_figures_second(struct gw_io *io)
{
    struct gateway *gateway = io->gateway;
    gw_call_meters_second(io);
    if (io->flushing || !has_credit(io))
        return;
    bool state = io->index == 0 && __atomic_exchange_n(&gateway->figures->touched, false, __ATOMIC_RELAXED);
    struct watch_gathered *own = watch_tally_take(io->tally);
    struct flush *flush = own || state ? calloc(1, sizeof(*flush)) : NULL;
    struct gw_work *work = flush ? gw_work_own(io) : NULL;
    if (!work) {
        watch_gathered_destroy(own); /* without memory a second is lost */
        free(flush);
        return;
    }
    *flush = (struct flush){.io = io, .own = own};
    io->flushing = true;
    work->user = flush;
    work->run = run;
    work->done = done;
    gw_work_submit(work);
}

/* ---- the services' thread has no other work once a second ---- */

static void on_second(struct loop *loop, struct loop_timer *timer)
{
    struct gw_io *io = LIST_ENTRY(timer, struct gw_io, second);
    loop_timer_set(loop, timer, loop_now_ms(loop) + SECOND_MS);
    gw_sampler_second(io);
    gw_figures_second(io);
    gw_lines_second(io);
}

void gw_figures_begin(struct gw_io *io)
{
    gw_otlp_begin(io);
    loop_timer_init(&io->second, on_second);
    loop_timer_set(io->loop, &io->second, clock_mono_ms() + SECOND_MS);
}

/* ---- life ---- */

int gw_figures_create(struct gateway *gateway)
{
    gateway->figures = calloc(1, sizeof(*gateway->figures));
    int code = gateway->figures ? watch_tally_create(&gateway->figures->state) : ERR_MEMORY;
    for (unsigned i = 0; i <= gateway->io_count && !code; i++)
        code = watch_tally_create(&gateway->io[i].tally);
    if (!code)
        code = gw_otlp_create(gateway, NULL);
    if (code || gateway->config.figures_off)
        return code;
    for (unsigned i = 0; i <= gateway->io_count && !code; i++)
        code = (gateway->io[i].call_meters = gw_call_meters_create(gateway, gateway->io[i].tally)) ? 0 : ERR_MEMORY;
    if (!code)
        code = (gateway->state_meters = gw_call_meters_create(gateway, gateway->figures->state)) ? 0 : ERR_MEMORY;
    return code ? code : gw_sampler_create(gateway);
}

void gw_figures_destroy(struct gateway *gateway)
{
    for (unsigned i = 0; gateway->io && i <= gateway->io_count; i++) {
        gw_call_meters_destroy(gateway, gateway->io[i].call_meters);
        gateway->io[i].call_meters = NULL;
        watch_tally_destroy(gateway->io[i].tally);
        gateway->io[i].tally = NULL;
    }
    gw_call_meters_destroy(gateway, gateway->state_meters);
    gateway->state_meters = NULL;
    gw_sampler_destroy(gateway);
    if (gateway->figures)
        watch_tally_destroy(gateway->figures->state);
    free(gateway->figures);
    gateway->figures = NULL;
}

struct last_call {
    struct tick_call base;
    struct gateway *gateway;
    struct flush flush;
};

static int run_last(struct tick *tick, struct tick_call *base)
{
    struct last_call *call = (struct last_call *)base;
    return put(call->gateway, tick, base->arena, &call->flush);
}

void gw_figures_end(struct gateway *gateway)
{
    for (unsigned i = 0; i <= gateway->io_count; i++) {
        struct gw_io *io = &gateway->io[i];
        gw_call_meters_second(io);
        struct last_call call = {.base = {.run = run_last}, .gateway = gateway, .flush = {.io = io, .own = watch_tally_take(io->tally)}};
        bool state = i == 0 && __atomic_exchange_n(&gateway->figures->touched, false, __ATOMIC_RELAXED);
        if ((call.flush.own || state) && tick_writable(gateway->tick) == 0)
            tick_run_now(gateway->tick, &call.base, NULL);
        watch_gathered_destroy(call.flush.own);
        watch_gathered_destroy(call.flush.state);
    }
}
