"""From raw figures to bench/results.md, the plots, and what stands between markers in docs/scaling.md and the README."""

import re
import statistics

import jobs
import plots
from common import HERE, ROOT
from runner import raw_figures
from statistic import TARGETS, ratios, spread, values

IMAGES = ROOT / "docs/images"
CURVES_PLOT = "bench-scaling.svg"
README = ROOT / "README.md"
SCALING = ROOT / "docs/scaling.md"
CURVE_FIGURES = (("rate", "events/s", 0), ("cpu", "CPU-s per M", 2), ("memory", "peak MiB", 0))
# What the README shows: file → (title, job, figures)
PLOTS = {"bench-page-views.svg": ("Page views counted into Redis", "A", ("rate", "cpu")),
         "bench-orders.svg": ("Orders of 5 ms each, in order by key", "B", ("rate", "cpu")),
         "bench-latency.svg": ("From produced to handled, 2,000/s", "D", ("p50", "p99"))}


def table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
                     + ["| " + " | ".join(row) + " |" for row in rows])


def job_table(module, job):
    rows = []
    for name in job["contestants"]:
        row = [name] + [spread(values(job, name, key), digits) for key, _, digits in module.COLUMNS]
        baseline = module.BASELINES.get(name, module.BASELINES.get(""))
        for key in module.RATIOS:
            row.append(f"of {baseline}: {spread(ratios(job, name, baseline, key), 2)}" if baseline != name else "")
        rows.append(row)
    titles = {key: heading for key, heading, _ in module.COLUMNS}
    return table(["", *titles.values(), *(f"{titles[key]}, ratio" for key in module.RATIOS)], rows)


def failures(job):
    """A sentence for each run that did not count."""
    return [f"- round {n}, {name}: did not count: {one['failed']}" for n, found in enumerate(job["rounds"], 1)
            for name, one in found.items() if "failed" in one]


def surroundings(raw):
    """A line for each call of bench/run, with what it measured."""
    told = {}
    for name, part in (*raw["jobs"].items(), *([("the curves", raw["scale"])] if raw["scale"] else [])):
        what = part["about"]
        versions = ", ".join(f"{library} {version}" for library, version in what["versions"].items())
        line = f"{what['date']}, {what['machine']}: `{what['command']}` ({what['seconds']} s at a steady rate). {versions}."
        told.setdefault(line, []).append(name)
    return "\n".join(f"- {', '.join(names)}: {line}" for line, names in told.items())


def job_part(module, job):
    parts = [f"## {module.LETTER}. {module.TITLE}", module.NOTE, job_table(module, job)]
    if told := failures(job):
        parts.append("\n".join(told))
    rounds = len(job["rounds"])
    return parts + [f"{rounds} round{'s' * (rounds != 1)}, `--events {job['about']['events']}`."]


def targets_table(raw):
    words = {True: "yes", False: "**no**", None: "not measured"}
    return table(["job", "what", "target", "reached", "met"],
                 [[t.job, t.what, t.bound(), spread(t.reached(raw), t.digits), words[t.met(raw)]] for t in TARGETS])


def text(raw=None):
    raw = raw or raw_figures()
    parts = ["# Results of bench/run", "Medians of the rounds (min–max); ratios are those within a round, since machines are "
             "noisy. CPU is user and system time of the whole process from its first event on. Everything, the broker and Redis too, "
             "shares the machine's cores. This page is written by `bench/run --report`.",
             surroundings(raw), "## Targets", targets_table(raw)]
    for letter, module in jobs.ALL.items():
        if letter in raw["jobs"]:
            parts += job_part(module, raw["jobs"][letter])
    if raw["scale"]:
        parts += ["## How cost grows", curves_table(raw["scale"]["curves"])]
    return "\n\n".join(parts) + "\n"


# ---- docs/scaling.md ----

