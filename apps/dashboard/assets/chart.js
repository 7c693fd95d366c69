import { h, s } from './dom.js'
import { clock } from './format.js'
import { behind, figure, table } from './parts.js'

const width = 1000
const heights = { low: 56, middle: 120, high: 240 }
const drawn = new Map() // chart id → what the pointer needs of it
const pointed = new Map() // chart id → where the pointer is, from 0 to 1

const known = (value) => value !== null && value !== undefined

/** Means of neighbours, so that no more than `most` are left; null stays where nobody reported. */
export function thinned(values, most) {
  const each = Math.max(1, Math.ceil(values.length / most))
  const result = []
  for (let at = 0; at < values.length; at += each) {
    const some = values.slice(at, at + each).filter(known)
    result.push(some.length ? some.reduce((sum, value) => sum + value, 0) / some.length : null)
  }
  return { values: result, each }
}

/** The least round number that is not below, whose half is one too. */
export function niceTop(value) {
  if (!(value > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 1.6, 2, 3, 4, 5, 6, 8, 10].map((factor) => factor * power).find((top) => top >= value * (1 - 1e-9))
}

/** What is known without a gap: [first, last] of each run. */
export function runs(values) {
  const found = []
  values.forEach((value, at) => {
    if (!known(value)) return
    if (at > 0 && known(values[at - 1])) found.at(-1)[1] = at
    else found.push([at, at])
  })
  return found
}

function paths(values, top, height) {
  const x = (at) => (at / Math.max(1, values.length - 1) * width).toFixed(1)
  const y = (value) => (height - Math.min(1, value / top) * (height - 1) - 0.5).toFixed(1)
  let line = ''
  let area = ''
  for (const [first, last] of runs(values)) {
    const points = values.slice(first, last + 1).map((value, at) => `${x(first + at)} ${y(value)}`)
    // A value between two gaps is a dash.
    line += `M${points.join('L')}${first === last ? 'h3' : ''}`
    area += `M${x(first)} ${height}L${points.join('L')}L${x(last)} ${height}Z`
  }
  return { line, area }
}

/**
 * Curves over time, in plots one above the other that share their times and the pointer. plots: [{title, format,
 * size: low, middle or high, series: [{label, values, tone, dash?, area?}]}]. The table behind says the same in figures.
 */
export function chart({ id, title, from, step, plots, most = 180 }) {
  const thin = plots.map((plot) => {
    const series = plot.series.map((one) => ({ ...one, ...thinned(one.values, most) }))
    return { ...plot, series, height: heights[plot.size], top: niceTop(Math.max(0, ...series.flatMap((one) => one.values.filter(known)))) }
  })
  const { values = [], each = 1 } = thin[0]?.series[0] ?? {}
  const about = { plots: thin, length: values.length, time: (at) => from + at * step * each }
  drawn.set(id, about)
  const at = place(id, about.length)
  return h('figure', { class: 'chart', 'data-key': id, 'data-chart': id },
    thin.map((plot, n) => [legend(plot, n, about, at), area(plot, n, about, at)]),
    h('div', { class: 'axis', 'aria-hidden': 'true' }, [0, 1 / 3, 2 / 3, 1].map((part) =>
      h('span', null, about.length ? clock(about.time(Math.round(part * (about.length - 1)))).slice(0, 5) : ''))),
    behind(`${id}-table`, 'Table', () => figures(title, about)))
}

/** At the pointer, else the newest: of the last step often nobody has told yet. */
const reading = ({ values }, format, at) => format((at === undefined ? values.at(-1) ?? values.at(-2) : values[at]) ?? undefined)

const legend = ({ title, series, format }, n, { time }, at) => h('figcaption', null,
  h('span', { class: 'what' }, title),
  n === 0 ? h('span', { class: 'when', 'data-when': true }, at === undefined ? '' : clock(time(at))) : null,
  h('span', { class: 'legend' }, series.map((one, m) => h('span', { class: `key ${one.tone}` },
    s('svg', { viewBox: '0 0 14 4', 'aria-hidden': 'true' }, s('path', { d: 'M0 2h14', class: one.dash })),
    `${one.label} `, h('b', { class: 'v', 'data-now': `${n}/${m}` }, reading(one, format, at))))))

const area = ({ title, series, format, size, height, top }, n, { length }, at) => h('div', { class: `plot ${size}` },
  h('div', { class: 'scale', 'aria-hidden': 'true' }, (size === 'low' ? [1, 0] : [1, 0.5, 0]).map((part) => h('span', null, part ? format(top * part).replace('.0', '') : '0'))),
  s('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label':
    `${title}: ${series.map((one) => `${one.label} ${reading(one, format)}`).join(', ')}. All figures are in the table below.` },
  s('path', { class: 'grid', d: `M0 .5H${width}${size === 'low' ? '' : `M0 ${height / 2}H${width}`}M0 ${height - 0.5}H${width}` }),
  series.map((one) => curve(one, top, height)),
  s('path', { class: 'cross', 'data-cross': height, d: cross(at, length, height) })))

function curve({ values, tone, dash, area: filled }, top, height) {
  const path = paths(values, top, height)
  return [filled ? s('path', { class: `area ${tone}`, d: path.area }) : null,
    s('path', { class: `line ${tone} ${dash ?? ''}`, d: path.line })]
}

const figures = (title, { plots, length, time }) => table({
  caption: `${title}, the newest first`, scroll: true,
  columns: [{ label: 'Time', cell: (row) => clock(time(row.at)) }, ...plots.flatMap(({ series, format }) =>
    series.map((one) => ({ label: one.label, numeric: true, cell: (row) => figure(format(one.values[row.at] ?? undefined)) })))],
  rows: Array.from({ length }, (_, n) => ({ key: time(length - 1 - n), at: length - 1 - n })),
})

const cross = (at, length, height) => at === undefined ? '' : `M${(at / Math.max(1, length - 1) * width).toFixed(1)} 0V${height}`

function place(id, length) {
  const share = pointed.get(id)
  return share === undefined || length === 0 ? undefined : Math.round(share * (length - 1))
}

/** The figures under the pointer stand in the legend. */
export function followPointer(root) {
  root.addEventListener('pointermove', ({ target, clientX }) => {
    const plot = target.closest?.('.chart[data-chart] .plot')?.querySelector('svg')
    const before = pointed.size
    pointed.clear()
    if (plot) {
      const { left, width: wide } = plot.getBoundingClientRect()
      pointed.set(plot.closest('[data-chart]').dataset.chart, Math.max(0, Math.min(1, (clientX - left) / wide)))
    }
    if (before || pointed.size) root.querySelectorAll('[data-chart]').forEach(point)
  })
}

function point(element) {
  const { plots, length, time } = drawn.get(element.dataset.chart)
  const at = place(element.dataset.chart, length)
  element.querySelector('[data-when]').textContent = at === undefined ? '' : clock(time(at))
  for (const line of element.querySelectorAll('[data-cross]')) line.setAttribute('d', cross(at, length, Number(line.dataset.cross)))
  for (const now of element.querySelectorAll('[data-now]')) {
    const [n, m] = now.dataset.now.split('/')
    now.textContent = reading(plots[n].series[m], plots[n].format, at)
  }
}
