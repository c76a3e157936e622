/*
 * `weir cost`: what traffic would have cost on AWS. Of a running server it asks GET /@cost; amounts that are given (--usage) and the documents' worked examples (--example) it
 * reckons itself, with the same table of prices. All three become one report, printed as a table or as JSON.
 */
#include "main/command.h"
#include "main/config.h"
#include "main/wire_client.h"

#include "base/clock.h"
#include "watch/cost.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define USAGE_BYTES_MAX ((size_t)64 << 10)
#define ARENA_MAX ((size_t)4 << 20)

static const struct option_row options[] = {
    {"endpoint", "URL", WIRE_ENDPOINT_HELP},
    {"period", "TIME", "how far back from now, or from --to, such as 30d, 12h, 45m (default 30d)"},
    {"from", "TIME", "or the beginning: epoch seconds or milliseconds, or 2026-01-31T12:00:00Z"},
    {"to", "TIME", "the end (default now)"},
    {"usage", "FILE", "no server: what the amounts in this JSON file cost, {\"messages\": 500000, ..} (- is standard input)"},
    {"example", "NAME", "no server: a worked example of the documents, CO-5 or CO-7"},
    {"config", "FILE", "with --usage and --example: prices and memory from this weir.yaml"},
    {"format", "FORMAT", "text or json (default text)"},
    {"region", "NAME", "the region of the signature"},
    {"ca-file", "FILE", "PEM of trusted authorities instead of the system's"},
    {NULL, NULL, NULL},
};

static int fail(int exit_code, const char *text)
{
    fprintf(stderr, "weir cost: %s\n", text);
    return exit_code;
}

/* ---- the table ---- */

static void print_amount(char out[40], double amount)
{
    if (amount == floor(amount) && amount < 1e15)
        snprintf(out, 40, "%.0f", amount);
    else
        snprintf(out, 40, "%.6g", amount);
}

/* "$3.58" */
static void print_dollars(char out[COST_MONEY_SIZE + 1], double dollars)
{
    out[0] = '$';
    cost_money(dollars, out + 1);
}

/* A price as it is written: "$1.25", "$0.0000166667". */
static void print_price(char out[40], double price)
{
    snprintf(out, 40, "$%.10f", price);
    size_t len = strlen(out), point = strcspn(out, ".");
    while (len > point + 3 && out[len - 1] == '0')
        out[--len] = 0;
}

static void print_services(FILE *out, const struct cost_report *report, const struct cost_usage *usage)
{
    char amount[40], price[40], money[COST_MONEY_SIZE + 1];
    for (int kind = 0; kind < COST_KINDS; kind++) {
        const struct cost_row *row = &cost_rows[kind];
        if (kind == 0 || strcmp(row->service, cost_rows[kind - 1].service) != 0)
            fprintf(out, "%s\n", row->service);
        print_amount(amount, usage->of[kind]);
        print_price(price, report->prices.of[kind]);
        print_dollars(money, cost_line(&report->prices, usage, kind));
        fprintf(out, "  %-24s %14s  at %-13s per %-9s %12s\n", row->text, amount, price, row->per_words, money);
    }
}

static void print_sum(FILE *out, const char *text, double dollars)
{
    char money[COST_MONEY_SIZE + 1];
    print_dollars(money, dollars);
    fprintf(out, "%-71s %12s\n", text, money);
}

static void print_applications(FILE *out, const struct cost_report *report)
{
    fprintf(out, "\n%-40s %14s %28s\n", "By application", "cost", "without connection minutes");
    for (size_t i = 0; i < report->applications; i++) {
        const struct cost_application *application = &report->application[i];
        struct text name = application->name.len ? application->name : TEXT("(no application)");
        char with[COST_MONEY_SIZE + 1], without[COST_MONEY_SIZE + 1];
        print_dollars(with, cost_sum(&report->prices, &application->usage, true));
        print_dollars(without, cost_sum(&report->prices, &application->usage, false));
        fprintf(out, "  %-38.*s %14s %28s\n", TEXT_FMT(name), with, without);
    }
}

static void print_example(FILE *out, const struct cost_report *report, const struct cost_usage *usage)
{
    const struct cost_example *example = report->example;
    char amount[40], money[COST_MONEY_SIZE], with[COST_MONEY_SIZE];
    fprintf(out, "\nThe document says %s.\n", example->says);
    if (example->omitted_amount) {
        struct cost_usage omitted = *usage;
        omitted.of[example->omitted] += example->omitted_amount;
        print_amount(amount, example->omitted_amount);
        cost_money(cost_line(&report->prices, &omitted, example->omitted), money);
        cost_money(cost_sum(&report->prices, &omitted, true), with);
        fprintf(out, "It omits %s: %s %s, $%s; with them the sum is $%s.\n", cost_rows[example->omitted].text, amount, example->omitted_text, money, with);
    }
    fprintf(out, "Not in either: %s.\n", example->unknown);
}

