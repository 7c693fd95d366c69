#include "engine/state/control.hpp"

#include "engine/state/parse.hpp"
#include "engine/state/scripts.hpp"

#include <array>
#include <mutex>

namespace troupe::state {
namespace {

constexpr std::array names{std::pair{pool_action::pause, std::string_view{"pause"}},
                           std::pair{pool_action::resume, std::string_view{"resume"}},
                           std::pair{pool_action::resize, std::string_view{"resize"}},
                           std::pair{pool_action::reset, std::string_view{"reset"}}};

std::optional<desired> desired_in(const redis::reply& text) {
  return text.text.empty() ? std::nullopt : decode_desired(text.text);
}

std::map<std::string, std::string> fields_of(const redis::reply& list) {
  std::map<std::string, std::string> all;
  each_field(list, [&](const std::string& name, const std::string& value) { all[name] = value; });
  return all;
}

/// nullopt for an entry that is no order of ours.
std::optional<order> order_in(const redis::reply& fields) {
  auto of = fields_of(fields);
  const auto what = action_named(of["action"]);
  if (!what || of["actor"].empty()) return std::nullopt;
  order found{of["id"], *what, of["actor"], number<unsigned>(of["workers"]), of["by"]};
  found.at_ms = number<std::int64_t>(of["at"]).value_or(0);
  found.deadline_ms = number<std::int64_t>(of["deadline"]).value_or(0);
  return found;
}

std::map<std::string, desired> wanted_in(const redis::reply& hash) {
  std::map<std::string, desired> all;
  for (const auto& [actor, text] : fields_of(hash))
    if (const auto d = decode_desired(text)) all.emplace(actor, *d);
  return all;
}

} // namespace

std::string name_of(pool_action what) {
  for (const auto& [action, name] : names)
    if (action == what) return std::string{name};
  return {};
}

std::optional<pool_action> action_named(std::string_view name) {
  for (const auto& [action, known] : names)
    if (known == name) return action;
  return std::nullopt;
}

result<given> give(redis::client& by, const layout& keys, const order& what) {
  const auto got = by.ask({"EVAL", give_order_script, "3", keys.desired(), keys.orders(), keys.audit(),
                           what.actor, name_of(what.what), what.workers ? std::to_string(*what.workers) : "",
                           what.by, std::to_string(what.at_ms), what.id, std::to_string(what.deadline_ms),
                           std::to_string(most_orders), std::to_string(most_audited)});
  if (!got) return got.failure();
  if (got->items.size() != 2) return error{errc::broken, "Redis answered an order with something else"};
  return given{desired_in(got->items[0]), desired_in(got->items[1])};
}

result<std::map<std::string, answer>> answers_to(redis::client& by, const layout& keys,
                                                 const std::string& id) {
  const auto got = by.ask({"HGETALL", keys.answers(id)});
  if (!got) return got.failure();
  std::map<std::string, answer> all;
  for (const auto& [instance, text] : fields_of(*got)) {
    const auto j = nlohmann::json::parse(text, nullptr, false);
    if (!j.is_object()) continue;
    all[instance] = {in<bool>(j, "done").value_or(false), in<bool>(j, "runs").value_or(true),
                     in<std::string>(j, "before").value_or(""), in<std::string>(j, "after").value_or(""),
                     in<std::string>(j, "text").value_or("")};
  }
  return all;
}

result<void> conclude(redis::client& by, const layout& keys, const order& what, const std::string& outcome) {
  return note(by, keys, what.id, name_of(what.what), what.actor, what.by, outcome);
}

result<void> note(redis::client& by, const layout& keys, const std::string& id, const std::string& action,
                  const std::string& what, const std::string& who, const std::string& outcome) {
  const auto got =
      by.ask({"XADD", keys.audit(), "MAXLEN", "~", std::to_string(most_audited), "*", "id", id, "action",
              action, "actor", what, "by", who, "at", std::to_string(wall_ms()), "result", outcome});
  if (!got) return got.failure();
  return {};
}

result<std::int64_t> note_resolved(redis::client& by, const layout& keys, const std::string& topic,
                                   std::uint64_t count, const std::string& action, const std::string& who) {
  const auto left =
      by.ask({"EVAL", note_resolved_script, "2", keys.dead_letters(), keys.audit(), topic,
              std::to_string(count), action, who, std::to_string(wall_ms()), std::to_string(most_audited)});
  if (!left) return left.failure();
  return left->integer;
}

struct inbox::box : std::enable_shared_from_this<box> {
  box(std::shared_ptr<redis::client> c, const std::string& app, std::string me)
      : from{std::move(c)}, keys{app}, instance{std::move(me)} {}

