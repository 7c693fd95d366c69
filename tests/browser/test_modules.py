"""What the pages compute, each module by itself: no server but one that hands out the files."""

import functools
import http.server
import json
import pathlib
import threading

import pytest
from chromium import Chromium

ROOT = pathlib.Path(__file__).parents[2] / "apps" / "dashboard"


class Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def modules():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=ROOT))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    window = Chromium().go(f"http://127.0.0.1:{server.server_port}/assets/")

    def ask(module, expression):
        answer = window.run(f"const m = await import('/assets/{module}.js'); return {expression}")
        assert not (isinstance(answer, dict) and "failed" in answer), answer
        return answer
    try:
        yield ask
    finally:
        window.close()
        server.shutdown()


# RFC 7386, appendix A: original, patch, result; as far as a document is an object.
MERGES = [('{"a":"b"}', '{"a":"c"}', {"a": "c"}), ('{"a":"b"}', '{"b":"c"}', {"a": "b", "b": "c"}),
          ('{"a":"b"}', '{"a":null}', {}), ('{"a":"b","b":"c"}', '{"a":null}', {"b": "c"}),
          ('{"a":["b"]}', '{"a":"c"}', {"a": "c"}), ('{"a":"c"}', '{"a":["b"]}', {"a": ["b"]}),
          ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', {"a": {"b": "d"}}), ('{"a":[{"b":"c"}]}', '{"a":[1]}', {"a": [1]}),
          ('["a","b"]', '["c","d"]', ["c", "d"]), ('{"a":"b"}', '["c"]', ["c"]), ('{"e":null}', '{"a":1}', {"e": None, "a": 1}),
          ('[1,2]', '{"a":"b","c":null}', {"a": "b"}), ('{}', '{"a":{"bb":{"ccc":null}}}', {"a": {"bb": {}}})]


@pytest.mark.parametrize("original,patch,result", MERGES)
def test_a_patch_is_merged_as_the_rfc_says(modules, original, patch, result):
    assert modules("patch", f"m.merged({original}, {patch})") == result


def test_merging_leaves_the_old_document_as_it_was(modules):
    assert modules("patch", "(() => { const old = {a: {b: 1}, c: {}}; const made = m.merged(old, {a: {b: 2}});"
                            " return [old.a.b, made.a.b, made.c === old.c] })()") == [1, 2, True]


FIGURES = [("count(18331)", "18,331"), ("count(undefined)", "–"), ("count(0)", "0"), ("rate(12.51)", "12.5"),
           ("rate(1204.4)", "1,204"), ("rate(undefined)", "–"), ("rate(0)", "0"), ("rate(null)", "–"),
           ("latency(0.0004)", "0.4 ms"), ("latency(0.018)", "18 ms"), ("latency(1.2)", "1.2 s"), ("latency(undefined)", "–"),
           ("span(0)", "0 s"), ("span(0.3)", "0.3 s"), ("span(42)", "42 s"), ("span(242)", "4m02s"), ("span(7380)", "2h03m"),
           ("span(273600)", "3d04h"), ("span(59.7)", "1m00s"), ("span(undefined)", "–"),
           ("share(2, 1000)", "0.2%"), ("share(0, 0)", "0%"), ("share(undefined, 5)", "–"), ("share(1, undefined)", "–"),
           ("ratio(0.963)", "96%"), ("change(0.25)", "+25%"), ("change(-0.081)", "−8%"), ("change(12.3)", "+1,230%"), ("change(0)", "0%"),
           ("change('new')", "new"), ("change(null)", "–"), ("money(5875823)", "58,758.23"), ("money(undefined)", "–"),
           ("bytes(98566144)", "94 MiB"), ("bytes(undefined)", "–"), ("ago(1000, 5000)", "4 s ago"),
           ("ago(undefined, 5000)", "–"), ("plural(1, 'dead letter')", "1 dead letter"), ("plural(812, 'dead letter')", "812 dead letters"),
           ("pretty('no json')", "no json"), ("clock(undefined)", "–"), ("stamp(NaN)", "–")]


