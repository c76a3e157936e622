/*
 * The language, row by row: queries over a few events with what AWS's documentation says that they give, or docs/insights.md where it says nothing. Every query runs over the
 * events in order and backwards, in one run and split over two and three that are merged.
 */
#include "query_fixture.h"

struct vector {
    const char *query, *rows;
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void run_all(const struct vector *vector, size_t vectors, const struct sample *sample, size_t count)
{
    for (size_t i = 0; i < vectors; i++)
        expect_rows(vector[i].query, sample, count, vector[i].rows);
}

/* ---- the three queries of the document, over weir's own route lines and others ---- */

static const struct sample game[] = {
    {0, "Performance logged: page-load {\"metricName\":\"page-load\",\"duration\":1200,\"userId\":\"u1\"}"},
    {1000, "Performance logged: page-load {\"metricName\":\"page-load\",\"duration\":800,\"userId\":\"u2\"}"},
    {2000, "Performance logged: app-init {\"metricName\":\"app-init\",\"duration\":2500.5}"},
    {3000, "Leaderboard updated: classic {\"gameMode\":\"classic\",\"score\":5000,\"userId\":\"u1\"}"},
    {4000, "Leaderboard updated: classic {\"gameMode\":\"classic\",\"score\":7000,\"userId\":\"u2\"}"},
    {5000, "Leaderboard updated: blitz {\"gameMode\":\"blitz\",\"score\":10}"},
    {6000, "ERROR the table is throttled"},
    {301000, "2025-11-21T00:05:01Z ERROR no such user {\"userId\":\"u9\"}"},
    {302000, "{\"level\":\"ERROR\",\"message\":\"deep\"}"},
    {303000, "INFO nothing to see"},
};

static void test_seeds(void **state)
{
    (void)state;
    static const struct vector row[] = {
        {"fields @timestamp, metricName, duration\n| filter @message like /Performance logged/\n| stats avg(duration) as avg_duration by metricName\n| sort avg_duration desc\n"
         "| limit 20",
            "metricName=app-init|avg_duration=2500.5\nmetricName=page-load|avg_duration=1000\n"},
        {"fields @timestamp, gameMode, score\n| filter @message like /Leaderboard updated/\n| stats count() as games, max(score) as high_score by gameMode",
            "gameMode=blitz|games=1|high_score=10\ngameMode=classic|games=2|high_score=7000\n"},
        {"fields @timestamp, @message\n| filter @message like /ERROR/\n| stats count() as error_count by bin(5m)",
            "bin(5m)=2025-11-21 00:05:00.000|error_count=2\nbin(5m)=2025-11-21 00:00:00.000|error_count=1\n"},
    };
    run_all(row, COUNT(row), game, COUNT(game));
}

/* ---- commands ---- */

static const struct sample web[] = {
    {1000, "{\"status\":200,\"path\":\"/a\",\"ms\":10,\"host\":\"x\",\"user\":{\"name\":\"Ann\",\"tags\":[\"t0\",{\"k\":\"v\"}]},\"ok\":true,\"none\":null}"},
    {2000, "{\"status\":404,\"path\":\"/b\",\"ms\":30,\"host\":\"y\",\"user\":{\"name\":\"Bob\"},\"ok\":false}"},
    {3000, "{\"status\":\"500\",\"path\":\"/a\",\"ms\":20.5,\"host\":\"x\",\"odd-name\":\"o\",\"a.b\":\"dotted\",\"@at\":1}"},
    {4000, "plain words"},
};

static void test_fields(void **state)
{
    (void)state;
    static const struct vector row[] = {
        {"filter status = 404", "@timestamp=2025-11-21 00:00:02.000|@message={\"status\":404,\"path\":\"/b\",\"ms\":30,\"host\":\"y\",\"user\":{\"name\":\"Bob\"},\"ok\":false}\n"},
        {"fields path, ms", "\npath=/a|ms=20.5\npath=/b|ms=30\npath=/a|ms=10\n"},
        {"fields path as p, ms * 2 as double | filter ispresent(ms) | sort double asc", "p=/a|double=20\np=/a|double=41\np=/b|double=60\n"},
        {"fields ms+1 | filter status = 200", "ms+1=11\n"},
        {"fields @timestamp | fields path | filter status=200", "@timestamp=2025-11-21 00:00:01.000|path=/a\n"},
        {"fields path, ms | display ms | filter status = 200", "ms=10\n"},
        {"fields user.name as n, user.tags.0, user.tags.1.k, user.tags.9 | filter status = 200", "n=Ann|user.tags.0=t0|user.tags.1.k=v\n"},
        {"fields user, user.tags | filter n = 1 or status = 200", "user={\"name\":\"Ann\",\"tags\":[\"t0\",{\"k\":\"v\"}]}|user.tags=[\"t0\",{\"k\":\"v\"}]\n"},
        {"fields `odd-name`, a.b, @@at, @at | filter status = 500", "odd-name=o|a.b=dotted|@@at=1\n"},
        {"fields ok, none | filter ispresent(ok)", "ok=0\nok=1\n"},
        {"fields path | filter ok", "path=/a\n"},
        {"fields path | filter ok = 'false'", "path=/b\n"},
        {"fields path | filter ok = true", "path=/a\n"},
        {"fields @logStream, @log, @ingestionTime | filter status = 200",
            "@logStream=stream-a|@log=123456789012:/aws/lambda/riddle-rush-ws-message-dev|@ingestionTime=2025-11-21 00:00:01.005\n"},
        {"fields status # a comment | fields path\n| filter status = 404 # another", "status=404\n"},
        {"filter status = 200 | display path, host, path", "path=/a|host=x\n"},
        {"fields strlen(path) as path | filter status = 200", "path=2\n"},
        {"| fields path | filter status = 200", "path=/a\n"},
    };
    run_all(row, COUNT(row), web, COUNT(web));
}

static void test_filter(void **state)
{
    (void)state;
    static const struct vector row[] = {
        {"fields path | filter status >= 400 and status < 500", "path=/b\n"},
        {"fields path | filter status = \"500\"", "path=/a\n"},
        {"fields ms | filter status in [200, 500] | sort ms", "ms=10\nms=20.5\n"},
        {"fields ms | filter status not in [200, 500] and ispresent(status)", "ms=30\n"},
        {"fields ms | filter host in ['y', 'z']", "ms=30\n"},
        {"fields ms | filter not (host = 'x') and ispresent(host)", "ms=30\n"},
        {"fields @message | filter status != 200 and not ispresent(status)", "@message=plain words\n"},
        {"fields @message | filter @message like 'plain'", "@message=plain words\n"},
        {"fields @message | filter @message like /PLAIN/", ""},
        {"fields @message | filter @message like /(?i)PLAIN/", "@message=plain words\n"},
        {"fields @message | filter @message =~ /^pl.*s$/", "@message=plain words\n"},
        {"fields @message | filter @message =~ \"plain\"", "@message=plain words\n"},
        {"fields @message | filter @message not like /status/", "@message=plain words\n"},
        {"fields ms | filter status like /[45]\\d\\d/ | sort ms desc", "ms=30\nms=20.5\n"},
        {"fields ms | filter path like /\\/b/", "ms=30\n"},
        {"fields ms | filter (host = 'x' or host = 'y') and (ms > 15 and ms < 25)", "ms=20.5\n"},
        {"fields ms | filter ms > 5 | filter ms < 15", "ms=10\n"},
        {"fields ms | filter host = 'x' or host = 'y' and ms = 30 | sort ms", "ms=10\nms=20.5\nms=30\n"},
        {"fields ms | filter strcontains(path, 'b')", "ms=30\n"},
        {"FIELDS ms | FILTER status = 200 AND NOT host = 'y'", "ms=10\n"},
        {"fields ms | filter @timestamp > 1763683202000 and ispresent(ms)", "ms=20.5\n"},
        {"fields ms | filter @timestamp >= '2025-11-21 00:00:03' and ispresent(ms)", "ms=20.5\n"},
        {"fields ms | filter missing = 1", ""},
        {"fields ms | filter path like host", ""},
        {"fields ms | filterIndex status = 200", "ms=10\n"},
    };
    run_all(row, COUNT(row), web, COUNT(web));
}

static void test_sort(void **state)
{
    (void)state;
    static const struct vector row[] = {
        {"fields ms | filter ispresent(ms) | sort ms desc", "ms=30\nms=20.5\nms=10\n"},
        {"fields host, ms | filter ispresent(ms) | sort host desc, ms asc", "host=y|ms=30\nhost=x|ms=10\nhost=x|ms=20.5\n"},
        {"fields ms | filter ispresent(ms) | limit 2", "ms=20.5\nms=30\n"},
        {"fields ms | filter ispresent(ms) | sort @timestamp asc | limit 1", "ms=10\n"},
        {"fields ms | filter ispresent(ms) | head 1", "ms=20.5\n"},
        {"fields ms | filter ispresent(ms) | limit 2 | sort ms desc | limit 1", "ms=30\n"},
        {"fields ms | sort ms desc | limit 3 | filter ms < 25 | fields ms * 2 as d", "ms=20.5|d=41\nms=10|d=20\n"},
        {"fields host, ms | filter ispresent(ms) | sort ms desc | dedup host", "host=y|ms=30\nhost=x|ms=20.5\n"},
        {"fields host, ms | filter ispresent(ms) | dedup host", "host=x|ms=20.5\nhost=y|ms=30\n"},
        {"fields host, ms | dedup host | limit 2", "\nhost=x|ms=20.5\n"},
        {"fields host, path | dedup host, path | filter ispresent(host)", "host=x|path=/a\nhost=y|path=/b\n"},
        {"fields ms | filter ispresent(ms) | sort ms - 40 * 1", "ms=10\nms=20.5\nms=30\n"},
        {"fields ms | sort ms", "\nms=10\nms=20.5\nms=30\n"},
    };
    run_all(row, COUNT(row), web, COUNT(web));
}

static void test_stats(void **state)
{
    (void)state;
    static const struct vector row[] = {
        {"stats count(*)", "count(*)=4\n"},
        {"stats count()", "count()=4\n"},
        {"stats count(ms) as n, sum(ms) as s, avg(ms) as a, min(ms) as lo, max(ms) as hi", "n=3|s=60.5|a=20.1667|lo=10|hi=30\n"},
        {"filter missing = 1 | stats count(*)", ""},
        {"stats count(*) as n by host", "n=1\nhost=x|n=2\nhost=y|n=1\n"},
        {"stats count(*) by host | sort count(*) desc, host", "host=x|count(*)=2\ncount(*)=1\nhost=y|count(*)=1\n"},
        {"stats count(*) by host | sort COUNT( * ) desc | limit 1", "host=x|count(*)=2\n"},
        {"stats count_distinct(path) as p, count_distinct(host)", "p=2|count_distinct(host)=2\n"},
        {"stats pct(ms, 50) as p50, pct(ms, 100) as p100, pct(ms,0)", "p50=20.5|p100=30|pct(ms,0)=10\n"},
        {"stats earliest(path) as e, latest(path) as l, earliest(@timestamp) as t", "e=/a|l=/a|t=2025-11-21 00:00:01.000\n"},
        {"stats sortsFirst(host) as f, sortsLast(host) as l", "f=x|l=y\n"},
        {"stats max(host), min(path)", "max(host)=y|min(path)=/a\n"},
        {"stats max(ms) - min(ms) as spread, ceil(avg(ms)) as c, sum(ms) / count(ms)", "spread=20|c=21|sum(ms) / count(ms)=20.1667\n"},
        {"stats sum(status >= 400) as bad by host | filter bad > 0 | sort host", "host=x|bad=1\nhost=y|bad=1\n"},
        {"stats avg(ms) as a by host, path | filter a > 20", "host=y|path=/b|a=30\n"},
        {"stats count(*) as n by bin(2s) as t | sort t", "t=2025-11-21 00:00:00.000|n=1\nt=2025-11-21 00:00:02.000|n=2\nt=2025-11-21 00:00:04.000|n=1\n"},
        {"stats count(*) as n by bin(2s) | stats max(n) as most, count(*) as bins", "most=2|bins=3\n"},
        {"stats count(*) as n by host | fields n * 10 as ten | filter ispresent(host) | display host, ten", "host=x|ten=20\nhost=y|ten=10\n"},
        {"stats avg(ms) by toupper(host)", "\ntoupper(host)=X|avg(ms)=15.25\ntoupper(host)=Y|avg(ms)=30\n"},
        {"stats count(*) as n by datefloor(@timestamp, 1h)", "datefloor(@timestamp, 1h)=2025-11-21 00:00:00.000|n=4\n"},
        {"stats count(*) as n by `odd-name` | filter ispresent(`odd-name`)", "odd-name=o|n=1\n"},
        {"sort ms desc | limit 2 | stats sum(ms) as s", "s=50.5\n"},
        {"stats sum(missing) as s, count(missing) as n", "n=0\n"},
        {"stats stddev(ms) as d by host | sort d desc | limit 1", "host=x|d=5.25\n"},
        {"stats sum(ms) as total by host, ok | sort total asc | limit 2", "\nhost=x|ok=1|total=10\n"},
    };
    run_all(row, COUNT(row), web, COUNT(web));
}

/* The classic numbers: a deviation of 2. */
static void test_stddev(void **state)
{
    (void)state;
    static const struct sample sample[] = {{0, "{\"n\":2}"}, {1, "{\"n\":4}"}, {2, "{\"n\":4}"}, {3, "{\"n\":4}"}, {4, "{\"n\":5}"}, {5, "{\"n\":5}"}, {6, "{\"n\":7}"}, {7, "{\"n\":9}"}};
    expect_rows("stats stddev(n) as d, avg(n) as a, pct(n, 90) as p", sample, COUNT(sample), "d=2|a=5|p=9\n");
}

/* ---- parse ---- */

static const struct sample lines[] = {
    {0, "25 May 2019 10:24:39,474 [ERROR] {foo=2, bar=data} The error was: DataIntegrityException"},
    {1000, "user=alice, method:GET, latency := 12.5"},
    {2000, "user=bob, method:PUT, latency := 7.5"},
    {3000, "user=alice, method:GET, latency := 7.5"},
};

static void test_parse(void **state)
{
    (void)state;
    static const struct vector row[] = {
        {"parse @message \"user=*, method:*, latency := *\" as @user, @method, @latency | filter ispresent(@user) | stats avg(@latency) as a by @method, @user",
            "@method=GET|@user=alice|a=10\n@method=PUT|@user=bob|a=7.5\n"},
        {"parse @message \"[*] *\" as level, rest | display level, rest | filter ispresent(level)",
            "level=ERROR|rest={foo=2, bar=data} The error was: DataIntegrityException\n"},
        {"parse @message /user=(?<who>\\w+), method:(?<how>[A-Z]+)/ | filter who = 'bob' | display who, how", "who=bob|how=PUT\n"},
        {"parse @message 'user=*,' as who | filter how = 1 or who = 'bob'", "@timestamp=2025-11-21 00:00:02.000|@message=user=bob, method:PUT, latency := 7.5|who=bob\n"},
        {"fields @timestamp | parse 'method:*,' as how | filter how = 'PUT'", "@timestamp=2025-11-21 00:00:02.000|how=PUT\n"},
        {"parse @message 'error was: *' as error | parse error '*Integrity*' as a, b | filter ispresent(a) | display a, b", "a=Data|b=Exception\n"},
        {"parse @message '*=*, method' as k, v | dedup v | filter v = 'alice' | display k, v", "k=user|v=alice\n"},
        {"parse @message /(?<x>zzz)?user/ | display x | filter @message like 'bob'", "\n"},
        {"parse @message 'foo=*,' as foo | stats sum(foo) as s", "s=2\n"},
        {"parse @message 'latency := *' as ms | sort ms asc, @timestamp | limit 2 | filter ispresent(ms) | display ms", "ms=7.5\n"},
    };
    run_all(row, COUNT(row), lines, COUNT(lines));
}

/* ---- functions, on one event ---- */

static void test_functions(void **state)
{
    (void)state;
    static const struct sample one[] = {{1234567, "{\"n\":-2.5,\"s\":\" Xyz \",\"t\":\"xyZfooxyZ\",\"e\":\"\",\"b\":\"  \",\"u\":\"h\xc3\xa9llo\",\"v4\":\"10.1.2.3\",\"v6\":\"2001:db8::1\","
                                                  "\"id\":12345678901234567890,\"j\":\"{\\\"p\\\":{\\\"q\\\":[1,2]}}\",\"ms\":1763683200123}"}};
    static const struct {
        const char *expression, *value; /* NULL: nothing */
    } row[] = {
        {"1 + 2 * 3", "7"}, {"(1 + 2) * 3", "9"}, {"2 ^ 3", "8"}, {"2 ^ 3 ^ 2", "512"}, {"10 % 3", "1"}, {"7 / 2", "3.5"}, {"1 / 3", "0.3333"}, {"1 / 0", NULL}, {"-n", "2.5"},
        {"10 - 2 - 3", "5"}, {"- - 3", "3"}, {"1 - -1", "2"}, {"2 / 300", "0.006667"}, {"1e3 + 1", "1001"}, {"n * 0", "0"}, {"0.1 + 0.2", "0.3"}, {"n + s", NULL}, {"n + missing", NULL},
        {"abs(n)", "2.5"}, {"ceil(n)", "-2"}, {"floor(n)", "-3"}, {"greatest(1, n, 7, 3)", "7"}, {"least(1, n)", "-2.5"}, {"log(1)", "0"}, {"sqrt(16)", "4"}, {"sqrt(n)", NULL},
        {"isempty(e)", "1"}, {"isempty(b)", "0"}, {"isempty(missing)", "1"}, {"isblank(b)", "1"}, {"isblank(s)", "0"}, {"concat(t, '-', n)", "xyZfooxyZ--2.5"},
        {"ltrim(s)", "Xyz "}, {"rtrim(s)", " Xyz"}, {"trim(s)", "Xyz"}, {"ltrim('xyZfooxyZ','xyZ')", "fooxyZ"}, {"rtrim(\"xyZfooxyZ\",\"xyZ\")", "xyZfoo"}, {"trim(t,'xyZ')", "foo"},
        {"strlen(u)", "5"}, {"toupper(t)", "XYZFOOXYZ"}, {"tolower(t)", "xyzfooxyz"}, {"substr('xyZfooxyZ',3,3)", "foo"}, {"substr(t, 6)", "xyZ"}, {"substr(u, 1, 1)", "\xc3\xa9"},
        {"substr(t, 99)", ""}, {"replace('foo','o','0')", "f00"}, {"replace('foo','x','0')", "foo"}, {"strcontains(t, 'foo')", "1"}, {"strcontains(t, 'bar')", "0"},
        {"ispresent(n)", "1"}, {"isPresent(missing)", "0"}, {"coalesce(missing, gone, n)", "-2.5"}, {"coalesce(missing)", NULL}, {"if(n < 0, 'less', 'more')", "less"},
        {"isValidIp(v4)", "1"}, {"isValidIpV4(v4)", "1"}, {"isValidIpV6(v4)", "0"}, {"isValidIpV6(v6)", "1"}, {"isValidIp(s)", "0"}, {"isIpv4InSubnet(v4, '10.1.0.0/16')", "1"},
        {"isIpv4InSubnet(v4, '10.2.0.0/16')", "0"}, {"isIpv6InSubnet(v6, '2001:db8::/32')", "1"}, {"isIpInSubnet(v6, '2001:db8::/32')", "1"}, {"isIpInSubnet(v4, '0.0.0.0/0')", "1"},
        {"isIpv4InSubnet(v6, '2001:db8::/32')", "0"}, {"isIpInSubnet(v4, '10.0.0.0/33')", "0"},
        {"fromMillis(ms)", "2025-11-21 00:00:00.123"}, {"toMillis(@timestamp)", "1763684434567"}, {"now()", "1763686800"}, {"bin(5m)", "2025-11-21 00:20:00.000"},
        {"bin(1h)", "2025-11-21 00:00:00.000"}, {"bin(30s)", "2025-11-21 00:20:30.000"}, {"bin(1d)", "2025-11-21 00:00:00.000"}, {"bin(1w)", "2025-11-17 00:00:00.000"},
        {"bin(1mo)", "2025-11-01 00:00:00.000"}, {"bin(1q)", "2025-10-01 00:00:00.000"}, {"bin(1y)", "2025-01-01 00:00:00.000"}, {"dateceil(@timestamp, 1h)", "2025-11-21 01:00:00.000"},
        {"datefloor(ms, 1m)", "2025-11-21 00:00:00.000"}, {"dateceil(fromMillis(1763683200000), 1h)", "2025-11-21 00:00:00.000"}, {"dateceil(@timestamp, 1y)", "2026-01-01 00:00:00.000"},
        {"id", "12345678901234567890"}, {"id = 12345678901234567891", "0"}, {"id = 12345678901234567890", "1"}, {"id > 12345678901234567889", "1"},
        {"jsonParse(j)", "{\"p\":{\"q\":[1,2]}}"}, {"jsonStringify(s)", "\" Xyz \""}, {"unmask(t)", "xyZfooxyZ"}, {"n = -2.5", "1"}, {"'2' = '2.0'", "1"}, {"'a' < 'b'", "1"},
        {"missing = missing", "0"}, {"missing != 1", "1"}, {"not missing", "1"}, {"n in [1, -2.5]", "1"}, {"t like 'foo'", "1"}, {"t =~ /o{2}/", "1"}, {"t not like /^foo/", "1"},
        {"\"a\\\"b\"", "a\"b"}, {"'tab\\t'", "tab\t"}, {"'\\d'", "\\d"}, {"true", "1"}, {"false", "0"},
    };
    char query[300], expected[300];
    for (size_t i = 0; i < COUNT(row); i++) {
        snprintf(query, sizeof(query), "fields %s as x", row[i].expression);
        snprintf(expected, sizeof(expected), row[i].value ? "x=%s\n" : "\n", row[i].value);
        expect_rows(query, one, 1, expected);
    }
    expect_rows("fields jsonParse(j) as o | display o.p.q.1", one, 1, "o.p.q.1=2\n");
}

/* ---- fields of messages ---- */

static void test_discovery(void **state)
{
    (void)state;
    static const struct {
        const char *message, *value; /* of x */
    } row[] = {
        {"{\"x\":1}", "1"}, {"words {\"x\":1}", "1"}, {"words {\"x\":1} more", "1"}, {"{not json} {\"x\":1}", "1"}, {"{\"x\":1}\n", "1"}, {"{\"x\":\"}\"}tail}", "}"},
        {"{\"y\":{\"x\":1}}", NULL}, {"[{\"x\":1}]", "1"}, {"{\"x\":1", NULL}, {"{", NULL}, {"}", NULL}, {"", NULL}, {"{\"x\":1}{\"x\":2}", "1"}, {"{\"x\":1,\"x\":2}", "2"},
        {"{\"x\":\"\\u00e9\\n\"}", "\xc3\xa9\n"}, {"{\"x\":null}", NULL}, {"{\"x\":1.50}", "1.50"}, {"{\"x\":{}}", "{}"}, {"x=1", NULL}, {"{{{{{{{{{{\"x\":1}", NULL}, {"{\"x\":\"unclosed}", NULL},
        {"a \"quoted { word\" {\"x\":3}", "3"},
    };
    for (size_t i = 0; i < COUNT(row); i++) {
        struct sample sample = {0, row[i].message};
        char expected[100];
        snprintf(expected, sizeof(expected), row[i].value ? "x=%s\n" : "\n", row[i].value);
        expect_rows("fields x", &sample, 1, expected);
    }
}

static void test_lambda_lines(void **state)
{
    (void)state;
    static const struct sample sample[] = {
        {0, "START RequestId: 8f5e7a0e-0b4a-4f55-9d3c-1c2b3a4d5e6f Version: $LATEST"},
        {10, "2025-11-21T00:00:00.010Z\t8f5e7a0e-0b4a-4f55-9d3c-1c2b3a4d5e6f\tINFO\tPerformance logged"},
        {20, "END RequestId: 8f5e7a0e-0b4a-4f55-9d3c-1c2b3a4d5e6f"},
        {21, "REPORT RequestId: 8f5e7a0e-0b4a-4f55-9d3c-1c2b3a4d5e6f\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 64 MB\tInit Duration: 101.5 ms\t"},
    };
    static const struct vector row[] = {
        {"filter @type = 'REPORT' | fields @duration, @billedDuration, @initDuration, @memorySize, @maxMemoryUsed",
            "@duration=12.34|@billedDuration=13|@initDuration=101.5|@memorySize=128000000|@maxMemoryUsed=64000000\n"},
        {"stats count(*) as n by @requestId", "@requestId=8f5e7a0e-0b4a-4f55-9d3c-1c2b3a4d5e6f|n=4\n"},
        {"stats count(*) as n by @type | sort n desc, @type", "n=1\n@type=END|n=1\n@type=REPORT|n=1\n@type=START|n=1\n"},
        {"filter @type = \"REPORT\" | stats max(@memorySize / 1000 / 1000) as provisionedMemoryMB", "provisionedMemoryMB=128\n"},
    };
    run_all(row, COUNT(row), sample, COUNT(sample));
}

static int has_ptr(void *context, const struct watch_query_cell *cell, size_t count)
{
    (void)context;
    struct watch_log_place place;
    uint64_t group;
    assert_true(text_is(cell[count - 1].field, "@ptr"));
    assert_int_equal(watch_query_ptr_parse(cell[count - 1].value, &group, &place), 0);
    assert_int_equal(group, 7);
    assert_int_equal(place.time_ms, T0 + 5);
    assert_int_equal(place.sequence, 1);
    assert_int_not_equal(watch_query_ptr_parse(text_make(cell[count - 1].value.data, 20), &group, &place), 0);
    return 42;
}

static void test_ptr(void **state)
{
    (void)state;
    static const struct sample sample = {5, "hello"};
    struct watch_query *query = compiled("fields @message");
    struct watch_query_run *run;
    struct watch_query_event event = event_of(&sample, 0);
    assert_int_equal(watch_query_run_create(query, NOW, &run), 0);
    assert_int_equal(watch_query_feed(run, &event), 0);
    assert_int_equal(watch_query_finish(run), 0);
    assert_int_equal(watch_query_rows(run, has_ptr, NULL), 42);
    watch_query_run_destroy(run);
    watch_query_destroy(query);
}

static int join_names(void *context, struct text name, struct text value)
{
    return buf_add_format(context, "%.*s=%.*s ", TEXT_FMT(name), TEXT_FMT(value));
}

static void test_field_names(void **state)
{
    (void)state;
    struct arena arena;
    struct buf out;
    arena_init(&arena, 1024, 1 << 20);
    buf_init(&out, 1000);
    assert_int_equal(watch_query_fields(&arena, TEXT("words {\"a\":1,\"b\":{\"c\":[true,\"x\"]},\"@d\":\"e\",\"f\":null}"), 100, join_names, &out), 0);
    buf_add_char(&out, 0);
    assert_string_equal(out.data, "a=1 b.c.0=1 b.c.1=x @@d=e ");
    buf_fini(&out);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seeds), cmocka_unit_test(test_fields), cmocka_unit_test(test_filter), cmocka_unit_test(test_sort), cmocka_unit_test(test_stats),
        cmocka_unit_test(test_stddev), cmocka_unit_test(test_parse), cmocka_unit_test(test_functions), cmocka_unit_test(test_discovery), cmocka_unit_test(test_lambda_lines),
        cmocka_unit_test(test_ptr), cmocka_unit_test(test_field_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
