/*
 * Which requests are AWS's, and how answers look on the wire.
 *
 *   POST /service/NAME/operation/OPERATION       the service of that name, in smithy's rpc-v2-cbor (CloudWatch)
 *   POST /  Action=..&Version=..                 a form: the service of that version, which answers in XML (CloudWatch)
 *   POST /  X-Amz-Target: SERVICE.Operation      the service of that name, in JSON (Kinesis in CBOR, too)
 *   POST /  otherwise                            404 <UnknownOperationException/>, or 400 in JSON when the content type is JSON
 *   GET /   not from a browser                   the health line that DynamoDB answers
 *   OPTIONS /                                    CORS
 *
 * On loopback with development keys, which everybody knows, a web page could sign as well as anyone; so there an Origin that is not loopback is refused before
 * anything is looked at.
 */
#include "aws/aws.h"
#include "aws/cloudwatch.h"
#include "aws/ddb.h"
#include "aws/form.h"
#include "aws/kinesis.h"
#include "aws/logs.h"
#include "aws/streams.h"

#include "base/hash.h"
#include "net/event_stream.h"
#include <zlib.h>
#include <stdio.h>

#define GZIP_MIN 1024        /* bytes: below it the header costs more than it saves */
#define GZIP_MAX (64u << 10) /* bytes compressed on an io thread: half a millisecond */
#define REQUEST_ID_BYTES 52
#define EXPOSED "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,x-amz-crc32,x-amz-request-id,x-amz-id-2,Date" /* headers that a page's script may read */

static char *put_request_id(char *at)
{
    static const char digit[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (int i = 0; i < REQUEST_ID_BYTES; i += 4) {
        uint64_t r = random_u64();
        for (int k = 0; k < 4; k++, r >>= 16)
            *at++ = digit[(r & 0xffff) % 36];
    }
    return at;
}

/* False when it would not become smaller. */
static bool compress_gzip(struct text body, struct buf *out)
{
    z_stream z = {0};
    buf_init(out, body.len);
    if (buf_reserve(out, body.len) || deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    z.next_in = (Bytef *)(uintptr_t)body.data;
    z.avail_in = (uInt)body.len;
    z.next_out = (Bytef *)out->data;
    z.avail_out = (uInt)body.len;
    bool fits = deflate(&z, Z_FINISH) == Z_STREAM_END;
    out->len = z.total_out;
    deflateEnd(&z);
    return fits;
}

void aws_seal(struct aws_sealed *sealed, struct text body, bool gzip)
{
    *sealed = (struct aws_sealed){.done = true};
    sealed->gzip = gzip && body.len >= GZIP_MIN && compress_gzip(body, &sealed->packed);
    struct text out = sealed->gzip ? buf_text(&sealed->packed) : body;
    sealed->crc = hash_crc32(0, out.data, out.len);
}

static struct text content_type(const struct aws_reply *reply)
{
    if (reply->plain)
        return text_of(reply->plain);
    switch (reply->protocol) {
    case AWS_PROTOCOL_QUERY:
        return TEXT("text/xml");
    case AWS_PROTOCOL_RPC:
        return TEXT("application/cbor\r\nsmithy-protocol: rpc-v2-cbor");
    default:
        if (reply->cbor)
            return TEXT("application/x-amz-cbor-1.1");
        if (reply->json)
            return TEXT("application/json");
        return reply->json11 ? TEXT("application/x-amz-json-1.1") : TEXT("application/x-amz-json-1.0");
    }
}

void aws_respond(struct net_conn *conn, const struct aws_reply *reply)
{
    char headers[512], *at = headers;
    struct aws_sealed own = {.done = false}, *sealed = reply->sealed ? reply->sealed : &own;
    if (!sealed->done)
        aws_seal(sealed, reply->body, reply->gzip && reply->body.len <= GZIP_MAX);
    at = text_put(at, TEXT("Server: Server\r\nContent-Type: "));
    at = text_put(at, content_type(reply));
    at = text_put(at, TEXT("\r\nx-amzn-RequestId: "));
    at = reply->id ? text_put(at, text_of(reply->id)) : put_request_id(at);
    at = text_put(at, TEXT("\r\n"));
    if (reply->query_error) {
        at = text_put(at, TEXT("x-amzn-query-error: "));
        at = text_put(at, text_of(reply->query_error));
        at = text_put(at, TEXT("\r\n"));
    }
    if (!reply->no_sum) {
        at = text_put(at, TEXT("x-amz-crc32: "));
        at = text_put_u64(at, sealed->crc);
        at = text_put(at, TEXT("\r\n"));
    }
    at = text_put(at, sealed->gzip ? TEXT("Content-Encoding: gzip\r\n") : TEXT(""));
    if (reply->cors)
        at = text_put(at, TEXT("Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: " EXPOSED "\r\n"));
    net_http_respond(conn, reply->status, text_make(headers, (size_t)(at - headers)), sealed->gzip ? buf_text(&sealed->packed) : reply->body, 0);
    buf_fini(&sealed->packed);
}

int aws_pour_begin(struct net_conn *conn, const struct net_pour *pour, bool cors)
{
    char headers[256], *at = text_put(headers, TEXT("Server: Server\r\nContent-Type: " EVENT_STREAM_TYPE "\r\nx-amzn-RequestId: "));
    at = put_request_id(at);
    at = text_put(at, TEXT("\r\n"));
    at = text_put(at, cors ? TEXT("Access-Control-Allow-Origin: *\r\n") : TEXT(""));
    return net_pour_begin(conn, 200, text_make(headers, (size_t)(at - headers)), pour);
}

/* ---- who may ask ---- */

static bool origin_is_loopback(struct text origin)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "[::1]"};
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t s = 0; s < 2; s++) {
        size_t start = strlen(schemes[s]);
        if (!text_starts(origin, text_of(schemes[s])))
            continue;
        for (size_t h = 0; h < 3; h++) {
            size_t len = strlen(hosts[h]);
            struct text rest = text_make(origin.data + start, origin.len - start);
            if (text_starts(rest, text_of(hosts[h])) && (rest.len == len || rest.data[len] == ':'))
                return true;
        }
    }
    return false;
}

