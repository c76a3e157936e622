/*
 * The command line, read from the declarations. getopt_long would parse as well, but the help text would be a second list beside
 * its table, and the two drift apart.
 */
#include "main/command.h"

#include "base/assert.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>

static int option_find(const struct command *command, const char *name, size_t len)
{
    for (int i = 0; command->options[i].name; i++)
        if (strlen(command->options[i].name) == len && memcmp(command->options[i].name, name, len) == 0)
            return i;
    return -1;
}

static void help_print(const struct command *command)
{
    printf("weir %s [options]%s%s\n%s\n\nOptions:\n", command->name, command->words[0] ? " " : "", command->words, command->summary);
    for (const struct option_row *row = command->options; row->name; row++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s%s%s", row->name, row->value ? " " : "", row->value ? row->value : "");
        printf("  %-26s %s\n", left, row->help);
    }
    printf("  %-26s %s\n", "--help", "this text");
    if (command->more)
        printf("\n%s", command->more);
}

static int usage_error(const struct command *command, const char *what, const char *word)
{
    fprintf(stderr, "weir %s: %s %s\nSee: weir %s --help\n", command->name, what, word, command->name);
    return EXIT_USAGE;
}

/* One option; *at moves behind its value. 0 or an exit code. */
static int option_take(struct arguments *arguments, int argc, char **argv, int *at)
{
    const struct command *command = arguments->command;
    const char *word = argv[*at], *name = word + 2, *equals = strchr(name, '=');
    int row = option_find(command, name, equals ? (size_t)(equals - name) : strlen(name));
    if (row < 0)
        return usage_error(command, "unknown option", word);
    if (arguments->value[row])
        return usage_error(command, "given twice:", word);
    (*at)++;
    if (!command->options[row].value) {
        arguments->value[row] = "";
        return equals ? usage_error(command, "takes no value:", word) : 0;
    }
    if (!equals && *at == argc)
        return usage_error(command, "needs a value:", word);
    arguments->value[row] = equals ? equals + 1 : argv[(*at)++];
    return 0;
}

int command_run(const struct command *command, int argc, char **argv)
{
    struct arguments arguments = {.command = command};
    for (int at = 0; at < argc;) {
        const char *word = argv[at];
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            help_print(command);
            return EXIT_OK;
        }
        if (word[0] == '-' && word[1] == '-') {
            int code = option_take(&arguments, argc, argv, &at);
            if (code)
                return code;
        } else if (word[0] == '-' && word[1]) {
            return usage_error(command, "unknown option", word);
        } else if (arguments.words == command->words_max) {
            return usage_error(command, "one word too many:", word);
        } else {
            arguments.word[arguments.words++] = word;
            at++;
        }
    }
    if (arguments.words < command->words_min)
        return usage_error(command, "missing:", command->words);
    return command->run(&arguments);
}

const char *argument(const struct arguments *arguments, const char *name)
{
    int row = option_find(arguments->command, name, strlen(name));
    ASSERT(row >= 0 && row < COMMAND_OPTIONS_MAX);
    return arguments->value[row];
}

bool argument_number(const struct arguments *arguments, const char *name, int64_t min, int64_t max, int64_t *out)
{
    const char *value = argument(arguments, name);
    int64_t number;
    if (!value)
        return true;
    if (text_to_i64(text_of(value), &number) || number < min || number > max) {
        fprintf(stderr, "weir %s: --%s is a number from %lld to %lld, not '%s'\n", arguments->command->name, name, (long long)min,
            (long long)max, value);
        return false;
    }
    *out = number;
    return true;
}

static int64_t unit_ms(const char *unit, size_t len)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strlen(units[i].name) == len && memcmp(units[i].name, unit, len) == 0)
            return units[i].ms;
    return 0;
}

bool duration_parse(const char *text, int64_t *ms)
{
    int64_t sum = 0;
    if (!*text)
        return false;
    while (*text) {
        size_t digits = strspn(text, "0123456789");
        size_t unit = strspn(text + digits, "mshd");
        int64_t number, scale = unit_ms(text + digits, unit);
        if (!digits || !scale || text_to_i64(text_make(text, digits), &number))
            return false;
        if (__builtin_mul_overflow(number, scale, &number) || __builtin_add_overflow(sum, number, &sum))
            return false;
        text += digits + unit;
    }
    *ms = sum;
    return true;
}
