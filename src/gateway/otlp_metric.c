/*
 * The minutes of all metrics that are over, series by series in the order of their names, so that those of one namespace are one scope. A page ends between two series when it is
 * full; the next one goes on behind that series. A point that is put later, for a minute that has been exported, is not exported.
 */
#include "gateway/otlp.h"

#include "base/clock.h"
#include "watch/metric.h"

struct reading {
    struct store_view *view;
    struct gw_otlp_page *page;
    struct json_writer w;
    struct arena arena;
    char space[WATCH_NAMESPACE_MAX];  /* the scope that is open */
    size_t space_len;
    bool begun, in_scope, in_metric;
    /* of the series that is read */
    const struct watch_name *name;
    unsigned unit;
    enum gw_otlp_form form;
};

static void begin(struct reading *r)
{
    r->begun = true;
    json_begin_object(&r->w);
    json_name(&r->w, "resourceMetrics");
    json_begin_array(&r->w);
    json_begin_object(&r->w);
    gw_otlp_resource(&r->w, r->page->config->environment);
    json_name(&r->w, "scopeMetrics");
    json_begin_array(&r->w);
}

static void scope_end(struct reading *r)
{
    if (!r->in_scope)
        return;
    r->in_scope = false;
    json_end_array(&r->w);
    json_end_object(&r->w);
}

static void scope_begin(struct reading *r, struct text space)
{
    if (r->in_scope && text_equal(space, text_make(r->space, r->space_len)))
        return;
    scope_end(r);
    r->in_scope = true;
    r->space_len = space.len < sizeof(r->space) ? space.len : sizeof(r->space);
    memcpy(r->space, space.data, r->space_len);
    json_begin_object(&r->w);
    json_name(&r->w, "scope");
    json_begin_object(&r->w);
    json_name(&r->w, "name");
    json_text(&r->w, space);
    json_end_object(&r->w);
    json_name(&r->w, "metrics");
    json_begin_array(&r->w);
}

static void metric_end(struct reading *r)
{
    if (r->in_metric)
        gw_otlp_metric_end(&r->w, r->form);
    r->in_metric = false;
}

static int visit_period(void *context, int64_t start_s, unsigned unit, const struct watch_summary *summary)
{
    struct reading *r = context;
    enum gw_otlp_form form = gw_otlp_form_of(r->name, summary);
    if (!r->begun)
        begin(r);
    if (r->in_metric && (unit != r->unit || form != r->form))
        metric_end(r);
    if (!r->in_metric) {
        scope_begin(r, r->name->space);
        gw_otlp_metric_begin(&r->w, r->name->name, unit, form);
        r->in_metric = true;
        r->unit = unit;
        r->form = form;
    }
    gw_otlp_point(&r->w, r->name, form, start_s, 60, summary);
    r->page->count++;
    return r->page->body.failed ? ERR_MEMORY : 0;
}

enum { PAGE_FULL = 1 };

static int visit_series(void *context, struct text key, const struct watch_series *series)
{
    struct reading *r = context;
    struct gw_otlp_page *page = r->page;
    struct arena_mark mark = arena_mark(&r->arena);
    if (page->body.len > GW_OTLP_BODY_FULL) {
        page->more = true;
        return PAGE_FULL;
    }
    struct watch_query query = {.name = series->name, .start_s = page->from_ms / SECOND_MS, .end_s = page->to_ms / SECOND_MS, .period_s = 60, .unit = -1, .by_unit = true,
        .now_ms = page->now_ms};
    r->name = &series->name;
    bool quiet = series->seen_ms < page->from_ms - WATCH_SEEN_MS;
    int code = quiet ? 0 : watch_metric_read(r->view, &r->arena, &query, visit_period, r);
    metric_end(r);
    arena_rewind(&r->arena, mark);
    buf_clear(&page->place);
    buf_add_text(&page->place, key);
    return code;
}

int gw_otlp_read_metrics(struct store_view *view, struct gw_otlp_page *page)
{
    struct reading r = {.view = view, .page = page};
    char after[WATCH_SERIES_KEY_MAX];
    struct watch_walk walk = {.visit = visit_series, .context = &r};
    if (page->place.len && page->place.len <= sizeof(after)) {
        memcpy(after, page->place.data, page->place.len);
        walk.after = text_make(after, page->place.len);
    }
    page->more = false;
    json_writer_init(&r.w, &page->body);
    arena_init(&r.arena, 16 << 10, 64 << 20);
    int code = watch_series_walk(view, &walk);
    scope_end(&r);
    if (r.begun) {
        json_end_array(&r.w);
        json_end_object(&r.w);
        json_end_array(&r.w);
        json_end_object(&r.w);
    }
    arena_fini(&r.arena);
    if (code >= 0 && page->body.failed)
        code = ERR_MEMORY;
    return code > 0 ? 0 : code;
}