def curves_table(curves):
    rows = [[name, f"{n:,}", *(f"{found[key]:,.{digits}f}" if key in found else f"failed: {found['failed'][:80]}" if key == "rate"
                               else "" for key, _, digits in CURVE_FIGURES)]
            for name, curve in curves.items() for n, found in curve["points"]]
    return table(["what grows", "to", *(heading for _, heading, _ in CURVE_FIGURES)], rows)


def measured(raw, job, contestant, figure):
    found = values(raw["jobs"].get(job, {"rounds": []}), contestant, figure)
    return statistics.median(found) if found else None


def sizing(raw):
    """What a core carries, by what was measured: (path, CPU seconds per million events)."""
    return [(path, cpu) for path, cpu in (
        ("counted by an aggregator", measured(raw, "A", "troupe", "cpu")),
        ("through a pool, 1,000 at once", measured(raw, "B", "troupe 1000", "cpu")),
        ("through a pool, 256 at once", measured(raw, "B", "troupe 256", "cpu")),
        ("through a pool to a service by HTTP", measured(raw, "B", "troupe 256 http", "cpu")),
        ("published by the engine", measured(raw, "C", "troupe", "cpu")),
        ("taken in by HTTP", measured(raw, "E", "troupe", "cpu"))) if cpu]


# On average and at a peak of three times as much.
DEMANDS = (("a billion a day", 1e9 / 86_400), ("a billion a day, at a peak of 3 ×", 3e9 / 86_400), ("a million a second", 1e6))
BUSY = 0.6


def sizing_table(raw):
    """Cores = events/s × CPU seconds per event ÷ the share of a core that may be busy."""
    rows = [[path, f"{cpu:,.2f}", f"{1e6 / cpu * BUSY:,.0f}",
             *(f"{rate * cpu / 1e6 / BUSY:,.1f}" for _, rate in DEMANDS)] for path, cpu in sizing(raw)]
    return table(["an event is", "CPU-s per M", f"events/s of a core that is {BUSY:.0%} busy",
                  *(f"cores for {name} ({rate:,.0f}/s)" for name, rate in DEMANDS)], rows)


def between_markers(page, name, what):
    """The page with what stands between `<!-- name -->` and `<!-- /name -->` replaced."""
    changed, times = re.subn(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda m: f"{m[1]}{what}\n{m[2]}", page,
                             flags=re.DOTALL)
    if times != 1:
        raise SystemExit(f"bench/run: no markers <!-- {name} --> … <!-- /{name} -->")
    return changed


# ---- all of it ----

def plot_files(raw):
    for file, (title, letter, shown) in PLOTS.items():
        if letter not in raw["jobs"]:
            continue
        module, job = jobs.ALL[letter], raw["jobs"][letter]
        headings = {key: heading for key, heading, _ in module.COLUMNS}
        yield file, plots.bars(title, [(headings[key], {name: values(job, name, key) for name in job["contestants"]})
                                       for key in shown])
    if raw["scale"]:
        yield CURVES_PLOT, plots.curves(
            [(name, [(heading, [(n, found[key]) for n, found in curve["points"] if key in found])
                     for key, heading, _ in CURVE_FIGURES]) for name, curve in raw["scale"]["curves"].items()])


def fill_in(file, name, what):
    file.write_text(between_markers(file.read_text(), name, what))


def image(page, file, title):
    return f"![{title}]({(IMAGES / file).relative_to(page.parent)})"


def write():
    raw = raw_figures()
    (HERE / "results.md").write_text(text(raw))
    IMAGES.mkdir(exist_ok=True)
    for file, drawn in plot_files(raw):
        (IMAGES / file).write_text(drawn)
    fill_in(SCALING, "sizing", sizing_table(raw))
    if raw["scale"]:
        fill_in(SCALING, "curves",
                image(SCALING, CURVES_PLOT, "How cost grows") + "\n\n" + curves_table(raw["scale"]["curves"]))
    drawn = [image(README, file, title) for file, (title, *_) in PLOTS.items() if (IMAGES / file).exists()]
    fill_in(README, "plots", "\n\n".join(drawn))
    print("written: bench/results.md, docs/images/bench-*.svg, and tables and plots in docs/scaling.md and README.md")
