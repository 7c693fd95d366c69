import { query } from './api.js'
import { h, s } from './dom.js'
import { ago, clock, count, plural, stamp } from './format.js'
import { icon } from './icons.js'
import { jobList } from './letters.js'
import { letterCard } from './page_letter.js'
import { button, card, empty, figure, loading, table, trouble } from './parts.js'
import { use } from './resource.js'
import { withParameters } from './router.js'
import { canActNow, mayAct, serverNow, state } from './state.js'

const ages = [['', 'Any time'], ['1h', 'Last hour'], ['24h', 'Last 24 hours'], ['168h', 'Last 7 days']]

export function lettersPage({ argument: topic, parameters }) {
  const where = parameters.getAll('where')
  const since = parameters.get('since') ?? ''
  const max = Number(parameters.get('max')) || 100
  const { value, trouble: problem } = use(`/api/v1/dlq${query({ topic, where, since, max })}`, 5000)
  const letter = parameters.get('letter')
  return {
    title: topic, crumb: { href: '/dlq', text: 'Dead letters' }, content: [
      jobList(topic),
      filters(where, since),
      problem ? trouble(problem) : null,
      value ? [overall(value, where, since), h('div', { class: letter ? 'columns list-detail' : '' }, list(value, letter), letter ? letterCard(topic, letter) : null)]
        : problem ? null : loading()],
  }
}

function filters(where, since) {
  return h('div', { class: 'filters' },
    h('form', { 'data-submit': 'condition', class: 'search wide' }, h('label', { class: 'unseen', for: 'condition' }, 'Add a condition'),
      h('input', { id: 'condition', name: 'condition', 'data-search': true, autocomplete: 'off', spellcheck: 'false', placeholder: 'Words of the error, or error-class=timeout, key=customer-17' }),
      button('Add', null, { type: 'submit' })),
    h('label', { class: 'select' }, h('span', { class: 'unseen' }, 'Died'), h('select', { name: 'since', 'data-change': 'parameter' },
      ages.map(([age, text]) => h('option', { value: age, selected: age === since }, text)),
      ages.some(([age]) => age === since) ? null : h('option', { value: since, selected: true }, `since ${since}`))),
    where.map((one) => h('button', { type: 'button', class: 'chip removable', 'data-action': 'drop', 'data-where': one, 'aria-label': `Remove the condition ${one}` }, one, icon('close'))))
}

function overall(value, where, since) {
  const filtered = where.length > 0 || since
  return h('div', { class: 'columns even' },
    card('Died', { id: 'hours', side: `${plural(value.open, 'open letter')}${filtered ? `, ${count(value.matching)} match` : ''} · ${count(value.replayed)} replayed · ${count(value.discarded)} discarded` },
      hours(value.by_hour)),
    card('Causes', { id: 'causes', flush: true }, value.causes.length ? table({
      caption: 'Causes', rows: value.causes.map((one) => ({ key: `${one.error_class} ${one.message}`, ...one })), scroll: value.causes.length > 6, columns: [
        { label: 'Class', cell: (row) => h('button', { type: 'button', class: 'link', 'data-action': 'cause', 'data-where': JSON.stringify(conditions(row)) }, row.error_class) },
        { label: 'Message', class: 'grow', cell: (row) => h('span', { class: 'clip', title: row.message }, row.message) },
        { label: 'Letters', numeric: true, cell: (row) => figure(count(row.count)) },
        { label: 'Last', numeric: true, cell: (row) => figure(ago(Date.parse(row.last), serverNow())) },
      ] }) : empty('No letter matches.')))
}

/** Of a fingerprint only what stands between its placeholders can be looked for. */
export function conditions({ error_class: name, message }) {
  const piece = message.split('#').map((text) => text.trim()).sort((a, b) => b.length - a.length)[0]
  return [`error-class=${name}`, ...(piece.length > 3 ? [`error~${piece}`] : [])]
}

