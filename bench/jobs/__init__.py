"""The jobs of bench/run. Each module has:

LETTER, TITLE     which it is, and what is done
COLUMNS           (figure, heading, digits)
BASELINES         contestant → the one that its ratios within a round are to, "" for all others; RATIOS: of which figures
ROUNDS            at most, where one is enough
NOTE              what a reader must know
contestants()     name → Program
prepare(bench)    fills topics, returns what `measure` is given back
measure(bench, prepared, name, program) → the figures of one run; raises where it does not count
"""

from jobs import hot_key, idle, ingest, instructions, held, latency, orders, page_views, producing, start_stop, watched

ALL = {module.LETTER: module for module in (page_views, orders, producing, latency, ingest, hot_key, idle, held,
                                            instructions, start_stop, watched)}
