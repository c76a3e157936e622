/* `weir check`: everything that is wrong with a configuration at once, with line and column, before it is deployed. */
#include "main/command.h"
#include "main/config.h"

#include <stdio.h>
#include <unistd.h>

static const struct option_row options[] = {
    {"keys", NULL, "prints every key that a configuration may have"},
    {NULL, NULL, NULL},
};

/* The gateway compiles route keys, expressions and key files, and would refuse them at the start; so it does here. Keys that may exist only where the
   server runs are stood in for. */
static int compile(struct config *config, struct err *err)
{
    struct gateway *gateway;
    for (size_t i = 0; i < config->api_count; i++) {
        struct gw_jwt *jwt = &config->gateway.apis[i].jwt;
        bool absent = jwt->pem_file && access(jwt->pem_file, R_OK) != 0;
        if (absent || config->apis[i].development_secret)
            *jwt = (struct gw_jwt){.secret = TEXT("stands in for a secret of 32 bytes and more")};
    }
    int code = gateway_create(&gateway, &config->gateway, err);
    if (!code)
        gateway_destroy(gateway);
    return code;
}

static int check(struct config *config, const char *path)
{
    struct err err = {0};
    int code = config_load(config, path, CONFIG_CHECK, &err);
    config_problems_print(config, path, stdout);
    if (!code)
        code = config_finish(config, &err);
    if (!code)
        code = config_safe(config, &err);
    if (!code)
        code = compile(config, &err);
    if (code) {
        fprintf(code == ERR_INVALID && config->errors ? stderr : stdout, "%s: %s\n", path, err.text);
        return EXIT_CONFIG;
    }
    printf("%s: fine; mounts", path);
    for (size_t i = 0; i < config->api_count; i++)
        printf(" /%.*s", TEXT_FMT(config->apis[i].gateway.name));
    printf("\n");
    return EXIT_OK;
}

static int run(const struct arguments *arguments)
{
    static struct config config;
    if (argument(arguments, "keys")) {
        config_keys_print(stdout);
        config_settings_print(stdout);
        return EXIT_OK;
    }
    if (!arguments->words) {
        fprintf(stderr, "weir check: which file? See: weir check --help\n");
        return EXIT_USAGE;
    }
    config_init(&config);
    int code = check(&config, arguments->word[0]);
    config_fini(&config);
    return code;
}

const struct command command_check = {
    .name = "check",
    .words = "FILE",
    .summary = "says what is wrong with a configuration",
    .more = "Each problem is one line: file:line:column: what. Exit code 0: the server would start with it; 3: it would not.\n",
    .options = options,
    .words_max = 1,
    .run = run,
};
