// Feeds the files of each target's corpus to it: corpus FOLDER, with a folder of each target's name in it.
#include "tests/fuzz/targets.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace {

using namespace troupe;

struct target {
  const char* name;
  void (*run)(std::string_view);
};
constexpr std::array targets{target{"config", fuzz::config},
                             target{"json", fuzz::json},
                             target{"http", fuzz::http},
                             target{"ingest", fuzz::ingest},
                             target{"dead_letter", fuzz::dead_letter},
                             target{"commit_metadata", fuzz::commit_metadata}};

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

int feed(const target& to, const std::filesystem::path& folder) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator{folder}) {
    std::printf("%s\n", entry.path().c_str()); // the last line says which file it was
    std::fflush(stdout);
    to.run(content_of(entry.path()));
    ++files;
  }
  if (files == 0) std::fprintf(stderr, "%s is empty\n", folder.c_str());
  return files;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: fuzz_corpus FOLDER\n", stderr);
    return 64;
  }
  try {
    for (const auto& t : targets)
      if (feed(t, std::filesystem::path{argv[1]} / t.name) == 0) return EXIT_FAILURE;
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "%s\n", problem.what());
    return EXIT_FAILURE;
  }
}
