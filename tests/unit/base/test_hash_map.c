/* Hashes against known values and a bitwise model; the map against a plain array under random operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"

/* ---- hashes ---- */

static uint32_t crc_model(const unsigned char *at, size_t len, uint32_t polynomial)
{
    uint32_t crc = UINT32_MAX;
    while (len--) {
        crc ^= *at++;
        for (int i = 0; i < 8; i++)
            crc = crc & 1 ? crc >> 1 ^ polynomial : crc >> 1;
    }
    return ~crc;
}

static void test_crc32c(void **state)
{
    (void)state;
    unsigned char bytes[300];
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(hash_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(hash_crc32c(0, bytes, 32), 0x8a9136aa); /* RFC 3720, appendix B.4 */
    assert_int_equal(hash_crc32c(0, "", 0), 0);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 151 + 3);
    for (size_t len = 0; len < 260; len++) {
        uint32_t expected = crc_model(bytes + len % 9, len, 0x82f63b78u);
        assert_int_equal(hash_crc32c(0, bytes + len % 9, len), expected);
        for (size_t split = 0; split <= len; split += 7)
            assert_int_equal(hash_crc32c(hash_crc32c(0, bytes + len % 9, split), bytes + len % 9 + split, len - split), expected);
    }
}

static void test_crc32(void **state)
{
    (void)state;
    static unsigned char bytes[5000];
    assert_int_equal(hash_crc32(0, "123456789", 9), 0xcbf43926); /* the check value of every catalogue of CRCs */
    assert_int_equal(hash_crc32(0, "", 0), 0);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * i * 151 + i * 3 + (i >> 7));
    for (size_t len = 0; len < sizeof(bytes); len += len < 300 ? 1 : 173) {
        const unsigned char *at = bytes + len % 9;
        size_t n = len < sizeof(bytes) - 9 ? len : len - 9;
        uint32_t expected = crc_model(at, n, 0xedb88320u);
        assert_int_equal(hash_crc32(0, at, n), expected);
        for (size_t split = 0; split <= n; split += 1 + n / 11)
            assert_int_equal(hash_crc32(hash_crc32(0, at, split), at + split, n - split), expected);
    }
}

static void test_hash_bytes(void **state)
{
    (void)state;
    char bytes[64] = "";
    uint64_t seen[64];
    for (size_t len = 0; len < 64; len++) { /* zeros of each length: the length counts */
        seen[len] = hash_bytes(text_make(bytes, len));
        assert_true(seen[len] == hash_bytes(text_make(bytes, len)));
        for (size_t i = 0; i < len; i++)
            assert_true(seen[i] != seen[len]);
    }
    for (size_t len = 1; len < 40; len++) /* each byte counts */
        for (size_t at = 0; at < len; at++) {
            bytes[at] = 1;
            assert_true(hash_bytes(text_make(bytes, len)) != seen[len]);
            bytes[at] = 0;
        }
}

static void test_random(void **state)
{
    (void)state;
    uint64_t a[2] = {0, 0}, ones = 0, zeros = 0;
    random_bytes(a, sizeof(a));
    assert_true(a[0] != a[1]);
    for (int i = 0; i < 1000; i++) {
        uint64_t v = random_u64();
        ones |= v;
        zeros |= ~v;
    }
    assert_true(ones == UINT64_MAX && zeros == UINT64_MAX);
}

/* ---- the map ---- */

#define KEYS 2000
struct entry {
    char key[24];
    int version;
};

static struct text key_of(const struct entry *e)
{
    return text_of(e->key);
}

static void assert_all(const struct map *map, struct entry *const *model)
{
    size_t live = 0, at = 0, walked = 0;
    for (int k = 0; k < KEYS; k++)
        live += model[k] != NULL;
    assert_int_equal(map->count, live);
    for (struct entry *e; (e = map_next(map, &at)); walked++)
        assert_ptr_equal(model[atoi(e->key + 4)], e);
    assert_int_equal(walked, live);
}

