#include "engine/core/user.hpp"

#include <array>

#include <pwd.h>
#include <unistd.h>

namespace troupe {

std::string this_user() {
  const auto id = ::geteuid();
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> texts{};
  if (::getpwuid_r(id, &entry, texts.data(), texts.size(), &found) == 0 && found) return entry.pw_name;
  return "uid " + std::to_string(id);
}

} // namespace troupe
