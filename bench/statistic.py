"""Medians with their spread, ratios within a round, and what is asked of them. Plain functions of raw figures."""

import dataclasses
import statistics


def values(job, contestant, figure):
    """Of the rounds in which the contestant's run counted."""
    return [r[contestant][figure] for r in job["rounds"] if figure in r.get(contestant, {})]


def ratios(job, contestant, baseline, figure):
    """Within each round in which both counted."""
    return [r[contestant][figure] / r[baseline][figure] for r in job["rounds"]
            if figure in r.get(contestant, {}) and r.get(baseline, {}).get(figure)]


def spread(found, digits):
    """median (min–max); without a spread where there is one value, a dash where there is none."""
    if not found:
        return "–"
    middle = f"{statistics.median(found):,.{digits}f}"
    return middle if len(found) == 1 else f"{middle} ({min(found):,.{digits}f}–{max(found):,.{digits}f})"


@dataclasses.dataclass(frozen=True)
class Target:
    """`of` gives the values, one for each round, of a job's raw figures; their median is held against the bound."""
    job: str
    what: str
    of: callable
    at_least: float = None
    at_most: float = None
    digits: int = 2

    def bound(self):
        return f"≥ {self.at_least:,g}" if self.at_least is not None else f"≤ {self.at_most:,g}"

    def reached(self, raw):
        return self.of(raw["jobs"][self.job]) if self.job in raw["jobs"] else []

    def met(self, raw):
        """None where nothing was measured."""
        found = self.reached(raw)
        if not found:
            return None
        middle = statistics.median(found)
        return middle >= self.at_least if self.at_least is not None else middle <= self.at_most


def figure(contestant, name):
    return lambda job: values(job, contestant, name)


def ratio(contestant, baseline, name):
    return lambda job: ratios(job, contestant, baseline, name)


def busy_pool(contestant, rate, cpu, memory=None):
    yield Target("B", f"{contestant}: orders/s", figure(contestant, "rate"), at_least=rate, digits=0)
    yield Target("B", f"{contestant}: CPU-s per M", figure(contestant, "cpu"), at_most=cpu, digits=1)
    if memory:
        yield Target("B", f"{contestant}: peak MiB", figure(contestant, "memory"), at_most=memory, digits=0)


TARGETS = (
    Target("A", "CPU, of the limit's", ratio("troupe", "limit", "cpu"), at_most=0.75),
    Target("A", "events/s, of the limit's", ratio("troupe", "limit", "rate"), at_least=1.25),
    Target("A", "peak MiB", figure("troupe", "memory"), at_most=80, digits=0),
    *busy_pool("troupe 256 simulate", 48_000, 10, 100),
    *busy_pool("troupe 256", 48_000, 10, 100),
    *busy_pool("troupe 1000 simulate", 150_000, 6),
    *busy_pool("troupe 1000", 150_000, 6),
    Target("B", "through HTTP: orders/s", figure("troupe 256 http", "rate"), at_least=8000, digits=0),
    Target("C", "events/s, of librdkafka's", ratio("troupe", "librdkafka", "rate"), at_least=1),
    Target("D", "p50 through a pool, of the limit's", ratio("troupe", "limit", "p50"), at_most=1.15),
    Target("D", "p99 through a pool, of the limit's", ratio("troupe", "limit", "p99"), at_most=1.15),
    Target("D", "p50 through an aggregator, of the limit's", ratio("troupe, counted", "limit, counted", "p50"), at_most=1.15),
    Target("D", "p99 through an aggregator, of the limit's", ratio("troupe, counted", "limit, counted", "p99"), at_most=1.15),
    Target("F", "the hot key's orders/s (200 are its limit)", figure("troupe", "hot"), at_least=190, digits=0),
    Target("F", "other partitions' orders/s, of those without a hot key", ratio("troupe", "troupe, no hot key", "others"),
           at_least=0.9),
    Target("F", "its partition's other keys, of what it allows", figure("troupe", "of_expected"), at_least=0.9),
    Target("F", "peak MiB", figure("troupe", "memory"), at_most=100, digits=0),
    Target("G", "one consumer, % of a core", figure("1 consumer", "troupe"), at_most=0.6),
    Target("G", "twenty, more than bare ones, % of a core", figure("20 consumers", "difference"), at_most=1),
    Target("G", "twenty, peak MiB", figure("20 consumers", "memory"), at_most=40, digits=0),
    *(Target("S", f"{which}: {what}, ms", figure(which, what), at_most=1000, digits=0)
      for which in ("troupe, a pool", "troupe, an aggregate") for what in ("start", "stop")),
    Target("T", "watched: orders/s, of those without", ratio("watched", "not watched", "rate"), at_least=0.98, digits=3),
)