static void refuse_origin(struct net_conn *conn)
{
    struct aws_reply reply = {.status = 403,
        .body = TEXT("{\"__type\":\"com.amazon.coral.service#AccessDeniedException\",\"message\":\"With development keys only pages from localhost are answered.\"}")};
    aws_respond(conn, &reply);
}

/* ---- addresses ---- */

static void healthy(struct net_conn *conn, const struct gateway_config *config)
{
    char line[256];
    int len = snprintf(line, sizeof(line), "healthy: dynamodb.%.*s.amazonaws.com ", TEXT_FMT(config->region));
    if (len >= (int)sizeof(line))
        len = (int)sizeof(line) - 1;
    aws_respond(conn, &(struct aws_reply){.status = 200, .plain = "text/plain", .body = text_make(line, (size_t)len)});
}

static void preflight(struct net_conn *conn, const struct http_request *request)
{
    char headers[1024];
    struct text asked = http_header_get(request, "access-control-request-headers");
    if (asked.len > 512)
        asked = TEXT("*");
    int len = snprintf(headers, sizeof(headers),
        "Access-Control-Allow-Origin: *\r\nAccess-Control-Max-Age: 172800\r\nAccess-Control-Allow-Methods: POST\r\nAccess-Control-Allow-Headers: %.*s\r\n"
        "Access-Control-Expose-Headers: " EXPOSED "\r\n",
        TEXT_FMT(asked.len ? asked : TEXT("*")));
    net_http_respond(conn, 200, text_make(headers, (size_t)len), TEXT(""), 0);
}

/* Without its parameters. */
static struct text media_type(struct text content_type)
{
    ptrdiff_t end = text_find(content_type, ';', 0);
    return end >= 0 ? text_trim(text_make(content_type.data, (size_t)end)) : content_type;
}

#define RPC_PATH "/service/"
#define RPC_OPERATION "/operation/"

bool aws_content_is(const struct http_request *request, const char *type)
{
    return text_equal_nocase(media_type(http_header_get(request, "content-type")), text_of(type));
}

static bool is_form(const struct http_request *request)
{
    return aws_content_is(request, "application/x-www-form-urlencoded");
}

enum aws_protocol aws_protocol_of(const struct aws_service *service, const struct http_request *request)
{
    if (service->rpc && text_starts(request->path, TEXT(RPC_PATH)))
        return AWS_PROTOCOL_RPC;
    return service->query && is_form(request) ? AWS_PROTOCOL_QUERY : AWS_PROTOCOL_JSON;
}

bool aws_speaks_cbor(const struct aws_service *service, const struct http_request *request)
{
    if (aws_protocol_of(service, request) == AWS_PROTOCOL_RPC)
        return true;
    return !service->rpc && service->cbor && aws_content_is(request, "application/x-amz-cbor-1.1");
}

static bool is_json(struct text content_type)
{
    static const char *const known[] = {"application/x-amz-json-1.0", "application/x-amz-json-1.1", "application/json"};
    struct text type = media_type(content_type);
    for (size_t i = 0; i < 3; i++)
        if (text_equal_nocase(type, text_of(known[i])))
            return true;
    return false;
}

