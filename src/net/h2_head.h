/*
 * The head of an HTTP/2 request, written down as the head of an HTTP/1.1 request. It knows no frames and no sockets: fields come in, in the order of the
 * header block, and one text comes out that http_request_parse reads. So both versions obey one set of rules (fields, target, Host, lengths), and
 * everything behind the parser is the same. One thread.
 */
#ifndef WEIR_NET_H2_HEAD_H
#define WEIR_NET_H2_HEAD_H

#include "base/buf.h"
#include "base/err.h"

#define H2_HEAD_HOPELESS (128 * 1024) /* bytes of one header block after decompression above which the peer is no client: 431 alone would not stop it */

struct h2_head {
    struct buf method, path, authority, host, cookie, lines;
    size_t total;       /* bytes of names and values so far */
    int status;         /* of the refusal that is due; 0: none so far */
    const char *reason; /* static sentence */
};

void h2_head_init(struct h2_head *head);
void h2_head_fini(struct h2_head *head);
void h2_head_clear(struct h2_head *head); /* for the next request */
/* Takes a field (copied). false: the block is larger than H2_HEAD_HOPELESS and the connection should end. */
bool h2_head_field(struct h2_head *head, struct text name, struct text value);
/* Appends the head to `out`. 0, or the status to answer with; *reason then tells why. */
int h2_head_format(struct h2_head *head, struct buf *out, const char **reason);
/* The method was HEAD: also a refusal of it has no body. */
bool h2_head_is_head(const struct h2_head *head);

/*
 * The way back: steps over the lines of an answer ("Name: value\r\n"...). *at starts at 0. The name is written in lower case to `lower`
 * (HTTP_HEAD_MAX bytes of room for all of an answer are the caller's to check); lines that mean the connection (RFC 9113 8.2.2) are skipped. false at the end.
 */
bool h2_answer_next(struct text lines, size_t *at, char *lower, struct text *name, struct text *value);

#endif
