#include "apps/ecommerce/gateway/ledger.hpp"

#include "engine/core/time.hpp"
#include "engine/core/uuid.hpp"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <unistd.h>

namespace gateway {
namespace {

using troupe::errc;
using troupe::error;

error cannot(const std::string& what, const std::string& file) {
  return {errc::unavailable, "cannot " + what + " " + file + ": " + std::strerror(errno)};
}

bool write_all(int fd, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const auto n = write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) done += static_cast<std::size_t>(n);
  }
  return fdatasync(fd) == 0;
}

} // namespace

troupe::result<std::unique_ptr<ledger>> ledger::open(const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return cannot("open", file);
  std::unique_ptr<ledger> made{new ledger{fd}};
  std::ifstream in{file};
  for (std::string line; std::getline(in, line) && !in.eof();) {
    auto charge = json::parse(line, nullptr, false);
    if (!charge.is_object() || !charge.contains("order_id"))
      return error{errc::broken, file + " is no ledger: not a charge: " + line.substr(0, 80)};
    made->end_ += static_cast<long>(line.size()) + 1;
    made->enter(std::move(charge));
  }
  if (ftruncate(fd, made->end_) != 0) return cannot("cut the torn end off", file);
  return made;
}

ledger::~ledger() {
  close(fd_);
}

void ledger::enter(json charge) {
  ++total_.charges;
  total_.amount_cents += std::llround(charge.value("amount", 0.0) * 100);
  auto id = charge["order_id"].get<std::string>();
  by_order_.emplace(std::move(id), std::move(charge));
}

troupe::result<json> ledger::charge(const std::string& order_id, const std::string& customer_id,
                                    double amount) {
  const std::lock_guard hold{lock_};
  if (const auto at = by_order_.find(order_id); at != by_order_.end()) {
    ++total_.repeats;
    return at->second;
  }
  json made{{"order_id", order_id},
            {"customer_id", customer_id},
            {"payment_id", troupe::random_uuid()},
            {"amount", amount},
            {"captured_at", troupe::rfc3339(troupe::wall_ms())}};
  const auto line = made.dump() + "\n";
  if (!write_all(fd_, line)) {
    auto why = cannot("write", "the ledger");
    if (ftruncate(fd_, end_) != 0) why.detail += ", and its torn end stays";
    return why;
  }
  end_ += static_cast<long>(line.size());
  enter(made);
  return made;
}

json ledger::find(const std::string& order_id) const {
  const std::lock_guard hold{lock_};
  const auto at = by_order_.find(order_id);
  return at == by_order_.end() ? json{} : at->second;
}

ledger::sums ledger::total() const {
  const std::lock_guard hold{lock_};
  return total_;
}

} // namespace gateway
