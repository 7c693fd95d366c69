#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace troupe {

/// What kind of thing went wrong; the detail says it to a person and names the remedy.
enum class errc {
  usage,       ///< the call or the command line is off
  bad_config,  ///< the configuration cannot be run as it is
  unavailable, ///< the other side cannot be reached or says "not now": try again later
  timeout,     ///< no answer in time; whether it took effect is unknown
  too_large,   ///< refused for its size, and always will be
  refused,     ///< the other side answered no: authorisation, wrong type, fenced
  conflict,    ///< the state is not the one the call was made for
  broken,      ///< a bug or a broken peer
};

struct error {
  errc code = errc::broken;
  std::string detail;
};

/// A value or an error. Exceptions stay inside third-party calls and user code.
template <class T>
class [[nodiscard]] result {
public:
  result(T value) : state_{std::in_place_index<0>, std::move(value)} {}
  result(error e) : state_{std::in_place_index<1>, std::move(e)} {}

  [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  T& value() & {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    assert(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  [[nodiscard]] const error& failure() const {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }

private:
  std::variant<T, error> state_;
};

template <>
class [[nodiscard]] result<void> {
public:
  result() = default;
  result(error e) : error_{std::move(e)}, ok_{false} {}

  [[nodiscard]] bool ok() const noexcept { return ok_; }
  explicit operator bool() const noexcept { return ok_; }
  [[nodiscard]] const error& failure() const {
    assert(!ok_);
    return error_;
  }

private:
  error error_;
  bool ok_ = true;
};

} // namespace troupe
