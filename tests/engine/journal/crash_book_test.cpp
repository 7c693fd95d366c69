#include "engine/journal/crash_book.hpp"

#include <gtest/gtest.h>

#include <random>

namespace troupe::journal {
namespace {

constexpr std::int64_t day = std::int64_t{24} * 3600 * 1000;

call_place call(std::int64_t offset, std::int64_t timestamp = 7) {
  return {"group", "topic", 3, offset, timestamp};
}

unsigned crashes_of(const crash_book& book, const call_place& which) {
  const auto at = book.all().find(which);
  return at == book.all().end() ? 0 : at->second.crashes;
}

TEST(CrashBook, CountsEachDeathOnce) {
  crash_book book;
  book.add({call(1), true}, 10, 100);
  book.add({call(1), true}, 10, 100); // read again, since the one who read it first died over it
  book.add({call(1), true}, 11, 200);
  EXPECT_EQ(crashes_of(book, call(1)), 2U);
  EXPECT_EQ(book.all().at(call(1)).first_ms, 100);
  EXPECT_EQ(book.all().at(call(1)).last_ms, 200);
}

TEST(CrashBook, SuspicionAmongSeveralNeverLeadsToTheLastCrash) {
  crash_book book;
  for (std::uint64_t life = 1; life < 10; ++life)
    book.add({call(1), false}, life, 100);
  EXPECT_EQ(crashes_of(book, call(1)), most_crashes - 1);
  book.add({call(1), true}, 10, 100);
  EXPECT_EQ(crashes_of(book, call(1)), most_crashes);
}

TEST(CrashBook, TellsTheEventsOfARecreatedTopicApart) {
  crash_book book;
  book.add({call(1, 7), true}, 1, 100);
  EXPECT_EQ(crashes_of(book, call(1, 8)), 0U);
}

TEST(CrashBook, IsTheSameAfterItWasWrittenAndRead) {
  crash_book book;
  book.add({call(1), true}, ~std::uint64_t{0}, 100);
  book.add({{"g", "t", 0, std::int64_t{1} << 62, -1}, false}, 2, 300);
  const auto read = crash_book::parse(book.render());
  ASSERT_EQ(read.all().size(), 2U);
  EXPECT_EQ(read.render(), book.render());
  EXPECT_EQ(read.all().at(call(1)).last_life, ~std::uint64_t{0});
}

TEST(CrashBook, TakesNothingFromATornLine) {
  crash_book book;
  book.add({call(1), true}, 1, 100);
  book.add({call(22), true}, 2, 100);
  const auto whole = book.render();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto torn = crash_book::parse(std::string_view{whole}.substr(0, size));
    for (const auto& [which, history] : torn.all())
      EXPECT_TRUE(book.all().contains(which)) << "cut at " << size;
  }
}

TEST(CrashBook, SurvivesWhateverStandsInItsFile) {
  EXPECT_TRUE(crash_book::parse("").all().empty());
  EXPECT_TRUE(crash_book::parse("something else\n1 2 3 4 5 6 7 g t .\n").all().empty());
  EXPECT_TRUE(
      crash_book::parse("troupe crashes 1\n99999999999999999999 1 1 1 1 1 1 g t .\n\n \n").all().empty());
  std::mt19937 random{4711};
  for (int n = 0; n < 200; ++n) {
    std::string text = "troupe crashes 1\n";
    for (int i = 0; i < 300; ++i)
      text += static_cast<char>(random() % 256);
    const auto book = crash_book::parse(text);
    EXPECT_EQ(crash_book::parse(book.render()).render(), book.render());
  }
}

TEST(CrashBook, IsBoundedInAgeAndNumber) {
  crash_book book;
  book.add({call(0), true}, 1, 0);
  for (std::int64_t n = 1; n <= 1500; ++n)
    book.add({call(n), true}, 2, day * 7 + n);
  book.prune(day * 7 + 1500);
  EXPECT_EQ(book.all().size(), 1000U);
  EXPECT_EQ(crashes_of(book, call(0)), 0U);
  EXPECT_EQ(crashes_of(book, call(500)), 0U) << "the oldest go";
  EXPECT_EQ(crashes_of(book, call(501)), 1U);
  book.prune(day * 14 + 1501);
  EXPECT_TRUE(book.all().empty());
}

} // namespace
} // namespace troupe::journal
