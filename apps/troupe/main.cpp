#include "apps/command/command.hpp"

int main(int argc, char** argv) {
  const troupe::handlers none;
  return troupe::command(argc, argv, none);
}
