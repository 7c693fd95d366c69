#include "engine/metrics/process.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>

#include <sys/resource.h>
#include <unistd.h>

namespace troupe::metrics {
namespace {

std::string read_whole(const char* path) {
  std::ifstream in{path};
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// When the machine was started, in seconds since the epoch; 0 if unknown.
double boot_time() {
  std::istringstream lines{read_whole("/proc/stat")};
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("btime ")) return std::stod(line.substr(6));
  return 0;
}

} // namespace

std::vector<std::pair<std::string_view, double>> process_values() {
  std::vector<std::pair<std::string_view, double>> values;

  // The second field, the program's name in parentheses, may hold spaces and parentheses itself.
  const std::string stat = read_whole("/proc/self/stat");
  if (const auto name_end = stat.rfind(')'); name_end != std::string::npos) {
    std::istringstream rest{stat.substr(name_end + 1)};
    const std::vector<std::string> fields{std::istream_iterator<std::string>{rest}, {}};
    // proc(5) numbers the fields from 1; what follows the name is field 3.
    const auto field = [&](std::size_t n) { return n - 3 < fields.size() ? std::stod(fields[n - 3]) : 0.0; };
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    values.emplace_back("process_cpu_seconds_total", (field(14) + field(15)) / ticks);
    values.emplace_back("process_threads", field(20));
    static const double booted = boot_time();
    if (booted > 0) values.emplace_back("process_start_time_seconds", booted + field(22) / ticks);
    values.emplace_back("process_virtual_memory_bytes", field(23));
    values.emplace_back("process_resident_memory_bytes",
                        field(24) * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  }

  std::error_code failed;
  double open = 0;
  for (std::filesystem::directory_iterator at{"/proc/self/fd", failed}, end; !failed && at != end;
       at.increment(failed))
    ++open;
  // Less the one that was open to count them.
  if (!failed) values.emplace_back("process_open_fds", std::max(open - 1, 0.0));

  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
    values.emplace_back("process_max_fds", static_cast<double>(limit.rlim_cur));
  return values;
}

std::size_t resident_memory() {
  std::ifstream in{"/proc/self/statm"};
  std::size_t whole = 0, resident = 0;
  in >> whole >> resident;
  return in ? resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

} // namespace troupe::metrics
