#include "engine/kafka/embedded.hpp"

#include "engine/kafka/errors.hpp"

#include <array>
#include <utility>

namespace troupe::kafka {

struct embedded_broker::impl {
  client_ptr host; // the mock cluster lives in a client, and must go before it
  mock_ptr cluster;
};

embedded_broker::embedded_broker(std::unique_ptr<impl> made) : impl_{std::move(made)} {}
embedded_broker::~embedded_broker() = default;

result<std::unique_ptr<embedded_broker>> embedded_broker::start() {
  conf_ptr conf{rd_kafka_conf_new()};
  rd_kafka_conf_set_log_cb(conf.get(), nullptr);
  std::array<char, 512> why{};
  auto made = std::make_unique<impl>();
  made->host.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), why.data(), why.size()));
  if (!made->host)
    return error{errc::unavailable, std::string{"the embedded broker does not start: "} + why.data()};
  (void)conf.release(); // the client owns it from here

  made->cluster.reset(rd_kafka_mock_cluster_new(made->host.get(), 1));
  if (!made->cluster)
    return error{errc::unavailable, "the embedded broker does not start: no loopback port could be opened"};
  return std::unique_ptr<embedded_broker>{new embedded_broker{std::move(made)}};
}

std::string embedded_broker::bootstrap() const {
  return rd_kafka_mock_cluster_bootstraps(impl_->cluster.get());
}

result<void> embedded_broker::create_topic(const std::string& name, std::int32_t partitions) {
  if (partitions < 1) return error{errc::usage, "topic " + name + " needs at least one partition"};
  const auto code = rd_kafka_mock_topic_create(impl_->cluster.get(), name.c_str(), partitions, 1);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return {};
  return to_error(code, "creating topic " + name);
}

} // namespace troupe::kafka
