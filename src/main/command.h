/*
 * Subcommands: each is one declaration (name, options, help) and a function. Options are `--name value` or `--name=value`; a flag
 * takes none. From the declaration come the parser and `--help`.
 */
#ifndef WEIR_MAIN_COMMAND_H
#define WEIR_MAIN_COMMAND_H

#include "main/exit.h"
#include <stdbool.h>
#include <stdint.h>

#define COMMAND_OPTIONS_MAX 24
#define COMMAND_WORDS_MAX 4

struct option_row {
    const char *name;  /* "data" for --data; NULL ends the list */
    const char *value; /* what it takes, for the help; NULL: a flag */
    const char *help;
};
struct arguments;
struct command {
    const char *name;
    const char *words; /* positional arguments, for the help; may be "" */
    const char *summary;
    const char *more; /* further help, whole lines; may be NULL */
    const struct option_row *options;
    int words_min, words_max;
    int (*run)(const struct arguments *arguments); /* an exit code */
};
struct arguments {
    const struct command *command;
    const char *value[COMMAND_OPTIONS_MAX]; /* by option row; NULL: not given; "" for a flag */
    const char *word[COMMAND_WORDS_MAX];
    int words;
};

/* Parses argv (behind the subcommand's name) and runs it. Problems and help are printed; answers the exit code. */
int command_run(const struct command *command, int argc, char **argv);
/* The value of an option, or NULL. The name must be one of the command's. */
const char *argument(const struct arguments *arguments, const char *name);
/* A decimal number within min..max into *out; false (told on standard error) for anything else. An option that is absent leaves *out. */
bool argument_number(const struct arguments *arguments, const char *name, int64_t min, int64_t max, int64_t *out);
/* "15m", "1h30m", "250ms", "2d": milliseconds; false when it is not understood. Also the configuration's durations. */
bool duration_parse(const char *text, int64_t *ms);

extern const struct command command_serve, command_check, command_token, command_health, command_verify, command_rekey, command_backup, command_restore, command_export, command_import, command_cost;

#endif
