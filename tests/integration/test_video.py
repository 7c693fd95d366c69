"""Videos, driven from outside: HTTP in, topics and Redis out."""

import json
import os
import pathlib
import shutil
import subprocess
import time
import uuid

import pytest
from confluent_kafka.admin import AdminClient

from support.door import Door
from support.kafka import Event
from support.waiting import eventually, stays
from support.working import QUICK_SESSION

UPLOADED, TRANSCODED, READY = "video.uploaded", "video.transcoded", "video.ready"
GROUPS = {"transcode-service": [UPLOADED], "thumbnail-service": [TRANSCODED],
          "index-service": [UPLOADED, TRANSCODED, READY]}
QUICK = {f"kafka.consumer.{name}": value for name, value in QUICK_SESSION.items()}
STAGES = ("uploaded", "transcoded", "ready")
REAL = pytest.mark.skipif(not (shutil.which("ffmpeg") and shutil.which("ffprobe")), reason="ffmpeg is not installed")


@pytest.fixture
def door():
    return Door()


@pytest.fixture
def chain(examples, fresh_kafka, door):
    """Makes the example, with its topics there and its work short; not started yet."""
    for topic in (UPLOADED, TRANSCODED, READY):
        fresh_kafka.create_topic(topic, 4)

    def make(*names, media="", overrides=None, **environment):
        return examples(*(names or ["video"]), VIDEO_MEDIA=str(media), **environment,
                        overrides={"actors.upload.ingest.listen": door.listen,
                                   "actors.transcode.settings.latency": "100ms", **(overrides or {})})
    return make


def upload(door, user="u-1", key="raw/cat.mp4", **more):
    answer, body = door.ask("POST", "/videos", json.dumps({"s3_key": key, "user_id": user, **more}))
    assert answer.status == 202, body
    return json.loads(body)["video_id"]


def refused(door, body):
    answer, text = door.ask("POST", "/videos", body)
    assert answer.status == 400, text
    return json.loads(text)["detail"]


def values(kafka, topic):
    """video_id: the events of that video, which all have it as their key."""
    found = {}
    for record in kafka.read(topic):
        value = json.loads(record.value)
        assert record.key == value["video_id"].encode()
        found.setdefault(value["video_id"], []).append(value)
    return found


def in_stage(redis, stage):
    return set(redis.client.zrange(f"videos:stage:{stage}", 0, -1))


def wait_ready(redis, ids, within=40):
    eventually(lambda: in_stage(redis, "ready") >= set(ids), within,
               lambda: f"{len(ids)} videos are ready: {[len(in_stage(redis, stage)) for stage in STAGES]}")


def wait_all_committed(kafka, groups=GROUPS):
    for group, topics in groups.items():
        for topic in topics:
            kafka.wait_all_committed(group, topic)


def letter(kafka, topic):
    [found] = kafka.read_when(topic, 1)
    return found


def thumbnail_of(video):
    return f"https://cdn.example.com/{video}/thumbnail.jpg"


# ---- the chain ----

def test_an_upload_goes_through_the_chain_and_can_be_searched_by_its_user(chain, fresh_kafka, redis_server, door):
    chain().start_and_join()
    cat, dog = upload(door, size_bytes=1_000_000), upload(door, key="raw/dog.mp4")
    bird = upload(door, user="u-2")
    wait_ready(redis_server, [cat, dog, bird])
    wait_all_committed(fresh_kafka)

    assert values(fresh_kafka, UPLOADED)[cat] == [
        {"video_id": cat, "s3_key": "raw/cat.mp4", "user_id": "u-1", "size_bytes": 1_000_000}]
    assert values(fresh_kafka, UPLOADED)[dog][0]["size_bytes"] == 0
    assert values(fresh_kafka, TRANSCODED)[cat] == [
        {"video_id": cat, "user_id": "u-1", "formats": ["720p", "1080p"], "duration_seconds": 142}]
    assert values(fresh_kafka, READY)[cat] == [
        {"video_id": cat, "user_id": "u-1", "thumbnail_url": thumbnail_of(cat)}]

    redis = redis_server.client
    uploaded_at = {json.loads(r.value)["video_id"]: r.timestamp for r in fresh_kafka.read(UPLOADED)}
    assert redis.zrange("videos:user:u-1", 0, -1, withscores=True) == [(cat, uploaded_at[cat]), (dog, uploaded_at[dog])]
    assert redis.zrange("videos:user:u-2", 0, -1) == [bird]
    about = redis.hgetall(f"video:{cat}")
    assert {name: value for name, value in about.items() if not name.endswith("_at")} == {
        "video_id": cat, "user_id": "u-1", "stage": "ready", "s3_key": "raw/cat.mp4", "size_bytes": "1000000",
        "formats": "720p,1080p", "duration_seconds": "142", "thumbnail_url": thumbnail_of(cat)}
    assert about["uploaded_at"] <= about["transcoded_at"] <= about["ready_at"]


