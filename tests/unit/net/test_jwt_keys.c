/* Where keys come from (secrets, PEM, JWKS), how one is chosen, what identity a token maps to, and the signer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above */
#include <cmocka.h>
#include <openssl/x509.h>

#include "jwt_make.h"
#include "net/jwt.h"

#define NOW_MS INT64_C(1700000000000)
#define GOOD "{\"sub\":\"u1\",\"exp\":1700000060}"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static EVP_PKEY *rsa, *rsa2, *rsa_short, *ec, *ec384, *ed;
static struct arena arena;
static struct jwt_result result;

static int group_setup(void **state)
{
    (void)state;
    rsa = EVP_RSA_gen(2048);
    rsa2 = EVP_RSA_gen(2048);
    rsa_short = EVP_RSA_gen(1024);
    ec = EVP_EC_gen("P-256");
    ec384 = EVP_EC_gen("P-384");
    ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    arena_init(&arena, 16384, 1 << 20);
    return 0;
}

static int group_teardown(void **state)
{
    EVP_PKEY *all[] = {rsa, rsa2, rsa_short, ec, ec384, ed};
    (void)state;
    for (size_t i = 0; i < COUNT(all); i++)
        EVP_PKEY_free(all[i]);
    arena_fini(&arena);
    return 0;
}

static void test_secret(void **state)
{
    struct jwt_keys *keys = NULL;
    static const char long_secret[JWT_SECRET_MAX + 1] = {'x'};
    (void)state;
    assert_int_equal(jwt_keys_from_secret(TEXT_NONE, &keys, NULL), ERR_INVALID);
    assert_int_equal(jwt_keys_from_secret(text_make(long_secret, sizeof(long_secret)), &keys, NULL), ERR_TOO_LARGE);
    assert_null(keys);
    assert_int_equal(jwt_keys_from_secret(TEXT("your-secret-key"), &keys, NULL), 0); /* the documents' kind */
    assert_true(jwt_keys_weak(keys));
    assert_int_equal(jwt_keys_count(keys), 1);
    jwt_keys_unref(keys);
    assert_int_equal(jwt_keys_from_secret(TEXT("0123456789abcdef0123456789abcdef"), &keys, NULL), 0);
    assert_false(jwt_keys_weak(keys));
    jwt_keys_unref(keys);
    jwt_keys_unref(NULL);
}

static char *certificate_pem(EVP_PKEY *key)
{
    X509 *cert = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_sign(cert, key, EVP_sha256());
    PEM_write_bio_X509(bio, cert);
    long len = BIO_get_mem_data(bio, &data);
    char *pem = strndup(data, (size_t)len);
    BIO_free(bio);
    X509_free(cert);
    return pem;
}

static int pem_code(const char *pem)
{
    struct jwt_keys *keys = NULL;
    struct err err = {0};
    int code = jwt_keys_from_pem(text_of(pem), &keys, &err);
    assert_true((code == 0) == (keys != NULL));
    assert_true(code == 0 || err.text[0]);
    jwt_keys_unref(keys);
    return code;
}

static void test_pem(void **state)
{
    EVP_PKEY *good[] = {rsa, ec, ed}, *bad[] = {rsa_short, ec384};
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        char *pem = make_pem(good[i]);
        assert_int_equal(pem_code(pem), 0);
        for (size_t n = 0; n + 30 < strlen(pem); n += 7) { /* cut anywhere before its end line */
            struct jwt_keys *keys = NULL;
            assert_int_equal(jwt_keys_from_pem(text_make(pem, n), &keys, NULL), ERR_INVALID);
        }
        free(pem);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        char *pem = make_pem(bad[i]);
        assert_int_equal(pem_code(pem), ERR_INVALID);
        free(pem);
    }
    char *cert = certificate_pem(rsa), *weak = certificate_pem(rsa_short);
    struct jwt_keys *keys;
    assert_int_equal(jwt_keys_from_pem(text_of(cert), &keys, NULL), 0);
    char *token = make_token(rsa, NULL, "{\"alg\":\"RS256\",\"kid\":\"any\"}", GOOD);
    assert_int_equal(jwt_verify(keys, text_of(token), &(struct jwt_policy){0}, NOW_MS, &arena, &result), 0);
    jwt_keys_unref(keys);
    free(token);
    assert_int_equal(pem_code(weak), ERR_INVALID);
    free(cert);
    free(weak);
    assert_int_equal(pem_code(""), ERR_INVALID);
    assert_int_equal(pem_code("hello"), ERR_INVALID);
    /* An encrypted block must not make the library ask for a password. */
    assert_int_equal(pem_code("-----BEGIN PUBLIC KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
                              "00112233445566778899AABBCCDDEEFF\n\nAAAAAAAAAAAAAAAAAAAAAA==\n-----END PUBLIC KEY-----\n"),
                     ERR_INVALID);
}

