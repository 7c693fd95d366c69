#include "actors/partition_reader.hpp"
#include "tests/actors/stage.hpp"
#include "tests/actors/waiting.hpp"
#include "tests/engine/kafka/fixture.hpp"

namespace troupe::actors {
namespace {

/// A reader over a real queue; the test is its supervisor.
struct PartitionReader : LiveStage {
  void SetUp() override {
    broker.create("orders", 1);
    kafka::publish(broker.at(), kafka::numbered("orders", 600));
    member = std::make_unique<kafka::member>(broker.at(), "orders");
    ASSERT_TRUE(member->joined());
  }
  void TearDown() override {
    end_reader();
    LiveStage::TearDown();
  }

  void start(flow::window_limits limits, std::vector<flow::offset_run> recorded = {}) {
    reader_seat seat;
    seat.shared = &shared;
    seat.supervisor = as_actor();
    seat.generation = 9;
    seat.which = 4;
    seat.where = {"orders", 0};
    seat.limits = limits;
    seat.recorded = std::move(recorded);
    seat.group = "group";
    reader = enter(partition_reader, std::move(seat));
    auto queue = std::make_shared<kafka::message_queue>(
        member->it->queue_of({"orders", 0}, [r = reader] { caf::anon_send(r, queue_woke{}); }));
    caf::anon_send(reader, queue_ready{std::move(queue)});
    member->it->assign(member->from(0));
  }
  /// All that was sent to the reader has been handled when this returns.
  void end_reader() {
    if (!reader) return;
    me->monitor(reader);
    caf::anon_send(reader, stop_order{});
    bool ended = false;
    me->receive([&](const caf::down_msg&) { ended = true; }, caf::after(std::chrono::seconds{20}) >> [] {});
    EXPECT_TRUE(ended);
    reader = nullptr;
  }
  std::vector<flow::admitted> offer() {
    const auto m = next<offered>();
    if (!m) {
      ADD_FAILURE() << "nothing was offered";
      return {};
    }
    EXPECT_EQ(m->generation, 9U);
    EXPECT_EQ(m->which, 4U);
    return m->events;
  }
  /// Until this many were offered.
  std::vector<flow::admitted> offers(std::size_t count) {
    auto all = offer();
    while (all.size() < count && !HasFailure()) {
      caf::anon_send(reader, more_wanted{});
      const auto more = offer();
      all.insert(all.end(), more.begin(), more.end());
    }
    return all;
  }
  void settle(const std::vector<flow::admitted>& events, std::size_t from, std::size_t to) {
    settled m;
    for (auto i = from; i < to; ++i)
      m.slots.push_back(events[i].slot);
    caf::anon_send(reader, std::move(m));
  }
  std::optional<commit_wanted> commit() { return next<commit_wanted>(); }

  kafka::rigged_broker broker;
  services& shared = open_services(broker.at());
  std::unique_ptr<kafka::member> member;
  caf::actor reader;
};

constexpr flow::window_limits wide{.events = 4096, .bytes = std::size_t{1} << 20};

TEST_F(PartitionReader, OffersEverythingInOrderOneBatchAtATime) {
  start(wide);
  const auto all = offers(600);
  ASSERT_EQ(all.size(), 600U);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].event->offset, static_cast<std::int64_t>(i));
    EXPECT_EQ(all[i].event->value, std::to_string(i));
  }
}

TEST_F(PartitionReader, LeavesTheQueueUnreadUntilThePoolWantsMore) {
  start(wide);
  EXPECT_LE(offer().size(), 256U);
  caf::anon_send(reader, queue_woke{});
  end_reader();
  EXPECT_FALSE(me->has_next_message());
}

TEST_F(PartitionReader, NeverHoldsMoreThanItsWindowUntilACommitIsAcknowledged) {
  start({.events = 10, .bytes = std::size_t{1} << 20});
  const auto first = offers(10);
  ASSERT_EQ(first.size(), 10U);
  caf::anon_send(reader, more_wanted{});
  settle(first, 0, 10); // finished is not enough: a crash would still redeliver them
  const auto wanted = commit();
  ASSERT_TRUE(wanted && wanted->commit);
  EXPECT_EQ(wanted->commit->offset, 10);
  caf::anon_send(reader, commit_done{false});
  caf::anon_send(reader, commit_due{false});
  const auto repeated = commit();
  ASSERT_TRUE(repeated && repeated->commit);
  EXPECT_EQ(repeated->commit->offset, 10);
  EXPECT_FALSE(me->has_next_message());
  caf::anon_send(reader, commit_done{true});
  const auto second = offers(10);
  ASSERT_EQ(second.size(), 10U);
  EXPECT_EQ(second[0].event->offset, 10);
}

