/*
 * The program under test without its wires: tables, journal, tick and jobs over files that forget (power.h), and time that this test drives. It serves one life,
 * then it is killed or shut down; `struct shared` outlives it.
 */
#ifndef WEIR_TESTS_REPLAY_HOUSE_H
#define WEIR_TESTS_REPLAY_HOUSE_H

#include "compare.h"
#include "power.h"
#include "tick/job.h"

enum { WINDOW = 48, MOMENTS = 200, TRAIL = 1500, STEPS_MAX = 1100000 };

/* The model at every millisecond of from_ms..to_ms-1; to_ms 0: not a moment. */
struct moment {
    int64_t from_ms, to_ms;
    struct model model;
};

/* A restore or a backup that has been asked for. What was ASKED and not answered before a crash may have been asked in vain. */
enum order_state { ORDER_NONE, ORDER_ASKED, ORDER_RUNS, ORDER_STANDS /* a backup: made */, ORDER_OVER };
struct order {
    enum order_state state;
    enum table_name table;
    uint32_t generation, name;
    int64_t time_ms, ttl_ms;
    char id[JOB_ID_TEXT + 1];
    struct model model; /* what must come out */
};

struct shared {
    uint64_t seed, steps;
    bool soak, finished, founded;
    char folder[64];
    uint64_t cursor;                /* twice the next step's number, and which of the two models is the one before it: one store takes a step whole */
    uint64_t submitted;             /* steps below this number are under way, if they are not below the next one */
    uint64_t acknowledged;          /* the highest number that was announced */
    uint64_t lives, turn, names;
    int64_t now_ms;
    struct model models[2];
    struct moment moment[MOMENTS];
    uint64_t moments;               /* ever */
    struct order rewind, backup, restore;
    struct {
        uint64_t sequence;
        struct model model;
    } trail[TRAIL];                 /* while a backup is being made: the model after each record */
    unsigned trail_len;
    uint64_t crashes, torn, compared, replays, changes, rewinds, restores, undecided, kept, expiries; /* for the last line */
    uint8_t done[STEPS_MAX + 1];    /* 1: the step succeeded */
};

/* The process may be killed between any two stores. */
static inline struct model *model_now(struct shared *shared)
{
    return &shared->models[shared->cursor & 1];
}
static inline uint64_t next_step(const struct shared *shared)
{
    return shared->cursor >> 1;
}

struct step_call {
    struct tick_call base;
    struct house *house;
    struct arena arena;
    struct step step;
    struct outcome outcome[OPS_MAX];
    bool done;
};

struct house {
    struct shared *shared;
    char tables[96], records[96], backups[96];
    struct store *store;
    struct journal *journal;
    struct tick *tick;
    struct jobs *jobs;
    struct worker_pool *workers;
    struct tick_sink sink[2];
    struct tick_lane lane;
    struct step_call call[WINDOW];
    unsigned answers;          /* of the window under way */
    unsigned cut_after;        /* answers after which the power goes; 0: never */
    enum power_loss cut_loss;
};

/* Looks for half a real minute at least, and for longer where looks are slow. */
#define HOUSE_UNTIL(house, condition, what)                                \
    do {                                                                   \
        int left_ = 600000;                                                \
        while (!(condition) && left_-- > 0) {                              \
            usleep(50);                                                    \
            tick_drain((house)->tick, 0);                                  \
        }                                                                  \
        CHECK(condition, "%s does not come to an end", what);              \
    } while (0)

/* Opens the folder, recovers, defines, starts. Every step that was under way is decided: the model is right again. */
void house_open(struct house *house, struct shared *shared);
void house_shut(struct house *house);
/* Runs the next steps together, and holds each answer against the model's. */
void house_window(struct house *house, unsigned count);
/* A call of another kind: its code. */
int house_call(struct house *house, int (*body)(struct house *house, struct tick *tick, struct arena *arena, void *context), void *context);
/* Time goes on; the model so far is a moment of the past. */
void house_advance(struct house *house, int64_t ms);
/* Time goes on until nothing expired is left and every index is filled. */
void house_settle(struct house *house);

/* The durable state. */
void house_view(struct house *house, struct store_view *view);
void house_view_end(struct house *house);
const struct store_table *house_table(const struct house *house, enum table_name table);

#endif
