import { chart } from './chart.js'
import { h } from './dom.js'
import { ago, clock, count, latency, pretty, rate, span, stamp } from './format.js'
import { partitionRows, partitionTable } from './heatmap.js'
import { mark } from './icons.js'
import { button, card, chip, counted, empty, figure, loading, table, tile, tiles, trend, trouble } from './parts.js'
import { traffic, waiting } from './page_overview.js'
import { use } from './resource.js'
import { lettersPath, withParameters } from './router.js'
import { condition } from './shell.js'
import { canActNow, mayAct, serverNow, state } from './state.js'

export function actorPage({ argument: name, parameters }) {
  const actor = state.doc.actors?.[name]
  const crumb = { href: '/', text: 'Actors' }
  if (!actor) return { title: name, crumb, content: empty(`The config names no actor ${name}.`, 'troupe graph shop.yaml') }
  const window = parameters.get('window') === '24h' ? '24h' : '15m'
  return {
    title: name, crumb, content: [
      head(name, actor), figures(actor, name),
      h('div', { class: 'columns even' }, traffic(name, window, windows(window)), actor.kind === 'handler' ? durations(name) : null),
      actor.group ? partitions(actor) : null,
      actor.kind === 'handler' ? retries(name) : null,
      tap(name), config(name, actor)],
  }
}

const windows = (now) => h('span', { class: 'segments', role: 'group', 'aria-label': 'Window' }, ['15m', '24h'].map((one) =>
  h('a', { href: withParameters({ window: one === '15m' ? undefined : one }), 'data-quiet': true, 'aria-current': one === now ? 'true' : null }, one)))

function head(name, actor) {
  const [tone, word] = condition(actor)
  return h('div', { class: 'head' },
    h('p', { class: 'facts' }, h('span', { class: `chip ${tone}` }, mark(tone), word), chip(actor.kind),
      actor.topics?.length ? h('span', null, actor.group ? 'reads ' : 'writes to ', actor.topics.map((topic, at) => [at ? ', ' : '', h('code', null, topic)]),
        actor.group ? [' as ', h('code', null, actor.group)] : null) : null,
      actor.handler ? h('span', null, 'calls ', h('code', null, actor.handler)) : null,
      actor.order_by ? h('span', null, `ordered by ${actor.order_by}`) : null),
    mayAct() && actor.kind === 'handler' ? poolButtons(name, actor) : null,
    drift(name, actor))
}

function poolButtons(name, actor) {
  const disabled = !canActNow()
  const paused = actor.paused > 0 || actor.desired?.paused
  return h('div', { class: 'buttons' },
    paused ? button('Resume', 'resume', { icon: 'play', kind: 'primary', 'data-actor': name, disabled })
      : button('Pause', 'pause', { icon: 'pause', 'data-actor': name, disabled }),
    button('Resize', 'resize', { icon: 'resize', 'data-actor': name, disabled }),
    actor.desired ? button('Reset to file', 'reset', { icon: 'reset', 'data-actor': name, disabled }) : null)
}

/** Where what is wanted of it differs from its file. */
function drift(name, { desired, file }) {
  if (!desired) return null
  const workers = desired.workers === undefined ? '' : `${count(desired.workers)} workers`
  const wanted = desired.paused ? `it paused${workers && `, with ${workers}`}` : workers || 'a change'
  return h('p', { class: 'drift' }, h('b', null, desired.by ?? 'Somebody'), ` wants ${wanted}, since ${ago(desired.at, serverNow())}. `,
    file?.workers !== undefined ? `The file says ${count(file.workers)} workers (${file.place}).` : '')
}

function figures(actor, name) {
  if (actor.kind === 'ingest' || actor.kind === 'generate') return tiles(tile('Events per second', rate(actor.per_second)), tile('Processes', count(actor.reporting), { note: 'report it' }))
  return tiles(
    actor.kind === 'handler' ? [
      tile('Workers busy', `${count(actor.busy)}/${count(actor.workers)}`, { note: actor.max_workers !== undefined ? `up to ${count(actor.max_workers)}` : null }),
      tile('Queue', count(actor.queued), { note: `of ${count(actor.capacity)}${actor.parked ? `, ${count(actor.parked)} parked` : ''}` })] : null,
    tile('Events per second', rate(actor.per_second), { note: actor.errors_per_second > 0 ? `${rate(actor.errors_per_second)} fail` : null }),
    actor.kind === 'handler' ? tile('p99', latency(actor.p99_s), { note: `p95 ${latency(actor.p95_s)}` }) : null,
    tile('Behind', span(actor.behind_s), { note: trend(actor, true) }),
    tile('Lag', count(actor.lag), { note: 'events' }),
    actor.kind === 'handler' ? [tile('Retries', count(waiting(state.doc, name)), { note: 'waiting' }),
      tile('Dead letters', count(actor.dead_letters), { tone: actor.dead_letters > 0 ? 'bad' : '', note: 'open',
        href: actor.dlq_topics?.length ? lettersPath(actor.dlq_topics[0]) : null })] : null)
}

