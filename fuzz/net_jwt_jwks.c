/* Key sets as an issuer may publish them, and PEM texts: read, chosen from, and never a crash. */
#include <stdint.h>
#include <stdlib.h>

#include "net/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(struct jwt_keys *keys)
{
    struct jwt_result result;
    struct arena arena;
    struct jwt_policy policy = {0};
    if (jwt_keys_count(keys) == 0 || jwt_keys_count(keys) > JWT_KEYS_MAX || jwt_keys_weak(keys))
        abort();
    arena_init(&arena, 4096, 65536);
    if (jwt_verify(keys, TEXT("eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjE3MDAwMDAwNjB9.AAAA"), &policy, 0, &arena, &result) == 0)
        abort();
    arena_fini(&arena);
    jwt_keys_unref(keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jwt_keys *keys;
    struct err err;
    if (jwt_keys_from_jwks(text_make(data, size), &keys, &err) == 0)
        use(keys);
    if (jwt_keys_from_pem(text_make(data, size), &keys, &err) == 0)
        use(keys);
    return 0;
}
