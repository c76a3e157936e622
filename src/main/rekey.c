/* `weir rekey`: another master key for an encrypted data folder. Only <data>/key is written anew; the data is not. */
#include "main/command.h"
#include "main/key.h"

#include <stdio.h>

static const struct option_row options[] = {
    {"data", "DIR", "the data folder, or a backup of one"},
    {"old-key-file", "FILE", "the key that opens it now"},
    {"new-key-file", "FILE", "the key that opens it from now on"},
    {NULL, NULL, NULL},
};

static int fail(int exit_code, const char *text)
{
    fprintf(stderr, "weir rekey: %s\n", text);
    return exit_code;
}

static int rewrap(const char *data, const char *old_file, const char *new_file, struct key_master *from, struct key_master *to)
{
    struct key_data opened;
    struct err err = {0};
    if (key_file(old_file, from, &err) || key_file(new_file, to, &err))
        return fail(key_exit(err.code), err.text);
    int code = key_rewrap(data, from, to, &err);
    if (!code)
        code = key_open(data, to, false, &opened, &err); /* what was written is read back before anybody throws the old key away */
    cipher_forget(&opened, sizeof(opened));
    if (code)
        return fail(code == ERR_AGAIN ? EXIT_LOCKED : key_exit(code), err.text);
    printf("%s opens with the new key, and no longer with the old one; start the server with the new one from now on\n", data);
    return EXIT_OK;
}

static int run(const struct arguments *arguments)
{
    const char *data = argument(arguments, "data"), *old_file = argument(arguments, "old-key-file"), *new_file = argument(arguments, "new-key-file");
    struct key_master from = {0}, to = {0};
    if (!data || !old_file || !new_file)
        return fail(EXIT_USAGE, "--data, --old-key-file and --new-key-file are needed. See: weir rekey --help");
    int code = rewrap(data, old_file, new_file, &from, &to);
    cipher_forget(&from, sizeof(from));
    cipher_forget(&to, sizeof(to));
    return code;
}

const struct command command_rekey = {
    .name = "rekey",
    .words = "",
    .summary = "changes the master key of an encrypted data folder",
    .more = "The data is not written again, only the file DIR/key; a server may run meanwhile. Copies of the folder from before still open with the old key.\n",
    .options = options,
    .run = run,
};
