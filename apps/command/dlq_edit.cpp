#include "apps/command/dlq_verbs.hpp"
#include "apps/command/exit_code.hpp"
#include "apps/command/operation.hpp"
#include "engine/core/user.hpp"
#include "engine/deadletters/edited_copy.hpp"
#include "engine/state/control.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <iostream>
#include <iterator>

#include <unistd.h>

namespace troupe {
namespace {

/// Into the audit, where the app keeps its state in Redis. The copy is sent by then: without an answer only
/// the entry is missing, which is said.
void tell_audit(const dlq_scene& scene, const std::string& letter, const std::string& target) {
  if (!scene.config || !scene.config->names_redis) return;
  const auto redis = open_redis(*scene.config);
  const auto noted = redis ? state::note(**redis, state::layout{scene.config->app}, {}, "dlq edit", letter,
                                         this_user(), "a copy went to " + target)
                           : result<void>{redis.failure()};
  if (!noted) std::fprintf(stderr, "it does not stand in the audit: %s\n", noted.failure().detail.c_str());
}

} // namespace

result<int> edit_letter(const dlq_arguments& from, const dlq_scene& scene, deadletters::archive& in) {
  const auto place = named_letter(from);
  if (!place) return place.failure();
  const auto found = in.find(place->where.topic, place->where.partition, place->offset);
  if (!found) return found.failure();
  if (isatty(STDIN_FILENO) != 0) std::fputs("the new value, ended by Ctrl-D:\n", stderr);
  std::string value{std::istreambuf_iterator<char>{std::cin}, {}};
  const auto target = deadletters::send_edited(scene.kafka, deadletters::routes{scene.config}, in, *found,
                                               std::move(value), this_user());
  if (!target && (target.failure().code == errc::refused || target.failure().code == errc::conflict)) {
    std::fprintf(stderr, "troupe dlq: %s\n", target.failure().detail.c_str());
    return exit_code::check_failed;
  }
  if (!target) return target.failure();
  tell_audit(scene, found->letter.id(), *target);
  if (from.json)
    std::printf("%s\n", nlohmann::ordered_json{{"schema", 1}, {"target", *target}}.dump().c_str());
  else
    std::printf("a copy of %s -> %s; the letter is still open\n", found->letter.id().c_str(),
                target->c_str());
  return exit_code::done;
}

} // namespace troupe
