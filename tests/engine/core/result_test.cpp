#include "engine/core/result.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace troupe {
namespace {

result<int> half_of(int n) {
  if (n % 2 != 0) return error{errc::usage, "odd"};
  return n / 2;
}

TEST(Result, holds_a_value_or_an_error) {
  const auto good = half_of(8);
  ASSERT_TRUE(good.ok());
  EXPECT_TRUE(static_cast<bool>(good));
  EXPECT_EQ(good.value(), 4);
  EXPECT_EQ(*good, 4);

  const auto bad = half_of(7);
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.failure().code, errc::usage);
  EXPECT_EQ(bad.failure().detail, "odd");
}

TEST(Result, a_value_can_be_moved_out_even_where_it_cannot_be_copied) {
  result<std::unique_ptr<int>> owner{std::make_unique<int>(3)};
  const auto taken = std::move(owner).value();
  EXPECT_EQ(*taken, 3);
}

TEST(Result, a_value_can_be_changed_in_place) {
  result<std::string> text{std::string{"a"}};
  text->push_back('b');
  *text += 'c';
  EXPECT_EQ(text.value(), "abc");
}

TEST(Result, a_value_that_is_an_error_by_type_is_still_told_apart) {
  struct problem {
    std::string text;
  };
  const result<problem> value{problem{"x"}};
  EXPECT_TRUE(value.ok());
}

TEST(Result, of_nothing_is_done_or_an_error) {
  const result<void> done;
  EXPECT_TRUE(done.ok());
  const result<void> failed{error{errc::timeout, "late"}};
  EXPECT_FALSE(failed);
  EXPECT_EQ(failed.failure().code, errc::timeout);
}

} // namespace
} // namespace troupe
