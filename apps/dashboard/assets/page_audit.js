import { h } from './dom.js'
import { ago, stamp } from './format.js'
import { button, card, empty, figure, table } from './parts.js'
import { actorPath } from './router.js'
import { serverNow, state } from './state.js'

export function auditPage({ parameters }) {
  const wanted = (parameters.get('q') ?? '').toLowerCase()
  const all = [...state.doc.audit ?? [], ...state.olderAudit]
  const rows = all.filter((one, at) => !one.id || all.findIndex((other) => other.id === one.id) === at).map((one, at) => ({ key: one.id ?? `${at}`, ...one }))
    .filter((one) => !wanted || [one.by, one.action, one.actor, one.result ?? ''].join(' ').toLowerCase().includes(wanted))
  const search = h('label', { class: 'search' }, h('span', { class: 'unseen' }, 'Filter entries'),
    h('input', { type: 'search', name: 'q', value: parameters.get('q') ?? '', placeholder: 'Filter', 'data-search': true, 'data-input': 'parameter', autocomplete: 'off' }))
  return {
    title: 'Audit', content: card('Who did what', { id: 'audit', flush: true, side: search },
      rows.length ? table({ caption: 'Who did what, the newest first', columns, rows })
        : wanted ? empty(`No entry matches “${wanted}”.`) : empty('Nobody has changed anything yet. What is done here or in the terminal is written down:', 'troupe pool pause ACTOR -c shop.yaml'),
      all.length && all.at(-1).id && !state.auditEnds ? h('footer', null, button('Older entries', 'olderAudit', { 'data-before': all.at(-1).id })) : null),
  }
}

const columns = [
  { label: 'Time', cell: (row) => h('time', { datetime: new Date(row.at).toISOString(), title: ago(row.at, serverNow()) }, stamp(row.at)) },
  { label: 'Who', cell: (row) => h('b', null, row.by) },
  { label: 'Action', cell: (row) => row.action },
  { label: 'Target', cell: (row) => state.doc.actors?.[row.actor] ? h('a', { href: actorPath(row.actor) }, row.actor) : row.actor },
  { label: 'Before → after', class: 'grow', cell: (row) => h('span', { class: 'change' }, change(row)) },
  { label: 'Result', cell: (row) => row.result ? row.result : figure('–') },
]

/** Of a pool where it came from and where it went; of dead letters what was done. */
const change = ({ before, after }) => before || !after || after.startsWith('{') ? `${phrase(before)} → ${phrase(after)}` : after

/** {"paused":true,"workers":4} as words; what is no JSON as it stands. */
export function phrase(text) {
  if (!text) return 'file'
  try {
    const { paused, workers } = JSON.parse(text)
    const words = [paused ? 'paused' : null, workers !== undefined && workers !== null ? `${workers} workers` : null].filter(Boolean)
    return words.join(', ') || 'running'
  } catch {
    return text
  }
}
