"""Who is measured: how each is built and started. All but the engine are told what to do by their environment."""

import functools
import json
import re
import shutil
import subprocess
import sys

from common import HERE


class Program:
    """A contestant in one job. `command` is a function of the bench; `actors` makes the engine's config, of the run."""

    def __init__(self, command, actors=None, counter=None, consumer=None, redis=True, **environment):
        self.command, self.actors, self.counter, self.environment = command, actors, counter, environment
        self.consumer, self.redis = consumer or {}, redis

    def prepare(self, bench, run):
        """The command line and the environment of a run."""
        environment = {"KAFKA_BROKERS": bench.broker.address, "REDIS_URL": bench.redis.url,
                       "REDIS_PORT": str(bench.redis.port), "TOPIC": run.topic, "GROUP": run.group,
                       "LOGBOOK": str(run.logbook.file), "FOLDER": str(run.folder), "LISTEN": run.listen,
                       **{name: str(value) for name, value in self.environment.items()}}
        command = self.command(bench)
        if self.actors:
            config = run.folder / "troupe.yaml"
            config.write_text(json.dumps({
                "version": 1, "app": "bench", "kafka": {"brokers": bench.broker.address, "consumer": self.consumer},
                **({"redis": {"url": bench.redis.url}} if self.redis else {}), "admin": {"listen": run.admin},
                "actors": self.actors(run)}))
            command = [*command, "run", config, *(f"--set={s}" for s in bench.options.set)]
        return command, environment


# What the engine's progress is read from, where it keeps no logbook.
CONSUMED = r"messaging_client_consumed_messages_total\{[^}]*\}"
HANDLED = r'troupe_attempts_total\{[^}]*result="ok"[^}]*\}'
ASSIGNED = r"troupe_assigned_partitions\{[^}]*\}"
SENT = r"messaging_client_sent_messages_total(?:\{[^}]*\})?"


def limit(job, **environment):
    return Program(lambda bench: [bench.build / "bench/bench_limit", job], **environment)


def troupe(actors, counter, consumer=None, redis=True):
    """`consumer`: properties of librdkafka."""
    return Program(lambda bench: [bench.build / "troupe"], actors, counter, consumer, redis)


def troupe_with_handlers(actors):
    """With handlers of the bench's own (engine.cpp), which keep the logbook."""
    return Program(lambda bench: [bench.build / "bench/bench_engine"], actors)


def kafka_go(job, **environment):
    return Program(lambda bench: [go(bench.built) / "kafka-go", job], **environment)


def franz_go(job, **environment):
    return Program(lambda bench: [go(bench.built) / "franz-go", job], **environment)


def parallel_consumer(job, **environment):
    return Program(lambda bench: [*java(bench.built), "Parallel", job], **environment)


def kafka_streams():
    return Program(lambda bench: [*java(bench.built), "Streams"])


# ---- building the peers ----

@functools.cache
def go(built):
    """The folder of the Go programs."""
    quietly(["go", "build", "-o", f"{built}/go/", "./..."], HERE / "peers/go")
    return built / "go"


@functools.cache
def java(built):
    """The command line, but for the class."""
    made, sources = built / "java/peers.jar", HERE / "peers/java"
    if not made.exists() or made.stat().st_mtime < max(f.stat().st_mtime for f in (sources / "pom.xml", *sources.glob("src/**/*"))):
        # Jars of other versions would be on the class path as well.
        shutil.rmtree(built / "java", ignore_errors=True)
        quietly(["mvn", "-q", "-B", f"-Dout={built}/java", "package"], sources)
    return "java", "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{built}/java/peers.jar:{built}/java/lib/*"


def quietly(command, folder):
    if not shutil.which(command[0]):
        raise RuntimeError(f"there is no {command[0]} here, which bench/peers/{folder.name} is built with")
    try:
        subprocess.run(["nice", "-n", "19", *command], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, check=True, timeout=600)
    except subprocess.CalledProcessError as failed:
        print(failed.output, file=sys.stderr)
        raise RuntimeError(f"{command[0]} could not build bench/peers/{folder.name}") from None


def versions():
    """Of what the peers are made, as their own files pin them."""
    module = (HERE / "peers/go/go.mod").read_text()
    pom = (HERE / "peers/java/pom.xml").read_text()
    found = {name: re.search(rf"{name} v(\S+)", module)[1] for name in ("kafka-go", "franz-go")}
    found["Parallel Consumer"] = re.search(r"<parallel.version>(.*?)<", pom)[1]
    found["Kafka Streams"] = re.search(r"<kafka.version>(.*?)<", pom)[1]
    return found
