#pragma once

#include "engine/config/fields.hpp"
#include "engine/config/problems.hpp"
#include "engine/config/tree.hpp"

#include <string>
#include <string_view>

namespace troupe::config {

/// Holds a tree against the field table: unknown keys, shapes, types, bounds, and what is not available yet.
class checker {
public:
  checker(const inputs& from, problem_list& problems) : from_{from}, problems_{problems} {}

  /// `path` is how messages name the section: "actors.inventory.pool".
  void section(const node& n, std::string_view section, const std::string& path);

  /// Complains about the needed keys that `n` lacks, and those of the sections in it. `at` is where the
  /// section is named.
  void needed(const node& n, std::string_view section, const std::string& path, const place& at);

private:
  void unknown(const entry& e, std::string_view section, const std::string& path);
  void value(const entry& e, const field& f, const std::string& path);
  void single(const node& n, const field& f, const std::string& path);
  void actors(const node& n);
  void handler(const entry& e, const field& f, const std::string& path);
  void map_of(const node& n, const field& f, const std::string& path);
  void several(const node& n, const field& f, const std::string& path);

  const inputs& from_;
  problem_list& problems_;
};

} // namespace troupe::config
