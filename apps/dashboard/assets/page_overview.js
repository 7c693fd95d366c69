import { chart } from './chart.js'
import { h } from './dom.js'
import { ago, bytes, count, latency, plural, rate, share, span } from './format.js'
import { icon } from './icons.js'
import { heatmap } from './heatmap.js'
import { bar, blocks, button, card, counted, empty, figure, loading, stateOf, table, tile, tiles, trend, trouble } from './parts.js'
import { use } from './resource.js'
import { actorPath, lettersPath } from './router.js'
import { condition } from './shell.js'
import { canActNow, mayAct, serverNow, state } from './state.js'

export function overviewPage({ parameters }) {
  const { doc } = state
  if (!Object.keys(doc.actors ?? {}).length) {
    return { title: 'Overview', content: empty('No actor has reported yet, and the config names none.', 'troupe run shop.yaml') }
  }
  return {
    title: 'Overview',
    content: [summary(doc), h('div', { class: 'columns wide-narrow' }, traffic('(all)', '15m'), instances(doc)),
      actors(doc, parameters), partitions(doc), errors(doc)],
  }
}

function summary({ summary: sums, actors: all }) {
  const worst = Object.entries(all).filter(([, one]) => one.behind_s !== undefined).sort((a, b) => b[1].behind_s - a[1].behind_s)[0]
  return tiles(
    tile('Processes', `${count(sums.live)}/${count(sums.expected)}`, { note: sums.expected ? 'live' : 'none runs', tone: sums.live < sums.expected ? 'warn' : '' }),
    tile('Events per second', rate(sums.per_second), { note: 'mean of 10 s' }),
    tile('p99', latency(sums.p99_s), { note: 'of the last minute' }),
    tile('Behind', span(sums.behind_s), { note: worst ? [worst[0], trend(worst[1])] : 'worst partition', tone: sums.behind_s > 60 ? 'warn' : '' }),
    tile('Lag', count(sums.lag), { note: 'events' }),
    tile('Retries', count(sums.retries), { note: 'waiting', tone: '' }),
    tile('Dead letters', count(sums.dead_letters), { note: 'open', tone: sums.dead_letters > 0 ? 'bad' : '', href: '/dlq' }))
}

/** Throughput above, failures on a scale of their own below. */
export function traffic(actor, window, side) {
  const { value, trouble: problem, loading: waits } = use(`/api/v1/history?actor=${encodeURIComponent(actor)}&window=${window}`, window === '15m' ? 5000 : 60_000)
  if (problem && !value) return card('Throughput', { id: 'traffic', side }, trouble(problem))
  if (waits) return card('Throughput', { id: 'traffic', side }, loading())
  const perSecond = (values = []) => values.map((n) => n === null ? null : n * 1000 / value.step_ms)
  return card('Throughput', { id: 'traffic', side: side ?? 'last 15 minutes' }, chart({
    id: 'throughput', title: 'Throughput', from: value.from, step: value.step_ms, plots: [
      { title: 'Done per second', format: rate, size: 'middle', series: [{ label: 'ok', values: perSecond(value.ok), tone: 'accent', area: true }] },
      { title: 'Failures per second', format: rate, size: 'low', series: [
        { label: 'retries', values: perSecond(value.retry), tone: 'warn', dash: 'dashed' },
        { label: 'errors', values: perSecond(value.err), tone: 'bad' },
        { label: 'dead letters', values: perSecond(value.dlq), tone: 'text', dash: 'dotted' }] }],
  }))
}

const presences = { live: 'ok', late: 'warn', lost: 'bad', stopped: 'off' }

function instances(doc) {
  const rows = Object.entries(doc.instances ?? {}).map(([id, one]) => ({ key: id, id, ...one }))
    .sort((a, b) => Object.keys(presences).indexOf(a.state) - Object.keys(presences).indexOf(b.state) || a.id.localeCompare(b.id))
  const now = serverNow()
  return card('Processes', { id: 'instances', flush: true, side: rows.length ? plural(rows.filter((one) => one.state === 'live').length, 'live process', 'live processes') : null },
    rows.length ? table({ caption: 'Processes', rows, columns: [
      { label: 'Instance', cell: (row) => h('span', { class: 'clip', title: `${row.host ?? ''} process ${row.pid ?? '–'}, version ${row.version ?? '–'}, config ${row.config ?? '–'}` }, row.id) },
      { label: 'State', cell: (row) => {
        const between = row.state === 'live' && row.phase && row.phase !== 'running'
        return stateOf(between ? 'wait' : presences[row.state], between ? row.phase : row.state)
      } },
      { label: 'Beat', numeric: true, cell: (row) => figure(ago(row.beat, now)) },
      { label: 'CPU', numeric: true, cell: (row) => figure(row.cpu_share === undefined ? '–' : row.cpu_share.toFixed(2)) },
      { label: 'Memory', numeric: true, cell: (row) => figure(bytes(row.resident_bytes)) },
    ] }) : empty('No process has told of itself.', 'troupe run shop.yaml'))
}

/** Retries that wait, by actor; of at most 100 that are due first. */
export const waiting = (doc, name) => (doc.retries ?? []).filter((one) => one.actor === name).length

