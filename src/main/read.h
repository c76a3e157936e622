/*
 * Reading a mapping into a struct by a table of its keys: name, form and meaning for people, a reader, and where the value goes. From the same table come
 * the checks, the suggestions for a misspelt key, and the reference in docs/configuration.md. All problems are collected, none ends the reading.
 */
#ifndef WEIR_MAIN_READ_H
#define WEIR_MAIN_READ_H

#include "main/config.h"
#include "main/doc.h"

struct reader {
    struct config *config;
    struct arena *arena;
    const char *folder; /* of the file; "" for the current one */
    unsigned flags;     /* enum config_flags */
    bool names_secret;  /* the mapping being read gave a secret already */
};

struct key {
    const char *name; /* NULL ends the table */
    const char *form; /* "duration", "text", ... for people */
    const char *help;
    void (*read)(struct reader *r, const struct key *key, const struct doc *value, void *field);
    size_t offset;    /* of the field in the struct that the mapping describes */
    int64_t min, max; /* of numbers, sizes and durations; of a text: bytes */
    const struct key *inside;  /* the keys of a nested mapping; the field is the struct itself */
    const char *const *words;  /* for read_word: ends with NULL */
};

/* Adds a problem at a node. */
void problem_add(struct reader *r, const struct doc *at, bool warning, const char *format, ...) __attribute__((format(printf, 4, 5)));
#define problem(r, at, ...) problem_add(r, at, false, __VA_ARGS__)

/* Reads a mapping in the order of the table; unknown and repeated keys are problems. */
void read_keys(struct reader *r, const struct doc *mapping, const struct key *keys, void *target);
/* True when the node is a mapping with members, otherwise a problem. */
bool expect_mapping(struct reader *r, const struct doc *node, const char *what);
/* True when it is a scalar with text; otherwise a problem. */
bool expect_text(struct reader *r, const struct doc *node, const char *what);
/* " (did you mean X?)" or "" into out. names: ends with NULL. */
void suggest(struct text name, const char *const *names, char *out, size_t size);

/* ---- readers; the field's type is in the name's comment ---- */
void read_flag(struct reader *r, const struct key *key, const struct doc *value, void *field);     /* bool: true, false */
void read_flag_not(struct reader *r, const struct key *key, const struct doc *value, void *field); /* bool, inverted */
void read_number(struct reader *r, const struct key *key, const struct doc *value, void *field);   /* int64_t */
void read_u32(struct reader *r, const struct key *key, const struct doc *value, void *field);      /* uint32_t, unsigned */
void read_u8(struct reader *r, const struct key *key, const struct doc *value, void *field);       /* uint8_t */
void read_int(struct reader *r, const struct key *key, const struct doc *value, void *field);      /* int */
void read_duration(struct reader *r, const struct key *key, const struct doc *value, void *field); /* int64_t ms; "10m" */
void read_seconds(struct reader *r, const struct key *key, const struct doc *value, void *field);  /* int64_t s; "60s" */
void read_size(struct reader *r, const struct key *key, const struct doc *value, void *field);     /* uint64_t or size_t; "128KB" */
void read_text(struct reader *r, const struct key *key, const struct doc *value, void *field);     /* struct text */
void read_name(struct reader *r, const struct key *key, const struct doc *value, void *field);     /* struct text of [a-zA-Z0-9_.-] */
void read_string(struct reader *r, const struct key *key, const struct doc *value, void *field);   /* const char * */
void read_file(struct reader *r, const struct key *key, const struct doc *value, void *field);     /* const char *, relative to the folder, must be there */
void read_path(struct reader *r, const struct key *key, const struct doc *value, void *field);     /* const char *, relative to the folder */
void read_word(struct reader *r, const struct key *key, const struct doc *value, void *field);     /* an enum, by key->words */
void read_inside(struct reader *r, const struct key *key, const struct doc *value, void *field);   /* a nested mapping */
void read_url(struct reader *r, const struct key *key, const struct doc *value, void *field);      /* struct text: http or https */
/* struct text of a secret: given here, in a file, in an environment variable. A mapping has at most one of the three. */
void read_secret(struct reader *r, const struct key *key, const struct doc *value, void *field);
void read_secret_file(struct reader *r, const struct key *key, const struct doc *value, void *field);
void read_secret_env(struct reader *r, const struct key *key, const struct doc *value, void *field);

/* The API's part: apps and apis. field is the struct config. */
void read_apps(struct reader *r, const struct key *key, const struct doc *value, void *field);
void read_apis(struct reader *r, const struct key *key, const struct doc *value, void *field);
/* The tables' part: field is the struct gw_api_config. */
void read_tables(struct reader *r, const struct key *key, const struct doc *value, void *field);
void read_registry(struct reader *r, const struct key *key, const struct doc *value, void *field);
/* The applications' own settings: `keys` and a row for each name that the application declares. NULL without memory, and a problem. */
const struct key *setting_keys(struct reader *r, const struct weir_app *app, const struct key *keys, struct gw_api_config *api);
/* What the application says of its settings together, as a problem. */
void setting_check(struct reader *r, const struct doc *at, const struct gw_api_config *api);
/* The consumers' part, likewise; read when tables and routes have been. */
void read_streams(struct reader *r, const struct key *key, const struct doc *value, void *field);
void read_kinesis(struct reader *r, const struct key *key, const struct doc *value, void *field);
/* Who may follow what, likewise; what belongs together with the rest of the API is said by check_live. */
void read_live(struct reader *r, const struct key *key, const struct doc *value, void *field);
void check_live(struct reader *r, const struct doc *at, const struct gw_api_config *api);
/* Thresholds of the performance monitor, likewise; check_operations says which names there are not. */
void read_operations(struct reader *r, const struct key *key, const struct doc *value, void *field);
void check_operations(struct reader *r, const struct doc *at, const struct gw_api_config *api);
extern const struct key operation_keys[];
/* Prices of AWS's services; field is the struct config. */
extern const struct key cost_keys[];
/* Dashboards that the configuration declares; the field is the struct config. */
void read_dashboards(struct reader *r, const struct key *key, const struct doc *value, void *field);
extern const struct key dashboard_keys[];
/* Alarms: of an API, of the server (field: the struct config), and what their webhooks are signed with. */
void read_api_alarms(struct reader *r, const struct key *key, const struct doc *value, void *field);
void read_server_alarms(struct reader *r, const struct key *key, const struct doc *value, void *field);
void read_alarm_webhook(struct reader *r, const struct key *key, const struct doc *value, void *field);
extern const struct key alarm_keys[], alarm_webhook_keys[];
/* Where requests that alarms and applications ask for may go; field is the struct config. */
extern const struct key outgoing_keys[];
/* A name of a table, as a problem; {env} and {stage} may stand in it. */
bool expect_table_name(struct reader *r, const struct doc *node);
extern const struct key api_keys[], app_keys[], table_keys[], index_keys[], registry_keys[], stream_keys[], kinesis_keys[], live_keys[];

#endif
