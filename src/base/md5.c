/* OpenSSL's, behind four calls. Where OpenSSL runs in FIPS mode it has no MD5: md5_create answers NULL there. */
#include "base/md5.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct md5 {
    EVP_MD_CTX *context;
};

struct md5 *md5_create(void)
{
    struct md5 *md5 = calloc(1, sizeof(*md5));
    if (md5 && (md5->context = EVP_MD_CTX_new()) && EVP_DigestInit_ex(md5->context, EVP_md5(), NULL) == 1)
        return md5;
    md5_destroy(md5);
    return NULL;
}

void md5_add(struct md5 *md5, const void *bytes, size_t len)
{
    EVP_DigestUpdate(md5->context, bytes, len);
}

void md5_end(struct md5 *md5, unsigned char out[MD5_BYTES])
{
    EVP_DigestFinal_ex(md5->context, out, NULL);
}

void md5_destroy(struct md5 *md5)
{
    if (!md5)
        return;
    EVP_MD_CTX_free(md5->context);
    free(md5);
}