/** Open letters by the hour they died in: the last 48 hours that have any, those without between them. */
function hours(byHour) {
  const known = Object.keys(byHour).sort()
  if (!known.length) return empty('No open letter matches.')
  const last = Date.parse(`${known.at(-1)}:00:00Z`)
  const first = Math.max(Date.parse(`${known[0]}:00:00Z`), last - 47 * 3600_000)
  const length = Math.max(24, (last - first) / 3600_000 + 1)
  const start = last - (length - 1) * 3600_000
  const values = Array.from({ length }, (_, at) => byHour[new Date(start + at * 3600_000).toISOString().slice(0, 13)] ?? 0)
  const top = Math.max(...values, 1)
  return h('figure', { class: 'chart bars-chart' },
    h('div', { class: 'plot' }, h('div', { class: 'scale', 'aria-hidden': 'true' }, h('span', null, count(top)), h('span', null, '0')),
      s('svg', { viewBox: `0 0 ${length * 10} 100`, preserveAspectRatio: 'none', role: 'img', 'aria-label': `Open letters by hour, ${count(top)} at most` },
        values.map((n, at) => s('rect', { x: at * 10 + 1, width: 7, y: 100 - n / top * 100, height: n / top * 100, class: 'bad' }, s('title', null, `${clock(start + at * 3600_000).slice(0, 5)}: ${count(n)}`))),
        s('path', { class: 'grid', d: `M0 99.5H${length * 10}` }))),
    h('div', { class: 'axis', 'aria-hidden': 'true' }, [0, 1].map((part) => h('span', null, stamp(start + part * (length - 1) * 3600_000).slice(5, 16)))),
    h('details', { class: 'behind', id: 'hours-table' }, h('summary', null, 'Table'),
      table({ caption: 'Open letters by hour', rows: known.map((hour) => ({ key: hour, hour })), columns: [
        { label: 'Hour', cell: (row) => stamp(Date.parse(`${row.hour}:00:00Z`)).slice(0, 16) },
        { label: 'Letters', numeric: true, cell: (row) => count(byHour[row.hour]) }] })))
}

const idOf = (one) => `${one.partition}/${one.offset}`

function list(value, open) {
  const rows = value.letters.map((one) => ({ ...one, key: idOf(one), class: idOf(one) === open ? 'chosen' : '', keyText: one.key }))
  const acts = mayAct()
  const all = rows.length > 0 && rows.every((row) => state.selected.has(row.key))
  return card('Letters', { id: 'letters', flush: true, side: acts && rows.length ? buttons(value.matching) : rows.length ? plural(value.matching, 'letter') : null },
    rows.length ? table({ caption: 'Dead letters', rows, columns: [
      ...(acts ? [{ plain: true, class: 'tick', label: h('input', { type: 'checkbox', 'aria-label': 'Select all that are shown', checked: all, 'data-change': 'chooseAll' }),
        cell: (row) => h('input', { type: 'checkbox', value: row.key, 'aria-label': `Select ${row.key}`, checked: state.selected.has(row.key), 'data-change': 'choose' }) }] : []),
      { label: 'Letter', cell: (row) => h('a', { href: withParameters({ letter: row.key === open ? undefined : row.key }), 'data-quiet': true, 'data-focus': '#letter-title', 'aria-current': row.key === open ? 'true' : null }, row.key) },
      { label: 'Key', plain: true, cell: (row) => row.keyText ?? figure('–') },
      { label: 'Class', cell: (row) => h('code', null, row.error_class) },
      { label: 'Error', class: 'grow', cell: (row) => h('span', { class: 'clip', title: row.error }, row.error) },
      ...(open ? [] : [{ label: 'Attempts', numeric: true, cell: (row) => figure(count(row.attempts)) },
        { label: 'Replays', numeric: true, cell: (row) => figure(count(row.replay_count)) }]),
      { label: 'Died', numeric: true, cell: (row) => h('time', { datetime: row.failed_at, title: stamp(Date.parse(row.failed_at)) }, ago(Date.parse(row.failed_at), serverNow())) },
    ] }) : empty(value.open ? 'No open letter matches these conditions.' : 'No open dead letter. Events that fail for good come here.'),
    value.more ? h('footer', null, h('a', { class: 'button', href: withParameters({ max: rows.length + 400 }), 'data-quiet': true }, 'Show more')) : null)
}

function buttons(matching) {
  const chosen = state.selected.size
  const which = chosen ? 'selected' : 'matching'
  const what = chosen ? `${count(chosen)} selected` : `all ${count(matching)}`
  const disabled = !canActNow()
  return [button(`Replay ${what}`, 'replay', { icon: 'replay', kind: 'primary', 'data-which': which, disabled }),
    button(`Discard ${what}`, 'discard', { icon: 'trash', 'data-which': which, disabled })]
}

