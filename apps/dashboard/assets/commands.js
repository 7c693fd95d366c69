import { get, post } from './api.js'
import { ask, toast } from './dialog.js'
import { h } from './dom.js'
import { count, plural } from './format.js'
import { state } from './state.js'

// Orders to the pools: every process answers for itself.

const answersWithin = 10_000

async function give(action, actor, more = {}) {
  const say = toast(`${actor}: ${action} …`)
  try {
    const { id } = await post('/api/v1/commands', { action, actor, ...more })
    say(...outcome(actor, action, await answers(id)))
  } catch (problem) {
    say(`${actor}: ${action} failed. ${problem.message}`, 'bad')
  }
}

/** Those of all processes, or what there is when the time is up. */
async function answers(id) {
  const end = performance.now() + answersWithin
  for (;;) {
    const told = await get(`/api/v1/commands/${encodeURIComponent(id)}`)
    const all = Object.keys(told.answers).length >= told.expected && told.expected > 0
    if (all || performance.now() > end) return told
    await new Promise((done) => { setTimeout(done, 250) })
  }
}

/** What the answers come to, and whether that is well. */
export function outcome(actor, action, { answers: all, expected }) {
  const given = Object.entries(all)
  const running = given.filter(([, one]) => one.runs_it)
  const done = running.filter(([, one]) => one.done)
  const refused = running.find(([, one]) => !one.done)
  if (refused) return [`${actor}: ${action} refused by ${refused[0]}. ${refused[1].text}`, 'bad']
  if (given.length < expected) {
    return [`${actor}: ${action}: ${given.length} of ${plural(expected, 'process', 'processes')} answered. ` +
      'It is written down; the others follow when they are back.', 'bad']
  }
  if (done.length === 0) return [`${actor}: ${action} is written down; no process runs it now.`, 'bad']
  return [`${actor}: ${action} done by ${plural(done.length, 'process', 'processes')}, now ${done[0][1].after || 'as in the file'}.`, 'ok']
}

const processes = () => plural(state.doc?.summary?.live ?? 0, 'process', 'processes')

export async function pausePool(actor) {
  const agreed = await ask({
    title: `Pause ${actor}?`, confirm: 'Pause',
    body: h('p', null, `In ${processes()} its calls stop to begin; those that run end. Events wait in Kafka, and the lag grows ` +
      'until it is resumed, also through restarts.'),
  })
  if (agreed) await give('pause', actor)
}

export const resumePool = (actor) => give('resume', actor)

export async function resizePool(name) {
  const actor = state.doc.actors[name]
  const each = Math.max(1, actor.reporting || 1)
  const now = actor.desired?.workers ?? (actor.workers !== undefined ? Math.round(actor.workers / each) : actor.file?.workers)
  const most = actor.max_workers_each
  const answer = await ask({
    title: `Workers of ${name}`, confirm: 'Resize',
    body: [h('p', null, `In each of ${processes()}${most ? `, 1 to ${count(most)}` : ''}. The file says ${actor.file?.workers ?? 'nothing'}. ` +
      'Fewer workers end when their calls do; the order of keys is kept.'),
    h('label', { class: 'field' }, h('span', null, 'Workers'),
      h('input', { name: 'workers', type: 'number', min: 1, max: most, value: now, required: true, autofocus: true }))],
  })
  if (answer) await give('resize', name, { workers: Number(answer.workers) })
}

export async function resetPool(actor) {
  const agreed = await ask({
    title: `Reset ${actor} to its file?`, confirm: 'Reset',
    body: h('p', null, `In ${processes()} it runs with ${plural(state.doc.actors[actor].file?.workers ?? 0, 'worker')} again, as ` +
      `${state.doc.actors[actor].file?.place ?? 'its file'} says; what was ordered here is forgotten.`),
  })
  if (agreed) await give('reset', actor)
}
