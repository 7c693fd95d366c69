#pragma once

#include "engine/core/result.hpp"
#include "engine/http/server.hpp"

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>

/// How the API is spoken: what its parts have in common.
namespace troupe::dashboard {

/// On one line; bytes that are no UTF-8 are replaced.
std::string text_of(const nlohmann::json& j);
http::response json_answer(const nlohmann::json& body, int status = 200);
/// application/problem+json; the detail says what to do.
http::response problem(int status, const std::string& detail);
/// The status that fits the failure: 503 where the other side is away, 400 for a wrong call, …
http::response problem(const error& what);

/// The parameters of a query, decoded; of several of one name all, in their order.
std::multimap<std::string, std::string> parameters_of(std::string_view query);
/// The first of this name.
std::optional<std::string> parameter(const http::request& asked, const std::string& name);
/// Of a path, what stands behind this beginning.
std::string_view rest_of(const http::request& asked, std::string_view beginning);
/// An object in JSON; otherwise nothing.
std::optional<nlohmann::json> object_in(const http::request& asked);
/// A member of an object that is a text; otherwise nothing.
std::optional<std::string> text_in(const nlohmann::json& object, const char* name);

} // namespace troupe::dashboard
