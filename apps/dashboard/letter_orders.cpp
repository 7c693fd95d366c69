#include "apps/dashboard/letter_orders.hpp"

#include "engine/flow/dead_letter.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <limits>

namespace troupe::dashboard {
namespace {

using deadletters::action;
using nlohmann::json;

error wrong(const std::string& field, const std::string& must) {
  return {errc::usage, "\"" + field + "\" must be " + must};
}

/// Takes the members out of an object, and remembers the first one that is not as it must be.
class members {
public:
  explicit members(const std::string& body) : all_(json::parse(body, nullptr, false)) {
    if (!all_.is_object()) wrong_ = error{errc::usage, "the body must be a JSON object"};
  }

  std::string text(const char* name, bool needed) {
    const auto* at = find(name);
    if (at && at->is_string()) return at->get<std::string>();
    if (at || needed) complain(name, "a string");
    return {};
  }
  bool flag(const char* name) {
    const auto* at = find(name);
    if (at && !at->is_boolean()) complain(name, "true or false");
    return at && at->is_boolean() && at->get<bool>();
  }
  std::optional<std::uint64_t> number(const char* name, std::uint64_t most, bool needed) {
    const auto* at = find(name);
    const auto n = at ? whole(*at, most) : std::nullopt;
    if (at ? !n : needed) complain(name, "a whole number from 0 to " + std::to_string(most));
    return n;
  }
  std::vector<std::string> texts(const char* name) {
    std::vector<std::string> found;
    const auto* at = find(name);
    if (!at) return found;
    const bool fits =
        at->is_array() && std::all_of(at->begin(), at->end(), [](const auto& t) { return t.is_string(); });
    if (!fits) return complain(name, "a list of strings"), found;
    return at->get<std::vector<std::string>>();
  }
  std::set<std::pair<std::int32_t, std::int64_t>> places(const char* name) {
    std::set<std::pair<std::int32_t, std::int64_t>> found;
    const auto* at = find(name);
    if (!at) return found;
    const auto say = [&] {
      complain(name, "a list of 1 to " + std::to_string(most_chosen) +
                         R"( letters, as {"partition": 0, "offset": 17})");
    };
    if (!at->is_array() || at->empty() || at->size() > most_chosen) return say(), found;
    for (const auto& one : *at) {
      const auto in = [&](const char* part, std::uint64_t most) {
        const auto there = one.is_object() ? one.find(part) : one.end();
        return one.is_object() && there != one.end() ? whole(*there, most) : std::nullopt;
      };
      const auto partition = in("partition", highest_partition), offset = in("offset", highest_offset);
      if (!partition || !offset) return say(), found;
      found.emplace(static_cast<std::int32_t>(*partition), static_cast<std::int64_t>(*offset));
    }
    return found;
  }
  void complain(const std::string& name, const std::string& must) {
    if (!wrong_) wrong_ = wrong(name, must);
  }
  [[nodiscard]] const std::optional<error>& trouble() const { return wrong_; }

  static constexpr std::uint64_t highest_partition = std::numeric_limits<std::int32_t>::max();
  static constexpr std::uint64_t highest_offset = std::numeric_limits<std::int64_t>::max();

private:
  const json* find(const char* name) {
    if (!all_.is_object()) return nullptr;
    const auto at = all_.find(name);
    return at == all_.end() || at->is_null() ? nullptr : &*at;
  }
  static std::optional<std::uint64_t> whole(const json& of, std::uint64_t most) {
    const auto* n = of.get_ptr<const json::number_unsigned_t*>();
    return n && *n <= most ? std::optional<std::uint64_t>{*n} : std::nullopt;
  }

  json all_;
  std::optional<error> wrong_;
};

} // namespace

result<deadletters::filter> read_filter(const std::vector<std::string>& where, const std::string& since,
                                        std::int64_t now_ms) {
  deadletters::filter which;
  if (where.size() > most_conditions)
    return error{errc::usage, "no more than " + std::to_string(most_conditions) + " conditions"};
  for (const auto& text : where) {
    auto condition = deadletters::condition::parse(text);
    if (!condition) return condition.failure();
    which.where.push_back(std::move(*condition));
  }
  if (since.empty()) return which;
  auto begin = deadletters::parse_since(since, now_ms);
  if (!begin) return begin.failure();
  which.since = std::move(*begin);
  return which;
}

result<letter_question> read_question(const std::multimap<std::string, std::string>& parameters,
                                      std::int64_t now_ms) {
  const auto one = [&](const char* name) {
    const auto at = parameters.find(name);
    return at == parameters.end() ? std::string{} : at->second;
  };
  std::vector<std::string> where;
  for (auto [at, end] = parameters.equal_range("where"); at != end; ++at)
    where.push_back(at->second);
  auto which = read_filter(where, one("since"), now_ms);
  if (!which) return which.failure();
  letter_question asked{one("topic"), std::move(*which), letters_shown, {}};
  if (const auto max = one("max"); !max.empty()) {
    const auto* end = max.data() + max.size();
    const auto [stop, fault] = std::from_chars(max.data(), end, asked.most);
    if (fault != std::errc{} || stop != end) return wrong("max", "a whole number");
    asked.most = std::min(asked.most, most_shown);
  }
  asked.text = asked.topic + '\n' + one("since") + '\n' + std::to_string(asked.most);
  for (const auto& condition : where)
    asked.text += '\n' + condition;
  return asked;
}

result<std::pair<std::int32_t, std::int64_t>> read_place(const std::string& partition,
                                                         const std::string& offset) {
  std::pair<std::int32_t, std::int64_t> place;
  const auto read = [](const std::string& text, auto& into) {
    const auto* end = text.data() + text.size();
    const auto [stop, fault] = std::from_chars(text.data(), end, into);
    return fault == std::errc{} && stop == end && into >= 0;
  };
  if (!read(partition, place.first)) return wrong("partition", "a whole number");
  if (!read(offset, place.second)) return wrong("offset", "a whole number");
  return place;
}

bool looks_at_deaths_only(const deadletters::filter& which) {
  return std::all_of(which.where.begin(), which.where.end(), [](const deadletters::condition& c) {
    return c.field == "topic" || c.field == "partition" || c.field == "offset" ||
           flow::is_dead_letter_header(c.field);
  });
}

result<letter_order> read_order(const std::string& body, std::int64_t now_ms) {
  members in{body};
  letter_order asked;
  asked.order.topic = in.text("topic", true);
  const auto action_name = in.text("action", true);
  if (action_name != "replay" && action_name != "discard") in.complain("action", "replay or discard");
  asked.order.what = action_name == "discard" ? action::discarded : action::replayed;
  asked.order.to_source = in.flag("to_source");
  asked.order.force = in.flag("force");
  asked.count = in.number("count", members::highest_offset, false);
  asked.typed = in.text("typed", false);
  const auto where = in.texts("where");
  const auto since = in.text("since", false);
  auto among = in.places("letters");
  if (in.trouble()) return *in.trouble();
  auto which = read_filter(where, since, now_ms);
  if (!which) return which.failure();
  asked.order.which = std::move(*which);
  asked.order.which.among = std::move(among);
  return asked;
}

result<letter_edit> read_edit(const std::string& body) {
  members in{body};
  letter_edit asked;
  asked.topic = in.text("topic", true);
  asked.partition =
      static_cast<std::int32_t>(in.number("partition", members::highest_partition, true).value_or(0));
  asked.offset = static_cast<std::int64_t>(in.number("offset", members::highest_offset, true).value_or(0));
  asked.value = in.text("value", true);
  if (in.trouble()) return *in.trouble();
  return asked;
}

} // namespace troupe::dashboard
