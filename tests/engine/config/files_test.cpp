#include "tests/engine/config/fixture.hpp"

#include <filesystem>
#include <fstream>

#include <unistd.h>

namespace troupe::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const std::string load_actor = "actors: { load: { generate: { topic: t, value: v } } }\n";

inputs two(const std::string& a, const std::string& b) {
  auto from = from_text(a);
  from.files[0].file = "a.yaml";
  from.files.push_back({"b.yaml", b});
  return from;
}

TEST(ConfigFiles, several_are_one_in_their_order) {
  const auto s = good(load(two(head + inventory, "version: 1\n" + load_actor + "log: { level: debug }\n")));
  ASSERT_EQ(s.actors.size(), 2U);
  EXPECT_EQ(s.actors[0].where, "a.yaml:4");
  EXPECT_EQ(s.actors[1].where, "b.yaml:2");
  EXPECT_EQ(s.log_level, "debug");
}

TEST(ConfigFiles, actor_names_are_unique_over_all) {
  const auto l = load(two(head + inventory, inventory));
  EXPECT_THAT(
      told(l),
      ElementsAre(
          "b.yaml:2:3: the actor 'inventory' is already in a.yaml:4; names are unique over all files"));
}

TEST(ConfigFiles, a_section_in_two_files_must_be_equal) {
  EXPECT_TRUE(load(two(head + inventory + "log: { level: debug }\n",
                       head + load_actor + "log:\n  level: \"debug\"\n"))
                  .config);
  const auto l =
      load(two(head + inventory + "log: { level: debug }\n", load_actor + "log: { level: info }\n"));
  EXPECT_THAT(
      told(l),
      ElementsAre("b.yaml:2:1: 'log' says something else than in a.yaml:7; keep it in one file, or equal"));
}

TEST(ConfigFiles, one_that_cannot_be_read_as_yaml_does_not_hide_the_problems_of_another) {
  const auto l = load(two("actors: [\n", "version: 1\nretires: 5\n"));
  EXPECT_THAT(told(l), ElementsAre(StartsWith("a.yaml:"), StartsWith("b.yaml:2:1: unknown key 'retires'")));
}

TEST(ConfigFiles, a_version_in_any_file_must_be_1) {
  EXPECT_TRUE(load(two(head + inventory, load_actor)).config);
  EXPECT_FALSE(load(two(head + inventory, "version: 2\n" + load_actor)).config);
}

TEST(ConfigFiles, defaults_go_under_every_actor_that_they_fit) {
  const auto s = good(load_text(head + R"(
defaults: { retry: { attempts: 9, jitter: 0 }, deadline: 8s, consume: { window: 5 } }
actors:
  a:
    consume: { topic: t, group: a }
    handler: ecommerce.checkout
    retry: { attempts: 2 }
  b:
    consume: { topic: t, group: b, window: 6 }
    aggregate: { count_by: /x, into: "n:{value}" }
  c:
    generate: { topic: t, value: v }
)"));
  const auto& a = std::get<worker_actor>(s.actors.at(0).kind);
  EXPECT_EQ(a.retry.attempts, 2U);
  EXPECT_EQ(a.retry.jitter, 0);
  EXPECT_EQ(a.deadline, 8s);
  EXPECT_EQ(a.consume.window, 5U);
  EXPECT_EQ(std::get<aggregate_actor>(s.actors.at(1).kind).consume.window, 6U);
}

TEST(ConfigFiles, a_default_handler_gives_way_as_a_whole) {
  const auto text = head + "defaults: { handler: { simulate: { latency: 5ms } } }\nactors:\n"
                           "  a: { consume: { topic: t, group: a }, handler: { http: 'http://h' } }\n"
                           "  b: { consume: { topic: t, group: b } }\n"
                           "  c: { generate: { topic: t, value: v } }\n";
  const auto s = good(load_text(text));
  EXPECT_EQ(std::get<http_handler>(std::get<worker_actor>(s.actors.at(0).kind).handler).url, "http://h");
  EXPECT_EQ(std::get<simulate_handler>(std::get<worker_actor>(s.actors.at(1).kind).handler).latency, 5ms);
}

TEST(ConfigFiles, a_wrong_default_is_told_once_and_where_it_stands) {
  const auto l = load_text(head + "defaults: { deadline: 30 }\n" + inventory);
  EXPECT_EQ(only(l), "3:23+2 '30' is not a duration; write '30s'");
}

TEST(ConfigFiles, are_read_from_disk_and_a_missing_one_is_a_problem) {
  const auto folder = std::filesystem::temp_directory_path() /
                      ("troupe-config-" + std::to_string(::testing::UnitTest::GetInstance()->random_seed()) +
                       "-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const auto path = (folder / "shop.yaml").string();
  std::ofstream{path} << head << inventory;
  const auto fine =
      load_files({path}, {"actors.inventory.pool.workers=3"}, {"ecommerce.reserve_inventory"}, {});
  EXPECT_EQ(worker_of(fine).pool.workers, 3U);

  const auto missing =
      load_files({path, (folder / "none.yaml").string()}, {}, {"ecommerce.reserve_inventory"}, {});
  EXPECT_FALSE(missing.config);
  EXPECT_THAT(told(missing), ElementsAre(HasSubstr("none.yaml:0:0: the file can't be read: No such file")));
  EXPECT_THAT(told(load_files({folder.string()}, {}, {}, {})), ElementsAre(HasSubstr("is a folder")));
  EXPECT_THAT(told(load_files({path}, {"workers"}, {"ecommerce.reserve_inventory"}, {})),
              ElementsAre(HasSubstr("--set:0:0: 'workers' is not KEY=VALUE")));
  EXPECT_FALSE(load_files({}, {}, {}, {}).config);
  EXPECT_FALSE(load_files({}, {}, {}, {}).problems.empty());
  std::filesystem::remove_all(folder);
}

} // namespace
} // namespace troupe::config
