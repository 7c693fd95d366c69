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
    run_by("video.transcode");
    auto& transcode = std::get<troupe::config::worker_actor>(settings.actors.back().kind);
    settings.actors.back().name = "transcode";
    transcode.consume.topics = {"video.uploaded"};
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
  EXPECT_EQ(rows_of(shown, "Stuck"), json::parse(R"([["stuck", "Transcoding", 1769860787999, 4.0,
    {"text": "dead letters", "href": "/dlq/video.uploaded.transcode.dlq?where=key%3Dstuck"}]])"));
}

TEST_F(VideosPanelTest, leads_to_the_letters_of_the_step_that_a_video_is_stuck_in) {
  const std::string odd = "a b&c=\u00fc+%\"\\";
  uploaded("done", noon - 90'000);
  transcoded("done", noon - 80'000);
  ready("done", noon - 79'000);
  transcoded(odd, noon - 60'000);
  EXPECT_TRUE(rows_of(read(videos_panel()), "Stuck")[0][4].is_null()) << "no thumbnail actor in this config";
  run_by("video.thumbnail");
  std::get<troupe::config::worker_actor>(settings.actors.back().kind).dlq.topic = "graves";
  EXPECT_EQ(rows_of(read(videos_panel()), "Stuck")[0][4]["href"],
            "/dlq/graves?where=key%3Da%20b%26c%3D%C3%BC%2B%25%22%5C");
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
