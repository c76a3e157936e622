/* Histories of a data folder: which positions are its own (IN-5). */
#include "gateway/lineage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define A "aaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbb"
#define C "cccccccccccccccc"

static bool reaches(const char *file, const char *id, uint64_t sequence)
{
    struct lineage lineage;
    assert_int_equal(lineage_parse(text_of(file), &lineage), 0);
    return lineage_reaches(&lineage, text_of(id), sequence);
}

static void one_history(void **state)
{
    const char *file = "weir lineage 1\n" A " 0\n";
    (void)state;
    assert_true(reaches(file, A, 5));
    assert_true(reaches(file, "", 5));
    assert_false(reaches(file, B, 5));
    assert_true(reaches("", B, 5)); /* nothing is known */
}

/* A up to 100, B up to 200 (A went on elsewhere), C since then. */
static void restored_twice(void **state)
{
    const char *file = "weir lineage 1\n" A " 0\n" B " 100\n" C " 200\n";
    (void)state;
    assert_true(reaches(file, A, 100));
    assert_false(reaches(file, A, 101));
    assert_true(reaches(file, B, 101));
    assert_true(reaches(file, B, 200));
    assert_false(reaches(file, B, 201));
    assert_true(reaches(file, C, 5000));
    assert_true(reaches(file, "", 100));
    assert_false(reaches(file, "", 101));
    assert_false(reaches(file, "x", 1));
}

/* The same again from an older backup: what is shared with the first is what every later one shares. */
static void a_later_one_may_share_less(void **state)
{
    const char *file = "weir lineage 1\n" A " 0\n" B " 100\n" C " 50\n";
    (void)state;
    assert_true(reaches(file, A, 50));
    assert_false(reaches(file, A, 51));
    assert_false(reaches(file, B, 51));
}

static void begins_and_says_so(void **state)
{
    struct lineage lineage;
    struct buf text;
    (void)state;
    assert_int_equal(lineage_parse(TEXT("weir lineage 1\n" A " 0\n- 7\n"), &lineage), 0);
    assert_true(lineage.due);
    assert_int_equal(lineage.due_from, 7);
    assert_string_equal(lineage_id(&lineage), A);
    buf_init(&text, LINEAGE_BYTES);
    lineage_format(&lineage, &text);
    assert_true(text_is(buf_text(&text), "weir lineage 1\n" A " 0\n- 7\n"));
    lineage_begin(&lineage, 7, B);
    assert_false(lineage.due);
    assert_string_equal(lineage_id(&lineage), B);
    assert_false(lineage_reaches(&lineage, text_of(A), 8));
    buf_fini(&text);
}

static void forgotten(void **state)
{
    struct lineage lineage;
    (void)state;
    lineage_forget(&lineage);
    lineage_begin(&lineage, 0, A);
    assert_true(lineage_reaches(&lineage, text_of(A), 9));
    assert_false(lineage_reaches(&lineage, TEXT_NONE, 1));
    assert_false(lineage_reaches(&lineage, text_of(B), 1));
}

/* More than are remembered: of the dropped ones nothing is known, the others keep their bounds, and the text stays within its own. */
static void many(void **state)
{
    struct lineage lineage = {0}, again;
    struct buf text;
    (void)state;
    lineage_begin(&lineage, 0, A);
    for (unsigned i = 1; i < 3 * LINEAGE_MAX; i++) {
        char id[LINEAGE_ID + 1];
        snprintf(id, sizeof(id), "%016x", i);
        lineage_begin(&lineage, 10 * i, id);
    }
    assert_int_equal(lineage.count, LINEAGE_MAX);
    assert_true(lineage_reaches(&lineage, text_of(A), 10));
    assert_false(lineage_reaches(&lineage, text_of(A), 11));
    assert_false(lineage_reaches(&lineage, TEXT_NONE, 11));
    assert_false(lineage_reaches(&lineage, TEXT("0000000000000001"), 1));
    assert_true(lineage_reaches(&lineage, TEXT("00000000000000bf"), 1 << 20));
    buf_init(&text, LINEAGE_BYTES);
    lineage.due = true;
    lineage.due_from = UINT64_MAX - 1;
    lineage_format(&lineage, &text);
    assert_false(text.failed);
    assert_int_equal(lineage_parse(buf_text(&text), &again), 0);
    assert_memory_equal(&lineage, &again, sizeof(again));
    buf_fini(&text);
}

static void damaged(void **state)
{
    static const char *const texts[] = {"weir lineage 2\n", "x", "weir lineage 1\n" A "\n", "weir lineage 1\n" A " -1\n", "weir lineage 1\naaaa 1\n", "weir lineage 1\nAAAAAAAAAAAAAAAA 0\n",
        "weir lineage 1\n- 5\n" A " 0\n", "weir lineage 1\n\n"};
    struct lineage lineage;
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (lineage_parse(text_of(texts[i]), &lineage) == 0)
            fail_msg("taken: %s", texts[i]);
        assert_int_equal(lineage.count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_history), cmocka_unit_test(restored_twice), cmocka_unit_test(a_later_one_may_share_less), cmocka_unit_test(begins_and_says_so),
        cmocka_unit_test(forgotten), cmocka_unit_test(many), cmocka_unit_test(damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
