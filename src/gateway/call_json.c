/*
 * JSON that a handler writes, over the base's writer.
 *
 * A document grows in a buffer outside the arena, because an arena cannot give back what a growing buffer leaves behind. Each thread keeps a few documents with
 * their buffers; a handler takes them as it needs them and all go back when it has returned, so a reply costs no allocation. What is answered or
 * sent has been copied by then.
 *
 * The base's writer trusts its caller. Handlers are not trusted to nest rightly: a misuse (a name in an array, two values in a row) breaks
 * the document, which fails the call with a sentence, and nothing half-written leaves.
 */
#include "gateway/call.h"

#include <pthread.h>
#include <stdlib.h>

#define DOC_BYTES_MAX (16 << 20) /* of one document */
#define DOCS_MAX 1024            /* documents of one call: as many as items it may touch */
#define DOC_KEEP_BYTES (64 << 10) /* a larger buffer is not kept */
#define DOC_KEEP 16              /* documents that a thread keeps */
#define DEPTH_MAX 60             /* levels a handler opens itself */
#define REQUEST_ID_MAX 128       /* bytes of a client's own requestId; a longer one is not told back */

struct weir_json {
    struct weir_call *call;
    struct weir_json *next;
    struct json_writer w;
    struct buf buf;
    uint64_t objects;       /* a bit per level: it is an object */
    bool broken;
};

/* ---- a thread's documents ---- */

struct doc_pool {
    struct weir_json *free;
    unsigned count;
};
static pthread_key_t pool_key;
static pthread_once_t pool_once = PTHREAD_ONCE_INIT;
static _Thread_local struct doc_pool *thread_pool;
static _Thread_local struct weir_json no_memory; /* what a handler writes to when there is none */

static void doc_destroy(struct weir_json *json)
{
    buf_fini(&json->buf);
    free(json);
}

static void pool_destroy(void *value)
{
    struct doc_pool *pool = value;
    while (pool->free) {
        struct weir_json *next = pool->free->next;
        doc_destroy(pool->free);
        pool->free = next;
    }
    free(pool);
}

static void pool_key_make(void)
{
    ASSERT(pthread_key_create(&pool_key, pool_destroy) == 0);
}

static struct doc_pool *pool_get(void)
{
    if (!thread_pool) {
        pthread_once(&pool_once, pool_key_make);
        thread_pool = calloc(1, sizeof(*thread_pool));
        if (thread_pool)
            pthread_setspecific(pool_key, thread_pool);
    }
    return thread_pool;
}

static struct weir_json *doc_take(void)
{
    struct doc_pool *pool = pool_get();
    struct weir_json *json = pool ? pool->free : NULL;
    if (json) {
        pool->free = json->next;
        pool->count--;
        return json;
    }
    json = malloc(sizeof(*json));
    if (json)
        buf_init(&json->buf, DOC_BYTES_MAX);
    return json;
}

void gw_call_docs_give(struct weir_call *call)
{
    struct doc_pool *pool = call->docs ? pool_get() : NULL;
    while (call->docs) {
        struct weir_json *json = call->docs;
        call->docs = json->next;
        call->doc_bytes += json->buf.len;
        if (!pool || pool->count >= DOC_KEEP || json->buf.cap > DOC_KEEP_BYTES) {
            doc_destroy(json);
            continue;
        }
        json->next = pool->free;
        pool->free = json;
        pool->count++;
    }
    call->doc_count = 0;
}

struct weir_json *weir_json(struct weir_call *call)
{
    struct weir_json *json = call->doc_count < DOCS_MAX ? doc_take() : NULL;
    if (!json) {
        if (call->doc_count < DOCS_MAX)
            gw_call_no_memory(call);
        else
            gw_call_fail(call, ERR_FULL, "LIMIT", NULL, "a handler may write %d JSON documents", DOCS_MAX);
        json = &no_memory;
        json->call = call;
        json->broken = true;
        return json;
    }
    call->doc_count++;
    json->call = call;
    json->next = call->docs;
    call->docs = json;
    json->objects = 0;
    json->broken = false;
    buf_clear(&json->buf);
    json_writer_init(&json->w, &json->buf);
    return json;
}

/* ---- nesting ---- */

static void misuse(struct weir_json *json, const char *what)
{
    if (json->broken)
        return;
    json->broken = true;
    gw_call_fail(json->call, ERR_INTERNAL, "INTERNAL", NULL, "the handler wrote JSON wrongly: %s", what);
}

static bool in_object(const struct weir_json *json)
{
    return json->w.depth > 0 && (json->objects >> json->w.depth & 1);
}

static bool value_fits(struct weir_json *json)
{
    if (json->broken)
        return false;
    if (json->w.depth == 0 && json->buf.len)
        misuse(json, "a second value at the top");
    else if (in_object(json) && !json->w.after_name)
        misuse(json, "a value without a name in an object");
    return !json->broken;
}

static void open_level(struct weir_json *json, bool is_object)
{
    if (!value_fits(json))
        return;
    if (json->w.depth >= DEPTH_MAX) {
        misuse(json, "nested too deep");
        return;
    }
    if (is_object)
        json_begin_object(&json->w);
    else
        json_begin_array(&json->w);
    uint64_t bit = UINT64_C(1) << json->w.depth;
    json->objects = is_object ? json->objects | bit : json->objects & ~bit;
}

