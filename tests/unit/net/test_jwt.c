/* The verifier: every refusal has a case here, and each case differs from a good token in one thing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above */
#include <cmocka.h>
#include <pthread.h>

#include "jwt_make.h"
#include "net/jwt.h"

#define SECRET "a secret of thirty-two characters"
#define NOW 1700000000
#define HS "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define GOOD "{\"sub\":\"u1\",\"exp\":1700000060}"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static EVP_PKEY *rsa, *ec, *ed, *rsa_short, *ec384;
static struct jwt_keys *hmac_keys;
static struct arena arena;
static struct jwt_result result;

static int group_setup(void **state)
{
    (void)state;
    rsa = EVP_RSA_gen(2048);
    rsa_short = EVP_RSA_gen(1024);
    ec = EVP_EC_gen("P-256");
    ec384 = EVP_EC_gen("P-384");
    ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    arena_init(&arena, 16384, 1 << 20);
    return jwt_keys_from_secret(TEXT(SECRET), &hmac_keys, NULL);
}

static int group_teardown(void **state)
{
    (void)state;
    jwt_keys_unref(hmac_keys);
    arena_fini(&arena);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(rsa_short);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(ec384);
    EVP_PKEY_free(ed);
    return 0;
}

static int verify_text(const struct jwt_keys *keys, struct text token, const struct jwt_policy *policy)
{
    arena_reset(&arena);
    int code = jwt_verify(keys, token, policy, (int64_t)NOW * 1000, &arena, &result);
    assert_non_null(result.reason);
    assert_true((code == 0) == (result.reason[0] == 0));
    assert_true((code == 0) == (result.claims != NULL));
    return code;
}

static int verify_with(const struct jwt_keys *keys, char *token, const struct jwt_policy *policy)
{
    int code = verify_text(keys, text_of(token), policy);
    free(token);
    return code;
}

static const struct jwt_policy any = {0};

/* An HS256 token with this header and payload. */
static int hs(const char *header, const char *payload)
{
    return verify_with(hmac_keys, make_token(NULL, SECRET, header, payload), &any);
}

static void refused(int code, const char *reason)
{
    assert_string_equal(result.reason, reason);
    assert_int_equal(code, ERR_INVALID_TOKEN);
}

/* ---- good tokens ---- */

/* RFC 7515 appendix A.1: its key is the octets, its payload expired in 2011. */
static void test_rfc7515_example(void **state)
{
    static const char token[] = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
                                ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
                                ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    struct jwt_keys *keys;
    struct buf secret;
    (void)state;
    buf_init(&secret, 100);
    assert_int_equal(base64url_decode(&secret, TEXT("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcg"
                                                    "UuTwjAzZr1Z9CAow")), 0);
    assert_int_equal(jwt_keys_from_secret(buf_text(&secret), &keys, NULL), 0);
    assert_int_equal(jwt_verify(keys, TEXT(token), &any, INT64_C(1300819379999), &arena, &result), 0);
    assert_true(text_is(json_get_str(result.claims, "iss")->text, "joe"));
    assert_int_equal(jwt_verify(keys, TEXT(token), &any, INT64_C(1300819380000), &arena, &result), ERR_TOKEN_EXPIRED);
    assert_int_equal(result.exp, 1300819380);
    assert_int_equal(result.now, 1300819380);
    jwt_keys_unref(keys);
    buf_fini(&secret);
}

static void test_each_algorithm(void **state)
{
    static const char *const headers[] = {"{\"alg\":\"RS256\"}", "{\"alg\":\"ES256\"}", "{\"alg\":\"EdDSA\"}"};
    EVP_PKEY *pkeys[] = {rsa, ec, ed};
    (void)state;
    assert_int_equal(hs(HS, GOOD), 0);
    assert_int_equal(result.alg, JWT_HS256);
    for (int i = 0; i < 3; i++) {
        struct jwt_keys *keys;
        char *pem = make_pem(pkeys[i]);
        assert_int_equal(jwt_keys_from_pem(text_of(pem), &keys, NULL), 0);
        for (int j = 0; j < 3; j++) { /* right, then every confusion of the three */
            int code = verify_with(keys, make_token(pkeys[i], NULL, headers[j], GOOD), &any);
            assert_int_equal(code, i == j ? 0 : ERR_INVALID_TOKEN);
        }
        assert_int_equal(verify_with(keys, make_token(pkeys[i], NULL, headers[i], GOOD), &any), 0);
        /* The public key's text as an HMAC secret: the classic confusion. */
        refused(verify_with(keys, make_token(NULL, pem, HS, GOOD), &any),
                "no key is configured for the token's algorithm");
        free(pem);
        jwt_keys_unref(keys);
    }
}

