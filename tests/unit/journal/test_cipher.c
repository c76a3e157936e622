/* The journal's own cipher: nothing readable on the disk, nothing accepted that was changed, moved or put in. */
#define MODEL_CIPHER
#include "journal/model.h"
#include "journal/segment.h"

#include <stdio.h>

#define MARKER "a very secret message"

static bool on_disk(struct sim_disk *d, const char *words)
{
    for (size_t i = 0; i < d->inode_count; i++)
        if (d->inodes[i]->size && memmem(d->inodes[i]->data, d->inodes[i]->size, words, strlen(words)))
            return true;
    return false;
}

static void fill(struct journal *j, int records)
{
    struct err err;
    struct text piece = TEXT(MARKER);
    for (int i = 0; i < records; i++) {
        assert_int_equal(journal_append(j, &piece, 1, NULL, &err), 0);
        assert_int_equal(journal_sync(j, &err), 0);
    }
}

static void test_nothing_readable(void **state)
{
    (void)state;
    struct sim_disk *d = sim_init(1);
    struct journal_config config = model_config(d);
    struct journal_report report;
    struct journal *j;
    struct err err;
    assert_int_equal(journal_open(&j, &config, &err), 0);
    fill(j, 500);
    journal_close(j);
    assert_false(on_disk(d, "secret"));
    assert_int_equal(journal_verify("sim", &d->ops, config.cipher, NULL, NULL, &report, &err), 0);
    assert_int_equal(report.records, 500);
    config.cipher = NULL;
    assert_int_equal(journal_open(&j, &config, &err), ERR_UNSUPPORTED);
    assert_int_equal(journal_open(&j, &config, &err), ERR_UNSUPPORTED);
    sim_fini(d);
    d = sim_init(1); /* the test can fail: without the cipher the words are found */
    config = model_config(d);
    config.cipher = NULL;
    assert_int_equal(journal_open(&j, &config, &err), 0);
    fill(j, 500);
    journal_close(j);
    assert_true(on_disk(d, "secret"));
    config.cipher = model_cipher(); /* and a plain segment is not taken for one of ours */
    assert_int_equal(journal_open(&j, &config, &err), ERR_CORRUPT);
    assert_int_equal(journal_verify("sim", &d->ops, config.cipher, NULL, NULL, &report, &err), ERR_CORRUPT);
    sim_fini(d);
}

static void test_another_key(void **state)
{
    (void)state;
    static const unsigned char other_key[CIPHER_KEY_BYTES] = "another key for these tests";
    struct sim_disk *d = sim_init(2);
    struct journal_config config = model_config(d);
    struct journal_report report;
    struct journal_gcm *other;
    struct journal *j;
    struct err err;
    assert_int_equal(journal_open(&j, &config, &err), 0);
    fill(j, 3);
    journal_close(j);
    assert_int_equal(journal_gcm_create(&other, other_key), 0);
    config.cipher = journal_gcm_cipher(other);
    assert_int_equal(journal_open(&j, &config, &err), ERR_CORRUPT);
    assert_null(j);
    assert_int_equal(journal_verify("sim", &d->ops, config.cipher, NULL, NULL, &report, &err), ERR_CORRUPT);
    journal_gcm_destroy(other);
    config.cipher = model_cipher();
    assert_int_equal(journal_open(&j, &config, &err), 0);
    assert_int_equal(journal_last(j), 3);
    journal_close(j);
    sim_fini(d);
}

/* The same record at another place: sequence, epoch and salt all matter, and equal texts never look equal. */
static void test_place(void **state)
{
    (void)state;
    const struct journal_cipher *cipher = model_cipher();
    const struct journal_record_id here = {7, 3, 99}, elsewhere[] = {{8, 3, 99}, {7, 4, 99}, {7, 3, 98}, {7 + (UINT64_C(1) << 32), 3, 99}};
    char record[sizeof(MARKER) + CIPHER_TAG_BYTES], copy[sizeof(record)];
    memcpy(record, MARKER, sizeof(MARKER));
    assert_int_equal(cipher->encrypt(cipher->context, &here, record, sizeof(MARKER)), 0);
    for (size_t i = 0; i < 4; i++) {
        memcpy(copy, record, sizeof(copy));
        assert_int_equal(cipher->decrypt(cipher->context, &elsewhere[i], copy, sizeof(MARKER)), ERR_CORRUPT);
        memcpy(copy, MARKER, sizeof(MARKER));
        assert_int_equal(cipher->encrypt(cipher->context, &elsewhere[i], copy, sizeof(MARKER)), 0);
        assert_memory_not_equal(copy, record, sizeof(MARKER));
    }
    for (size_t bit = 0; bit < sizeof(record) * 8; bit++) {
        memcpy(copy, record, sizeof(copy));
        copy[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(cipher->decrypt(cipher->context, &here, copy, sizeof(MARKER)), ERR_CORRUPT);
    }
    assert_int_equal(cipher->decrypt(cipher->context, &here, record, sizeof(MARKER)), 0);
    assert_memory_equal(record, MARKER, sizeof(MARKER));
}

/* A torn tail's sequences are written again, in a copy of the folder at the same epoch, too: the bytes on disk differ although text, sequence and
   epoch are the same, for the salt is drawn anew. */
static void test_never_twice(void **state)
{
    (void)state;
    struct sim_disk *copies[2];
    char *bytes[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++) {
        struct journal *j;
        struct err err;
        struct sim_disk *d = copies[i] = sim_init(4);
        struct journal_config config = model_config(d);
        assert_int_equal(journal_open(&j, &config, &err), 0);
        assert_int_equal(journal_epoch(j), 1);
        fill(j, 1);
        journal_close(j);
        for (size_t n = 0; n < d->inode_count && !bytes[i]; n++)
            if (d->inodes[n]->size > JOURNAL_SEGMENT_MIN / 2)
                bytes[i] = (char *)d->inodes[n]->data;
        assert_non_null(bytes[i]);
    }
    assert_memory_equal(bytes[0], bytes[1], 8);
    assert_memory_not_equal(bytes[0] + JOURNAL_HEADER_BYTES + JOURNAL_RECORD_HEADER, bytes[1] + JOURNAL_HEADER_BYTES + JOURNAL_RECORD_HEADER, sizeof(MARKER) - 1);
    sim_fini(copies[0]);
    sim_fini(copies[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_readable),
        cmocka_unit_test(test_another_key),
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_never_twice),
    };
    return cmocka_run_group_tests_name("journal cipher", tests, model_quiet, NULL);
}
