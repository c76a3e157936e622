/* The journal's contract: what each call promises, with the real files where they matter and the simulated
   disk where counting calls does. */
#include "journal/model.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define TEXTS(s) (&(struct text){(s), strlen(s)}), 1

struct folder {
    char path[64], inner[80];
};

static int folder_make(void **state)
{
    struct folder *f = calloc(1, sizeof(*f));
    strcpy(f->path, "/tmp/weir-journal-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    snprintf(f->inner, sizeof(f->inner), "%s/journal", f->path);
    *state = f;
    return 0;
}

static int folder_remove(void **state)
{
    struct folder *f = *state;
    DIR *dir = opendir(f->inner);
    struct dirent *entry;
    char path[512];
    while (dir && (entry = readdir(dir))) {
        snprintf(path, sizeof(path), "%s/%s", f->inner, entry->d_name);
        unlink(path);
    }
    if (dir)
        closedir(dir);
    rmdir(f->inner);
    rmdir(f->path);
    free(f);
    return 0;
}

static int count_files(const char *path, const char *part)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int n = 0;
    while ((entry = readdir(dir)))
        n += strstr(entry->d_name, part) != NULL;
    closedir(dir);
    return n;
}

static void expect(struct journal_reader *r, uint64_t sequence, const char *text)
{
    struct err err;
    struct text record;
    uint64_t got;
    assert_int_equal(journal_reader_next(r, &got, &record, &err), 0);
    assert_int_equal(got, sequence);
    assert_int_equal(record.len, strlen(text));
    assert_memory_equal(record.data, text, record.len);
}

