/* What the store's tests share: a folder that is removed, a random generator with a seed, a stage that is
 * committed as the tick does it. */
#ifndef WEIR_TEST_STORE_FIXTURE_H
#define WEIR_TEST_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/store.h"

struct fixture {
    char folder[64];
    struct store *store;
    struct store_stage *stage;
    struct store_view view;
    struct arena arena;
    struct buf record;
    uint64_t sequence;
};

static inline uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * UINT64_C(2685821657736338717) >> 11;
}

/* The same tests run once more over encrypted files: a file that defines FIXTURE_KEY and includes them. */
#ifdef FIXTURE_KEY
static const unsigned char fixture_key[32] = FIXTURE_KEY;
#else
#define fixture_key NULL
#endif

static inline void fixture_attach(struct fixture *f)
{
    struct err err = {0};
    struct store_config config = {.folder = f->folder, .write_buffer_bytes = 1u << 20, .key = fixture_key};
    int rc = store_open(&f->store, &config, &err);
    if (rc)
        fail_msg("store_open: %s %s", err_name(rc), err.text);
    assert_int_equal(store_stage_create(f->store, &f->stage), 0);
    f->view = (struct store_view){.store = f->store, .stage = f->stage, .now_s = 1700000000};
    f->sequence = store_applied(f->store);
}

static inline void fixture_detach(struct fixture *f)
{
    store_stage_destroy(f->stage);
    store_close(f->store);
}

static inline void fixture_open(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    strcpy(f->folder, "/tmp/weir-store-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    arena_init(&f->arena, 64 << 10, 256 << 20);
    buf_init(&f->record, 256 << 20);
    fixture_attach(f);
}

static inline void folder_remove(const char *folder)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

static inline void fixture_close(struct fixture *f)
{
    fixture_detach(f);
    arena_fini(&f->arena);
    buf_fini(&f->record);
    folder_remove(f->folder);
}

/* One tick: seal, apply, publish, reset. The record stays in f->record. */
static inline void fixture_commit(struct fixture *f)
{
    struct err err = {0};
    buf_clear(&f->record);
    bool durable = store_stage_durable(f->stage);
    assert_int_equal(store_stage_seal(f->stage, 1700000000123, &f->record), 0);
    assert_int_equal(durable, f->record.len > 0);
    int rc = store_stage_apply(f->stage, durable ? ++f->sequence : 0, &err);
    if (rc)
        fail_msg("apply: %s", err.text);
    assert_int_equal(store_snapshot_publish(f->store), 0);
    store_stage_reset(f->stage);
}

static inline void verify_clean(struct store *store)
{
    struct store_report report;
    assert_int_equal(store_verify(store, &report), 0);
    if (report.damaged)
        fail_msg("damaged: %s", report.first);
}

#endif
