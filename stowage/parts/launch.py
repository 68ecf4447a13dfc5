"""Becomes another program that cannot outlive its parent. A script for `stowage.parts.child`, never imported.

    python -I -S launch.py PARENT_PID SIGNAL UID GID PROGRAM ARGUMENT...

Sets the parent-death signal (prctl(2), PR_SET_PDEATHSIG), and as root steps down to UID:GID first, because
PostgreSQL refuses to run as root. It keeps the one capability to pass folders that are closed to that uid
(a checkout below /root). Standard library only: it must start in milliseconds.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 28, 47, 2
SECBIT_NO_SETUID_FIXUP = 4  # without it access(2) ignores capabilities, and initdb asks access(2)
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
CAPABILITY_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Sets(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


def step_down(libc: ctypes.CDLL, uid: int, gid: int) -> None:
    libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    header, sets = _Header(CAPABILITY_VERSION_3, 0), (_Sets * 2)()
    libc.capget(ctypes.byref(header), ctypes.byref(sets))
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
        bit = 1 << capability
        if sets[0].permitted & bit:
            kept = (_Sets * 2)(_Sets(bit, bit, bit))
            if libc.capset(ctypes.byref(header), ctypes.byref(kept)) == 0:
                libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)
            return


def main(arguments: list[str]) -> None:
    parent, signal_number, uid, gid = (int(a) for a in arguments[:4])
    program = arguments[4:]
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0 and uid != 0:
        step_down(libc, uid, gid)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)  # after setuid, which clears it
    if os.getppid() != parent:
        sys.exit("the process that started this one is gone")
    try:
        os.execvp(program[0], program)
    except OSError as e:
        sys.exit(f"cannot start {program[0]}: {e.strerror}")


main(sys.argv[1:])