@pytest.mark.parametrize("call,text", FIGURES)
def test_figures_are_written_as_the_commands_write_them_and_the_unknown_is_never_0(modules, call, text):
    assert modules("format", f"m.{call}") == text


def test_events_are_read_however_they_are_cut(modules):
    text = r"retry: 2000\n\n: awake\nid: 7\nevent: snapshot\ndata: {\"a\":\ndata: 1}\n\r\nevent: patch\r\nid: 8\r\ndata:{}\r\n\r\nid: 9\n\n"
    wanted = [{"event": "snapshot", "id": "7", "data": '{"a":\n1}'}, {"event": "patch", "id": "8", "data": "{}"}]
    for size in (1, 2, 3, 1000):
        assert modules("sse", f"(() => {{ const got = []; const p = new m.EventParser((e) => got.push(e)); const t = '{text}';"
                              f" for (let i = 0; i < t.length; i += {size}) p.feed(t.slice(i, i + {size})); return got }})()") == wanted


def test_attempts_are_spread_from_1_to_30_seconds(modules):
    assert modules("sse", "[1, 2, 3, 6, 50].map((n) => [m.backoff(n, 0), m.backoff(n, 1)])") == [
        [500, 1000], [1000, 2000], [2000, 4000], [15000, 30000], [15000, 30000]]


def test_curves_keep_their_gaps(modules):
    assert modules("chart", "m.runs([null, 1, 2, null, 3])") == [[1, 2], [4, 4]]
    assert modules("chart", "m.thinned([1, 3, null, null, null, 5], 3)") == {"values": [2, None, 5], "each": 2}
    assert modules("chart", "[0, 0.7, 1, 4210, 26, 1001].map(m.niceTop)") == [1, 0.8, 1, 5000, 30, 1600]


def test_addresses_name_pages(modules):
    route = "(({name, argument}) => [name, argument ?? null])(m.routeOf({pathname: '%s', search: ''}))"
    wanted = {"/": ["overview", None], "/actors/a%20b": ["actor", "a b"], "/actors": ["nowhere", None], "/dlq": ["topics", None],
              "/dlq/x.dlq": ["letters", "x.dlq"], "/panels/live": ["panel", "live"], "/audit": ["audit", None],
              "/login": ["login", None], "/what": ["nowhere", None], "/dlq/a/b": ["nowhere", "a"]}
    assert {path: modules("router", route % path) for path in wanted} == wanted


PANEL = """(async () => {
  const { state } = await import('/assets/state.js')
  const paths = %s
  state.doc = { panels: { one: { tables: [{ title: 'Some', columns: [{ label: 'Text', type: 'text' }, { label: '', type: 'state' }],
    rows: paths.map((href) => [{ text: 'there', href }, { state: 'fail', href }]) }] } } }
  document.body.replaceChildren(...m.panelPage({ argument: 'one' }).content.filter(Boolean))
  return [...document.querySelectorAll('tbody tr')].map((row) =>
    [row.innerText.replace(/\\s+/g, ' ').trim(), [...row.querySelectorAll('a')].map((link) => link.getAttribute('href'))])
})()"""


def test_cells_of_a_panel_lead_to_pages_of_this_dashboard_and_nowhere_else(modules):
    inside = ["/dlq/video.uploaded.transcode.dlq?where=key%3Dv-1", "/dlq/x.dlq?letter=1/17", "/"]
    outside = ["https://example.com/", "//example.com/", "/\\example.com/", "/\t/example.com/", "javascript:alert(1)", "dlq", "", None]
    rows = modules("page_panel", PANEL % json.dumps(inside + outside))
    assert [links for _, links in rows] == [[path, path] for path in inside] + [[] for _ in outside]
    assert {text for text, _ in rows[:3]} == {"there failed"}, "what it says stays"


