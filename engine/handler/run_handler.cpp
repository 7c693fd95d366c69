#include "engine/handler/run_handler.hpp"

#include <exception>
#include <utility>

namespace troupe {
namespace {

/// Only where something was caught.
outcome thrown() {
  try {
    throw;
  } catch (const misconfigured& e) {
    return outcome::unavailable(e.what(), {}, "settings");
  } catch (const std::exception& e) {
    return outcome::transient(e.what(), "exception");
  } catch (...) {
    return outcome::transient("the handler threw something that is no std::exception", "exception");
  }
}

} // namespace

outcome run_handler(const blocking_handler& handler, const record& event, context& seen) {
  try {
    return handler(event, seen);
  } catch (...) {
    return thrown();
  }
}

void run_handler(const async_handler& handler, record_ptr event, std::shared_ptr<context> seen,
                 completion done) {
  try {
    handler(std::move(event), std::move(seen), done);
  } catch (...) {
    done(thrown());
  }
}

} // namespace troupe
