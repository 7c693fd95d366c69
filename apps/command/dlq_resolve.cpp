#include "apps/command/dlq_verbs.hpp"
#include "apps/command/exit_code.hpp"
#include "apps/command/operation.hpp"
#include "apps/command/progress_line.hpp"
#include "apps/command/signals.hpp"
#include "apps/command/words.hpp"
#include "engine/core/user.hpp"
#include "engine/deadletters/resolver.hpp"
#include "engine/state/control.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <mutex>
#include <thread>

#include <unistd.h>

namespace troupe {
namespace {

using deadletters::action;
using tree = nlohmann::ordered_json;

std::string messages(std::uint64_t n) {
  return words::count(n) + (n == 1 ? " message" : " messages");
}

std::string quoted(const std::string& argument) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view{"-_./:=,@+"}.find(c) != std::string_view::npos;
  };
  if (!argument.empty() && std::all_of(argument.begin(), argument.end(), plain)) return argument;
  std::string out = "'";
  for (const char c : argument)
    out += c == '\'' ? std::string{"'\\''"} : std::string{c};
  return out + '\'';
}

/// The same command once more. What is done is marked, so it goes on where this one ends.
std::string resume_command(const dlq_arguments& from, const deadletters::filter& which, std::uint64_t done) {
  std::string line =
      std::string{"troupe dlq "} + (from.what == dlq_arguments::verb::replay ? "replay" : "discard");
  const auto add = [&](const std::string& option, const std::string& value) {
    line += ' ' + option + ' ' + quoted(value);
  };
  for (const auto& topic : from.topics)
    line += ' ' + quoted(topic);
  for (const auto& file : from.files)
    add("--config", file);
  for (const auto& set : from.set)
    add("--set", set);
  if (from.files.empty()) add("--brokers", from.brokers);
  for (const auto& property : from.properties)
    add("--property", property);
  for (const auto& where : from.where)
    add("--where", where);
  if (!which.since.empty()) add("--since", which.since);
  if (from.most != dlq_arguments{}.most) add("--max", std::to_string(from.most - done));
  if (from.rate > 0) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%g", from.rate);
    add("--rate", text.data());
  }
  if (from.to_source) line += " --to-source";
  if (from.force) line += " --force";
  if (from.json) line += " --json";
  if (from.yes) line += " --yes";
  return line;
}

/// One order for each topic, and for each single letter.
std::vector<deadletters::order> orders_of(const dlq_arguments& from, const deadletters::filter& which) {
  std::vector<deadletters::order> all;
  for (const auto& text : from.topics) {
    deadletters::order one;
    one.topic = text;
    one.what = from.what == dlq_arguments::verb::replay ? action::replayed : action::discarded;
    one.which = which;
    one.to_source = from.to_source;
    one.force = from.force;
    if (const auto place = parse_place(text)) {
      one.topic = place->where.topic;
      one.which.among.emplace(place->where.partition, place->offset);
    }
    all.push_back(std::move(one));
  }
  return all;
}

void say_left_out(FILE* to, const std::map<std::string, std::uint64_t>& reasons) {
  for (const auto& [why, n] : reasons)
    std::fprintf(to, "skipped %s: %s\n", words::count(n).c_str(), why.c_str());
}

void say_plans(FILE* to, const std::vector<deadletters::plan>& plans) {
  for (const auto& p : plans) {
    if (p.order.what == action::discarded)
      std::fprintf(to, "%s of %s are marked as discarded; their bytes stay in Kafka until its retention\n",
                   messages(p.count()).c_str(), p.order.topic.c_str());
    else
      for (const auto& [topic, n] : p.counts)
        std::fprintf(to, "%s -> %s (%s)\n", messages(n).c_str(), topic.c_str(),
                     p.order.to_source ? "every group that reads it"
                                       : (p.targets.at(topic).actor + " only").c_str());
    say_left_out(to, p.left_out);
  }
}

bool answered(const std::string& question, const std::vector<std::string>& accepted) {
  std::fputs(question.c_str(), stderr);
  std::fflush(stderr);
  std::string line;
  return std::getline(std::cin, line) && std::find(accepted.begin(), accepted.end(), line) != accepted.end();
}

/// True where it may go on.
result<bool> confirmed(const dlq_arguments& from, const std::vector<deadletters::plan>& plans) {
  std::set<std::string> sources;
  if (from.to_source)
    for (const auto& p : plans)
      for (const auto& [topic, n] : p.counts)
        sources.insert(topic);
  if (sources.size() > 1)
    return error{errc::usage, "--to-source goes to one topic at a time, and these go to " +
                                  std::to_string(sources.size())};
  if (sources.empty() && from.yes) return true;
  if (isatty(STDIN_FILENO) == 0)
    return error{errc::usage,
                 sources.empty()
                     ? "there is no terminal to ask on; say --yes, or --dry-run to see what it would do"
                     : "--to-source is confirmed on a terminal, by the topic's name"};
  say_plans(stderr, plans);
  if (!sources.empty())
    return answered("Every group that reads " + *sources.begin() +
                        " handles them again. Type the topic's name to go on: ",
                    {*sources.begin()});
  return answered(from.what == dlq_arguments::verb::replay ? "Replay? [y/N] " : "Discard? [y/N] ",
                  {"y", "Y", "yes"});
}

