#pragma once

#include "engine/json/pointer.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::json {

/// A parser with the document parsed last: made once, used for many events, without allocating for events no
/// larger than those before. Everything is validated, also what nobody asks for: UTF-8, escapes, numbers,
/// trailing text. Not accepted: NaN and Infinity, more than max_depth levels, more than max_bytes, and
/// numbers beyond a double or beyond 64 bits where they are written as integers. Of duplicate keys the last
/// one holds, as in JavaScript, Go and Python.
class document {
public:
  static constexpr std::size_t max_depth = 64;
  static constexpr std::size_t max_bytes = std::size_t{64} << 20;

  document();
  ~document();
  document(document&&) noexcept;
  document& operator=(document&&) noexcept;

  /// False where the text is not JSON; the document is empty then. What an earlier text answered is gone.
  bool parse(std::string_view text);
  /// Why the last text was refused.
  [[nodiscard]] std::string_view problem() const;

  [[nodiscard]] bool is_object() const;
  [[nodiscard]] bool is_array() const;
  [[nodiscard]] bool exists(const pointer& at) const;
  /// Of a string only. Valid until the next parse.
  [[nodiscard]] std::optional<std::string_view> string_at(const pointer& at) const;
  /// Of a string, of a number as it was written, of true and false. Valid until the next parse.
  [[nodiscard]] std::optional<std::string_view> text_at(const pointer& at) const;
  /// The size of an event that it takes without allocating, in bytes; a parser beyond 1 MiB is let go when
  /// the next event is smaller.
  [[nodiscard]] std::size_t capacity() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// The text at `at` of a JSON body, numbers, true and false included, for the one look that needs no
/// document. Nothing where the body is not JSON, the pointer is none, or no text is there.
std::optional<std::string> string_at(std::string_view json, std::string_view at);
std::optional<std::string> string_at(std::string_view json, const pointer& at);

} // namespace troupe::json
