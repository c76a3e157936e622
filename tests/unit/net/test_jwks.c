/* The cache of an issuer's keys: when it asks, what it keeps, and readers and writers at the same time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above */
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "jwt_make.h"
#include "net/jwks.h"

#define T0 INT64_C(1700000000000)
#define GOOD "{\"sub\":\"u1\",\"exp\":1700009000}"

static EVP_PKEY *key_a, *key_b;
static char *set_a, *set_b, *token_a, *token_b;
static atomic_int fetches;
static const struct jwks_options options = {.max_age_ms = 600000, .min_interval_ms = 30000, .retry_ms = 2000};
static const struct jwt_policy any = {0};

static void on_fetch(void *ctx, struct jwks *jwks)
{
    (void)ctx, (void)jwks;
    atomic_fetch_add(&fetches, 1);
}

static char *set_of(EVP_PKEY *key, const char *more)
{
    char *jwk = make_jwk(key, more), *set = NULL;
    if (asprintf(&set, "{\"keys\":[%s]}", jwk) < 0)
        abort();
    free(jwk);
    return set;
}

static int group_setup(void **state)
{
    (void)state;
    key_a = EVP_EC_gen("P-256");
    key_b = EVP_EC_gen("P-256");
    set_a = set_of(key_a, ",\"kid\":\"a\"");
    set_b = set_of(key_b, ",\"kid\":\"b\"");
    token_a = make_token(key_a, NULL, "{\"alg\":\"ES256\",\"kid\":\"a\"}", GOOD);
    token_b = make_token(key_b, NULL, "{\"alg\":\"ES256\",\"kid\":\"b\"}", GOOD);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    EVP_PKEY_free(key_a);
    EVP_PKEY_free(key_b);
    free(set_a);
    free(set_b);
    free(token_a);
    free(token_b);
    return 0;
}

static int setup(void **state)
{
    atomic_store(&fetches, 0);
    return jwks_create(&options, on_fetch, NULL, (struct jwks **)state);
}

static int teardown(void **state)
{
    jwks_destroy(*state);
    return 0;
}

static int verify(struct jwks *jwks, const char *token, int64_t now_ms)
{
    struct jwt_result result;
    struct arena arena;
    arena_init(&arena, 4096, 1 << 20);
    int code = jwks_verify(jwks, text_of(token), &any, now_ms, &arena, &result);
    assert_true((code == 0) == (result.reason[0] == 0));
    arena_fini(&arena);
    return code;
}

static void test_first_keys(void **state)
{
    struct jwks *jwks = *state;
    assert_null(jwks_keys(jwks));
    assert_int_equal(verify(jwks, token_a, T0), ERR_AGAIN); /* not the token's fault */
    assert_int_equal(fetches, 1);
    assert_int_equal(verify(jwks, token_a, T0 + 1999), ERR_AGAIN);
    assert_int_equal(fetches, 1);
    assert_int_equal(verify(jwks, token_a, T0 + 2000), ERR_AGAIN); /* still none: soon again */
    assert_int_equal(fetches, 2);
    assert_int_equal(verify(jwks, "rubbish", T0 + 2000), ERR_INVALID_TOKEN);
    assert_int_equal(verify(jwks, "", T0 + 2000), ERR_MISSING_TOKEN);
    assert_int_equal(jwks_update(jwks, 200, text_of(set_a), T0 + 2100, NULL), 0);
    assert_int_equal(jwks_updated_ms(jwks), T0 + 2100);
    assert_int_equal(verify(jwks, token_a, T0 + 2200), 0);
    assert_int_equal(fetches, 2);
}