static void test_life(void **state)
{
    struct folder *f = *state;
    struct journal_config config = {.folder = f->inner};
    struct journal *j, *second;
    struct err err;
    struct text record;
    uint64_t sequence;
    assert_int_equal(journal_open(&j, &config, &err), 0);
    struct stat info;
    assert_int_equal(stat(f->inner, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_int_equal(journal_epoch(j), 1);
    assert_int_equal(journal_first(j), 1);
    assert_int_equal(journal_last(j), 0);
    assert_int_equal(journal_open(&second, &config, &err), ERR_AGAIN); /* locked */
    assert_null(second);
    struct journal_reader *r;
    assert_int_equal(journal_reader_open(j, 1, &r, &err), 0);
    assert_int_equal(journal_reader_next(r, &sequence, &record, &err), ERR_AGAIN);
    struct text pieces[] = {TEXT("one "), TEXT_NONE, TEXT("record")};
    assert_int_equal(journal_append(j, pieces, 3, &sequence, &err), 0);
    assert_int_equal(sequence, 1);
    assert_int_equal(journal_append(j, NULL, 0, &sequence, &err), 0);
    assert_int_equal(journal_last(j), 2);
    assert_int_equal(journal_durable(j), 0);
    assert_int_equal(journal_reader_next(r, &sequence, &record, &err), ERR_AGAIN); /* not durable: not seen */
    assert_int_equal(journal_sync(j, &err), 0);
    assert_int_equal(journal_durable(j), 2);
    expect(r, 1, "one record");
    expect(r, 2, "");
    assert_int_equal(journal_reader_next(r, &sequence, &record, &err), ERR_AGAIN);
    assert_int_equal(journal_append(j, TEXTS("three"), NULL, &err), 0);
    assert_int_equal(journal_sync(j, &err), 0);
    expect(r, 3, "three");
    journal_reader_close(r);
    assert_int_equal(journal_reader_open(j, 5, &r, &err), ERR_INVALID);
    assert_int_equal(journal_append(j, TEXTS("left to close"), NULL, &err), 0);
    journal_close(j);

    struct journal_report report;
    assert_int_equal(journal_verify(f->inner, NULL, NULL, NULL, NULL, &report, &err), 0);
    assert_int_equal(report.records, 4);
    assert_int_equal(report.payload_bytes, 28);
    assert_true(report.closed);
    assert_false(report.torn);
    assert_int_equal(report.last, 4);

    assert_int_equal(journal_open(&j, &config, &err), 0);
    assert_int_equal(journal_epoch(j), 2);
    assert_int_equal(journal_last(j), 4);
    assert_int_equal(journal_first(j), 1);
    assert_int_equal(journal_reader_open(j, 3, &r, &err), 0);
    expect(r, 3, "three");
    expect(r, 4, "left to close");
    assert_int_equal(journal_append(j, TEXTS("five"), &sequence, &err), 0);
    assert_int_equal(sequence, 5);
    assert_int_equal(journal_sync(j, &err), 0);
    expect(r, 5, "five");
    journal_reader_close(r);
    journal_close(j);
    config.known_durable = 6;
    assert_int_equal(journal_open(&j, &config, &err), ERR_CORRUPT);
}

static void test_idle_is_small(void **state)
{
    struct folder *f = *state;
    struct journal_config config = {.folder = f->inner, .recycle_max = 2};
    struct err err;
    for (int i = 0; i < 5; i++) {
        struct journal *j;
        assert_int_equal(journal_open(&j, &config, &err), 0);
        assert_int_equal(journal_epoch(j), i + 1);
        journal_close(j);
    }
    assert_int_equal(count_files(f->inner, "."), 3); /* ".", "..", one segment */
    char path[160];
    snprintf(path, sizeof(path), "%s/00000000000000000001.log", f->inner);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_true(info.st_size <= 8192);
}

static void test_recycling_with_the_thread(void **state)
{
    struct folder *f = *state;
    struct journal_config config = {.folder = f->inner, .segment_bytes = 65536, .recycle_max = 3};
    struct journal *j;
    struct err err;
    static char record[5000];
    assert_int_equal(journal_open(&j, &config, &err), 0);
    for (int i = 1; i <= 400; i++) {
        memset(record, 'a' + i % 26, sizeof(record));
        struct text piece = {record, sizeof(record)};
        assert_int_equal(journal_append(j, &piece, 1, NULL, &err), 0);
        assert_int_equal(journal_sync(j, &err), 0);
        if (i % 50 == 0)
            journal_truncate(j, (uint64_t)i - 30);
    }
    assert_true(journal_first(j) > 340);
    journal_close(j);
    assert_true(count_files(f->inner, "spare.") <= 4);
    assert_true(count_files(f->inner, ".log") < 35);
    assert_int_equal(count_files(f->inner, "fill."), 0);
    struct journal_report report;
    assert_int_equal(journal_verify(f->inner, NULL, NULL, NULL, NULL, &report, &err), 0);
    assert_int_equal(report.last, 400);
    assert_int_equal(journal_open(&j, &config, &err), 0);
    struct journal_reader *r;
    uint64_t sequence;
    struct text text;
    assert_int_equal(journal_reader_open(j, journal_first(j), &r, &err), 0);
    for (uint64_t i = journal_first(j); i <= 400; i++) {
        assert_int_equal(journal_reader_next(r, &sequence, &text, &err), 0);
        assert_int_equal(text.data[4999], 'a' + (int)(i % 26));
    }
    journal_reader_close(r);
    journal_close(j);
}

/* Stale records never come back: the reused file is full of old ones, and the crash leaves only the new
 * header. */
static void test_recycled_file_is_empty(void **state)
{
    (void)state;
    struct sim_disk *d = sim_init(5);
    struct model *m = calloc(1, sizeof(*m));
    m->first = 1;
    struct journal_config config = model_config(d);
    struct journal *j;
    struct err err;
    assert_int_equal(journal_open(&j, &config, &err), 0);
    int reused = 0;
    for (int i = 0; i < 1600; i++) { /* equal lengths: old records stand exactly where new ones would */
        assert_int_equal(model_append(m, j, 1000, &err), 0);
        assert_int_equal(journal_sync(j, &err), 0);
        m->durable = m->first = journal_durable(j);
        journal_truncate(j, m->durable);
        if (i % 40 != 3)
            continue;
        size_t before = d->inode_count;
        d->dead = true;
        journal_close(j);
        sim_crash(d);
        struct journal_report report;
        assert_int_equal(journal_verify("sim", &d->ops, NULL, NULL, NULL, &report, &err), 0);
        assert_int_equal(journal_open(&j, &config, &err), 0);
        assert_int_equal(journal_last(j), m->last);
        model_recovered(m, j);
        reused += d->inode_count == before;
    }
    assert_true(reused > 20);
    journal_close(j);
    free(m);
    sim_fini(d);
}

static void test_one_write_one_sync(void **state)
{
    (void)state;
    struct sim_disk *d = sim_init(5);
    struct journal_config config = {.folder = "sim", .foreground = true, .files = &d->ops};
    struct journal *j;
    struct err err;
    assert_int_equal(journal_open(&j, &config, &err), 0);
    uint64_t writes = d->writes, syncs = d->datasyncs;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(journal_append(j, TEXTS("a small record"), NULL, &err), 0);
    assert_int_equal(d->writes, writes);
    assert_int_equal(journal_sync(j, &err), 0);
    assert_int_equal(d->writes, writes + 1);
    assert_int_equal(d->datasyncs, syncs + 1);
    assert_int_equal(journal_sync(j, &err), 0); /* nothing to do costs nothing */
    assert_int_equal(d->datasyncs, syncs + 1);
    journal_close(j);
    sim_fini(d);
}

static void test_limits(void **state)
{
    struct folder *f = *state;
    struct journal_config config = {.folder = f->inner, .segment_bytes = JOURNAL_SEGMENT_MIN};
    struct journal *j;
    struct err err;
    char *big = calloc(1, (size_t)JOURNAL_RECORD_MAX + 1);
    assert_int_equal(journal_open(&j, &config, &err), 0);
    struct text piece = {big, (size_t)JOURNAL_RECORD_MAX + 1},
                halves[2] = {{big, JOURNAL_RECORD_MAX}, {big, 1}};
    assert_int_equal(journal_append(j, &piece, 1, NULL, &err), ERR_TOO_LARGE);
    assert_int_equal(journal_append(j, halves, 2, NULL, &err), ERR_TOO_LARGE);
    struct text absurd[2] = {{big, SIZE_MAX - 5}, {big, 10}};
    assert_int_equal(journal_append(j, absurd, 2, NULL, &err), ERR_TOO_LARGE);
    assert_int_equal(journal_last(j), 0);
    big[100000] = 'x';
    piece.len = 200000; /* larger than a segment: one of its own */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(journal_append(j, TEXTS("small"), NULL, &err), 0);
        assert_int_equal(journal_append(j, &piece, 1, NULL, &err), 0);
    }
    assert_int_equal(journal_sync(j, &err), 0);
    struct journal_reader *r;
    assert_int_equal(journal_reader_open(j, 1, &r, &err), 0);
    for (uint64_t i = 1; i <= 6; i += 2) {
        uint64_t sequence;
        struct text record;
        expect(r, i, "small");
        assert_int_equal(journal_reader_next(r, &sequence, &record, &err), 0);
        assert_int_equal(record.len, 200000);
        assert_int_equal(record.data[100000], 'x');
    }
    journal_reader_close(r);
    journal_close(j);
    free(big);
    config.segment_bytes = 100;
    assert_int_equal(journal_open(&j, &config, &err), ERR_INVALID);
}

/* More than may be gathered without a sync is refused, and goes on after one. A sparse spare gives the room.
 */
static void test_pending_limit(void **state)
{
    struct folder *f = *state;
    struct journal_config config = {.folder = f->inner, .segment_bytes = 256 << 20, .recycle_max = 1};
    struct journal *j;
    struct err err;
    size_t len = (size_t)41 << 20;
    char *data = calloc(1, len), path[160];
    struct text piece = {data, len};
    assert_int_equal(mkdir(f->inner, 0700), 0);
    snprintf(path, sizeof(path), "%s/spare.00000000000000000001", f->inner);
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 256 << 20), 0);
    close(fd);
    assert_int_equal(journal_open(&j, &config, &err), 0);
    assert_int_equal(access(path, F_OK), -1); /* the spare of an earlier run was taken */
    assert_int_equal(journal_append(j, &piece, 1, NULL, &err), 0);
    assert_int_equal(journal_append(j, &piece, 1, NULL, &err), ERR_FULL);
    assert_int_equal(journal_last(j), 1);
    assert_int_equal(journal_durable(j), 0);
    assert_int_equal(journal_sync(j, &err), 0);
    assert_int_equal(journal_append(j, TEXTS("again"), NULL, &err), 0);
    assert_int_equal(journal_last(j), 2);
    journal_close(j);
    free(data);
}