static void print_text(FILE *out, const struct cost_report *report)
{
    struct cost_usage usage = cost_report_usage(report);
    char from[CLOCK_ISO_SIZE], to[CLOCK_ISO_SIZE];
    if (report->example) {
        fprintf(out, "%s: %s\n\n", report->example->name, report->example->title);
    } else if (report->to_ms) {
        clock_format_iso(report->from_ms, from);
        clock_format_iso(report->to_ms, to);
        fprintf(out, "What the traffic from %s to %s would have cost on AWS\n\n", from, to);
    }
    print_services(out, report, &usage);
    print_sum(out, "Sum", cost_sum(&report->prices, &usage, true));
    print_sum(out, "Without connection minutes", cost_sum(&report->prices, &usage, false));
    if (report->to_ms && report->applications)
        print_applications(out, report);
    if (report->example)
        print_example(out, report, &usage);
    if (report->to_ms)
        fprintf(out, "\nNot in it: data transfer, requests of REST routes, streams, backups, and that AWS bills messages by 32 KB.\n");
    if (report->partial)
        fprintf(out, "There was more than one report may read: these amounts are too small. Ask for a shorter period.\n");
}

static void print_json(FILE *out, const struct cost_report *report)
{
    struct buf text;
    struct json_writer w;
    buf_init(&text, ARENA_MAX);
    json_writer_init(&w, &text);
    cost_report_write(report, &w);
    fprintf(out, "%.*s\n", TEXT_FMT(buf_text(&text)));
    buf_fini(&text);
}

static void print(const struct arguments *arguments, const struct cost_report *report)
{
    const char *format = argument(arguments, "format");
    if (format && strcmp(format, "json") == 0)
        print_json(stdout, report);
    else
        print_text(stdout, report);
}

/* ---- of a server ---- */

static int refused(const struct wire_answer *answer)
{
    const struct json *message = json_get_str(answer->root, "message");
    if (json_is(message, JSON_STRING))
        fprintf(stderr, "weir cost: the server answers %d: %.*s\n", answer->status, TEXT_FMT(message->text));
    else
        fprintf(stderr, "weir cost: the server answers %d, and it is not weir's answer\n", answer->status);
    return answer->status == 400 ? EXIT_USAGE : EXIT_SERVER;
}

/* A time goes into the path as it is: letters, digits and the signs of ISO 8601 alone. */
static bool add_query(char *path, size_t size, const char *name, const char *value)
{
    size_t len = strlen(path);
    if (!value)
        return true;
    if (!*value || strspn(value, "0123456789TZtzdhm:.-") != strlen(value))
        return false;
    return (size_t)snprintf(path + len, size - len, "%c%s=%s", strchr(path, '?') ? '&' : '?', name, value) < size - len;
}

static int ask(const struct arguments *arguments, struct wire_client *client)
{
    char path[256] = "/@cost";
    struct wire_answer answer;
    struct cost_report report;
    struct err err = {0};
    if (!add_query(path, sizeof(path), "from", argument(arguments, "from")) || !add_query(path, sizeof(path), "to", argument(arguments, "to")) ||
        !add_query(path, sizeof(path), "period", argument(arguments, "period")))
        return fail(EXIT_USAGE, "times are epoch seconds or milliseconds, or such as 2026-01-31T12:00:00Z; a period is such as 30d, 12h, 45m");
    wire_answer_init(&answer);
    int exit_code = EXIT_OK;
    if (wire_admin(client, "GET", path, TEXT(""), &answer, &err))
        exit_code = fail(EXIT_SERVER, err.text);
    else if (answer.status != 200)
        exit_code = refused(&answer);
    else if (cost_report_read(answer.root, &answer.arena, &report))
        exit_code = fail(EXIT_SERVER, "the answer is not a report of weir's");
    else
        print(arguments, &report);
    wire_answer_fini(&answer);
    return exit_code;
}

