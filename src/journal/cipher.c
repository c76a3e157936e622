/*
 * AES-256-GCM for each record. Used twice with a key, a nonce gives both records away, and there are three ways to a sequence that is used twice: a torn tail
 * whose sequences are written again (in a later epoch), a folder that was copied and runs twice (the same epochs in both), a segment file that is
 * recycled. So the key is one for each segment, derived from epoch and salt (the salt is 64 random bits, drawn for each segment), and within a segment the
 * sequence alone is the nonce: it never repeats there, and nothing random is left to chance for each record. Since key and nonce say epoch, segment
 * and sequence, a record that was moved to another place is not accepted there.
 *
 * A derivation costs about 3 us, so the last few keys are kept. The lock around them is held without I/O.
 */
#include "journal/cipher.h"

#include <pthread.h>
#include <stdlib.h>

#define KEPT 4 /* segments: the writer's, and those of readers that are behind */

struct segment_key {
    uint64_t epoch, salt;
    bool set;
    unsigned char key[CIPHER_KEY_BYTES];
};

struct journal_gcm {
    struct journal_cipher cipher;
    pthread_mutex_t lock; /* kept, next */
    struct segment_key kept[KEPT];
    unsigned next;
    unsigned char key[CIPHER_KEY_BYTES];
};

static void put64(unsigned char *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (unsigned char)(value >> (56 - 8 * i));
}

static int derive(struct journal_gcm *gcm, const struct journal_record_id *id, struct segment_key *into)
{
    unsigned char salt[16];
    put64(salt, id->epoch);
    put64(salt + 8, id->salt);
    into->set = false;
    int code = cipher_derive(gcm->key, "weir journal segment", text_make(salt, sizeof(salt)), into->key, sizeof(into->key));
    into->epoch = id->epoch;
    into->salt = id->salt;
    into->set = code == 0;
    return code;
}

static int segment_key(struct journal_gcm *gcm, const struct journal_record_id *id, unsigned char key[CIPHER_KEY_BYTES])
{
    struct segment_key *found = NULL;
    int code = 0;
    pthread_mutex_lock(&gcm->lock);
    for (unsigned i = 0; i < KEPT && !found; i++)
        if (gcm->kept[i].set && gcm->kept[i].epoch == id->epoch && gcm->kept[i].salt == id->salt)
            found = &gcm->kept[i];
    if (!found) {
        found = &gcm->kept[gcm->next++ % KEPT];
        code = derive(gcm, id, found);
    }
    memcpy(key, found->key, CIPHER_KEY_BYTES);
    pthread_mutex_unlock(&gcm->lock);
    return code;
}

static int run(void *context, const struct journal_record_id *id, char *payload, size_t len, bool seal)
{
    unsigned char key[CIPHER_KEY_BYTES], nonce[CIPHER_NONCE_BYTES] = {0};
    unsigned char *tag = (unsigned char *)payload + len;
    int code = segment_key(context, id, key);
    put64(nonce, id->sequence);
    if (!code)
        code = seal ? cipher_seal(key, nonce, TEXT_NONE, payload, len, tag) : cipher_open(key, nonce, TEXT_NONE, payload, len, tag);
    cipher_forget(key, sizeof(key));
    return code;
}

static int encrypt_record(void *context, const struct journal_record_id *id, char *payload, size_t len)
{
    return run(context, id, payload, len, true);
}

static int decrypt_record(void *context, const struct journal_record_id *id, char *payload, size_t len)
{
    return run(context, id, payload, len, false);
}

int journal_gcm_create(struct journal_gcm **out, const unsigned char key[CIPHER_KEY_BYTES])
{
    struct journal_gcm *gcm = calloc(1, sizeof(*gcm));
    if (!gcm)
        return ERR_MEMORY;
    memcpy(gcm->key, key, CIPHER_KEY_BYTES);
    pthread_mutex_init(&gcm->lock, NULL);
    gcm->cipher = (struct journal_cipher){
        .context = gcm,
        .id = JOURNAL_CIPHER_GCM,
        .overhead = CIPHER_TAG_BYTES,
        .only = true,
        .encrypt = encrypt_record,
        .decrypt = decrypt_record,
    };
    *out = gcm;
    return 0;
}

void journal_gcm_destroy(struct journal_gcm *gcm)
{
    if (!gcm)
        return;
    pthread_mutex_destroy(&gcm->lock);
    cipher_forget(gcm, sizeof(*gcm));
    free(gcm);
}

const struct journal_cipher *journal_gcm_cipher(const struct journal_gcm *gcm)
{
    return gcm ? &gcm->cipher : NULL;
}