static void test_another_key(void **state)
{
    EVP_PKEY *other[] = {EVP_RSA_gen(2048), EVP_EC_gen("P-256"), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
    static const char *const headers[] = {"{\"alg\":\"RS256\"}", "{\"alg\":\"ES256\"}", "{\"alg\":\"EdDSA\"}"};
    EVP_PKEY *pkeys[] = {rsa, ec, ed};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct jwt_keys *keys;
        char *pem = make_pem(pkeys[i]);
        assert_int_equal(jwt_keys_from_pem(text_of(pem), &keys, NULL), 0);
        refused(verify_with(keys, make_token(other[i], NULL, headers[i], GOOD), &any), "the signature does not match");
        EVP_PKEY_free(other[i]);
        free(pem);
        jwt_keys_unref(keys);
    }
    refused(verify_with(hmac_keys, make_token(NULL, "another secret", HS, GOOD), &any), "the signature does not match");
}

/* Every character changed, and the token cut at every place: nothing but the whole token is taken. */
static void test_every_byte(void **state)
{
    char *token = make_token(NULL, SECRET, HS, GOOD);
    size_t len = strlen(token);
    (void)state;
    for (size_t i = 0; i < len; i++) {
        char was = token[i];
        token[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(verify_text(hmac_keys, text_make(token, len), &any), ERR_INVALID_TOKEN);
        token[i] = was;
        assert_int_equal(verify_text(hmac_keys, text_make(token, i), &any), i ? ERR_INVALID_TOKEN : ERR_MISSING_TOKEN);
        if (i)
            assert_int_equal(verify_text(hmac_keys, text_make(token + i, len - i), &any), ERR_INVALID_TOKEN);
    }
    assert_int_equal(verify_text(hmac_keys, text_make(token, len), &any), 0);
    free(token);
}

/* ---- the form ---- */

static void test_form(void **state)
{
    (void)state;
    assert_int_equal(verify_text(hmac_keys, TEXT_NONE, &any), ERR_MISSING_TOKEN);
    refused(verify_text(hmac_keys, TEXT("abc"), &any), "the token does not have three parts");
    refused(verify_text(hmac_keys, TEXT("a.b"), &any), "the token does not have three parts");
    refused(verify_text(hmac_keys, TEXT("a.b.c.d.e"), &any),
            "the token has more than three parts; encrypted tokens are not supported");
    refused(verify_text(hmac_keys, TEXT(".b.c"), &any), "a part of the token is empty");
    refused(verify_text(hmac_keys, TEXT("a..c"), &any), "a part of the token is empty");
    refused(verify_text(hmac_keys, TEXT("!!.b.c"), &any), "a part of the token is not base64url of JSON");
    refused(hs("[]", GOOD), "a part of the token is not a JSON object");
    refused(hs(HS, "[]"), "a part of the token is not a JSON object");
    refused(hs("{\"alg\":\"HS256\"", GOOD), "a part of the token is not base64url of JSON");
    refused(hs(HS, "not json"), "a part of the token is not base64url of JSON");
    refused(hs("{\"alg\":\"HS256\",\"alg\":\"HS256\"}", GOOD), "a member of the token appears twice");
    refused(hs("{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}", GOOD), "a member of the token appears twice");
    refused(hs(HS, "{\"sub\":\"a\",\"sub\":\"b\",\"exp\":1700000060}"), "a member of the token appears twice");
    refused(hs(HS, "{\"sub\":\"\xff\",\"exp\":1700000060}"), "a part of the token is not base64url of JSON");
    refused(verify_text(NULL, TEXT("eyJhbGciOiJIUzI1NiJ9.e30.AA"), &any), "no key is configured");
}

/* Base64url that another decoder would take: padding, the other alphabet, white space, stray bits. */
static void test_loose_base64url(void **state)
{
    char *token = make_token(NULL, SECRET, HS, GOOD), loose[512];
    static const char *const tails[] = {"=", "==", "\n", " ", "+", "/", "."};
    (void)state;
    for (size_t i = 0; i < COUNT(tails); i++) {
        snprintf(loose, sizeof(loose), "%s%s", token, tails[i]);
        assert_int_equal(verify_text(hmac_keys, text_of(loose), &any), ERR_INVALID_TOKEN);
    }
    /* 32 bytes are 43 characters: the last one has two stray bits. */
    size_t last = strlen(token) - 1;
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    int taken = 0;
    strcpy(loose, token);
    for (int i = 0; i < 64; i++) {
        loose[last] = alphabet[i];
        taken += verify_text(hmac_keys, text_of(loose), &any) == 0;
    }
    assert_int_equal(taken, 1);
    free(token);
}

static void test_size(void **state)
{
    char payload[JWT_TOKEN_MAX];
    (void)state;
    for (int wanted = JWT_TOKEN_MAX; wanted <= JWT_TOKEN_MAX + 1; wanted++) {
        /* header 36 + payload + signature 43 + two dots, in base64 of three bytes to four characters */
        int padding = (wanted - 36 - 43 - 2) * 3 / 4 - (int)strlen("{\"exp\":1700000060,\"p\":\"\"}");
        char *token = NULL;
        for (;; padding++) {
            snprintf(payload, sizeof(payload), "{\"exp\":1700000060,\"p\":\"%*s\"}", padding, "");
            free(token);
            token = make_token(NULL, SECRET, HS, payload);
            if (strlen(token) >= (size_t)wanted)
                break;
        }
        if (strlen(token) == (size_t)wanted && wanted == JWT_TOKEN_MAX)
            assert_int_equal(verify_text(hmac_keys, text_of(token), &any), 0);
        if (strlen(token) > JWT_TOKEN_MAX)
            refused(verify_text(hmac_keys, text_of(token), &any), "the token is too long");
        free(token);
    }
    char *huge = calloc(1, 1 << 20);
    memset(huge, 'a', 1 << 20);
    refused(verify_text(hmac_keys, text_make(huge, 1 << 20), &any), "the token is too long");
    free(huge);
}

/* ---- the header ---- */

static void test_header_members(void **state)
{
    static const char *const cases[][2] = {
        {"\"jwk\":{}", "a token must not bring its own key (jwk)"},
        {"\"jku\":\"https://a\"", "a token must not name the place of its key (jku)"},
        {"\"x5c\":[]", "a token must not bring its own certificate (x5c)"},
        {"\"x5u\":\"https://a\"", "a token must not name the place of its certificate (x5u)"},
        {"\"crit\":[\"exp\"],\"exp\":1", "the token demands an extension (crit)"},
        {"\"crit\":[]", "the token demands an extension (crit)"},
        {"\"b64\":false", "the token demands an unencoded payload (b64)"},
        {"\"b64\":true", "the token demands an unencoded payload (b64)"},
        {"\"zip\":\"DEF\"", "compressed tokens are not supported (zip)"},
        {"\"enc\":\"A128GCM\"", "encrypted tokens are not supported (enc)"},
        {"\"typ\":\"dpop+jwt\"", "the token is of another type (typ)"},
        {"\"typ\":\"application/\"", "the token is of another type (typ)"},
        {"\"typ\":1", "the token is of another type (typ)"},
        {"\"kid\":1", "the token's key id is not a text of acceptable length"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char header[256];
        snprintf(header, sizeof(header), "{\"alg\":\"HS256\",%s}", cases[i][0]);
        refused(hs(header, GOOD), cases[i][1]);
    }
    static const char *const fine[] = {"\"typ\":\"jwt\"", "\"typ\":\"at+JWT\"", "\"typ\":\"application/at+jwt\"",
                                       "\"x5t\":\"a\"", "\"kid\":\"whatever\"", "\"cty\":\"JSON\""};
    for (size_t i = 0; i < COUNT(fine); i++) {
        char header[256];
        snprintf(header, sizeof(header), "{\"alg\":\"HS256\",%s}", fine[i]);
        assert_int_equal(hs(header, GOOD), 0);
    }
    char kid[400];
    snprintf(kid, sizeof(kid), "{\"alg\":\"HS256\",\"kid\":\"%0257d\"}", 0);
    refused(hs(kid, GOOD), "the token's key id is not a text of acceptable length");
}

static void test_algorithms_refused(void **state)
{
    static const char *const none[] = {"none", "None", "NONE", "nOnE"};
    static const char *const other[] = {"HS384", "HS512", "hs256", "RS512", "PS256", "ES384", "ES256K", "", "HS256 ", "Ed25519"};
    char header[64];
    (void)state;
    for (size_t i = 0; i < COUNT(none); i++) {
        snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", none[i]);
        refused(hs(header, GOOD), "unsigned tokens are refused");
        char *h = make_b64(header, strlen(header)), unsigned_token[256]; /* and with no signature at all */
        snprintf(unsigned_token, sizeof(unsigned_token), "%s.eyJleHAiOjE3MDAwMDAwNjB9.", h);
        refused(verify_text(hmac_keys, text_of(unsigned_token), &any), "unsigned tokens are refused");
        free(h);
    }
    for (size_t i = 0; i < COUNT(other); i++) {
        snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", other[i]);
        refused(hs(header, GOOD), "the token's algorithm is not supported");
    }
    refused(hs("{\"typ\":\"JWT\"}", GOOD), "the token names no algorithm");
    refused(hs("{\"alg\":null}", GOOD), "the token names no algorithm");
    refused(hs("{\"alg\":[\"HS256\"]}", GOOD), "the token names no algorithm");
    refused(verify_text(hmac_keys, TEXT("eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3MDAwMDAwNjB9."), &any),
            "the signature does not match");
    refused(verify_with(hmac_keys, make_token(rsa, NULL, "{\"alg\":\"RS256\"}", GOOD), &any),
            "no key is configured for the token's algorithm");
}

/* RFC 7518 section 3.4: r and s are 64 bytes, never DER; zeros are no signature (CVE-2022-21449). */
static void test_es256_forms(void **state)
{
    struct jwt_keys *keys;
    char *pem = make_pem(ec), token[512];
    unsigned char zeros[64] = {0}, ones[64];
    (void)state;
    assert_int_equal(jwt_keys_from_pem(text_of(pem), &keys, NULL), 0);
    free(pem);
    memset(ones, 0xff, sizeof(ones));
    const unsigned char *raw[] = {zeros, ones, zeros, zeros};
    const size_t len[] = {64, 64, 63, 1};
    for (size_t i = 0; i < COUNT(len); i++) {
        char *s = make_b64(raw[i], len[i]);
        snprintf(token, sizeof(token), "eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjE3MDAwMDAwNjB9.%s", s);
        refused(verify_text(keys, text_of(token), &any), "the signature does not match");
        free(s);
    }
    jwt_keys_unref(keys);
}

/* ---- times ---- */

static void test_times(void **state)
{
    static const struct {
        const char *payload;
        int64_t skew_s;
        int code;
        const char *reason;
    } cases[] = {
        {"{\"exp\":1700000001}", 0, 0, ""},
        {"{\"exp\":1700000000}", 0, ERR_TOKEN_EXPIRED, "the token has expired"},
        {"{\"exp\":1700000000.9}", 0, ERR_TOKEN_EXPIRED, "the token has expired"},
        {"{\"exp\":1699999999}", 2, 0, ""},
        {"{\"exp\":1699999998}", 2, ERR_TOKEN_EXPIRED, "the token has expired"},
        {"{\"exp\":1.7000001e9}", 0, 0, ""},
        {"{\"exp\":0}", 0, ERR_TOKEN_EXPIRED, "the token has expired"},
        {"{\"exp\":1}", INT64_MAX, ERR_TOKEN_EXPIRED, "the token has expired"}, /* the skew itself is bounded */
        {"{\"exp\":\"1700000060\"}", 0, ERR_INVALID_TOKEN, "a date of the token is not a number of seconds"},
        {"{\"exp\":null}", 0, ERR_INVALID_TOKEN, "a date of the token is not a number of seconds"},
        {"{\"exp\":1700000060000}", 0, ERR_INVALID_TOKEN, "a date of the token is not a number of seconds"},
        {"{\"exp\":-1}", 0, ERR_INVALID_TOKEN, "a date of the token is not a number of seconds"},
        {"{\"exp\":1e400}", 0, ERR_INVALID_TOKEN, "a date of the token is not a number of seconds"},
        {"{\"sub\":\"u\"}", 0, ERR_INVALID_TOKEN, "the token does not say when it expires"},
        {"{\"exp\":1700000060,\"nbf\":1700000000}", 0, 0, ""},
        {"{\"exp\":1700000060,\"nbf\":1700000001}", 0, ERR_INVALID_TOKEN, "the token is not valid yet"},
        {"{\"exp\":1700000060,\"nbf\":1700000001}", 1, 0, ""},
        {"{\"exp\":1700000060,\"nbf\":true}", 0, ERR_INVALID_TOKEN, "a date of the token is not a number of seconds"},
        {"{\"exp\":1700000060,\"iat\":1700000000}", 0, 0, ""},
        {"{\"exp\":1700000060,\"iat\":1700000001}", 0, ERR_INVALID_TOKEN, "the token was issued in the future"},
        {"{\"exp\":1700000060,\"iat\":1700000005}", 5, 0, ""},
        {"{\"exp\":1700000060,\"iat\":{}}", 0, ERR_INVALID_TOKEN, "a date of the token is not a number of seconds"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct jwt_policy policy = {.skew_s = cases[i].skew_s};
        int code = verify_with(hmac_keys, make_token(NULL, SECRET, HS, cases[i].payload), &policy);
        assert_string_equal(result.reason, cases[i].reason);
        assert_int_equal(code, cases[i].code);
        assert_int_equal(result.now, NOW);
    }
    struct jwt_policy lasting = {.exp_optional = true};
    assert_int_equal(verify_with(hmac_keys, make_token(NULL, SECRET, HS, "{\"iat\":1600000000}"), &lasting), 0);
    assert_false(result.has_exp);
    assert_true(result.has_iat);
    assert_int_equal(result.iat, 1600000000);
}

/* Only the holder of a genuine token learns that it expired. */
static void test_expired_and_forged(void **state)
{
    (void)state;
    assert_int_equal(hs(HS, "{\"exp\":1600000000}"), ERR_TOKEN_EXPIRED);
    assert_int_equal(result.exp, 1600000000);
    assert_int_equal(verify_with(hmac_keys, make_token(NULL, "forged", HS, "{\"exp\":1600000000}"), &any), ERR_INVALID_TOKEN);
    assert_int_equal(result.exp, 0);
}

/* ---- parties ---- */

static void test_parties(void **state)
{
    static const struct text audiences[] = {{"web", 3}, {"app", 3}};
    static const struct {
        const char *claims, *reason;
    } cases[] = {
        {"\"iss\":\"https://i/\",\"aud\":\"web\"", ""},
        {"\"iss\":\"https://i/\",\"aud\":[\"x\",\"app\"]", ""},
        {"\"iss\":\"https://i/\",\"client_id\":\"web\"", ""},
        {"\"iss\":\"https://i\",\"aud\":\"web\"", "the token is from another issuer"},
        {"\"aud\":\"web\"", "the token is from another issuer"},
        {"\"iss\":[\"https://i/\"],\"aud\":\"web\"", "the token's issuer or subject is not a text"},
        {"\"iss\":\"https://i/\"", "the token is for another audience"},
        {"\"iss\":\"https://i/\",\"aud\":\"we\"", "the token is for another audience"},
        {"\"iss\":\"https://i/\",\"aud\":[]", "the token is for another audience"},
        {"\"iss\":\"https://i/\",\"aud\":\"x\",\"client_id\":\"web\"", "the token is for another audience"},
        {"\"iss\":\"https://i/\",\"client_id\":\"x\"", "the token is for another audience"},
        {"\"iss\":\"https://i/\",\"client_id\":[\"web\"]", "the token is for another audience"},
        {"\"iss\":\"https://i/\",\"aud\":{\"web\":1}", "the token's audience is not a text or a list of texts"},
        {"\"iss\":\"https://i/\",\"aud\":[\"web\",1]", "the token's audience is not a text or a list of texts"},
        {"\"iss\":\"https://i/\",\"aud\":\"web\",\"sub\":7", "the token's issuer or subject is not a text"},
    };
    struct jwt_policy policy = {.issuer = TEXT("https://i/"), .audiences = audiences, .audience_count = 2};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char payload[256];
        snprintf(payload, sizeof(payload), "{%s,\"exp\":1700000060}", cases[i].claims);
        int code = verify_with(hmac_keys, make_token(NULL, SECRET, HS, payload), &policy);
        assert_string_equal(result.reason, cases[i].reason);
        assert_int_equal(code, cases[i].reason[0] ? ERR_INVALID_TOKEN : 0);
    }
}

/* ---- memory and threads ---- */

static void test_small_arena(void **state)
{
    struct arena small;
    char *token = make_token(NULL, SECRET, HS, GOOD);
    int taken = 0;
    (void)state;
    for (size_t limit = 64; limit < 8192; limit += 64) { /* refused for want of memory until there is enough */
        arena_init(&small, 64, limit);
        int code = jwt_verify(hmac_keys, text_of(token), &any, (int64_t)NOW * 1000, &small, &result);
        assert_true(code == ERR_MEMORY || (code == 0 && result.claims));
        assert_true(code == 0 || !taken);
        taken += code == 0;
        arena_fini(&small);
    }
    assert_true(taken > 0);
    free(token);
}

static struct jwt_keys *shared;
static char *shared_tokens[2];

static void *verify_often(void *arg)
{
    struct jwt_result mine;
    struct arena own;
    long good = 0;
    (void)arg;
    arena_init(&own, 16384, 1 << 20);
    for (int i = 0; i < 200; i++) {
        struct jwt_keys *keys = jwt_keys_ref(shared);
        good += jwt_verify(keys, text_of(shared_tokens[i & 1]), &any, (int64_t)NOW * 1000, &own, &mine) == 0;
        jwt_keys_unref(keys);
        arena_reset(&own);
    }
    arena_fini(&own);
    return (void *)good;
}

static void test_threads(void **state)
{
    pthread_t threads[4];
    char *a = make_jwk(rsa, ",\"kid\":\"r\""), *b = make_jwk(ec, ",\"kid\":\"e\""), *set = NULL;
    (void)state;
    assert_true(asprintf(&set, "{\"keys\":[%s,%s]}", a, b) > 0);
    assert_int_equal(jwt_keys_from_jwks(text_of(set), &shared, NULL), 0);
    shared_tokens[0] = make_token(rsa, NULL, "{\"alg\":\"RS256\",\"kid\":\"r\"}", GOOD);
    shared_tokens[1] = make_token(ec, NULL, "{\"alg\":\"ES256\",\"kid\":\"e\"}", GOOD);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_often, NULL), 0);
    for (int i = 0; i < 4; i++) {
        void *good;
        pthread_join(threads[i], &good);
        assert_int_equal((long)good, 200);
    }
    jwt_keys_unref(shared);
    free(shared_tokens[0]);
    free(shared_tokens[1]);
    free(a);
    free(b);
    free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc7515_example), cmocka_unit_test(test_each_algorithm),
        cmocka_unit_test(test_another_key),     cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_form),            cmocka_unit_test(test_loose_base64url),
        cmocka_unit_test(test_size),            cmocka_unit_test(test_header_members),
        cmocka_unit_test(test_algorithms_refused), cmocka_unit_test(test_es256_forms),
        cmocka_unit_test(test_times),           cmocka_unit_test(test_expired_and_forged),
        cmocka_unit_test(test_parties),         cmocka_unit_test(test_small_arena),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests_name("net/jwt", tests, group_setup, group_teardown);
}
