/*
 * The model: tables as arrays of slots, and the random calls on them. It knows nothing of the store. A step's content is a function of the seed and of its
 * number alone, so what was under way at a crash can be made again afterwards; its outcome is a function of the model before it.
 *
 * Plain memory without pointers: it lives in a mapping that outlives the process that is killed, and a copy of it is the state at another time.
 */
#ifndef WEIR_TESTS_REPLAY_MODEL_H
#define WEIR_TESTS_REPLAY_MODEL_H

#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

#define CHECK(x, ...)                                                    \
    do {                                                                 \
        if (!(x)) {                                                      \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #x);      \
            fprintf(stderr, __VA_ARGS__);                                \
            fprintf(stderr, "\n");                                       \
            fflush(stderr);                                              \
            _exit(1);                                                    \
        }                                                                \
    } while (0)

enum { HASHES = 6, RANGES = 20, SLOTS = HASHES * RANGES };
enum { INDEX_LATE = 4, INDEX_LOCAL = 5, INDEX_MANY = 6, INDEXES = 7 };
/* What each table is there for; the catalogue is in model.c. */
enum table_name { T_HASH, T_RANGE, T_BINARY, T_SILENT, T_VOLATILE, TABLES };

/* Attributes of an item; -1: it has none. */
struct slot {
    int64_t due; /* epoch seconds; 0: none */
    uint32_t payload;
    int16_t score; /* halves */
    int8_t present, team, city, level, tag, late, late_is_number, has_score;
};

struct table_model {
    bool exists, ttl;
    uint8_t indexes;       /* a bit each */
    uint32_t generation;   /* of the tables with this name */
    int64_t recovery_ms;   /* since when change records make any second of it restorable; INT64_MAX: never */
    int64_t ttl_ms;        /* since when time to live is what it is (docs/backups.md: what a restore leaves out) */
    struct slot slot[SLOTS];
};

struct model {
    struct table_model table[TABLES];
};

enum op_kind { OP_PUT, OP_UPDATE, OP_DELETE, OP_INDEX, OP_TTL_ON, OP_DROP, OP_CREATE };
struct op {
    enum op_kind kind;
    enum table_name table;
    unsigned flags;     /* enum store_put_flags */
    unsigned index;     /* OP_INDEX: which one is added or removed */
    uint8_t indexes;    /* OP_CREATE */
    bool undone;        /* of the part of the call that is taken back before the call goes on */
    int at;             /* slot */
    struct slot value;  /* its due time counts from the call's second, 0: none */
};

enum { OPS_MAX = 10 };
struct step {
    uint64_t number;
    struct op op[OPS_MAX];
    int ops;
    bool strict; /* the first error ends the call: a transaction; else an operation that fails has no effect, and the call goes on */
    bool fails;  /* the call answers an error at its end */
    bool defines; /* a table or an index: later calls know it once this one is committed */
};

/* What an operation answered, by the store or by the model. */
struct outcome {
    int code;
    bool had;        /* an earlier item was there */
    struct slot old;
};

uint64_t mix(uint64_t seed, uint64_t stream, uint64_t number); /* a random number */
struct dice {
    uint64_t seed, stream, number;
};
uint64_t roll(struct dice *dice, uint64_t below);

void step_make(uint64_t seed, uint64_t number, struct step *step);
/* All or nothing. Answers what the call answers: 0 or a negative code. Of a strict call outcomes behind its error are not set. */
int model_apply(struct model *model, const struct step *step, int64_t now_s, struct outcome outcome[OPS_MAX]);
bool model_visible(const struct table_model *table, const struct slot *slot, int64_t now_s);
/* The rows of the volatile table go with the process. */
void model_reopened(struct model *model);
void model_init(struct model *model, uint64_t seed);

const char *table_name_of(enum table_name table);
/* The declaration with these indexes; texts are static. */
void table_declare(enum table_name table, uint8_t indexes, bool ttl, struct store_table_decl *decl);
struct attr *item_of_slot(struct arena *arena, enum table_name table, int at, const struct slot *slot);
struct attr *key_of_slot(struct arena *arena, enum table_name table, int at);
/* The slot that an item was made from. False: it is none of ours. */
bool slot_of_item(const struct attr *item, struct slot *slot);

#endif
