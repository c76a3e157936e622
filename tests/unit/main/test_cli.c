/*
 * The program from outside: its first line, its exit codes, its signals, its folder. No shell: fork, exec, pipes. Ports are picked by the
 * kernel, folders are temporary, and waiting is for a condition (a line, the end of the process), never for a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "main/exit.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 16
#define HUNG_MS 60000 /* a test that waits so long has failed */

static char program[4096], root[64], data[80];

struct child {
    pid_t pid;
    int out; /* standard output and standard error, together */
    char text[65536];
    size_t len;
};

static void spawn(struct child *child, const char *const *words)
{
    char *argv[WORDS_MAX] = {program};
    int pipe_fd[2];
    for (int i = 0; i < WORDS_MAX - 2 && words[i]; i++)
        argv[i + 1] = (char *)words[i];
    assert_int_equal(pipe(pipe_fd), 0);
    fcntl(pipe_fd[0], F_SETFD, FD_CLOEXEC);
    child->len = 0;
    child->text[0] = 0;
    child->pid = fork();
    if (child->pid == 0) {
        dup2(pipe_fd[1], STDOUT_FILENO);
        dup2(pipe_fd[1], STDERR_FILENO);
        if (pipe_fd[1] > STDERR_FILENO)
            close(pipe_fd[1]);
        execv(program, argv);
        _exit(127);
    }
    assert_true(child->pid > 0);
    close(pipe_fd[1]);
    child->out = pipe_fd[0];
}

/* Reads until the text holds `part`, or, with NULL, until the end. */
static bool read_until(struct child *child, const char *part)
{
    while (!part || !strstr(child->text, part)) {
        struct pollfd ready = {.fd = child->out, .events = POLLIN};
        if (poll(&ready, 1, HUNG_MS) <= 0 || child->len == sizeof(child->text) - 1)
            return false;
        ssize_t got = read(child->out, child->text + child->len, sizeof(child->text) - 1 - child->len);
        if (got <= 0)
            return !part;
        child->len += (size_t)got;
        child->text[child->len] = 0;
    }
    return true;
}

