#pragma once

#include "engine/config/model.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace troupe::config {

struct problem {
  std::string file;         ///< or "--set", or "environment"
  int line = 0, column = 0; ///< 1-based; 0 where there is no place
  bool warning = false;
  std::string text;      ///< what is wrong and what to do about it
  std::string source;    ///< the line it stands in
  std::size_t width = 1; ///< how many columns the caret underlines
};

struct source {
  std::string file; ///< the name shown
  std::string text;
};

struct inputs {
  std::vector<source> files;
  std::vector<std::pair<std::string, std::string>> set; ///< --set actors.inventory.pool.workers=16, in order
  std::map<std::string, std::string> environment;       ///< for ${VAR} and TROUPE_ACTORS__… overrides
  std::vector<std::string> handlers;                    ///< registered names, for `handler: name`
  /// Asks librdkafka about a property (kafka::check_property); injected, so that config knows no Kafka.
  /// section is "properties", "consumer" or "producer"; answers the complaint, or nothing.
  std::function<std::optional<std::string>(const std::string& section, const std::string& name,
                                           const std::string& value)>
      check_property;
};

struct loaded {
  std::optional<settings> config; ///< none if any problem is an error
  std::vector<problem> problems;  ///< all of them, in the order of the files
};

/// Parses, merges, interpolates, overrides, checks. Never throws on bad input.
loaded load(const inputs& from);

/// Reads the files (a file that can't be read is a problem of its own) and the process's environment.
loaded load_files(
    const std::vector<std::string>& paths, const std::vector<std::string>& set,
    const std::vector<std::string>& handlers,
    std::function<std::optional<std::string>(const std::string&, const std::string&, const std::string&)>
        check_property);

/// file:line:column: error: text, the line, a caret; all problems and a closing count. Colours where asked.
std::string show(const std::vector<problem>& problems, bool colour);

/// The JSON Schema of the config file, from the field table.
std::string json_schema();
/// The reference in Markdown, from the field table: what docs/config.md holds.
std::string markdown_reference();

} // namespace troupe::config
