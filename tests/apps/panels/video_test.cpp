#include "apps/video/panel.hpp"

#include "apps/video/video.hpp"
#include "engine/handler/handler.hpp"
#include "tests/apps/panels/fixture.hpp"

#include <future>

namespace video {

using nlohmann::json;
using troupe::dashboard::noon;

class VideosPanelTest : public troupe::dashboard::PanelTest {
protected:
  void SetUp() override {
    run_by("video.index");
    around->redis = client;
    add_handlers(known);
  }
  void index(const json& body, std::int64_t at) {
    auto event = std::make_shared<troupe::record>();
    event->topic = std::make_shared<const std::string>("video");
    event->timestamp_ms = at;
    event->value = body.dump();
    std::promise<troupe::outcome> came;
    std::get<troupe::async_handler> (*known.find("video.index"))(
        event,
        std::make_shared<troupe::context>(
            around, 1, std::chrono::steady_clock::now() + std::chrono::seconds{20}, nullptr),
        [&](troupe::outcome o) { came.set_value(std::move(o)); });
    EXPECT_EQ(came.get_future().get().kind, troupe::verdict::success);
  }
  void uploaded(const std::string& id, std::int64_t at) {
    index({{"video_id", id}, {"user_id", "u"}, {"s3_key", "k"}, {"size_bytes", 1}}, at);
  }
  void transcoded(const std::string& id, std::int64_t at) {
    index({{"video_id", id}, {"user_id", "u"}, {"formats", {"720p"}}, {"duration_seconds", 1}}, at);
  }
  void ready(const std::string& id, std::int64_t at) {
    index({{"video_id", id}, {"user_id", "u"}, {"thumbnail_url", "t"}}, at);
  }

  troupe::handlers known;
  std::shared_ptr<troupe::surroundings> around = std::make_shared<troupe::surroundings>();
};

TEST_F(VideosPanelTest, counts_stages_and_names_what_is_stuck) {
  for (int n = 0; n < 3; ++n) {
    const auto id = "done-" + std::to_string(n);
    uploaded(id, noon - 100'000);
    transcoded(id, noon - 100'000 + 2000 * (n + 1)); // 2, 4, 6 s
    ready(id, noon - 90'000);
  }
  uploaded("stuck", noon - 12'001);
  uploaded("fresh", noon - 11'999);
  transcoded("done-0", noon); // comes again
  const auto shown = read(videos_panel());
  EXPECT_EQ(value_of(shown, "Uploaded, to be transcoded"), 2);
  EXPECT_EQ(value_of(shown, "Ready"), 3);
  EXPECT_EQ(value_of(shown, "Stuck"), 1);
  EXPECT_EQ(rows_of(shown, "Steps")[0], json::parse(R"(["Transcoding", 2, 4.0, 1])"));
  EXPECT_EQ(rows_of(shown, "Stuck"), json::parse(R"([["stuck", "Transcoding", 1769860787999, 4.0]])"));
}

TEST_F(VideosPanelTest, without_a_video_that_got_on_no_time_is_known) {
  uploaded("one", noon - 1000);
  const auto shown = read(videos_panel());
  EXPECT_EQ(rows_of(shown, "Steps")[0], json::parse(R"(["Transcoding", 1, null, null])"));
  EXPECT_EQ(value_of(shown, "Stuck"), 0);
}

TEST_F(VideosPanelTest, times_that_are_kept_are_bounded) {
  for (int n = 0; n < 230; ++n) {
    uploaded(std::to_string(n), noon);
    transcoded(std::to_string(n), noon + 1000);
  }
  EXPECT_EQ(server.raw({"LLEN", "videos:took:transcoded"}), ":200\r\n");
}

} // namespace video