static void test_reserve(void **state)
{
    (void)state;
    struct sim_disk *d = sim_init(5);
    struct journal_config config = model_config(d);
    struct journal *j;
    struct err err;
    config.reserve_bytes = 1 << 20;
    clock_freeze(1000000);
    assert_int_equal(journal_open(&j, &config, &err), 0);
    assert_int_equal(journal_append(j, TEXTS("before"), NULL, &err), 0);
    assert_int_equal(journal_sync(j, &err), 0);
    d->free_bytes = (1 << 20) - 1;
    assert_true(journal_writable(j)); /* the answer is not old enough to be asked again */
    clock_freeze(1000000 + JOURNAL_SPACE_CACHE_MS);
    assert_false(journal_writable(j));
    uint64_t writes = d->writes;
    assert_int_equal(journal_append(j, TEXTS("refused"), NULL, &err), ERR_DISK_FULL);
    assert_int_equal(journal_sync(j, &err), 0);
    assert_int_equal(journal_last(j), 1);
    assert_int_equal(d->writes, writes);
    struct journal_reader *r; /* reads go on */
    assert_int_equal(journal_reader_open(j, 1, &r, &err), 0);
    expect(r, 1, "before");
    d->free_bytes = 2 << 20;
    clock_freeze(1000000 + 2 * JOURNAL_SPACE_CACHE_MS);
    assert_true(journal_writable(j));
    assert_int_equal(journal_append(j, TEXTS("healed"), NULL, &err), 0);
    assert_int_equal(journal_sync(j, &err), 0);
    expect(r, 2, "healed");
    journal_reader_close(r);
    journal_close(j);
    clock_freeze(-1);
    sim_fini(d);
}

