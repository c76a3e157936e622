/* Tokens for development and tests, HS256. */
#ifndef WEIR_MAIN_SIGN_H
#define WEIR_MAIN_SIGN_H

#include "base/buf.h"
#include "base/err.h"

struct sign_claims {
    const char *user;                          /* sub */
    const char *role, *name, *email, *groups;  /* NULL: left out; groups: separated by commas */
    struct text issuer, audience;              /* empty: left out */
    int64_t life_ms;
};
/* Appends the token. ERR_MEMORY, ERR_TOO_LARGE, ERR_INVALID with err. */
int sign_token(struct text secret, const struct sign_claims *claims, struct buf *out, struct err *err);

#endif