TEST_F(PartitionReader, CommitsWhatWasFinishedWhileACommitWasUnderWay) {
  start(wide);
  const auto all = offers(4);
  settle(all, 0, 2);
  caf::anon_send(reader, commit_due{false});
  ASSERT_TRUE(commit());
  settle(all, 2, 4);
  caf::anon_send(reader, commit_due{false}); // and no event comes after it
  caf::anon_send(reader, commit_done{true});
  const auto wanted = commit();
  ASSERT_TRUE(wanted && wanted->commit);
  EXPECT_EQ(wanted->commit->offset, 4);
  caf::anon_send(reader, commit_done{true});
  end_reader();
  EXPECT_FALSE(me->has_next_message()) << "one tick, one commit";
}

TEST_F(PartitionReader, CommitsWithLessMetadataWhereTheBrokerFoundItTooLarge) {
  start(wide);
  const auto all = offers(20);
  for (std::size_t i = 1; i < 20; i += 2)
    settle(all, i, i + 1);
  caf::anon_send(reader, commit_due{false});
  auto wanted = commit();
  ASSERT_TRUE(wanted && wanted->commit);
  auto size = wanted->commit->metadata.size();
  ASSERT_GT(size, 0U);
  while (size > 0) {
    caf::anon_send(reader, commit_done{false, true});
    caf::anon_send(reader, commit_due{false});
    wanted = commit();
    ASSERT_TRUE(wanted && wanted->commit);
    EXPECT_EQ(wanted->commit->offset, 0);
    ASSERT_LE(wanted->commit->metadata.size(), size / 2);
    size = wanted->commit->metadata.size();
  }
}

TEST_F(PartitionReader, ItsWindowIsOfBytesToo) {
  start({.events = 4096, .bytes = 10});
  const auto first = offer();
  std::size_t before_the_last = 0;
  for (std::size_t i = 0; i + 1 < first.size(); ++i)
    before_the_last += first[i].event->bytes();
  EXPECT_LT(before_the_last, 10U) << "it was full in the middle of a batch";
  caf::anon_send(reader, more_wanted{});
  caf::anon_send(reader, queue_woke{});
  settle(first, 0, first.size());
  const auto wanted = commit(); // and nothing was offered before it
  ASSERT_TRUE(wanted && wanted->commit);
  EXPECT_FALSE(me->has_next_message());
  caf::anon_send(reader, commit_done{true});
  const auto second = offer();
  ASSERT_FALSE(second.empty());
  EXPECT_EQ(second[0].event->offset, static_cast<std::int64_t>(first.size()));
}

TEST_F(PartitionReader, CommitsBelowTheFirstUnfinishedEventAndRecordsWhatIsFinishedBeyondIt) {
  start(wide);
  const auto all = offers(20);
  settle(all, 0, 3);
  settle(all, 5, 9);
  caf::anon_send(reader, commit_due{false});
  const auto wanted = commit();
  ASSERT_TRUE(wanted && wanted->commit);
  EXPECT_FALSE(wanted->last);
  EXPECT_EQ(wanted->commit->offset, 3);
  EXPECT_EQ(flow::decode_metadata(wanted->commit->metadata, 3), (std::vector<flow::offset_run>{{5, 9}}));
}

TEST_F(PartitionReader, HasOneCommitUnderWayAndTheLastOneComesAfterIt) {
  start(wide);
  const auto all = offers(20);
  settle(all, 0, 2);
  caf::anon_send(reader, commit_due{false});
  ASSERT_TRUE(commit());
  settle(all, 2, 4);
  caf::anon_send(reader, commit_due{false});
  caf::anon_send(reader, commit_due{true});
  caf::anon_send(reader, commit_done{true});
  const auto last = commit();
  ASSERT_TRUE(last && last->commit);
  EXPECT_TRUE(last->last);
  EXPECT_EQ(last->commit->offset, 4);
  end_reader();
  EXPECT_FALSE(me->has_next_message());
}

TEST_F(PartitionReader, TheLastCommitIsAnsweredAlsoWithNothingToCommitAndNothingIsReadAfterIt) {
  start(wide);
  offer();
  caf::anon_send(reader, commit_due{true});
  const auto last = commit();
  ASSERT_TRUE(last);
  EXPECT_TRUE(last->last);
  EXPECT_FALSE(last->commit);
  caf::anon_send(reader, more_wanted{});
  caf::anon_send(reader, queue_woke{});
  end_reader();
  EXPECT_FALSE(me->has_next_message());
}

TEST_F(PartitionReader, SkipsWhatAFormerLifeRecordedAsFinished) {
  start(wide, {{2, 5}, {7, 598}});
  const auto all = offers(6);
  std::vector<std::int64_t> seen;
  for (const auto& e : all)
    seen.push_back(e.event->offset);
  EXPECT_EQ(seen, (std::vector<std::int64_t>{0, 1, 5, 6, 598, 599}));
  EXPECT_EQ(shared.metrics.counter("troupe_redelivered_skipped_total", {{"group", "group"}}).value(), 594U);
}

} // namespace
} // namespace troupe::actors