/* Who asked before space became little may finish: the grace is a part of the reserve. */
static void test_grace(void **state)
{
    (void)state;
    struct sim_disk *d = sim_init(5);
    struct journal_config config = model_config(d);
    struct journal *j;
    struct err err;
    config.reserve_bytes = 1 << 20;
    config.grace_bytes = (1 << 20) + 1;
    assert_int_equal(journal_open(&j, &config, &err), ERR_INVALID);
    config.grace_bytes = 1 << 19;
    clock_freeze(1000000);
    assert_int_equal(journal_open(&j, &config, &err), 0);
    d->free_bytes = (1 << 20) - 1;
    clock_freeze(2000000);
    assert_false(journal_writable(j));
    assert_int_equal(journal_append(j, TEXTS("asked before"), NULL, &err), 0);
    assert_int_equal(journal_sync(j, &err), 0);
    d->free_bytes = 1 << 19;
    clock_freeze(3000000);
    assert_int_equal(journal_append(j, TEXTS("refused"), NULL, &err), ERR_DISK_FULL);
    journal_close(j);
    clock_freeze(-1);
    sim_fini(d);
}

/* Low space gives the spares back. */
static void test_spares_are_shed(void **state)
{
    (void)state;
    struct sim_disk *d = sim_init(5);
    struct model *m = calloc(1, sizeof(*m));
    struct journal_config config = model_config(d);
    struct journal *j;
    struct err err;
    config.reserve_bytes = 1 << 20;
    clock_freeze(1000000);
    assert_int_equal(journal_open(&j, &config, &err), 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(model_append(m, j, 1000, &err), 0);
        assert_int_equal(journal_sync(j, &err), 0);
    }
    journal_truncate(j, 90);
    int spares = 0;
    for (size_t i = 0; i < d->now.count; i++)
        spares += strncmp(d->now.entry[i].name, "spare.", 6) == 0;
    assert_true(spares >= 2);
    d->free_bytes = 0;
    clock_freeze(2000000);
    assert_int_equal(model_append(m, j, 1000, &err), ERR_DISK_FULL);
    for (size_t i = 0; i < d->now.count; i++)
        assert_int_not_equal(strncmp(d->now.entry[i].name, "spare.", 6), 0);
    clock_freeze(-1);
    journal_close(j);
    free(m);
    sim_fini(d);
}

