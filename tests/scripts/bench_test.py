"""The arithmetic of bench/run's report, on figures made up here: nothing is measured."""

import pathlib
import struct
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

import measuring
import plots
import report
import statistic
from jobs import hot_key

ABOUT = {"date": "2026-01-31", "machine": "two cores", "versions": {"Kafka": "4"}, "command": "bench/run", "events": 1,
         "seconds": 1}


def job(*rounds):
    return {"about": ABOUT, "contestants": list(rounds[0]), "rounds": list(rounds)}


def run(rate, cpu=1.0, memory=10.0):
    return {"rate": rate, "cpu": cpu, "memory": memory}


# The ratio of the medians is 1.0, the median of the ratios 1.5.
VIEWS = job({"limit": run(100, 1.0), "troupe": run(150, 0.5)}, {"limit": run(200, 1.0), "troupe": run(400, 0.8)},
            {"limit": run(400, 1.0), "troupe": run(200, 0.7)})
FAILED = job({"limit": run(100), "troupe": {"failed": "WRONG: 1 and not 2"}}, {"limit": run(100), "troupe": run(90)})


def raw(**jobs):
    return {"jobs": jobs, "scale": {}}


def target(**bounds):
    return statistic.Target("A", "CPU", statistic.ratio("troupe", "limit", "cpu"), **bounds)


class Statistics(unittest.TestCase):
    def test_a_ratio_is_of_a_round_and_not_of_medians(self):
        self.assertEqual(statistic.ratios(VIEWS, "troupe", "limit", "rate"), [1.5, 2.0, 0.5])

    def test_a_spread_is_the_median_with_the_least_and_the_most(self):
        self.assertEqual(statistic.spread([3, 1, 2000], 0), "3 (1–2,000)")
        self.assertEqual(statistic.spread([1.25], 2), "1.25")
        self.assertEqual(statistic.spread([], 2), "–")

    def test_a_run_that_failed_counts_in_no_median_and_no_ratio(self):
        self.assertEqual(statistic.values(FAILED, "troupe", "rate"), [90])
        self.assertEqual(statistic.ratios(FAILED, "troupe", "limit", "rate"), [0.9])

    def test_a_target_is_met_by_the_median_alone(self):
        self.assertIs(target(at_most=0.7).met(raw(A=VIEWS)), True)
        self.assertIs(target(at_most=0.69).met(raw(A=VIEWS)), False)
        self.assertIs(target(at_least=0.7).met(raw(A=VIEWS)), True)
        self.assertIs(target(at_least=0.71).met(raw(A=VIEWS)), False)

    def test_what_was_not_measured_is_neither_met_nor_missed(self):
        self.assertIsNone(target(at_most=1).met(raw()))
        self.assertIsNone(target(at_most=1).met(raw(A=job({"limit": run(1), "troupe": {"failed": "it did"}}))))


class Report(unittest.TestCase):
    def test_targets_are_told_as_reached_or_not(self):
        told = report.targets_table(raw(A=VIEWS))
        self.assertIn("| A | CPU, of the limit's | ≤ 0.75 | 0.70 (0.50–0.80) | yes |", told)
        self.assertIn("| A | events/s, of the limit's | ≥ 1.25 | 1.50 (0.50–2.00) | yes |", told)
        self.assertIn("| C | events/s, of librdkafka's | ≥ 1 | – | not measured |", told)

    def test_a_missed_target_stands_out(self):
        slow = job({"limit": run(100), "troupe": run(90)})
        self.assertIn("| ≥ 1.25 | 0.90 | **no** |", report.targets_table(raw(A=slow)))

    def test_failures_are_told_and_leave_the_others_rows_whole(self):
        told = report.text(raw(A=FAILED))
        self.assertIn("- round 1, troupe: did not count: WRONG: 1 and not 2", told)
        self.assertIn("| troupe | 90 | 1.00 | 10 | of limit: 0.90 | of limit: 1.00 |", told)

    def test_each_call_is_told_once_with_the_jobs_it_measured(self):
        told = report.surroundings(raw(A=VIEWS, B=VIEWS, C={**VIEWS, "about": {**ABOUT, "command": "bench/run --job C"}}))
        self.assertEqual([line.partition(":")[0] for line in told.splitlines()], ["- A, B", "- C"])

    def test_cores_are_demand_times_price_over_the_busy_share(self):
        row = report.sizing_table(raw(A=job({"limit": run(1), "troupe": run(1, cpu=0.6)}))).splitlines()[-1]
        self.assertEqual(row.split(" | ")[1:], ["0.60", "1,000,000", "0.0", "0.0", "1.0 |"])

    def test_only_what_stands_between_markers_is_replaced(self):
        page = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n"
        self.assertEqual(report.between_markers(page, "x", "new"), "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n")
        with self.assertRaises(SystemExit):
            report.between_markers("no markers", "x", "new")

    def test_the_pages_have_the_markers_that_the_report_fills(self):
        for file, name in ((report.SCALING, "sizing"), (report.SCALING, "curves"), (report.README, "plots")):
            report.between_markers(file.read_text(), name, "")


