/* Boards: what is shown after any changes is the top of a sorted list, and the steps lead there from what was shown; what is not known is said. */
#include "gateway/live_board.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PEOPLE 300
#define TEXT_SIZE 32

/* Everybody who could stand on the board. */
struct person {
    bool there;
    unsigned score, version;
};
static struct person people[PEOPLE];
static uint32_t seed = 7;

static unsigned draw(unsigned below)
{
    seed = seed * 1664525u + 1013904223u;
    return (unsigned)(((uint64_t)seed * below) >> 32);
}

static struct text order_of(int i, char out[TEXT_SIZE])
{
    return text_make(out, (size_t)snprintf(out, TEXT_SIZE, "%06u/%03d", people[i].score, i));
}

static struct text key_of(int i, char out[TEXT_SIZE])
{
    return text_make(out, (size_t)snprintf(out, TEXT_SIZE, "key %d", i));
}

static struct text item_of(int i, char out[TEXT_SIZE])
{
    return text_make(out, (size_t)snprintf(out, TEXT_SIZE, "item %d %u %u", i, people[i].score, people[i].version));
}

static bool is_backward;

static int by_order(const void *a, const void *b)
{
    char x[TEXT_SIZE], y[TEXT_SIZE];
    int way = text_compare(order_of(*(const int *)a, x), order_of(*(const int *)b, y));
    return is_backward ? -way : way;
}

static int sorted(int *out)
{
    int count = 0;
    for (int i = 0; i < PEOPLE; i++)
        if (people[i].there)
            out[count++] = i;
    qsort(out, (size_t)count, sizeof(*out), by_order);
    return count;
}

static void read_again(struct board *board)
{
    struct board fresh;
    int all[PEOPLE], count = sorted(all), i = 0, code = 0;
    assert_int_equal(board_init(&fresh, board->top, board->backward), 0);
    while (i < count && !code) {
        char a[TEXT_SIZE], b[TEXT_SIZE], c[TEXT_SIZE];
        code = board_append(&fresh, order_of(all[i], a), key_of(all[i], b), item_of(all[i], c));
        i += !code;
    }
    assert_true(code == 0 || code == ERR_FULL);
    fresh.complete = i == count;
    /* What was shown stays. */
    struct board_entry **shown = fresh.shown;
    fresh.shown = board->shown;
    fresh.shown_count = board->shown_count;
    fresh.serial = board->serial;
    board->shown = shown;
    board->shown_count = 0;
    board_fini(board);
    *board = fresh;
}

/* What somebody has who does the steps. */
struct reader {
    char key[BOARD_TOP_MAX + 1][TEXT_SIZE], item[BOARD_TOP_MAX + 1][TEXT_SIZE];
    uint32_t count, most;
    int steps;
};

static void put(char *out, struct text text)
{
    assert_true(text.len < TEXT_SIZE);
    memcpy(out, text.data, text.len);
    out[text.len] = 0;
}

static void take_out(struct reader *r, uint32_t at, const struct board_entry *entry)
{
    char key[TEXT_SIZE];
    put(key, entry->key);
    assert_true(at < r->count);
    assert_string_equal(r->key[at], key);
    r->count--;
    memmove(r->key[at], r->key[at + 1], (r->count - at) * TEXT_SIZE);
    memmove(r->item[at], r->item[at + 1], (r->count - at) * TEXT_SIZE);
}

static void put_in(struct reader *r, uint32_t at, const struct board_entry *entry)
{
    assert_true(at <= r->count && r->count < r->most);
    memmove(r->key[at + 1], r->key[at], (r->count - at) * TEXT_SIZE);
    memmove(r->item[at + 1], r->item[at], (r->count - at) * TEXT_SIZE);
    put(r->key[at], entry->key);
    put(r->item[at], entry->item);
    r->count++;
}

static void step(void *context, char kind, uint32_t from, uint32_t to, const struct board_entry *entry)
{
    struct reader *r = context;
    char item[TEXT_SIZE];
    r->steps++;
    if (kind == 'L' || kind == 'M')
        take_out(r, from, entry);
    if (kind == 'E' || kind == 'M')
        put_in(r, to, entry);
    if (kind == 'U') {
        put(item, entry->item);
        assert_string_not_equal(r->item[to], item); /* else nothing was to be told */
        put(r->item[to], entry->item);
    }
}

static void assert_top(const struct reader *r, uint32_t top)
{
    int all[PEOPLE], count = sorted(all);
    uint32_t expected = (uint32_t)count < top ? (uint32_t)count : top;
    assert_int_equal(r->count, expected);
    for (uint32_t i = 0; i < expected; i++) {
        char key[TEXT_SIZE], item[TEXT_SIZE];
        put(key, key_of(all[i], key));
        put(item, item_of(all[i], item));
        assert_string_equal(r->key[i], key);
        assert_string_equal(r->item[i], item);
    }
}

