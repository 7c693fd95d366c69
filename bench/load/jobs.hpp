#pragma once

#include "bench/client.hpp"

/// What bench/run fills topics with. The same settings make the same events.
namespace bench {

/// Page views of some 200 bytes and FILLER more, EVENTS of them, keyed by session, of PATHS pages. Event
/// times begin at FIRST_SECOND (since the epoch) and take ten minutes, however many events there are. What a
/// counter must find goes into the file EXPECTED: lines `total PATH COUNT`, `minute MINUTE PATH COUNT` and
/// `bytes N`.
void views();

/// EVENTS orders (bench/order.hpp) of KEYS customers at random; HOT_PERMILLE of them, evenly spread, are of
/// customer 0 instead.
void orders();

/// RATE events per second for SECONDS, each sent by itself. Orders; or, where there is a REDIS_PORT, page
/// views of a page each, and when its count appeared there is noted in LOGBOOK.
void steady();

} // namespace bench
