/*
 * One table of errors for the whole program: code, name, class, default text. A function that can fail returns
 * 0 or a negative code from this table; where a person will read the reason it also fills a struct err.
 * To add an error, add a row here; docs/errors.md is generated from this table.
 */
#ifndef WEIR_BASE_ERR_H
#define WEIR_BASE_ERR_H

#include <stddef.h>

/* class: what the caller should do. INPUT = the peer's fault, LIMIT = a named limit was met, STATE = not now or not here,
   RESOURCE = memory, files, disk, BROKEN = corrupt data or an impossible answer. */
enum err_class { ERR_CLASS_NONE, ERR_CLASS_INPUT, ERR_CLASS_LIMIT, ERR_CLASS_STATE, ERR_CLASS_RESOURCE, ERR_CLASS_BROKEN };

/* X(name, number, class, text) */
#define ERR_TABLE(X)                                                                                                   \
    X(MEMORY, 1, RESOURCE, "out of memory")                                                                            \
    X(INVALID, 2, INPUT, "the value is not valid")                                                                     \
    X(TOO_LARGE, 3, LIMIT, "the value is larger than its limit")                                                       \
    X(TOO_DEEP, 4, LIMIT, "the value is nested deeper than its limit")                                                 \
    X(TRUNCATED, 5, INPUT, "the input ends in the middle of a value")                                                  \
    X(SYNTAX, 6, INPUT, "the input is not well formed")                                                                \
    X(DUPLICATE, 7, INPUT, "a name appears twice")                                                                     \
    X(TYPE, 8, INPUT, "the value has the wrong type")                                                                  \
    X(MISSING, 9, INPUT, "a required value is missing")                                                                \
    X(NOT_FOUND, 10, STATE, "it does not exist")                                                                       \
    X(EXISTS, 11, STATE, "it already exists")                                                                          \
    X(CONDITION, 12, STATE, "the condition does not hold")                                                             \
    X(AGAIN, 13, STATE, "it cannot be done now; try again")                                                            \
    X(FULL, 14, LIMIT, "the queue is full")                                                                            \
    X(CLOSED, 15, STATE, "it is closed")                                                                               \
    X(GONE, 16, STATE, "the connection is gone")                                                                       \
    X(FORBIDDEN, 17, STATE, "not allowed")                                                                             \
    X(UNAUTHENTICATED, 18, STATE, "no valid identity was given")                                                       \
    X(MISSING_TOKEN, 19, INPUT, "a token is required")                                                                 \
    X(TOKEN_EXPIRED, 20, INPUT, "the token has expired")                                                               \
    X(INVALID_TOKEN, 21, INPUT, "the token is not valid")                                                              \
    X(RATE_LIMITED, 22, LIMIT, "too many requests")                                                                    \
    X(DISK_FULL, 23, RESOURCE, "not enough free disk space; writes are refused until space returns")                   \
    X(IO, 24, RESOURCE, "the operating system reported an input or output error")                                      \
    X(CORRUPT, 25, BROKEN, "stored data does not match its checksum")                                                  \
    X(VERSION, 26, BROKEN, "the data was written by another version")                                                  \
    X(COLD, 27, STATE, "the data is not in the cache")                                                                 \
    X(TIMEOUT, 28, STATE, "it took too long")                                                                          \
    X(UNSUPPORTED, 29, STATE, "not supported")                                                                         \
    X(INTERNAL, 30, BROKEN, "internal error")

enum {
#define X(name, number, class, text) ERR_##name = -(number),
    ERR_TABLE(X)
#undef X
};

/* Human text for a failure. `text` is always terminated. Plain value, caller's memory. */
struct err {
    int code;
    char text[236];
};

/* "TOO_LARGE" for ERR_TOO_LARGE; "OK" for 0; "UNKNOWN" for anything else. Static strings. Any thread. */
const char *err_name(int code);
/* The default sentence of the table. */
const char *err_text(int code);
enum err_class err_class_of(int code);
/* Fills *err (may be NULL) and returns `code`: `return err_set(err, ERR_INVALID, "score must be ...")`. */
int err_set(struct err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
