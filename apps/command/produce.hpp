#pragma once

#include <string>
#include <vector>

namespace troupe {

struct produce_arguments {
  std::string topic;
  std::string brokers = "localhost:9092";
  std::vector<std::string> properties; ///< of librdkafka, name=value
  std::string separator;               ///< what stands between key and value; empty: lines have no key
  std::string key_at;                  ///< or the JSON pointer of the key in the line
};

/// Publishes each line of standard input and waits for the broker's acknowledgements (acks=all). The exit
/// code; a line that cannot be an event ends it, after what came before was acknowledged.
int produce(const produce_arguments& from);

} // namespace troupe
