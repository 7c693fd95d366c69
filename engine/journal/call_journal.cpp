#include "engine/journal/call_journal.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <numeric>
#include <random>
#include <sys/mman.h>
#include <system_error>
#include <type_traits>
#include <unistd.h>

namespace troupe::journal {
namespace {

constexpr std::array<char, 16> magic{"troupe calls 1\n"};
constexpr std::uint32_t most_calls = 2048; ///< further ones run without a note
constexpr std::size_t longest_name = 255;

struct entry {
  std::atomic<std::uint32_t> state{nothing_runs};
  std::uint32_t alone = 0;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = -1;
  std::array<char, longest_name + 1> group{}, topic{};
};

} // namespace

// The layout of the file. Another one needs another magic.
struct journal_page {
  std::array<char, 16> name{};
  std::uint64_t life = 0;
  death_mark mark;
  std::array<entry, most_calls> calls;
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free &&
              std::atomic<std::int64_t>::is_always_lock_free);
static_assert(std::is_standard_layout_v<journal_page>);

namespace {

std::string_view text_of(const std::array<char, longest_name + 1>& text) {
  return {text.data(), ::strnlen(text.data(), longest_name)};
}

void put(std::array<char, longest_name + 1>& to, std::string_view text) {
  text.copy(to.data(), longest_name);
  to[text.size()] = 0;
}

/// Names as Kafka has them. Empty ones are of a call for no event, others of a file that is broken.
bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

suspicion suspicion_of(const entry& e) {
  return {
      {std::string{text_of(e.group)}, std::string{text_of(e.topic)}, e.partition, e.offset, e.timestamp_ms},
      false};
}

/// The calls whose own thread raised the signal. Where there is none, a suspect that ran alone; where there
/// is none either, all that ran.
std::vector<suspicion> blame(const std::array<entry, most_calls>& calls) {
  std::vector<const entry*> guilty_ones, alone, running;
  for (const auto& e : calls) {
    const auto state = e.state.load();
    if (state == guilty) guilty_ones.push_back(&e);
    if (state != runs) continue;
    running.push_back(&e);
    if (e.alone != 0) alone.push_back(&e);
  }
  const bool sure = !guilty_ones.empty();
  const auto& whom = sure ? guilty_ones : alone.empty() ? running : alone;
  std::vector<suspicion> all;
  for (const auto* e : whom) {
    if (!is_name(text_of(e->group)) || !is_name(text_of(e->topic))) continue;
    all.push_back(suspicion_of(*e));
    all.back().sure = sure || whom.size() == 1;
  }
  return all;
}

error cannot(const std::string& what, const std::string& path, int why) {
  return {errc::bad_config, "cannot " + what + " " + path + ": " + std::generic_category().message(why) +
                                "; set `state` to a folder on a disk of this host with some megabytes free"};
}

} // namespace

result<std::shared_ptr<call_journal>> call_journal::open(slot_lock slot) {
  // Reserved, since a write to a page for which the disk has no room would kill the process.
  if (const int why = ::posix_fallocate(slot.file(), 0, sizeof(journal_page)); why != 0)
    return cannot("reserve the place of", slot.path(), why);
  void* place = ::mmap(nullptr, sizeof(journal_page), PROT_READ | PROT_WRITE, MAP_SHARED, slot.file(), 0);
  if (place == MAP_FAILED) return cannot("map", slot.path(), errno);
  auto* page = new (place) journal_page{};
  page->name = magic;
  std::random_device random;
  page->life = std::uint64_t{random()} << 32 | random();
  mark_death_in(&page->mark);
  return std::shared_ptr<call_journal>{new call_journal{std::move(slot), page}};
}

call_journal::call_journal(slot_lock slot, journal_page* page) : slot_{std::move(slot)}, page_{page} {
  free_.resize(most_calls);
  std::iota(free_.rbegin(), free_.rend(), 0U);
}

call_journal::~call_journal() {
  forget_mark(&page_->mark);
  ::munmap(page_, sizeof(journal_page));
}

std::shared_ptr<call_note> call_journal::note(std::string_view group, const record& event, bool alone) {
  return begin(group, *event.topic, &event, alone);
}

std::shared_ptr<call_note> call_journal::note_other() {
  return begin({}, {}, nullptr, false);
}

std::shared_ptr<call_note> call_journal::begin(std::string_view group, std::string_view topic,
                                               const record* event, bool alone) {
  if (group.size() > longest_name || topic.size() > longest_name) return nullptr; // Kafka allows 249
  std::uint32_t index = 0;
  {
    const std::lock_guard hold{lock_};
    if (free_.empty()) return nullptr;
    index = free_.back();
    free_.pop_back();
  }
  auto& e = page_->calls[index];
  put(e.group, group);
  put(e.topic, topic);
  e.alone = alone ? 1 : 0;
  if (event) {
    e.partition = event->partition;
    e.offset = event->offset;
    e.timestamp_ms = event->timestamp_ms;
  }
  e.state.store(runs, std::memory_order_release);
  return std::make_shared<call_note>(shared_from_this(), index);
}

void call_journal::end(std::uint32_t index) {
  page_->calls[index].state.store(nothing_runs, std::memory_order_release);
  const std::lock_guard hold{lock_};
  free_.push_back(index);
}

void call_note::end() {
  if (over_.exchange(true)) return;
  runs_no_more(state());
  journal_->end(entry_);
}

std::atomic<std::uint32_t>* call_note::state() const {
  return &journal_->page_->calls[entry_].state;
}

death read_death(int file) {
  auto page = std::make_unique<journal_page>();
  const auto got = ::pread(file, static_cast<void*>(page.get()), sizeof(journal_page), 0);
  if (got != static_cast<ssize_t>(sizeof(journal_page)) || page->name != magic || page->mark.signal == 0)
    return {};
  return {page->life, page->mark.wall_ms, blame(page->calls)};
}

void clear_death(int file) {
  const std::uint32_t none = 0;
  constexpr auto at = offsetof(journal_page, mark) + offsetof(death_mark, signal);
  (void)!::pwrite(file, &none, sizeof none, at);
}

} // namespace troupe::journal
