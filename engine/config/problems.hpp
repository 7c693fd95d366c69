#pragma once

#include "engine/config/load.hpp"
#include "engine/config/tree.hpp"

#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace troupe::config {

/// A file, a --set or a variable of the environment: what problems point into.
struct origin {
  std::string name;               ///< the file's, or "--set", or "environment"
  std::vector<std::string> lines; ///< of a file; the one line to show of an override
};

/// Collects problems, each once, and hands them over in the order of the files.
class problem_list {
public:
  std::size_t add_origin(origin o);
  void set_lines(std::size_t origin, std::vector<std::string> lines) {
    origins_[origin].lines = std::move(lines);
  }

  void error(const place& at, std::string text) { add(at, std::move(text), false); }
  void warning(const place& at, std::string text) { add(at, std::move(text), true); }
  [[nodiscard]] bool any_errors() const { return errors_; }

  /// The line and those below it that belong to it, passwords blanked.
  [[nodiscard]] std::string block(const place& at) const;
  /// file:line, or the name of the override.
  [[nodiscard]] std::string where(const place& at) const;
  [[nodiscard]] std::vector<problem> take();

private:
  void add(const place& at, std::string text, bool warning);

  std::vector<origin> origins_;
  std::set<std::tuple<std::size_t, int, int, std::string, bool, std::size_t>> found_;
  std::size_t left_out_ = 0;
  bool errors_ = false;
};

/// Whether a key of this name holds a password or the like: sasl.password, ssl.key.pem.
bool names_secret(std::string_view key);
/// The line with passwords blanked, each character by a *, so that columns stay.
std::string without_secrets(std::string line);

/// Quoted for a message: control characters as ?, cut where it is long.
std::string quoted(std::string_view text);
/// The value as a message may repeat it: 'text', or "the value" where it is secret.
std::string quoted(const node& value);

} // namespace troupe::config
