/*
 * When the export runs, and what happens when the collector does not answer.
 *
 * Each signal is a small machine of its own: idle, reading (a worker), sending (the fetch pool), waiting. One request of a signal is under way at a time. What the collector refuses
 * for good (4xx but for 408 and 429) is dropped and counted; anything else is sent again, the same bytes, after a pause that doubles up to RETRY_MAX_MS. Figures and events are not
 * queued meanwhile: they are read later from where the export stands. When that is further back than GW_OTLP_BEHIND_MS the rest is given up. Spans that find their ring full are.
 */
#include "gateway/otlp.h"

#include "gateway/internal.h"
#include <stdlib.h>

#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS 60000
#define SEND_TIMEOUT_MS 10000
#define ANSWER_MAX 65536
#define SETTLE_MS 3000 /* ticks and figures of the last moments may still be on their way */

enum otlp_state { OTLP_IDLE, OTLP_READING, OTLP_SENDING, OTLP_WAITING };
struct otlp_machine {
    struct gw_otlp *otlp;
    enum gw_otlp_signal signal;
    enum otlp_state state;
    bool on;
    struct text url;         /* allocated */
    struct gw_otlp_page page;
    int64_t upto_ms;         /* wall: exported up to here */
    int64_t retry_ms;
    struct loop_timer timer;
};
struct gw_otlp {
    struct gateway *gateway;
    struct gw_io *io;
    struct otlp_machine machine[GW_OTLP_SIGNALS];
    struct gw_spans **spans; /* by thread: io threads, services, state thread */
    unsigned threads;
};

static void look(struct otlp_machine *m);
static void send_page(struct otlp_machine *m);

static void rest(struct otlp_machine *m, enum otlp_state state, int64_t ms)
{
    m->state = state;
    loop_timer_set(m->otlp->io->loop, &m->timer, clock_mono_ms() + ms);
}

/* The page is dealt with. */
static void next_page(struct otlp_machine *m)
{
    bool more = m->page.more;
    m->page.count = 0;
    m->retry_ms = RETRY_FIRST_MS;
    if (m->page.body.cap > GW_OTLP_BODY_MAX / 4)
        buf_fini(&m->page.body);
    buf_clear(&m->page.body);
    if (!more) {
        m->upto_ms = m->page.to_ms;
        buf_clear(&m->page.place);
    }
    rest(m, OTLP_IDLE, more ? 0 : m->otlp->gateway->config.otlp->interval_ms);
}

static void drop_page(struct otlp_machine *m, const char *why)
{
    counter_add(COUNTER_otlp_dropped, (int64_t)m->page.count);
    log_warn("otlp", "%llu records are not exported: %s", (unsigned long long)m->page.count, why);
    next_page(m);
}

/* ---- sending ---- */

static void on_sent(void *context, const struct fetch_response *response)
{
    struct otlp_machine *m = context;
    struct gateway *gateway = m->otlp->gateway;
    struct gw_answer *answer = calloc(1, sizeof(*answer));
    if (answer) {
        answer->error = response->error;
        answer->status = response->status;
        answer->otlp = m;
    }
    if (!answer || gw_answer_send(gateway, gateway->io_count, NULL, answer, gw_effect_create(GW_EFFECT_ANSWER, NULL, TEXT_NONE, NULL)))
        log_error("otlp", "no memory for a collector's answer: this signal is not exported any more");
}

static void again(struct otlp_machine *m)
{
    counter_add(COUNTER_otlp_failures, 1);
    rest(m, OTLP_WAITING, m->retry_ms);
    m->retry_ms = m->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : m->retry_ms * 2;
}

static void send_page(struct otlp_machine *m)
{
    struct gateway *gateway = m->otlp->gateway;
    const struct gw_otlp_config *config = gateway->config.otlp;
    struct fetch_header headers[GW_OTLP_HEADERS_MAX + 1] = {{TEXT("Content-Type"), TEXT("application/json")}};
    size_t count = 1;
    for (size_t i = 0; i < config->headers; i++)
        headers[count++] = (struct fetch_header){config->header[i].name, config->header[i].value};
    struct fetch_request request = {.method = TEXT("POST"), .url = m->url, .headers = headers, .header_count = count, .body = buf_text(&m->page.body),
        .timeout_ms = SEND_TIMEOUT_MS, .response_max = ANSWER_MAX};
    m->state = OTLP_SENDING;
    int code = fetch_start(gateway->fetch, &request, on_sent, m);
    if (code == ERR_FULL || code == ERR_MEMORY)
        again(m);
    else if (code && code != ERR_CLOSED)
        drop_page(m, err_text(code));
}

