"""I: how many instructions an event costs. Noise cannot touch that."""

import re
import subprocess

LETTER, TITLE = "I", "Instructions per event, of the two hot paths"
COLUMNS = (("instructions", "instructions per event", 0),)
BASELINES, RATIOS, ROUNDS = {}, (), 1
NOTE = "By callgrind, of programs without Kafka: (I(2N) − I(N)) / N."
PROGRAMS = {"pool": "bench/bench_hot_pool", "aggregator": "bench/bench_hot_aggregate"}


def contestants():
    return dict.fromkeys(PROGRAMS)


def prepare(bench):
    return max(1000, bench.scaled(50_000))


def measure(bench, events, name, _):
    program = bench.build / PROGRAMS[name]
    if not program.exists():
        raise RuntimeError(f"there is no {program.name}: ninja -C build/{bench.build.name} {program.name}")
    once, twice = (instructions(bench, program, n) for n in (events, 2 * events))
    return {"instructions": (twice - once) / events}


def instructions(bench, program, events):
    out = bench.folder / f"{program.name}-{events}.callgrind"
    try:
        subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", program, str(events)],
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True, timeout=300)
    except FileNotFoundError:
        raise RuntimeError("there is no valgrind: apt-get install valgrind") from None
    except subprocess.CalledProcessError as failed:
        raise RuntimeError(f"{program.name} ended with {failed.returncode}: {failed.stderr[-300:]}") from None
    return int(re.search(r"^(?:summary|totals): (\d+)", out.read_text(errors="replace"), re.M)[1])
