#pragma once

namespace troupe {

struct demo_arguments {
  unsigned rate = 200;  ///< events per second
  unsigned seconds = 0; ///< 0: until Ctrl-C
};

/// `troupe demo`: the main job on the embedded broker and a redis-server of its own on a free port, with
/// made-up traffic and an account of what happens, once a second.
int demo(const demo_arguments& from);

} // namespace troupe