static int of_server(const struct arguments *arguments)
{
    struct wire_options wire = {.endpoint = argument(arguments, "endpoint"), .region = argument(arguments, "region"), .ca_file = argument(arguments, "ca-file")};
    struct wire_client *client;
    struct err err = {0};
    int code = wire_client_create(&client, &wire, &err);
    if (code)
        return fail(code == ERR_INVALID ? EXIT_USAGE : EXIT_FAILED, err.text);
    int exit_code = ask(arguments, client);
    wire_client_destroy(client);
    return exit_code;
}

/* ---- of given amounts ---- */

static int read_all(const char *path, struct buf *out)
{
    char block[4096];
    size_t got;
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "weir cost: %s: %s\n", path, strerror(errno));
        return EXIT_FAILED;
    }
    while (!out->failed && (got = fread(block, 1, sizeof(block), file)) > 0)
        buf_add(out, block, got);
    bool broken = ferror(file) != 0;
    if (file != stdin)
        fclose(file);
    if (broken || out->failed)
        return fail(EXIT_FAILED, broken ? "the amounts cannot be read" : "the file of amounts is larger than 64 KiB");
    return 0;
}

static int read_usage(const char *path, struct arena *arena, struct cost_usage *usage)
{
    const struct json *root;
    struct buf text;
    struct err err = {0};
    buf_init(&text, USAGE_BYTES_MAX);
    int exit_code = read_all(path, &text);
    if (!exit_code && json_parse(arena, buf_text(&text), JSON_REFUSE_DUPLICATES | JSON_COPY, &root, &err))
        exit_code = fail(EXIT_CONFIG, err.text);
    if (!exit_code && cost_usage_read(root, usage, &err))
        exit_code = fail(EXIT_CONFIG, err.text);
    buf_fini(&text);
    return exit_code;
}

static int read_prices(const char *path, struct cost_prices *prices)
{
    static struct config config;
    struct err err = {0};
    int exit_code = EXIT_OK;
    cost_prices_init(prices);
    if (!path)
        return EXIT_OK;
    config_init(&config);
    if (config_load(&config, path, CONFIG_CHECK, &err)) {
        config_problems_print(&config, path, stderr);
        exit_code = fail(EXIT_CONFIG, err.text);
    }
    *prices = config.cost_prices;
    config_fini(&config);
    return exit_code;
}

static int of_amounts(const struct arguments *arguments)
{
    const char *path = argument(arguments, "usage"), *name = argument(arguments, "example");
    struct cost_application given = {.name = TEXT("")};
    struct cost_report report = {.application = &given, .applications = 1};
    struct arena arena;
    arena_init(&arena, 4096, ARENA_MAX);
    int exit_code = read_prices(argument(arguments, "config"), &report.prices);
    if (!exit_code && name) {
        report.example = cost_example_find(text_of(name));
        exit_code = report.example ? EXIT_OK : fail(EXIT_USAGE, "there are the examples CO-5 and CO-7");
        given.usage = report.example ? report.example->usage : given.usage;
    } else if (!exit_code) {
        exit_code = read_usage(path, &arena, &given.usage);
    }
    if (!exit_code)
        print(arguments, &report);
    arena_fini(&arena);
    return exit_code;
}

/* ---- which ---- */

static int run(const struct arguments *arguments)
{
    const char *format = argument(arguments, "format");
    bool usage = argument(arguments, "usage"), example = argument(arguments, "example");
    bool server = argument(arguments, "endpoint") || argument(arguments, "from") || argument(arguments, "to") || argument(arguments, "period");
    if (format && strcmp(format, "text") && strcmp(format, "json"))
        return fail(EXIT_USAGE, "--format is text or json");
    if (usage + example + server > 1)
        return fail(EXIT_USAGE, "a server's period, --usage and --example are asked for one at a time");
    if (argument(arguments, "config") && !usage && !example)
        return fail(EXIT_USAGE, "--config goes with --usage and --example: a server has prices of its own");
    return usage || example ? of_amounts(arguments) : of_server(arguments);
}

const struct command command_cost = {
    .name = "cost",
    .words = "",
    .summary = "says what the traffic of a period would have cost on AWS",
    .more = "Prices are those of `cost.prices` in the server's configuration, by default the documents'. Amounts for --usage: messages, connectionMinutes, invocations,\n"
            "gbSeconds, writes, reads, storageGbMonths, logGb, logArchiveGb; what is not named is 0. Two sums are given, with and without connection minutes.\n\n" WIRE_KEYS_HELP "\n"
            "Exit codes: 0 done; 2 usage; 3 the amounts or the configuration have errors; 10 the server is not reached or refuses.\n",
    .options = options,
    .run = run,
};
