#pragma once

#include "engine/config/model.hpp"
#include "engine/state/control.hpp"
#include "engine/state/reader.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

/// What `troupe pool` and the dashboard have in common: orders to the pools of an actor in all processes.
namespace troupe {

/// How long answers are waited for.
constexpr milliseconds order_patience{5000};

/// Why it cannot be done, by the file.
std::optional<std::string> objection(const config::settings& s, const std::string& action,
                                     const std::string& actor, const std::optional<unsigned>& workers);
state::order new_order(const std::string& action, const std::string& actor, std::optional<unsigned> workers,
                       const std::string& by);
/// Who should answer.
std::vector<std::string> live_instances(const state::overview& o);
/// Whether all of these have answered.
bool all_answered(const std::map<std::string, state::answer>& answers, const std::vector<std::string>& of);
/// How many of these did it.
std::size_t done_in(const std::map<std::string, state::answer>& answers, const std::vector<std::string>& of);
/// For the audit: "2 of 3 processes did it".
std::string outcome_of(const std::map<std::string, state::answer>& answers,
                       const std::vector<std::string>& of);

} // namespace troupe
