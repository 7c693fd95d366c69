"""What operators do to pools and dead letters, and that viewers can do none of it."""

import os

import pytest
from support.dashboard import hashed
from support.effects import most_at_once
from support.waiting import eventually, stays
from support.working import pool, told


PASSWORD = "open sesame"


def paused(engine):
    return engine.metric("troupe_pool_paused", actor="pay") == 1


@pytest.mark.limit(150)
def test_a_pool_is_paused_resized_reset_and_resumed(kafka, engines, effects, redis_server, name, dashboards, chromium):
    topic = kafka.create_topic(name, 2)
    engine = engines({"pay": pool(topic, name)}, redis=redis_server, instance="one").start_and_join()
    window = chromium().go(dashboards(engine).url).see("live", ".pulse")
    window.click("#actors [data-action=pause]").see("Pause pay?", "dialog").click("dialog [data-cancel]")
    assert not paused(engine), "it was not agreed to"
    window.click("#actors [data-action=pause]").click("dialog [data-agree]")
    window.see("pause done by 1 process", "#toasts")
    eventually(lambda: paused(engine), 10, "the pool is paused")
    window.see("paused", "#actors [data-key=pay]")
    sent = kafka.produce(topic, [told(f"key-{n % 20}".encode(), sleep_ms=20) for n in range(100)])
    stays(lambda: not effects.read(), 1.5, "no call begins")

    window.click("#actors a[href='/actors/pay']").see("wants it paused", ".drift")
    window.click(".head [data-action=resize]")
    window.driver.execute_script("document.querySelector('dialog [name=workers]').value = ''")
    window.type("dialog [name=workers]", "2").click("dialog [data-agree]").see("resize done", "#toasts")
    window.click(".head [data-action=resume]")
    calls = effects.wait_done(sent)
    assert most_at_once(calls) == 2
    window.see("2 workers", ".drift").click(".head [data-action=reset]").click("dialog [data-agree]")
    eventually(lambda: engine.metric("troupe_pool_workers", actor="pay") == 8, 10, "as in the file again")
    window.click("#nav a[href='/audit']")
    for words in ("pause", "resize", "resume", "reset", "1 of 1 processes did it"):
        window.see(words, "#audit")


def failing(kafka, topic, file, count):
    return kafka.produce(topic, [told(f"key-{n}".encode(), fail="permanent", fail_until_file=str(file)) for n in range(count)])


@pytest.mark.limit(150)
def test_a_dead_letter_is_looked_at_replayed_and_vanishes(kafka, engines, effects, redis_server, name, tmp_path, dashboards, chromium):
    topic = kafka.create_topic(name, 2)
    engine = engines({"pay": pool(topic, name)}, redis=redis_server, instance="one").start_and_join()
    repaired = tmp_path / "repaired"
    sent = failing(kafka, topic, repaired, 3)
    letters = f"{topic}.pay.dlq"
    window = chromium().go(f"{dashboards(engine).url}/dlq").see(letters, "#topics").click("#topics a")
    eventually(lambda: len(window.all("#letters tbody tr")) == 3, 20, "the three are listed")
    window.click("#letters tbody a").see("open", "#letter").see("Given up", "#letter").see("original-topic", "#letter")
    window.see("fail_until_file", "#letter")

    repaired.touch()
    window.click("#letter [data-action=replay]").see("Replay 1 dead letter?", "dialog").see(f"{topic}.pay.replay", "dialog")
    window.see("key-", "dialog").click("dialog [data-agree]")
    eventually(lambda: len(window.all("#letters tbody tr")) == 2, 30, "the one that was replayed is gone")
    eventually(lambda: sum(call.succeeded for call in effects.read()) == 1, 20, "it was handled")

    window.click("#letters [data-action=replay]").see("Replay 2 dead letters?", "dialog").click("dialog [data-agree]")
    window.see("No open", "#letters", 30)
    eventually(lambda: sum(call.succeeded for call in effects.read()) == len(sent), 20, "all were handled")
    window.see("done", "#jobs")


