#pragma once

#include "apps/command/operation.hpp"
#include "apps/dashboard/panel.hpp"

#include <vector>

namespace troupe {

struct web_arguments {
  operation_arguments app;
  bool hash_password = false;
};

/// `troupe web`: the dashboard, until a signal ends it.
int web(const web_arguments& from, const handlers& h, const std::vector<dashboard::panel>& panels);

} // namespace troupe
