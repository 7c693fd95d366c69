#pragma once

#include "apps/dashboard/doorkeeper.hpp"
#include "apps/dashboard/endpoint.hpp"

#include <vector>

namespace troupe::dashboard {

/// The way of every request: from the doorkeeper to a page, or to its endpoint in the table. There is no
/// other way to one.
class gate {
public:
  gate(doorkeeper& keeper, std::vector<endpoint> table);
  void answer(const http::request& asked, http::reply to);
  /// The table itself, as JSON: GET /api/v1.
  [[nodiscard]] http::response index() const;

private:
  /// The longest path that fits; nullptr where none does.
  [[nodiscard]] const endpoint* find(const http::request& asked, bool any_method = false) const;
  void answer_api(const http::request& asked, http::reply to);

  doorkeeper& keeper_;
  std::vector<endpoint> table_;
};

/// What stands on every answer, so that a browser runs nothing but our own scripts.
http::response guarded(http::response answer);

} // namespace troupe::dashboard
