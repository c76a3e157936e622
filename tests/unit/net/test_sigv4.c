/* SigV4 against the signatures that AWS documents, those that botocore 1.43 makes, and its own signer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above */
#include <cmocka.h>

#include "base/clock.h"
#include "net/sigv4.h"
#include "net/sigv4_canonical.h"

#define KEY "AKIDEXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define H(name, value) {TEXT(name), TEXT(value)}
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *secret = SECRET, *session_token = "";
static int lookups;

static bool lookup(void *ctx, struct text access_key, struct sigv4_credential *out)
{
    lookups++;
    if (!text_is(access_key, KEY) && !text_is(access_key, "AKIAIOSFODNN7EXAMPLE"))
        return false;
    *out = (struct sigv4_credential){text_of(secret), text_of(session_token), ctx};
    return true;
}

static int64_t at(const char *iso)
{
    int64_t ms;
    assert_int_equal(clock_parse_iso(iso, strlen(iso), &ms), 0);
    return ms;
}

static int setup(void **state)
{
    secret = SECRET;
    session_token = "";
    lookups = 0;
    return sigv4_create(lookup, (void *)0x17, (struct sigv4 **)state);
}

static int teardown(void **state)
{
    sigv4_destroy(*state);
    return 0;
}

struct vector {
    const char *now, *secret, *method, *target, *body;
    struct sigv4_header headers[8];
};

static struct sigv4_request request_of(const struct vector *v)
{
    struct sigv4_request request = {text_of(v->method), text_of(v->target), v->headers, 0, text_of(v->body), NULL};
    while (request.header_count < COUNT(v->headers) && v->headers[request.header_count].name.len)
        request.header_count++;
    return request;
}

static enum sigv4_status verify(struct sigv4 *sigv4, const struct vector *v, struct sigv4_identity *identity)
{
    struct sigv4_request request = request_of(v);
    secret = v->secret;
    return sigv4_verify(sigv4, &request, at(v->now), identity);
}

