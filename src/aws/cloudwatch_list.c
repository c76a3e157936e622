/* ListMetrics: a walk over the series in their order. The token is the place of the last one that was told. */
#include "aws/cloudwatch.h"

#include "base/codec.h"
#include <stdio.h>

#define FILTERS_MAX 10
#define RECENT_MS (3 * HOUR_MS)
#define LIST_FULL 1

struct listing {
    struct watch_walk walk;
    struct watch_dimension filter[FILTERS_MAX]; /* an empty value: any */
    size_t filters;
    int64_t since_ms;
    bool owners;
    struct json_writer *w;
    size_t count;
    char last[WATCH_SERIES_KEY_MAX];
    size_t last_len;
};

static void read_filters(struct cw_check *check, const struct json *list, struct listing *listing)
{
    char at[64];
    if (list && list->count > FILTERS_MAX) {
        cw_note(check, CW_INVALID, "The collection Dimensions must not have a size greater than %d.", FILTERS_MAX);
        return;
    }
    for (const struct json *json = list ? list->first : NULL; json; json = json->next) {
        struct watch_dimension *filter = &listing->filter[listing->filters++];
        snprintf(at, sizeof(at), "Dimensions.member.%zu.", listing->filters);
        filter->name = cw_text(check, json, at, "Name", WATCH_DIMENSION_NAME_MAX, true);
        filter->value = cw_text(check, json, at, "Value", WATCH_DIMENSION_VALUE_MAX, false);
    }
}

static void read_token(struct cw_check *check, struct text token, struct listing *listing)
{
    struct buf place = {.data = arena_alloc(check->call->arena, token.len + 4), .cap = token.len + 4, .limit = token.len + 4};
    if (!place.data || token.len > 2 * WATCH_SERIES_KEY_MAX || base64_decode(&place, token) || !place.len || place.len > WATCH_SERIES_KEY_MAX || place.data[0] != 'n')
        cw_note(check, CW_INVALID, "The value for parameter NextToken is invalid.");
    else
        listing->walk.after = buf_text(&place);
}

int cw_list_metrics_prepare(struct aws_call *call)
{
    struct listing *listing = arena_zalloc(call->arena, sizeof(*listing));
    struct cw_check check;
    if (!listing)
        return aws_no_memory(call);
    call->state = listing;
    cw_check_init(&check, call);
    listing->walk.space = cw_text(&check, call->in, "", "Namespace", WATCH_NAMESPACE_MAX, false);
    listing->walk.name = cw_text(&check, call->in, "", "MetricName", WATCH_NAME_MAX, false);
    read_filters(&check, shape_get(call->in, "Dimensions"), listing);
    struct text token = aws_param_text(call->in, "NextToken"), recently = aws_param_text(call->in, "RecentlyActive");
    if (token.len)
        read_token(&check, token, listing);
    if (recently.data && !text_is(recently, "PT3H"))
        cw_note(&check, CW_INVALID, "The parameter RecentlyActive must be a value in the set [ PT3H ].");
    listing->since_ms = clock_wall_ms() - WATCH_SEEN_MS - (recently.len ? RECENT_MS : WATCH_ACTIVE_MS);
    struct text owner = aws_param_text(call->in, "OwningAccount");
    if (owner.len && !text_equal(owner, call->config->account))
        listing->since_ms = INT64_MAX; /* there is one account */
    listing->owners = aws_param_true(call->in, "IncludeLinkedAccounts");
    return cw_check_end(&check);
}

static bool matches(const struct listing *listing, const struct watch_series *series)
{
    for (size_t i = 0; i < listing->filters; i++) {
        const struct watch_dimension *filter = &listing->filter[i];
        bool found = false;
        for (size_t k = 0; k < series->name.dimensions && !found; k++)
            found = text_equal(series->name.dimension[k].name, filter->name) && (!filter->value.len || text_equal(series->name.dimension[k].value, filter->value));
        if (!found)
            return false;
    }
    return series->seen_ms >= listing->since_ms;
}

static int on_series(void *context, struct text key, const struct watch_series *series)
{
    struct listing *listing = context;
    if (!matches(listing, series))
        return 0;
    if (listing->count == CW_LIST_MAX)
        return LIST_FULL;
    json_begin_object(listing->w);
    json_name(listing->w, "Namespace");
    json_text(listing->w, series->name.space);
    json_name(listing->w, "MetricName");
    json_text(listing->w, series->name.name);
    cw_write_dimensions(listing->w, &series->name);
    json_end_object(listing->w);
    listing->count++;
    memcpy(listing->last, key.data, key.len);
    listing->last_len = key.len;
    return 0;
}

static void write_token(struct aws_call *call, const struct listing *listing)
{
    struct buf token;
    buf_init(&token, 2 * WATCH_SERIES_KEY_MAX);
    base64_encode(&token, text_make(listing->last, listing->last_len));
    json_name(&call->w, "NextToken");
    json_text(&call->w, buf_text(&token));
    buf_fini(&token);
}

int cw_list_metrics_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct listing listing = *(const struct listing *)call->state;
    struct err err = {0};
    (void)tick;
    listing.w = &call->w;
    listing.walk.visit = on_series;
    listing.walk.context = &listing;
    json_begin_object(&call->w);
    json_name(&call->w, "Metrics");
    json_begin_array(&call->w);
    int code = watch_series_walk(view, &listing.walk);
    json_end_array(&call->w);
    if (code < 0)
        return cw_fail(call, code, &err);
    if (listing.owners) {
        json_name(&call->w, "OwningAccounts");
        json_begin_array(&call->w);
        for (size_t i = 0; i < listing.count; i++)
            json_text(&call->w, call->config->account);
        json_end_array(&call->w);
    }
    if (code == LIST_FULL)
        write_token(call, &listing);
    json_end_object(&call->w);
    return 0;
}
