import { query } from './api.js'
import { h } from './dom.js'
import { count, plural, pretty, stamp } from './format.js'
import { button, card, chip, loading, trouble } from './parts.js'
import { use } from './resource.js'
import { withParameters } from './router.js'
import { canActNow, mayAct } from './state.js'

/** One dead letter: why it died, what it was. `id` is partition/offset. */
export function letterCard(topic, id) {
  const [partition, offset] = id.split('/')
  const { value, trouble: problem } = use(`/api/v1/dlq/letter${query({ topic, partition, offset })}`)
  const close = h('a', { class: 'button ghost', href: withParameters({ letter: undefined }), 'data-quiet': true, 'data-focus': `[data-key="${id}"] a` }, 'Close')
  return card(`Letter ${id}`, { id: 'letter', side: close }, problem ? trouble(problem) : !value ? loading() : letter(value, id))
}

function letter(value, id) {
  const headers = new Map(value.headers.map((one) => [one.name, one.text ?? `0x${one.hex}`]))
  return [
    h('p', { class: 'facts' }, chip(value.state, value.state === 'open' ? 'bad' : 'ok'), headers.has('error-class') ? chip(headers.get('error-class')) : null,
      value.replay_count > 0 ? chip(`replayed ${value.replay_count}×`, 'warn') : null, value.envelope ? chip('envelope: too large for the broker') : null),
    h('p', { class: 'error' }, headers.get('error') ?? ''),
    mayAct() && value.state === 'open' ? acts(value, id) : null,
    story(headers, value),
    value.hidden ? h('p', { class: 'hidden' }, 'Key, value and payload headers are hidden from this role.')
      : [payload('Key', value.key), payload('Value', value.value)],
    h('details', { class: 'behind', id: 'headers', open: true }, h('summary', null, `${count(value.headers.length)} headers`),
      h('dl', { class: 'headers' }, value.headers.map((one) => h('div', null, h('dt', null, one.name), h('dd', null, one.text ?? h('code', null, `0x${one.hex}`))))))]
}

function acts(value, id) {
  const disabled = !canActNow()
  const [partition, offset] = id.split('/')
  return h('div', { class: 'buttons' },
    button('Replay', 'replay', { icon: 'replay', kind: 'primary', 'data-which': id, disabled }),
    value.value?.text !== undefined && !value.envelope ? button('Edit a copy', 'edit', { icon: 'edit', 'data-partition': partition, 'data-offset': offset, 'data-text': value.value.text, disabled }) : null,
    button('Discard', 'discard', { icon: 'trash', 'data-which': id, disabled }))
}

/** From the event to its death, in the order in which it happened. */
function story(headers, value) {
  const at = (name) => headers.has(name) ? Date.parse(headers.get(name)) : undefined
  const born = Number(headers.get('original-timestamp')) || value.timestamp
  const origin = headers.has('original-topic')
    ? `${headers.get('original-topic')}/${headers.get('original-partition')}/${headers.get('original-offset')}` : null
  const steps = [
    [born, 'Event', origin ? [h('code', null, origin), headers.has('original-group') ? ` read as ${headers.get('original-group')}` : ''] : ''],
    [at('first-failed-at'), 'First failure', headers.has('actor') ? `in ${headers.get('actor')}` : ''],
    [at('failed-at') ?? Date.parse(value.failed_at), 'Given up', headers.has('attempts') ? `after ${plural(Number(headers.get('attempts')), 'attempt')}` : ''],
  ].filter(([time]) => time)
  return h('ol', { class: 'story' }, steps.map(([time, what, more]) => h('li', null, h('time', { datetime: new Date(time).toISOString() }, stamp(time)), h('b', null, what), h('span', null, more))))
}

function payload(name, bytes) {
  if (!bytes) return h('p', { class: 'note' }, `${name}: none`)
  return h('div', { class: 'payload' }, h('h3', null, name, bytes.hex !== undefined ? ' (no text; hexadecimal)' : ''),
    h('pre', { class: 'code', tabindex: 0, 'aria-label': name }, h('code', null, bytes.text !== undefined ? pretty(bytes.text) : bytes.hex)))
}
