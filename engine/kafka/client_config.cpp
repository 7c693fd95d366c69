#include "engine/kafka/client_config.hpp"

#include "engine/core/thread_cache.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string_view>

namespace troupe::kafka {

namespace {

/// librdkafka accepts a consumer's property on a producer without a word. Who heeds what stands only in
/// the table it prints.
std::map<std::string, property_scope> read_table() {
  std::map<std::string, property_scope> table;
  char* text = nullptr;
  std::size_t size = 0;
  FILE* out = open_memstream(&text, &size);
  if (!out) return table;
  rd_kafka_conf_properties_show(out);
  std::fclose(out);
  std::istringstream lines{std::string{text, size}};
  std::free(text);
  for (std::string line; std::getline(lines, line);) {
    const auto name_end = line.find(' ');
    const auto bar = line.find('|');
    if (name_end == std::string::npos || bar == std::string::npos || bar + 3 >= line.size()) continue;
    auto& scope = table[line.substr(0, name_end)];
    const char who = line[bar + 3];
    scope.consumer |= who == 'C' || who == '*';
    scope.producer |= who == 'P' || who == '*';
  }
  return table;
}

// Events come and go on the threads of brokers that have an id. As many again, or more, are for the client,
// for bootstrap addresses and coordinators; but the thread of a bootstrap address becomes the broker's own
// where that is advertised by the same name.

rd_kafka_resp_err_t thread_started(rd_kafka_t*, rd_kafka_thread_type_t, const char*, void*) {
  keep_thread_cache(false);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/// Once it is up, it is said on the broker's own thread. A coordinator, which may have the id, has no port.
rd_kafka_resp_err_t broker_changed(rd_kafka_t*, std::int32_t id, const char*, const char*, int port,
                                   const char* state, void*) {
  if (id >= 0 && port > 0 && std::string_view{state} == "UP") keep_thread_cache(true);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t client_made(rd_kafka_t* client, const rd_kafka_conf_t*, void*, char*, std::size_t) {
  rd_kafka_interceptor_add_on_thread_start(client, "troupe", thread_started, nullptr);
  return rd_kafka_interceptor_add_on_broker_state_change(client, "troupe", broker_changed, nullptr);
}

} // namespace

std::optional<property_scope> scope_of(const std::string& name) {
  static const auto table = read_table();
  const auto found = table.find(name);
  if (found == table.end()) return std::nullopt;
  return found->second;
}

result<void> set_property(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  std::array<char, 512> why{};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why.data(), why.size()) == RD_KAFKA_CONF_OK)
    return {};
  // Of an alias, it tells only the other name.
  std::string said{why.data()};
  return error{errc::bad_config, said.find(name) == std::string::npos ? name + ": " + said : said};
}

result<conf_ptr> make_conf(const connection& to, role as, const properties& ours,
                           const properties& promised) {
  conf_ptr conf{rd_kafka_conf_new()};
  // Logs are events of a queue, or nothing: never librdkafka's own writing to standard error.
  rd_kafka_conf_set_log_cb(conf.get(), nullptr);
  rd_kafka_conf_interceptor_add_on_new(conf.get(), "troupe", client_made, nullptr);
  // librdkafka's 10 s would be most of the time that work stands still after a broker's return.
  if (auto done = set_property(conf.get(), "reconnect.backoff.max.ms", "2000"); !done) return done.failure();

  for (const auto& [name, value] : ours) {
    if (!scope_of(name)) continue; // a property that only newer libraries have
    if (auto done = set_property(conf.get(), name, value); !done) return done.failure();
  }
  for (const auto* users : {&to.common, as == role::consumer ? &to.consumer : &to.producer}) {
    for (const auto& [name, value] : *users) {
      const auto scope = scope_of(name);
      // What only the other role heeds would make each client log a warning.
      if (scope && !(as == role::consumer ? scope->consumer : scope->producer)) continue;
      if (auto done = set_property(conf.get(), name, value); !done) return done.failure();
    }
  }
  for (const auto& [name, value] : promised) {
    if (auto done = set_property(conf.get(), name, value); !done) return done.failure();
  }
  if (auto done = set_property(conf.get(), "bootstrap.servers", to.brokers); !done) return done.failure();
  return conf;
}

} // namespace troupe::kafka
