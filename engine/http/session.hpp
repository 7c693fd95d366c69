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
#include <mutex>
#include <optional>
#include <set>
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
  std::set<session*> streaming;     ///< whose answer goes on
  std::atomic<std::size_t> open{0}; ///< connections that are not closed
  phase now = phase::serving;
  std::weak_ptr<void> alive; ///< what owns all of this: replies may come when the server has ended
};

/// What a stream hands to its session: all that two threads share of it.
struct outbox {
  std::mutex lock;
  std::string waiting;
  bool told = false;    ///< the session knows that something waits
  bool over = false;    ///< nothing more is taken
  std::size_t most = 0; ///< bytes that may wait
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

  /// Answers with what is put into the outbox, until that is over and empty.
  void begin_stream(const response& head, bool head_only, std::shared_ptr<outbox> from);
  void write_stream();
  void end_stream();

  [[nodiscard]] bool awaits_request() const { return stage_ == stage::awaiting; }
  /// Has said goodbye, and ends by itself.
  [[nodiscard]] bool lingers() const { return stage_ == stage::lingering; }
  /// A connection is made to be used: its first request is probably on the way.
  [[nodiscard]] bool is_fresh(steady_time now) const { return !asked_ && now - opened_ < on_.options.grace; }

private:
  enum class stage { awaiting, reading, answering, streaming, lingering };

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
  std::shared_ptr<stream> open(response head, bool head_only, std::size_t most);
  void watch_reader();
  void leave_stream();
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
  std::string message_;            ///< the answer that is being written, or a piece of the stream
  std::shared_ptr<outbox> outbox_; ///< of a stream
  bool writing_ = false;           ///< a piece of it
};

} // namespace troupe::http
