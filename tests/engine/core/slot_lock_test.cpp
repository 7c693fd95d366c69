#include "engine/core/slot_lock.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <optional>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe {
namespace {

struct SlotLock : testing::Test {
  const std::string folder =
      std::filesystem::temp_directory_path() / ("slot-lock-" + std::to_string(::getpid()) + "/deep");
  void TearDown() override { std::filesystem::remove_all(std::filesystem::path{folder}.parent_path()); }
};

TEST_F(SlotLock, GivesTheLowestFreeNumberOfEachName) {
  const auto first = slot_lock::take(folder, "shop");
  auto second = std::optional{slot_lock::take(folder, "shop")};
  const auto other = slot_lock::take(folder, "bank");
  ASSERT_TRUE(first && *second && other);
  EXPECT_EQ((*first).number(), 0U);
  EXPECT_EQ((**second).number(), 1U);
  EXPECT_EQ((*other).number(), 0U);
  second.reset();
  EXPECT_EQ(slot_lock::take(folder, "shop").value().number(), 1U);
}

TEST_F(SlotLock, ProcessThatWasKilledLeavesItsSlotToTheNext) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const auto child = ::fork();
  if (child == 0) {
    const auto held = slot_lock::take(folder, "shop");
    const char number = held ? static_cast<char>('0' + (*held).number()) : '!';
    if (::write(ready[1], &number, 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  char number = 0;
  ASSERT_EQ(::read(ready[0], &number, 1), 1);
  EXPECT_EQ(number, '0');
  EXPECT_EQ(slot_lock::take(folder, "shop").value().number(), 1U) << "held while it lives";
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(slot_lock::take(folder, "shop").value().number(), 0U);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(SlotLock, FolderThatCannotBeMadeIsNamedWithTheRemedy) {
  const auto held = slot_lock::take("/proc/nowhere", "shop");
  ASSERT_FALSE(held);
  EXPECT_NE(held.failure().detail.find("/proc/nowhere"), std::string::npos);
  EXPECT_NE(held.failure().detail.find("state"), std::string::npos);
}

} // namespace
} // namespace troupe
