#include "apps/video/events.hpp"

#include <nlohmann/json.hpp>

#include <limits>
#include <optional>
#include <string_view>

namespace video {
namespace {

using json = nlohmann::ordered_json;

/// One step of a path, and no hidden one.
bool is_plain(std::string_view text) {
  using namespace std::string_view_literals;
  return !text.empty() && text.front() != '.' && text.find_first_of("/\0"sv) == std::string_view::npos;
}

/// Takes the fields out of an event, and remembers the first one that is not as it must be.
class reader {
public:
  explicit reader(const troupe::record& event)
      // Braces would make it an array of one.
      : all_(nlohmann::json::parse(event.value.value_or(""), nullptr, /* throw */ false)) {
    if (all_.is_discarded())
      complain("the event is no JSON");
    else if (!all_.is_object())
      complain("the event is no JSON object");
  }

  [[nodiscard]] bool has(const char* name) const { return all_.is_object() && all_.contains(name); }

  std::string text(const char* name) {
    const auto* found = find(name);
    if (!found) return {};
    const auto* text = found->get_ptr<const std::string*>();
    if (text && !text->empty()) return *text;
    complain(std::string{name} + " must be a string that is not empty");
    return {};
  }

  /// A text that names a folder or a file.
  std::string plain_name(const char* name) {
    auto found = text(name);
    if (!is_plain(found)) complain(std::string{name} + " must be a plain name, not a path");
    return found;
  }

  std::vector<std::string> plain_names(const char* name) {
    const auto* found = find(name);
    if (!found) return {};
    std::vector<std::string> out;
    if (found->is_array())
      for (const auto& item : *found)
        if (const auto* one = item.get_ptr<const std::string*>(); one && is_plain(*one)) out.push_back(*one);
    if (!found->is_array() || out.size() != found->size())
      complain(std::string{name} + " must be an array of plain names");
    return out;
  }

  std::int64_t count(const char* name) {
    const auto* found = find(name);
    if (!found) return 0;
    const auto* number = found->get_ptr<const nlohmann::json::number_unsigned_t*>();
    if (number && *number <= std::numeric_limits<std::int64_t>::max())
      return static_cast<std::int64_t>(*number);
    complain(std::string{name} + " must be an integer, 0 or more");
    return 0;
  }

  template <class T>
  troupe::result<T> done(T value) {
    if (wrong_) return *wrong_;
    return value;
  }

  void complain(std::string what) {
    if (!wrong_) wrong_ = troupe::error{troupe::errc::refused, std::move(what)};
  }

private:
  const nlohmann::json* find(const char* name) {
    if (has(name)) return &all_[name];
    complain(std::string{name} + " is missing");
    return nullptr;
  }

  nlohmann::json all_; ///< the ordered one copies as it grows, which overflows the stack on deep nesting
  std::optional<troupe::error> wrong_;
};

uploaded take_uploaded(reader& in) {
  return {in.plain_name("video_id"), in.text("s3_key"), in.text("user_id"), in.count("size_bytes")};
}

transcoded take_transcoded(reader& in) {
  return {in.plain_name("video_id"), in.text("user_id"), in.plain_names("formats"),
          in.count("duration_seconds")};
}

troupe::outgoing event_of(const json& value) {
  troupe::outgoing out;
  out.value = value.dump();
  return out;
}

} // namespace

troupe::result<uploaded> read_request(const troupe::record& request) {
  reader in{request};
  return in.done(
      uploaded{{}, in.text("s3_key"), in.text("user_id"), in.has("size_bytes") ? in.count("size_bytes") : 0});
}

troupe::result<uploaded> read_uploaded(const troupe::record& event) {
  reader in{event};
  return in.done(take_uploaded(in));
}

troupe::result<transcoded> read_transcoded(const troupe::record& event) {
  reader in{event};
  return in.done(take_transcoded(in));
}

troupe::result<std::variant<uploaded, transcoded, ready>> read_any(const troupe::record& event) {
  using any = std::variant<uploaded, transcoded, ready>;
  reader in{event};
  if (in.has("thumbnail_url"))
    return in.done(any{ready{in.plain_name("video_id"), in.text("user_id"), in.text("thumbnail_url")}});
  if (in.has("formats")) return in.done(any{take_transcoded(in)});
  if (in.has("s3_key")) return in.done(any{take_uploaded(in)});
  in.complain("s3_key, formats and thumbnail_url are all missing");
  return in.done(any{});
}

troupe::outgoing written(const uploaded& what) {
  return event_of({{"video_id", what.video_id},
                   {"s3_key", what.s3_key},
                   {"user_id", what.user_id},
                   {"size_bytes", what.size_bytes}});
}

troupe::outgoing written(const transcoded& what) {
  return event_of({{"video_id", what.video_id},
                   {"user_id", what.user_id},
                   {"formats", what.formats},
                   {"duration_seconds", what.duration_seconds}});
}

troupe::outgoing written(const ready& what) {
  return event_of(
      {{"video_id", what.video_id}, {"user_id", what.user_id}, {"thumbnail_url", what.thumbnail_url}});
}

troupe::outcome undecodable(const troupe::error& why) {
  return troupe::outcome::permanent(why.detail, "undecodable");
}

} // namespace video