tree json_of(const deadletters::plan& p, const deadletters::progress& done) {
  tree targets = tree::object(), left_out = tree::object();
  for (const auto& [topic, n] : p.counts)
    if (!topic.empty()) targets[topic] = n;
  for (const auto& [why, n] : done.left_out)
    left_out[why] = n;
  return {{"topic", p.order.topic},
          {"selected", p.count()},
          {"done", done.done},
          {"targets", std::move(targets)},
          {"skipped", std::move(left_out)}};
}

void print_json(const dlq_arguments& from, tree topics, bool interrupted) {
  const tree all{{"schema", 1},
                 {"action", from.what == dlq_arguments::verb::replay ? "replay" : "discard"},
                 {"dry_run", from.dry_run},
                 {"interrupted", interrupted},
                 {"topics", std::move(topics)}};
  std::printf("%s\n", all.dump(-1, ' ', false, tree::error_handler_t::replace).c_str());
}

/// Where the app keeps its state in Redis, the letters count as open no more. Their marks in Kafka are what
/// counts: without an answer only the figure is off, which is said.
void tell_state(const dlq_scene& scene, const deadletters::order& what, std::uint64_t count) {
  if (count == 0 || !scene.config || !scene.config->names_redis) return;
  const auto redis = open_redis(*scene.config);
  const auto noted =
      redis ? state::note_resolved(**redis, state::layout{scene.config->app}, what.topic, count,
                                   what.what == action::replayed ? "dlq replay" : "dlq discard", this_user())
            : result<std::int64_t>{redis.failure()};
  if (!noted)
    std::fprintf(stderr, "the count of open dead letters that `troupe status` shows was not lowered: %s\n",
                 noted.failure().detail.c_str());
}

/// Ctrl-C ends it after what is under way; a second one at once, which costs nothing either: what is not
/// committed was not done.
class interruption {
public:
  std::stop_token token() { return stop_.get_token(); }

private:
  std::stop_source stop_;
  signals incoming_;
  std::jthread listener_{[this](const std::stop_token& end) {
    const std::stop_callback wake{end, [this] { incoming_.wake(); }};
    while (!end.stop_requested()) {
      if (incoming_.wait(milliseconds{1000}) != signals::event::stop) continue;
      if (stop_.stop_requested()) std::_Exit(exit_code::interrupted);
      stop_.request_stop();
    }
  }};
};

} // namespace

result<int> resolve_letters(const dlq_arguments& from, const dlq_scene& scene, deadletters::archive& in,
                            const deadletters::filter& which) {
  deadletters::resolver resolver{scene.kafka, deadletters::routes{scene.config}};
  std::vector<deadletters::plan> plans;
  std::uint64_t count = 0;
  for (auto& order : orders_of(from, which)) {
    order.most = from.most - count;
    if (order.most == 0) break;
    auto made = resolver.make_plan(in, order);
    if (!made) return made.failure();
    count += made->count();
    plans.push_back(std::move(*made));
  }
  bool whole = std::all_of(plans.begin(), plans.end(), [](const auto& p) { return p.left_out.empty(); });
  const auto code = [&] { return whole ? exit_code::done : exit_code::check_failed; };
  if (from.dry_run || count == 0) {
    tree topics = tree::array();
    for (const auto& p : plans)
      topics.push_back(json_of(p, {0, p.count(), p.left_out}));
    if (from.json)
      print_json(from, std::move(topics), false);
    else if (count > 0)
      say_plans(stdout, plans);
    else
      say_left_out(stdout, plans.empty() ? std::map<std::string, std::uint64_t>{} : plans.front().left_out);
    if (count == 0) std::fputs("nothing open to be done\n", stderr);
    return code();
  }
  const auto go_on = confirmed(from, plans);
  if (!go_on) return go_on.failure();
  if (!*go_on) {
    std::fputs("nothing was done\n", stderr);
    return exit_code::check_failed;
  }

  interruption ctrl_c;
  tree topics = tree::array();
  std::uint64_t done = 0;
  std::optional<error> failure;
  for (const auto& p : plans) {
    deadletters::progress so_far;
    {
      progress_line line;
      const deadletters::pace how{from.rate, this_user(),
                                  [&](const deadletters::progress& now) { line.show(now); },
                                  [&](const std::string& what) { line.say(what); }};
      if (const auto ended = resolver.carry_out(in, p, how, ctrl_c.token(), so_far); !ended)
        failure = ended.failure();
    }
    tell_state(scene, p.order, so_far.done);
    done += so_far.done;
    whole = whole && so_far.left_out.empty();
    topics.push_back(json_of(p, so_far));
    if (!from.json) say_left_out(stderr, so_far.left_out);
    if (failure || ctrl_c.token().stop_requested()) break;
  }
  const bool interrupted = ctrl_c.token().stop_requested();
  if (from.json) print_json(from, std::move(topics), interrupted);
  std::fprintf(stderr, "%s of %s %s\n", words::count(done).c_str(), messages(count).c_str(),
               from.what == dlq_arguments::verb::replay ? "replayed" : "discarded");
  if (done < count && (interrupted || failure))
    std::fprintf(stderr, "%s; resume: %s\n", interrupted ? "Interrupted" : "It failed",
                 resume_command(from, which, done).c_str());
  if (failure && failure->code == errc::conflict) {
    std::fprintf(stderr, "troupe dlq: %s\n", failure->detail.c_str());
    return exit_code::check_failed;
  }
  if (failure) return *failure;
  return interrupted && done < count ? exit_code::interrupted : code();
}

} // namespace troupe
