/*
 * The page at `/`: files that the build made of web/dash and put into the program, so that a copied binary is a whole console. They hold no data and
 * no secret; what the page shows it asks of /@console like any other client, with a signature where the server wants one.
 */
#ifndef WEIR_GATEWAY_PAGE_H
#define WEIR_GATEWAY_PAGE_H

#include <stdbool.h>
#include <stddef.h>

struct gw_page_file {
    const char *path;          /* as asked for: "/", "/@page/index-Bd3kq0Zp.js" */
    const char *type;          /* Content-Type */
    const char *etag;          /* quoted, of the plain bytes */
    bool immutable;            /* its name holds a hash of its content: a browser need not ask again */
    const unsigned char *data;
    size_t len;
    const unsigned char *gzip; /* the same, compressed; NULL: it would not be smaller */
    size_t gzip_len;
};

struct gw_page {
    const struct gw_page_file *file;
    size_t count;
};

/* Made by the build (web/dash/embed.mjs) and linked into the program alone. Weak: tests and fuzzers have none, nor has a build with -DWEIR_DASH=OFF. */
extern const struct gw_page gw_page_files __attribute__((weak));

#endif