function durations(name) {
  const { value, trouble: problem } = use(`/api/v1/history?actor=${encodeURIComponent(name)}&window=15m`, 5000)
  const { latency: of } = value ?? {}
  if (problem && !of) return card('Duration of calls', { id: 'durations' }, trouble(problem))
  if (!of) return card('Duration of calls', { id: 'durations' }, value ? empty('No call was timed in the last 15 minutes.') : loading())
  return card('Duration of calls', { id: 'durations', side: 'last 15 minutes' }, chart({
    id: 'duration', title: 'Duration of calls', from: of.from, step: of.step_ms, plots: [{ title: 'Per call', format: latency, size: 'high', series: [
      { label: 'p50', values: of.p50_s, tone: 'accent' }, { label: 'p95', values: of.p95_s, tone: 'second', dash: 'dashed' },
      { label: 'p99', values: of.p99_s, tone: 'text', dash: 'dotted' }] }] }))
}

function partitions(actor) {
  const rows = partitionRows(state.doc, (row) => row.group === actor.group)
  return card('Partitions', { id: 'partitions', flush: true, side: rows.length ? String(rows.length) : null },
    rows.length ? partitionTable('Partitions', rows) : empty('No partition of its group is known. An engine that runs it reports them.', 'troupe lag shop.yaml'))
}

function retries(name) {
  const now = serverNow()
  const rows = (state.doc.retries ?? []).filter((one) => one.actor === name).map((one) => ({ key: `${one.topic}/${one.partition}/${one.offset}`, ...one }))
  return card('Retries', { id: 'retries', flush: true, side: rows.length ? 'due first' : null },
    rows.length ? table({ caption: 'Retries', rows, scroll: rows.length > 12, columns: [
      { label: 'Event', cell: (row) => h('code', null, row.key) },
      { label: 'Due', numeric: true, cell: (row) => figure(row.due <= now ? 'now' : `in ${span((row.due - now) / 1000)}`) },
      { label: 'Attempt', numeric: true, cell: (row) => counted(row.attempt) },
      { label: 'Failing since', numeric: true, cell: (row) => figure(ago(row.since, now)) },
      { label: 'Class', cell: (row) => h('code', null, row.error_class) },
      { label: 'Error', class: 'grow', cell: (row) => row.error },
    ] }) : h('p', { class: 'well' }, 'Nothing waits to be tried again.'))
}

function tap(name) {
  const open = state.tapping === name
  const { value, trouble: problem } = open ? use(`/api/v1/tap?actor=${encodeURIComponent(name)}`, 2000) : {}
  const side = button(open ? 'Stop' : 'Look', 'tap', { icon: open ? 'pause' : 'play', 'data-actor': name, 'aria-pressed': String(open) })
  return card('Newest events', { id: 'tap', flush: true, side: [h('span', null, 'a sample, every 2 s'), side] },
    !open ? h('p', { class: 'well' }, 'Reads a few of the newest events of its topics from Kafka, as part of no group.')
      : problem && !value ? trouble(problem) : !value ? loading() : !value.events.length ? empty('Its topics hold no event.') : events(value.events))
}

const events = (all) => table({
  caption: 'Newest events', scroll: true, rows: all.map((one) => ({ ...one, key: `${one.topic}/${one.partition}/${one.offset}`, keyText: one.key })), columns: [
    { label: 'Event', cell: (row) => h('code', null, row.key) },
    { label: 'Time', plain: true, cell: (row) => h('span', { title: stamp(row.timestamp) }, clock(row.timestamp)) },
    { label: 'Key', cell: (row) => row.keyText ?? figure('–') },
    { label: 'Value', class: 'grow', cell: (row) => row.value === undefined ? figure('hidden') : h('code', { class: 'clip', title: pretty(row.value) }, row.value, row.cut ? '…' : '') },
  ],
})

function config(name, actor) {
  const { value, trouble: problem } = use(`/api/v1/actors/${encodeURIComponent(name)}/config`)
  return card('Config', { id: 'config', side: h('code', null, value?.place ?? actor.file?.place ?? '') },
    problem ? trouble(problem) : value ? h('pre', { class: 'code', tabindex: 0, 'aria-label': `Config of ${name}` }, h('code', null, value.text)) : loading())
}

