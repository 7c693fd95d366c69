#include "engine/core/uuid.hpp"

#include <gmock/gmock.h>

#include <set>

namespace troupe {
namespace {

TEST(Uuid, has_the_form_of_version_4_and_never_repeats) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto id = random_uuid();
    EXPECT_THAT(id,
                testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
    seen.insert(id);
  }
  EXPECT_EQ(seen.size(), 1000U);
}

} // namespace
} // namespace troupe
