import { h, s } from './dom.js'
import { count, formats, unknown } from './format.js'
import { icon, mark } from './icons.js'
import { withParameters } from './router.js'

/** A figure: grey when stale, quiet when unknown. */
export const figure = (text, tone) =>
  h('span', { class: `v${text === unknown ? ' unknown' : ''}${tone ? ` ${tone}` : ''}` }, text)

export const tile = (label, text, { note, tone, href } = {}) => h('div', { class: 'tile' },
  h('dt', null, label),
  h('dd', null,
    href ? h('a', { href }, figure(text, tone)) : figure(text, tone),
    note ? h('span', { class: 'note' }, note) : null))

export const tiles = (...all) => h('dl', { class: 'tiles' }, all)

export const card = (title, { id, side, level = 2, flush = false } = {}, ...content) =>
  h('section', { class: `card${flush ? ' flush' : ''}`, id, 'aria-labelledby': id ? `${id}-title` : null },
    h('header', null, h(`h${level}`, { id: id ? `${id}-title` : null, tabindex: -1 }, title), side ? h('div', { class: 'side' }, side) : null),
    content)

export const stateOf = (tone, text) => h('span', { class: `state ${tone}` }, mark(tone), text)

export const chip = (text, tone) => h('span', { class: `chip${tone ? ` ${tone}` : ''}` }, text)

export const button = (text, action, { icon: name, kind = '', label, ...rest } = {}) =>
  h('button', { type: 'button', class: `button ${kind}`.trim(), 'data-action': action, 'aria-label': label,
    title: label && !text ? label : null, ...rest }, name ? icon(name) : null, text ? h('span', null, text) : null)

/** Why nothing is here, and what would change that. */
export const empty = (why, command) => h('div', { class: 'empty' }, h('p', null, why),
  command ? h('p', null, h('code', null, command)) : null)

export const trouble = (problem) => h('p', { class: 'trouble', role: 'alert' }, icon('warn'), problem.message ?? problem)

export const loading = () => h('p', { class: 'loading', role: 'status' }, 'Loading…')

/** So many of so many, as blocks up to 16, as a bar beyond. */
export function blocks(busy, all) {
  if (busy === undefined || !all) return null
  if (all > 16) return bar(busy / all)
  const width = 6 * all - 2
  return s('svg', { class: 'blocks', width, height: 10, viewBox: `0 0 ${width} 10`, 'aria-hidden': 'true' },
    Array.from({ length: all }, (_, at) =>
      s('rect', { x: at * 6, y: 0, width: 4, height: 10, rx: 1, class: at < busy ? 'on' : 'off' })))
}

/** Amber from 70 %, red from 95 % where `warns`. */
export function bar(part, { warns = false } = {}) {
  if (part === undefined || Number.isNaN(part)) return null
  const tone = !warns ? '' : part >= 0.95 ? ' bad' : part >= 0.7 ? ' warn' : ''
  const width = Math.max(0, Math.min(1, part)) * 100
  return s('svg', { class: `bar${tone}`, viewBox: '0 0 100 6', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    s('rect', { class: 'off', width: 100, height: 6 }), s('rect', { class: 'on', width, height: 6 }))
}

/**
 * columns: {label, unseen?, cell(row), numeric?, plain?, class?, key?, sort?(row)}; rows have a `key`. The first that is
 * not plain names the row. With `sorted`, the parameter of that name says by what: ?sort=lag or ?sort=-lag. On narrow
 * screens rows become cards.
 */
export function table({ caption, columns, rows, sorted, parameters, scroll = false }) {
  const [by, downwards] = sorted ? order(parameters?.get(sorted)) : []
  const column = columns.find((c) => c.key && c.key === by)
  const head = columns.findIndex((c) => !c.plain)
  const shown = column ? sortedBy(rows, column.sort, downwards) : rows
  const body = h('table', { class: 'cards', role: 'table' },
    h('caption', { class: 'unseen' }, caption),
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, columns.map((c) => heading(c, sorted, by, downwards)))),
    h('tbody', { role: 'rowgroup' }, shown.map((row) => h('tr', { role: 'row', 'data-key': row.key, class: row.class },
      columns.map((c, at) => h(at === head ? 'th' : 'td', {
        role: at === head ? 'rowheader' : 'cell', scope: at === head ? 'row' : null,
        class: [c.numeric ? 'numeric' : '', c.class ?? ''].join(' ').trim() || null, 'data-label': typeof c.label === 'string' && c.label ? c.label : null,
      }, c.cell(row)))))))
  return scroll ? h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `Table: ${caption}` }, body) : body
}

const order = (text) => text?.startsWith('-') ? [text.slice(1), true] : [text ?? undefined, false]

function heading(column, sorted, by, downwards) {
  const sortable = sorted && column.sort
  const current = sortable && column.key === by
  const next = current && downwards ? column.key : current ? undefined : `-${column.key}`
  return h('th', {
    role: 'columnheader', scope: 'col', class: [column.numeric ? 'numeric' : '', column.class ?? ''].join(' ').trim() || null,
    'aria-sort': current ? (downwards ? 'descending' : 'ascending') : null,
  }, sortable
    ? h('a', { href: withParameters({ [sorted]: next }), 'data-quiet': true }, column.label,
      h('span', { class: 'order', 'aria-hidden': 'true' }, current ? (downwards ? '↓' : '↑') : ''))
    : column.unseen ? h('span', { class: 'unseen' }, column.unseen) : column.label)
}

function sortedBy(rows, value, downwards) {
  const sign = downwards ? -1 : 1
  // What is not known comes last, whichever way.
  return [...rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)]
    if (x === undefined || y === undefined) return (x === undefined) - (y === undefined)
    return sign * (typeof x === 'string' ? x.localeCompare(y) : x - y)
  })
}

/** The change of the seconds behind: catching up, falling behind, or neither. Below ten seconds it is no alarm. */
export function trend({ trend: slope, behind_s: seconds }, inWords = false) {
  if (slope === undefined) return null
  const [name, alarm, text] = slope > 0.05 ? ['up', 'bad', 'falling behind'] : slope < -0.05 ? ['down', 'ok', 'catching up']
    : ['level', 'calm', 'steady']
  const tone = seconds > 10 ? alarm : 'calm'
  return h('span', { class: `trend ${tone}`, title: text }, icon(name), h('span', { class: inWords ? null : 'unseen' }, text))
}

/** What opens below; made only while it is open. */
export const behind = (id, label, make) => h('details', { class: 'behind', id },
  h('summary', null, label), document.getElementById(id)?.open ? make() : null)

export const formatted = (value, type) => figure((formats[type] ?? formats.text)(value))
export const counted = (n) => figure(count(n))
