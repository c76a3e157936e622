/*
 * SipHash-1-3 for tables: an attacker who chooses the keys must not choose the collisions, and the short rounds cost
 * about as much as an unkeyed hash on the 10..40 bytes of a connection id. CRC-32C for stored bytes: the processor has an
 * instruction for it, chosen at run time; elsewhere eight tables read eight bytes a step.
 */
#include "base/hash.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/assert.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

static pthread_once_t hash_once = PTHREAD_ONCE_INIT;
static uint64_t hash_key[2];
static uint32_t crc_table[8][256];
static bool crc_hardware;
static int hash_ready;

#define CRC32C_REVERSED 0x82f63b78u

static void crc_table_make(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ CRC32C_REVERSED : crc >> 1;
        crc_table[0][i] = crc;
    }
    for (int slice = 1; slice < 8; slice++)
        for (int i = 0; i < 256; i++)
            crc_table[slice][i] = crc_table[slice - 1][i] >> 8 ^ crc_table[0][crc_table[slice - 1][i] & 0xff];
}

static void hash_setup(void)
{
    random_bytes(hash_key, sizeof(hash_key));
    crc_table_make();
#if defined(__x86_64__)
    /* The variable lets a test or a doubtful machine take the portable way. */
    crc_hardware = __builtin_cpu_supports("sse4.2") && !getenv("WEIR_NO_CRC_HARDWARE");
#endif
    __atomic_store_n(&hash_ready, 1, __ATOMIC_RELEASE);
}

static inline void hash_prepare(void)
{
    if (__builtin_expect(!__atomic_load_n(&hash_ready, __ATOMIC_ACQUIRE), 0))
        pthread_once(&hash_once, hash_setup);
}

static inline uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

#define SIP_ROUND                                                                                                      \
    do {                                                                                                               \
        v0 += v1;                                                                                                      \
        v1 = rotate(v1, 13) ^ v0;                                                                                      \
        v0 = rotate(v0, 32);                                                                                           \
        v2 += v3;                                                                                                      \
        v3 = rotate(v3, 16) ^ v2;                                                                                      \
        v0 += v3;                                                                                                      \
        v3 = rotate(v3, 21) ^ v0;                                                                                      \
        v2 += v1;                                                                                                      \
        v1 = rotate(v1, 17) ^ v2;                                                                                      \
        v2 = rotate(v2, 32);                                                                                           \
    } while (0)

uint64_t hash_bytes(struct text bytes)
{
    hash_prepare();
    uint64_t v0 = hash_key[0] ^ UINT64_C(0x736f6d6570736575), v1 = hash_key[1] ^ UINT64_C(0x646f72616e646f6d);
    uint64_t v2 = hash_key[0] ^ UINT64_C(0x6c7967656e657261), v3 = hash_key[1] ^ UINT64_C(0x7465646279746573);
    const char *at = bytes.data;
    size_t left = bytes.len;
    for (; left >= 8; at += 8, left -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        v3 ^= word;
        SIP_ROUND;
        v0 ^= word;
    }
    uint64_t last = (uint64_t)bytes.len << 56;
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)(unsigned char)at[i] << (8 * i);
    v3 ^= last;
    SIP_ROUND;
    v0 ^= last;
    v2 ^= 0xff;
    SIP_ROUND;
    SIP_ROUND;
    SIP_ROUND;
    return v0 ^ v1 ^ v2 ^ v3;
}

static uint32_t crc32c_tables(uint32_t crc, const unsigned char *at, size_t len)
{
    for (; len >= 8; at += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        word ^= crc;
        crc = 0;
        for (int i = 0; i < 8; i++)
            crc ^= crc_table[7 - i][word >> (8 * i) & 0xff];
    }
    while (len--)
        crc = crc >> 8 ^ crc_table[0][(crc ^ *at++) & 0xff];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_hardware(uint32_t crc, const unsigned char *at, size_t len)
{
    uint64_t wide = crc;
    for (; len >= 8; at += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        wide = _mm_crc32_u64(wide, word);
    }
    crc = (uint32_t)wide;
    while (len--)
        crc = _mm_crc32_u8(crc, *at++);
    return crc;
}
#endif

uint32_t hash_crc32c(uint32_t crc, const void *bytes, size_t len)
{
    hash_prepare();
#if defined(__x86_64__)
    if (crc_hardware)
        return ~crc32c_hardware(~crc, bytes, len);
#endif
    return ~crc32c_tables(~crc, bytes, len);
}

void random_bytes(void *out, size_t len)
{
    char *at = out;
    while (len) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        ASSERT(got > 0);
        at += got;
        len -= (size_t)got;
    }
}

/* xoshiro256** (Blackman, Vigna; public domain): four words of state per thread. */
uint64_t random_u64(void)
{
    static _Thread_local uint64_t s[4];
    while (!(s[0] | s[1] | s[2] | s[3]))
        random_bytes(s, sizeof(s));
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}