static const struct aws_reply unknown_page = {.status = 404, .plain = "text/xml", .body = TEXT("<UnknownOperationException/>\n")};

static void unknown_operation(struct net_conn *conn, const struct http_request *request)
{
    if (!is_json(http_header_get(request, "content-type"))) {
        aws_respond(conn, &unknown_page);
        return;
    }
    struct aws_reply reply = {.status = 400,
        .body = TEXT("{\"__type\":\"com.amazon.coral.service#UnknownOperationException\"}"),
        .json11 = aws_content_is(request, "application/x-amz-json-1.1"), .json = aws_content_is(request, "application/json"),
        .cors = http_header_get(request, "origin").data != NULL};
    aws_respond(conn, &reply);
}

/* To add a service, add a row. */
static const struct aws_service *const services[] = {&ddb_service, &streams_service, &kinesis_service, &cloudwatch_service, &logs_service};

static const struct aws_service *service_find(struct text target)
{
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
        if (text_starts(target, text_of(services[i]->target)))
            return services[i];
    return NULL;
}

/* /service/GraniteServiceVersion20100801/operation/ListMetrics; the name may have a namespace in front (com.example.Name). */
static const struct aws_service *service_by_path(struct text path, struct text *operation)
{
    struct text rest = text_make(path.data + strlen(RPC_PATH), path.len - strlen(RPC_PATH));
    ptrdiff_t slash = text_find(rest, '/', 0);
    if (slash < 0)
        return NULL;
    struct text name = text_make(rest.data, (size_t)slash), behind = text_make(rest.data + slash, rest.len - (size_t)slash);
    if (!text_starts(behind, TEXT(RPC_OPERATION)))
        return NULL;
    *operation = text_make(behind.data + strlen(RPC_OPERATION), behind.len - strlen(RPC_OPERATION));
    for (ptrdiff_t dot; (dot = text_find(name, '.', 0)) >= 0;)
        name = text_make(name.data + dot + 1, name.len - (size_t)dot - 1);
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
        if (services[i]->rpc && text_is(name, services[i]->rpc))
            return services[i];
    return NULL;
}

static const struct aws_service *service_by_version(struct text version)
{
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
        if (services[i]->query && text_is(version, services[i]->query->version))
            return services[i];
    return NULL;
}

/* False: it is no form of ours. */
static bool begin_form(struct gw_io *io, struct net_conn *conn, const struct gateway_config *config, const struct http_request *request, struct text body)
{
    struct arena arena;
    if (!is_form(request))
        return false;
    arena_init(&arena, 256, FORM_NAME_MAX * 4);
    const struct aws_service *service = service_by_version(form_find(&arena, body, "Version"));
    if (service)
        aws_begin(io, conn, config, service, request, form_find(&arena, body, "Action"), body);
    arena_fini(&arena);
    return service != NULL;
}

bool aws_wire(void *context, struct gw_io *io, struct net_conn *conn, const struct http_request *request, struct text body)
{
    const struct gateway_config *config = context;
    struct text origin = http_header_get(request, "origin"), target = http_header_get(request, "x-amz-target");
    bool post = text_is(request->method, "POST"), get = text_is(request->method, "GET"), options = text_is(request->method, "OPTIONS");
    struct text operation = TEXT("");
    const struct aws_service *by_path = text_starts(request->path, TEXT(RPC_PATH)) ? service_by_path(request->path, &operation) : NULL;
    if (!by_path && text_is(request->path, "/") && target.data && !(post || get || options)) {
        aws_respond(conn, &unknown_page);
        return true;
    }
    if (!by_path && (!text_is(request->path, "/") || !(post || get || options)))
        return false;
    if (by_path && !(post || options))
        return false;
    if (get) {
        struct text accept = http_header_get(request, "accept");
        for (size_t i = 0; i + 9 <= accept.len; i++)
            if (memcmp(accept.data + i, "text/html", 9) == 0)
                return false; /* a browser: the dashboard's */
        healthy(conn, config);
        return true;
    }
    if (config->admin_open && origin.data && !origin_is_loopback(origin)) {
        refuse_origin(conn);
        return true;
    }
    const struct aws_service *service = service_find(target);
    if (options) {
        preflight(conn, request);
    } else if (by_path) {
        aws_begin(io, conn, config, by_path, request, operation, body);
    } else if (!target.data && begin_form(io, conn, config, request, body)) {
        return true;
    } else if (service && (is_json(http_header_get(request, "content-type")) || aws_speaks_cbor(service, request))) {
        size_t name = strlen(service->target);
        aws_begin(io, conn, config, service, request, text_make(target.data + name, target.len - name), body);
    } else
        unknown_operation(conn, request);
    return true;
}
