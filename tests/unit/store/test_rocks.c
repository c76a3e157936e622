/*
 * RocksDB behind its functions: random puts, deletions, look-ups and walks against a plain model, over snapshots of every
 * age, with flushes in between; a key with very many versions; readers beside the writer. And what a look-up that may not touch the disk answers about files
 * that are not open.
 */
#include "store/fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "store/rocks.h"

enum { KEYS = 300, KEY_MAX = 24, STEPS = 4000, SNAPSHOTS = 6, HOT_WRITES = 20000 };

struct base {
    char folder[64];
    struct rocks *rocks;
    struct rocks_batch *batch;
};

static void base_attach(struct base *b)
{
    struct err err = {0};
    if (rocks_open(&b->rocks, b->folder, 8u << 20, 4u << 20, NULL, &err))
        fail_msg("rocks_open: %s", err.text);
    b->batch = rocks_batch_create();
}

static void base_detach(struct base *b)
{
    rocks_batch_destroy(b->batch);
    rocks_close(b->rocks);
}

static void base_open(struct base *b)
{
    strcpy(b->folder, "/tmp/weir-rocks-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    base_attach(b);
}

static void base_close(struct base *b)
{
    base_detach(b);
    folder_remove(b->folder);
}

static void write_batch(struct base *b)
{
    assert_int_equal(rocks_write(b->rocks, b->batch, NULL), 0);
    rocks_batch_clear(b->batch);
}

/* ---- the model: keys in order, what each holds now, and copies of that ---- */

struct state {
    int64_t value[KEYS]; /* 0: absent */
};
struct model {
    struct text key[KEYS];
    char bytes[KEYS][KEY_MAX];
    struct state now, then[SNAPSHOTS];
    const struct rocks_snapshot *snapshot[SNAPSHOTS];
    uint64_t random;
};

static int by_key(const void *a, const void *b)
{
    return text_compare(*(const struct text *)a, *(const struct text *)b);
}

/* Keys of few letters, zeros and 0xff among them, so that many begin alike and some are the beginning of others. */
static void model_keys(struct model *m)
{
    static const char letters[] = {0, 1, 'a', 'b', (char)0x7f, (char)0x80, (char)0xff};
    for (int i = 0; i < KEYS; i++) {
        bool known = true;
        while (known) {
            size_t len = 1 + random_next(&m->random) % KEY_MAX;
            for (size_t k = 0; k < len; k++)
                m->bytes[i][k] = random_next(&m->random) % 3 ? 'a' : letters[random_next(&m->random) % sizeof(letters)];
            m->key[i] = text_make(m->bytes[i], len);
            known = false;
            for (int j = 0; j < i; j++)
                known = known || text_equal(m->key[i], m->key[j]);
        }
    }
    qsort(m->key, KEYS, sizeof(m->key[0]), by_key);
}

static int64_t value_of(struct text bytes)
{
    int64_t value;
    assert_true(bytes.len >= sizeof(value));
    memcpy(&value, bytes.data, sizeof(value));
    return value;
}

static void check_get(struct base *b, const struct model *m, const struct rocks_snapshot *snapshot, const struct state *state, int i)
{
    struct rocks_value value;
    int rc = rocks_get(b->rocks, snapshot, false, m->key[i], &value);
    assert_int_equal(rc, state->value[i] ? 0 : ERR_NOT_FOUND);
    if (rc == 0)
        assert_int_equal(value_of(value.bytes), state->value[i]);
    rocks_value_release(&value);
}

/* The next key of the model that is there, from `i` on. */
static int there(const struct state *state, int i, int step, int from, int to)
{
    while (i >= from && i < to && !state->value[i])
        i += step;
    return i >= from && i < to ? i : -1;
}

/* From anywhere in any range, some steps with turns. */
static void check_walk(struct base *b, struct model *m, const struct rocks_snapshot *snapshot, const struct state *state)
{
    int from = (int)(random_next(&m->random) % KEYS), to = from + 1 + (int)(random_next(&m->random) % (uint64_t)(KEYS - from));
    int at = from + (int)(random_next(&m->random) % (uint64_t)(to - from));
    bool backward = random_next(&m->random) % 2;
    struct rocks_iter *iter;
    assert_int_equal(rocks_iter_open(b->rocks, snapshot, 0, m->key[from], to < KEYS ? m->key[to] : TEXT_NONE, &iter), 0);
    int rc = rocks_iter_seek(iter, m->key[at], backward);
    int expected = there(state, at, backward ? -1 : 1, from, to);
    for (int steps = (int)(random_next(&m->random) % 40); expected >= 0 && steps; steps--) {
        assert_int_equal(rc, 0);
        assert_true(text_equal(rocks_iter_key(iter), m->key[expected]));
        assert_int_equal(value_of(rocks_iter_value(iter)), state->value[expected]);
        if (random_next(&m->random) % 8 == 0)
            backward = !backward;
        rc = rocks_iter_step(iter, backward);
        expected = there(state, expected + (backward ? -1 : 1), backward ? -1 : 1, from, to);
    }
    if (expected < 0)
        assert_int_equal(rc, ERR_NOT_FOUND);
    rocks_iter_close(iter);
}

static void write_some(struct base *b, struct model *m, int64_t *written)
{
    char value[64] = "";
    bool touched[KEYS] = {false};
    for (uint64_t n = 1 + random_next(&m->random) % 12; n; n--) {
        /* A tenth of the keys take half of the writes. */
        int i = (int)(random_next(&m->random) % (random_next(&m->random) % 2 ? KEYS : KEYS / 10));
        if (touched[i])
            continue;
        touched[i] = true;
        m->now.value[i] = random_next(&m->random) % 5 ? ++*written : 0;
        memcpy(value, &m->now.value[i], sizeof(m->now.value[i]));
        if (m->now.value[i])
            rocks_batch_put(b->batch, m->key[i], text_make(value, 8 + random_next(&m->random) % 56));
        else
            rocks_batch_delete(b->batch, m->key[i]);
    }
    write_batch(b);
}

static void replace_snapshot(struct base *b, struct model *m)
{
    size_t i = random_next(&m->random) % SNAPSHOTS;
    rocks_snapshot_destroy(b->rocks, m->snapshot[i]);
    m->snapshot[i] = rocks_snapshot_create(b->rocks);
    m->then[i] = m->now;
}

static void run_model(uint64_t seed)
{
    struct base b;
    struct model *m = calloc(1, sizeof(*m));
    int64_t written = 0;
    m->random = seed;
    base_open(&b);
    model_keys(m);
    for (int step = 0; step < STEPS; step++) {
        write_some(&b, m, &written);
        size_t s = random_next(&m->random) % (SNAPSHOTS + 1);
        const struct rocks_snapshot *snapshot = s < SNAPSHOTS ? m->snapshot[s] : NULL;
        const struct state *state = snapshot ? &m->then[s] : &m->now;
        for (int i = 0; i < 4; i++)
            check_get(&b, m, snapshot, state, (int)(random_next(&m->random) % KEYS));
        check_walk(&b, m, snapshot, state);
        if (random_next(&m->random) % 40 == 0)
            replace_snapshot(&b, m);
        if (random_next(&m->random) % 1500 == 0)
            assert_int_equal(rocks_flush(b.rocks, true, NULL), 0);
    }
    for (int i = 0; i < SNAPSHOTS; i++)
        rocks_snapshot_destroy(b.rocks, m->snapshot[i]);
    for (int i = 0; i < KEYS; i++)
        check_get(&b, m, NULL, &m->now, i);
    base_detach(&b);
    base_attach(&b);
    for (int i = 0; i < KEYS; i++)
        check_get(&b, m, NULL, &m->now, i);
    base_close(&b);
    free(m);
}

static void test_model(void **state)
{
    (void)state;
    run_model(UINT64_C(0x5eed));
    run_model(UINT64_C(20261121));
}

/* ---- many versions ---- */

static void put_number(struct base *b, const char *key, int64_t value)
{
    rocks_batch_put(b->batch, text_of(key), text_make((const char *)&value, sizeof(value)));
}

static int64_t number_at(struct base *b, const struct rocks_snapshot *snapshot, const char *key)
{
    struct rocks_value value;
    assert_int_equal(rocks_get(b->rocks, snapshot, false, text_of(key), &value), 0);
    int64_t number = value_of(value.bytes);
    rocks_value_release(&value);
    return number;
}

/* Every snapshot finds its own version among twenty thousand, and a walk goes past all of them, both ways. */
static void test_hot_key(void **state)
{
    (void)state;
    struct base b;
    const struct rocks_snapshot *snapshot[64];
    int64_t held[64];
    int count = 0;
    base_open(&b);
    put_number(&b, "a", -1);
    put_number(&b, "c", -2);
    write_batch(&b);
    for (int64_t i = 1; i <= HOT_WRITES; i++) {
        put_number(&b, "b", i);
        write_batch(&b);
        if (i % (HOT_WRITES / 64) == 1 && count < 64) {
            held[count] = i;
            snapshot[count++] = rocks_snapshot_create(b.rocks);
        }
    }
    assert_int_equal(count, 64);
    assert_int_equal(number_at(&b, NULL, "b"), HOT_WRITES);
    for (int s = 0; s < count; s++) {
        struct rocks_iter *iter;
        assert_int_equal(number_at(&b, snapshot[s], "b"), held[s]);
        assert_int_equal(rocks_iter_open(b.rocks, snapshot[s], 0, TEXT_NONE, TEXT_NONE, &iter), 0);
        const int64_t expected[] = {-1, held[s], -2};
        for (int turn = 0; turn < 2; turn++) {
            int rc = rocks_iter_seek(iter, turn ? TEXT("z") : TEXT("a"), turn);
            for (int k = 0; k < 3; k++, rc = rocks_iter_step(iter, turn)) {
                assert_int_equal(rc, 0);
                assert_int_equal(value_of(rocks_iter_value(iter)), expected[turn ? 2 - k : k]);
            }
            assert_int_equal(rc, ERR_NOT_FOUND);
        }
        rocks_iter_close(iter);
        rocks_snapshot_destroy(b.rocks, snapshot[s]);
    }
    base_close(&b);
}

/* ---- readers beside the writer ---- */

enum { TOGETHER = 40, ROUNDS = 1500, READERS = 2 };
struct beside {
    struct base base;
    atomic_bool over;
    atomic_int walks;
};

static void name_of(char key[40], int i)
{
    snprintf(key, 40, "key%03d", i);
}

/* Every batch sets all keys to one number, new keys come between them; so a snapshot shows one number throughout. */
static void *read_beside(void *arg)
{
    struct beside *t = arg;
    int64_t last = 0;
    while (!atomic_load(&t->over)) {
        const struct rocks_snapshot *snapshot = rocks_snapshot_create(t->base.rocks);
        struct rocks_iter *iter;
        char key[40];
        name_of(key, (int)(last % TOGETHER));
        int64_t number = number_at(&t->base, snapshot, key);
        int seen = 0;
        bool backward = last % 2;
        if (number < last || rocks_iter_open(t->base.rocks, snapshot, 0, TEXT("key"), TEXT("kez"), &iter))
            abort();
        for (int rc = rocks_iter_seek(iter, backward ? TEXT("key999") : TEXT("key"), backward); !rc; rc = rocks_iter_step(iter, backward)) {
            if (value_of(rocks_iter_value(iter)) != number)
                abort();
            seen++;
        }
        if (seen != TOGETHER)
            abort();
        rocks_iter_close(iter);
        rocks_snapshot_destroy(t->base.rocks, snapshot);
        last = number;
        atomic_fetch_add(&t->walks, 1);
    }
    return NULL;
}

static void write_round(struct base *b, int64_t number)
{
    char key[40];
    for (int i = 0; i < TOGETHER; i++) {
        name_of(key, i);
        put_number(b, key, number);
    }
    snprintf(key, sizeof(key), "key%03d.%d", (int)(number % TOGETHER), (int)number); /* between the keys, and gone with the next batch */
    put_number(b, key, number);
    rocks_batch_delete(b->batch, text_of(key));
    snprintf(key, sizeof(key), "other%d", (int)(number * 7919 % 100000));
    put_number(b, key, number);
    write_batch(b);
}

static void test_readers(void **state)
{
    (void)state;
    struct beside t = {.over = false};
    pthread_t reader[READERS];
    base_open(&t.base);
    write_round(&t.base, 1);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&reader[i], NULL, read_beside, &t), 0);
    for (int64_t number = 2; number < ROUNDS || atomic_load(&t.walks) < 20; number++)
        write_round(&t.base, number);
    atomic_store(&t.over, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(reader[i], NULL);
    base_close(&t.base);
}

