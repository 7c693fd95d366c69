#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What the words of the configuration mean. Each answers nothing where the text is not one.
namespace troupe::config {

/// 500ms, 5s, 1.5s, 1m, 48h; nothing below a millisecond, at most a thousand years.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// 512B, 64KiB, 16MiB, 1GiB, and decimal KB, MB, GB; at most 2^50.
std::optional<std::uint64_t> parse_size(std::string_view text);
/// 0.2 or 20%; the bounds are the caller's.
std::optional<double> parse_ratio(std::string_view text);
/// Decimal digits, at most 2^53.
std::optional<std::uint64_t> parse_count(std::string_view text);
std::optional<bool> parse_boolean(std::string_view text);

/// A number of milliseconds, bytes or a share as it is written: 5s, 16MiB, 0.2.
std::string written_duration(double ms);
std::string written_size(double bytes);
std::string written_number(double value);

/// What is wrong with it, or nothing. None of these repeats the text.
std::optional<std::string> topic_complaint(std::string_view text);
std::optional<std::string> pattern_complaint(const std::string& text);
std::optional<std::string> group_complaint(std::string_view text);
std::optional<std::string> pointer_complaint(std::string_view text);
std::optional<std::string> listen_complaint(std::string_view text);
std::optional<std::string> brokers_complaint(std::string_view text);
std::optional<std::string> redis_url_complaint(std::string_view text);
std::optional<std::string> http_url_complaint(std::string_view text);
std::optional<std::string> name_complaint(std::string_view text);
std::optional<std::string> route_complaint(std::string_view text);
std::optional<std::string> host_complaint(std::string_view text);
/// Of a person's name, who logs in.
std::optional<std::string> account_complaint(std::string_view text);
/// Of an encoded hash of a password.
std::optional<std::string> hash_complaint(std::string_view text);

/// Whether the POSIX extended pattern matches the topic, as librdkafka would see it.
bool pattern_matches(const std::string& pattern, const std::string& topic);

} // namespace troupe::config
