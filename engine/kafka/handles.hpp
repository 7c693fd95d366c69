#pragma once

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <memory>

namespace troupe::kafka {

// Private to this folder: librdkafka's handles with their way of ending as part of the type.
template <auto F>
struct c_delete {
  void operator()(auto* p) const noexcept { F(p); }
};

using conf_ptr = std::unique_ptr<rd_kafka_conf_t, c_delete<rd_kafka_conf_destroy>>;
using client_ptr = std::unique_ptr<rd_kafka_t, c_delete<rd_kafka_destroy>>;
using queue_ptr = std::unique_ptr<rd_kafka_queue_t, c_delete<rd_kafka_queue_destroy>>;
using event_ptr = std::unique_ptr<rd_kafka_event_t, c_delete<rd_kafka_event_destroy>>;
using list_ptr =
    std::unique_ptr<rd_kafka_topic_partition_list_t, c_delete<rd_kafka_topic_partition_list_destroy>>;
using topic_ptr = std::unique_ptr<rd_kafka_topic_t, c_delete<rd_kafka_topic_destroy>>;
using headers_ptr = std::unique_ptr<rd_kafka_headers_t, c_delete<rd_kafka_headers_destroy>>;
using kafka_error_ptr = std::unique_ptr<rd_kafka_error_t, c_delete<rd_kafka_error_destroy>>;
using metadata_ptr = std::unique_ptr<const rd_kafka_metadata_t, c_delete<rd_kafka_metadata_destroy>>;
using new_topic_ptr = std::unique_ptr<rd_kafka_NewTopic_t, c_delete<rd_kafka_NewTopic_destroy>>;
using admin_options_ptr = std::unique_ptr<rd_kafka_AdminOptions_t, c_delete<rd_kafka_AdminOptions_destroy>>;
using mock_ptr = std::unique_ptr<rd_kafka_mock_cluster_t, c_delete<rd_kafka_mock_cluster_destroy>>;

} // namespace troupe::kafka
