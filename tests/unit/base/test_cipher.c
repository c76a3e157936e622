/* The published vectors, and that nothing that was touched opens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/cipher.h"
#include "base/codec.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdlib.h>

/* Hex into a buffer of static life; four at once. */
static struct text unhex(const char *hex)
{
    static struct buf ring[8];
    static unsigned next;
    struct buf *out = &ring[next++ % 8];
    if (!out->limit)
        buf_init(out, 4096);
    buf_clear(out);
    assert_int_equal(hex_decode(out, text_of(hex)), 0);
    return buf_text(out);
}

/* "The Galois/Counter Mode of Operation", McGrew and Viega, test cases 13 to 16 (also NIST's CAVP set). */
static const struct vector {
    const char *key, *nonce, *about, *plain, *sealed, *tag;
} vectors[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "00000000000000000000000000000000",
        "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
        "b094dac5d93471bdec1a502270e3cc6c"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
        "76fc6ece0f4e1768cddf8853bb2d551b"},
};

static const unsigned char *raw(struct text bytes)
{
    return (const unsigned char *)bytes.data;
}

static void test_gcm(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const struct vector *v = &vectors[i];
        struct text key = unhex(v->key), nonce = unhex(v->nonce), about = unhex(v->about), plain = unhex(v->plain), sealed = unhex(v->sealed), wanted = unhex(v->tag);
        unsigned char tag[CIPHER_TAG_BYTES];
        char data[256];
        memcpy(data, plain.data ? plain.data : "", plain.len);
        assert_int_equal(cipher_seal(raw(key), raw(nonce), about, data, plain.len, tag), 0);
        assert_memory_equal(tag, wanted.data, sizeof(tag));
        assert_true(text_equal(text_make(data, plain.len), sealed));
        assert_int_equal(cipher_open(raw(key), raw(nonce), about, data, plain.len, tag), 0);
        assert_true(text_equal(text_make(data, plain.len), plain));
    }
}