def test_a_body_that_is_no_upload_is_refused_with_the_name_of_the_field(chain, fresh_kafka, door):
    chain().start_and_join()
    good = {"s3_key": "a", "user_id": "u"}
    assert "s3_key" in refused(door, json.dumps({"user_id": "u"}))
    assert "user_id" in refused(door, json.dumps({"s3_key": "a"}))
    assert "user_id" in refused(door, json.dumps({**good, "user_id": 7}))
    assert "s3_key" in refused(door, json.dumps({**good, "s3_key": ""}))
    for size in ("12", 1.5, -1, None, 1 << 70):
        assert "size_bytes" in refused(door, json.dumps({**good, "size_bytes": size})), size
    assert "JSON" in refused(door, "{")
    assert "JSON" in refused(door, "")
    assert sum(fresh_kafka.ends(UPLOADED).values()) == 0


WRONG = {
    "no JSON": (b"\xff{", "JSON"), "no object": (b"[1]", "JSON object"), "nothing": (None, "JSON"),
    "unclosed": (b"[" * 100_000, "JSON"),
    "nested": (b'{"a":' + b"[" * 400_000 + b"]" * 400_000 + b',"b":1,"c":2}', "missing"),
    "no user": ({"user_id": ...}, "user_id"), "number for a user": ({"user_id": 7}, "user_id"),
    "path for an id": ({"video_id": "../v"}, "video_id"), "list for an id": ({"video_id": []}, "video_id"),
}


def wrong_event(of, change):
    if not isinstance(change, dict):
        return change
    return json.dumps({name: value for name, value in {**of, **change}.items() if value is not ...}).encode()


UNREADABLE = {
    ("transcode", UPLOADED): (
        {"video_id": "v", "s3_key": "a", "user_id": "u", "size_bytes": 1},
        {"size": ({"size_bytes": "1"}, "size_bytes"), "no key": ({"s3_key": None}, "s3_key")}),
    ("thumbnail", TRANSCODED): (
        {"video_id": "v", "user_id": "u", "formats": ["720p"], "duration_seconds": 1},
        {"format": ({"formats": ["720p", 7]}, "formats"), "path": ({"formats": ["../a"]}, "formats"),
         "formats": ({"formats": {}}, "formats"), "duration": ({"duration_seconds": 1.5}, "duration_seconds")}),
    ("index", READY): (
        {"video_id": "v", "user_id": "u", "thumbnail_url": "t"},
        {"url": ({"thumbnail_url": 7}, "thumbnail_url"), "none": ({"thumbnail_url": ...}, "thumbnail_url")}),
}


def test_what_can_not_be_read_is_a_dead_letter_that_names_the_field(chain, fresh_kafka, redis_server, door):
    cases = {at: list({**WRONG, **more}.values()) for at, (_, more) in UNREADABLE.items()}
    for (actor, topic), (of, _) in UNREADABLE.items():
        fresh_kafka.produce(topic, [Event(b"k", wrong_event(of, change)) for change, _ in cases[actor, topic]])
    engine = chain().start_and_join()
    for (actor, topic), told in cases.items():
        letters = fresh_kafka.read_when(f"{topic}.{actor}.dlq", len(told))
        assert [one.header("error-class") for one in letters] == ["undecodable"] * len(told)
        assert [one.header("attempts") for one in letters] == ["1"] * len(told)
        for one, (_, named) in zip(letters, told):
            assert named in one.header("error")
    wait_ready(redis_server, [upload(door)])
    assert engine.stop() == 0


