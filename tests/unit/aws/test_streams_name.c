/* What streams and changes are called: labels, ARNs, sequence numbers in order, event ids that differ, iterators that nobody can bend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "aws/streams.h"

#include "base/codec.h"
#include "base/hash.h"

#define LABEL_MS INT64_C(1437243202148)

static void arns(void **state)
{
    (void)state;
    struct gateway_config config = {.region = TEXT("eu-west-1"), .account = TEXT("123456789012")};
    struct aws_call call = {.config = &config};
    struct text table;
    int64_t label_ms;
    struct buf arn;
    buf_init(&arn, 1024);
    streams_arn_add(&call, TEXT("my.table-1_x"), LABEL_MS, &arn);
    assert_true(text_is(buf_text(&arn), "arn:aws:dynamodb:eu-west-1:123456789012:table/my.table-1_x/stream/2015-07-18T18:13:22.148"));
    assert_true(streams_arn_parse(buf_text(&arn), &table, &label_ms));
    assert_true(text_is(table, "my.table-1_x"));
    assert_int_equal(label_ms, LABEL_MS);
    for (size_t len = 0; len < arn.len; len++)
        assert_false(streams_arn_parse(text_make(arn.data, len), &table, &label_ms));
    static const char *const bad[] = {
        "arn:aws:dynamodb:x:1:table/ab/stream/2015-07-18T18:13:22.148", "arn:aws:kinesis:x:1:table/abc/stream/2015-07-18T18:13:22.148",
        "urn:aws:dynamodb:x:1:table/abc/stream/2015-07-18T18:13:22.148", "arn:aws:dynamodb:x:1:queue/abc/stream/2015-07-18T18:13:22.148",
        "arn:aws:dynamodb:x:1:table/abc/streams/2015-07-18T18:13:22.148", "arn:aws:dynamodb:x:1:table/abc/stream/2015-07-18T18:13:22.14Z",
        "arn:aws:dynamodb:x:1:table/abc/stream/2015-02-30T18:13:22.148", "arn:aws:dynamodb:x:1:table/abc/stream/2015-07-18 18:13:22.148",
        "arn:aws:dynamodb:x:1:table/abc/stream/2015-07-18T18:13:22.1480", "arn:aws:dynamodb:x:1:table/abc/stream/2015-07-18T18:13:22.148/x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(streams_arn_parse(text_of(bad[i]), &table, &label_ms));
    buf_fini(&arn);
}

static const struct feed_position places[] = {{0, 0}, {0, 1}, {1, 0}, {1, 9}, {1, 10}, {9, 0}, {10, 0}, {99, 4000000000u}, {100, 0}, {100, UINT32_MAX},
    {UINT32_MAX, 7}, {(uint64_t)UINT32_MAX + 1, 0}, {UINT64_MAX - 1, UINT32_MAX}};
#define PLACES (sizeof(places) / sizeof(places[0]))

static void sequence_numbers(void **state)
{
    (void)state;
    char text[PLACES][STREAMS_SEQUENCE_SIZE];
    struct feed_position back;
    for (size_t i = 0; i < PLACES; i++) {
        streams_sequence_format(places[i], text[i]);
        assert_int_equal(strlen(text[i]), 31);
        assert_int_equal(streams_sequence_parse(text_of(text[i]), &back), 0);
        assert_int_equal(feed_compare(back, places[i]), 0);
        assert_true(i == 0 || strcmp(text[i - 1], text[i]) < 0);
        /* before a place, and nothing between */
        struct feed_position before = streams_before(places[i]);
        assert_true(feed_compare(before, places[i]) < 0 || places[i].sequence == 0);
        assert_true(i == 0 || places[i].sequence == 0 || feed_compare(places[i - 1], before) <= 0);
    }
    static const char *const bad[] = {"", "1", "0000000000000000000000000000000", "10000000000000000000000000000000", "100000000000000000000000000000x",
        "1000000000000000000000000000000 ", "1184467440737095516150000000000", "1000000000000000000019999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(streams_sequence_parse(text_of(bad[i]), &back), ERR_SYNTAX);
}

static void event_ids(void **state)
{
    (void)state;
    char id[PLACES * 2][33];
    for (size_t i = 0; i < PLACES; i++) {
        streams_event_id(7, places[i], id[2 * i]);
        streams_event_id(8, places[i], id[2 * i + 1]);
    }
    for (size_t i = 0; i < PLACES * 2; i++) {
        assert_int_equal(strspn(id[i], "0123456789abcdef"), 32);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(id[i], id[k]);
    }
    char again[33];
    streams_event_id(7, places[3], again);
    assert_string_equal(again, id[6]);
}

