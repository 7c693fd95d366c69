#include "tests/engine/config/fixture.hpp"

#include "engine/config/fields.hpp"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace troupe::config {
namespace {

/// What the file holds. With TROUPE_REGENERATE=1 it is written first.
std::string file(const std::string& name, const std::string& generated) {
  const auto path = std::string{TROUPE_SOURCE_DIR} + "/" + name;
  if (std::getenv("TROUPE_REGENERATE")) std::ofstream{path} << generated;
  std::ifstream in{path};
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(ConfigDocuments, the_schema_file_is_what_the_table_makes) {
  EXPECT_TRUE(file("config/troupe.schema.json", json_schema()) == json_schema())
      << "config/troupe.schema.json is not up to date: run TROUPE_REGENERATE=1 test_config";
}

TEST(ConfigDocuments, the_reference_is_what_the_table_makes) {
  EXPECT_TRUE(file("docs/config.md", markdown_reference()) == markdown_reference())
      << "docs/config.md is not up to date: run TROUPE_REGENERATE=1 test_config";
}

TEST(ConfigDocuments, the_schema_closes_every_section_and_explains_every_key) {
  const auto schema = nlohmann::json::parse(json_schema());
  EXPECT_EQ(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
  std::size_t seen = 0;
  const auto walk = [&](const auto& self, const nlohmann::json& at) -> void {
    if (at.is_object() && at.contains("additionalProperties") && at.contains("properties")) {
      EXPECT_EQ(at.value("additionalProperties", true), false) << at.dump();
      for (const auto& [name, property] : at["properties"].items()) {
        ++seen;
        EXPECT_TRUE(property.contains("description") &&
                    !property["description"].template get<std::string>().empty())
            << name;
      }
    }
    for (const auto& below : at)
      if (below.is_structured()) self(self, below);
  };
  walk(walk, schema);
  EXPECT_GE(seen, fields().size());
}

TEST(ConfigDocuments, the_table_has_no_key_twice_and_no_section_without_keys) {
  for (const auto& f : fields()) {
    EXPECT_EQ(find_field(f.section, f.name), &f) << f.section << "." << f.name;
    EXPECT_FALSE(f.sentence.empty()) << f.name;
    EXPECT_TRUE(f.is != type::section || !fields_of(section_of(f)).empty()) << f.name;
    const bool measured =
        f.is == type::count || f.is == type::duration || f.is == type::size || f.is == type::ratio;
    EXPECT_TRUE(!measured || f.low < f.high || f.name == "version") << f.section << "." << f.name;
  }
}

TEST(ConfigDocuments, every_default_is_what_the_checks_would_take) {
  for (const auto& f : fields()) {
    if (f.fallback.empty() || !f.section.starts_with("actor.") || f.section.starts_with("actor.ingest"))
      continue;
    const auto section = std::string{f.section.substr(6)};
    std::string set = "defaults." + section + "." + std::string{f.name};
    auto from = from_text(inventory_with("publish: { topic: out }"));
    from.set = {{set, std::string{f.fallback}}};
    EXPECT_TRUE(load(from).config) << set << testing::PrintToString(told(load(from)));
  }
}

} // namespace
} // namespace troupe::config
