/*
 * CRC-32 as gzip, PNG and DynamoDB's x-amz-crc32 have it. Unlike CRC-32C no instruction computes it, and one table look-up for each byte of every answer was
 * a twelfth of a Query. Where the processor multiplies without carries, 64 bytes are folded at a time (Gopal and others, "Fast CRC Computation for Generic
 * Polynomials Using PCLMULQDQ Instruction", Intel, 2009; the constants are powers of x modulo the polynomial, bits reflected); elsewhere, and for what is
 * left at the end, eight tables.
 */
#include "base/hash.h"

#include <pthread.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define POLYNOMIAL UINT32_C(0xedb88320)
#define FOLD_MIN 64 /* bytes: what the folding begins with */

static uint32_t table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool folds;

static void prepare(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        table[0][i] = crc;
    }
    for (int t = 1; t < 8; t++)
        for (int i = 0; i < 256; i++)
            table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 0xff];
#if defined(__x86_64__)
    folds = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
#endif
}

static uint32_t by_tables(uint32_t crc, const unsigned char *at, size_t len)
{
    for (; len >= 8; at += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        word ^= crc;
        crc = 0;
        for (int i = 0; i < 8; i++)
            crc ^= table[7 - i][word >> (8 * i) & 0xff];
    }
    while (len--)
        crc = crc >> 8 ^ table[0][(crc ^ *at++) & 0xff];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("pclmul,sse4.1"))) static inline __m128i fold(__m128i sum, __m128i power, __m128i next)
{
    return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(sum, power, 0x00), _mm_clmulepi64_si128(sum, power, 0x11)), next);
}

static inline __m128i load(const unsigned char *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* `len` is a multiple of 16, FOLD_MIN at least. */
__attribute__((target("pclmul,sse4.1"))) static uint32_t by_folding(uint32_t crc, const unsigned char *at, size_t len)
{
    const __m128i by_512 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4), by_128 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    const __m128i by_64 = _mm_set_epi64x(0, 0x0163cd6124), reduce = _mm_set_epi64x(0x01f7011641, 0x01db710641);
    const __m128i low = _mm_setr_epi32(-1, 0, -1, 0);
    __m128i a = _mm_xor_si128(load(at), _mm_cvtsi32_si128((int)crc)), b = load(at + 16), c = load(at + 32), d = load(at + 48);
    for (at += 64, len -= 64; len >= 64; at += 64, len -= 64) {
        a = fold(a, by_512, load(at));
        b = fold(b, by_512, load(at + 16));
        c = fold(c, by_512, load(at + 32));
        d = fold(d, by_512, load(at + 48));
    }
    a = fold(a, by_128, b);
    a = fold(a, by_128, c);
    a = fold(a, by_128, d);
    for (; len >= 16; at += 16, len -= 16)
        a = fold(a, by_128, load(at));
    a = _mm_xor_si128(_mm_srli_si128(a, 8), _mm_clmulepi64_si128(a, by_128, 0x10));                          /* 128 bits to 96 */
    a = _mm_xor_si128(_mm_srli_si128(a, 4), _mm_clmulepi64_si128(_mm_and_si128(a, low), by_64, 0x00));       /* to 64 */
    __m128i quotient = _mm_and_si128(_mm_clmulepi64_si128(_mm_and_si128(a, low), reduce, 0x10), low);        /* Barrett's reduction to 32 */
    a = _mm_xor_si128(a, _mm_clmulepi64_si128(quotient, reduce, 0x00));
    return (uint32_t)_mm_extract_epi32(a, 1);
}
#endif

uint32_t hash_crc32(uint32_t crc, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    pthread_once(&once, prepare);
    crc = ~crc;
#if defined(__x86_64__)
    if (folds && len >= FOLD_MIN) {
        size_t whole = len & ~(size_t)15;
        crc = by_folding(crc, at, whole);
        at += whole;
        len -= whole;
    }
#endif
    return ~by_tables(crc, at, len);
}
