#pragma once

#include "engine/core/time.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace troupe {

/// A terminal that is drawn on as a whole: its other screen, no cursor, keys as they are pressed. What was
/// there before comes back with the end of the object.
class screen {
public:
  /// nullptr where standard input or output is no terminal.
  static std::unique_ptr<screen> open();
  ~screen();
  screen(const screen&) = delete;
  screen& operator=(const screen&) = delete;

  struct size {
    std::size_t rows = 24, columns = 80;
  };
  [[nodiscard]] size now() const;
  /// Lines that are too many or too long are cut. The first is drawn in reverse.
  void draw(const std::string& text);

  enum class event { key, resized, timeout };
  struct happening {
    event what = event::timeout;
    char key = 0;
  };
  happening wait(milliseconds at_most);

private:
  screen();
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace troupe
