#pragma once

#include "apps/demo/process.hpp"

#include <filesystem>
#include <string_view>

namespace demo {

/// One of the examples.
struct domain {
  const char* name;
  std::string_view config;
  unsigned short dashboard; ///< its port
  unsigned short port;      ///< of its ingest; 0: none
  const char* listen;       ///< the key of its address
  const char* route;
};

/// The program that runs.
std::filesystem::path own_path();

/// An engine that runs an example on an embedded broker, as a process that is started again when somebody
/// kills it.
class engine {
public:
  /// Config and log go to the folder.
  engine(const domain& what, const std::filesystem::path& folder);

  troupe::result<void> start(std::vector<std::pair<std::string, std::string>> environment);
  /// What happened since the last look; the failure of one that cannot be run at all.
  troupe::result<std::string> look();
  void stop();
  /// The exit code, or the negative number of a signal; nothing while it runs.
  std::optional<int> stopped() { return process_->ended(); }

  [[nodiscard]] std::string_view name() const { return what_.name; }
  [[nodiscard]] bool ready() const;
  [[nodiscard]] std::string metrics() const;
  /// Of its ingest; empty where it has none.
  [[nodiscard]] std::string url() const;
  [[nodiscard]] std::string introduction() const;

private:
  troupe::result<void> start_again();
  [[nodiscard]] std::string tail() const;

  const domain& what_;
  std::filesystem::path config_, log_;
  std::string admin_, door_, dashboard_;
  std::vector<std::pair<std::string, std::string>> environment_;
  std::unique_ptr<process> process_;
  int restarts_ = 0;
  bool stopping_ = false;
};

} // namespace demo