static void shards(void **state)
{
    (void)state;
    char a[STREAMS_SHARD_SIZE], b[STREAMS_SHARD_SIZE];
    struct streams_row row = {.table = TEXT("orders"), .label_ms = LABEL_MS, .table_id = 4};
    streams_shard(&row, a);
    assert_int_equal(strlen(a), 37);
    assert_memory_equal(a, "shardId-00000001437243202148-", 29);
    row.table_id = 5;
    streams_shard(&row, b);
    assert_string_not_equal(a, b);
}

static struct streams_iterator sample(size_t name_len)
{
    struct streams_iterator it = {.table_len = name_len, .label_ms = LABEL_MS, .after = {1234567, 89}, .issued_ms = LABEL_MS + 5, .from_horizon = true};
    memset(it.table, 't', name_len);
    return it;
}

static void iterators(void **state)
{
    (void)state;
    for (size_t len = 3; len <= 255; len += 63) {
        struct streams_iterator it = sample(len), back;
        struct buf text;
        buf_init(&text, 2048);
        assert_int_equal(streams_iterator_format(&it, &text), 0);
        assert_int_equal(streams_iterator_parse(buf_text(&text), &back), 0);
        assert_memory_equal(&it, &back, sizeof(it));
        for (size_t cut = 0; cut < text.len; cut++)
            assert_int_equal(streams_iterator_parse(text_make(text.data, cut), &back), ERR_SYNTAX);
        for (size_t bit = 0; bit < 8 * text.len; bit++) {
            text.data[bit / 8] = (char)(text.data[bit / 8] ^ (1 << bit % 8));
            assert_int_equal(streams_iterator_parse(buf_text(&text), &back), ERR_SYNTAX);
            text.data[bit / 8] = (char)(text.data[bit / 8] ^ (1 << bit % 8));
        }
        buf_fini(&text);
    }
}

/* With a good checksum, made by somebody who knows it. */
static int parse_made(size_t len, void (*bend)(unsigned char *bytes))
{
    unsigned char bytes[600] = {1};
    struct streams_iterator back;
    struct buf text;
    memset(bytes + 30, 't', sizeof(bytes) - 30);
    bytes[29] = 1; /* the label */
    bend(bytes);
    uint32_t check = hash_crc32c(0, bytes, len - 4);
    for (int i = 0; i < 4; i++)
        bytes[len - 4 + (size_t)i] = (unsigned char)(check >> (24 - 8 * i));
    buf_init(&text, 2048);
    assert_int_equal(base64_encode(&text, text_make((const char *)bytes, len)), 0);
    int code = streams_iterator_parse(buf_text(&text), &back);
    buf_fini(&text);
    return code;
}
static void straight(unsigned char *bytes)
{
    (void)bytes;
}
static void version(unsigned char *bytes)
{
    bytes[0] = 2;
}
static void flags(unsigned char *bytes)
{
    bytes[1] = 4;
}
static void issued(unsigned char *bytes)
{
    bytes[2] = 0x80;
}
static void ahead(unsigned char *bytes)
{
    memset(bytes + 10, 0xff, 8);
}
static void no_label(unsigned char *bytes)
{
    bytes[29] = 0;
}
static void nul(unsigned char *bytes)
{
    bytes[33] = 0;
}

static void made_up(void **state)
{
    (void)state;
    assert_int_equal(parse_made(40, straight), 0);
    assert_int_equal(parse_made(34 + 3, straight), 0);
    assert_int_equal(parse_made(34 + 2, straight), ERR_SYNTAX);
    assert_int_equal(parse_made(34 + 255, straight), 0);
    assert_int_equal(parse_made(34 + 256, straight), ERR_SYNTAX);
    void (*const bends[])(unsigned char *) = {version, flags, issued, ahead, no_label, nul};
    for (size_t i = 0; i < sizeof(bends) / sizeof(bends[0]); i++)
        assert_int_equal(parse_made(40, bends[i]), ERR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arns), cmocka_unit_test(sequence_numbers), cmocka_unit_test(event_ids), cmocka_unit_test(shards), cmocka_unit_test(iterators),
        cmocka_unit_test(made_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
