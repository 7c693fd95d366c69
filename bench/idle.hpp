#pragma once

namespace bench {

/// Bare consumers that wait for events, each of a group of its own (`<group>-<n>`) and polled by a thread of
/// its own, until SIGTERM. What is left of a consuming actor without the actor.
int idle(int consumers, const char* brokers, const char* topic, const char* group);

} // namespace bench