/* Every bit of everything matters. */
static void test_tampering(void **state)
{
    (void)state;
    unsigned char key[32] = "key", nonce[12] = "nonce", tag[16];
    char about[] = "about", sealed[20], data[20];
    memcpy(sealed, "twenty bytes of text", 20);
    assert_int_equal(cipher_seal(key, nonce, text_of(about), sealed, 20, tag), 0);
    struct {
        unsigned char *bytes;
        size_t len;
    } parts[] = {{key, 32}, {nonce, 12}, {tag, 16}, {(unsigned char *)about, 5}, {(unsigned char *)sealed, 20}};
    for (size_t p = 0; p < 5; p++)
        for (size_t bit = 0; bit < parts[p].len * 8; bit++) {
            parts[p].bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            memcpy(data, sealed, 20);
            assert_int_equal(cipher_open(key, nonce, text_of(about), data, 20, tag), ERR_CORRUPT);
            parts[p].bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
    memcpy(data, sealed, 20);
    assert_int_equal(cipher_open(key, nonce, text_of(about), data, 19, tag), ERR_CORRUPT);
    memcpy(data, sealed, 20);
    assert_int_equal(cipher_open(key, nonce, text_of(about), data, 20, tag), 0);
    assert_memory_equal(data, "twenty bytes of text", 20);
}

/* Block 0 of the stream of the zero key is AES-256 of zeros (FIPS 197's known answer), block 2 is in GCM's test case 14. */
static void test_stream_vectors(void **state)
{
    (void)state;
    unsigned char key[32] = {0};
    char block[16] = {0}, far[16] = {0}, whole[64] = {0};
    assert_int_equal(cipher_stream(key, 0, block, 16), 0);
    assert_memory_equal(block, unhex("dc95c078a2408989ad48a21492842087").data, 16);
    assert_int_equal(cipher_stream(key, 32, far, 16), 0);
    assert_memory_equal(far, unhex("cea7403d4d606b6e074ec5d3baf39d18").data, 16);
    assert_int_equal(cipher_stream(key, 0, whole, 64), 0);
    assert_memory_equal(whole, block, 16);
    assert_memory_equal(whole + 32, far, 16);
}

/* At any offset and length, also far out, it is the same stream as OpenSSL's block cipher run over the counter. */
static void test_stream_anywhere(void **state)
{
    (void)state;
    static const uint64_t bases[] = {0, 16 * 255, (UINT64_C(1) << 36) - 48, (UINT64_C(1) << 62) + 7};
    unsigned char key[32] = "another key";
    for (size_t b = 0; b < 4; b++) {
        char whole[200] = {0}, part[200];
        assert_int_equal(cipher_stream(key, bases[b], whole, sizeof(whole)), 0);
        for (size_t from = 0; from < 40; from++)
            for (size_t len = 0; len < 60; len++) {
                memset(part, 0, sizeof(part));
                assert_int_equal(cipher_stream(key, bases[b] + from, part, len), 0);
                assert_memory_equal(part, whole + from, len);
                assert_int_equal(part[len], 0);
            }
        /* the block that holds offset base + 32 */
        unsigned char counter[16] = {0}, out[32];
        uint64_t block = (bases[b] + 32) / 16;
        int done;
        for (int i = 0; i < 8; i++)
            counter[15 - i] = (unsigned char)(block >> (8 * i));
        EVP_CIPHER_CTX *ecb = EVP_CIPHER_CTX_new();
        assert_int_equal(EVP_EncryptInit_ex(ecb, EVP_aes_256_ecb(), NULL, key, NULL), 1);
        assert_int_equal(EVP_EncryptUpdate(ecb, out, &done, counter, 16), 1);
        EVP_CIPHER_CTX_free(ecb);
        assert_memory_equal(whole + (block * 16 - bases[b]), out, 16);
    }
}

/* RFC 5869 written out: extract, then expand. */
static void test_derive(void **state)
{
    (void)state;
    unsigned char key[32] = "input", prk[32], t1[32], t2[32], out[48], other[48], block[64];
    unsigned len;
    HMAC(EVP_sha256(), "salty", 5, key, 32, prk, &len);
    memcpy(block, "label\x01", 6);
    HMAC(EVP_sha256(), prk, 32, block, 6, t1, &len);
    memcpy(block, t1, 32);
    memcpy(block + 32, "label\x02", 6);
    HMAC(EVP_sha256(), prk, 32, block, 38, t2, &len);
    assert_int_equal(cipher_derive(key, "label", TEXT("salty"), out, sizeof(out)), 0);
    assert_memory_equal(out, t1, 32);
    assert_memory_equal(out + 32, t2, 16);
    assert_int_equal(cipher_derive(key, "label", TEXT_NONE, other, sizeof(other)), 0);
    assert_memory_not_equal(out, other, 48);
    assert_int_equal(cipher_derive(key, "lable", TEXT("salty"), other, sizeof(other)), 0);
    assert_memory_not_equal(out, other, 48);
}

/* The contexts are a thread's own and go with it. */
static void *on_thread(void *context)
{
    unsigned char key[32] = {0}, tag[16], seed = *(unsigned char *)context;
    char data[64], copy[64];
    for (int i = 0; i < 2000; i++) {
        unsigned char nonce[12] = {seed, (unsigned char)i, (unsigned char)(i >> 8)};
        memset(data, seed, sizeof(data));
        memcpy(copy, data, sizeof(data));
        if (cipher_seal(key, nonce, TEXT_NONE, data, 64, tag) || cipher_stream(key, seed, data, 64) || cipher_stream(key, seed, data, 64) ||
            cipher_open(key, nonce, TEXT_NONE, data, 64, tag) || memcmp(data, copy, 64) != 0)
            return context;
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t thread[4];
    unsigned char seed[4] = {1, 2, 3, 4};
    void *failed;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, on_thread, &seed[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], &failed);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gcm),
        cmocka_unit_test(test_tampering),
        cmocka_unit_test(test_stream_vectors),
        cmocka_unit_test(test_stream_anywhere),
        cmocka_unit_test(test_derive),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests_name("cipher", tests, NULL, NULL);
}