/* ---- files that are not open ---- */

enum { FILES = 40 };

/* After the start only the first files are open. A look-up that may not open one must say so, and never answer an empty value for the one it has not read; a value that is
   empty stays one. */
static void test_unopened_files(void **state)
{
    (void)state;
    struct base b;
    char key[40];
    int cold = 0;
    base_open(&b);
    for (int i = 0; i < FILES; i++) { /* ranges that do not overlap: each file stays one */
        for (int64_t k = 0; k < 5; k++) {
            snprintf(key, sizeof(key), "file%03d.%d", i, (int)k);
            put_number(&b, key, i);
        }
        snprintf(key, sizeof(key), "file%03d.empty", i);
        rocks_batch_put(b.batch, text_of(key), TEXT(""));
        write_batch(&b);
        assert_int_equal(rocks_flush(b.rocks, true, NULL), 0);
    }
    base_detach(&b);
    base_attach(&b);
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < FILES; i++)
            for (int empty = 0; empty < 2; empty++) {
                struct rocks_value value;
                snprintf(key, sizeof(key), "file%03d.%s", i, empty ? "empty" : "3");
                int rc = rocks_get(b.rocks, NULL, true, text_of(key), &value);
                if (rc == ERR_COLD) {
                    assert_null(value.pin);
                    cold++;
                    rc = rocks_get(b.rocks, NULL, false, text_of(key), &value);
                }
                assert_int_equal(rc, 0);
                if (empty)
                    assert_int_equal(value.bytes.len, 0);
                else
                    assert_int_equal(value_of(value.bytes), i);
                rocks_value_release(&value);
                if (turn) { /* warm by now */
                    assert_int_equal(rocks_get(b.rocks, NULL, true, text_of(key), &value), 0);
                    rocks_value_release(&value);
                }
            }
    assert_true(cold > 0);
    base_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_hot_key),
        cmocka_unit_test(test_readers),
        cmocka_unit_test(test_unopened_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
