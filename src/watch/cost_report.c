/*
 * A report as JSON, and back. The server answers with it and the command prints it, as a table or as it is; both lists of lines come from the table of prices, so a reader finds
 * the price beside each amount and can check every sum.
 */
#include "base/clock.h"
#include "watch/cost.h"

#include <string.h>

/* ---- writing ---- */

static void number(struct json_writer *w, const char *name, double value)
{
    json_name(w, name);
    json_double(w, value);
}

static void string(struct json_writer *w, const char *name, const char *value)
{
    json_name(w, name);
    json_str(w, value);
}

static void time_member(struct json_writer *w, const char *name, int64_t wall_ms)
{
    char iso[CLOCK_ISO_SIZE];
    clock_format_iso(wall_ms, iso);
    string(w, name, iso);
}

static void write_line(struct json_writer *w, const struct cost_report *report, const struct cost_usage *usage, enum cost_kind kind)
{
    const struct cost_row *row = &cost_rows[kind];
    json_begin_object(w);
    string(w, "name", row->name);
    string(w, "text", row->text);
    number(w, "usage", usage->of[kind]);
    number(w, "price", report->prices.of[kind]);
    string(w, "per", row->per_words);
    number(w, "cost", cost_line(&report->prices, usage, kind));
    string(w, "source", row->source);
    json_end_object(w);
}

static void write_services(struct json_writer *w, const struct cost_report *report, const struct cost_usage *usage)
{
    json_name(w, "services");
    json_begin_array(w);
    for (int kind = 0; kind < COST_KINDS;) {
        const char *service = cost_rows[kind].service;
        double sum = 0;
        json_begin_object(w);
        string(w, "name", service);
        json_name(w, "lines");
        json_begin_array(w);
        for (; kind < COST_KINDS && strcmp(cost_rows[kind].service, service) == 0; kind++) {
            write_line(w, report, usage, kind);
            sum += cost_line(&report->prices, usage, kind);
        }
        json_end_array(w);
        number(w, "cost", sum);
        json_end_object(w);
    }
    json_end_array(w);
}

static void write_usage(struct json_writer *w, const struct cost_usage *usage)
{
    json_begin_object(w);
    for (int kind = 0; kind < COST_KINDS; kind++)
        number(w, cost_rows[kind].name, usage->of[kind]);
    json_end_object(w);
}

static void write_sums(struct json_writer *w, const struct cost_report *report, const struct cost_usage *usage)
{
    number(w, "cost", cost_sum(&report->prices, usage, true));
    number(w, "withoutConnectionMinutes", cost_sum(&report->prices, usage, false));
}

static void write_applications(struct json_writer *w, const struct cost_report *report)
{
    json_name(w, "applications");
    json_begin_array(w);
    for (size_t i = 0; i < report->applications; i++) {
        const struct cost_application *application = &report->application[i];
        json_begin_object(w);
        json_name(w, "name");
        json_text(w, application->name);
        json_name(w, "usage");
        write_usage(w, &application->usage);
        write_sums(w, report, &application->usage);
        json_end_object(w);
    }
    json_end_array(w);
}

static void write_example(struct json_writer *w, const struct cost_report *report, const struct cost_usage *usage)
{
    const struct cost_example *example = report->example;
    json_name(w, "example");
    json_begin_object(w);
    string(w, "name", example->name);
    string(w, "title", example->title);
    string(w, "says", example->says);
    if (example->omitted_amount) {
        struct cost_usage omitted = {{0}};
        omitted.of[example->omitted] = example->omitted_amount;
        json_name(w, "omits");
        json_begin_object(w);
        string(w, "name", cost_rows[example->omitted].name);
        string(w, "supposing", example->omitted_text);
        number(w, "usage", example->omitted_amount);
        number(w, "cost", cost_line(&report->prices, &omitted, example->omitted));
        number(w, "withIt", cost_sum(&report->prices, usage, true) + cost_line(&report->prices, &omitted, example->omitted));
        json_end_object(w);
    }
    string(w, "unknown", example->unknown);
    json_end_object(w);
}

