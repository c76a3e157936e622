/*
 * Faults for the real program, from outside: preloaded (LD_PRELOAD), this library stands between the program and the system calls that the journal lives on,
 * and does what a control file says. The journal's own simulator (tests/unit/journal) proves the recovery rules call by call; here is proven that the
 * finished program keeps them, with nothing in it that knows of tests.
 *
 * FAULTS_CONTROL names the control file. Each line is a rule, the first that matches is obeyed:
 *
 *   <call> <what> <part of the path>
 *
 *   call   fdatasync, fsync, pwrite (with pwritev), statvfs (with fstatvfs)
 *   what   EIO, ENOSPC, EDQUOT   the call fails and does nothing
 *          low                   statvfs: 64 MiB are free, less than the program's reserve
 *          none                  statvfs: nothing is free
 *          hold                  the call waits until the rule is gone, then happens
 *          kill                  SIGKILL instead of the call
 *          killafter             the call happens, then SIGKILL
 *          torn                  pwrite: the first half is written, then SIGKILL
 *          lie                   the call says that it happened, and did not: no program can stand that, so the proofs must notice
 *
 * The file is replaced by rename; its inode and time are compared at each call, so a test switches faults on and off while the program runs. Every fault that was
 * injected is a line "<call> <what> <path>" in <control file>.seen: a test can wait for it, and cannot pass without it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define LOW_BYTES (UINT64_C(64) << 20)
enum { RULES_MAX = 16, PATH_SIZE = 4096, CONTROL_SIZE = 4096, HOLD_MS = 2 };

struct rule {
    char call[16], what[16], part[256];
};

static struct {
    pthread_mutex_t lock;
    struct stat read; /* of the control file when it was read */
    struct rule rule[RULES_MAX];
    int rules;
} control = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the control file ---- */

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void parse(char *text)
{
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line && control.rules < RULES_MAX; line = strtok_r(NULL, "\n", &rest)) {
        struct rule *rule = &control.rule[control.rules];
        if (sscanf(line, "%15s %15s %255s", rule->call, rule->what, rule->part) == 3)
            control.rules++;
    }
}

/* With the lock held. No file: no rules. */
static void refresh(const char *path)
{
    struct stat now;
    char text[CONTROL_SIZE];
    if (stat(path, &now)) {
        control.rules = 0;
        control.read = (struct stat){0};
        return;
    }
    if (same_file(&now, &control.read))
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    if (len < 0)
        return;
    text[len] = '\0';
    control.rules = 0;
    control.read = now;
    parse(text);
}

static bool find(const char *call, const char *path, struct rule *out)
{
    const char *file = getenv("FAULTS_CONTROL");
    bool found = false;
    if (!file)
        return false;
    pthread_mutex_lock(&control.lock);
    refresh(file);
    for (int i = 0; i < control.rules && !found; i++) {
        found = strcmp(control.rule[i].call, call) == 0 && strstr(path, control.rule[i].part);
        if (found)
            *out = control.rule[i];
    }
    pthread_mutex_unlock(&control.lock);
    return found;
}

/* One write on a file that is appended to: lines of several threads, or of a process that dies next, stay whole. */
static void seen(const char *call, const char *what, const char *path)
{
    char name[PATH_SIZE], line[PATH_SIZE + 64];
    snprintf(name, sizeof(name), "%s.seen", getenv("FAULTS_CONTROL"));
    int len = snprintf(line, sizeof(line), "%s %s %s\n", call, what, path);
    int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (write(fd, line, (size_t)len) != len)
        abort();
    close(fd);
}

static const char *path_of(int fd, char path[PATH_SIZE])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, PATH_SIZE - 1);
    path[len < 0 ? 0 : len] = '\0';
    return path;
}

/* ---- what a rule says ---- */

enum verdict { PASS, FAIL, LIE, LOW, NONE, TORN, KILL_AFTER };

static void hold(const char *call, const char *path, struct rule *rule)
{
    while (find(call, path, rule) && strcmp(rule->what, "hold") == 0)
        nanosleep(&(struct timespec){.tv_nsec = HOLD_MS * 1000000L}, NULL);
}

static int number_of(const char *what)
{
    static const struct {
        const char *name;
        int number;
    } known[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i].name, what) == 0)
            return known[i].number;
    return 0;
}