static int change(struct board *board, int i, bool *moved)
{
    char a[TEXT_SIZE], b[TEXT_SIZE], c[TEXT_SIZE];
    int code = 0, inserted = 0;
    if (people[i].there)
        code = board_remove(board, order_of(i, a), moved);
    people[i].there = draw(4) > 0;
    people[i].score = draw(500);
    people[i].version += draw(3) > 0;
    if (people[i].there)
        inserted = board_insert(board, order_of(i, a), key_of(i, b), item_of(i, c), moved);
    assert_int_equal(inserted, 0);
    assert_true(code == 0 || code == ERR_AGAIN);
    return board->count < board->top && !board->complete ? ERR_AGAIN : 0;
}

static void run(uint32_t top, bool backward, unsigned changes_between)
{
    static struct reader reader;
    struct board board;
    unsigned again = 0, quiet = 0;
    memset(people, 0, sizeof(people));
    memset(&reader, 0, sizeof(reader));
    reader.most = 2 * top + 1;
    is_backward = backward;
    assert_int_equal(board_init(&board, top, backward), 0);
    board.complete = true;
    for (int round = 0; round < 4000; round++) {
        bool moved = false, lost = false;
        for (unsigned n = 0; n < 1 + draw(changes_between); n++)
            lost |= change(&board, (int)draw(PEOPLE), &moved) == ERR_AGAIN;
        if (lost || draw(50) == 0) {
            read_again(&board);
            again++;
        }
        int before = reader.steps;
        assert_int_equal(board_show(&board, step, &reader), 0);
        assert_true(moved || lost || reader.steps == before);
        quiet += reader.steps == before;
        assert_true(reader.count <= top);
        assert_top(&reader, top);
        assert_true(board.count <= board.max);
    }
    assert_true(again > 10 && (quiet > 10 || top > 50 || changes_between > 1));
    board_fini(&board);
}

static void test_model(void **state)
{
    (void)state;
    run(1, false, 1);
    run(10, true, 1);
    run(10, false, 30);
    run(100, false, 1);
    run(100, true, 200);
    run(BOARD_TOP_MAX, false, 5);
}

static void test_few_steps(void **state)
{
    static struct reader reader;
    struct board board;
    char a[TEXT_SIZE], b[TEXT_SIZE], c[TEXT_SIZE];
    bool moved = false;
    (void)state;
    memset(people, 0, sizeof(people));
    memset(&reader, 0, sizeof(reader));
    reader.most = 201;
    is_backward = false;
    assert_int_equal(board_init(&board, 100, false), 0);
    board.complete = true;
    for (int i = 0; i < 100; i++) {
        people[i] = (struct person){.there = true, .score = (unsigned)(10 + i)};
        assert_int_equal(board_insert(&board, order_of(i, a), key_of(i, b), item_of(i, c), &moved), 0);
    }
    assert_int_equal(board_show(&board, step, &reader), 0);
    assert_int_equal(reader.steps, 100);
    assert_int_equal(board_remove(&board, order_of(0, a), &moved), 0); /* the first becomes the last: one move, not ninety-nine */
    people[0].score = 400;
    people[0].version++;
    assert_int_equal(board_insert(&board, order_of(0, a), key_of(0, b), item_of(0, c), &moved), 0);
    assert_int_equal(board_show(&board, step, &reader), 0);
    assert_int_equal(reader.steps, 101);
    assert_top(&reader, 100);
    assert_int_equal(board_show(&board, step, &reader), 0);
    assert_int_equal(reader.steps, 101);
    board_fini(&board);
}

static void test_bounds(void **state)
{
    struct board board;
    char order[TEXT_SIZE];
    bool moved = false;
    (void)state;
    char *large = malloc(300000);
    memset(large, 'x', 300000);
    assert_int_equal(board_init(&board, 20, false), 0);
    int code = 0, count = 0;
    while (!(code = board_append(&board, text_make(order, (size_t)snprintf(order, sizeof(order), "%04d", count)), TEXT("k"), text_make(large, 300000))))
        count++;
    assert_int_equal(code, ERR_FULL); /* the spare ones end at 4 MiB, the top does not */
    assert_int_equal(count, 20);
    assert_false(board.complete);
    assert_int_equal(board_insert(&board, TEXT("0000a"), TEXT("k"), text_make(large, 300000), &moved), 0);
    assert_int_equal(board.count, 20);
    board_fini(&board);
    assert_int_equal(board_init(&board, BOARD_TOP_MAX, false), 0);
    for (count = 0; !(code = board_append(&board, text_make(order, (size_t)snprintf(order, sizeof(order), "%04d", count)), TEXT("k"), text_make(large, 300000)));)
        count++;
    assert_int_equal(code, ERR_TOO_LARGE);
    assert_int_equal(count, BOARD_TOP_BYTES_MAX / 300000);
    board_fini(&board);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_few_steps),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