void weir_object(struct weir_json *json)
{
    open_level(json, true);
}

void weir_array(struct weir_json *json)
{
    open_level(json, false);
}

void weir_end(struct weir_json *json)
{
    if (json->broken)
        return;
    if (json->w.depth == 0 || json->w.after_name)
        misuse(json, "an end where nothing is open, or after a name");
    else if (in_object(json))
        json_end_object(&json->w);
    else
        json_end_array(&json->w);
}

void weir_name(struct weir_json *json, const char *name)
{
    if (json->broken)
        return;
    if (!in_object(json) || json->w.after_name)
        misuse(json, "a name outside an object, or two names in a row");
    else
        json_name(&json->w, name);
}

/* ---- values ---- */

void weir_string(struct weir_json *json, struct weir_text value)
{
    if (value_fits(json))
        json_text(&json->w, text_in(value));
}

void weir_cstring(struct weir_json *json, const char *value)
{
    if (value_fits(json))
        json_str(&json->w, value);
}

void weir_integer(struct weir_json *json, int64_t value)
{
    if (value_fits(json))
        json_i64(&json->w, value);
}

void weir_real(struct weir_json *json, double value)
{
    if (value_fits(json))
        json_double(&json->w, value);
}

static size_t digits_at(struct text t, size_t at)
{
    while (at < t.len && t.data[at] >= '0' && t.data[at] <= '9')
        at++;
    return at;
}

/* RFC 8259 section 6. */
static bool is_number(struct text t)
{
    size_t start = t.len && t.data[0] == '-' ? 1 : 0;
    size_t at = digits_at(t, start);
    if (at == start || (t.data[start] == '0' && at > start + 1))
        return false;
    if (at < t.len && t.data[at] == '.') {
        size_t end = digits_at(t, at + 1);
        if (end == at + 1)
            return false;
        at = end;
    }
    if (at < t.len && (t.data[at] == 'e' || t.data[at] == 'E')) {
        at++;
        if (at < t.len && (t.data[at] == '+' || t.data[at] == '-'))
            at++;
        size_t end = digits_at(t, at);
        if (end == at)
            return false;
        at = end;
    }
    return at == t.len;
}

void weir_digits(struct weir_json *json, struct weir_text number)
{
    if (!value_fits(json))
        return;
    if (!number.len)
        json_null(&json->w);
    else if (is_number(text_in(number)))
        json_number_text(&json->w, text_in(number));
    else
        misuse(json, "digits that are no number");
}

void weir_boolean(struct weir_json *json, bool value)
{
    if (value_fits(json))
        json_bool(&json->w, value);
}

void weir_null(struct weir_json *json)
{
    if (value_fits(json))
        json_null(&json->w);
}

void weir_value(struct weir_json *json, const struct weir_value *value)
{
    if (value_fits(json))
        json_value(&json->w, json_in(value));
}

void weir_item_json(struct weir_json *json, const struct weir_item *item)
{
    if (!value_fits(json))
        return;
    if (item && item->map)
        item_to_plain(&json->w, item->map);
    else
        json_null(&json->w);
}

void weir_raw(struct weir_json *json, struct weir_text text)
{
    const struct json *root = NULL;
    if (!value_fits(json))
        return;
    if (text.len && json_parse(&json->call->arena, text_in(text), 0, &root, NULL))
        misuse(json, "a text that is no JSON");
    else
        json_value(&json->w, root);
}

void weir_member(struct weir_json *json, const char *name, struct weir_text value)
{
    weir_name(json, name);
    weir_string(json, value);
}

void weir_member_integer(struct weir_json *json, const char *name, int64_t value)
{
    weir_name(json, name);
    weir_integer(json, value);
}

void weir_member_request(struct weir_json *json)
{
    const struct json *id = gw_call_field(json->call, TEXT("requestId"));
    int64_t number;
    if (json_is(id, JSON_STRING) && id->text.len <= REQUEST_ID_MAX && gw_text_clean(id->text)) {
        weir_member(json, "requestId", text_out(id->text));
    } else if (json_is(id, JSON_NUMBER) && json_to_i64(id, &number) == 0) {
        weir_name(json, "requestId");
        weir_digits(json, text_out(id->text));
    }
}

/* ---- the text ---- */

struct weir_text weir_json_text(struct weir_json *json)
{
    if (json->broken)
        return WEIR_STR("");
    if (json->buf.failed) {
        json->broken = true;
        gw_call_fail(json->call, ERR_TOO_LARGE, "TOO_LARGE", NULL, "a JSON document may have %d bytes", DOC_BYTES_MAX);
        return WEIR_STR("");
    }
    return text_out(buf_text(&json->buf));
}

bool gw_call_json_text(struct weir_call *call, struct weir_json *json, struct text *out)
{
    if (!json->broken && (json->w.depth > 0 || json->w.after_name || !json->buf.len))
        misuse(json, "a document that is not finished");
    *out = text_in(weir_json_text(json));
    return !call->failed && !json->broken;
}
