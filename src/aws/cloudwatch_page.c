/*
 * A page of GetMetricData. All results in order make one long run of points; a page is a piece of it, and the token says how much came before. The next page computes
 * everything again: nothing is kept for a client that may never come back.
 */
#include "aws/cloudwatch_data.h"

#include "base/codec.h"
#include "base/hash.h"
#include "watch/label.h"
#include <stdio.h>

/* What a token belongs to. */
static uint32_t signature(const struct data *data)
{
    int64_t range[3] = {data->start_s, data->end_s, data->ascending};
    uint32_t crc = hash_crc32c(0, range, sizeof(range));
    for (size_t i = 0; i < data->count; i++)
        crc = hash_crc32c(crc, data->query[i].id.data, data->query[i].id.len);
    return crc;
}

static int parse_token(struct aws_call *call, struct text token, struct data *data)
{
    struct buf bytes = {.data = arena_alloc(call->arena, token.len + 4), .cap = token.len + 4, .limit = token.len + 4};
    if (!bytes.data || token.len > 64 || base64_decode(&bytes, token))
        return ERR_SYNTAX;
    struct cursor c = cursor_of(buf_text(&bytes));
    bool same = cursor_be32(&c) == signature(data);
    data->skip = cursor_be64(&c);
    return !same || c.failed || cursor_left(&c) || data->skip > UINT32_MAX ? ERR_SYNTAX : 0;
}

void data_read_paging(struct cw_check *check, struct data *data)
{
    const struct json *most = shape_get(check->call->in, "MaxDatapoints");
    struct text token = aws_param_text(check->call->in, "NextToken");
    int64_t max = CW_DATA_POINTS_MAX;
    if (most && (json_to_i64(most, &max) || max < 1 || max > CW_DATA_POINTS_MAX))
        cw_note(check, CW_INVALID, "The parameter MaxDatapoints must be between 1 and %d.", CW_DATA_POINTS_MAX);
    data->max = (uint64_t)max;
    if (token.len && !check->fault && parse_token(check->call, token, data))
        cw_note(check, CW_TOKEN, "The value for parameter NextToken is invalid.");
}

/* ---- writing ---- */

struct page {
    struct data *data;
    struct json_writer *w;
    uint64_t at, total; /* points before the result at hand; of all results */
};

static void write_points(struct page *page, const struct math_series *series, uint64_t from, uint64_t to)
{
    struct json_writer *w = page->w;
    for (int values = 0; values < 2; values++) {
        json_name(w, values ? "Values" : "Timestamps");
        json_begin_array(w);
        for (uint64_t i = from; i < to; i++) {
            size_t k = page->data->ascending ? (size_t)i : series->count - 1 - (size_t)i;
            if (values)
                json_double(w, series->value[k]);
            else
                cw_write_time(w, series->time_s[k]);
        }
        json_end_array(w);
    }
}

static void write_messages(struct page *page, const struct watch_data_query *query)
{
    if (!query->partial)
        return;
    json_name(page->w, "Messages");
    json_begin_array(page->w);
    json_begin_object(page->w);
    json_name(page->w, "Code");
    json_str(page->w, "MaxQueryRowsExceeded");
    json_name(page->w, "Value");
    json_str(page->w, "The request would have read more than one request may; what was read is whole up to its last period.");
    json_end_object(page->w);
    json_end_array(page->w);
}

/* Dynamic labels are of the whole series, whichever page it is told on. */
static struct text label_of(struct page *page, const struct watch_data_query *query, const struct math_series *series)
{
    const struct data *data = page->data;
    struct watch_label label = {.text = data->label[query - data->query], .plain = series->label.len ? series->label : query->id, .series = series,
        .region = data->call->config->region, .account = data->call->config->account, .now_ms = data->now_ms, .offset_min = data->offset_min};
    return watch_label_format(data->arena, &label);
}

static void write_result(struct page *page, const struct watch_data_query *query, const struct math_series *series)
{
    uint64_t first = page->data->skip, end = first + page->data->max, at = page->at;
    uint64_t from = first > at ? first - at : 0, to = end > at ? end - at : 0;
    page->at += series->count;
    to = to < series->count ? to : series->count;
    bool is_here = series->count ? from < to : at >= first && (at < end || page->total == at);
    if (!is_here)
        return;
    json_begin_object(page->w);
    json_name(page->w, "Id");
    json_text(page->w, query->id);
    json_name(page->w, "Label");
    json_text(page->w, label_of(page, query, series));
    write_points(page, series, from, to);
    json_name(page->w, "StatusCode");
    json_str(page->w, to < series->count || query->partial ? "PartialData" : "Complete");
    write_messages(page, query);
    json_end_object(page->w);
}

static void each_result(struct page *page, void (*what)(struct page *, const struct watch_data_query *, const struct math_series *))
{
    for (size_t i = 0; i < page->data->count; i++) {
        const struct watch_data_query *query = &page->data->query[i];
        if (!query->returned)
            continue;
        if (query->value.type == MATH_SERIES)
            what(page, query, &query->value.series);
        for (size_t k = 0; query->value.type == MATH_LIST && k < query->value.items; k++)
            if (query->value.item[k].type == MATH_SERIES)
                what(page, query, &query->value.item[k].series);
    }
}

static void count_result(struct page *page, const struct watch_data_query *query, const struct math_series *series)
{
    (void)query;
    page->total += series->count;
}

int data_write_page(struct data *data)
{
    struct json_writer *w = &data->call->w;
    struct page page = {.data = data, .w = w};
    struct buf token;
    each_result(&page, count_result);
    json_begin_object(w);
    json_name(w, "MetricDataResults");
    json_begin_array(w);
    each_result(&page, write_result);
    json_end_array(w);
    if (page.total > data->skip + data->max) {
        char bytes[12];
        struct buf raw = {.data = bytes, .cap = sizeof(bytes), .limit = sizeof(bytes)};
        buf_add_be32(&raw, signature(data));
        buf_add_be64(&raw, data->skip + data->max);
        buf_init(&token, 64);
        base64_encode(&token, buf_text(&raw));
        json_name(w, "NextToken");
        json_text(w, buf_text(&token));
        buf_fini(&token);
    }
    json_name(w, "Messages");
    json_begin_array(w);
    json_end_array(w);
    json_end_object(w);
    return 0;
}
