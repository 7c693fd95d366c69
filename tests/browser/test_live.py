"""What happens is seen: events within seconds, processes that are killed, a Redis that is gone. Bounds of time are three
times what is promised."""

import json

import pytest
from support.waiting import eventually
from support.working import QUICK_SESSION, pool, told

PROMISED = 2.0  # seconds from an event to its figure
BOUND = 3 * PROMISED
FIGURES = "return [...document.querySelectorAll('.tile')].map((t) => [t.querySelector('dt').textContent," \
          " t.querySelector('dd .v').textContent])"


def figures(window):
    """The tiles of the overview: label → text."""
    return dict(window.driver.execute_script(FIGURES))


def process(window, instance):
    """The state that the overview shows of it."""
    return window.driver.execute_script(
        "return document.querySelector(`#instances [data-key='${arguments[0]}'] .state`)?.textContent", instance)


@pytest.mark.limit(120)
def test_events_and_dead_letters_are_seen_within_seconds(kafka, engines, effects, redis_server, name, dashboards, chromium):
    topic = kafka.create_topic(name, 4)
    engine = engines({"pay": pool(topic, name)}, redis=redis_server, instance="one").start_and_join()
    window = chromium().go(dashboards(engine).url)
    window.see("live")
    eventually(lambda: figures(window).get("Lag") == "0", 20, lambda: f"nothing lags: {figures(window)}")
    assert figures(window)["Dead letters"] == "0" and figures(window)["p99"] == "–", "what is not known is no 0"

    sent = kafka.produce(topic, [told(f"key-{n}".encode()) for n in range(200)])
    effects.wait_done(sent)
    seen = window.seconds_until(lambda: figures(window)["Events per second"] not in ("0", "–"), 20)
    assert seen < BOUND, f"the rate of events after {seen:.1f} s"

    kafka.produce(topic, [told(f"key-{n}".encode(), fail="permanent") for n in range(7)])
    eventually(lambda: len(effects.read()) == 207, 20, "they fail", 0.01)
    seen = window.seconds_until(lambda: figures(window)["Dead letters"] == "7", 20)
    assert seen < BOUND, f"the dead letters after {seen:.1f} s"
    assert "7" in window.text("#nav a[href='/dlq']")


@pytest.mark.limit(150)
def test_an_engine_that_is_killed_is_late_then_lost(kafka, engines, redis_server, name, dashboards, chromium):
    topic = kafka.create_topic(name, 4)
    quick = {"brokers": kafka.address, "consumer": QUICK_SESSION}
    one, two = (engines({"pay": pool(topic, name)}, redis=redis_server, instance=each, kafka=quick).start_and_join()
                for each in ("one", "two"))
    window = chromium().go(dashboards(one).url)
    eventually(lambda: process(window, "one") == "live" and process(window, "two") == "live", 20, "both are live")
    assert figures(window)["Processes"] == "2/2"

    two.kill()
    eventually(lambda: process(window, "two") == "late", 3 * 6, "who was killed is late")
    assert figures(window)["Processes"] == "1/2"
    window.see("1 of 2 processes report: sums are partial", ".banner")
    eventually(lambda: "two: late" in window.driver.execute_script("return document.getElementById('news').textContent"),
               5, "who does not look is told")
    eventually(lambda: process(window, "two") == "lost", 3 * 30, "and then lost")
    one.stop()
    eventually(lambda: process(window, "one") == "stopped", 20, "who said goodbye is stopped")
    eventually(lambda: figures(window)["Events per second"] == "–", 20, "nobody tells of events")


@pytest.mark.limit(120)
def test_without_redis_what_is_shown_is_old_and_nothing_can_be_done(kafka, engines, redis_server, name, dashboards, chromium):
    topic = kafka.create_topic(name, 1)
    engine = engines({"pay": pool(topic, name)}, redis=redis_server, instance="one").start_and_join()
    # A chart may be asked for in the moment in which Redis goes.
    window = chromium(expected=("503 (Service Unavailable)",)).go(dashboards(engine).url)
    eventually(lambda: process(window, "one") == "live", 20, "it is live")
    assert window.all("#actors button[data-action=pause]:enabled")

    redis_server.stop()
    window.see("Redis is down", ".banner", 3 * 5)
    window.see("as of", ".pulse", 3 * 5)
    eventually(lambda: not window.all("#actors button[data-action=pause]:enabled"), 10, "nothing can be done")
    assert window.driver.execute_script("return document.body.dataset.fresh") == "stale"
    assert figures(window)["Processes"] == "1/1", "the last values stay"

    redis_server.start()
    window.see("live", ".pulse", 30)
    window.see_no("Redis is down", within=10)
    eventually(lambda: window.all("#actors button[data-action=pause]:enabled"), 10, "it can be done again")


@pytest.mark.limit(120)
def test_tabs_share_a_stream_and_go_on_when_the_first_is_closed(kafka, engines, redis_server, name, dashboards, chromium):
    topic = kafka.create_topic(name, 1)
    engine = engines({"pay": pool(topic, name)}, redis=redis_server, instance="one").start_and_join()
    url = dashboards(engine).url
    window = chromium().go(url).see("live", ".pulse")
    driver = window.driver
    first = driver.current_window_handle
    driver.switch_to.new_window("tab")
    window.go(url).see("live", ".pulse")
    locks = window.run("const all = await navigator.locks.query(); return [all.held.length, all.pending.length]")
    assert locks == [1, 1], "one of them reads the stream, the other waits for its turn"
    begin = window.text(".pulse")
    eventually(lambda: window.text(".pulse") != begin, 10, "the second is told what the first reads")

    second = driver.current_window_handle
    driver.switch_to.window(first)
    driver.close()
    driver.switch_to.window(second)
    eventually(lambda: window.run("const all = await navigator.locks.query(); return all.held.length") == 1, 10, "it takes its turn")
    begin = window.text(".pulse")
    eventually(lambda: window.text(".pulse") not in (begin, "") and "live" in window.text(".pulse"), 15, "it reads by itself")


@pytest.mark.limit(90)
def test_paused_pages_stand_still_until_they_go_on(kafka, engines, effects, redis_server, name, dashboards, chromium):
    topic = kafka.create_topic(name, 1)
    engine = engines({"pay": pool(topic, name)}, redis=redis_server, instance="one").start_and_join()
    dashboard = dashboards(engine)
    window = chromium().go(dashboard.url).see("live", ".pulse")
    eventually(lambda: figures(window).get("Dead letters") == "0", 10, "no letter yet")
    window.click("[data-action=freeze]").see("paused", ".pulse")
    kafka.produce(topic, [told(b"key", fail="permanent")])
    eventually(lambda: dashboard.document()["summary"]["dead_letters"] == 1, 20, "the server knows")
    at = dashboard.document()["at"]
    eventually(lambda: dashboard.document()["at"] > at + 1000, 10, "and has told")
    assert figures(window)["Dead letters"] == "0", json.dumps(figures(window))
    window.click("[data-action=freeze]").see("live", ".pulse")
    eventually(lambda: figures(window)["Dead letters"] == "1", 5, "it is seen now")
