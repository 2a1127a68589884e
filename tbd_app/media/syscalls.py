"""A seccomp filter: what the kernel refuses to a process that decodes a stranger's bytes, whatever code runs in it.

Raw system calls through ctypes: `pyseccomp` needs a system library, and the packages called `landlock` are pre-releases.

Source: Linux's Documentation/userspace-api/seccomp_filter.rst, and the tables of x86-64 and of aarch64.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

# Numbers on x86-64 and aarch64, -1 where there is no such call.
_REFUSED = {
    # Network, and memory or messages shared with others.
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242), "sendto": (44, 206), "sendmsg": (46, 211), "sendmmsg": (307, 269),
    "shmget": (29, 194), "shmat": (30, 196), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    "memfd_create": (319, 279),
    # Programs and processes.
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, -1), "vfork": (58, -1), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "process_madvise": (440, 440),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "kcmp": (312, 272),
    # Rights, name spaces and mounts.
    "setuid": (105, 146), "setgid": (106, 144), "setreuid": (113, 145), "setregid": (114, 143),
    "setresuid": (117, 147), "setresgid": (119, 149), "setgroups": (116, 159), "capset": (126, 91),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "move_mount": (429, 429), "fsopen": (430, 430), "fsmount": (432, 432),
    "open_tree": (428, 428), "mount_setattr": (442, 442), "personality": (135, 92),
    # Parts of the kernel that were broken before.
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "syslog": (103, 116),
    "quotactl": (179, 60), "settimeofday": (164, 170), "clock_settime": (227, 112), "iopl": (172, -1),
    "ioperm": (173, -1),
    # Changes of the disk.
    "creat": (85, -1), "truncate": (76, 45), "ftruncate": (77, 46), "rename": (82, -1), "renameat": (264, 38),
    "renameat2": (316, 276), "mkdir": (83, -1), "mkdirat": (258, 34), "rmdir": (84, -1), "link": (86, -1),
    "linkat": (265, 37), "symlink": (88, -1), "symlinkat": (266, 36), "unlink": (87, -1), "unlinkat": (263, 35),
    "mknod": (133, -1), "mknodat": (259, 33), "chmod": (90, -1), "fchmod": (91, 52), "fchmodat": (268, 53),
    "fchmodat2": (452, 452), "chown": (92, -1), "fchown": (93, 55), "lchown": (94, -1), "fchownat": (260, 54),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "utimensat": (280, 88),
}  # fmt: skip
# Answered as if the kernel were too old: the C library then takes the older call, whose arguments a filter can see.
_UNKNOWN = {"clone3": (435, 435), "openat2": (437, 437)}
_CLONE, _OPEN, _OPENAT, _KILL, _TGKILL = (56, 220), (2, -1), (257, 56), (62, 129), (234, 131)
_CLONE_THREAD = 0x00010000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, AUDIT_ARCH_*
_X32 = 0x40000000  # x86-64 has the same calls a second time from here

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _ARGUMENTS = (
    0,
    4,
    16,
)  # offsets in struct seccomp_data; an argument takes 8 bytes, the low half first
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


def install() -> str:
    """Put this process, all of its threads, under the filter for good; needs NO_NEW_PRIVS.

    Returns:
        "" or a phrase that says why there is no filter.
    """
    if platform.machine() not in _MACHINES or platform.system() != "Linux":
        return f"no table for {platform.system()} on {platform.machine()}"
    program = _program(*_MACHINES[platform.machine()])
    buffer = ctypes.create_string_buffer(program, len(program))
    libc = ctypes.CDLL(None, use_errno=True)
    wrapped = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    header = ctypes.create_string_buffer(wrapped, len(wrapped))
    number = (317, 277)[_MACHINES[platform.machine()][0]]
    every_thread = 1  # SECCOMP_FILTER_FLAG_TSYNC
    if libc.syscall(number, 1, every_thread, header) == 0:
        return ""
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, header, 0, 0) == 0:
        return ""
    return os.strerror(ctypes.get_errno())


def _program(column: int, arch: int) -> bytes:
    """The filter as instructions of 8 bytes: (code, steps when true, steps when false, value)."""
    steps = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if column == 0:
        steps += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _KILL_PROCESS)]
    for calls, code in ((_REFUSED, errno.EPERM), (_UNKNOWN, errno.ENOSYS)):
        for numbers in calls.values():
            steps += _when(numbers[column], [(_RETURN, 0, 0, _ERRNO | code)])
    steps += _when(
        _CLONE[column], _argument(0, _ANY_BIT, _CLONE_THREAD, when=_ALLOW, otherwise=_ERRNO | errno.EPERM)
    )
    own = os.getpid()
    for call in (_KILL, _TGKILL):  # a crash may still end itself
        steps += _when(call[column], _argument(0, _EQUAL, own, when=_ALLOW, otherwise=_ERRNO | errno.EPERM))
    for call, place in ((_OPEN, 1), (_OPENAT, 2)):
        steps += _when(
            call[column], _argument(place, _ANY_BIT, _WRITING, when=_ERRNO | errno.EACCES, otherwise=_ALLOW)
        )
    steps.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def _when(number: int, then: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """`then`, which must end in a return, for one system call; nothing where there is no such call."""
    return [(_EQUAL, 0, len(then), number), *then] if number >= 0 else []


def _argument(
    place: int, test: int, value: int, *, when: int, otherwise: int
) -> list[tuple[int, int, int, int]]:
    load = (_LOAD, 0, 0, _ARGUMENTS + 8 * place)
    return [load, (test, 0, 1, value), (_RETURN, 0, 0, when), (_RETURN, 0, 0, otherwise)]
