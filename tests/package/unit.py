#!/usr/bin/env python3
"""A service manager of one unit, for tests: runs what weir.service says, as it says it, where no systemd runs.

    unit.py UNIT [--root DIR] [--as-root] [OPTION...]

It reads ExecStart, EnvironmentFile, User, RestartPreventExitStatus and the hardening that decides whether the program works at all: NoNewPrivileges,
MemoryDenyWriteExecute, SystemCallFilter (the groups' names come from systemd-analyze) and RestrictAddressFamilies; puts them on the child, in DIR as its root
folder; waits for READY=1 on NOTIFY_SOCKET, prints "ready"; passes SIGTERM and SIGHUP on; ends as the child ends. OPTIONs are appended to the command line.
What systemd does with mounts (ProtectSystem and its kin) is not done here.
"""
import ctypes
import os
import platform
import pwd
import re
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_MDWE, PR_CAPBSET_DROP = 38, 22, 65, 24
ALLOW, EPERM, KILL = 0x7FFF0000, 0x00050001, 0x80000000
ARCH_X86_64 = 0xC000003E
READY_SECONDS = 60
libc = ctypes.CDLL(None, use_errno=True)


def read_unit(path):
    values = {}
    for line in open(path, encoding="utf-8"):
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith(("#", ";")):
            values.setdefault(name, []).append(value)
    return values


def system_calls(name):
    """The names in a group, and those of the groups in it."""
    if not name.startswith("@"):
        return {name}
    shown = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True).stdout
    found = set()
    for line in shown.splitlines()[1:]:
        word = line.strip()
        if word and not word.startswith("#"):
            found |= system_calls(word)
    return found


def numbers():
    found = {}
    for folder in ("/usr/include/x86_64-linux-gnu/asm", "/usr/include/asm"):
        path = os.path.join(folder, "unistd_64.h")
        if os.path.exists(path):
            for line in open(path, encoding="ascii"):
                match = re.match(r"#define __NR_(\w+) (\d+)", line)
                if match:
                    found[match[1]] = int(match[2])
    return found


def allowed_calls(filters):
    names = set()
    for line in filters:
        without = line.startswith("~")
        for word in line.lstrip("~").split():
            names = names - system_calls(word) if without else names | system_calls(word)
    table = numbers()
    return sorted(table[name] for name in names if name in table)


def program(allowed):
    """Classic BPF: another architecture is killed, what is allowed goes on, the rest is EPERM."""
    def op(code, jt, jf, k):
        return struct.pack("HBBI", code, jt, jf, k)
    code = [op(0x20, 0, 0, 4), op(0x15, 1, 0, ARCH_X86_64), op(0x06, 0, 0, KILL), op(0x20, 0, 0, 0)]
    for number in allowed:
        code += [op(0x15, 0, 1, number), op(0x06, 0, 0, ALLOW)]
    code.append(op(0x06, 0, 0, EPERM))
    return b"".join(code), len(code)


def must(what, code):
    if code != 0:
        raise OSError(ctypes.get_errno(), what)


def confine(unit, filter_bytes, filter_count):
    if os.geteuid() == 0:
        user = pwd.getpwnam(unit["User"][-1])
        for capability in range(64):
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    os.umask(int(unit["UMask"][-1], 8))
    must("NoNewPrivileges", libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    if unit.get("MemoryDenyWriteExecute") == ["yes"]:
        must("MemoryDenyWriteExecute", libc.prctl(PR_SET_MDWE, 1, 0, 0, 0))
    if filter_count:
        buffer = ctypes.create_string_buffer(filter_bytes)

        class Program(ctypes.Structure):
            _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

        must("SystemCallFilter", libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(Program(filter_count, ctypes.addressof(buffer))), 0, 0))


def environment(unit, root):
    values = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    for path in unit.get("EnvironmentFile", []):
        path = root + path.lstrip("-")
        if os.path.exists(path):
            for line in open(path, encoding="utf-8"):
                name, equals, value = line.strip().partition("=")
                if equals and not name.startswith("#"):
                    values[name] = value
    return values


def words_of(command, values):
    words = []
    for word in shlex.split(command):
        words += values.get(word[1:], "").split() if word.startswith("$") else [word]
    return words


def main():
    path, rest = sys.argv[1], sys.argv[2:]
    root = ""
    if rest[:1] == ["--root"]:
        root, rest = rest[1], rest[2:]
    unit = read_unit(path)
    values = environment(unit, root)
    words = words_of(unit["ExecStart"][-1], values) + rest
    filter_bytes, filter_count = b"", 0
    if platform.machine() == "x86_64":
        filter_bytes, filter_count = program(allowed_calls(unit["SystemCallFilter"]))
    folder = tempfile.mkdtemp(prefix="weir-unit-", dir=root + "/tmp")
    os.chmod(folder, 0o755)
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(folder + "/notify")
    os.chmod(folder + "/notify", 0o777)
    manager.settimeout(READY_SECONDS)
    values["NOTIFY_SOCKET"] = folder[len(root):] + "/notify"
    child = os.fork()
    if child == 0:
        try:
            if root:
                os.chroot(root)
                os.chdir("/")
            confine(unit, filter_bytes, filter_count)
            os.execve(words[0], words, values)
        except BaseException as error:  # the parent sees the exit code
            print(f"unit.py: {error}", file=sys.stderr)
        os._exit(126)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda given, frame: os.kill(child, given))
    signal.signal(signal.SIGCHLD, lambda given, frame: manager.close())
    try:
        while b"READY=1" not in manager.recv(4096):
            pass
        print("ready", flush=True)
    except OSError as error:
        print(f"unit.py: it was never ready: {error}", file=sys.stderr)
        try:
            os.kill(child, signal.SIGTERM)
        except ProcessLookupError:
            pass
    status = os.waitpid(child, 0)[1]
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    os.rmdir(folder)
    sys.exit(os.waitstatus_to_exitcode(status) & 255)


main()
