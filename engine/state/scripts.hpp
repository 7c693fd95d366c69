#pragma once

namespace troupe::state {

/// KEYS: flush, then the hashes to add to. ARGV: instance, life, sequence, flush TTL; then for each further
/// key its TTL, how many fields, and field and amount in turn. 1: applied; 0: it was before.
extern const char* const add_once_script;

/// KEYS: desired, orders, audit. ARGV: actor, action, workers (or ""), by, at, order, deadline, most orders,
/// most audited. Answers what was desired before and after ("" for nothing).
extern const char* const give_order_script;

/// KEYS: dead letters, audit. ARGV: topic, how many, action, by, at, most audited. Answers how many are left.
extern const char* const note_resolved_script;

/// KEYS: the list of instances. ARGV: most retries. All that the instances say of themselves, in one moment:
/// for each id, beat, its hash, its pools, and retries with their due times and notes. Keys are named by the
/// list, with which they share a hash tag.
extern const char* const instances_script;

} // namespace troupe::state
