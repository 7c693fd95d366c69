#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// What the fuzzers call, and what the kept corpora are fed to by the ordinary build (`fuzz_corpus`). Each
/// takes any bytes, and ends the process where a property does not hold.
namespace troupe::fuzz {

void config(std::string_view input);
void json(std::string_view input);
void http(std::string_view input);
void ingest(std::string_view input);
void dead_letter(std::string_view input);
void commit_metadata(std::string_view input);

/// Says which property does not hold, and aborts: what libFuzzer takes for a crash.
void require(bool holds, const char* property);

/// Takes values off the front of an input; zeros and empty texts once it is used up.
class cursor {
public:
  explicit cursor(std::string_view input) : rest_{input} {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  std::uint8_t byte();
  std::uint64_t number(); ///< of one to nine bytes, small ones as likely as large ones
  std::string text();     ///< up to the next NUL
private:
  std::string_view rest_;
};

} // namespace troupe::fuzz
