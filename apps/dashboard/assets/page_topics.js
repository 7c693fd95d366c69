import { h } from './dom.js'
import { count } from './format.js'
import { bar, card, empty, figure, table } from './parts.js'
import { jobList } from './letters.js'
import { actorPath, lettersPath } from './router.js'
import { state } from './state.js'

export function topicsPage() {
  const rows = Object.entries(state.doc.dead_letters ?? {}).map(([topic, one]) => ({ key: topic, topic, ...one }))
    .sort((a, b) => b.open - a.open || a.topic.localeCompare(b.topic))
  return {
    title: 'Dead letters', content: [
      jobList(),
      card('Topics', { id: 'topics', flush: true }, rows.length ? table({ caption: 'Topics of dead letters', rows, columns: [
        { label: 'Topic', class: 'grow', cell: (row) => h('a', { href: lettersPath(row.topic) }, row.topic) },
        { label: 'Actor', cell: (row) => row.actor ? h('a', { href: actorPath(row.actor) }, row.actor) : figure('–') },
        { label: '', unseen: 'Share', class: 'share', cell: (row) => bar(row.open / (rows[0].open || 1)) },
        { label: 'Open', numeric: true, cell: (row) => figure(count(row.open), row.open > 0 ? 'bad' : '') },
      ] }) : empty('No dead letters, and no topic for them is known. Events that fail for good come here.', 'troupe dlq ls -c shop.yaml'))],
  }
}