def test_the_index_is_the_same_in_any_order_and_however_often_it_reads(chain, fresh_kafka, redis_server):
    video = str(uuid.uuid4())
    events = {
        UPLOADED: {"video_id": video, "s3_key": "a", "user_id": "u", "size_bytes": 1},
        TRANSCODED: {"video_id": video, "user_id": "u", "formats": ["480p"], "duration_seconds": 2},
        READY: {"video_id": video, "user_id": "u", "thumbnail_url": "t"}}
    # The other steps are at rest, so that these events are all there is.
    fresh_kafka.create_topic("unused")
    chain(overrides={f"actors.{actor}.consume": f"{{topic: unused, group: {actor}}}"
                     for actor in ("transcode", "thumbnail")}).start_and_join()
    redis = redis_server.client

    def produce(topic, at):
        fresh_kafka.produce(topic, [Event(video.encode(), json.dumps(events[topic]).encode(), timestamp=at)])
        fresh_kafka.wait_all_committed("index-service", topic)

    def stages():
        return {stage: redis.zscore(f"videos:stage:{stage}", video) for stage in STAGES}

    start = 1_700_000_000_000
    produce(TRANSCODED, start + 2000)
    assert stages() == {"uploaded": None, "transcoded": start + 2000, "ready": None}
    produce(READY, start + 3000)
    produce(UPLOADED, start + 1000)
    for again in (UPLOADED, READY, TRANSCODED, UPLOADED):
        produce(again, start + 9000)
        assert stages() == {"uploaded": None, "transcoded": None, "ready": start + 3000}
    assert redis.zrange("videos:user:u", 0, -1, withscores=True) == [(video, start + 1000)]
    assert redis.hgetall(f"video:{video}") == {
        "video_id": video, "user_id": "u", "stage": "ready", "s3_key": "a", "size_bytes": "1", "formats": "480p",
        "duration_seconds": "2", "thumbnail_url": "t", "uploaded_at": "2023-11-14T22:13:21.000Z",
        "transcoded_at": "2023-11-14T22:13:22.000Z", "ready_at": "2023-11-14T22:13:23.000Z"}


@pytest.mark.limit(120)
def test_kills_in_the_middle_of_the_chain_lose_no_video(chain, fresh_kafka, redis_server, door):
    engine = chain(overrides={"actors.transcode.settings.latency": "300ms", **QUICK}).start_and_join()
    ids = [upload(door, user=f"u-{n % 3}") for n in range(30)]
    for after in (5, 12):
        eventually(lambda: len(in_stage(redis_server, "ready")) >= after, 30, f"{after} videos are ready")
        engine.kill()
        assert len(in_stage(redis_server, "ready")) < len(ids), "the chain was cut in its middle"
        engine.start_and_join()
    wait_ready(redis_server, ids)
    wait_all_committed(fresh_kafka)
    redis = redis_server.client
    assert in_stage(redis_server, "ready") == set(ids)
    assert not in_stage(redis_server, "uploaded") | in_stage(redis_server, "transcoded")
    for user in range(3):
        assert set(redis.zrange(f"videos:user:u-{user}", 0, -1)) == set(ids[user::3])
    for topic in (TRANSCODED, READY):
        assert values(fresh_kafka, topic).keys() == set(ids)
    assert engine.stop() == 0


# ---- work that takes minutes ----

