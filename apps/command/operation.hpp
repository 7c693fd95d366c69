#pragma once

#include "engine/config/model.hpp"
#include "engine/core/result.hpp"
#include "engine/handler/handler.hpp"
#include "engine/redis/client.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace troupe {

/// What the commands have in common that look at running processes or act on them: which app, and where its
/// Redis and Kafka are.
struct operation_arguments {
  std::vector<std::string> files; ///< none: the one config file of the current folder
  std::vector<std::string> set;
  bool json = false;

  /// `positional`: files may be given without -c.
  void add_to(CLI::App& to, bool positional);
  /// The same without --json.
  void add_files_to(CLI::App& to, bool positional);
};

/// A config, or the exit code; what is wrong has been said.
struct loaded_app {
  std::optional<config::settings> settings;
  int exit_code = 0;
};
loaded_app load_app(const operation_arguments& from, const handlers& h);

/// Says what is wrong on standard error and gives the exit code.
int complain(const std::string& command, const error& what);
/// The Redis that the processes write to; the text of a failure names the remedy.
result<std::shared_ptr<redis::client>> open_redis(const config::settings& s);

/// Whether the screen may be coloured: NO_COLOR is heard.
bool colour_on(int descriptor);

} // namespace troupe