static void test_rotation(void **state)
{
    struct jwks *jwks = *state;
    assert_int_equal(jwks_update(jwks, 200, text_of(set_a), T0, NULL), 0);
    assert_int_equal(verify(jwks, token_b, T0 + 1000), ERR_INVALID_TOKEN);
    assert_int_equal(fetches, 1);
    for (int i = 0; i < 1000; i++) /* a flood of invented names */
        assert_int_equal(verify(jwks, token_b, T0 + 1000 + i * 29), ERR_INVALID_TOKEN);
    assert_int_equal(fetches, 1);
    assert_int_equal(verify(jwks, token_b, T0 + 31000), ERR_INVALID_TOKEN);
    assert_int_equal(fetches, 2);
    struct jwt_keys *held = jwks_keys(jwks);
    assert_int_equal(jwks_update(jwks, 200, text_of(set_b), T0 + 31500, NULL), 0);
    assert_int_equal(verify(jwks, token_b, T0 + 31600), 0);
    assert_int_equal(verify(jwks, token_a, T0 + 31600), ERR_INVALID_TOKEN);
    assert_int_equal(jwt_keys_count(held), 1); /* a reader's set lives as long as it is held */
    jwt_keys_unref(held);
}

static void test_age(void **state)
{
    struct jwks *jwks = *state;
    assert_int_equal(jwks_update(jwks, 200, text_of(set_a), T0, NULL), 0);
    assert_false(jwks_want_refresh(jwks, false, T0 + 599999));
    assert_true(jwks_want_refresh(jwks, false, T0 + 600000));
    assert_false(jwks_want_refresh(jwks, false, T0 + 600001));
    assert_true(jwks_want_refresh(jwks, false, T0 + 630000));
    assert_int_equal(fetches, 2);
    assert_false(jwks_want_refresh(jwks, true, T0 + 629999)); /* another thread's reading of the clock */
    assert_true(jwks_want_refresh(jwks, true, T0 - 1000)); /* a clock set back does not silence it */
}

static void test_issuer_away(void **state)
{
    struct jwks *jwks = *state;
    struct err err;
    assert_int_equal(jwks_update(jwks, 200, text_of(set_a), T0, NULL), 0);
    assert_int_equal(jwks_update(jwks, 0, TEXT_NONE, T0 + 1, &err), ERR_IO);
    assert_int_equal(jwks_update(jwks, 503, text_of(set_b), T0 + 1, &err), ERR_IO);
    assert_int_equal(jwks_update(jwks, 200, TEXT("<html>"), T0 + 1, &err), ERR_SYNTAX);
    assert_int_equal(jwks_update(jwks, 200, TEXT("{\"keys\":[]}"), T0 + 1, &err), ERR_INVALID);
    assert_int_equal(jwks_updated_ms(jwks), T0);
    assert_int_equal(verify(jwks, token_a, T0 + 8000000), 0); /* stale, and better than nobody */
}

static atomic_bool stop;

static void *read_often(void *arg)
{
    struct jwks *jwks = arg;
    long good = 0;
    while (!atomic_load(&stop)) {
        struct jwt_keys *keys = jwks_keys(jwks);
        good += jwt_keys_count(keys) == 1;
        jwt_keys_unref(keys);
    }
    return (void *)good;
}

static void test_swap_under_readers(void **state)
{
    struct jwks *jwks = *state;
    pthread_t threads[3];
    assert_int_equal(jwks_update(jwks, 200, text_of(set_a), T0, NULL), 0);
    atomic_store(&stop, false);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_often, jwks), 0);
    for (int i = 0; i < 300; i++)
        assert_int_equal(jwks_update(jwks, 200, text_of(i & 1 ? set_a : set_b), T0 + i, NULL), 0);
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++) {
        void *good;
        pthread_join(threads[i], &good);
    }
}

static void *ask(void *arg)
{
    jwks_want_refresh(arg, true, T0);
    return NULL;
}

static void test_one_asks(void **state)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, *state), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(fetches, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_age, setup, teardown),
        cmocka_unit_test_setup_teardown(test_issuer_away, setup, teardown),
        cmocka_unit_test_setup_teardown(test_swap_under_readers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_asks, setup, teardown),
    };
    return cmocka_run_group_tests_name("net/jwks", tests, group_setup, group_teardown);
}
