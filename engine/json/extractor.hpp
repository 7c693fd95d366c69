#pragma once

#include "engine/json/pointer.hpp"
#include "engine/json/texts.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace troupe::json {

/// Reads chosen places of an event: all of them in one pass, without allocating for events no larger than
/// those before. Everything is validated, also what nobody asks for: UTF-8, escapes, numbers, trailing text.
/// Not accepted: NaN and Infinity, more than max_depth levels, more than max_bytes. Numbers may be of any
/// size. Of duplicate keys the last one holds, as in JavaScript, Go and Python.
class extractor {
public:
  static constexpr std::size_t max_depth = 64;
  static constexpr std::size_t max_bytes = std::size_t{64} << 20;

  enum class kind : std::uint8_t { missing, string, number, boolean, null, object, array };
  struct found {
    kind what = kind::missing;
    /// Of a string, unescaped; of a number, true and false as written. Valid until the next read.
    std::string_view text;

    [[nodiscard]] bool is_string() const { return what == kind::string; }
    [[nodiscard]] bool has_text() const {
      return what == kind::string || what == kind::number || what == kind::boolean;
    }
  };

  explicit extractor(std::span<const pointer> places);
  ~extractor();
  extractor(extractor&&) noexcept;
  extractor& operator=(extractor&&) noexcept;

  /// False where the text is not JSON; nothing is found then. What an earlier text answered is gone.
  bool read(std::string_view text);
  /// Reads all of them in place, at less cost than one by one. `each(i, taken)` is called for every text in
  /// its turn, with what read() would answer; what is found is that text's until `each` returns, but strings
  /// stay where they are until `settle()`, which is called after every few texts and after the last one.
  /// Unescaping writes, so that none of them can be read a second time.
  template <class Each, class Settle>
  void read_all(texts& all, Each&& each, Settle&& settle) {
    for (std::size_t i = 0; i < all.size();) {
      for (auto chunk_end = load(all, i); i < chunk_end; ++i) {
        each(i, next(all, i));
        if (!in_place()) settle();
      }
      settle();
    }
  }
  /// Why the last text was refused.
  [[nodiscard]] std::string_view problem() const;
  /// What lies at a place, by its number in the list given at the start.
  [[nodiscard]] const found& operator[](std::size_t place) const;
  /// The size of an event that is read without allocating, in bytes; what is held beyond 1 MiB is let go
  /// when the next event is smaller.
  [[nodiscard]] std::size_t capacity() const;

private:
  /// Makes a chunk ready to be read; where it ends.
  std::size_t load(texts& all, std::size_t first);
  bool next(texts& all, std::size_t i);
  /// Whether the chunk's texts are read where they lie, rather than in a copy of each.
  [[nodiscard]] bool in_place() const;

  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace troupe::json
