#include "engine/kafka/topic_reader.hpp"

#include "tests/engine/kafka/fixture.hpp"

#include <gmock/gmock.h>

namespace troupe::kafka {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct TopicReader : testing::Test {
  rigged_broker broker;
  std::unique_ptr<topic_reader> reader;

  void SetUp() override {
    broker.create("t", 3);
    auto opened = topic_reader::open(broker.at());
    ASSERT_TRUE(opened) << opened.failure().detail;
    reader = std::move(opened).value();
  }
  result<void> read(const std::vector<offset_range>& ranges, std::vector<std::string>& into,
                    std::size_t most = 1'000'000) {
    return reader->read("t", ranges, seconds{20}, [&, most](const message& m) {
      into.emplace_back(m.value());
      return into.size() < most;
    });
  }
};

TEST_F(TopicReader, ReadsItsRangesAndNothingElse) {
  publish(broker.at(), numbered("t", 100));
  publish(broker.at(), numbered("t", 5, 2));
  const auto bounds = reader->bounds("t", seconds{20});
  ASSERT_TRUE(bounds) << bounds.failure().detail;
  ASSERT_EQ(bounds->size(), 3U);
  EXPECT_EQ(bounds->at(0).high, 100);
  EXPECT_EQ(bounds->at(1).high, 0);
  EXPECT_EQ(bounds->at(2).high, 5);

  std::vector<std::string> got;
  ASSERT_TRUE(read({{0, 7, 10}}, got));
  EXPECT_THAT(got, ElementsAre("7", "8", "9"));
  got.clear();
  ASSERT_TRUE(read({{0, 0, 100}, {1, 0, 0}, {2, 0, 5}}, got));
  EXPECT_EQ(got.size(), 105U);
}

TEST_F(TopicReader, EndsAtTheEndOfWhatIsThere) {
  publish(broker.at(), numbered("t", 10));
  std::vector<std::string> got;
  ASSERT_TRUE(read({{0, 8, 1000}}, got));
  EXPECT_THAT(got, ElementsAre("8", "9"));
}

TEST_F(TopicReader, EndsWhenNoMoreIsWantedAndReadsAgain) {
  publish(broker.at(), numbered("t", 5000));
  std::vector<std::string> got;
  ASSERT_TRUE(read({{0, 0, 5000}}, got, 3));
  EXPECT_EQ(got.size(), 3U);
  got.clear();
  ASSERT_TRUE(read({{0, 0, 5000}}, got));
  EXPECT_EQ(got.size(), 5000U);
  EXPECT_EQ(got.front(), "0");
}

TEST_F(TopicReader, ReadsAnotherTopicWhileItReadsOne) {
  broker.create("other", 1);
  publish(broker.at(), numbered("t", 50));
  publish(broker.at(), numbered("other", 2));
  int inner = 0;
  const auto done = reader->read("t", {{0, 0, 50}}, seconds{20}, [&](const message&) {
    EXPECT_TRUE(reader->read("other", {{0, 1, 2}}, seconds{20}, [&](const message& m) {
      EXPECT_EQ(m.value(), "1");
      ++inner;
      return true;
    }));
    return inner < 3;
  });
  EXPECT_TRUE(done);
  EXPECT_EQ(inner, 3);
}

TEST_F(TopicReader, SaysThatNobodyAnswers) {
  connection nowhere;
  nowhere.brokers = "127.0.0.1:1";
  auto lost = topic_reader::open(nowhere);
  ASSERT_TRUE(lost);
  const auto bounds = (*lost)->bounds("t", milliseconds{300});
  ASSERT_FALSE(bounds);
  EXPECT_EQ(bounds.failure().code, errc::unavailable);
  EXPECT_NE(bounds.failure().detail.find("127.0.0.1:1"), std::string::npos);
}

} // namespace
} // namespace troupe::kafka