@pytest.mark.limit(150)
def test_many_are_discarded_only_when_their_number_is_typed(kafka, engines, effects, redis_server, name, tmp_path, dashboards, chromium):
    topic = kafka.create_topic(name, 2)
    engine = engines({"pay": pool(topic, name, dlq={"flood": {"ratio": 1.0, "run": 1000}})}, redis=redis_server,
                     instance="one").start_and_join()
    failing(kafka, topic, tmp_path / "never", 150)
    dashboard = dashboards(engine)
    eventually(lambda: dashboard.document()["summary"].get("dead_letters") == 150, 30, "they are dead")
    window = chromium().go(f"{dashboard.url}/dlq/{topic}.pay.dlq").see("all 150", "#letters")
    window.click("#letters [data-action=discard]").see("Discard 150 dead letters?", "dialog")
    agree = window.all("dialog [data-agree]")[0]
    assert not agree.is_enabled()
    window.type("dialog [name=count]", "15")
    assert not agree.is_enabled()
    window.type("dialog [name=count]", "0").click("dialog [data-agree]")
    window.see("No open", "#letters", 30)
    eventually(lambda: dashboard.document()["summary"].get("dead_letters") == 0, 20, "none is open")
    assert not any(call.succeeded for call in effects.read())


@pytest.mark.limit(150)
def test_an_edited_copy_is_handled_and_the_letter_stays(kafka, engines, effects, redis_server, name, tmp_path, dashboards, chromium):
    topic = kafka.create_topic(name, 1)
    engine = engines({"pay": pool(topic, name)}, redis=redis_server, instance="one").start_and_join()
    failing(kafka, topic, tmp_path / "never", 1)
    window = chromium().go(f"{dashboards(engine).url}/dlq/{topic}.pay.dlq").click("#letters tbody a")
    window.click("#letter [data-action=edit]").see("Replay an edited copy", "dialog")
    window.driver.execute_script("document.querySelector('dialog textarea').value = '{\"sleep_ms\": 1}'")
    window.click("dialog [data-agree]").see(f"{topic}.pay.replay", "#toasts")
    eventually(lambda: [call.value for call in effects.read() if call.succeeded] == [b'{"sleep_ms":1}'], 20, "the copy is handled")
    window.see("open", "#letter")
    [copy] = kafka.read(f"{topic}.pay.replay")
    assert copy.header("edited-by")


# What an operator might send; whatever the table of the API names beside is sent empty.
BODIES = {"/api/v1/commands": {"action": "pause", "actor": "pay"}}
TRY_ALL = """
const session = await (await fetch('/api/v1/session')).json()
const { endpoints } = await (await fetch('/api/v1')).json()
const answers = []
for (const { method, path, acts } of endpoints) {
  if (!acts) continue
  const answer = await fetch(path.replace('*', '1'), { method, headers: { 'Content-Type': 'application/json',
    'X-Troupe-CSRF': session.csrf }, ...(method === 'POST' ? { body: JSON.stringify(given[0][path] ?? {}) } : {}) })
  answers.push([`${method} ${path}`, answer.status])
}
return answers
"""


@pytest.mark.limit(150)
def test_a_viewer_sees_all_and_can_do_nothing(kafka, engines, effects, redis_server, name, tmp_path, dashboards, chromium):
    topic = kafka.create_topic(name, 1)
    engine = engines({"pay": pool(topic, name)}, redis=redis_server, instance="one").start_and_join()
    failing(kafka, topic, tmp_path / "never", 1)
    one = hashed(os.environ["TROUPE_BINARY"], PASSWORD)
    dashboard = dashboards(engine, auth={"operators": {"olga": one}, "viewers": {"vera": one}})
    window = chromium(expected=("403 (Forbidden)", "401 (Unauthorized)"))
    window.go(f"{dashboard.url}/actors/pay").see("Log in", "h1")
    window.type("[name=user]", "vera").type("[name=password]", "wrong").click("[type=submit]").see("wrong", "#login-trouble")
    window.all("[name=password]")[0].clear()
    window.type("[name=password]", PASSWORD).click("[type=submit]").see("pay", "h1").see("viewer", ".who")

    def buttons(url, there):
        window.go(url).see("live", ".pulse")
        eventually(lambda: window.all(there), 20, f"{there} of {url}")
        return window.all("[data-action=pause], [data-action=resize], [data-action=replay], [data-action=discard], [data-action=edit]")
    assert not buttons(f"{dashboard.url}/actors/pay", ".head")
    assert not buttons(dashboard.url, "#actors [data-key=pay]")
    letters = f"{dashboard.url}/dlq/{topic}.pay.dlq"
    assert not buttons(letters, "#letters tbody tr")
    window.click("#letters tbody a").see("original-topic", "#letter")
    assert not window.all("#letter button")

    answers = window.run(TRY_ALL, BODIES)
    assert len(answers) >= 5, answers
    assert {status for _, status in answers} == {403}, answers
    assert not paused(engine)

    window.click("[data-action=logout]").see("Log in", "h1")
    window.type("[name=user]", "olga").type("[name=password]", PASSWORD).click("[type=submit]").see("operator", ".who")
    assert buttons(letters, "#letters tbody tr")
