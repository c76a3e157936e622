/*
 * docs/errors.md and docs/counters.md, made from the tables that the program itself is compiled from (ERR_TABLE, EXIT_TABLE, COUNTER_TABLE). A hand-written
 * list would be right on the day it was written; these are right in every commit, because the test docs/generated compares.
 *
 *   gen-docs --write docs     writes the files
 *   gen-docs --check docs     exit 1 and the first line that differs, when a file is not what would be written
 *
 * To document another table, write a function that prints it and add a row to `pages`.
 */
#include "base/counter.h"
#include "base/err.h"
#include "main/exit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MAX (1 << 20) /* bytes of a page; a larger file cannot be equal */

static void print_origin(FILE *out, const char *tables)
{
    fprintf(out, "<!-- Made by scripts/gen-docs.c from %s; edit the tables there, then: cmake --build build --target docs -->\n\n", tables);
}

/* ---- errors.md ---- */

static void print_class(FILE *out, const char *name, const char *meaning)
{
    fprintf(out, "| %s | %s |\n", name, meaning);
}

static void print_errors(FILE *out)
{
    static const char *const classes[] = {"NONE", "INPUT", "LIMIT", "STATE", "RESOURCE", "BROKEN"};
    fprintf(out, "# Errors\n\n");
    print_origin(out, "src/base/err.h and src/main/exit.h");
    fprintf(out, "One table of errors serves the whole program. The name is what a client reads in `\"error\"`, an operator in the log, and a\n"
                 "developer, with the prefix `ERR_`, in the source. An application may answer with names of its own (`weir_fail`); they are\n"
                 "listed in its README. How an error reaches a client is told in [gateway.md](gateway.md#errors).\n\n"
                 "| name | number | class | text |\n|---|---|---|---|\n");
#define X(name, number, class, text) fprintf(out, "| `%s` | -%d | %s | %s |\n", #name, number, classes[err_class_of(ERR_##name)], text);
    ERR_TABLE(X)
#undef X
    fprintf(out, "\n| class | what the caller should do |\n|---|---|\n");
    print_class(out, "INPUT", "correct what it sent; the same again fails again");
    print_class(out, "LIMIT", "send less, or more slowly; the limit has a row in [limits.md](limits.md)");
    print_class(out, "STATE", "not now, or not here: look at the state, perhaps try again");
    print_class(out, "RESOURCE", "try again later; an operator may have to act");
    print_class(out, "BROKEN", "nothing; it is a fault of the program or of its data, and the log has it");
    fprintf(out, "\n## Exit codes\n\n| code | name | meaning |\n|---|---|---|\n");
#define X(name, number, text) fprintf(out, "| %d | `%s` | %s |\n", number, #name, text);
    EXIT_TABLE(X)
#undef X
}

/* ---- counters.md ---- */

static const struct {
    const char *prefix, *title;
} families[] = {
    {"net_", "Sockets"}, {"http_", "HTTP"}, {"ws_", "WebSocket"}, {"gw_", "Gateway"}, {"tick_", "Tick"},
    {"journal_", "Journal"}, {"fetch_", "Outgoing HTTP"}, {"otlp_", "Export"}, {"records_", "Streams of records"}, {"log_", "Log"},
};
#define FAMILIES (sizeof(families) / sizeof(families[0]))

static const char *family_of(const char *name)
{
    for (size_t i = 0; i < FAMILIES; i++)
        if (strncmp(name, families[i].prefix, strlen(families[i].prefix)) == 0)
            return families[i].title;
    return "Others"; /* a new prefix: give it a row above */
}

static void print_counters(FILE *out)
{
    const char *family = "";
    fprintf(out, "# Counters\n\n");
    print_origin(out, "src/base/counter.h");
    fprintf(out, "`GET /metrics` gives them in Prometheus' text format. A counter only grows, and starts from 0 with the process; a gauge goes up\n"
                 "and down. Threads count for themselves and the reader sums, so two counters that belong together may differ by what is under way.\n"
                 "The three further series of `/metrics` are in [operations.md](operations.md#metrics).\n");
    for (int c = 0; c < COUNTER_COUNT; c++) {
        const char *name = counter_name((enum counter)c);
        if (strcmp(family, family_of(name)) != 0) {
            family = family_of(name);
            fprintf(out, "\n## %s\n\n| series | kind | what it counts |\n|---|---|---|\n", family);
        }
        int gauge = counter_is_gauge((enum counter)c);
        fprintf(out, "| `weir_%s%s` | %s | %s |\n", name, gauge ? "" : "_total", gauge ? "gauge" : "counter", counter_help((enum counter)c));
    }
}

/* ---- pages ---- */

static const struct page {
    const char *file;
    void (*print)(FILE *out);
} pages[] = {{"errors.md", print_errors}, {"counters.md", print_counters}};
#define PAGES (sizeof(pages) / sizeof(pages[0]))

/* The page's text, on the heap. */
static char *page_text(const struct page *page)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    page->print(out);
    return fclose(out) ? NULL : text;
}

static FILE *page_open(const char *folder, const struct page *page, const char *mode)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, page->file);
    FILE *file = fopen(path, mode);
    if (!file)
        perror(path);
    return file;
}

static int page_write(const char *folder, const struct page *page, const char *text)
{
    FILE *file = page_open(folder, page, "w");
    if (!file)
        return 1;
    int failed = fputs(text, file) < 0;
    return fclose(file) || failed;
}

static int page_check(const char *folder, const struct page *page, const char *text)
{
    FILE *file = page_open(folder, page, "r");
    char *found = file ? calloc(1, PAGE_MAX + 1) : NULL;
    if (found)
        fread(found, 1, PAGE_MAX, file);
    if (file)
        fclose(file);
    int differs = !found || strcmp(found, text) != 0;
    if (found && differs) {
        size_t at = 0, from = 0, line = 1;
        for (; found[at] == text[at]; at++)
            if (text[at] == '\n') {
                line++;
                from = at + 1;
            }
        fprintf(stderr, "%s/%s:%zu: is not what scripts/gen-docs.c makes. Found, wanted:\n%.*s\n%.*s\n", folder, page->file, line,
            (int)strcspn(found + from, "\n"), found + from, (int)strcspn(text + from, "\n"), text + from);
    }
    free(found);
    return differs;
}

int main(int argc, char **argv)
{
    int writes = argc == 3 && strcmp(argv[1], "--write") == 0, failed = 0;
    if (argc != 3 || (!writes && strcmp(argv[1], "--check") != 0)) {
        fprintf(stderr, "gen-docs --write|--check FOLDER\n");
        return 2;
    }
    for (size_t i = 0; i < PAGES; i++) {
        char *text = page_text(&pages[i]);
        failed |= !text || (writes ? page_write : page_check)(argv[2], &pages[i], text);
        free(text);
    }
    return failed;
}
