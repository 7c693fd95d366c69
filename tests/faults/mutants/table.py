"""Ways to break a promise, each an edit of the sources, and the tests that have to notice. scripts/mutants builds and
runs them."""

from typing import NamedTuple


class Edit(NamedTuple):
    file: str
    old: str  # stands there exactly once
    new: str


class Mutant(NamedTuple):
    name: str
    breaks: str
    edits: list
    tests: list  # each the arguments of one run of pytest, until one fails


PROCESSES, REDIS, SCALING = (f"tests/faults/test_{name}.py" for name in ("processes", "redis", "scaling"))
POISON = "tests/faults/test_poison.py"
CHAINS = "tests/integration/test_exactly_once.py"

MUTANTS = [
    Mutant("commit_before_work", "the position that is committed is what was read, not what is finished",
           [Edit("engine/flow/offset_ledger.cpp",
                 "  snapshot out{position(), {}};\n  auto runs = finished_runs(out.offset);\n",
                 "  snapshot out{end_, {}};\n  std::vector<finished_run> runs;\n")],
           [f"{PROCESSES}::test_engines_killed_at_random_lose_nothing_and_count_nothing_twice"]),
    Mutant("position_check_left_out", "counts are added wherever the stored position stands",
           [Edit("engine/aggregate/scripts.cpp",
                 "if held[2] ~= ARGV[3] then return {'position', held[2]} end\n", "")],
           [f"{REDIS}::test_a_redis_that_went_back_in_time_is_made_up_for"]),
    Mutant("dead_letter_acknowledged_on_enqueue", "a dead letter counts as written once the producer has it",
           [Edit("actors/dead_letter_writer.cpp",
                 "                  });\n}\n",
                 "                  });\n  self->send(self, bury_answer{id, std::nullopt});\n}\n")],
           [f"{POISON}::"
            "test_without_its_dlq_topic_a_key_waits_and_nothing_is_committed_past_it_until_it_is_there"]),
    Mutant("key_order_ignored", "events of one key run at once",
           [Edit("engine/flow/dispatcher.cpp",
                 "if (rules_.order_by == ordering::none || !event.key) return lane_table::none;",
                 "if (rules_.order_by != ordering::partition) return lane_table::none;")],
           [f"{SCALING}::test_a_pool_resized_every_second_keeps_the_order_and_its_partitions"]),
    Mutant("credit_not_returned", "an acknowledged commit opens no window",
           [Edit("engine/flow/offset_ledger.cpp", "    recorded_ = std::move(*pending_);\n",
                 "    recorded_.ahead = std::move(pending_->ahead);\n")],
           [f"{SCALING}::test_a_pool_resized_every_second_keeps_the_order_and_its_partitions"]),
    Mutant("stale_generation_accepted", "a commit of a past assignment goes out under the next one's membership",
           [Edit("actors/supervisor_commits.cpp", "  if (at == step::leaving) return;\n  auto& from", "  auto& from"),
            Edit("actors/supervisor_commits.cpp", "if (which->committing != report.offset) continue;", "")],
           [f"{PROCESSES}::test_a_process_that_wakes_up_in_the_middle_of_the_rebalance_goes_on --full"]),
    Mutant("outputs_not_held_back", "what is finished out of order is published before the offset that goes with it",
           [Edit("engine/flow/held_outputs.cpp", "at != by_offset_.end() && at->first < position; ++at)",
                 "at != by_offset_.end() && (at->first < position || position > 0); ++at)")],
           [f"{CHAINS}::test_what_finished_out_of_order_waits_unwritten_for_what_is_before_it"]),
    Mutant("offsets_outside_the_transaction", "what is published is committed, the offsets that go with it are not",
           [Edit("engine/kafka/transactions.cpp",
                 "  if (auto ended = send_offsets(what, until)) return *ended;\n", "")],
           [f"{CHAINS}::test_a_stop_under_load_commits_what_is_done_and_leaves_no_transaction_open"]),
    Mutant("refused_outputs_stop_all", "a partition whose output is refused stays in the transactions of the others",
           [Edit("engine/flow/refused_partitions.cpp", "    if (!waits(wanting[i])) others.push_back(i);\n",
                 "    others.push_back(i);\n")],
           [f"{CHAINS}::test_where_the_topic_of_one_partition_is_missing_the_others_go_on"]),
    Mutant("unknown_taken_for_aborted", "what a commit without an answer carried is published again",
           [Edit("engine/kafka/transactions.cpp", "    outcome.what = kind::unknown;\n", "")],
           ["tests/faults/test_transactions.py::test_an_answer_to_a_commit_that_comes_too_late --full"]),
]
