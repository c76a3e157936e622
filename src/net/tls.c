/*
 * TLS over OpenSSL 3, behind one file.
 *
 * The context holds one SSL_CTX that is swapped whole on reload (net/swap.h); SSL_CTX counts its own references, so sessions
 * that began before keep theirs. A reload that fails changes nothing: a bad renewal of a certificate must not take the
 * server down.
 *
 * The socket is reached through a BIO of ours instead of OpenSSL's socket BIO, for two reasons: it sends with MSG_NOSIGNAL (a
 * peer that went away must not raise SIGPIPE), and it can begin with bytes that were already read, because one port serves
 * plain and TLS and the first byte had to be seen.
 *
 * A peer that closes the socket without close_notify is reported as closed, not as failed: HTTP lengths and WebSocket frames
 * show truncation themselves, and most clients end this way.
 */
#include "net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "base/counter.h"
#include "net/swap.h"

#define CIPHERS_1_2                                                                                                    \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"                         \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERS_1_3 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS "X25519:P-256:P-384"

struct tls_context {
    struct swap current; /* SSL_CTX */
    pthread_mutex_t reloading;
    char *certificate_file, *key_file;
    bool h2;
};

struct tls_session {
    SSL *ssl;
    int fd;
    char *prefix; /* owned; NULL when used up */
    size_t prefix_at, prefix_len;
    bool counted;  /* the handshake's outcome */
    bool shut;     /* close_notify is out or pointless */
};

/* ---- the socket ---- */

