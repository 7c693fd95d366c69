import { post } from './api.js'
import { ask, toast } from './dialog.js'
import { h } from './dom.js'
import { count, plural, pretty, rate, span } from './format.js'
import { button, card } from './parts.js'
import { stale, use } from './resource.js'
import { go, lettersPath, routeOf, withParameters } from './router.js'
import { canActNow, mayAct, state } from './state.js'

// What is done with dead letters, and how far it has come.

const verbs = { replay: 'Replay', discard: 'Discard' }
const askedToType = 100

/** Where the page stands: its topic and the conditions in its address. */
function chosen() {
  const { argument: topic, parameters } = routeOf(location)
  return { topic, where: parameters.getAll('where'), since: parameters.get('since') ?? undefined }
}

const asLetter = (text) => {
  const [partition, offset] = text.split('/').map(Number)
  return { partition, offset }
}

/** `which`: matching, selected, or one letter as partition/offset. */
async function deal(action, which) {
  const { topic, where, since } = chosen()
  const letters = which === 'selected' ? [...state.selected].map(asLetter) : which === 'matching' ? undefined : [asLetter(which)]
  const asked = letters ? { topic, action, where: [], letters } : { topic, action, where, since }
  const plan = (fields) => planned({ ...asked, to_source: Boolean(fields.to_source), force: Boolean(fields.force) }, fields)
  try {
    let last = await plan({})
    const answer = await ask({ ...last.question, revise: async (fields) => (last = await plan(fields)).question })
    if (!answer) return
    await post('/api/v1/dlq/jobs', { ...last.asked, count: last.count, typed: answer.topic })
    state.selected.clear()
    stale('/api/v1/dlq')
  } catch (problem) {
    toast(problem.status === 409 ? `${problem.message} Look again, then repeat it.` : problem.message, 'bad')
    stale('/api/v1/dlq')
  }
}

/** What the server says would happen, as a question. */
async function planned(asked, fields) {
  const plan = await post('/api/v1/dlq/plan', asked)
  const guards = []
  if (plan.count > askedToType) guards.push({ name: 'count', text: String(plan.count), label: `Type ${plan.count} to go on` })
  if (asked.to_source) guards.push({ name: 'topic', text: Object.keys(plan.targets)[0] ?? '', label: `Type ${Object.keys(plan.targets)[0] ?? 'the topic'} to go on` })
  const nothing = plan.count === 0
  return {
    asked, count: plan.count, question: {
      title: `${verbs[asked.action]} ${plural(plan.count, 'dead letter')}?`, danger: asked.action === 'discard', guards,
      confirm: nothing ? '' : `${verbs[asked.action]} ${count(plan.count)}`,
      body: [effects(asked, plan), asked.action === 'replay' ? options(fields, plan) : null],
    },
  }
}

function effects({ action, topic, to_source: toSource }, { targets, skipped, first_keys: keys }) {
  return h('dl', { class: 'effects' },
    h('div', null, h('dt', null, 'From'), h('dd', null, h('code', null, topic))),
    action === 'discard'
      ? h('div', null, h('dt', null, 'Effect'), h('dd', null, 'They are marked as done with. Their bytes stay in Kafka until the retention of the topic.'))
      : h('div', null, h('dt', null, 'To'), h('dd', null, Object.entries(targets).map(([target, n]) => h('p', null, h('code', null, target), ` ${count(n)}`)),
        h('p', { class: 'note' }, toSource ? 'Every group that reads this topic sees them again.' : 'Only the actor that they died of reads it.'))),
    keys.length ? h('div', null, h('dt', null, 'First keys'), h('dd', null, keys.map((key, at) => [at ? ', ' : '', h('code', null, key)]))) : null,
    Object.entries(skipped).map(([reason, n]) => h('div', null, h('dt', null, 'Left out'), h('dd', null, `${count(n)}: ${reason}`))))
}

const options = (fields) => h('fieldset', null, h('legend', null, 'Options'),
  h('label', { class: 'check' }, h('input', { type: 'checkbox', name: 'to_source', checked: Boolean(fields.to_source), 'data-revise': true }), h('span', null, 'Into the source topic, where every group sees them')),
  h('label', { class: 'check' }, h('input', { type: 'checkbox', name: 'force', checked: Boolean(fields.force), 'data-revise': true }), h('span', null, 'Also what was replayed three times or more')))