  std::shared_ptr<redis::client> from;
  const layout keys;
  const std::string instance;
  std::mutex lock;
  std::string last; ///< the last order seen; empty: not looked yet
  bool under_way = false;

  std::vector<redis::command> question();
  std::optional<mail> take(const result<redis::client::replies>& got);
};

std::vector<redis::command> inbox::box::question() {
  const std::lock_guard hold{lock};
  redis::command orders{"XREVRANGE", keys.orders(), "+", "-", "COUNT", "1"};
  if (!last.empty()) orders = {"XRANGE", keys.orders(), '(' + last, "+", "COUNT", "100"};
  // What is desired is asked last: it is no older than the orders.
  return {std::move(orders), {"HGETALL", keys.dead_letters()}, {"HGETALL", keys.desired()}};
}

std::optional<inbox::mail> inbox::box::take(const result<redis::client::replies>& got) {
  const std::lock_guard hold{lock};
  under_way = false;
  if (!got || got->size() != 3) return std::nullopt;
  const auto &orders = (*got)[0], &letters = (*got)[1], &hash = (*got)[2];
  for (const auto& r : *got)
    if (r.kind == redis::reply::type::failure) return std::nullopt;
  mail found;
  found.wanted = wanted_in(hash);
  for (const auto& [topic, n] : fields_of(letters))
    found.dead_letters[topic] = number<std::int64_t>(n).value_or(0);
  const bool first = last.empty();
  if (first) last = "0-0";
  for (const auto& entry : orders.items) {
    if (entry.items.size() != 2) continue;
    last = entry.items[0].text;
    if (first) continue;
    if (auto o = order_in(entry.items[1])) found.orders.push_back(std::move(*o));
  }
  return found;
}

inbox::inbox(std::shared_ptr<redis::client> from, const std::string& app, std::string instance)
    : box_{std::make_shared<box>(std::move(from), app, std::move(instance))} {}
inbox::~inbox() = default;

result<inbox::mail> inbox::open() {
  const auto got = box_->from->call(box_->question());
  auto found = box_->take(got);
  if (found) return std::move(*found);
  if (!got) return got.failure();
  return error{errc::refused, "Redis does not tell what is desired of the pools: " + got->front().text};
}

void inbox::look(std::function<void(mail)> found) {
  {
    const std::lock_guard hold{box_->lock};
    if (std::exchange(box_->under_way, true)) return;
  }
  box_->from->send(box_->question(), [box = box_, found = std::move(found)](const auto& got) {
    if (auto m = box->take(got)) found(std::move(*m));
  });
}

void inbox::reply(const std::string& order, const answer& what) {
  const nlohmann::json j{{"done", what.done},
                         {"runs", what.runs_it},
                         {"before", what.before},
                         {"after", what.after},
                         {"text", what.text}};
  const auto key = box_->keys.answers(order);
  box_->from->send({{"HSET", key, box_->instance, text_of(j)},
                    {"EXPIRE", key, std::to_string(std::chrono::seconds{answers_kept}.count())}},
                   [](const auto&) {}); // whoever asked notices that no answer comes
}

} // namespace troupe::state
