#pragma once

#include "apps/command/dlq.hpp"
#include "engine/config/model.hpp"
#include "engine/deadletters/archive.hpp"
#include "engine/deadletters/letter.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

/// What the subcommands of `troupe dlq` do.
namespace troupe {

struct dlq_scene {
  kafka::connection kafka;
  std::optional<config::settings> config;
};

/// topic/partition/offset, or nothing.
std::optional<deadletters::origin> parse_place(std::string_view text);
/// The one letter that was named; errc::usage where that is no place.
result<deadletters::origin> named_letter(const dlq_arguments& from);

// Each answers an exit code, or the error it ends with.
result<int> list_letters(const dlq_arguments& from, deadletters::archive& in,
                         const std::set<std::string>& topics, const deadletters::filter& which);
result<int> show_letter(const dlq_arguments& from, deadletters::archive& in);
result<int> edit_letter(const dlq_arguments& from, const dlq_scene& scene, deadletters::archive& in);
result<int> resolve_letters(const dlq_arguments& from, const dlq_scene& scene, deadletters::archive& in,
                            const deadletters::filter& which);

} // namespace troupe
