#include "apps/command/command.hpp"

#include "apps/command/completion.hpp"
#include "apps/command/dlq.hpp"
#include "apps/command/exit_code.hpp"
#include "apps/command/online_check.hpp"
#include "apps/command/operations.hpp"
#include "apps/command/produce.hpp"
#include "apps/command/run.hpp"
#include "apps/command/version.hpp"
#include "engine/config/load.hpp"
#include "engine/config/topology.hpp"
#include "engine/kafka/connection.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>

// jemalloc reads this, and after it the environment's MALLOC_CONF. What a burst of fetches left is given back
// a second later instead of ten.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "dirty_decay_ms:1000";
}

namespace troupe {
namespace {

constexpr const char* footer =
    R"(Exit codes: 0 done (a drained SIGTERM too), 1 a check failed, 64 usage, 69 Kafka or Redis unavailable,
70 a bug, 75 drain deadline passed, 78 config, 130 interrupted.)";

void add_files(CLI::App& to, run_arguments& from) {
  to.add_option("FILE", from.files, "Actor config files; actor names are unique over all of them")
      ->required();
  to.add_option("--set", from.set,
                "Override a key: actors.inventory.pool.workers=16 (wins over TROUPE_… and the files)")
      ->type_name("KEY=VALUE");
}

int check(const run_arguments& from, const handlers& h, bool online) {
  const auto settings = load_or_complain(from, h);
  if (!settings) return exit_code::config;
  if (online) {
    const int answer = check_online(*settings);
    if (answer != exit_code::done) return answer;
  }
  std::printf("%zu actor%s, no errors\n", settings->actors.size(), settings->actors.size() == 1 ? "" : "s");
  return exit_code::done;
}

int graph(const run_arguments& from, const handlers& h, bool as_json) {
  const auto settings = load_or_complain(from, h);
  if (!settings) return exit_code::config;
  const auto all = config::topology_of(*settings);
  std::fputs((as_json ? config::topology_json(all) : config::mermaid(all)).c_str(), stdout);
  return exit_code::done;
}

int print_completion(const CLI::App& app, const std::string& shell) {
  const auto script = completion_script(app, shell);
  if (script) {
    std::fputs(script->c_str(), stdout);
    return exit_code::done;
  }
  std::fprintf(stderr, "troupe completion: %s\n", script.failure().detail.c_str());
  return exit_code::usage;
}

} // namespace

int command(int argc, char** argv, const handlers& h, const std::vector<subcommand>& further,
            const std::vector<dashboard::panel>& panels) {
  CLI::App app{"Troupe: actors that process Kafka events from a config file.\n"
               "Nothing lost, nothing counted twice, order kept per key, memory bounded.",
               "troupe"};
  app.footer(footer);
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string{version});

  run_arguments from;
  auto* run_command = app.add_subcommand("run", "Run the actors of one or more config files");
  add_files(*run_command, from);
  run_command
      ->add_option("--rebuild", from.rebuild,
                   "Aggregates that forget their counts and count again from the log")
      ->type_name("ACTOR");
  run_command
      ->add_option(
          "--adopt", from.adopt,
          "Aggregates that go on with their counts although what they count changed, or their log begins "
          "anew")
      ->type_name("ACTOR");
  run_command->add_flag("--watch", from.watch, "Read the files again whenever they change, as on SIGHUP");
  run_command
      ->add_option("--log-format", from.log_format,
                   "auto (human on a terminal, JSON otherwise), human or json")
      ->check(CLI::IsMember({"auto", "human", "json"}));
  run_command
      ->add_option("--log-level", from.log_level, "debug, info, warning or error; wins over the config's")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));

  bool online = false;
  auto* check_command =
      app.add_subcommand("check", "Check config files: all problems at once, each with its place");
  add_files(*check_command, from);
  check_command->add_flag("--online", online, "Also ask Kafka and Redis");

  produce_arguments produce_from;
  auto* produce_command =
      app.add_subcommand("produce", "Publish each line of standard input, acknowledged by the brokers");
  produce_command->add_option("TOPIC", produce_from.topic, "Where to")->required();
  produce_command
      ->add_option("--brokers", produce_from.brokers, "Kafka's addresses, host:port, separated by commas")
      ->envname("KAFKA_BROKERS")
      ->capture_default_str();
  produce_command
      ->add_option("--property", produce_from.properties, "A property of librdkafka (TLS, SASL, …)")
      ->type_name("NAME=VALUE");
  produce_command
      ->add_option("--key-separator", produce_from.separator,
                   "What stands between key and value; the first one in a line counts")
      ->type_name("TEXT");
  produce_command->add_option("--key-at", produce_from.key_at, "JSON pointer of the key in a line of JSON")
      ->type_name("POINTER");

  dlq_arguments dlq_from;
  auto* dlq_command = add_dlq(app, dlq_from);

  bool graph_json = false;
  auto* graph_command = app.add_subcommand("graph", "Print who reads and writes what, as Mermaid");
  add_files(*graph_command, from);
  graph_command->add_flag("--json", graph_json, "JSON instead");

  std::string shell;
  auto* completion_command =
      app.add_subcommand("completion", "Print a script that completes this command in a shell");
  completion_command->add_option("SHELL", shell, "bash, zsh or fish")->required();

  auto* schema_command = app.add_subcommand("schema", "Print the JSON Schema of the config file");
  auto* version_command = app.add_subcommand("version", "Print the versions of troupe and of librdkafka");

  auto others = operations(h, panels);
  others.insert(others.end(), further.begin(), further.end());
  std::vector<CLI::App*> own;
  for (const auto& f : others) {
    own.push_back(app.add_subcommand(f.name, f.description));
    f.options(*own.back());
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& e) {
    return app.exit(e);
  } catch (const CLI::CallForAllHelp& e) {
    return app.exit(e);
  } catch (const CLI::CallForVersion& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    app.exit(e);
    return exit_code::usage;
  }
  for (std::size_t i = 0; i < own.size(); ++i)
    if (*own[i]) return others[i].run();
  if (*run_command) return run(from, h, panels);
  if (*check_command) return check(from, h, online);
  if (*produce_command) return produce(produce_from);
  if (*graph_command) return graph(from, h, graph_json);
  if (*completion_command) return print_completion(app, shell);
  if (*dlq_command) return dlq(dlq_from, h);
  if (*schema_command) {
    std::fputs(config::json_schema().c_str(), stdout);
    return exit_code::done;
  }
  if (*version_command) std::printf("troupe %s (librdkafka %s)\n", version, kafka::library_version().c_str());
  return exit_code::done;
}

} // namespace troupe
