#include "engine/config/interpolate.hpp"

#include "engine/core/utf8.hpp"

#include <cerrno>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include <sys/stat.h>

namespace troupe::config {
namespace {

constexpr std::size_t largest_secret = 64 * 1024;

bool variable_name(std::string_view text) {
  if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
  for (const char c : text)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
      return false;
  return true;
}

bool text_without_nul(std::string_view text) {
  while (!text.empty()) {
    const auto n = utf8_length(text);
    if (n == 0 || text[0] == '\0') return false;
    text.remove_prefix(n);
  }
  return true;
}

class expander {
public:
  expander(const node& at, const std::map<std::string, std::string>& environment, problem_list& problems)
      : at_{at}, environment_{environment}, problems_{problems} {}

  std::string expand(std::string_view text) {
    std::string out;
    for (;;) {
      const auto open = text.find("${");
      if (open == text.npos) return out.append(text);
      if (open > 0 && text[open - 1] == '$') {
        out.append(text.substr(0, open - 1)).append("${");
        text.remove_prefix(open + 2);
        continue;
      }
      out.append(text.substr(0, open));
      const auto close = text.find('}', open);
      if (close == text.npos) {
        complain("'${' is never closed; write ${VAR}, or $${ for the characters themselves");
        return out;
      }
      out += value_of(text.substr(open + 2, close - open - 2));
      text.remove_prefix(close + 1);
    }
  }

  [[nodiscard]] bool failed() const { return failed_; }

private:
  void complain(std::string what) {
    failed_ = true;
    problems_.error(at_.at, std::move(what));
  }

  std::string value_of(std::string_view what) {
    if (what.starts_with("file:")) return file(std::string{what.substr(5)});
    const auto dash = what.find(":-");
    const auto name = what.substr(0, dash);
    if (!variable_name(name)) {
      complain("this is not a variable; write ${VAR}, ${VAR:-default}, ${file:/path}, or $${ for "
               "the characters themselves");
      return {};
    }
    const auto found = environment_.find(std::string{name});
    const bool set = found != environment_.end();
    if (dash != what.npos && (!set || found->second.empty())) return std::string{what.substr(dash + 2)};
    if (!set) {
      complain("the variable " + std::string{name} + " is not set; set it, or write ${" + std::string{name} +
               ":-default}");
      return {};
    }
    if (!text_without_nul(found->second)) {
      complain("the variable " + std::string{name} + " is not UTF-8 text");
      return {};
    }
    return found->second;
  }

  std::string file(const std::string& path) {
    const auto refuse = [&](const std::string& why) {
      complain("the file " + quoted(path) + " " + why);
      return std::string{};
    };
    struct stat info {};
    if (path.empty() || path[0] != '/')
      return refuse("needs an absolute path, as in ${file:/run/secrets/name}");
    if (::stat(path.c_str(), &info) != 0)
      return refuse("can't be read: " + std::generic_category().message(errno));
    // A pipe or a terminal would hang the start.
    if (!S_ISREG(info.st_mode)) return refuse("is not a plain file");
    std::ifstream in{path, std::ios::binary};
    if (!in) return refuse("can't be read: " + std::generic_category().message(errno));
    std::string text(largest_secret + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (in.bad()) return refuse("can't be read");
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > largest_secret) return refuse("is larger than 64 KiB");
    if (!text_without_nul(text)) return refuse("is not UTF-8 text");
    if (text.ends_with('\n')) text.pop_back();
    if (text.ends_with('\r')) text.pop_back();
    return text;
  }

  const node& at_;
  const std::map<std::string, std::string>& environment_;
  problem_list& problems_;
  bool failed_ = false;
};

} // namespace

void interpolate(node& n, const std::map<std::string, std::string>& environment, problem_list& problems) {
  if (n.scalar() && n.text.find("${") != std::string::npos) {
    expander made{n, environment, problems};
    n.text = made.expand(n.text);
    n.secret = true;
    n.broken = made.failed();
  }
  for (auto& e : n.entries)
    interpolate(e.value, environment, problems);
  for (auto& i : n.items)
    interpolate(i, environment, problems);
}

} // namespace troupe::config
