/* The service manager's datagram: on a path, in the abstract space, with nobody asking, and with sockets that are none. The test is the manager. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/err.h"
#include "main/notify.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[64];

/* A bound socket; `name` as NOTIFY_SOCKET has it. */
static int manager(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    memcpy(address.sun_path, name, len);
    if (name[0] == '@')
        address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'))), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void assert_told(int fd, const char *expected)
{
    char text[1024];
    ssize_t len = recv(fd, text, sizeof(text) - 1, 0);
    assert_true(len >= 0);
    text[len] = 0;
    assert_string_equal(text, expected);
}

static void test_path(void **state)
{
    (void)state;
    char name[96];
    snprintf(name, sizeof(name), "%s/notify", folder);
    int fd = manager(name);
    assert_int_equal(notify_send("READY=1"), 1);
    assert_told(fd, "READY=1");
    notify_state("READY=1", "listening on port %u", 8080u);
    assert_told(fd, "READY=1\nSTATUS=listening on port 8080");
    notify_state(NULL, "opening");
    assert_told(fd, "STATUS=opening");
    close(fd);
    unlink(name);
    assert_int_equal(notify_send("READY=1"), ERR_IO); /* the manager is gone */
    notify_state("READY=1", "nobody hears it"); /* and the program goes on */
}

static void test_abstract(void **state)
{
    (void)state;
    char name[96];
    snprintf(name, sizeof(name), "@weir-test-%ld", (long)getpid());
    int fd = manager(name);
    assert_int_equal(notify_send("STOPPING=1"), 1);
    assert_told(fd, "STOPPING=1");
    close(fd);
}

static void test_long_status_is_cut(void **state)
{
    (void)state;
    char name[96], longer[2000];
    snprintf(name, sizeof(name), "%s/long", folder);
    int fd = manager(name);
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = 0;
    notify_state("READY=1", "%s", longer);
    char text[4096];
    ssize_t len = recv(fd, text, sizeof(text), 0);
    assert_true(len > 100 && len < 600);
    assert_memory_equal(text, "READY=1\nSTATUS=xxx", 18);
    close(fd);
    unlink(name);
}

static void test_nobody(void **state)
{
    (void)state;
    char longer[300];
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(notify_send("READY=1"), 0);
    setenv("NOTIFY_SOCKET", "", 1);
    assert_int_equal(notify_send("READY=1"), 0);
    setenv("NOTIFY_SOCKET", "relative", 1);
    assert_int_equal(notify_send("READY=1"), ERR_INVALID);
    setenv("NOTIFY_SOCKET", "/", 1);
    assert_int_equal(notify_send("READY=1"), ERR_INVALID);
    memset(longer, 'a', sizeof(longer) - 1);
    longer[0] = '/';
    longer[sizeof(longer) - 1] = 0;
    setenv("NOTIFY_SOCKET", longer, 1);
    assert_int_equal(notify_send("READY=1"), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_abstract),
        cmocka_unit_test(test_long_status_is_cut),
        cmocka_unit_test(test_nobody),
    };
    strcpy(folder, "/tmp/weir-notify-XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failures;
}