static void test_private_pem_refused(void **state)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    (void)state;
    char *public = make_pem(ec);
    BIO_puts(bio, public); /* even after a public one: whoever configured this has made a mistake */
    PEM_write_bio_PrivateKey(bio, ec, NULL, NULL, 0, NULL, NULL);
    long len = BIO_get_mem_data(bio, &data);
    struct jwt_keys *keys = NULL;
    assert_int_equal(jwt_keys_from_pem(text_make(data, (size_t)len), &keys, NULL), ERR_INVALID);
    BIO_free(bio);
    free(public);
}

/* ---- JWKS ---- */

/* A set of the given key texts; -1 when it is refused. */
static int jwks_count(const char *keys_json)
{
    struct jwt_keys *keys = NULL;
    char *set = NULL;
    assert_true(asprintf(&set, "{\"keys\":[%s]}", keys_json) > 0);
    int code = jwt_keys_from_jwks(text_of(set), &keys, NULL);
    int count = code ? -1 : (int)jwt_keys_count(keys);
    jwt_keys_unref(keys);
    free(set);
    return count;
}

static void skipped(EVP_PKEY *key, const char *more)
{
    char *jwk = make_jwk(key, more), *good = make_jwk(ec, ""), *both = NULL;
    assert_int_equal(jwks_count(jwk), -1);
    assert_true(asprintf(&both, "%s,%s", jwk, good) > 0);
    assert_int_equal(jwks_count(both), 1);
    free(jwk);
    free(good);
    free(both);
}

static void taken(EVP_PKEY *key, const char *more)
{
    char *jwk = make_jwk(key, more);
    assert_int_equal(jwks_count(jwk), 1);
    free(jwk);
}

