#include "engine/core/utf8.hpp"

#include <gtest/gtest.h>

#include <string>

namespace troupe {
namespace {

std::string encoded(unsigned code) {
  const auto c = [](unsigned byte) { return static_cast<char>(byte); };
  if (code < 0x80) return {c(code)};
  if (code < 0x800) return {c(0xC0 | code >> 6), c(0x80 | (code & 63))};
  if (code < 0x10000) return {c(0xE0 | code >> 12), c(0x80 | (code >> 6 & 63)), c(0x80 | (code & 63))};
  return {c(0xF0 | code >> 18), c(0x80 | (code >> 12 & 63)), c(0x80 | (code >> 6 & 63)),
          c(0x80 | (code & 63))};
}

TEST(Utf8, every_character_has_its_length_and_surrogates_have_none) {
  for (unsigned code = 0; code < 0x110000; ++code) {
    const auto text = encoded(code);
    const bool surrogate = code >= 0xD800 && code < 0xE000;
    ASSERT_EQ(utf8_length(text + "tail"), surrogate ? 0 : text.size()) << std::hex << code;
    const auto cut = text.substr(0, text.size() - 1);
    ASSERT_EQ(utf8_length(cut), 0U) << std::hex << code;
  }
}

TEST(Utf8, what_is_not_a_character_has_no_length) {
  for (const char* bad : {"", "\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF",
                          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xC3(", "\xE2\x82("})
    EXPECT_EQ(utf8_length(bad), 0U) << testing::PrintToString(bad);
}

} // namespace
} // namespace troupe
