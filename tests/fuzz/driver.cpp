// libFuzzer's entry; the build says which target this program is of.
#include "tests/fuzz/targets.hpp"

#include <cstddef>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  troupe::fuzz::TROUPE_FUZZ_TARGET({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
