"""What the benchmarks share: processes that die with them, a broker of their own, and what machine this is."""

import contextlib
import os
import pathlib
import platform
import re
import socket
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent


# ---- processes ----

def start(command, log, **environment):
    """The process dies with this one."""
    with open(log, "ab") as output:
        return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *map(str, command)], stdin=subprocess.DEVNULL,
                                stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **environment})


def end(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def kafka(folder, *settings):
    script = [ROOT / "scripts/kafka", "--data", folder / "kafka"]
    try:
        yield subprocess.run([*script, "start", "--", *settings], stdout=subprocess.PIPE, text=True,
                             check=True).stdout.strip()
    finally:
        subprocess.run([*script, "stop"], check=False)


def memory(pid, what):
    """Bytes, by the name of /proc's status: VmRSS now, VmHWM at most (the peak of wait4 also knows the process
    before exec)."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(what + ":"):
                return int(line.split()[1]) * 1024
    return 0


def peak_memory(pid):
    return memory(pid, "VmHWM")


def thread_seconds(pid):
    """CPU time of all threads, to the nanosecond."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def process_seconds(pid):
    """CPU time of the process, threads that ended included, to 10 ms."""
    after_name = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


# ---- the machine ----

def version_of(package):
    return subprocess.run(["pkg-config", "--modversion", package], stdout=subprocess.PIPE, text=True,
                          check=False).stdout.strip() or "?"


def machine():
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory_size = int(re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) / 2**20
    return (f"{len(os.sched_getaffinity(0))} cores ({cpu[1] if cpu else platform.machine()}), {memory_size:.0f} GiB, "
            f"Linux {platform.release()}")
