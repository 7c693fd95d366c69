"""G: consumers that wait for events."""

import json
import time

from common import end, peak_memory, start, thread_seconds

LETTER, TITLE = "G", "Waiting for events"
COLUMNS = (("bare", "bare librdkafka, % of a core", 2), ("troupe", "troupe, % of a core", 2),
           ("difference", "difference", 2), ("memory", "troupe, peak MiB", 0))
BASELINES, RATIOS, ROUNDS = {}, (), None
NOTE = "Consumers in groups of their own that nothing comes for; bare ones and the engine's actors at the same time."
TOPIC, SETTLE = "bench.idle", 8
ACTORS = {"1 consumer": 1, "20 consumers": 20}


def contestants():
    return dict.fromkeys(ACTORS)


def config(bench, actors, group):
    return {"version": 1, "app": "bench", "kafka": {"brokers": bench.broker.address}, "admin": {"listen": ""},
            "actors": {f"idle-{i}": {"consume": {"topic": TOPIC, "group": f"{group}-{i}", "start": "latest"},
                                     "handler": {"simulate": {"latency": "1ms"}},
                                     "dlq": {"create": False}} for i in range(actors)}}


def prepare(bench):
    bench.broker.create(TOPIC, 8)
    return {"rounds": 0}


def measure(bench, prepared, name, _):
    prepared["rounds"] += 1
    group, actors = f"idle-{prepared['rounds']}", ACTORS[name]
    file = bench.folder / f"{group}.yaml"
    file.write_text(json.dumps(config(bench, actors, group)))
    both = [start([bench.build / "bench/bench_limit", "idle"], bench.folder / f"{group}-limit.log", TOPIC=TOPIC,
                  KAFKA_BROKERS=bench.broker.address, CONSUMERS=str(actors), GROUP=f"bare-{group}"),
            start([bench.build / "troupe", "run", file], bench.folder / f"{group}-troupe.log")]
    try:
        time.sleep(SETTLE)
        before, began = [thread_seconds(p.pid) for p in both], time.monotonic()
        time.sleep(2 * bench.options.seconds)
        took = time.monotonic() - began
        if any(p.poll() is not None for p in both):
            raise RuntimeError(f"an idle process ended; see {group}-*.log")
        bare, troupe = (100 * (thread_seconds(p.pid) - b) / took for p, b in zip(both, before))
        return {"bare": bare, "troupe": troupe, "difference": troupe - bare,
                "memory": peak_memory(both[1].pid) / 2**20}
    finally:
        for process in both:
            end(process)
