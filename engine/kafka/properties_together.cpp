#include "engine/kafka/properties_together.hpp"

#include "engine/kafka/consuming.hpp"
#include "engine/kafka/producing.hpp"

#include <array>

namespace troupe::kafka {
namespace {

bool is_of_security(const std::string& name) {
  return name.starts_with("ssl.") || name.starts_with("sasl.") || name.starts_with("enable.ssl.") ||
         name.starts_with("enable.sasl.") || name == "security.protocol";
}

/// Reaches nobody: there are no brokers to look for.
connection without_security(connection of) {
  for (auto* properties : {&of.common, &of.consumer, &of.producer})
    std::erase_if(*properties, [](const auto& one) { return is_of_security(one.first); });
  of.brokers.clear();
  return of;
}

void try_out(rd_kafka_type_t as, result<conf_ptr> conf, const char* section, std::vector<std::string>& out) {
  if (!conf) return; // each by itself is check_property's
  std::array<char, 512> why{};
  const client_ptr made{rd_kafka_new(as, conf->get(), why.data(), why.size())};
  if (made)
    (void)conf->release(); // the client owns it
  else
    out.push_back(std::string{section} + " (with kafka.properties and Troupe's own): " + why.data());
}

} // namespace

std::vector<std::string> check_together(const connection& to) {
  const auto with = without_security(to);
  std::vector<std::string> out;
  consumer_config reading;
  reading.connection = with;
  reading.group = "check";
  try_out(RD_KAFKA_CONSUMER, make_consumer_conf(reading), "kafka.consumer", out);
  try_out(RD_KAFKA_PRODUCER,
          make_producer_conf(with, "check", milliseconds{10'000}, false,
                             {{"acks", "all"}, {"enable.idempotence", "true"}}),
          "kafka.producer", out);
  return out;
}

} // namespace troupe::kafka