static void test_jwks_keys(void **state)
{
    (void)state;
    taken(rsa, "");
    taken(ec, "");
    taken(ed, "");
    taken(rsa, ",\"alg\":\"RS256\",\"use\":\"sig\",\"kid\":\"a\",\"x5c\":[\"ignored\"],\"unknown\":{}");
    taken(ec, ",\"key_ops\":[\"sign\",\"verify\"]");
    skipped(rsa_short, "");
    skipped(rsa, ",\"alg\":\"RS512\"");
    skipped(rsa, ",\"alg\":\"PS256\"");
    skipped(rsa, ",\"alg\":\"HS256\"");
    skipped(ec, ",\"alg\":\"RS256\"");
    skipped(rsa, ",\"use\":\"enc\"");
    skipped(rsa, ",\"use\":1");
    skipped(ec, ",\"key_ops\":[\"sign\"]");
    skipped(ec, ",\"key_ops\":\"verify\"");
    skipped(ec, ",\"d\":\"AA\"");
    skipped(ec, ",\"kid\":7");
    static const char *const bad[] = {
        "{\"kty\":\"oct\",\"k\":\"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA\"}",
        "{\"kty\":\"RSA\"}",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
        /* not on the curve */
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\","
        "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}",
        "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}",
        "{}", "1", "null", "[]", "{\"kty\":1}"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(jwks_count(bad[i]), -1);
}

/* e = 1 would make the padded hash its own signature; even and oversized ones are no better. */
static void test_jwks_exponents(void **state)
{
    static const char *const exponents[] = {"AQ", "Ag", "AA", "AQAC", "AgAAAAAB", "////"};
    char *n = make_number(rsa, OSSL_PKEY_PARAM_RSA_N, 0), jwk[1024];
    (void)state;
    for (size_t i = 0; i < COUNT(exponents); i++) {
        snprintf(jwk, sizeof(jwk), "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}", n, exponents[i]);
        assert_int_equal(jwks_count(jwk), -1);
    }
    snprintf(jwk, sizeof(jwk), "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"Aw\"}", n);
    assert_int_equal(jwks_count(jwk), 1);
    snprintf(jwk, sizeof(jwk), "{\"kty\":\"RSA\",\"n\":\"%s=\",\"e\":\"AQAB\"}", n);
    assert_int_equal(jwks_count(jwk), -1);
    free(n);
}

static void test_jwks_document(void **state)
{
    struct jwt_keys *keys = NULL;
    (void)state;
    assert_int_equal(jwt_keys_from_jwks(TEXT(""), &keys, NULL), ERR_SYNTAX);
    assert_int_equal(jwt_keys_from_jwks(TEXT("{\"keys\":[]"), &keys, NULL), ERR_SYNTAX);
    assert_int_equal(jwt_keys_from_jwks(TEXT("{\"keys\":[]}"), &keys, NULL), ERR_INVALID);
    assert_int_equal(jwt_keys_from_jwks(TEXT("[]"), &keys, NULL), ERR_INVALID);
    assert_int_equal(jwt_keys_from_jwks(TEXT("{\"keys\":{}}"), &keys, NULL), ERR_INVALID);
    assert_int_equal(jwt_keys_from_jwks(TEXT("{\"keys\":[],\"keys\":[]}"), &keys, NULL), ERR_DUPLICATE);
    char *large = calloc(1, JWT_JWKS_MAX + 1);
    assert_int_equal(jwt_keys_from_jwks(text_make(large, JWT_JWKS_MAX + 1), &keys, NULL), ERR_TOO_LARGE);
    free(large);

    struct buf many;
    char *jwk = make_jwk(ed, "");
    buf_init(&many, JWT_JWKS_MAX);
    for (int i = 0; i < JWT_KEYS_MAX; i++)
        buf_add_format(&many, "%s%s", i ? "," : "", jwk);
    buf_add_char(&many, 0);
    assert_int_equal(jwks_count(many.data), JWT_KEYS_MAX);
    many.len--;
    buf_add_format(&many, ",%s", jwk);
    buf_add_char(&many, 0);
    assert_int_equal(jwks_count(many.data), -1);
    buf_fini(&many);
    free(jwk);
}

static void choose(const struct jwt_keys *keys, EVP_PKEY *key, const char *header, const char *reason, bool unknown)
{
    char *token = make_token(key, NULL, header, GOOD);
    int code = jwt_verify(keys, text_of(token), &(struct jwt_policy){0}, NOW_MS, &arena, &result);
    assert_string_equal(result.reason, reason);
    assert_int_equal(code, reason[0] ? ERR_INVALID_TOKEN : 0);
    assert_int_equal(result.unknown_key, unknown);
    free(token);
}

static void test_choosing(void **state)
{
    char *a = make_jwk(rsa, ",\"kid\":\"a\""), *b = make_jwk(rsa2, ",\"kid\":\"b\""), *c = make_jwk(ec, ",\"kid\":\"c\"");
    char *bare = make_jwk(rsa, ""), *set = NULL;
    struct jwt_keys *keys;
    (void)state;
    assert_true(asprintf(&set, "{\"keys\":[%s,%s,%s]}", a, b, c) > 0);
    assert_int_equal(jwt_keys_from_jwks(text_of(set), &keys, NULL), 0);
    choose(keys, rsa, "{\"alg\":\"RS256\",\"kid\":\"a\"}", "", false);
    choose(keys, rsa2, "{\"alg\":\"RS256\",\"kid\":\"b\"}", "", false);
    choose(keys, ec, "{\"alg\":\"ES256\",\"kid\":\"c\"}", "", false);
    choose(keys, ec, "{\"alg\":\"ES256\"}", "", false);
    choose(keys, rsa, "{\"alg\":\"RS256\",\"kid\":\"b\"}", "the signature does not match", false);
    choose(keys, rsa, "{\"alg\":\"RS256\"}", "the token names no key and several could be meant", false);
    choose(keys, rsa, "{\"alg\":\"RS256\",\"kid\":\"\"}", "the token names no key and several could be meant", false);
    choose(keys, rsa, "{\"alg\":\"RS256\",\"kid\":\"z\"}", "the token names a key that is not known", true);
    choose(keys, rsa, "{\"alg\":\"ES256\",\"kid\":\"a\"}", "the token's algorithm is not the one of its key", false);
    choose(keys, ed, "{\"alg\":\"EdDSA\"}", "no key is configured for the token's algorithm", false);
    jwt_keys_unref(keys);
    free(set);
    assert_true(asprintf(&set, "{\"keys\":[%s]}", bare) > 0); /* a set without names takes any name */
    assert_int_equal(jwt_keys_from_jwks(text_of(set), &keys, NULL), 0);
    choose(keys, rsa, "{\"alg\":\"RS256\",\"kid\":\"z\"}", "", false);
    jwt_keys_unref(keys);
    free(set);
    free(a);
    free(b);
    free(c);
    free(bare);
}

/* ---- identity ---- */

static int identity(const char *claims, struct jwt_identity *out)
{
    const struct json *root;
    const char *reason;
    arena_reset(&arena);
    memset(out, 0, sizeof(*out));
    assert_int_equal(json_parse(&arena, text_of(claims), JSON_COPY, &root, NULL), 0);
    int code = jwt_identity_from_claims(root, &arena, out, &reason);
    assert_true((code == 0) == (reason[0] == 0));
    return code;
}

static void test_identity(void **state)
{
    static const struct {
        const char *claims, *id, *name, *email, *role;
        size_t groups;
    } cases[] = {
        {"{}", "", "", "", "user", 0},
        {"{\"sub\":\"s\",\"userId\":\"u\",\"name\":\"N\",\"username\":\"n\",\"email\":\"e@x\"}", "s", "N", "e@x", "user", 0},
        {"{\"userId\":\"u\",\"userName\":\"un\",\"userEmail\":\"m\",\"userRole\":\"admin\"}", "u", "un", "m", "admin", 0},
        {"{\"user_id\":\"x\",\"preferred_username\":\"p\",\"role\":\"editor\"}", "x", "p", "", "editor", 0},
        {"{\"id\":42,\"username\":\"q\"}", "42", "q", "", "user", 0},
        {"{\"sub\":null,\"id\":-7}", "-7", "", "", "user", 0},
        {"{\"sub\":\"s\",\"cognito:username\":\"c\",\"cognito:groups\":[\"x\",\"admin\"]}", "s", "c", "", "admin", 2},
        {"{\"sub\":\"s\",\"groups\":[\"admins\"]}", "s", "", "", "user", 1},
        {"{\"sub\":\"s\",\"groups\":\"admin\"}", "s", "", "", "admin", 1},
        {"{\"sub\":\"s\",\"groups\":[\"admin\"],\"role\":\"user\"}", "s", "", "", "user", 1},
        {"{\"sub\":\"s\",\"groups\":[]}", "s", "", "", "user", 0},
    };
    struct jwt_identity who;
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(identity(cases[i].claims, &who), 0);
        assert_true(text_is(who.user_id, cases[i].id));
        assert_true(text_is(who.user_name, cases[i].name));
        assert_true(text_is(who.user_email, cases[i].email));
        assert_true(text_is(who.user_role, cases[i].role));
        assert_int_equal(who.group_count, cases[i].groups);
    }
    static const char *const bad[] = {"{\"sub\":{}}",          "{\"id\":1.5}",           "{\"id\":true}",
                                      "{\"sub\":\"a\\nb\"}",   "{\"sub\":\"a\\u007f\"}", "{\"name\":7}",
                                      "{\"email\":\"\\u0000\"}", "{\"role\":[\"admin\"]}", "{\"groups\":{\"admin\":1}}",
                                      "{\"groups\":[1]}",      "{\"groups\":[\"\\t\"]}"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(identity(bad[i], &who), ERR_INVALID_TOKEN);
    char claims[400];
    snprintf(claims, sizeof(claims), "{\"sub\":\"%0256d\"}", 0);
    assert_int_equal(identity(claims, &who), 0);
    snprintf(claims, sizeof(claims), "{\"sub\":\"%0257d\"}", 0);
    assert_int_equal(identity(claims, &who), ERR_INVALID_TOKEN);
}

/* ---- the signer ---- */

static void test_sign(void **state)
{
    struct jwt_keys *keys;
    struct buf token;
    (void)state;
    buf_init(&token, 2 * JWT_TOKEN_MAX);
    assert_int_equal(jwt_sign_hs256(TEXT("dev"), TEXT(GOOD), &token), 0);
    assert_int_equal(jwt_keys_from_secret(TEXT("dev"), &keys, NULL), 0);
    assert_int_equal(jwt_verify(keys, buf_text(&token), &(struct jwt_policy){0}, NOW_MS, &arena, &result), 0);
    char *same = make_token(NULL, "dev", "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", GOOD);
    assert_true(text_is(buf_text(&token), same));
    free(same);
    size_t len = token.len;
    assert_int_equal(jwt_sign_hs256(TEXT("dev"), TEXT("[]"), &token), ERR_INVALID);
    assert_int_equal(jwt_sign_hs256(TEXT("dev"), TEXT("{"), &token), ERR_SYNTAX);
    assert_int_equal(jwt_sign_hs256(TEXT("dev"), TEXT("{\"a\":1,\"a\":2}"), &token), ERR_DUPLICATE);
    assert_int_equal(jwt_sign_hs256(TEXT_NONE, TEXT("{}"), &token), ERR_INVALID);
    char large[JWT_TOKEN_MAX];
    snprintf(large, sizeof(large), "{\"a\":\"%*s\"}", JWT_TOKEN_MAX - 200, "");
    assert_int_equal(jwt_sign_hs256(TEXT("dev"), text_of(large), &token), ERR_TOO_LARGE);
    assert_int_equal(token.len, len);
    jwt_keys_unref(keys);
    buf_fini(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secret),         cmocka_unit_test(test_pem),       cmocka_unit_test(test_private_pem_refused),
        cmocka_unit_test(test_jwks_keys),      cmocka_unit_test(test_jwks_exponents),
        cmocka_unit_test(test_jwks_document),  cmocka_unit_test(test_choosing),  cmocka_unit_test(test_identity),
        cmocka_unit_test(test_sign),
    };
    return cmocka_run_group_tests_name("net/jwt_keys", tests, group_setup, group_teardown);
}