@pytest.mark.limit(120)
def test_work_that_outlasts_the_limits_of_the_group_keeps_its_partition(chain, fresh_kafka, redis_server, door):
    """Minutes against the 5 of max.poll.interval.ms, as 15 seconds against 7."""
    engine = chain(overrides={"actors.transcode.settings.latency": "15s",
                              "kafka.consumer.session.timeout.ms": 6000,
                              "kafka.consumer.max.poll.interval.ms": 7000}).start_and_join()
    rebalances = engine.metric("troupe_rebalances_total")
    members = members_of(fresh_kafka)
    begun = time.monotonic()
    video = upload(door)

    def under_way():
        return in_stage(redis_server, "uploaded") == {video} \
            and engine.metric("troupe_pool_workers", actor="transcode", state="busy") == 1 \
            and not any(fresh_kafka.committed("transcode-service", UPLOADED).values())
    eventually(under_way, 10, "the work is under way")
    stays(under_way, 12, "it is worked on, and nothing is committed", 0.5)
    wait_ready(redis_server, [video])
    assert time.monotonic() - begun >= 15
    fresh_kafka.wait_all_committed("transcode-service", UPLOADED)
    assert engine.metric("troupe_attempts_total", actor="transcode") == 1
    assert engine.metric("troupe_attempts_total", actor="transcode", result="ok") == 1
    assert engine.metric("troupe_rebalances_total") == rebalances
    assert members_of(fresh_kafka) == members
    assert len(values(fresh_kafka, TRANSCODED)[video]) == 1


# ---- the scanner ----

def members_of(kafka, groups=GROUPS):
    """The members of each group by their ids, which are new whenever one joins again from the start."""
    found = {group.id: {member.id for member in group.members}
             for group in AdminClient({"bootstrap.servers": kafka.address}).list_groups(timeout=20)}
    return {group: found[group] for group in groups}


def seen_from_outside(kafka, ids):
    """What the chain made of these videos, without their ids."""
    made = {topic: values(kafka, topic) for topic in (UPLOADED, TRANSCODED, READY)}
    return [[json.dumps(made[topic][video]).replace(video, "ID") for topic in made] for video in ids]


@pytest.mark.limit(90)
def test_a_scanner_is_added_by_configuration_alone_and_nothing_else_changes(chain, fresh_kafka, redis_server, door):
    running = chain().start_and_join()
    before = [upload(door) for _ in range(10)]
    wait_ready(redis_server, before)
    wait_all_committed(fresh_kafka)
    topics, members = set(fresh_kafka.topics()), members_of(fresh_kafka)
    rebalances = {group: running.metric("troupe_rebalances_total", group=group) for group in GROUPS}

    scanner = chain("video-virus-scan", overrides={
        "actors.virus-scan.handler": "{simulate: {latency: 10ms, permanent: 50%}}"})
    del scanner.overrides["actors.upload.ingest.listen"], scanner.overrides["actors.transcode.settings.latency"]
    scanner.start_and_join()
    after = [upload(door) for _ in range(10)]
    wait_ready(redis_server, after)
    wait_all_committed(fresh_kafka, {**GROUPS, "virus-scan-service": [UPLOADED]})

    infected = {json.loads(one.value)["video_id"] for one in fresh_kafka.read(f"{UPLOADED}.virus-scan.dlq")}
    assert infected and infected < {*before, *after}, "some are infected, those from before among what is scanned"
    assert scanner.metric("troupe_attempts_total", actor="virus-scan") == 20
    assert seen_from_outside(fresh_kafka, after) == seen_from_outside(fresh_kafka, before)
    assert members_of(fresh_kafka) == members
    assert {group: running.metric("troupe_rebalances_total", group=group) for group in GROUPS} == rebalances
    assert set(fresh_kafka.topics()) - topics == {f"{UPLOADED}.virus-scan.dlq"}
    assert scanner.stop() == 0


def test_the_scanner_runs_in_the_process_of_the_chain_as_well(chain, fresh_kafka, redis_server, door):
    engine = chain("video", "video-virus-scan").start_and_join()
    ids = [upload(door) for _ in range(5)]
    wait_ready(redis_server, ids)
    wait_all_committed(fresh_kafka, {**GROUPS, "virus-scan-service": [UPLOADED]})
    assert engine.metric("troupe_attempts_total", actor="virus-scan") == 5
    assert engine.stop() == 0


@pytest.mark.parametrize("names", [["video"], ["video-virus-scan"], ["video", "video-virus-scan"]], ids="+".join)
def test_check_finds_nothing_wrong(names):
    config = pathlib.Path(__file__).parents[2] / "config"
    answer = subprocess.run([os.environ["TROUPE_BINARY"], "check", *(config / f"{name}.yaml" for name in names)],
                            capture_output=True, text=True, timeout=30)
    assert answer.returncode == 0, answer.stdout + answer.stderr


