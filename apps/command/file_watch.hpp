#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace troupe {

/// Notices when files are written, or replaced as editors and Kubernetes do it: their folders are watched,
/// and what lies behind the names is compared. Several writes within a moment are one change.
class file_watch {
public:
  /// `changed` is called on a thread of its own. nullptr where the system does not watch; the log says why.
  static std::unique_ptr<file_watch> open(const std::vector<std::string>& files,
                                          std::function<void()> changed);
  ~file_watch();
  file_watch(const file_watch&) = delete;
  file_watch& operator=(const file_watch&) = delete;

private:
  struct impl;
  explicit file_watch(std::unique_ptr<impl>);
  std::unique_ptr<impl> impl_;
};

} // namespace troupe