void gw_otlp_answered(struct gw_io *io, struct gw_answer *answer)
{
    struct otlp_machine *m = answer->otlp;
    int status = answer->error ? 0 : answer->status;
    int error = answer->error;
    char why[64];
    (void)io;
    free(answer);
    if (error == ERR_CLOSED)
        return;
    if (status / 100 == 2) {
        counter_add(COUNTER_otlp_sent, (int64_t)m->page.count);
        next_page(m);
    } else if (status / 100 == 4 && status != 408 && status != 429) {
        snprintf(why, sizeof(why), "the collector answered %d", status);
        drop_page(m, why);
    } else
        again(m);
}

/* ---- reading ---- */

static int job(struct gw_work *work, struct store_view *view)
{
    struct otlp_machine *m = work->user;
    return m->signal == GW_OTLP_METRICS ? gw_otlp_read_metrics(view, &m->page) : gw_otlp_read_logs(view, &m->page);
}

static void read_done(struct gw_work *work, struct net_conn *conn, int code)
{
    struct otlp_machine *m = work->user;
    (void)conn;
    if (code == ERR_CLOSED && m->otlp->gateway->ended)
        return;
    if (code) {
        log_warn("otlp", "what is to be exported cannot be read: %s", err_text(code));
        buf_clear(&m->page.body);
        again(m);
        m->page.count = 0;
    } else if (m->page.body.len)
        send_page(m);
    else
        next_page(m);
}

static void window(struct otlp_machine *m)
{
    struct gw_otlp_page *page = &m->page;
    int64_t now_ms = clock_wall_ms();
    page->now_ms = now_ms;
    page->from_ms = m->upto_ms;
    page->to_ms = now_ms - SETTLE_MS;
    if (m->signal == GW_OTLP_METRICS)
        page->to_ms -= page->to_ms % MINUTE_MS;
    if (page->to_ms - page->from_ms <= GW_OTLP_BEHIND_MS)
        return;
    counter_add(COUNTER_otlp_gaps, 1);
    page->from_ms = page->to_ms - GW_OTLP_BEHIND_MS;
    page->from_ms -= m->signal == GW_OTLP_METRICS ? page->from_ms % MINUTE_MS : 0;
    log_warn("otlp", "the export was more than an hour behind: what is older is left out");
}

static void look_stored(struct otlp_machine *m)
{
    if (!m->page.place.len)
        window(m);
    if (m->page.to_ms <= m->page.from_ms) {
        rest(m, OTLP_IDLE, m->otlp->gateway->config.otlp->interval_ms);
        return;
    }
    struct gw_work *work = gw_work_own(m->otlp->io);
    if (!work) {
        again(m);
        return;
    }
    work->user = m;
    work->done = read_done;
    m->state = OTLP_READING;
    m->page.config = &m->otlp->gateway->config;
    if (gw_work_offload(work, job))
        gw_work_finish(work, ERR_FULL);
}

static void look_spans(struct otlp_machine *m)
{
    struct gw_otlp *otlp = m->otlp;
    struct json_writer w;
    size_t count = 0;
    bool any = false;
    for (unsigned i = 0; i < otlp->threads; i++)
        any = any || !gw_spans_empty(otlp->spans[i]);
    m->page.more = false;
    if (!any) {
        next_page(m);
        return;
    }
    json_writer_init(&w, &m->page.body);
    json_begin_object(&w);
    json_name(&w, "resourceSpans");
    json_begin_array(&w);
    json_begin_object(&w);
    gw_otlp_resource(&w, otlp->gateway->config.environment);
    json_name(&w, "scopeSpans");
    json_begin_array(&w);
    json_begin_object(&w);
    json_name(&w, "scope");
    json_begin_object(&w);
    json_name(&w, "name");
    json_str(&w, "weir.calls");
    json_end_object(&w);
    json_name(&w, "spans");
    json_begin_array(&w);
    for (unsigned i = 0; i < otlp->threads; i++) {
        count += gw_spans_take(otlp->spans[i], &w);
        m->page.more = m->page.more || !gw_spans_empty(otlp->spans[i]);
    }
    json_end_array(&w);
    json_end_object(&w);
    json_end_array(&w);
    json_end_object(&w);
    json_end_array(&w);
    json_end_object(&w);
    m->page.count = count;
    if (m->page.body.failed)
        drop_page(m, "out of memory");
    else
        send_page(m);
}