static void test_truncate_and_readers(void **state)
{
    (void)state;
    struct sim_disk *d = sim_init(5);
    struct model *m = calloc(1, sizeof(*m));
    struct journal_config config = model_config(d);
    struct journal *j;
    struct err err;
    assert_int_equal(journal_open(&j, &config, &err), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(model_append(m, j, 1000, &err), 0);
    assert_int_equal(journal_sync(j, &err), 0);
    journal_truncate(j, 1); /* nothing is below */
    assert_int_equal(journal_first(j), 1);
    /* The segments, from the newest to the oldest, hold every sequence once. */
    uint64_t segments = 0, at = 100;
    while (at > 0) {
        uint64_t start = journal_segment_first(j, at);
        assert_true(start >= 1 && start <= at);
        for (uint64_t inside = start; inside <= at; inside++)
            assert_int_equal(journal_segment_first(j, inside), start);
        at = start - 1;
        segments++;
    }
    assert_true(segments > 3);
    assert_int_equal(journal_segment_first(j, 0), 0);
    assert_int_equal(journal_segment_first(j, 101), 0);
    for (uint64_t from = 1; from <= 101; from++) /* from every sequence */
        assert_int_equal(model_read(m, j, from, &err), 0);
    struct journal_reader *old, *r;
    uint64_t sequence;
    struct text record;
    assert_int_equal(journal_reader_open(j, 2, &old, &err), 0);
    assert_int_equal(journal_reader_next(old, &sequence, &record, &err), 0);
    journal_truncate(j, 60);
    uint64_t first = journal_first(j);
    assert_true(first > 40 && first <= 60);
    assert_int_equal(journal_segment_first(j, first - 1), 0);
    assert_int_equal(journal_segment_first(j, first), first);
    assert_int_equal(journal_reader_open(j, first - 1, &r, &err), ERR_NOT_FOUND);
    assert_int_equal(journal_reader_next(old, &sequence, &record, &err), 0); /* it may finish its segment */
    assert_int_equal(sequence, 3);
    int code;
    while ((code = journal_reader_next(old, &sequence, &record, &err)) == 0)
        assert_true(sequence < first);
    assert_int_equal(code, ERR_NOT_FOUND);
    assert_int_equal(journal_reader_next(old, &sequence, &record, &err), ERR_NOT_FOUND);
    journal_reader_close(old);
    journal_truncate(j, UINT64_MAX); /* the newest segment always stays */
    assert_true(journal_first(j) <= 100);
    assert_int_equal(model_read(m, j, journal_first(j), &err), 0);
    size_t logs = 0;
    for (size_t i = 0; i < d->now.count; i++)
        logs += strstr(d->now.entry[i].name, ".log") != NULL;
    assert_int_equal(logs, 1);
    journal_close(j);
    free(m);
    sim_fini(d);
}

/* One reader behind the writer, record by record, over prepared and recycled segments: what lies behind the
   durable end (zeros, old records) must not stay in its window. */
static void test_reader_follows(void **state)
{
    (void)state;
    struct sim_disk *d = sim_init(5);
    struct model *m = calloc(1, sizeof(*m));
    struct journal_config config = model_config(d);
    struct journal *j;
    struct journal_reader *r;
    struct err err;
    assert_int_equal(journal_open(&j, &config, &err), 0);
    assert_int_equal(journal_reader_open(j, 1, &r, &err), 0);
    for (uint64_t i = 1; i <= 300; i++) {
        uint64_t sequence;
        struct text record;
        assert_int_equal(model_append(m, j, 500 + (uint32_t)(i % 3), &err), 0);
        assert_int_equal(journal_reader_next(r, &sequence, &record, &err), ERR_AGAIN);
        assert_int_equal(journal_sync(j, &err), 0);
        assert_int_equal(journal_reader_next(r, &sequence, &record, &err), 0);
        assert_int_equal(sequence, i);
        assert_int_equal(record.len, m->len[i]);
        model_content(m, i);
        assert_memory_equal(record.data, m->content, record.len);
        journal_truncate(j, i);
    }
    journal_reader_close(r);
    journal_close(j);
    free(m);
    sim_fini(d);
}

static void test_start_after(void **state)
{
    (void)state;
    struct sim_disk *d = sim_init(5);
    struct journal_config config = model_config(d);
    struct journal *j;
    struct err err;
    uint64_t sequence;
    config.start_after = config.known_durable = 5000;
    assert_int_equal(journal_open(&j, &config, &err), 0);
    assert_int_equal(journal_first(j), 5001);
    assert_int_equal(journal_append(j, TEXTS("x"), &sequence, &err), 0);
    assert_int_equal(sequence, 5001);
    journal_close(j);
    config.start_after = 1; /* only for an empty folder */
    assert_int_equal(journal_open(&j, &config, &err), 0);
    assert_int_equal(journal_last(j), 5001);
    journal_close(j);
    sim_fini(d);
}

/* A toy with the shape of an AEAD: key stream from the id, and a tag. */
static int toy(const struct journal_record_id *id, char *payload, size_t len, bool encrypt)
{
    uint64_t key = id->sequence * 0x9e3779b97f4a7c15 ^ id->epoch << 32 ^ id->salt;
    uint32_t tag = 17;
    for (size_t i = 0; i < len; i++) {
        tag = encrypt ? tag * 31 + (unsigned char)payload[i] : tag;
        payload[i] ^= (char)(key >> (i % 8 * 8));
        tag = encrypt ? tag : tag * 31 + (unsigned char)payload[i];
    }
    if (encrypt)
        memcpy(payload + len, &tag, 4);
    return memcmp(payload + len, &tag, 4) == 0 ? 0 : ERR_CORRUPT;
}

static int toy_encrypt(void *context, const struct journal_record_id *id, char *payload, size_t len)
{
    (void)context;
    return toy(id, payload, len, true);
}

static int toy_decrypt(void *context, const struct journal_record_id *id, char *payload, size_t len)
{
    (void)context;
    return toy(id, payload, len, false);
}

static void test_cipher(void **state)
{
    (void)state;
    static const struct journal_cipher cipher = {
        .id = 7, .overhead = 4, .encrypt = toy_encrypt, .decrypt = toy_decrypt};
    struct sim_disk *d = sim_init(5);
    struct journal_config config = model_config(d);
    struct journal *j;
    struct journal_reader *r;
    struct err err;
    assert_int_equal(journal_open(&j, &config, &err), 0);
    assert_int_equal(journal_append(j, TEXTS("plain text"), NULL, &err), 0);
    journal_close(j);
    config.cipher = &cipher; /* turned on later: the old stays readable */
    assert_int_equal(journal_open(&j, &config, &err), 0);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(journal_append(j, TEXTS("a very secret message"), NULL, &err), 0);
        assert_int_equal(journal_sync(j, &err), 0);
    }
    assert_int_equal(journal_reader_open(j, 1, &r, &err), 0);
    expect(r, 1, "plain text");
    for (uint64_t i = 2; i <= 201; i++)
        expect(r, i, "a very secret message");
    journal_reader_close(r);
    journal_close(j);
    for (size_t i = 0; i < d->inode_count; i++)
        assert_null(d->inodes[i]->size ? memmem(d->inodes[i]->data, d->inodes[i]->size, "secret", 6) : NULL);
    assert_int_equal(journal_open(&j, &config, &err), 0);
    assert_int_equal(journal_last(j), 201);
    journal_close(j);
    struct journal_report report;
    assert_int_equal(journal_verify("sim", &d->ops, &cipher, NULL, NULL, &report, &err), 0);
    assert_int_equal(report.records, 201);
    assert_int_equal(journal_verify("sim", &d->ops, NULL, NULL, NULL, &report, &err), 0);
    config.cipher = NULL;
    assert_int_equal(journal_open(&j, &config, &err), ERR_UNSUPPORTED);
    sim_fini(d);
}

int main(void)
{
#define REAL(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        REAL(test_life),
        REAL(test_idle_is_small),
        REAL(test_recycling_with_the_thread),
        REAL(test_limits),
        REAL(test_pending_limit),
        cmocka_unit_test(test_recycled_file_is_empty),
        cmocka_unit_test(test_one_write_one_sync),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_grace),
        cmocka_unit_test(test_spares_are_shed),
        cmocka_unit_test(test_truncate_and_readers),
        cmocka_unit_test(test_reader_follows),
        cmocka_unit_test(test_start_after),
        cmocka_unit_test(test_cipher),
    };
    return cmocka_run_group_tests_name("journal", tests, model_quiet, NULL);
}
