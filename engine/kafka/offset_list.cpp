#include "engine/kafka/offset_list.hpp"

#include <cstdlib>
#include <cstring>

namespace troupe::kafka {

list_ptr to_list(const std::vector<commit_request>& requests) {
  list_ptr list{rd_kafka_topic_partition_list_new(static_cast<int>(requests.size()))};
  for (const auto& [where, offset, metadata] : requests) {
    auto* one = rd_kafka_topic_partition_list_find(list.get(), where.topic.c_str(), where.partition);
    if (!one) one = rd_kafka_topic_partition_list_add(list.get(), where.topic.c_str(), where.partition);
    one->offset = offset;
    std::free(one->metadata);
    one->metadata = nullptr;
    one->metadata_size = metadata.size();
    if (metadata.empty()) continue;
    one->metadata = std::malloc(metadata.size()); // librdkafka frees it
    if (one->metadata) std::memcpy(one->metadata, metadata.data(), metadata.size());
  }
  return list;
}

} // namespace troupe::kafka