async function editCopy({ dataset: { partition, offset, text } }) {
  const { topic } = chosen()
  const answer = await ask({
    title: 'Replay an edited copy', confirm: 'Send the copy', wide: true,
    body: [h('p', null, `The copy goes to the actor's replay topic with a header that says you edited it. The dead letter stays as it is, open.`),
      h('label', { class: 'field' }, h('span', null, 'Value'), h('textarea', { name: 'value', rows: 14, spellcheck: 'false', autofocus: true }, pretty(text)))],
  })
  if (!answer) return
  try {
    const { target } = await post('/api/v1/dlq/edit', { topic, partition: Number(partition), offset: Number(offset), value: compact(answer.value, text) })
    toast(`The edited copy went to ${target}.`, 'ok')
  } catch (problem) {
    toast(problem.message, 'bad')
  }
}

/** On one line again, if it came so. */
function compact(edited, original) {
  if (original.includes('\n')) return edited
  try {
    return JSON.stringify(JSON.parse(edited))
  } catch {
    return edited
  }
}

/** Words alone are looked for in the error. */
export const conditionOf = (text) => /^[\w-]+(=|!=|~)/.test(text) ? text : `error~${text}`

function setWhere(where) {
  go(withParameters({ where, letter: undefined, max: undefined }), { quiet: true })
}

export const actions = {
  condition(form) {
    const text = form.elements.condition.value.trim()
    form.reset()
    if (text) setWhere([...new Set([...chosen().where, conditionOf(text)])])
  },
  drop: ({ dataset }) => setWhere(chosen().where.filter((one) => one !== dataset.where)),
  cause: ({ dataset }) => setWhere([...new Set([...chosen().where, ...JSON.parse(dataset.where)])]),
  choose({ value, checked }) {
    if (checked) state.selected.add(value)
    else state.selected.delete(value)
  },
  chooseAll({ checked }) {
    for (const box of document.querySelectorAll('[data-change="choose"]')) {
      if (checked) state.selected.add(box.value)
      else state.selected.delete(box.value)
    }
  },
  replay: ({ dataset }) => deal('replay', dataset.which),
  discard: ({ dataset }) => deal('discard', dataset.which),
  edit: editCopy,
  async stopJob({ dataset }) {
    await post(`/api/v1/dlq/jobs/${encodeURIComponent(dataset.job)}/stop`)
    stale('/api/v1/dlq/jobs')
  },
}

// ---- how far ----

let running = false
const endings = { done: 'done', failed: 'failed', stopped: 'stopped' }

/** What this dashboard replays or discards, and did lately; nothing where there is nothing. */
export function jobList(topic) {
  if (!mayAct()) return null
  const { value } = use('/api/v1/dlq/jobs', running ? 1000 : 5000)
  const jobs = (value?.jobs ?? []).filter((one) => !topic || one.topic === topic).slice(0, 5)
  const now = jobs.some((one) => one.state === 'running')
  // What a job dealt with is gone from the list.
  if (running && !now) queueMicrotask(() => stale('/api/v1/dlq?'))
  running = now
  if (!jobs.length) return null
  return card('Replays and discards', { id: 'jobs' }, h('ul', { class: 'jobs' }, jobs.map(job)))
}

function job(one) {
  const part = one.total ? one.done / one.total : 1
  const left = Object.entries(one.skipped ?? {}).map(([reason, n]) => `${count(n)} left out: ${reason}`)
  const facts = [`${count(one.done)}/${count(one.total)}`,
    one.state === 'running' ? [one.per_second ? `${rate(one.per_second)}/s` : null, one.eta_s !== undefined ? `${span(one.eta_s)} left` : null] : endings[one.state], left].flat().filter(Boolean)
  return h('li', { 'data-key': one.job, class: one.state },
    h('div', null, h('b', null, `${verbs[one.action]} `), h('a', { href: lettersPath(one.topic) }, one.topic), h('span', { class: 'v' }, facts.join(' · '))),
    h('progress', { max: one.total || 1, value: one.total ? one.done : 1, 'aria-label': `${verbs[one.action]} ${one.topic}` }, `${Math.round(part * 100)}%`),
    one.trouble ? h('p', { class: 'trouble' }, one.trouble) : null,
    one.state === 'running' ? button('Stop', 'stopJob', { 'data-job': one.job, disabled: !canActNow() }) : null)
}

