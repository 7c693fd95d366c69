#include "engine/core/trace_context.hpp"

#include <gtest/gtest.h>

namespace troupe {
namespace {

constexpr const char* trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

outgoing event(std::vector<header> headers = {}) {
  outgoing e;
  e.headers = std::move(headers);
  return e;
}

TEST(CarryTrace, GoesWithWhatHasNoneOfItsOwn) {
  const std::vector<header> from{{"Traceparent", trace}, {"tracestate", "a=1"}, {"other", "x"}};
  std::vector<outgoing> to{event(), event({{"traceparent", "mine"}}), event({{"tracestate", "b=2"}})};
  carry_trace(from, to);
  EXPECT_EQ(to[0].headers, (std::vector<header>{{"traceparent", trace}, {"tracestate", "a=1"}}));
  EXPECT_EQ(to[1].headers, (std::vector<header>{{"traceparent", "mine"}})) << "nor another trace's state";
  EXPECT_EQ(to[2].headers, (std::vector<header>{{"tracestate", "b=2"}, {"traceparent", trace}}));
}

TEST(CarryTrace, MakesNoneUp) {
  std::vector<outgoing> to{event()};
  carry_trace({{"tracestate", "a=1"}, {"traceparent", std::nullopt}}, to);
  EXPECT_TRUE(to[0].headers.empty());
}

TEST(Traceparent, HasItsForm) {
  EXPECT_TRUE(is_traceparent(trace));
  EXPECT_TRUE(is_traceparent("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"));
  for (const auto* text : {"", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
                           "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
                           "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                           "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
                           "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
    EXPECT_FALSE(is_traceparent(text)) << text;
}

} // namespace
} // namespace troupe
