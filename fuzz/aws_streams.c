/*
 * Iterators, ARNs and sequence numbers from anywhere; the first byte chooses. What is taken must be written back as the same. 'm' takes an iterator's bytes without
 * their checksum, which is added, so that the fuzzer gets behind it.
 */
#include "aws/streams.h"

#include "base/codec.h"
#include "base/hash.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void iterator(struct text text)
{
    struct streams_iterator it;
    struct buf again;
    if (streams_iterator_parse(text, &it))
        return;
    buf_init(&again, 4096);
    if (it.table_len < 3 || it.table_len > 255 || it.label_ms <= 0 || streams_iterator_format(&it, &again) || !text_equal(buf_text(&again), text))
        abort();
    buf_fini(&again);
}

static void made_iterator(struct text bytes)
{
    struct buf made, text;
    buf_init(&made, 4096);
    buf_init(&text, 8192);
    buf_add_text(&made, bytes);
    buf_add_be32(&made, hash_crc32c(0, bytes.data, bytes.len));
    if (!made.failed && !base64_encode(&text, buf_text(&made)))
        iterator(buf_text(&text));
    buf_fini(&made);
    buf_fini(&text);
}

static void sequence(struct text text)
{
    char again[STREAMS_SEQUENCE_SIZE];
    struct feed_position place;
    if (streams_sequence_parse(text, &place))
        return;
    streams_sequence_format(place, again);
    if (!text_is(text, again))
        abort();
}

static void arn(struct text text)
{
    struct text table;
    char label[STREAMS_LABEL_SIZE];
    int64_t label_ms;
    if (!streams_arn_parse(text, &table, &label_ms))
        return;
    streams_label(label_ms, label);
    if (table.len < 3 || table.len > 255 || !text_is(text_make(text.data + text.len - 23, 23), label))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct text rest = text_make((const char *)data + 1, size - 1);
    switch (data[0]) {
    case 'm':
        made_iterator(rest);
        break;
    case 's':
        sequence(rest);
        break;
    case 'a':
        arn(rest);
        break;
    default:
        iterator(rest);
    }
    return 0;
}
