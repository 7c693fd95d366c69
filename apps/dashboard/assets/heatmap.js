import { h } from './dom.js'
import { ago, count, plural, span } from './format.js'
import { behind, counted, empty, figure, table } from './parts.js'
import { serverNow } from './state.js'

/** {key, group, topic, partition, …}: the key is group/topic/partition; topics and groups hold no slash. */
export function partitionRows(doc, wanted = () => true) {
  return Object.entries(doc.partitions ?? {}).map(([key, one]) => {
    const [group, topic, partition] = key.split('/')
    return { key, group, topic, partition: Number(partition), ...one }
  }).filter(wanted).sort((a, b) => a.group.localeCompare(b.group) || a.topic.localeCompare(b.topic) || a.partition - b.partition)
}

/** 0 to 4 by seconds behind; nothing where it is not known. */
export const level = (seconds) => seconds === undefined ? undefined
  : seconds < 1 ? 0 : seconds < 10 ? 1 : seconds < 60 ? 2 : seconds < 600 ? 3 : 4

const legend = [['0', 'under 1 s'], ['1', '1 s'], ['2', '10 s'], ['3', '1 m'], ['4', '10 m'], ['unknown', 'not known'], ['blocked', 'blocked']]

export function heatmap(doc) {
  const rows = partitionRows(doc)
  if (!rows.length) return empty('No partition is known: no engine has reported any, and Kafka was not asked yet.', 'troupe lag shop.yaml')
  const groups = new Map()
  for (const row of rows) {
    const key = `${row.group} · ${row.topic}`
    if (!groups.has(key)) groups.set(key, [])
    groups.get(key).push(row)
  }
  return [
    h('div', { class: 'heat' }, [...groups].map(([name, all]) => line(name, all))),
    h('p', { class: 'heat-legend', 'aria-hidden': 'true' }, legend.map(([name, text]) => h('span', null, h('i', { class: `cell l${name}` }), text))),
    behind('partitions-table', `Table of ${plural(rows.length, 'partition')}`, () => partitionTable('Partitions', rows, true))]
}

function line(name, all) {
  const blocked = all.filter((one) => one.blocked).length
  const known = all.filter((one) => one.behind_s !== undefined)
  const worst = known.length ? Math.max(...known.map((one) => one.behind_s)) : undefined
  return h('div', { class: 'heat-row', 'data-key': name },
    h('span', { class: 'name clip', title: name }, all[0].group, h('span', { class: 'sub' }, all[0].topic)),
    h('span', { class: 'worst v' }, span(worst)),
    h('span', { class: `cells${all.length <= 24 ? ' few' : ''}`, role: 'img', 'aria-label': `${plural(all.length, 'partition')}, the worst ${span(worst)} behind` +
      `${blocked ? `, ${blocked} blocked` : ''}` }, all.map(cell)))
}

const cell = (one) => h('i', {
  class: `cell l${level(one.behind_s) ?? 'unknown'}${one.blocked ? ' lblocked' : ''}`,
  title: `partition ${one.partition}: ${span(one.behind_s)} behind, lag ${count(one.lag)}${one.blocked ? `, blocked at ${one.blocked.offset}: ${one.blocked.why}` : ''}`,
})

export function partitionTable(caption, rows, grouped) {
  const now = serverNow()
  const severalTopics = new Set(rows.map((row) => row.topic)).size > 1
  return table({
    caption, rows, scroll: rows.length > 24, columns: [
      ...(grouped ? [{ label: 'Group', cell: (row) => row.group }] : []),
      ...(grouped || severalTopics ? [{ label: 'Topic', plain: true, cell: (row) => row.topic }] : []),
      { label: 'Partition', cell: (row) => row.partition },
      { label: 'Owner', plain: true, cell: (row) => row.source ?? figure('–') },
      { label: 'Committed', numeric: true, cell: (row) => counted(row.committed) },
      { label: 'End', numeric: true, cell: (row) => counted(row.end) },
      { label: 'Lag', numeric: true, cell: (row) => counted(row.lag) },
      { label: 'Behind', numeric: true, cell: (row) => figure(span(row.behind_s)) },
      { label: 'Blocked by', class: 'grow', cell: (row) => row.blocked
        ? h('span', { class: 'blocked' }, h('b', null, `offset ${count(row.blocked.offset)}`), ` since ${ago(row.blocked.since, now)}: ${row.blocked.why}`)
        : h('span', { class: 'nothing', 'aria-hidden': 'true' }) },
    ],
  })
}
