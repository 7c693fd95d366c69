#pragma once

#include "engine/core/record.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe::flow {

/// What one finished event leaves to be published: its events, or its dead letter.
struct held_output {
  record_ptr event;
  unsigned attempts = 1;
  /// Shared with the transaction that carries them, which may outlive the assignment.
  std::shared_ptr<const std::vector<outgoing>> events;
  std::string dead_as; ///< class of the error; empty: no dead letter
  /// Of a dead letter that was too large: what is in the envelope, and how much of its payload is shown.
  std::shared_ptr<const std::vector<outgoing>> enveloped = {};
  std::size_t envelope_head = 0;

  /// What they count in the window.
  [[nodiscard]] std::size_t bytes() const;
};

/// Of one partition during one assignment: what finished events leave to be published, until the transaction
/// that carries it and the offset after it has committed.
class held_outputs {
public:
  /// In any order; a second one of the same event takes the first one's place.
  void hold(held_output output);
  /// Those of the events below `position`, in offset order. They stay held.
  [[nodiscard]] std::vector<held_output> below(std::int64_t position) const;
  /// A transaction has committed up to here.
  void committed(std::int64_t position);
  /// What is held of the event at this offset, in bytes; 0 where nothing is.
  [[nodiscard]] std::size_t bytes_of(std::int64_t offset) const;
  [[nodiscard]] std::size_t size() const { return by_offset_.size(); }

private:
  std::map<std::int64_t, held_output> by_offset_;
};

} // namespace troupe::flow
