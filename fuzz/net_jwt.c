/*
 * Tokens. Two readings of each input: the bytes as a token from a stranger, and the bytes as "header\npayload" that is signed
 * here with the key, so that the fuzzer gets past the signature and into the claims. A stranger's token must never be taken.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/codec.h"
#include "net/jwt.h"
#include "net/jwt_keys.h"

#define SECRET TEXT("the fuzzer does not know this one")
#define NOW_MS INT64_C(1700000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct jwt_keys *keys;
static struct arena arena;

static int verify(struct text token, struct jwt_result *result)
{
    static const struct text audience = {"web", 3};
    struct jwt_policy policy = {.audiences = &audience, .audience_count = token.len & 1, .exp_optional = token.len & 2};
    arena_reset(&arena);
    int code = jwt_verify(keys, token, &policy, NOW_MS, &arena, result);
    if ((code == 0) != (result->claims != NULL) || (code == 0) != (result->reason[0] == 0))
        abort();
    return code;
}

static void verify_signed(struct text input)
{
    unsigned char mac[JWT_HMAC_SIZE];
    struct jwt_result result;
    struct jwt_identity identity;
    const char *reason;
    struct buf token;
    ptrdiff_t line = text_find(input, '\n', 0);
    if (line < 0)
        return;
    buf_init(&token, 4 * JWT_TOKEN_MAX);
    if (!base64url_encode(&token, text_make(input.data, (size_t)line)) && !buf_add_char(&token, '.') &&
        !base64url_encode(&token, text_make(input.data + line + 1, input.len - (size_t)line - 1)) &&
        jwt_hmac(SECRET, buf_text(&token), mac) && !buf_add_char(&token, '.') &&
        !base64url_encode(&token, text_make(mac, sizeof(mac))) && verify(buf_text(&token), &result) == 0)
        jwt_identity_from_claims(result.claims, &arena, &identity, &reason);
    buf_fini(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jwt_result result;
    if (!keys) {
        arena_init(&arena, 65536, 2 << 20);
        if (jwt_keys_from_secret(SECRET, &keys, NULL))
            abort();
    }
    if (verify(text_make(data, size), &result) == 0)
        abort();
    verify_signed(text_make(data, size));
    return 0;
}
