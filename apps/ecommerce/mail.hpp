#pragma once

#include "apps/ecommerce/order.hpp"
#include "engine/handler/handler.hpp"

#include <filesystem>
#include <string>

namespace ecommerce {

struct mail {
  std::string id; ///< the same for the same order
  std::string from, to;
  std::string text; ///< headers and body, lines ending in CR LF
};

/// The confirmation of an order: the same text however often it is made.
mail confirmation_of(const order& placed, const std::string& from);

/// Into the folder's `new`, by way of its `tmp`, under a name made of the mail's id: a mail that is there
/// already, read or not, is not written again. errc::unavailable names the file and the cause.
troupe::result<void> deliver(const std::filesystem::path& maildir, const mail& m);

/// Sends it by SMTP (smtp://host:port, smtps://…) until the call's deadline. A repeated event sends it again:
/// SMTP has no other way; its Message-ID is the same, which is what mail servers sort repeats out by.
troupe::outcome send(const std::string& url, const mail& m, const troupe::context& context);

} // namespace ecommerce