static int socket_read(BIO *bio, char *out, int size)
{
    struct tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (size <= 0)
        return 0;
    if (session->prefix) {
        size_t left = session->prefix_len - session->prefix_at;
        size_t n = left < (size_t)size ? left : (size_t)size;
        memcpy(out, session->prefix + session->prefix_at, n);
        session->prefix_at += n;
        if (n == left) {
            free(session->prefix);
            session->prefix = NULL;
        }
        return (int)n;
    }
    ssize_t n = recv(session->fd, out, (size_t)size, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        BIO_set_retry_read(bio);
    if (n > 0)
        counter_add(COUNTER_net_bytes_in, n);
    return (int)n;
}

static int socket_write(BIO *bio, const char *data, int len)
{
    struct tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t n = send(session->fd, data, (size_t)len, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        BIO_set_retry_write(bio);
    if (n > 0)
        counter_add(COUNTER_net_bytes_out, n);
    return (int)n;
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *socket_method;
static pthread_once_t socket_method_once = PTHREAD_ONCE_INIT;

static void socket_method_make(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir socket");
    if (!method || !BIO_meth_set_read(method, socket_read) || !BIO_meth_set_write(method, socket_write) ||
        !BIO_meth_set_ctrl(method, socket_control)) {
        BIO_meth_free(method);
        return;
    }
    socket_method = method; /* lives as long as the process */
}

/* ---- the context ---- */

/* A key that is encrypted is an error, never a question on the terminal. */
static int no_password(char *out, int size, int writing, void *ctx)
{
    (void)out, (void)size, (void)writing, (void)ctx;
    return -1;
}

/* Our protocols in order of preference, as ALPN writes lists. Static: a session may outlive the context. */
static struct text alpn_both = {"\x02h2\x08http/1.1", 12}, alpn_plain = {"\x08http/1.1", 9};

/* RFC 7301: no protocol in common ends the handshake. */
static int alpn_select(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *offered,
                       unsigned offered_len, void *arg)
{
    const struct text *ours = arg;
    unsigned char *chosen;
    (void)ssl;
    if (SSL_select_next_proto(&chosen, out_len, (const unsigned char *)ours->data, (unsigned)ours->len, offered,
                              offered_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool ctx_harden(SSL_CTX *ctx)
{
    static const unsigned char session_id_context[] = "weir";
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets carry the state; nothing is kept here */
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 && SSL_CTX_set_cipher_list(ctx, CIPHERS_1_2) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, CIPHERS_1_3) == 1 && SSL_CTX_set1_groups_list(ctx, GROUPS) == 1 &&
           SSL_CTX_set_session_id_context(ctx, session_id_context, sizeof(session_id_context) - 1) == 1;
}

static int openssl_err(struct err *err, int code, const char *what, const char *file)
{
    char text[120] = "";
    unsigned long number = ERR_peek_last_error();
    if (number)
        ERR_error_string_n(number, text, sizeof(text));
    ERR_clear_error();
    return err_set(err, code, "%s %s: %s", what, file, text);
}

static int ctx_load(struct tls_context *context, SSL_CTX **out, struct err *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    int code = 0;

    ERR_clear_error();
    if (!ctx)
        return err_set(err, ERR_MEMORY, "no TLS context");
    SSL_CTX_set_alpn_select_cb(ctx, alpn_select, context->h2 ? &alpn_both : &alpn_plain);
    if (!ctx_harden(ctx))
        code = openssl_err(err, ERR_INVALID, "the TLS library refuses the settings for", context->certificate_file);
    else if (SSL_CTX_use_certificate_chain_file(ctx, context->certificate_file) != 1)
        code = openssl_err(err, ERR_INVALID, "cannot use the certificate file", context->certificate_file);
    else if (SSL_CTX_use_PrivateKey_file(ctx, context->key_file, SSL_FILETYPE_PEM) != 1)
        code = openssl_err(err, ERR_INVALID, "cannot use the key file", context->key_file);
    else if (SSL_CTX_check_private_key(ctx) != 1)
        code = openssl_err(err, ERR_INVALID, "the key does not belong to the certificate:", context->key_file);
    if (code) {
        SSL_CTX_free(ctx);
        return code;
    }
    *out = ctx;
    return 0;
}

static void ctx_ref(void *ctx)
{
    SSL_CTX_up_ref(ctx);
}

static void ctx_unref(void *ctx)
{
    SSL_CTX_free(ctx);
}

int tls_context_create(const struct tls_options *options, struct tls_context **out, struct err *err)
{
    pthread_once(&socket_method_once, socket_method_make);
    struct tls_context *context = calloc(1, sizeof(*context));
    if (!context || !socket_method) {
        free(context);
        return err_set(err, ERR_MEMORY, "no TLS context");
    }
    pthread_mutex_init(&context->reloading, NULL);
    context->certificate_file = strdup(options->certificate_file);
    context->key_file = strdup(options->key_file);
    context->h2 = options->h2;
    int code = context->certificate_file && context->key_file ? tls_context_reload(context, err)
                                                              : err_set(err, ERR_MEMORY, "no TLS context");
    if (code) {
        tls_context_destroy(context);
        return code;
    }
    *out = context;
    return 0;
}

int tls_context_reload(struct tls_context *context, struct err *err)
{
    SSL_CTX *ctx;
    pthread_mutex_lock(&context->reloading);
    int code = ctx_load(context, &ctx, err);
    if (!code)
        swap_publish(&context->current, ctx, ctx_unref);
    pthread_mutex_unlock(&context->reloading);
    return code;
}

void tls_context_destroy(struct tls_context *context)
{
    if (!context)
        return;
    swap_publish(&context->current, NULL, ctx_unref);
    pthread_mutex_destroy(&context->reloading);
    free(context->certificate_file);
    free(context->key_file);
    free(context);
}

/* ---- sessions ---- */

static int session_init(struct tls_session *session, struct tls_context *context)
{
    SSL_CTX *ctx = swap_acquire(&context->current, ctx_ref);
    session->ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    BIO *bio = session->ssl ? BIO_new(socket_method) : NULL;
    if (!bio)
        return ERR_MEMORY;
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    SSL_set_bio(session->ssl, bio, bio);
    SSL_set_accept_state(session->ssl);
    return 0;
}

int tls_session_create(struct tls_context *context, int fd, struct text prefix, struct tls_session **out)
{
    if (prefix.len > TLS_PREFIX_MAX)
        return ERR_TOO_LARGE;
    struct tls_session *session = calloc(1, sizeof(*session));
    if (!session)
        return ERR_MEMORY;
    session->fd = fd;
    int code = session_init(session, context);
    if (!code && prefix.len) {
        session->prefix = malloc(prefix.len);
        if (session->prefix)
            memcpy(session->prefix, prefix.data, prefix.len);
        else
            code = ERR_MEMORY;
        session->prefix_len = prefix.len;
    }
    if (code) {
        tls_session_destroy(session);
        return code;
    }
    *out = session;
    return 0;
}

void tls_session_destroy(struct tls_session *session)
{
    if (!session)
        return;
    SSL_free(session->ssl);
    free(session->prefix);
    free(session);
}

/* Each handshake is counted once, whichever call brought it to its end. */
static void handshake_count(struct tls_session *session, int result)
{
    if (session->counted)
        return;
    if (SSL_is_init_finished(session->ssl)) {
        counter_add(COUNTER_net_tls_handshakes, 1);
        session->counted = true;
    } else if (result == TLS_FAILED || result == TLS_CLOSED) {
        counter_add(COUNTER_net_tls_failures, 1);
        session->counted = true;
    }
}

static int result_of(struct tls_session *session, int returned)
{
    int saved = errno, result;
    switch (SSL_get_error(session->ssl, returned)) {
    case SSL_ERROR_WANT_READ:
        result = TLS_WANT_READ;
        break;
    case SSL_ERROR_WANT_WRITE:
        result = TLS_WANT_WRITE;
        break;
    case SSL_ERROR_ZERO_RETURN:
        result = TLS_CLOSED;
        break;
    case SSL_ERROR_SYSCALL:
        result = saved == 0 || saved == ECONNRESET || saved == EPIPE ? TLS_CLOSED : TLS_FAILED;
        session->shut = true;
        break;
    default:
        result = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING ? TLS_CLOSED : TLS_FAILED;
        session->shut = true; /* OpenSSL forbids close_notify after a fatal error */
        break;
    }
    ERR_clear_error();
    return result;
}

/* The error queue belongs to the thread: what another user left there must not be read as ours. */
static void call_begin(void)
{
    ERR_clear_error();
    errno = 0;
}

int tls_session_handshake(struct tls_session *session)
{
    call_begin();
    int returned = SSL_do_handshake(session->ssl);
    int result = returned == 1 ? 0 : result_of(session, returned);
    handshake_count(session, result);
    return result;
}

bool tls_session_ready(const struct tls_session *session)
{
    return SSL_is_init_finished(session->ssl);
}

long tls_session_read(struct tls_session *session, void *out, size_t size)
{
    size_t got = 0;
    ASSERT(size > 0);
    call_begin();
    int returned = SSL_read_ex(session->ssl, out, size, &got);
    long result = returned == 1 ? (long)got : result_of(session, returned);
    handshake_count(session, (int)(result < 0 ? result : 0));
    return result;
}

long tls_session_write(struct tls_session *session, const void *data, size_t len)
{
    size_t taken = 0;
    ASSERT(len > 0);
    call_begin();
    int returned = SSL_write_ex(session->ssl, data, len, &taken);
    long result = returned == 1 ? (long)taken : result_of(session, returned);
    handshake_count(session, (int)(result < 0 ? result : 0));
    return result;
}

size_t tls_session_pending(const struct tls_session *session)
{
    int decrypted = SSL_pending(session->ssl);
    size_t left = session->prefix ? session->prefix_len - session->prefix_at : 0;
    return (decrypted > 0 ? (size_t)decrypted : 0) + left;
}

int tls_session_shutdown(struct tls_session *session)
{
    if (session->shut || !SSL_is_init_finished(session->ssl))
        return 0;
    call_begin();
    int returned = SSL_shutdown(session->ssl);
    if (returned < 0 && result_of(session, returned) == TLS_WANT_WRITE)
        return TLS_WANT_WRITE;
    session->shut = true;
    return 0;
}

struct text tls_session_alpn(const struct tls_session *session)
{
    const unsigned char *name = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(session->ssl, &name, &len);
    if (len == 2)
        return TEXT("h2");
    return len ? TEXT("http/1.1") : TEXT_NONE;
}

const char *tls_session_version(const struct tls_session *session)
{
    return SSL_get_version(session->ssl);
}
