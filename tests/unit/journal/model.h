/*
 * What the journal must hold, kept beside it: one seed per sequence. Every append draws a new seed, so a
 * record that was lost and whose sequence was used again is told from its successor. Lengths lie around the
 * alignment, and some contents hold runs of zeros, which look like the free end of a segment.
 */
#ifndef WEIR_TEST_JOURNAL_MODEL_H
#define WEIR_TEST_JOURNAL_MODEL_H

#include "journal/sim_disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/log.h"
#ifdef MODEL_CIPHER
#include "journal/cipher.h"
#endif

#define MODEL_MAX 20000
#define MODEL_RECORD_MAX 40000

struct model {
    uint32_t seed[MODEL_MAX]; /* by sequence */
    uint32_t len[MODEL_MAX];
    uint64_t last;    /* appended */
    uint64_t durable; /* promised */
    uint64_t first;   /* at least this is still wanted */
    uint32_t next_seed;
    char content[MODEL_RECORD_MAX];
};

static inline void model_content(struct model *m, uint64_t sequence)
{
    uint32_t x = m->seed[sequence] * 2654435761u + 1;
    bool zeros = m->seed[sequence] % 7 == 0;
    for (uint32_t i = 0; i < m->len[sequence]; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        m->content[i] = zeros && (i & 64) ? 0 : (char)x;
    }
}

/* Appends one record of `len` bytes in up to three pieces; the model follows when it succeeds. */
static inline int model_append(struct model *m, struct journal *j, uint32_t len, struct err *err)
{
    uint64_t sequence = 0, next = m->last + 1;
    assert_true(next < MODEL_MAX);
    uint32_t old_seed = m->seed[next], old_len = m->len[next];
    m->seed[next] = ++m->next_seed;
    m->len[next] = len;
    model_content(m, next);
    uint32_t a = len / 3, b = len / 2;
    struct text piece[3] = {{m->content, a}, {m->content + a, b - a}, {m->content + b, len - b}};
    int code = journal_append(j, piece, 3, &sequence, err);
    if (code) {
        m->seed[next] = old_seed;
        m->len[next] = old_len;
    } else {
        assert_int_equal(sequence, next);
        m->last = next;
    }
    m->durable = journal_durable(j);
    return code;
}

/* Reads from `from` to the durable end; every record must be the right one. 0 or the reader's error. */
static inline int model_read(struct model *m, struct journal *j, uint64_t from, struct err *err)
{
    struct journal_reader *r;
    int code = journal_reader_open(j, from, &r, err);
    if (code)
        return code;
    uint64_t expected = from, sequence;
    struct text record;
    while ((code = journal_reader_next(r, &sequence, &record, err)) == 0) {
        assert_int_equal(sequence, expected);
        assert_true(sequence <= m->last);
        assert_int_equal(record.len, m->len[sequence]);
        model_content(m, sequence);
        if (record.len)
            assert_memory_equal(record.data, m->content, record.len);
        expected++;
    }
    if (code == ERR_AGAIN) {
        assert_int_equal(expected, journal_durable(j) + 1);
        code = 0;
    }
    journal_reader_close(r);
    return code;
}

/* After a crash and a successful open: what was promised is there, what was not may be missing only from the
 * end. */
static inline void model_recovered(struct model *m, struct journal *j)
{
    assert_true(journal_last(j) >= m->durable);
    assert_true(journal_last(j) <= m->last);
    assert_true(journal_first(j) <= m->first);
    assert_int_equal(journal_last(j), journal_durable(j));
    m->last = m->durable = journal_last(j);
    struct err err;
    assert_int_equal(model_read(m, j, journal_first(j), &err), 0);
}

static inline uint32_t model_length(struct sim_disk *d)
{
    switch (sim_below(d, 12)) {
    case 0:
        return 0;
    case 1:
        return (uint32_t)sim_below(d, 16);
    case 2:
        return (uint32_t)(4096 + sim_below(d, 3000));
    case 3:
        return sim_below(d, 8) ? 600 : (uint32_t)sim_below(d, MODEL_RECORD_MAX);
    default:
        return (uint32_t)sim_below(d, 700);
    }
}

/* The same tests run once more over encrypted records: a file that defines MODEL_CIPHER and includes them. */
static inline const struct journal_cipher *model_cipher(void)
{
#ifdef MODEL_CIPHER
    static struct journal_gcm *gcm;
    static const unsigned char key[CIPHER_KEY_BYTES] = "a key for the journal's tests";
    if (!gcm)
        assert_int_equal(journal_gcm_create(&gcm, key), 0);
    return journal_gcm_cipher(gcm);
#else
    return NULL;
#endif
}

static inline struct journal_config model_config(struct sim_disk *d)
{
    return (struct journal_config){.folder = "sim",
        .segment_bytes = 16384,
        .recycle_max = 2,
        .foreground = true,
        .files = &d->ops,
        .cipher = model_cipher()};
}

static inline int model_rounds(int usual)
{
    const char *soak = getenv("WEIR_SOAK");
#ifdef MODEL_CIPHER
    usual /= 4;
#endif
    return soak && strcmp(soak, "1") == 0 ? usual * 50 : usual;
}

static inline int model_quiet(void **state)
{
    (void)state;
    log_level_set((enum log_level)(LOG_ERROR + 1));
    return 0;
}

#endif
