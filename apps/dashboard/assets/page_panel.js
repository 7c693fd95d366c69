import { chart } from './chart.js'
import { h } from './dom.js'
import { ago, clock, count, formats, rate, unknown } from './format.js'
import { bar, card, empty, figure, formatted, stateOf, table, tile, tiles } from './parts.js'
import { serverNow, state } from './state.js'

// What an app shows of its domain: tiles, curves and tables that the server describes.

export function panelPage({ argument: name }) {
  const panel = state.doc.panels?.[name]
  if (!panel) return { title: name, content: empty(`This config has nothing for a panel ${name}.`) }
  return {
    title: panel.title ?? name, content: [
      panel.tiles?.length ? tiles(panel.tiles.map((one) => tile(sentence(one.label), (formats[one.type] ?? formats.text)(one.value)))) : null,
      (panel.series ?? []).length ? h('div', { class: `columns${panel.series.length > 1 ? ' even' : ''}` }, panel.series.map((one, at) => curve(one, at))) : null,
      (panel.tables ?? []).length ? h('div', { class: 'columns tables' }, panel.tables.map(rowsOf)) : null,
      panel.at ? h('p', { class: 'foot' }, `as of ${clock(panel.at)}`) : null],
  }
}

const curve = (one, at) => card(sentence(one.label), { id: `series-${at}` }, one.values.some((value) => value !== null)
  ? chart({ id: `panel-${at}`, title: one.label, from: one.from, step: one.step_ms, plots: [
    { title: '', format: figureOf, size: 'middle', series: [{ label: 'newest', values: one.values, tone: 'accent', area: true }] }] })
  : empty('Nothing was counted in this time.'))

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1)

/** Whole ones were counted; means of several are not whole. */
const figureOf = (value) => Number.isInteger(value) ? count(value) : rate(value)

const numeric = new Set(['count', 'money_cents', 'ms_ago', 'seconds', 'ratio', 'change'])
const states = { ok: 'done', wait: 'waiting', fail: 'failed', none: 'not yet' }
const tones = { ok: 'ok', wait: 'wait', fail: 'bad', none: 'none' }

function rowsOf(one, at) {
  const columns = one.columns.map((column, n) => ({
    label: column.label, unseen: column.label ? undefined : column.type === 'bar' ? 'Share' : 'State', numeric: numeric.has(column.type),
    class: column.type === 'bar' ? 'bars' : '', cell: (row) => cell(row.cells[n], column.type),
  }))
  return card(sentence(one.title), { id: `table-${at}`, flush: true, side: one.rows.length > 12 ? String(one.rows.length) : null },
    one.note ? h('p', { class: 'note' }, one.note) : null,
    one.rows.length ? table({ caption: one.title, columns, rows: one.rows.map((cells, n) => ({ key: `${n}`, cells })), scroll: one.rows.length > 24 })
      : empty(one.empty ?? 'Nothing yet.'))
}

function cell(value, type) {
  if (type === 'ms_ago') return figure(value === null ? unknown : ago(value, serverNow()))
  if (type === 'bar') return bar(value ?? undefined)
  if (type === 'text' && value?.text !== undefined) return linked(formatted(value.text, type), value.href)
  if (type !== 'state') return formatted(value, type)
  if (value === null) return figure(unknown)
  const { state: name, href } = typeof value === 'string' ? { state: value } : value
  return linked(stateOf(tones[name] ?? 'none', h('span', { class: 'word' }, states[name] ?? name)), href)
}

/** A panel leads to pages of this dashboard and nowhere else: //host would be another one. */
const linked = (shown, href) => /^\/(?![/\\])[!-~]*$/.test(href ?? '') ? h('a', { href }, shown) : shown
