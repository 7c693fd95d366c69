#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// The configuration as a tree that remembers where each piece was written.
namespace troupe::config {

/// Where a key or a value stands. Lines and columns are 1-based and counted in characters; line 0 is an
/// override, which has no place in a file.
struct place {
  std::size_t origin = 0; ///< index into `problems`' origins
  int line = 0, column = 0;
  std::size_t width = 1;
  friend bool operator==(const place&, const place&) = default;
};

struct entry;

struct node {
  enum class shape { nothing, scalar, list, map };
  shape is = shape::nothing;
  std::string text;    ///< of a scalar, interpolated
  bool secret = false; ///< came from ${…} or the environment: never repeat it
  bool broken = false; ///< its problem is told already: no further ones of its value
  place at;
  std::vector<entry> entries;
  std::vector<node> items;

  [[nodiscard]] bool scalar() const { return is == shape::scalar; }
  [[nodiscard]] bool list() const { return is == shape::list; }
  [[nodiscard]] bool map() const { return is == shape::map; }
  [[nodiscard]] bool nothing() const { return is == shape::nothing; }

  [[nodiscard]] const entry* find(std::string_view key) const;
  entry* find(std::string_view key);
};

struct entry {
  std::string key;
  place at;
  node value;
};

/// The same content, wherever it stands.
bool same(const node& a, const node& b);

/// What `over` says goes, maps deeply; what it does not say stays. The key
/// `unit` is taken whole.
node merged(const node& under, const node& over, std::string_view unit);

} // namespace troupe::config
