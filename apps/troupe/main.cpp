#include "apps/analytics/analytics.hpp"
#include "apps/analytics/panel.hpp"
#include "apps/command/command.hpp"
#include "apps/demo/demo.hpp"
#include "apps/demo/traffic_command.hpp"
#include "apps/ecommerce/ecommerce.hpp"
#include "apps/ecommerce/panel.hpp"
#include "apps/telemetry/panel.hpp"
#include "apps/telemetry/telemetry.hpp"
#include "apps/video/panel.hpp"
#include "apps/video/video.hpp"

int main(int argc, char** argv) {
  troupe::handlers examples;
  ecommerce::add_handlers(examples);
  analytics::add_handlers(examples);
  video::add_handlers(examples);
  telemetry::add_handlers(examples);
  return troupe::command(argc, argv, examples, {demo::subcommand(examples), demo::traffic_subcommand()},
                         {analytics::live_panel(), ecommerce::orders_panel(), video::videos_panel(),
                          telemetry::devices_panel()});
}