/* The exit code; -1 for a death by signal. */
static int reap(struct child *child)
{
    int status;
    if (!read_until(child, NULL)) {
        kill(child->pid, SIGKILL);
        fail_msg("the program hangs; it said: %s", child->text);
    }
    close(child->out);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static struct child ran;
static int run(const char *const *words)
{
    spawn(&ran, words);
    return reap(&ran);
}
#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void assert_said(const char *part)
{
    if (!strstr(ran.text, part))
        fail_msg("'%s' was not said, but: %s", part, ran.text);
}

/* Starts a server on a port of the kernel's choice, and reads its first line. */
static uint16_t serve(struct child *child, const char *option, const char *value)
{
    unsigned port = 0;
    const char *line;
    spawn(child, (const char *const[]){"serve", "--data", data, "--listen", "127.0.0.1:0", "--io-threads", "1", option, value, NULL});
    if (!read_until(child, "\"listening\"") || !(line = strstr(child->text, "{\"listening\":\"127.0.0.1:")) || sscanf(line + 24, "%u", &port) != 1)
        fail_msg("no first line, but: %s", child->text);
    return (uint16_t)port;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void answer_of(int fd, const char *request, char *out, size_t size)
{
    size_t len = 0;
    ssize_t got;
    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    do {
        got = read(fd, out + len, size - 1 - len);
        len += got > 0 ? (size_t)got : 0;
        out[len] = 0;
    } while (got > 0 && !strstr(out, "\r\n\r\n"));
}

static int socket_open(uint16_t port, const char *path)
{
    char request[512], answer[2048];
    int fd = connect_to(port);
    snprintf(request, sizeof(request),
        "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        path);
    answer_of(fd, request, answer, sizeof(answer));
    assert_non_null(strstr(answer, "HTTP/1.1 101"));
    return fd;
}

/* ---- files ---- */

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info, (void)type, (void)walk;
    return remove(path);
}

static int setup(void **state)
{
    (void)state;
    strcpy(root, "/tmp/weir-cli-XXXXXX");
    assert_non_null(mkdtemp(root));
    snprintf(data, sizeof(data), "%s/data", root);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void write_file(char *path, size_t size, const char *name, const char *text)
{
    snprintf(path, size, "%s/%s", root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* ---- tests ---- */

static void test_usage(void **state)
{
    (void)state;
    assert_int_equal(RUN("--version"), EXIT_OK);
    assert_said("weir ");
    assert_int_equal(RUN("--help"), EXIT_OK);
    assert_said("Exit codes:");
    static const char *const commands[] = {"serve", "check", "token", "verify", "rekey"};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(RUN(commands[i], "--help"), EXIT_OK);
        assert_said("Options:");
    }
    assert_int_equal(RUN("bogus"), EXIT_USAGE);
    assert_int_equal(RUN("serve", "--bogus"), EXIT_USAGE);
    assert_int_equal(RUN("serve", "--log-level", "loud"), EXIT_USAGE);
    assert_int_equal(RUN("serve", "--env", "a b"), EXIT_USAGE);
    assert_int_equal(RUN("serve", "--listen", "nowhere"), EXIT_USAGE);
    assert_int_equal(RUN("token", "--api", "x"), EXIT_USAGE);
    assert_int_equal(RUN("verify"), EXIT_USAGE);
    assert_int_equal(RUN("rekey", "--data", data), EXIT_USAGE);
    assert_int_equal(RUN("verify", root), EXIT_FAILED);
}

static void test_check(void **state)
{
    (void)state;
    char path[128];
    write_file(path, sizeof(path), "weir.yaml", "apis:\n  a:\n    routes:\n      x: http://127.0.0.1:1/\n");
    assert_int_equal(RUN("check", path), EXIT_OK);
    assert_said("mounts /a");
    write_file(path, sizeof(path), "weir.yaml", "apis:\n  a:\n    routs: {}\n");
    assert_int_equal(RUN("check", path), EXIT_CONFIG);
    assert_said("weir.yaml:3:5: unknown key 'routs'; did you mean routes?");
    assert_int_equal(RUN("serve", "--config", path, "--data", data), EXIT_CONFIG);
    assert_said("weir.yaml:3:5:");
    write_file(path, sizeof(path), "weir.yaml", "listen: 0.0.0.0:80\n");
    assert_int_equal(RUN("check", path), EXIT_CONFIG);
    assert_said("--allow-open");
    assert_int_not_equal(access(data, F_OK), 0); /* nothing was made */
}

static void test_serve_and_stop(void **state)
{
    (void)state;
    static struct child server;
    char answer[4096];
    uint16_t port = serve(&server, NULL, NULL);
    int fd = connect_to(port);
    answer_of(fd, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", answer, sizeof(answer));
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
    close(fd);
    kill(server.pid, SIGHUP);
    if (!read_until(&server, "origins and rates were reloaded"))
        fail_msg("SIGHUP was not taken; it said: %s", server.text);
    kill(server.pid, SIGTERM);
    assert_int_equal(reap(&server), EXIT_OK);
    serve(&server, NULL, NULL); /* the same folder again */
    kill(server.pid, SIGINT);
    assert_int_equal(reap(&server), EXIT_OK);
    assert_int_equal(RUN("verify", data), EXIT_OK);
    assert_said("sound");
}

/* A configuration that went wrong is told at SIGHUP and changes nothing; put right, it is taken. */
static void test_reload(void **state)
{
    (void)state;
    static struct child server;
    char path[128], answer[4096];
    write_file(path, sizeof(path), "weir.yaml", "apps: [echo]\n");
    uint16_t port = serve(&server, "--config", path);
    write_file(path, sizeof(path), "weir.yaml", "apps: [ekho]\n");
    kill(server.pid, SIGHUP);
    assert_true(read_until(&server, "weir.yaml:1:8:"));
    assert_true(read_until(&server, "stay as they are"));
    int fd = connect_to(port);
    answer_of(fd, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", answer, sizeof(answer));
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
    close(fd);
    write_file(path, sizeof(path), "weir.yaml", "apps: [echo]\n");
    kill(server.pid, SIGHUP);
    assert_true(read_until(&server, "origins and rates were reloaded"));
    kill(server.pid, SIGTERM);
    assert_int_equal(reap(&server), EXIT_OK);
}

static void test_one_at_a_time(void **state)
{
    (void)state;
    static struct child server;
    char listen[32], other[96];
    uint16_t port = serve(&server, NULL, NULL);
    assert_int_equal(RUN("serve", "--data", data, "--listen", "0"), EXIT_LOCKED);
    assert_said("in use by process");
    assert_int_equal(RUN("verify", data), EXIT_LOCKED);
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", port);
    snprintf(other, sizeof(other), "%s/other", root);
    assert_int_equal(RUN("serve", "--data", other, "--listen", listen), EXIT_LISTEN);
    kill(server.pid, SIGKILL);
    assert_int_equal(reap(&server), -1);
    serve(&server, NULL, NULL); /* the lock went with its holder */
    kill(server.pid, SIGTERM);
    assert_int_equal(reap(&server), EXIT_OK);
}

static void test_refuses_open_address(void **state)
{
    (void)state;
    assert_int_equal(RUN("serve", "--data", data, "--listen", "0.0.0.0:0"), EXIT_CONFIG);
    assert_said("--allow-open");
}

/* A client that never answers the close frame: the drain ends at its deadline, or at once by a second signal. */
static void test_drain(void **state)
{
    (void)state;
    static struct child server;
    char frame[256];
    uint16_t port = serve(&server, "--drain", "100ms");
    int fd = socket_open(port, "/echo");
    kill(server.pid, SIGTERM);
    assert_true(read(fd, frame, sizeof(frame)) > 4);
    assert_memory_equal(frame, "\x88", 1);
    assert_memory_equal(frame + 2, "\x03\xe9", 2); /* 1001 */
    assert_int_equal(reap(&server), EXIT_OK);
    close(fd);
    port = serve(&server, "--drain", "10m");
    fd = socket_open(port, "/echo");
    kill(server.pid, SIGTERM);
    assert_true(read(fd, frame, sizeof(frame)) > 4); /* it is draining now */
    kill(server.pid, SIGTERM);
    assert_int_equal(reap(&server), EXIT_FORCED);
    close(fd);
}

/* The service manager hears when it is ready and when it drains, in this order. */
static void test_notify(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct child child;
    char text[1024] = "";
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", root);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    serve(&child, NULL, NULL);
    unsetenv("NOTIFY_SOCKET");
    kill(child.pid, SIGTERM);
    assert_int_equal(reap(&child), EXIT_OK);
    const char *expected[] = {"STATUS=opening the data folder", "READY=1\nSTATUS=listening on port ", "STOPPING=1\nSTATUS=draining"};
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        ssize_t len = recv(fd, text, sizeof(text) - 1, 0);
        assert_true(len > 0);
        text[len] = 0;
        assert_int_equal(strncmp(text, expected[i], strlen(expected[i])), 0);
    }
    close(fd);
}

static void test_token(void **state)
{
    (void)state;
    struct stat info;
    char path[128];
    assert_int_equal(RUN("token", "--api", "nowhere", "--user", "u", "--data", data), EXIT_FAILED);
    assert_said("there are:");
    assert_int_equal(RUN("token", "--api", "echo", "--user", "u", "--data", data), EXIT_FAILED);
    assert_int_equal(RUN("token", "--api", "landing-hub", "--user", "u", "--ttl", "soon", "--data", data), EXIT_USAGE);
    assert_int_equal(RUN("token", "--api", "landing-hub", "--user", "u", "--data", data), EXIT_OK);
    assert_memory_equal(ran.text, "eyJ", 3);
    snprintf(path, sizeof(path), "%s/dev-jwt-secret", data);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

/* A flipped bit in the journal: verify finds it, and no server starts on it. */
static void test_damage(void **state)
{
    (void)state;
    static struct child server;
    char path[128], byte;
    serve(&server, NULL, NULL);
    kill(server.pid, SIGTERM);
    assert_int_equal(reap(&server), EXIT_OK);
    snprintf(path, sizeof(path), "%s/journal/00000000000000000001.log", data);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, 4200), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, 4200), 1);
    close(fd);
    assert_int_equal(RUN("verify", data), EXIT_DATA);
    assert_said("damage");
    assert_int_equal(RUN("serve", "--data", data, "--listen", "0"), EXIT_DATA);
}

int main(void)
{
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 16);
    program[len > 0 ? len : 0] = 0;
    char *slash = strrchr(program, '/'); /* <build>/bin/main_test_cli */
    if (slash)
        *slash = 0;
    slash = strrchr(program, '/');
    strcpy(slash ? slash : program, "/weir");
    unsetenv("JWT_SECRET");
    unsetenv("JWT_SECRET_FILE");
    unsetenv("WEIR_ACCESS_KEY_ID");
    unsetenv("WEIR_SECRET_ACCESS_KEY");
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_usage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_check, setup, teardown),
        cmocka_unit_test_setup_teardown(test_serve_and_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_open_address, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notify, setup, teardown),
        cmocka_unit_test_setup_teardown(test_token, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
