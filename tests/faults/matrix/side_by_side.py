"""The same thing done to several lanes at once, each on a thread of its own."""

from concurrent.futures import ThreadPoolExecutor


def side_by_side(what, lanes):
    """The answers, in the order of the lanes; the first failure fails all. Processes that a lane starts end with its
    thread, so it must be done with them when it returns."""
    with ThreadPoolExecutor(len(lanes)) as threads:
        return list(threads.map(what, lanes))


def all_of(reports):
    """The sums of what the lanes reported, or the highest where it is one's most."""
    return {name: (max if name.endswith(("_most", "_mb")) else sum)(report[name] for report in reports)
            for name in reports[0]}


def span(seconds):
    """Least, middle and most of some measurements, as text."""
    ordered = sorted(seconds)
    return f"{ordered[0]:.1f} to {ordered[-1]:.1f} s, median {ordered[len(ordered) // 2]:.1f} s, of {len(ordered)}"
