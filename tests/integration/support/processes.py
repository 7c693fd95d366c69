"""Starting and ending the processes of a test, each by its own pid."""

import random
import socket
import subprocess


def start(command, **options):
    """The process dies with the one that runs the tests, so that an aborted run leaves nothing behind."""
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *map(str, command)],
                            stdin=subprocess.DEVNULL, **options)


def end(process):
    if process is not None and process.poll() is None:
        process.kill()
    if process is not None:
        process.wait(10)


given = set()


def free_port():
    """Below the range from which the kernel takes ports for outgoing connections: while a process is down between two
    starts, no connection can sit on its port. Those of scripts/kafka lie between. None is given twice: who got it may
    not listen yet."""
    while True:
        port = random.SystemRandom().randrange(10_000, 20_000)
        if port in given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            given.add(port)
            return port
