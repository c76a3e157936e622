/*
 * Names, classes and sentences come from the one table in err.h. The numbers are dense and small, so a switch made
 * from the table is a jump table: no search, and a duplicate number is a compile error.
 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

const char *err_name(int code)
{
    switch (code) {
    case 0:
        return "OK";
#define X(name, number, class, text)                                                                                   \
    case ERR_##name:                                                                                                   \
        return #name;
        ERR_TABLE(X)
#undef X
    default:
        return "UNKNOWN";
    }
}

const char *err_text(int code)
{
    switch (code) {
    case 0:
        return "ok";
#define X(name, number, class, text)                                                                                   \
    case ERR_##name:                                                                                                   \
        return text;
        ERR_TABLE(X)
#undef X
    default:
        return "unknown error";
    }
}

enum err_class err_class_of(int code)
{
    switch (code) {
    case 0:
        return ERR_CLASS_NONE;
#define X(name, number, class, text)                                                                                   \
    case ERR_##name:                                                                                                   \
        return ERR_CLASS_##class;
        ERR_TABLE(X)
#undef X
    default:
        return ERR_CLASS_BROKEN;
    }
}

int err_set(struct err *err, int code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof(err->text), format, args);
        va_end(args);
        err->code = code;
    }
    return code;
}