class Plots(unittest.TestCase):
    def texts(self, drawn):
        return [e.text for e in xml.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]

    def test_bars_are_well_formed_whatever_a_contestant_is_called(self):
        told = self.texts(plots.bars("a & b", [("rate < 1", {"<x>": [1, 2, 3], "none": []})]))
        self.assertIn("<x>", told)
        self.assertNotIn("none", told)

    def test_the_longest_bar_has_the_largest_median(self):
        drawn = xml.fromstring(plots.bars("t", [("rate", {"a": [10, 20, 30], "b": [5, 10, 15]})]))
        wide = [float(e.get("width")) for e in drawn.iter("{http://www.w3.org/2000/svg}rect")]
        self.assertAlmostEqual(wide[0], 2 * wide[1], delta=0.2)

    def test_curves_are_well_formed(self):
        self.assertIn("1 M", self.texts(plots.curves([("keys", [("rate", [(10, 5.0), (1_000_000, 4.0)]), ("cpu", [])])])))


class Judging(unittest.TestCase):
    def entries(self, *found):
        return [measuring.Entry(*e) for e in found]

    def assert_wrong(self, *found, events=2, work_ns=0):
        with self.assertRaises(measuring.Wrong):
            measuring.check_orders(self.entries(*found), events, work_ns)

    def test_orders_done_once_and_in_turn_count(self):
        measuring.check_orders(self.entries((1, 0, 0, 5), (2, 0, 1, 6), (1, 1, 5, 10)), 3, 5)

    def test_an_order_that_is_missing_or_done_twice_does_not(self):
        self.assert_wrong((1, 0, 0, 5))
        self.assert_wrong((1, 0, 0, 5), (1, 0, 5, 10))

    def test_orders_of_a_key_in_the_wrong_order_or_at_once_do_not(self):
        self.assert_wrong((1, 1, 0, 5), (1, 0, 5, 10))
        self.assert_wrong((1, 0, 0, 5), (1, 1, 4, 10), work_ns=5)

    def test_an_order_that_took_no_time_does_not(self):
        self.assert_wrong((1, 0, 0, 5), (2, 0, 0, 4), work_ns=5)

    def test_a_logbook_tells_what_was_written_to_it(self):
        with tempfile.TemporaryDirectory() as folder:
            book = measuring.Logbook(pathlib.Path(folder) / "book", 2)
            self.assertEqual((book.done(), book.entries()), (0, []))
            book.file.write_bytes(struct.pack("=QiiqqiiqqQ", 3, 1, 0, 10, 20, 2, 7, 30, 40, 0)[:8 + 48])
            self.assertEqual(book.done(), 3)
            self.assertEqual(book.entries(), self.entries((1, 0, 10, 20), (2, 7, 30, 40)))

    def test_a_hot_key_is_told_from_its_neighbours_and_the_others(self):
        second = 1_000_000_000
        book = [(0, n, 0, n * second // 200) for n in range(800)]
        book += [(1, n, 0, second + (n + 1) * second // 100) for n in range(200)]
        book += [(2, n, 0, (n + 1) * second // 1000) for n in range(1000)]
        found = hot_key.classes(self.entries(*book), {0: 3, 1: 3, 2: 4})
        self.assertAlmostEqual(found["hot"], 200)
        self.assertAlmostEqual(found["others"], 1000)
        self.assertAlmostEqual(found["neighbours"], 100)
        self.assertAlmostEqual(found["of_expected"], 100 / (200 * 200 / 800))


if __name__ == "__main__":
    unittest.main()
