"""Starting and ending the processes of a test, each by its own pid."""

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


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
