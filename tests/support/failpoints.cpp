// What stands in the place of engine/core/failpoint.cpp in the programs under test.
//
// TROUPE_FAILPOINT=name[:pass[:signal]],… sends the process this signal (9 unless said otherwise) at that
// pass, counted from 1, of the place of that name.

#include "engine/core/failpoint.hpp"

#include <csignal>
#include <cstdlib>
#include <mutex>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

namespace troupe {
namespace {

struct point {
  std::string name;
  unsigned long pass = 1;
  int signal = SIGKILL;
};

std::vector<point> armed() {
  std::vector<point> all;
  const char* text = std::getenv("TROUPE_FAILPOINT");
  std::istringstream entries{text ? text : ""};
  for (std::string entry; std::getline(entries, entry, ',');) {
    std::istringstream parts{entry};
    std::string pass, signal;
    auto& p = all.emplace_back();
    std::getline(parts, p.name, ':');
    if (std::getline(parts, pass, ':')) p.pass = std::stoul(pass);
    if (std::getline(parts, signal)) p.signal = std::stoi(signal);
  }
  return all;
}

} // namespace

void failpoint(std::string_view name) noexcept {
  static auto points = armed();
  if (points.empty()) return;
  static std::mutex counting;
  const std::lock_guard lock{counting};
  for (auto& p : points) {
    if (p.name != name || p.pass == 0 || --p.pass > 0) continue;
    ::kill(::getpid(), p.signal);
  }
}

} // namespace troupe
