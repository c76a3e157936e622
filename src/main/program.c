/*
 * The program's door: finds the subcommand. Everything else is in the file of the subcommand's name.
 *
 * It is a function of the library and not main() itself, so that an application in a repository of its own becomes a whole server by one call. A plug-in that is loaded
 * at run time would do without linking, but its functions run on the state thread inside the process all the same, and a crash would tell less.
 */
#include "main/apps.h"
#include "main/command.h"

#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {&command_serve, &command_check, &command_token, &command_health, &command_verify, &command_rekey,
    &command_backup, &command_restore, &command_export, &command_import, &command_cost};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help_print(FILE *out)
{
    fprintf(out, "weir %s: real-time applications in one program\n\nweir COMMAND [options]; weir COMMAND --help says more.\n\n", WEIR_VERSION);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(out, "\nweir --version prints the version.\n\nExit codes:\n");
#define X(name, number, text) fprintf(out, "  %d  %s\n", number, text);
    EXIT_TABLE(X)
#undef X
}

int weir_main(int argc, char **argv, const struct weir_app *const *apps)
{
    apps_set(apps);
    if (argc < 2) {
        help_print(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("weir " WEIR_VERSION);
        return EXIT_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        help_print(stdout);
        return EXIT_OK;
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            return command_run(commands[i], argc - 2, argv + 2);
    fprintf(stderr, "weir: there is no command '%s'. See: weir --help\n", argv[1]);
    return EXIT_USAGE;
}