/* With FAIL, errno is set. */
static enum verdict judge(const char *call, const char *path)
{
    struct rule rule;
    int before = errno;
    if (!find(call, path, &rule)) {
        errno = before;
        return PASS;
    }
    seen(call, rule.what, path);
    if (strcmp(rule.what, "hold") == 0) {
        hold(call, path, &rule);
        return PASS;
    }
    if (strcmp(rule.what, "kill") == 0)
        raise(SIGKILL);
    if (strcmp(rule.what, "killafter") == 0)
        return KILL_AFTER;
    if (strcmp(rule.what, "torn") == 0)
        return TORN;
    if (strcmp(rule.what, "lie") == 0)
        return LIE;
    if (strcmp(rule.what, "low") == 0)
        return LOW;
    if (strcmp(rule.what, "none") == 0)
        return NONE;
    errno = number_of(rule.what);
    return errno ? FAIL : PASS;
}

static void *real(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    if (!symbol)
        abort();
    return symbol;
}

#define REAL(name) ((__typeof__(&name))real(#name))

/* ---- the calls ---- */

static int sync_judged(const char *call, int fd, int (*next)(int))
{
    char path[PATH_SIZE];
    enum verdict verdict = judge(call, path_of(fd, path));
    if (verdict == FAIL)
        return -1;
    if (verdict == LIE)
        return 0;
    int answer = next(fd);
    if (verdict == KILL_AFTER)
        raise(SIGKILL);
    return answer;
}

int fdatasync(int fd)
{
    return sync_judged("fdatasync", fd, REAL(fdatasync));
}

int fsync(int fd)
{
    return sync_judged("fsync", fd, REAL(fsync));
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    char path[PATH_SIZE];
    enum verdict verdict = judge("pwrite", path_of(fd, path));
    if (verdict == FAIL)
        return -1;
    if (verdict == LIE)
        return (ssize_t)len;
    ssize_t answer = REAL(pwrite)(fd, data, verdict == TORN ? len / 2 : len, offset);
    if (verdict == TORN || verdict == KILL_AFTER)
        raise(SIGKILL);
    return answer;
}

static ssize_t bytes_of(const struct iovec *pieces, int count)
{
    size_t all = 0;
    for (int i = 0; i < count; i++)
        all += pieces[i].iov_len;
    return (ssize_t)all;
}

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset)
{
    char path[PATH_SIZE];
    enum verdict verdict = judge("pwrite", path_of(fd, path));
    if (verdict == FAIL)
        return -1;
    if (verdict == LIE)
        return bytes_of(pieces, count);
    ssize_t answer = REAL(pwritev)(fd, pieces, verdict == TORN ? (count + 1) / 2 : count, offset);
    if (verdict == TORN || verdict == KILL_AFTER)
        raise(SIGKILL);
    return answer;
}

static void bound(struct statvfs *info, enum verdict verdict)
{
    fsblkcnt_t most = verdict == NONE ? 0 : verdict == LOW ? LOW_BYTES / info->f_frsize : info->f_bavail;
    info->f_bavail = info->f_bavail < most ? info->f_bavail : most;
    info->f_bfree = info->f_bfree < most ? info->f_bfree : most;
}

int statvfs(const char *path, struct statvfs *info)
{
    enum verdict verdict = judge("statvfs", path);
    if (verdict == FAIL)
        return -1;
    int answer = REAL(statvfs)(path, info);
    if (!answer && verdict != PASS)
        bound(info, verdict);
    return answer;
}

int fstatvfs(int fd, struct statvfs *info)
{
    char path[PATH_SIZE];
    enum verdict verdict = judge("statvfs", path_of(fd, path));
    if (verdict == FAIL)
        return -1;
    int answer = REAL(fstatvfs)(fd, info);
    if (!answer && verdict != PASS)
        bound(info, verdict);
    return answer;
}

/* The names of programs that were built for large files; off_t and off64_t are one type here. */
_Static_assert(sizeof(off_t) == sizeof(off64_t), "a 64-bit system");

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t offset)
{
    return pwrite(fd, data, len, offset);
}

ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t offset)
{
    return pwritev(fd, pieces, count, offset);
}
