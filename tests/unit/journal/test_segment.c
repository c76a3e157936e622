/*
 * The format by itself, on bytes: every truncation and every turned bit of a record and of a header is
 * noticed; stale and forged bytes are not believed; the rule of the torn end, case by case.
 */
#include "journal/model.h"

#include "journal/segment.h"

struct image {
    struct sim_disk *d;
    struct journal_header header;
    char data[65536];
    size_t len;
    int handle;
};

static void image_begin(struct image *im)
{
    memset(im, 0, sizeof(*im));
    im->d = sim_init(1);
    im->header =
        (struct journal_header){.first = 100, .epoch = 7, .salt = 0x1122334455667788, .previous = 50};
    journal_header_format(&im->header, im->data);
    im->len = JOURNAL_HEADER_BYTES;
    im->handle = im->d->ops.open(im->d, "x", JOURNAL_OPEN_CREATE);
}

static void image_end(struct image *im)
{
    sim_fini(im->d);
}

/* Returns the record's offset. */
static size_t image_add(struct image *im, uint64_t sequence, uint64_t floor, const char *text)
{
    size_t at = im->len;
    uint32_t length = (uint32_t)strlen(text);
    memcpy(im->data + at + JOURNAL_RECORD_HEADER, text, length);
    journal_record_format(&im->header, im->data + at, length, sequence, floor, false);
    im->len += journal_record_total(length, 0);
    return at;
}

static void image_close_mark(struct image *im, uint64_t last)
{
    journal_record_format(&im->header, im->data + im->len, 0, last + 1, last, true);
    im->len += JOURNAL_RECORD_HEADER;
}

static int image_scan(struct image *im, uint64_t last_expected, struct journal_scan *scan)
{
    struct sim_inode *inode = im->d->handle[im->handle];
    inode->size = 0;
    sim_resize(&inode->data, &inode->size, &inode->cap, im->len);
    memcpy(inode->data, im->data, im->len);
    struct journal_window w;
    journal_window_init(&w, &im->d->ops, im->handle, im->len, 64);
    *scan = (struct journal_scan){.header = &im->header, .last_expected = last_expected};
    int code = journal_segment_scan(&w, scan);
    journal_window_fini(&w);
    return code;
}

static void test_walk(void **state)
{
    (void)state;
    struct image im;
    struct journal_scan scan;
    image_begin(&im);
    image_add(&im, 100, 99, "one");
    image_add(&im, 101, 100, "");
    size_t last = image_add(&im, 102, 100, "three and more bytes");
    im.len += 512; /* zeros of a preallocated file */
    assert_int_equal(image_scan(&im, UINT64_MAX, &scan), 0);
    assert_int_equal(scan.last, 102);
    assert_int_equal(scan.records, 3);
    assert_int_equal(scan.payload_bytes, 23);
    assert_int_equal(scan.end, last + journal_record_total(20, 0));
    assert_false(scan.torn);
    assert_false(scan.closed);
    assert_int_equal(image_scan(&im, 102, &scan), 0);
    assert_int_equal(image_scan(&im, 103, &scan), ERR_CORRUPT); /* the next segment says there were more */
    assert_int_equal(image_scan(&im, 101, &scan), 0);           /* a later epoch began at 102 */
    image_end(&im);
}

/* The last, unwitnessed record cut at every byte: it is torn, those before stay. */
static void test_every_truncation(void **state)
{
    (void)state;
    struct image im;
    struct journal_scan scan;
    image_begin(&im);
    image_add(&im, 100, 99, "first");
    size_t at = image_add(&im, 101, 100, "the second record, which is cut");
    size_t whole = im.len;
    for (size_t len = at; len <= whole; len++) {
        im.len = len;
        assert_int_equal(image_scan(&im, UINT64_MAX, &scan), 0);
        assert_int_equal(scan.last, len == whole ? 101 : 100);
        assert_int_equal(scan.torn, len > at && len < whole);
    }
    image_end(&im);
}

/* Each bit of a record that a later fsync covers: damage. The same bit without a witness: the end. */
static void test_every_bit(void **state)
{
    (void)state;
    struct image im;
    struct journal_scan scan;
    image_begin(&im);
    size_t at = image_add(&im, 100, 99, "a record of some length");
    size_t end = im.len;
    image_add(&im, 101, 99, "made in the same batch");
    size_t unwitnessed = im.len;
    image_add(&im, 102, 101, "made after the fsync");
    size_t witnessed = im.len;
    for (size_t bit = at * 8; bit < end * 8; bit++) {
        im.data[bit / 8] ^= (char)(1 << (bit % 8));
        im.len = unwitnessed;
        assert_int_equal(image_scan(&im, UINT64_MAX, &scan), 0);
        assert_int_equal(scan.last, 99);
        assert_true(scan.torn);
        im.len = witnessed;
        assert_int_equal(image_scan(&im, UINT64_MAX, &scan), ERR_CORRUPT);
        assert_int_equal(scan.last, 99);
        assert_int_equal(scan.end, at);
        im.data[bit / 8] ^= (char)(1 << (bit % 8));
    }
    assert_int_equal(image_scan(&im, UINT64_MAX, &scan), 0);
    image_end(&im);
}