function actors(doc, parameters) {
  const wanted = (parameters.get('q') ?? '').toLowerCase()
  const rows = Object.entries(doc.actors).map(([name, one]) => ({ key: name, name, ...one }))
    .filter((row) => !wanted || [row.name, row.kind, row.group ?? '', ...(row.topics ?? [])].join(' ').toLowerCase().includes(wanted))
  const search = h('label', { class: 'search' }, h('span', { class: 'unseen' }, 'Filter actors'),
    h('input', { type: 'search', name: 'q', value: parameters.get('q') ?? '', placeholder: 'Filter', 'data-search': true, 'data-input': 'parameter', autocomplete: 'off' }))
  return card('Actors', { id: 'actors', flush: true, side: search },
    rows.length ? table({ caption: 'Actors', rows, columns: actorColumns(doc), sorted: 'sort', parameters }) : empty(`No actor matches “${wanted}”.`))
}

function actorColumns(doc) {
  const columns = [
    { label: 'Actor', key: 'name', sort: (row) => row.name, cell: (row) => {
      const [tone, word] = condition(row)
      return h('span', { class: 'named' }, stateOf(tone, h('a', { href: actorPath(row.name) }, row.name)),
        h('span', { class: 'sub' }, word === 'running' ? row.group ?? row.kind : word, row.desired ? ' · changed here' : ''))
    } },
    { label: 'Workers', key: 'workers', numeric: true, sort: (row) => row.workers, cell: (row) => row.workers === undefined && row.kind !== 'handler' ? quiet()
      : [blocks(row.busy, row.workers), figure(`${count(row.busy)}/${count(row.workers)}`)] },
    { label: 'Queue', key: 'queued', numeric: true, sort: (row) => row.queued, cell: (row) => row.capacity === undefined && row.kind !== 'handler' ? quiet()
      : [bar(row.capacity ? row.queued / row.capacity : undefined, { warns: true }), figure(count(row.queued))] },
    { label: 'Events/s', key: 'rate', numeric: true, sort: (row) => row.per_second, cell: (row) => figure(rate(row.per_second)) },
    { label: 'p99', key: 'p99', numeric: true, sort: (row) => row.p99_s, cell: (row) => row.kind === 'handler' ? figure(latency(row.p99_s)) : quiet() },
    { label: 'Errors', key: 'errors', numeric: true, class: 'minor', sort: (row) => row.errors_per_second, cell: (row) => row.kind === 'handler'
      ? figure(share(row.errors_per_second, row.per_second), row.errors_per_second > 0 ? 'bad' : '') : quiet() },
    { label: 'Retries', key: 'retries', numeric: true, class: 'minor', sort: (row) => waiting(doc, row.name), cell: (row) => row.kind === 'handler' ? counted(waiting(doc, row.name)) : quiet() },
    { label: 'Dead', key: 'dead', numeric: true, sort: (row) => row.dead_letters, cell: (row) => row.dead_letters > 0 && row.dlq_topics?.length
      ? h('a', { href: lettersPath(row.dlq_topics[0]) }, figure(count(row.dead_letters), 'bad')) : row.kind === 'handler' ? counted(row.dead_letters) : quiet() },
    { label: 'Lag', key: 'lag', numeric: true, sort: (row) => row.lag, cell: (row) => row.group ? counted(row.lag) : quiet() },
    { label: 'Behind', key: 'behind', numeric: true, sort: (row) => row.behind_s, cell: (row) => row.group
      ? [figure(span(row.behind_s)), trend(row)] : quiet() },
  ]
  if (mayAct()) columns.push({ label: '', unseen: 'Actions', class: 'acts', cell: (row) => row.kind === 'handler' ? poolButtons(row) : null })
  return columns
}

/** What there is not, as against what is not known. */
const quiet = () => h('span', { class: 'nothing', 'aria-hidden': 'true' })

function poolButtons(row) {
  const disabled = !canActNow()
  const paused = row.paused > 0 || row.desired?.paused
  return [
    paused ? button('', 'resume', { icon: 'play', kind: 'ghost', label: `Resume ${row.name}`, 'data-actor': row.name, disabled })
      : button('', 'pause', { icon: 'pause', kind: 'ghost', label: `Pause ${row.name}`, 'data-actor': row.name, disabled }),
    button('', 'resize', { icon: 'resize', kind: 'ghost', label: `Resize ${row.name}`, 'data-actor': row.name, disabled })]
}

function partitions(doc) {
  return card('Partitions', { id: 'partitions', side: 'seconds behind' }, heatmap(doc))
}

function errors(doc) {
  const groups = new Map()
  for (const one of doc.retries ?? []) {
    const key = `${one.actor} ${one.error_class} ${one.error}`
    const group = groups.get(key)
    if (group) ++group.waiting
    else groups.set(key, { key, ...one, waiting: 1 })
  }
  const now = serverNow()
  const rows = [...groups.values()].sort((a, b) => b.waiting - a.waiting)
  return card('What is being retried', { id: 'errors', flush: true, side: rows.length ? 'those due first, by cause' : null },
    rows.length ? table({ caption: 'Causes of retries', rows, columns: [
      { label: 'Actor', cell: (row) => h('a', { href: actorPath(row.actor) }, row.actor) },
      { label: 'Class', cell: (row) => h('code', null, row.error_class) },
      { label: 'Error', class: 'grow', cell: (row) => h('span', { class: 'clip', title: row.error }, row.error) },
      { label: 'Waiting', numeric: true, cell: (row) => counted(row.waiting) },
      { label: 'Next', numeric: true, cell: (row) => figure(row.due <= now ? 'due' : `in ${span((row.due - now) / 1000)}`) },
    ] }) : h('p', { class: 'well' }, icon('play'), 'Nothing waits to be tried again.'))
}
