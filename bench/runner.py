"""Runs the jobs, round by round, and keeps their raw figures."""

import datetime
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

from confluent_kafka import KafkaException, libversion

import contestants
import jobs
import scale
from common import ROOT, kafka, machine, version_of
from measuring import Wrong
from servers import Broker, Redis

RAW = ROOT / "build/bench/results.json"


class Bench:
    """What all jobs share."""

    def __init__(self, options, folder, broker, redis):
        self.options, self.folder, self.broker, self.redis = options, folder, broker, redis
        self.build = options.build.resolve()
        self.built = ROOT / "build/bench"

    def scaled(self, events):
        """So many, where job A has its four million."""
        return max(1000, int(events * self.options.events / 4_000_000))


def raw_figures():
    return json.loads(RAW.read_text()) if RAW.exists() else {"jobs": {}, "scale": {}}


def keep(raw):
    RAW.parent.mkdir(parents=True, exist_ok=True)
    fresh = RAW.with_suffix(".new")
    fresh.write_text(json.dumps(raw, indent=1))
    fresh.replace(RAW)


def surroundings(options):
    redis = subprocess.run(["redis-server", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    ours = {"librdkafka": libversion()[0], "simdjson": version_of("simdjson"), "hiredis": version_of("hiredis"),
            "Redis": re.search(r"v=(\S+)", redis)[1],
            "Kafka": re.search(r"default_version=(\S+)", (ROOT / "scripts/kafka").read_text())[1]}
    return {"date": str(datetime.date.today()), "machine": machine(), "versions": {**ours, **contestants.versions()},
            "command": " ".join(["bench/run", *sys.argv[1:]]), "events": options.events, "seconds": options.seconds}


def measure(options):
    for program in ("troupe", "bench/bench_load", "bench/bench_limit", "bench/bench_engine"):
        if not (options.build / program).exists():
            raise SystemExit(f"bench/run: there is no {options.build / program}; see --help")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="troupe-bench-"))
    failures = 0
    with kafka(folder, "log.retention.check.interval.ms=5000") as address, Redis(folder) as redis:
        bench = Bench(options, folder, Broker(address), redis)
        raw, about = raw_figures(), surroundings(options)
        if options.scale:
            curves = wanted(options, scale.CURVES)
            failures = scale.measure(bench, curves, raw, about, lambda: keep(raw), attempt)
        else:
            for letter in options.job or jobs.ALL:
                failures += run_job(bench, jobs.ALL[letter], raw, about)
    if failures:
        print(f"{failures} failed; their logs are in {folder}", flush=True)
    else:
        shutil.rmtree(folder)


def wanted(options, names):
    return [n for n in names if not options.contestants or any(n.startswith(c) for c in options.contestants)]


def run_job(bench, job, raw, about):
    """How many runs failed."""
    try:
        return run_rounds(bench, job, raw, about)
    finally:
        bench.broker.clear()


def run_rounds(bench, job, raw, about):
    began, failures = time.monotonic(), 0
    rounds = min(bench.options.rounds, job.ROUNDS or bench.options.rounds)
    print(f"\n{job.LETTER}. {job.TITLE}", flush=True)
    field = job.contestants()
    names = wanted(bench.options, field)
    try:
        prepared = job.prepare(bench)
    except Exception as why:
        print(f"  not measured: {why}", flush=True)
        return 1
    kept = raw["jobs"][job.LETTER] = {"about": about, "contestants": names, "rounds": []}
    for number in range(1, rounds + 1):
        kept["rounds"].append({})
        for name in names if number % 2 else reversed(names):
            found = attempt(lambda: job.measure(bench, prepared, name, field[name]))
            kept["rounds"][-1][name] = found
            keep(raw)
            failures += "failed" in found
            print(f"  {number}: {name:<24} {told(job, found)}", flush=True)
    print(f"  {time.monotonic() - began:.0f} s", flush=True)
    return failures


def attempt(measurement):
    """A run that fails is told, and does not end the others."""
    try:
        return measurement()
    except Wrong as why:
        return {"failed": f"WRONG: {why}"}
    except Exception as why:
        if not isinstance(why, (RuntimeError, OSError, KafkaException, subprocess.SubprocessError)):
            traceback.print_exc()
        return {"failed": f"{type(why).__name__}: {why}"}


def told(job, found):
    if "failed" in found:
        return found["failed"]
    return ", ".join(f"{found[key]:,.{digits}f} {heading}" for key, heading, digits in job.COLUMNS if key in found)