# ---- ffmpeg ----

def clip(path, size, seconds=2):
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc=duration={seconds}:size={size}:rate=10",
                    "-f", "lavfi", "-i", f"sine=duration={seconds}", "-preset", "ultrafast", path], check=True,
                   timeout=60)


def names_in(folder):
    return {file.name for file in folder.iterdir()}


def probed(path):
    answer = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height:"
                             "format=duration,format_name", "-of", "json", path], capture_output=True, check=True)
    return json.loads(answer.stdout)


@REAL
@pytest.mark.limit(120)
def test_ffmpeg_makes_renditions_and_a_thumbnail_of_a_real_file(chain, fresh_kafka, redis_server, door, tmp_path):
    media = tmp_path / "media"
    clip(media / "raw" / "a cat's; $(touch evil).mp4", "1280x720")
    clip(media / "small.mp4", "160x120")
    engine = chain(media=media).start_and_join()
    large = upload(door, key="raw/a cat's; $(touch evil).mp4")
    small = upload(door, key="small.mp4")
    wait_ready(redis_server, [large, small], 90)

    made = values(fresh_kafka, TRANSCODED)
    assert made[large] == [
        {"video_id": large, "user_id": "u-1", "formats": ["480p", "720p"], "duration_seconds": 2}]
    assert made[small][0]["formats"] == ["480p"]
    for video, sizes in ((large, {"480p": 480, "720p": 720}), (small, {"480p": 480})):
        assert names_in(media / video) == {*(f"{size}.mp4" for size in sizes), "thumbnail.jpg"}
        for name, height in sizes.items():
            about = probed(media / video / f"{name}.mp4")
            assert "mp4" in about["format"]["format_name"] and abs(float(about["format"]["duration"]) - 2) < 0.2
            assert {stream["codec_name"] for stream in about["streams"]} == {"h264", "aac"}
            assert about["streams"][0]["height"] == height
        [picture] = probed(media / video / "thumbnail.jpg")["streams"]
        assert picture["codec_name"] == "mjpeg" and picture["height"] == 480
    assert redis_server.client.hget(f"video:{large}", "duration_seconds") == "2"

    # Again, as after a crash: what is there stays as it is, and what was left half done goes.
    file = media / large / "720p.mp4"
    written = file.stat().st_mtime_ns
    (media / large / "480p.mp4").unlink()
    (media / large / ".480p.mp4.left-by-a-crash").touch()
    [event] = [record for record in fresh_kafka.read(UPLOADED) if record.key == large.encode()]
    fresh_kafka.produce(UPLOADED, [Event(event.key, event.value)])
    eventually(lambda: len(values(fresh_kafka, READY)[large]) == 2, 60, "it went through the chain again")
    assert values(fresh_kafka, TRANSCODED)[large][0] == values(fresh_kafka, TRANSCODED)[large][1]
    assert file.stat().st_mtime_ns == written
    assert names_in(media / large) == {"480p.mp4", "720p.mp4", "thumbnail.jpg"}
    assert engine.stop() == 0


@REAL
def test_what_is_no_video_or_leads_out_of_the_folder_is_a_dead_letter_at_once(chain, fresh_kafka, door, tmp_path):
    media = tmp_path / "media"
    media.mkdir()
    (media / "broken.mp4").write_bytes(os.urandom(10_000))
    (media / "list.m3u8").write_text(f"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:{door.port}/videos\n")
    clip(tmp_path / "outside.mp4", "160x120")
    chain(media=media).start_and_join()
    bad = {upload(door, key=key): key for key in ("broken.mp4", "list.m3u8", "../outside.mp4", "a/../../outside.mp4",
                                                  str(tmp_path / "outside.mp4"), "broken.mp4\0/../../x")}
    letters = fresh_kafka.read_when(f"{UPLOADED}.transcode.dlq", len(bad))
    classes = {bad[one.key.decode()]: one.header("error-class") for one in letters}
    assert classes == {key: "media" if key in ("broken.mp4", "list.m3u8") else "bad_path" for key in bad.values()}
    assert {one.header("attempts") for one in letters} == {"1"}
    assert sum(fresh_kafka.ends(TRANSCODED).values()) == 0