void cost_report_write(const struct cost_report *report, struct json_writer *w)
{
    struct cost_usage usage = cost_report_usage(report);
    json_begin_object(w);
    if (report->example)
        write_example(w, report, &usage);
    if (report->to_ms) {
        time_member(w, "from", report->from_ms);
        time_member(w, "to", report->to_ms);
    }
    string(w, "currency", "USD");
    json_name(w, "complete");
    json_bool(w, !report->partial);
    write_services(w, report, &usage);
    write_applications(w, report);
    json_name(w, "usage");
    write_usage(w, &usage);
    write_sums(w, report, &usage);
    json_end_object(w);
}

/* ---- reading ---- */

/* A number that is not negative. */
static bool amount(const struct json *value, double *out)
{
    return json_is(value, JSON_NUMBER) && json_to_double(value, out) == 0 && *out >= 0 && *out <= 1e18;
}

static int kind_of(struct text name)
{
    for (int kind = 0; kind < COST_KINDS; kind++)
        if (text_is(name, cost_rows[kind].name))
            return kind;
    return -1;
}

int cost_usage_read(const struct json *root, struct cost_usage *usage, struct err *err)
{
    *usage = (struct cost_usage){{0}};
    if (!json_is(root, JSON_OBJECT))
        return err_set(err, ERR_INVALID, "amounts are a JSON object such as {\"messages\": 500000, \"writes\": 1000000}");
    for (const struct json *member = root->first; member; member = member->next) {
        int kind = kind_of(member->name);
        if (kind < 0)
            return err_set(err, ERR_INVALID, "'%.*s' is not an amount; these are: messages, connectionMinutes, invocations, gbSeconds, writes, reads, storageGbMonths, logGb, logArchiveGb",
                (int)(member->name.len < 80 ? member->name.len : 80), member->name.data);
        if (!amount(member, &usage->of[kind]))
            return err_set(err, ERR_INVALID, "'%s' is a number from 0 on", cost_rows[kind].name);
    }
    return 0;
}

static bool read_prices(const struct json *services, struct cost_prices *prices)
{
    cost_prices_init(prices);
    if (!json_is(services, JSON_ARRAY))
        return false;
    for (const struct json *service = services->first; service; service = service->next) {
        const struct json *lines = json_get_str(service, "lines");
        for (const struct json *line = json_is(lines, JSON_ARRAY) ? lines->first : NULL; line; line = line->next) {
            const struct json *name = json_get_str(line, "name");
            int kind = json_is(name, JSON_STRING) ? kind_of(name->text) : -1;
            if (kind >= 0 && !amount(json_get_str(line, "price"), &prices->of[kind]))
                return false;
        }
    }
    return true;
}

static bool read_time(const struct json *root, const char *name, int64_t *wall_ms)
{
    const struct json *value = json_get_str(root, name);
    *wall_ms = 0;
    return !value || (json_is(value, JSON_STRING) && clock_parse_iso(value->text.data, value->text.len, wall_ms) == 0);
}

int cost_report_read(const struct json *root, struct arena *arena, struct cost_report *report)
{
    const struct json *applications = json_get_str(root, "applications");
    *report = (struct cost_report){0};
    if (!read_prices(json_get_str(root, "services"), &report->prices) || !read_time(root, "from", &report->from_ms) || !read_time(root, "to", &report->to_ms) ||
        !json_is(applications, JSON_ARRAY) || applications->count > COST_APPLICATIONS_MAX)
        return ERR_INVALID;
    report->partial = json_is(json_get_str(root, "complete"), JSON_FALSE);
    report->application = arena_zalloc(arena, (applications->count + 1) * sizeof(*report->application));
    if (!report->application)
        return ERR_MEMORY;
    for (const struct json *at = applications->first; at; at = at->next) {
        struct cost_application *application = &report->application[report->applications++];
        const struct json *name = json_get_str(at, "name");
        if (!json_is(name, JSON_STRING) || cost_usage_read(json_get_str(at, "usage"), &application->usage, NULL))
            return ERR_INVALID;
        application->name = name->text;
    }
    return 0;
}
