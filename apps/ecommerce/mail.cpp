#include "apps/ecommerce/mail.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>

namespace ecommerce {
namespace {

using troupe::errc;
using troupe::error;

/// What may stand in a header, an address and a file name alike; a line feed would be a header of its own.
std::string harmless(const std::string& text) {
  std::string out = text.substr(0, 64);
  std::replace_if(
      out.begin(), out.end(),
      [](char c) {
        return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                 c == '_');
      },
      '_');
  return out;
}

/// One line, whatever the customer sent.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return text;
}

std::string amount(double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.2f", value);
  return text.data();
}

/// As RFC 5322 writes it; the order's own time, so that a repeat is the same to the letter.
std::string mail_date(const std::string& rfc3339) {
  std::tm at{};
  if (strptime(rfc3339.c_str(), "%Y-%m-%dT%H:%M:%S", &at) == nullptr)
    return "Thu, 01 Jan 1970 00:00:00 +0000";
  std::array<char, 64> text{};
  std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S +0000", &at);
  return text.data();
}

error cannot(const std::string& what, const std::filesystem::path& where, const std::string& why) {
  return {errc::unavailable, "cannot " + what + " " + where.string() + ": " + why};
}

struct upload {
  const std::string& text;
  std::size_t sent = 0;
};

std::size_t read_more(char* into, std::size_t size, std::size_t count, void* from) {
  auto& rest = *static_cast<upload*>(from);
  const auto n = std::min(size * count, rest.text.size() - rest.sent);
  std::memcpy(into, rest.text.data() + rest.sent, n);
  rest.sent += n;
  return n;
}

int stop_if_cancelled(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const troupe::context*>(context)->cancelled() ? 1 : 0;
}

troupe::outcome verdict_of(CURLcode code, long reply) {
  const auto why =
      std::string{curl_easy_strerror(code)} + (reply > 0 ? ", SMTP " + std::to_string(reply) : "");
  if (code == CURLE_OK) return troupe::outcome::success();
  // 55x is about this mail; what else is refused for good, a login above all, is about all of them.
  if (code != CURLE_LOGIN_DENIED && reply >= 550 && reply < 560)
    return troupe::outcome::permanent(why, "refused");
  if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_LOGIN_DENIED ||
      reply == 421 || reply >= 500)
    return troupe::outcome::unavailable(why, {}, "smtp");
  return troupe::outcome::transient(why, "smtp");
}

} // namespace

mail confirmation_of(const order& placed, const std::string& from) {
  const auto id = harmless(placed.order_id);
  mail m{id, from, harmless(placed.customer_id) + "@example.com", {}};
  m.text = "From: " + one_line(from) + "\r\nTo: " + m.to + "\r\nSubject: Your order " + id +
           "\r\nDate: " + mail_date(placed.created_at) + "\r\nMessage-ID: <" + id +
           "@shop.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
           "Thank you for your order.\r\n\r\n";
  for (const auto& item : placed.items)
    m.text += "  " + std::to_string(item.quantity) + " x " + one_line(item.product_id) + " at " +
              amount(item.price) + "\r\n";
  m.text += "\r\n  Total " + amount(placed.total) + "\r\n";
  return m;
}

troupe::result<void> deliver(const std::filesystem::path& maildir, const mail& m) {
  std::error_code failed;
  for (const auto* folder : {"tmp", "new", "cur"}) {
    std::filesystem::create_directories(maildir / folder, failed);
    if (failed) return cannot("make", maildir / folder, failed.message());
  }
  // Whoever reads it moves it to `cur` and adds flags behind a colon.
  for (std::filesystem::directory_iterator at{maildir / "cur", failed}, end; !failed && at != end;
       at.increment(failed))
    if (at->path().filename().string().starts_with(m.id + ":2,")) return {};
  const auto draft = maildir / "tmp" / m.id, final = maildir / "new" / m.id;
  {
    std::ofstream out{draft, std::ios::binary | std::ios::trunc};
    out << m.text;
    if (!out.flush()) return cannot("write", draft, "is the disk full?");
  }
  std::filesystem::rename(draft, final, failed);
  if (failed) return cannot("rename to", final, failed.message());
  return {};
}

troupe::outcome send(const std::string& url, const mail& m, const troupe::context& context) {
  const std::unique_ptr<CURL, void (*)(CURL*)> call{curl_easy_init(), curl_easy_cleanup};
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> to{
      curl_slist_append(nullptr, ("<" + m.to + ">").c_str()), curl_slist_free_all};
  if (!call || !to) return troupe::outcome::transient("libcurl is out of memory", "smtp");
  const auto angle = m.from.rfind('<');
  const auto sender = angle == std::string::npos ? "<" + m.from + ">" : m.from.substr(angle);
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(context.deadline() -
                                                                          std::chrono::steady_clock::now());
  upload text{m.text};
  curl_easy_setopt(call.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(call.get(), CURLOPT_MAIL_FROM, sender.c_str());
  curl_easy_setopt(call.get(), CURLOPT_MAIL_RCPT, to.get());
  curl_easy_setopt(call.get(), CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(call.get(), CURLOPT_READFUNCTION, read_more);
  curl_easy_setopt(call.get(), CURLOPT_READDATA, &text);
  curl_easy_setopt(call.get(), CURLOPT_TIMEOUT_MS, std::max<long>(1, static_cast<long>(left.count())));
  curl_easy_setopt(call.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(call.get(), CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(call.get(), CURLOPT_XFERINFOFUNCTION, stop_if_cancelled);
  curl_easy_setopt(call.get(), CURLOPT_XFERINFODATA, &context);
  const auto code = curl_easy_perform(call.get());
  long reply = 0;
  curl_easy_getinfo(call.get(), CURLINFO_RESPONSE_CODE, &reply);
  return verdict_of(code, code == CURLE_OK ? 0 : reply);
}

} // namespace ecommerce
