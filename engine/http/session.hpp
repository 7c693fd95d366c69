#pragma once

#include "engine/core/time.hpp"
#include "engine/http/message_parser.hpp"
#include "engine/http/server.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include <atomic>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

/// Private to this folder: Boost stays out of the public headers.
namespace troupe::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using tcp = asio::ip::tcp;
using boost::system::error_code;

class session;

/// Of a server. Stopping: it reads what comes, and each answer is its connection's last. Leaving: it waits
/// for no further request on a connection that has had an answer.
enum class phase { serving, stopping, leaving };

/// What the sessions of a server share.
struct floor {
  server_options options;
  server::handler answer;
  std::list<session*> quiet;        ///< without a request to answer, the longest first
  std::atomic<std::size_t> open{0}; ///< connections that are not closed
  phase now = phase::serving;
  std::weak_ptr<void> alive; ///< what owns all of this: replies may come when the server has ended
};

/// One connection of a server, on the server's thread. Owned by what it waits for.
class session : public std::enable_shared_from_this<session> {
public:
  session(tcp::socket socket, floor& on);
  ~session();
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  void await_request();
  /// Waits no longer: a request of which all bytes are here is answered, one of which some are is refused
  /// with 503; where there are none, the connection ends. Those that are answered now end by themselves,
  /// after `stop`.
  void hurry();
  void close();

  [[nodiscard]] bool awaits_request() const { return stage_ == stage::awaiting; }
  /// Has said goodbye, and ends by itself.
  [[nodiscard]] bool lingers() const { return stage_ == stage::lingering; }
  /// A connection is made to be used: its first request is probably on the way.
  [[nodiscard]] bool is_fresh(steady_time now) const { return !asked_ && now - opened_ < on_.options.grace; }

private:
  enum class stage { awaiting, reading, answering, lingering };

  void leave_list();
  void leave_for_good();
  void list_again();
  void give_back();
  void read_some(std::size_t most, std::function<void()> then);
  void begin();
  void await_head();
  void read_head();
  void read_body();
  error_code parse();
  void refuse(const error_code& ec);
  void on_request();
  void write(response answer, bool head, bool keep_alive);
  void write_last(int status, std::string text);
  void turn_away();
  void hang_up();
  void drain();

  beast::tcp_stream stream_;
  floor& on_;
  std::list<session*>::iterator place_;
  const steady_time opened_ = std::chrono::steady_clock::now();
  stage stage_ = stage::awaiting;
  bool listed_ = true, counted_ = true;
  bool asked_ = false;   ///< a request was handed over
  bool hurried_ = false; ///< nothing is read but what is there
  std::size_t seen_ = 0; ///< bytes of the head that were looked at
  beast::flat_buffer buffer_;
  std::optional<message_parser<true>> parser_;
  std::string message_; ///< the answer that is being written
};

} // namespace troupe::http