/* A batch whose first record did not reach the disk while its second did: lost together, not damage. */
static void test_reordered_batch(void **state)
{
    (void)state;
    struct image im;
    struct journal_scan scan;
    image_begin(&im);
    image_add(&im, 100, 99, "durable");
    size_t at = image_add(&im, 101, 100, "did not arrive");
    size_t next = im.len;
    image_add(&im, 102, 100, "arrived");
    memset(im.data + at, 0, next - at);
    assert_int_equal(image_scan(&im, UINT64_MAX, &scan), 0);
    assert_int_equal(scan.last, 100);
    image_end(&im);
}

static void test_closing_mark(void **state)
{
    (void)state;
    struct image im;
    struct journal_scan scan;
    image_begin(&im);
    size_t at = image_add(&im, 100, 99, "the only one");
    image_close_mark(&im, 100);
    assert_int_equal(image_scan(&im, UINT64_MAX, &scan), 0);
    assert_true(scan.closed);
    assert_int_equal(scan.last, 100);
    im.data[at + 25] ^= 1;
    assert_int_equal(image_scan(&im, UINT64_MAX, &scan), ERR_CORRUPT); /* the mark is a witness */
    image_end(&im);
}

/* Records of the same file before it was recycled, of another epoch, and one forged inside a payload. */
static void test_stale_and_forged(void **state)
{
    (void)state;
    struct image im;
    struct journal_scan scan;
    struct journal_header now = {.first = 100, .epoch = 7, .salt = 99, .previous = 50};
    struct journal_header olds[] = {
        {.first = 100, .epoch = 7, .salt = 98, .previous = 50}, /* all but the salt */
        {.first = 100, .epoch = 6, .salt = 99, .previous = 50},
        {.first = 40, .epoch = 7, .salt = 99, .previous = 20},
    };
    for (size_t i = 0; i < sizeof(olds) / sizeof(olds[0]); i++) {
        image_begin(&im);
        im.header = now;
        journal_header_format(&im.header, im.data);
        image_add(&im, 100, 99, "the present one");
        struct journal_header kept = im.header;
        im.header = olds[i];
        char unused[64];
        journal_header_format(&im.header, unused);
        image_add(&im, 101, 100, "stale, with just the right sequence");
        image_add(&im, 102, 101, "stale, and it would be a witness");
        im.header = kept;
        assert_int_equal(image_scan(&im, UINT64_MAX, &scan), 0);
        assert_int_equal(scan.last, 100);
        image_end(&im);
    }
}

static void test_header(void **state)
{
    (void)state;
    struct journal_header header =
                              {.first = 9, .epoch = 2, .salt = 3, .previous = 4, .cipher = 5, .overhead = 16},
                          back;
    char data[64];
    journal_header_format(&header, data);
    assert_int_equal(journal_header_parse(&back, data, 64), 0);
    assert_memory_equal(&back, &header, sizeof(back));
    for (size_t len = 0; len < 64; len++)
        assert_int_equal(journal_header_parse(&back, data, len), ERR_TRUNCATED);
    for (size_t bit = 0; bit < 64 * 8; bit++) {
        data[bit / 8] ^= (char)(1 << (bit % 8));
        assert_int_equal(journal_header_parse(&back, data, 64), ERR_CORRUPT);
        data[bit / 8] ^= (char)(1 << (bit % 8));
    }
}

static void test_names(void **state)
{
    (void)state;
    char name[JOURNAL_NAME_SIZE];
    uint64_t first;
    journal_segment_name(42, name);
    assert_string_equal(name, "00000000000000000042.log");
    assert_true(journal_segment_name_parse(name, &first));
    assert_int_equal(first, 42);
    static const char *const bad[] = {"", "42.log", "00000000000000000042.log2", "0000000000000000004x.log",
        "00000000000000000000.log", "99999999999999999999.log", "00000000000000000042.lo",
        "spare.00000000000000000042"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(journal_segment_name_parse(bad[i], &first));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_reordered_batch),
        cmocka_unit_test(test_closing_mark),
        cmocka_unit_test(test_stale_and_forged),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests_name("journal segment", tests, model_quiet, NULL);
}
