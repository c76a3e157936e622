/* Self-signed certificates in files, and a listening socket on a free port, for the tests of tls and fetch. */
#ifndef WEIR_TEST_TLS_MAKE_H
#define WEIR_TEST_TLS_MAKE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct made_certificate {
    char folder[64], certificate[96], key[96];
};

/* A certificate for 127.0.0.1 and localhost with this common name; its own authority. 0 or -1. */
static inline int certificate_write(struct made_certificate *made, const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509V3_CTX ctx;
    FILE *file;
    int done = -1;

    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), (long)(random() | 1));
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_set_pubkey(cert, key);
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
    X509_add_ext(cert, san, -1);
    X509_EXTENSION_free(san);
    X509_sign(cert, key, EVP_sha256());
    if ((file = fopen(made->certificate, "w"))) {
        PEM_write_X509(file, cert);
        fclose(file);
        if ((file = fopen(made->key, "w"))) {
            PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
            fclose(file);
            done = 0;
        }
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    return done;
}

static inline int certificate_make(struct made_certificate *made, const char *name)
{
    snprintf(made->folder, sizeof(made->folder), "/tmp/weir-test-tls-XXXXXX");
    if (!mkdtemp(made->folder))
        return -1;
    snprintf(made->certificate, sizeof(made->certificate), "%s/cert.pem", made->folder);
    snprintf(made->key, sizeof(made->key), "%s/key.pem", made->folder);
    return certificate_write(made, name);
}

static inline void certificate_remove(struct made_certificate *made)
{
    unlink(made->certificate);
    unlink(made->key);
    rmdir(made->folder);
}

/* A listener on 127.0.0.1 and a port of the kernel's choice. */
static inline int listen_make(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&address, len) || listen(fd, 64) ||
        getsockname(fd, (struct sockaddr *)&address, &len))
        return -1;
    *port = ntohs(address.sin_port);
    return fd;
}

#endif