static void test_map_model(void **state)
{
    (void)state;
    static struct entry *model[KEYS];
    struct map map;
    uint64_t seed = 99;
    map_init(&map);
    assert_null(map_get(&map, TEXT("x")));
    assert_null(map_delete(&map, TEXT("x")));
    for (int i = 0; i < 100000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        int k = (int)(seed >> 33) % (i % 20000 < 10000 ? KEYS : 50), action = (int)(seed >> 20 & 3);
        char key[24];
        snprintf(key, sizeof(key), "key-%d", k);
        if (action < (i / 25000 % 2 ? 1 : 2)) {
            struct entry *e = malloc(sizeof(*e));
            void *old = &map;
            memcpy(e->key, key, sizeof(key));
            e->version = i;
            assert_int_equal(map_put(&map, key_of(e), e, &old), 0);
            assert_ptr_equal(old, model[k]);
            free(old); /* the replaced key's bytes go with it */
            model[k] = e;
        } else if (action == 3) {
            assert_ptr_equal(map_delete(&map, text_of(key)), model[k]);
            free(model[k]);
            model[k] = NULL;
        } else {
            assert_ptr_equal(map_get(&map, text_of(key)), model[k]);
        }
        if (i % 1000 == 0)
            assert_all(&map, model);
    }
    assert_all(&map, model);
    assert_true(map.cap <= 4096); /* deletions leave nothing behind that would make it grow */
    for (int k = 0; k < KEYS; k++) {
        if (model[k])
            assert_ptr_equal(map_delete(&map, key_of(model[k])), model[k]);
        free(model[k]);
        model[k] = NULL;
    }
    assert_all(&map, model);
    for (size_t i = 0; i < map.cap; i++)
        assert_int_equal(map.slot[i].hash, 0);
    map_fini(&map);
}

static void test_map_binary_keys(void **state)
{
    (void)state;
    struct map map;
    int a, b, c;
    map_init(&map);
    assert_int_equal(map_put(&map, TEXT("a\0b"), &a, NULL), 0);
    assert_int_equal(map_put(&map, TEXT("a\0c"), &b, NULL), 0);
    assert_int_equal(map_put(&map, TEXT_NONE, &c, NULL), 0);
    assert_ptr_equal(map_get(&map, TEXT("a\0b")), &a);
    assert_ptr_equal(map_get(&map, TEXT("a\0c")), &b);
    assert_ptr_equal(map_get(&map, TEXT("")), &c);
    assert_null(map_get(&map, TEXT("a")));
    map_fini(&map);
}

/* ---- the list ---- */

static void test_list(void **state)
{
    (void)state;
    struct node {
        int value;
        struct list link;
    } nodes[3] = {{.value = 0}, {.value = 1}, {.value = 2}};
    struct list head;
    list_init(&head);
    assert_true(list_empty(&head));
    for (int i = 0; i < 3; i++)
        list_add_tail(&head, &nodes[i].link);
    list_remove(&nodes[1].link);
    list_remove(&nodes[1].link); /* harmless */
    assert_ptr_equal(LIST_ENTRY(head.next, struct node, link), &nodes[0]);
    assert_ptr_equal(LIST_ENTRY(head.next->next, struct node, link), &nodes[2]);
    assert_ptr_equal(head.prev, &nodes[2].link);
    list_remove(&nodes[0].link);
    list_remove(&nodes[2].link);
    assert_true(list_empty(&head));
}

int main(int argc, char **argv)
{
    (void)argc;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c), cmocka_unit_test(test_crc32), cmocka_unit_test(test_hash_bytes),      cmocka_unit_test(test_random),
        cmocka_unit_test(test_map_model), cmocka_unit_test(test_map_binary_keys), cmocka_unit_test(test_list),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    /* Once more by the portable tables, in a process of its own: the choice is made once per process. */
    if (!failed && !getenv("WEIR_NO_CRC_HARDWARE")) {
        char command[4096];
        snprintf(command, sizeof(command), "WEIR_NO_CRC_HARDWARE=1 '%s' >/dev/null 2>&1", argv[0]);
        failed = system(command) != 0;
    }
    return failed;
}
