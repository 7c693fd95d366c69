#include "apps/command/dlq.hpp"

#include "apps/command/dlq_verbs.hpp"
#include "apps/command/exit_code.hpp"
#include "apps/command/run.hpp"
#include "engine/core/time.hpp"
#include "engine/kafka/admin.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <set>

namespace troupe {
namespace {

constexpr milliseconds ask_timeout{10'000};

void add_connection(CLI::App& to, dlq_arguments& into) {
  to.add_option("-c,--config", into.files, "The actors' config files: whose dead letters, and where Kafka is")
      ->type_name("FILE");
  to.add_option("--set", into.set, "Override a key of the config")->type_name("KEY=VALUE");
  to.add_option("--brokers", into.brokers, "Without a config: Kafka's addresses, separated by commas")
      ->envname("KAFKA_BROKERS")
      ->capture_default_str();
  to.add_option("--property", into.properties, "Without a config: a property of librdkafka (TLS, SASL, …)")
      ->type_name("NAME=VALUE");
  to.add_flag("--json", into.json, "JSON on standard output");
}

void add_filters(CLI::App& to, dlq_arguments& into) {
  to.add_option(
        "--where", into.where,
        "FIELD=VALUE, FIELD!=VALUE or FIELD~TEXT, all of them; a field is topic, partition, offset, key, "
        "value or a header: error, error-class, actor, attempts, original-topic, …")
      ->type_name("CONDITION");
  to.add_option("--since", into.since, "Died so long ago at most: 30m, 48h; or at a time or later")
      ->type_name("AGE");
  to.add_option("--max", into.most, "No more than so many")->check(CLI::PositiveNumber)->type_name("N");
}

void add_action(CLI::App& to, dlq_arguments& into) {
  to.add_option("TOPIC", into.topics, "Topics of dead letters, or single ones as topic/partition/offset")
      ->required();
  add_connection(to, into);
  add_filters(to, into);
  to.add_option("--rate", into.rate, "No more than so many a second")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  to.add_flag("--dry-run", into.dry_run, "Only say what would be done");
  to.add_flag("--yes", into.yes, "Do not ask");
}

result<dlq_scene> scene_of(const dlq_arguments& from, const handlers& h, int& code) {
  dlq_scene scene;
  if (!from.files.empty()) {
    run_arguments config;
    config.files = from.files;
    config.set = from.set;
    auto loaded = load_or_complain(config, h);
    code = exit_code::config;
    if (!loaded) return error{errc::bad_config, "the config has errors"};
    const auto& k = loaded->kafka;
    if (k.embedded())
      return error{errc::usage, "kafka.brokers is embedded: that broker lives and dies with the process that "
                                "runs the actors; its dead letters can only be read on a real one"};
    scene.kafka = {k.brokers, k.properties, k.consumer, k.producer, false};
    scene.config = std::move(loaded);
    return scene;
  }
  if (!from.set.empty()) return error{errc::usage, "--set needs a config: name it by --config"};
  scene.kafka.brokers = from.brokers;
  for (const auto& property : from.properties) {
    const auto equals = property.find('=');
    if (equals == std::string::npos || equals == 0)
      return error{errc::usage, "--property " + property + ": write NAME=VALUE"};
    scene.kafka.common[property.substr(0, equals)] = property.substr(equals + 1);
  }
  return scene;
}

result<deadletters::filter> filter_of(const dlq_arguments& from) {
  deadletters::filter which;
  for (const auto& text : from.where) {
    auto condition = deadletters::condition::parse(text);
    if (!condition) return error{errc::usage, "--where " + condition.failure().detail};
    which.where.push_back(std::move(*condition));
  }
  if (from.since.empty()) return which;
  auto since = deadletters::parse_since(from.since, wall_ms());
  if (!since) return error{errc::usage, "--since " + since.failure().detail};
  which.since = std::move(*since);
  return which;
}

/// Those that exist: named, of the config's actors, or all that are called so.
result<std::set<std::string>> topics_to_list(const dlq_arguments& from, const dlq_scene& in) {
  if (!from.topics.empty()) return std::set<std::string>{from.topics.begin(), from.topics.end()};
  auto admin = kafka::admin::open(in.kafka);
  if (!admin) return admin.failure();
  const auto there = (*admin)->topics(ask_timeout);
  if (!there) return there.failure();
  std::set<std::string> all;
  const auto add_like = [&](const std::string& end) {
    for (const auto& [topic, partitions] : *there)
      if (topic.ends_with(end)) all.insert(topic);
  };
  if (!in.config) {
    add_like(".dlq");
    return all;
  }
  for (const auto& a : in.config->actors) {
    const auto* w = std::get_if<config::worker_actor>(&a.kind);
    if (!w) continue;
    if (!w->dlq.topic.empty())
      all.insert(w->dlq.topic);
    else if (w->consume.is_pattern())
      add_like(config::default_dlq("", a.name));
    else
      for (const auto& topic : w->consume.topics)
        all.insert(config::default_dlq(topic, a.name));
  }
  std::erase_if(all, [&](const std::string& topic) { return !there->contains(topic); });
  return all;
}

} // namespace

CLI::App* add_dlq(CLI::App& to, dlq_arguments& into) {
  using verb = dlq_arguments::verb;
  auto* all = to.add_subcommand("dlq", "Dead letters: list, inspect, bring back, or lay to rest");
  all->require_subcommand(1);
  const auto add = [&](const char* name, const char* what, verb means) {
    auto* one = all->add_subcommand(name, what);
    one->parse_complete_callback([&into, means] { into.what = means; });
    return one;
  };
  auto* ls = add("ls", "Topics of dead letters, what is open in them, and of which causes", verb::ls);
  ls->add_option("TOPIC", into.topics,
                 "Which; otherwise those of the config's actors, or without a config all that end in .dlq");
  add_connection(*ls, into);
  add_filters(*ls, into);
  ls->add_flag("--each", into.each, "Every open letter by itself, instead of the causes");

  auto* show = add("show", "One dead letter, whole", verb::show);
  show->add_option("LETTER", into.topics, "TOPIC PARTITION OFFSET, or topic/partition/offset")->required();
  add_connection(*show, into);

  auto* edit = add("edit", "Have its actor handle a copy with another value; the letter stays", verb::edit);
  edit->add_option("LETTER", into.topics, "TOPIC PARTITION OFFSET, or topic/partition/offset")->required();
  add_connection(*edit, into);
  edit->footer(
      "The value is read from standard input, to its end: troupe dlq edit t.a.dlq/0/17 < mended.json");

  auto* replay = add("replay", "Have their actor, and no other, handle them again", verb::replay);
  add_action(*replay, into);
  replay->add_flag("--to-source", into.to_source,
                   "Into the source topic instead, where every group sees them; asks for the topic's name");
  replay->add_flag("--force", into.force, "Also what was replayed three times or more");

  add_action(
      *add("discard", "Mark them as done with; their bytes stay until the topic's retention", verb::discard),
      into);
  return all;
}

int dlq(const dlq_arguments& from, const handlers& h) {
  int code = exit_code::usage;
  const auto complain = [&](const error& why, int with) {
    std::fprintf(stderr, "troupe dlq: %s\n", why.detail.c_str());
    return with;
  };
  auto scene = scene_of(from, h, code);
  if (!scene)
    return scene.failure().code == errc::bad_config ? code // it was shown with its places
                                                    : complain(scene.failure(), exit_code::usage);
  auto which = filter_of(from);
  if (!which) return complain(which.failure(), exit_code::usage);
  auto archive = deadletters::archive::open(scene->kafka);
  if (!archive) return complain(archive.failure(), exit_code::of(archive.failure()));

  result<int> answer = exit_code::done;
  switch (from.what) {
  case dlq_arguments::verb::ls: {
    const auto topics = topics_to_list(from, *scene);
    answer = topics ? list_letters(from, **archive, *topics, *which) : result<int>{topics.failure()};
    break;
  }
  case dlq_arguments::verb::show:
    answer = show_letter(from, **archive);
    break;
  case dlq_arguments::verb::edit:
    answer = edit_letter(from, *scene, **archive);
    break;
  case dlq_arguments::verb::replay:
  case dlq_arguments::verb::discard:
    answer = resolve_letters(from, *scene, **archive, *which);
  }
  return answer ? *answer : complain(answer.failure(), exit_code::of(answer.failure()));
}

} // namespace troupe
