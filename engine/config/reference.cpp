#include "engine/config/fields.hpp"
#include "engine/config/load.hpp"
#include "engine/config/values.hpp"

namespace troupe::config {
namespace {

constexpr std::string_view introduction = R"(# The config file

Every key there is, with its bounds and its default. This page is made from the table that the checks use
(`engine/config/fields.cpp`), as is the JSON Schema in `config/troupe.schema.json`, which editors understand when
the first line of a file is `# yaml-language-server: $schema=./troupe.schema.json`.

```yaml
version: 1
app: shop
actors:
  inventory:
    consume: { topic: order.placed, group: inventory-service }
    handler: { http: "http://localhost:8000/orders" }
```

## How values are written

- **Durations** have a unit: `500ms`, `5s`, `1.5s`, `1m`, `48h`. **Sizes** too: `512B`, `64KiB`, `16MiB`, `1GiB`, or
  decimal `KB`, `MB`, `GB`. **Ratios** are `0.2` or `20%`.
- **Variables**, in any value: `${VAR}`, `${VAR:-default}` where it is unset or empty, and `${file:/run/secrets/x}` for
  what a file holds (its last line end is left out). `$${` stands for `${` itself. What came from there is never printed.
- **Overrides**: `--set actors.inventory.pool.workers=16` on the command line, then
  `TROUPE_ACTORS__INVENTORY__POOL__WORKERS=16` in the environment, then the file, then the default. In a variable's name
  the case does not matter, `-` is `_`, and two of them separate; the names of librdkafka's properties have `_` for `.`.
  The value replaces what was there, a map or a list too: `--set 'actors.inventory.retry={attempts: 3}'`.
- **Several files** are read as one. Names of actors are unique over all of them; any other section stands in one file, or
  says the same in each.
- **Defaults**: `defaults` takes any key of an actor, and each actor gets those that fit its kind, where it does not say
  otherwise. Maps are merged deeply, lists and `handler` are taken whole.
- An actor's **kind** is the one key among `ingest`, `handler` (with `consume`), `aggregate` (with `consume`) and
  `generate`.

Unknown keys, keys written twice and values out of bounds are errors; all are shown at once, with their places.
Keys marked *live* change on reload without a restart.

## Keys
)";

/// A bar would end the cell, a backslash before it does not.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string between(const field& f, std::string (*written)(double)) {
  return f.low == f.high ? written(f.low) : written(f.low) + " to " + written(f.high);
}

std::string values_of(const field& f) {
  switch (f.is) {
  case type::count:
    return "number, " + between(f, written_number);
  case type::duration:
    return "duration, " + between(f, written_duration);
  case type::size:
    return "size, " + between(f, written_size);
  case type::ratio:
    return "ratio, " + between(f, written_number);
  case type::choice: {
    std::string all;
    for (const auto c : choices_of(f))
      all += (all.empty() ? "`" : ", `") + std::string{c} + "`";
    return all;
  }
  default:
    return std::string{type_name(f.is)};
  }
}

std::string kinds_of(const field& f) {
  if (f.fits == all_kinds) return {};
  std::string all;
  for (const auto k : {ingests, handles, aggregates, generates})
    if ((f.fits & k) != 0) all += (all.empty() ? "" : ", ") + std::string{kind_name(k)};
  return " For: " + all + ".";
}

std::string shown_path(std::string_view section) {
  constexpr std::string_view actor = "actor";
  if (section.empty()) return "At the top";
  if (!section.starts_with(actor)) return "`" + std::string{section} + "`";
  return "`actors.<name>" + std::string{section.substr(actor.size())} + "`";
}

} // namespace

std::string markdown_reference() {
  std::string out{introduction};
  std::string_view section = "-";
  for (const auto& f : fields()) {
    if (f.section != section) {
      section = f.section;
      out += "\n### " + shown_path(section) + "\n\n| key | value | default | |\n| --- | --- | --- | --- |\n";
    }
    out += "| `" + std::string{f.name} + "` | " + cell(values_of(f)) + " | ";
    out += f.fallback.empty() ? (f.needed ? "needed" : "") : "`" + cell(f.fallback) + "`";
    out += " | " + cell(f.sentence) + kinds_of(f) + (f.live ? " *Live.*" : "") + " |\n";
  }
  return out;
}

} // namespace troupe::config