static void look(struct otlp_machine *m)
{
    if (m->signal == GW_OTLP_TRACES)
        look_spans(m);
    else
        look_stored(m);
}

static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    struct otlp_machine *m = LIST_ENTRY(timer, struct otlp_machine, timer);
    (void)loop;
    if (m->state == OTLP_WAITING && m->page.body.len)
        send_page(m);
    else if (m->state == OTLP_IDLE || m->state == OTLP_WAITING)
        look(m);
}

/* ---- life ---- */

static int url_make(struct otlp_machine *m, struct text endpoint)
{
    static const char *const paths[] = {"/v1/metrics", "/v1/logs", "/v1/traces"};
    struct buf url;
    while (endpoint.len && endpoint.data[endpoint.len - 1] == '/')
        endpoint.len--;
    buf_init(&url, FETCH_URL_MAX);
    buf_add_text(&url, endpoint);
    buf_add_text(&url, text_of(paths[m->signal]));
    if (url.failed)
        return ERR_MEMORY;
    m->url = buf_text(&url); /* the buffer's memory is the URL's */
    return 0;
}

static int spans_make(struct gw_otlp *otlp)
{
    struct gateway *gateway = otlp->gateway;
    otlp->threads = gateway->io_count + 2;
    otlp->spans = calloc(otlp->threads, sizeof(*otlp->spans));
    for (unsigned i = 0; otlp->spans && i < otlp->threads; i++)
        if (!(otlp->spans[i] = gw_spans_create()))
            return ERR_MEMORY;
    if (!otlp->spans)
        return ERR_MEMORY;
    for (unsigned i = 0; i <= gateway->io_count; i++)
        gateway->io[i].spans = otlp->spans[i];
    gateway->state_spans = otlp->spans[gateway->io_count + 1];
    return 0;
}

int gw_otlp_create(struct gateway *gateway, struct err *err)
{
    const struct gw_otlp_config *config = gateway->config.otlp;
    if (!config || !config->endpoint.len)
        return 0;
    struct gw_otlp *otlp = gateway->otlp = calloc(1, sizeof(*otlp));
    if (!otlp)
        return err_set(err, ERR_MEMORY, "no memory for the export");
    const bool on[] = {!config->metrics_off, !config->logs_off, !config->traces_off};
    otlp->gateway = gateway;
    otlp->io = &gateway->io[gateway->io_count];
    int code = on[GW_OTLP_TRACES] ? spans_make(otlp) : 0;
    for (int i = 0; i < GW_OTLP_SIGNALS && !code; i++) {
        struct otlp_machine *m = &otlp->machine[i];
        *m = (struct otlp_machine){.otlp = otlp, .signal = (enum gw_otlp_signal)i, .on = on[i], .retry_ms = RETRY_FIRST_MS};
        buf_init(&m->page.body, GW_OTLP_BODY_MAX);
        buf_init(&m->page.place, 4096);
        loop_timer_init(&m->timer, on_timer);
        code = url_make(m, config->endpoint);
    }
    return code ? err_set(err, code, "no memory for the export") : 0;
}

/* What was before the start was exported by the run before, or by nobody. */
void gw_otlp_begin(struct gw_io *io)
{
    struct gw_otlp *otlp = io->gateway->otlp;
    int64_t now_ms = clock_wall_ms();
    for (int i = 0; otlp && i < GW_OTLP_SIGNALS; i++) {
        struct otlp_machine *m = &otlp->machine[i];
        m->upto_ms = i == GW_OTLP_METRICS ? now_ms - now_ms % MINUTE_MS : now_ms;
        if (m->on)
            rest(m, OTLP_IDLE, io->gateway->config.otlp->interval_ms);
    }
}

/* After the loop has gone, and with it what workers and the fetch pool brought last. */
void gw_otlp_destroy(struct gateway *gateway)
{
    struct gw_otlp *otlp = gateway->otlp;
    if (!otlp)
        return;
    for (int i = 0; i < GW_OTLP_SIGNALS; i++) {
        struct otlp_machine *m = &otlp->machine[i];
        buf_fini(&m->page.body);
        buf_fini(&m->page.place);
        free((char *)m->url.data);
    }
    for (unsigned i = 0; otlp->spans && i < otlp->threads; i++)
        gw_spans_destroy(otlp->spans[i]);
    free(otlp->spans);
    free(otlp);
    gateway->otlp = NULL;
}
