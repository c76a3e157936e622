/*
 * The protocol is a datagram, and libsystemd would be a library for it alone (and its recent past says why a network server should not link what it does not need).
 * The socket is a path, or with '@' in front a name in the abstract space.
 */
#include "main/notify.h"

#include "base/err.h"
#include "base/log.h"
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TEXT_MAX 512 /* bytes of a datagram */

/* Of the address behind `name`; 0: it is none. */
static socklen_t address_of(const char *name, struct sockaddr_un *address)
{
    size_t len = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(address->sun_path))
        return 0;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, name, len);
    if (name[0] == '@')
        address->sun_path[0] = 0;
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
}

int notify_send(const char *assignments)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    if (!name || !*name)
        return 0;
    socklen_t size = address_of(name, &address);
    if (!size)
        return ERR_INVALID;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return ERR_IO;
    size_t len = strlen(assignments);
    ssize_t sent = sendto(fd, assignments, len, MSG_NOSIGNAL, (struct sockaddr *)&address, size);
    close(fd);
    return sent == (ssize_t)len ? 1 : ERR_IO;
}

void notify_state(const char *state, const char *format, ...)
{
    char text[TEXT_MAX];
    int len = snprintf(text, sizeof(text), "%s%sSTATUS=", state ? state : "", state ? "\n" : "");
    va_list list;
    va_start(list, format);
    vsnprintf(text + len, sizeof(text) - (size_t)len, format, list);
    va_end(list);
    int code = notify_send(text);
    if (code < 0)
        log_warn("main", "the service manager cannot be told '%s': %s", state ? state : format, code == ERR_IO ? strerror(errno) : "NOTIFY_SOCKET names no socket");
}
