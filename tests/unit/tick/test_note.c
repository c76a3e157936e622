/* Notes: what calls leave to the end of their tick is made into rows there, once, and only what was kept; with a full disk nothing that was promised is lost. */
#include "tick/fixture.h"

enum { NOTED = 7 };

struct book { /* what on_seal has seen; state thread, read by the test when it stands still */
    struct fixture *fixture;
    int seals, unseals, notes;
    int order[256];
    int answer;
    struct arena arena;
};

static int on_seal(void *context, struct tick *tick, const struct tick_note *first)
{
    struct book *book = context;
    int64_t sum = 0, value;
    book->seals++;
    for (const struct tick_note *note = first; note; note = note->next) {
        int number;
        assert_int_equal(note->kind, NOTED);
        assert_int_equal(note->size, sizeof(number));
        memcpy(&number, note->data, sizeof(number));
        book->order[book->notes++] = number;
        sum += number;
    }
    arena_reset(&book->arena);
    int rc = value_read(tick_view(tick), book->fixture->table, "sum", &book->arena, &value);
    if (!rc)
        rc = value_write(tick_view(tick), book->fixture->table, "sum", value + sum, 0, &book->arena);
    return rc ? rc : book->answer;
}

static void on_unseal(void *context)
{
    ((struct book *)context)->unseals++;
}

static int make_note(struct tick *tick, unsigned kind, int number)
{
    int *data = tick_note(tick, kind, sizeof(*data));
    if (!data)
        return ERR_MEMORY;
    *data = number;
    return 0;
}

static int note_body(struct tick *tick, struct test_call *call)
{
    return make_note(tick, NOTED, call->number);
}

static int loose_body(struct tick *tick, struct test_call *call)
{
    return make_note(tick, NOTED | TICK_NOTE_LOOSE, call->number);
}

static int cold_once(struct tick *tick, struct test_call *call)
{
    int rc = make_note(tick, NOTED, call->number);
    return rc ? rc : call->call.runs < 2 ? ERR_COLD : 0;
}

static struct fixture *open_with(struct book *book)
{
    struct fixture *f = fixture_new();
    *book = (struct book){.fixture = f};
    arena_init(&book->arena, 4096, 1 << 20);
    f->config.on_seal = on_seal;
    f->config.on_unseal = on_unseal;
    f->config.seal_context = book;
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
    return f;
}

static void close_with(struct fixture *f, struct book *book)
{
    fixture_close(f);
    arena_fini(&book->arena);
}

static void perform_all(struct fixture *f, struct test_call *call, int count)
{
    for (int i = 0; i < count; i++)
        submit(f, &call[i]);
    kick(f);
    for (int i = 0; i < count; i++)
        until(f, call[i].done);
}

static void one_row_of_many_notes(void **state)
{
    (void)state;
    struct book book;
    struct fixture *f = open_with(&book);
    struct test_call call[5];
    for (int i = 0; i < 5; i++) {
        call_init(&call[i], f, i + 1, NULL, 0);
        call[i].body = note_body;
    }
    call[1].answer = ERR_INVALID; /* undone with its note */
    call[3].body = cold_once;
    disk_hold(&f->disk, true);
    struct test_call first;
    call_init(&first, f, 100, "x", 1);
    submit(f, &first);
    kick(f);
    until_plain(atomic_load(&f->disk.waiting) == 1); /* the state thread is in it: the five pile up */
    for (int i = 0; i < 5; i++)
        submit(f, &call[i]);
    kick(f);
    disk_hold(&f->disk, false);
    for (int i = 0; i < 5; i++)
        until(f, call[i].done);
    assert_int_equal(call[1].call.code, ERR_INVALID);
    assert_int_equal(value_of(f, "sum"), 1 + 3 + 4 + 5);
    assert_int_equal(book.notes, 4);
    assert_true(book.seals <= 2); /* the cold one may have come a tick later */
    assert_int_equal(book.unseals, 0);
    fixture_restart(f);
    assert_int_equal(value_of(f, "sum"), 13);
    for (int i = 0; i < 5; i++)
        call_fini(&call[i]);
    call_fini(&first);
    close_with(f, &book);
}

static void a_full_disk_refuses_the_promised_and_drops_the_loose(void **state)
{
    (void)state;
    struct book book;
    struct fixture *f = open_with(&book);
    struct test_call call[3];
    call_init(&call[0], f, 1, NULL, 0);
    call[0].body = note_body;
    call_init(&call[1], f, 2, NULL, 0);
    call[1].body = loose_body;
    call_init(&call[2], f, 4, NULL, 0);
    int64_t dropped = counter_read(COUNTER_tick_notes_dropped);
    atomic_store(&f->disk.full, true);
    until(f, tick_writable(f->tick) == ERR_DISK_FULL);
    perform_all(f, call, 3);
    assert_int_equal(call[0].call.code, ERR_DISK_FULL);
    assert_int_equal(call[1].call.code, 0);
    assert_int_equal(call[2].call.code, 0);
    assert_int_equal(value_of(f, "sum"), 0);
    assert_int_equal(book.seals, 0);
    assert_int_equal(counter_read(COUNTER_tick_notes_dropped) - dropped, 1);
    atomic_store(&f->disk.full, false);
    until(f, tick_writable(f->tick) == 0);
    for (int i = 0; i < 3; i++)
        call[i].done = false;
    perform_all(f, call, 3);
    assert_int_equal(value_of(f, "sum"), 3);
    for (int i = 0; i < 3; i++)
        call_fini(&call[i]);
    close_with(f, &book);
}

static void what_cannot_be_sealed_is_refused(void **state)
{
    (void)state;
    struct book book;
    struct fixture *f = open_with(&book);
    struct test_call call[2];
    call_init(&call[0], f, 1, "kept", 1);
    call[0].body = note_body;
    call_init(&call[1], f, 2, NULL, 0);
    call[1].body = loose_body;
    book.answer = ERR_CORRUPT;
    perform_all(f, call, 2);
    assert_int_equal(call[0].call.code, ERR_CORRUPT);
    assert_int_equal(call[1].call.code, 0);
    assert_true(book.unseals >= 1);
    book.answer = 0;
    assert_int_equal(value_of(f, "kept"), 0);
    assert_int_equal(value_of(f, "sum"), 0);
    call_fini(&call[0]);
    call_fini(&call[1]);
    close_with(f, &book);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_row_of_many_notes),
        cmocka_unit_test(a_full_disk_refuses_the_promised_and_drops_the_loose),
        cmocka_unit_test(what_cannot_be_sealed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