/* Published in the AWS General Reference / IAM and S3 user guides and in the SigV4 test suite. */
static const struct vector documented[] = {
    {"2015-08-30T12:36:00Z", SECRET, "GET", "/", "",
     {H("Host", "example.amazonaws.com"), H("X-Amz-Date", "20150830T123600Z"),
      H("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                         "SignedHeaders=host;x-amz-date, "
                         "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")}},
    {"2015-08-30T12:36:00Z", SECRET, "GET", "/?Action=ListUsers&Version=2010-05-08", "",
     {H("content-type", "application/x-www-form-urlencoded; charset=utf-8"), H("host", "iam.amazonaws.com"),
      H("x-amz-date", "20150830T123600Z"),
      H("authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
                         "SignedHeaders=content-type;host;x-amz-date, "
                         "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7")}},
    {"2013-05-24T00:00:00Z", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "GET", "/test.txt", "",
     {H("Host", "examplebucket.s3.amazonaws.com"), H("Range", "bytes=0-9"),
      H("x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      H("x-amz-date", "20130524T000000Z"),
      H("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                         "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
                         "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")}},
    {"2013-05-24T12:00:00Z", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "GET",
     "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F"
     "aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
     "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
     "", {H("Host", "examplebucket.s3.amazonaws.com")}},
};

/* Made by botocore 1.43.11. */
#define NOW "2026-11-20T12:00:00Z"
#define LOCAL H("Host", "127.0.0.1:8080")
#define AUTH(service, names, signature)                                                                                \
    H("X-Amz-Date", "20261120T120000Z"),                                                                               \
        H("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/us-east-1/" service                       \
                           "/aws4_request, SignedHeaders=" names ", Signature=" signature)
static const struct vector measured[] = {
    {NOW, SECRET, "POST", "/prod/@connections/L0SM9cOFvHcCIhw%3D", "hello",
     {LOCAL, AUTH("execute-api", "host;x-amz-date",
                  "72fe6f8561b7bebccf88521b4b60b7cab96e70bfb28148b1855925b9182e73b7")}},
    {NOW, SECRET, "POST", "/", "{\"TableName\":\"t\"}",
     {LOCAL, H("X-Amz-Target", "DynamoDB_20120810.GetItem"), H("Content-Type", "application/x-amz-json-1.0"),
      AUTH("dynamodb", "content-type;host;x-amz-date;x-amz-target",
           "ff2677a7f0358e50519ab85939735cd647d2fdbf4987a9fbf5e51d2336788663")}},
    {NOW, SECRET, "GET", "/a/./b//../c/?z=1&a=%20x&a=%2Fb&A=~", "",
     {LOCAL, H("x-note", "  one   two  "),
      AUTH("logs", "host;x-amz-date;x-note", "46ce8b716869b69c0f8671ee573f614853d8cf464d0bdd496aaf92f6e6c9f6b7")}},
    {NOW, SECRET, "GET",
     "/landing-hub/prod?room=a%20b&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261120%2Fus-east-1"
     "%2Fexecute-api%2Faws4_request&X-Amz-Date=20261120T120000Z&X-Amz-Expires=300&X-Amz-SignedHeaders=host&X-Amz-"
     "Signature=318263ebb34610e3adc971531555dfc1d0ebb76052eacc0689a8d37755ef4449",
     "", {LOCAL, H("Upgrade", "websocket")}},
};
static const struct vector with_token[] = {
    {NOW, SECRET, "POST", "/", "{\"TableName\":\"t\"}",
     {LOCAL, H("X-Amz-Target", "DynamoDB_20120810.GetItem"), H("Content-Type", "application/x-amz-json-1.0"),
      H("X-Amz-Security-Token", "session/token+1="),
      AUTH("dynamodb", "content-type;host;x-amz-date;x-amz-security-token;x-amz-target",
           "11cd8eeafea19c26fda3b3731f3a4bd62ad076bda26ec5edbe01a673bdca7228")}},
    {NOW, SECRET, "GET",
     "/landing-hub/prod?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261120%2Fus-east-1%2Fexecute-"
     "api%2Faws4_request&X-Amz-Date=20261120T120000Z&X-Amz-Expires=300&X-Amz-SignedHeaders=host&X-Amz-Security-Token="
     "session%2Ftoken%2B1%3D&X-Amz-Signature=083970e1240640fc913e247da8160bb4ccabc28d2f645dddd001c03fe1dcc6da",
     "", {LOCAL}},
};

static void test_documented(void **state)
{
    struct sigv4_identity identity;
    for (size_t i = 0; i < COUNT(documented); i++) {
        struct sigv4_request request = request_of(&documented[i]);
        assert_true(sigv4_present(&request));
        assert_int_equal(verify(*state, &documented[i], &identity), SIGV4_OK);
        assert_ptr_equal(identity.policy, (void *)0x17);
        assert_string_equal(identity.reason, "");
    }
    assert_true(identity.presigned);
    assert_true(identity.payload_unsigned);
}

static void test_measured(void **state)
{
    struct sigv4_identity identity;
    for (int round = 0; round < 2; round++) /* the second time with cached keys */
        for (size_t i = 0; i < COUNT(measured); i++)
            assert_int_equal(verify(*state, &measured[i], &identity), SIGV4_OK);
    assert_true(text_is(identity.service, "execute-api"));
    assert_true(text_is(identity.region, "us-east-1"));
    assert_true(text_is(identity.access_key, KEY));
    assert_int_equal(identity.signed_at_ms, at(NOW));
    assert_int_equal(lookups, 2 * COUNT(measured));
}

static void test_session_token(void **state)
{
    struct sigv4_identity identity;
    for (size_t i = 0; i < COUNT(with_token); i++) {
        session_token = "session/token+1=";
        assert_int_equal(verify(*state, &with_token[i], &identity), SIGV4_OK);
        session_token = "session/token+2=";
        assert_int_equal(verify(*state, &with_token[i], &identity), SIGV4_UNKNOWN_KEY);
    }
    assert_int_equal(verify(*state, &measured[1], &identity), SIGV4_UNKNOWN_KEY); /* the token is missing */
}

/* Over HTTP/2 the host is :authority; a client signs it under either name. */
static void test_authority(void **state)
{
    struct sigv4_identity identity;
    struct vector v = measured[1];
    v.headers[0].name = TEXT(":authority");
    assert_int_equal(verify(*state, &v, &identity), SIGV4_OK);

    struct sigv4_header headers[3] = {{TEXT(":authority"), TEXT("h")}};
    struct sigv4_request request = {TEXT("POST"), TEXT("/"), headers, 1, TEXT("x"), NULL};
    struct sigv4_signer signer = {TEXT(KEY), TEXT(SECRET), TEXT_NONE, TEXT("eu-west-1"), TEXT("kinesis"), false, 0};
    struct buf authorization;
    char date[SIGV4_DATE_SIZE];
    buf_init(&authorization, 4096);
    assert_int_equal(sigv4_sign(&signer, &request, at(NOW), &authorization, date), 0);
    assert_non_null(strstr(authorization.data, "SignedHeaders=:authority;x-amz-date"));
    headers[1] = (struct sigv4_header){TEXT("authorization"), buf_text(&authorization)};
    headers[2] = (struct sigv4_header){TEXT("x-amz-date"), text_of(date)};
    request.header_count = 3;
    assert_int_equal(sigv4_verify(*state, &request, at(NOW), &identity), SIGV4_OK);
    headers[0].name = TEXT("host");
    assert_int_equal(sigv4_verify(*state, &request, at(NOW), &identity), SIGV4_OK);
    buf_fini(&authorization);
}

/* The hash of what travelled, when the body is no longer as it came. */
static void test_body_hash(void **state)
{
    static const unsigned char of_body[32] = {0x23, 0x0d, 0x83, 0x58, 0xdc, 0x8e, 0x88, 0x90, 0xb4, 0xc5, 0x8d, 0xee, 0xb6, 0x29, 0x12, 0xee, 0x2f, 0x20, 0x35, 0x7a, 0xe9, 0x2a, 0x5c,
        0xc8, 0x61, 0xb9, 0x8e, 0x68, 0xfe, 0x31, 0xac, 0xb5}; /* SHA-256 of "body" */
    struct sigv4_identity identity;
    struct sigv4_header headers[3] = {H("host", "h")};
    struct sigv4_request request = {TEXT("POST"), TEXT("/"), headers, 1, TEXT("body"), NULL};
    struct sigv4_signer signer = {TEXT(KEY), TEXT(SECRET), TEXT_NONE, TEXT("eu-west-1"), TEXT("dynamodb"), false, 0};
    struct buf authorization;
    char date[SIGV4_DATE_SIZE];
    buf_init(&authorization, 4096);
    assert_int_equal(sigv4_sign(&signer, &request, at(NOW), &authorization, date), 0);
    headers[1] = (struct sigv4_header){TEXT("authorization"), buf_text(&authorization)};
    headers[2] = (struct sigv4_header){TEXT("x-amz-date"), text_of(date)};
    request.header_count = 3;
    request.body = TEXT("the same, inflated");
    assert_int_equal(sigv4_verify(*state, &request, at(NOW), &identity), SIGV4_MISMATCH);
    request.body_sha256 = of_body;
    assert_int_equal(sigv4_verify(*state, &request, at(NOW), &identity), SIGV4_OK);
    request.body = TEXT("body");
    request.body_sha256 = (const unsigned char[32]){1};
    assert_int_equal(sigv4_verify(*state, &request, at(NOW), &identity), SIGV4_MISMATCH);
    buf_fini(&authorization);
}

/* Every byte that the signature covers, changed one at a time. */
static void test_tampering(void **state)
{
    struct sigv4_identity identity;
    struct vector v = measured[1];
    v.method = "PUT";
    assert_int_equal(verify(*state, &v, &identity), SIGV4_MISMATCH);
    v = measured[1];
    v.target = "/x";
    assert_int_equal(verify(*state, &v, &identity), SIGV4_MISMATCH);
    v.target = "/?a";
    assert_int_equal(verify(*state, &v, &identity), SIGV4_MISMATCH);
    v = measured[1];
    v.body = "{\"TableName\":\"u\"}";
    assert_int_equal(verify(*state, &v, &identity), SIGV4_MISMATCH);
    v = measured[1];
    v.headers[1].value = TEXT("DynamoDB_20120810.PutItem");
    assert_int_equal(verify(*state, &v, &identity), SIGV4_MISMATCH);
    v = measured[1];
    v.headers[2].name = TEXT("Content-Typo"); /* a signed header is gone */
    assert_int_equal(verify(*state, &v, &identity), SIGV4_MISMATCH);
    assert_string_equal(identity.reason, "a signed header is not in the request");
    v = measured[1];
    v.secret = "another secret";
    assert_int_equal(verify(*state, &v, &identity), SIGV4_MISMATCH);
    v = measured[1];
    assert_int_equal(verify(*state, &v, &identity), SIGV4_OK); /* the other secret left nothing in the cache */
    v = documented[2];
    v.body = "not empty"; /* its hash is sent and signed */
    assert_int_equal(verify(*state, &v, &identity), SIGV4_MISMATCH);
}

static void test_every_signature_digit(void **state)
{
    struct sigv4_identity identity;
    struct vector v = measured[0];
    char authorization[512];
    size_t len = v.headers[2].value.len;
    memcpy(authorization, v.headers[2].value.data, len);
    for (size_t i = len - 64; i < len; i++) {
        char was = authorization[i];
        authorization[i] = was == '0' ? '1' : '0';
        v.headers[2].value = text_make(authorization, len);
        assert_int_equal(verify(*state, &v, &identity), SIGV4_MISMATCH);
        authorization[i] = was;
    }
    v.headers[2].value = text_make(authorization, len);
    assert_int_equal(verify(*state, &v, &identity), SIGV4_OK);
    /* Cut off at every place: never taken, and never anything but a clean refusal. */
    for (size_t n = 0; n < len; n++) {
        v.headers[2].value = text_make(authorization, n);
        enum sigv4_status status = verify(*state, &v, &identity);
        assert_true(status == SIGV4_INCOMPLETE || (n < 5 && status == SIGV4_MISSING));
    }
}

static enum sigv4_status with_authorization(struct sigv4 *sigv4, const char *value)
{
    struct sigv4_identity identity;
    struct vector v = measured[0];
    v.headers[2].value = text_of(value);
    return verify(sigv4, &v, &identity);
}

#define SIG "72fe6f8561b7bebccf88521b4b60b7cab96e70bfb28148b1855925b9182e73b7"
#define CRED "Credential=AKIDEXAMPLE/20261120/us-east-1/execute-api/aws4_request"
#define A4 "AWS4-HMAC-SHA256 "

static void test_forms(void **state)
{
    struct sigv4_identity identity;
    struct vector v = measured[0];
    v.headers[2].name = TEXT("x-other");
    assert_int_equal(verify(*state, &v, &identity), SIGV4_MISSING);
    assert_int_equal(with_authorization(*state, "Bearer abc"), SIGV4_MISSING);
    assert_int_equal(with_authorization(*state, A4 CRED ",SignedHeaders=host;x-amz-date,Signature=" SIG), SIGV4_OK);
    assert_int_equal(with_authorization(*state, A4 "Signature=" SIG ",  SignedHeaders=host;x-amz-date ," CRED), SIGV4_OK);
    static const char *const incomplete[] = {
        "AWS4-ECDSA-P256-SHA256 " CRED ", SignedHeaders=host;x-amz-date, Signature=" SIG,
        A4 CRED ", Signature=" SIG,
        A4 CRED ", SignedHeaders=host;x-amz-date",
        A4 "SignedHeaders=host;x-amz-date, Signature=" SIG,
        A4 CRED ", SignedHeaders=host;x-amz-date, Signature=" SIG ", Extra=1",
        A4 CRED ", SignedHeaders=host;x-amz-date, Signature=" SIG ", Signature=" SIG,
        A4 CRED ", SignedHeaders=x-amz-date, Signature=" SIG,          /* host is not covered */
        A4 CRED ", SignedHeaders=Host;host;x-amz-date, Signature=" SIG, /* not lower case */
        A4 CRED ", SignedHeaders=host;;x-amz-date, Signature=" SIG,
        A4 "Credential=AKIDEXAMPLE/20261120/us-east-1/execute-api, SignedHeaders=host, Signature=" SIG,
        A4 "Credential=AKIDEXAMPLE/20261120/us-east-1/execute-api/aws5_request, SignedHeaders=host, Signature=" SIG,
        A4 "Credential=/20261120/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=" SIG,
        A4 "Credential=AKIDEXAMPLE/2026112/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=" SIG,
        A4 "Credential=AKIDEXAMPLE/20261120//execute-api/aws4_request, SignedHeaders=host, Signature=" SIG,
        A4 CRED ", SignedHeaders=host;x-amz-date, Signature=72FE6f8561b7bebccf88521b4b60b7cab96e70bfb28148b1855925b9182e73b7",
    };
    for (size_t i = 0; i < COUNT(incomplete); i++)
        assert_int_equal(with_authorization(*state, incomplete[i]), SIGV4_INCOMPLETE);
    assert_int_equal(with_authorization(*state, A4 "Credential=NOBODY/20261120/us-east-1/execute-api/aws4_request, "
                                                   "SignedHeaders=host;x-amz-date, Signature=" SIG),
                     SIGV4_UNKNOWN_KEY);
    assert_int_equal(with_authorization(*state, A4 "Credential=AKIDEXAMPLE/20261119/us-east-1/execute-api/aws4_request, "
                                                   "SignedHeaders=host;x-amz-date, Signature=" SIG),
                     SIGV4_MISMATCH);
    assert_int_equal(with_authorization(*state, A4 "Credential=AKIDEXAMPLE/20261120/us-west-1/execute-api/aws4_request, "
                                                   "SignedHeaders=host;x-amz-date, Signature=" SIG),
                     SIGV4_MISMATCH);
}

static void test_refused_mixtures(void **state)
{
    struct sigv4_identity identity;
    struct vector v = measured[0];
    v.target = measured[3].target; /* signed twice */
    assert_int_equal(verify(*state, &v, &identity), SIGV4_INCOMPLETE);
    v = measured[0];
    v.headers[3] = v.headers[2]; /* two Authorization headers */
    assert_int_equal(verify(*state, &v, &identity), SIGV4_INCOMPLETE);
    v = measured[0];
    v.headers[3] = (struct sigv4_header)H("X-Amz-Target", "DynamoDB_20120810.DeleteTable"); /* slipped in, not signed */
    assert_int_equal(verify(*state, &v, &identity), SIGV4_INCOMPLETE);
    v = measured[0];
    v.headers[3] = (struct sigv4_header)H("x-amz-content-sha256", "UNSIGNED-PAYLOAD"); /* not signed: ignored */
    assert_int_equal(verify(*state, &v, &identity), SIGV4_OK);
    assert_false(identity.payload_unsigned);
    v = measured[0];
    v.headers[1].value = TEXT("20261120T1200Z");
    assert_int_equal(verify(*state, &v, &identity), SIGV4_INCOMPLETE);
    v.headers[1].value = TEXT("20261320T120000Z");
    assert_int_equal(verify(*state, &v, &identity), SIGV4_INCOMPLETE);
}

static void test_skew(void **state)
{
    struct sigv4_identity identity;
    static const struct {
        const char *now;
        enum sigv4_status status;
    } times[] = {{"2026-11-20T12:05:00Z", SIGV4_OK},      {"2026-11-20T12:05:01Z", SIGV4_EXPIRED},
                 {"2026-11-20T11:55:00Z", SIGV4_OK},      {"2026-11-20T11:54:59Z", SIGV4_EXPIRED},
                 {"2027-11-20T12:00:00Z", SIGV4_EXPIRED}, {"1970-01-01T00:00:00Z", SIGV4_EXPIRED}};
    for (size_t i = 0; i < COUNT(times); i++) {
        struct vector header = measured[0], query = measured[3];
        header.now = query.now = times[i].now;
        assert_int_equal(verify(*state, &header, &identity), times[i].status);
        assert_int_equal(verify(*state, &query, &identity), times[i].status); /* Expires=300 as well */
    }
    struct vector late = documented[3];
    late.now = "2013-05-25T00:00:00Z";
    assert_int_equal(verify(*state, &late, &identity), SIGV4_OK);
    late.now = "2013-05-25T00:00:01Z";
    assert_int_equal(verify(*state, &late, &identity), SIGV4_EXPIRED);
}

static void canonical_is(const char *target, bool as_sent, const char *path, const char *query)
{
    struct sigv4_header headers[] = {H("My-Header1", "  value1 \t "), H("HOST", "h"), H("my-header1", "a   b\t\tc"),
                                     H("My-Header2", "\"x   y\""), H("my-header1", "")};
    struct sigv4_canonical canonical = {.method = TEXT("GET"), .target = text_of(target), .headers = headers,
                                        .header_count = COUNT(headers), .path_as_sent = as_sent,
                                        .signed_headers = TEXT("host;my-header1;my-header2"),
                                        .payload_hash = TEXT("HASH")};
    struct buf out, scratch;
    char expected[1024];
    buf_init(&out, 65536);
    buf_init(&scratch, 65536);
    snprintf(expected, sizeof(expected),
             "GET\n%s\n%s\nhost:h\nmy-header1:value1,a b c,\nmy-header2:\"x y\"\n\nhost;my-header1;my-header2\nHASH", path,
             query);
    assert_int_equal(sigv4_canonical_format(&canonical, &out, &scratch), 0);
    assert_int_equal(buf_add_char(&out, 0), 0);
    assert_string_equal(out.data, expected);
    buf_fini(&out);
    buf_fini(&scratch);
}

/* The cases of the published suite, by what they are about. */
static void test_canonical(void **state)
{
    (void)state;
    canonical_is("/", false, "/", "");
    canonical_is("", false, "/", "");
    canonical_is("?a=b", false, "/", "a=b");
    canonical_is("/example/..", false, "/", "");
    canonical_is("/example1/example2/../..", false, "/", "");
    canonical_is("/../../x", false, "/x", "");
    canonical_is("/./", false, "/", "");
    canonical_is("/./example", false, "/example", "");
    canonical_is("//example//", false, "/example/", "");
    canonical_is("/example%20space/", false, "/example%2520space/", "");
    canonical_is("/@connections/x%3D", false, "/%40connections/x%253D", "");
    canonical_is("/\xe1\x88\xb4", false, "/%E1%88%B4", "");
    canonical_is("/-._~0123456789abc", false, "/-._~0123456789abc", "");
    canonical_is("/a//b/../%20", true, "/a//b/../%20", "");
    canonical_is("/?Param2=value2&Param1=value1", false, "/", "Param1=value1&Param2=value2");
    canonical_is("/?Param1=value2&Param1=Value1", false, "/", "Param1=Value1&Param1=value2");
    canonical_is("/?\xe1\x88\xb4=bar", false, "/", "%E1%88%B4=bar");
    canonical_is("/?a=%7e%2f&b=:+", false, "/", "a=~%2F&b=%3A%2B");
    canonical_is("/?a&b=&=c&&d==", false, "/", "=c&a=&b=&d=%3D");
    canonical_is("/?X-Amz-Signature=ff&a=1", false, "/", "a=1");
    canonical_is("/?a=1&aa=2&a%20b=3", false, "/", "a=1&a%20b=3&aa=2");
}

static void test_limits(void **state)
{
    struct sigv4_identity identity;
    struct vector v = measured[0];
    char target[4096] = "/?";
    for (int i = 0; i < 256; i++)
        strcat(target, "a=b&");
    v.target = target;
    assert_int_equal(verify(*state, &v, &identity), SIGV4_MISMATCH); /* 256 parameters are read */
    strcat(target, "a=b");
    assert_int_equal(verify(*state, &v, &identity), SIGV4_INCOMPLETE);
    v.target = "/?a=%4";
    assert_int_equal(verify(*state, &v, &identity), SIGV4_INCOMPLETE);
    v.target = "no-slash";
    assert_int_equal(verify(*state, &v, &identity), SIGV4_INCOMPLETE);
    size_t huge = SIGV4_CANONICAL_MAX + 10;
    char *path = malloc(huge);
    memset(path, 'a', huge - 1);
    path[0] = '/';
    path[huge - 1] = 0;
    v.target = path;
    assert_int_equal(verify(*state, &v, &identity), SIGV4_INCOMPLETE);
    free(path);
    assert_int_equal(verify(*state, &measured[0], &identity), SIGV4_OK); /* and the verifier is as good as before */
}

static void round_trip(struct sigv4 *sigv4, const struct sigv4_signer *signer, const char *target)
{
    struct sigv4_identity identity;
    struct sigv4_header headers[6] = {H("Host", "localhost:1"), H("X-Twice", "b"), H("x-twice", "a")};
    struct sigv4_request request = {TEXT("POST"), text_of(target), headers, 3, TEXT("body"), NULL};
    struct buf out;
    char date[SIGV4_DATE_SIZE];
    int64_t now = at(NOW);

    buf_init(&out, 65536);
    assert_int_equal(sigv4_sign(signer, &request, now, &out, date), 0);
    headers[3] = (struct sigv4_header){TEXT("x-amz-date"), text_of(date)};
    headers[4] = (struct sigv4_header){TEXT("authorization"), buf_text(&out)};
    request.header_count = 5;
    if (signer->payload_unsigned) {
        headers[5] = (struct sigv4_header)H("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
        request.header_count = 6;
    }
    assert_int_equal(sigv4_verify(sigv4, &request, now, &identity), SIGV4_OK);
    assert_false(identity.presigned);
    assert_int_equal(identity.payload_unsigned, signer->payload_unsigned);
    request.body = TEXT("other");
    assert_int_equal(sigv4_verify(sigv4, &request, now, &identity),
                     signer->payload_unsigned ? SIGV4_OK : SIGV4_MISMATCH);
    buf_clear(&out);
    request.header_count = 3;
    request.body = TEXT("body");
    assert_int_equal(sigv4_presign(signer, &request, now, &out), 0);
    request.target = buf_text(&out);
    assert_true(sigv4_present(&request));
    assert_int_equal(sigv4_verify(sigv4, &request, now + signer->expires_s * 1000, &identity), SIGV4_OK);
    assert_true(identity.presigned);
    assert_int_equal(sigv4_verify(sigv4, &request, now + signer->expires_s * 1000 + 1, &identity), SIGV4_EXPIRED);
    buf_fini(&out);
}

static void test_round_trips(void **state)
{
    static const char *const targets[] = {"/", "/a b/%20/../c//?x=%20&y", "/prod/@connections/L0SM9cOFvHcCIhw%3D", "/?b=2&a=1"};
    for (int i = 0; i < 40; i++) { /* more scopes than the cache has entries */
        char region[16];
        snprintf(region, sizeof(region), "region-%d", i % 20);
        struct sigv4_signer signer = {TEXT(KEY), TEXT(SECRET), TEXT_NONE, text_of(region), TEXT("logs"), i % 2 == 1, 7};
        round_trip(*state, &signer, targets[i % 4]);
    }
    struct sigv4_signer s3 = {TEXT(KEY), TEXT(SECRET), TEXT_NONE, TEXT("r"), TEXT("s3"), true, 604800};
    round_trip(*state, &s3, "/a//b");
}

static void test_signer_refuses(void **state)
{
    struct sigv4_header headers[1] = {H("Host", "h")};
    struct sigv4_request request = {TEXT("GET"), TEXT("/"), headers, 1, TEXT_NONE, NULL};
    struct sigv4_signer good = {TEXT(KEY), TEXT(SECRET), TEXT_NONE, TEXT("r"), TEXT("s"), false, 60}, bad;
    struct buf out;
    char date[SIGV4_DATE_SIZE];
    (void)state;
    buf_init(&out, 4096);
    buf_add_text(&out, TEXT("kept"));
    bad = good;
    bad.region = TEXT_NONE;
    assert_int_equal(sigv4_sign(&bad, &request, 0, &out, date), ERR_INVALID);
    bad = good;
    bad.expires_s = 604801;
    assert_int_equal(sigv4_presign(&bad, &request, 0, &out), ERR_INVALID);
    request.header_count = 0;
    assert_int_equal(sigv4_sign(&good, &request, 0, &out, date), ERR_INVALID);
    assert_int_equal(out.len, 4);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_documented, setup, teardown),
        cmocka_unit_test_setup_teardown(test_measured, setup, teardown),
        cmocka_unit_test_setup_teardown(test_session_token, setup, teardown),
        cmocka_unit_test_setup_teardown(test_authority, setup, teardown),
        cmocka_unit_test_setup_teardown(test_body_hash, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tampering, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_signature_digit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_mixtures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_skew, setup, teardown),
        cmocka_unit_test(test_canonical),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_round_trips, setup, teardown),
        cmocka_unit_test(test_signer_refuses),
    };
    return cmocka_run_group_tests_name("net/sigv4", tests, NULL, NULL);
}
