#pragma once

#include "engine/handler/handler.hpp"

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace troupe {

struct dlq_arguments {
  enum class verb { ls, show, edit, replay, discard };
  verb what = verb::ls;
  std::vector<std::string> files, set; ///< of the config; none: by `brokers` alone
  std::string brokers = "localhost:9092";
  std::vector<std::string> properties; ///< of librdkafka, name=value
  std::vector<std::string> topics;     ///< for show and edit: the place of a letter
  std::vector<std::string> where;
  std::string since;
  std::size_t most = std::numeric_limits<std::size_t>::max();
  double rate = 0;
  bool each = false, json = false, dry_run = false, yes = false, to_source = false, force = false;
};

/// Adds `dlq` with its own subcommands; which of them was asked for is left in `into`.
CLI::App* add_dlq(CLI::App& to, dlq_arguments& into);

/// `troupe dlq`. The exit code.
int dlq(const dlq_arguments& from, const handlers& h);

} // namespace troupe
