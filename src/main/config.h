/*
 * What the program is to do: the defaults, then weir.yaml, then the command line, then (config_finish) what follows from all of them. The
 * result is what the layers below take: a struct gateway_config and the server's settings. Everything lives in the configuration's own arena
 * until config_fini. docs/configuration.md is the reference. One thread.
 */
#ifndef WEIR_MAIN_CONFIG_H
#define WEIR_MAIN_CONFIG_H

#include "base/arena.h"
#include "gateway/gateway.h"
#include "main/key.h"
#include "watch/cost.h"

#define CONFIG_BYTES_MAX (1 << 20)    /* of weir.yaml */
#define CONFIG_ARENA_MAX (64 << 20)   /* bytes for all that is read */
#define CONFIG_APIS_MAX 64            /* mounted APIs, applications included */
#define CONFIG_IO_THREADS_MAX 60      /* the store has 64 reader slots; the services and the wires above take some */
#define CONFIG_KEYS_MAX 64            /* access keys */
#define CONFIG_PROXIES_MAX 64         /* trusted addresses */
#define CONFIG_ROUTES_MAX 1024        /* of one API */
#define CONFIG_TABLES_MAX 64          /* of one API */
#define CONFIG_ORIGINS_MAX 256        /* of one API */
#define CONFIG_PROBLEMS_MAX 100       /* reported; the rest is counted */
#define CONFIG_SECRET_MAX 4096        /* bytes of a secret, from wherever it comes */

/* What is wrong, and where. line 0: nowhere in the file. */
struct config_problem {
    unsigned line, column; /* from 1 */
    bool warning;          /* does not keep the program from serving */
    const char *text;
};

struct config_api {
    struct gw_api_config gateway; /* gateway.app: the compiled-in application, or NULL */
    bool development_secret;      /* tokens are checked against the development secret */
};

struct config {
    struct arena arena;
    /* the server */
    const char *address; /* numeric */
    uint16_t port;
    const char *data;
    int io_threads;
    uint32_t connections_max, accept_rate_max;
    size_t body_max;
    const char *certificate_file, *key_file;
    bool tls_only;
    struct text *proxies;
    size_t proxy_count;
    bool proxy_protocol;
    int64_t drain_ms, spread_ms;
    size_t recovery_bytes;        /* 0: the default */
    const char *exchange;         /* exports and imports are below it; NULL: there are none */
    bool allow_open, driven_clock;
    bool log_applications;        /* their lines below WARN go to standard error, too */
    bool figures_off;
    struct gw_otlp_config otlp;
    struct cost_prices cost_prices; /* the documents', or those of the file */
    uint64_t cost_memory;         /* bytes of a function; 0: the default */
    int64_t series_max;           /* 0: the default */
    struct key_master encryption; /* by the file, or by config_key from the environment */
    bool names_encryption;        /* the file gave one, whether it could be read here or not */
    struct key_data data_key;     /* by config_key */
    /* the gateway */
    struct text environment, region, account, public_url;
    struct weir_alarm *alarms; /* of the server */
    size_t alarm_count;
    struct text alarm_secret;  /* of alarms' webhooks */
    struct gw_outgoing outgoing;
    struct gw_key *keys;
    size_t key_count;
    bool development_keys;
    struct config_api *apis;
    size_t api_count;
    bool names_apis;     /* the file says what to mount */
    struct gw_dashboard_config *dashboards; /* of the file, nothing replaced yet */
    size_t dashboard_count;
    /* problems of the file, in the order of its lines after config_parse */
    struct config_problem problem[CONFIG_PROBLEMS_MAX];
    size_t problems;     /* stored */
    size_t errors;       /* all of them, warnings not counted */
    struct gateway_config gateway; /* by config_finish */
};

/* The defaults. */
void config_init(struct config *config);
void config_fini(struct config *config);

enum config_flags {
    CONFIG_CHECK = 1,   /* a secret whose file or variable is missing is a warning: it may exist only where the server runs */
    CONFIG_OFFLINE = 2  /* neither files nor environment are looked at; for tests and fuzzing */
};
/* Reads a configuration text; `folder` is what its relative paths are relative to. 0, or ERR_INVALID with config->errors > 0. */
int config_parse(struct config *config, struct text yaml, const char *folder, unsigned flags);
/* The same from a file. ERR_IO, ERR_TOO_LARGE with err; ERR_INVALID as above (err counts). */
int config_load(struct config *config, const char *path, unsigned flags, struct err *err);
/* "file:line:column: message" for each problem, to standard error or standard output. */
void config_problems_print(const struct config *config, const char *path, void *stream);
/* "ADDR:PORT", "[v6]:PORT", "PORT", "localhost:PORT": 0, ERR_INVALID. */
int config_listen(struct config *config, const char *text, struct err *err);
/* Mounts the applications if the file named none, and fills the keys from the environment: no file or folder is touched. */
int config_finish(struct config *config, struct err *err);
/* Refuses what is not safe: other than loopback without keys. After config_finish. */
int config_safe(const struct config *config, struct err *err);
/* Opens the data folder's key, or, with `create` and a key set, makes one in an empty folder; config->data_key.set tells whether it is encrypted. Before
   config_secret. Errors as key_open; key_exit has their exit codes. */
int config_key(struct config *config, bool create, struct err *err);
/* Finds (or makes, once, in the data folder) the development secret for the APIs that take tokens and were given no key. Creates the folder. */
int config_secret(struct config *config, struct err *err);
/* By mount name; NULL. */
struct config_api *config_api_find(struct config *config, struct text name);

/* Those of the applications and of the file, with what is in braces replaced; config_finish asks for it. 0 or ERR_MEMORY. */
int config_dashboards(struct config *config, struct gateway_config *gateway);

/* Every key with its form and meaning, as docs/configuration.md has it. */
void config_keys_print(void *stream);
/* The compiled-in applications' own settings, in the same form. */
void config_settings_print(void *stream);

#endif