def program(folder, name, text):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


HANGING = {"actors.transcode.deadline": "1s",
           "actors.transcode.retry": "{attempts: 2, backoff: constant, initial: 100ms}"}


@pytest.fixture
def hanging_ffmpeg(tmp_path):
    """The folder of an ffmpeg that never ends, and the file that holds its process ids."""
    pids = tmp_path / "pids"
    program(tmp_path / "bin", "ffprobe", """echo '{"streams":[{"height":720}],"format":{"duration":"2.5"}}'""")
    program(tmp_path / "bin", "ffmpeg", f"echo $$ >> {pids}; exec sleep 600")
    media = tmp_path / "media"
    media.mkdir()
    (media / "cat.mp4").touch()
    return {"media": media, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}, pids


def alive(pids):
    return [pid for pid in pids.read_text().split() if pathlib.Path(f"/proc/{pid}").exists()]


def test_an_ffmpeg_that_hangs_is_killed_at_the_deadline_and_tried_again(chain, fresh_kafka, door, hanging_ffmpeg):
    place, pids = hanging_ffmpeg
    chain(**place, overrides=HANGING).start_and_join()
    video = upload(door, key="cat.mp4")
    one = letter(fresh_kafka, f"{UPLOADED}.transcode.dlq")
    assert (one.header("error-class"), one.header("attempts")) == ("deadline", "2")
    assert len(pids.read_text().split()) == 2 and not alive(pids)
    assert not names_in(place["media"] / video)


def test_no_ffmpeg_outlives_the_engine_and_the_next_start_does_its_work_again(chain, redis_server, door,
                                                                              hanging_ffmpeg):
    place, pids = hanging_ffmpeg
    engine = chain(**place, overrides={"shutdown.deadline": "2s", **QUICK}).start_and_join()
    video = upload(door, key="cat.mp4")
    eventually(pids.exists, 10, "ffmpeg runs")
    assert engine.stop(10) == 75
    eventually(lambda: not alive(pids), 5, "ffmpeg is gone")
    # The same for an end without a word.
    pids.unlink()
    engine.start_and_join()
    eventually(pids.exists, 10, "ffmpeg runs")
    engine.kill()
    eventually(lambda: not alive(pids), 5, "ffmpeg is gone")
    (place["media"] / "cat.mp4").unlink()
    engine.start_and_join()
    wait_ready(redis_server, [video])
    assert in_stage(redis_server, "ready") == {video}


def test_without_an_ffmpeg_the_work_is_simulated(chain, fresh_kafka, redis_server, door, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "setpriv").symlink_to(shutil.which("setpriv"))
    media = tmp_path / "media"
    media.mkdir()
    (media / "cat.mp4").touch()
    chain(media=media, PATH=str(tmp_path / "bin")).start_and_join()
    video = upload(door, key="cat.mp4")
    wait_ready(redis_server, [video])
    assert values(fresh_kafka, TRANSCODED)[video][0]["formats"] == ["720p", "1080p"]
    assert names_in(media) == {"cat.mp4"}


def test_a_setting_that_is_wrong_costs_no_event(chain, fresh_kafka, redis_server, door):
    overrides = {"actors.transcode.breaker.open_for": "200ms"}
    wrong = chain(overrides={**overrides, "actors.transcode.settings.latency": "2 apples"}).start_and_join()
    video = upload(door)
    eventually(lambda: wrong.metric("troupe_breaker_open", actor="transcode") == 1, 20, "the pool waits")
    eventually(lambda: wrong.logged("warn", "2 apples"), 5, "the log names the setting")
    assert wrong.stop() == 0
    assert fresh_kafka.partitions(f"{UPLOADED}.transcode.dlq") == 0 \
        or sum(fresh_kafka.ends(f"{UPLOADED}.transcode.dlq").values()) == 0
    chain(overrides=overrides).start_and_join()
    wait_ready(redis_server, [video])
