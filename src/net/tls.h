/*
 * TLS for accepted sockets: 1.2 and 1.3, forward-secret AEAD ciphers only, ALPN, session tickets, no renegotiation, no
 * compression, no early data. A context may be reloaded (SIGHUP) while sessions run; each session keeps what it began with.
 */
#ifndef WEIR_NET_TLS_H
#define WEIR_NET_TLS_H

#include "base/err.h"
#include "base/text.h"

struct tls_context;
struct tls_session;

struct tls_options {
    const char *certificate_file; /* PEM, the chain, leaf first; copied */
    const char *key_file;         /* PEM, not encrypted; copied */
    bool h2;                      /* offer "h2" before "http/1.1" by ALPN */
};

#define TLS_PREFIX_MAX (64 * 1024) /* bytes read from the socket before it was known to be TLS */

/* 0, ERR_INVALID (a file is unreadable or not PEM, or key and certificate do not match), ERR_MEMORY; err says which file. */
int tls_context_create(const struct tls_options *options, struct tls_context **out, struct err *err);
/* Reads the files again; on failure the old ones stay in use. Any thread but io threads. */
int tls_context_reload(struct tls_context *context, struct err *err);
/* Running sessions stay valid. No other thread may use the context any more. */
void tls_context_destroy(struct tls_context *context);

/* Results of the calls below that are not a byte count. */
enum tls_result {
    TLS_WANT_READ = -1,  /* call again when the socket is readable */
    TLS_WANT_WRITE = -2, /* call again when the socket is writable */
    TLS_CLOSED = -3,     /* the peer ended the session or the socket */
    TLS_FAILED = -4      /* protocol or system error; only tls_session_destroy is left */
};

/*
 * A session over a connected, non-blocking socket. fd is borrowed: it is never closed here and must outlive the session.
 * prefix: bytes that were already read from the socket (copied), they come before what the socket still holds.
 * 0, ERR_TOO_LARGE, ERR_MEMORY. One thread at a time; takes no lock. The bytes on the wire are counted here
 * (net_bytes_in, net_bytes_out), and the handshakes.
 */
int tls_session_create(struct tls_context *context, int fd, struct text prefix, struct tls_session **out);
/* Sends nothing. */
void tls_session_destroy(struct tls_session *session);
/* One step of the handshake: 0 when it is finished, else a tls_result. Reading and writing do it implicitly too. */
int tls_session_handshake(struct tls_session *session);
bool tls_session_ready(const struct tls_session *session);
/* Bytes read (> 0), or a tls_result. size > 0. */
long tls_session_read(struct tls_session *session, void *out, size_t size);
/* Bytes taken (> 0, perhaps fewer than len), or a tls_result. After a want the same bytes must be offered again (at any
   address). len > 0. Never raises SIGPIPE. */
long tls_session_write(struct tls_session *session, const void *data, size_t len);
/* Bytes that a read will give without the socket becoming readable. A level-triggered loop must go on reading while this is
   not 0, or while the last read filled its buffer. */
size_t tls_session_pending(const struct tls_session *session);
/* Sends close_notify once (best effort): 0 when it is sent or makes no sense any more, or TLS_WANT_WRITE. */
int tls_session_shutdown(struct tls_session *session);
/* "h2", "http/1.1" or empty; static text, valid after the handshake. */
struct text tls_session_alpn(const struct tls_session *session);
/* "TLSv1.3"; static text. */
const char *tls_session_version(const struct tls_session *session);

#endif