def test_words_alone_are_looked_for_in_the_error(modules):
    assert modules("letters", "['timeout', 'key=customer-17', 'error-class!=decode', 'no = here'].map(m.conditionOf)") == [
        "error~timeout", "key=customer-17", "error-class!=decode", "error~no = here"]
    assert modules("page_letters", "m.conditions({error_class: 'timeout', message: 'within # ms (call #)'})") == [
        "error-class=timeout", "error~ms (call"]


def test_the_outcome_of_an_order_names_who_refused_and_who_is_missing(modules):
    done = "{done: true, runs_it: true, before: 'running, 8 workers', after: 'paused, 8 workers', text: ''}"
    no = "{done: false, runs_it: true, text: 'at most 4'}"
    other = "{done: false, runs_it: false, text: ''}"

    def outcome(answers, expected):
        return modules("commands", f"m.outcome('pay', 'pause', {{answers: {{{answers}}}, expected: {expected}}})")
    assert outcome(f"one: {done}, two: {other}", 2) == ["pay: pause done by 1 process, now paused, 8 workers.", "ok"]
    assert outcome(f"one: {done}, two: {no}", 2) == ["pay: pause refused by two. at most 4", "bad"]
    assert outcome(f"one: {done}", 2)[1] == "bad"
    assert outcome(f"two: {other}", 1)[1] == "bad"


def test_only_changes_of_states_are_news(modules):
    def news(before, after):
        return modules("shell", f"m.newsBetween({before}, {after})")
    assert news("null", "{instances: {a: {state: 'live'}}}") == []
    assert news("{instances: {a: {state: 'live', beat: 1}}}", "{instances: {a: {state: 'live', beat: 2}}}") == []
    assert news("{instances: {a: {state: 'live'}}, redis: {up: true}}", "{instances: {a: {state: 'late'}}, redis: {up: false}}") == [
        "a: late", "Redis is down"]
    assert news("{actors: {pay: {reporting: 1, paused: 0}}}", "{actors: {pay: {reporting: 1, paused: 1}}}") == ["pay: paused"]


MORPH = """(() => {
  document.body.innerHTML = '<div id="old"></div>'
  const old = document.getElementById('old')
  const list = (...rows) => m.h('div', { id: 'old' }, m.h('details', null, m.h('summary', null, 'more')),
    m.h('input', { name: 'typed' }), m.h('select', { name: 'age' }, m.h('option', { value: 'a', selected: rows[0] === 'x' }),
      m.h('option', { value: 'b', selected: rows[0] !== 'x' })),
    rows.map((row) => m.h('button', { 'data-key': row }, row, m.h('input', { type: 'checkbox', checked: row === 'z' }))))
  m.morph(old, list('x', 'y', 'z'))
  %s
})()"""


@pytest.mark.parametrize("script,answer", [
    ("const y = old.querySelector('[data-key=y]'); y.focus(); m.morph(old, list('y', 'z'));"
     " return [document.activeElement === y, old.textContent]", [True, "moreyz"]),
    ("const z = old.querySelector('[data-key=z]'); m.morph(old, list('z', 'w', 'y'));"
     " return [old.querySelector('[data-key=z]') === z, old.textContent]", [True, "morezwy"]),
    ("old.querySelector('input').value = 'half a wor'; old.querySelector('details').open = true; m.morph(old, list('q'));"
     " return [old.querySelector('input').value, old.querySelector('details').open]", ["half a wor", True]),
    ("old.querySelector('[data-key=y] input').click(); m.morph(old, list('y', 'z'));"
     " return [...old.querySelectorAll('[type=checkbox]')].map((box) => box.checked)", [True, True]),
    ("const before = old.querySelector('select').value; m.morph(old, list('y')); return [before, old.querySelector('select').value]",
     ["a", "b"])])
def test_what_belongs_to_the_reader_stays_when_a_page_is_drawn_anew(modules, script, answer):
    assert modules("dom", MORPH % script) == answer


def test_every_module_is_fetched_at_once():
    """Without its line in index.html a module is fetched only when those that need it are there."""
    page = (ROOT / "assets" / "index.html").read_text()
    assert [file.name for file in (ROOT / "assets").glob("*.js") if f'/assets/{file.name}"' not in page] == []
