import { act } from './actions.js'
import { ask } from './dialog.js'
import { h } from './dom.js'
import { go, panelPath } from './router.js'
import { preferences, state } from './state.js'

const places = { o: '/', d: '/dlq', a: '/audit' }
let waiting = 0 // until when the second key of a pair counts

const on = () => preferences.get('shortcuts', 'on') === 'on'

function panelKeys() {
  return Object.keys(state.doc?.panels ?? {}).slice(0, 9).map((name, at) => [String(at + 1), name])
}

export function listenToKeys() {
  addEventListener('keydown', (event) => {
    const { target, key } = event
    if (!on() || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog')) return
    if (target.closest('input, textarea, select')) {
      if (key === 'Escape') target.blur()
      return
    }
    if (performance.now() < waiting) {
      waiting = 0
      const place = places[key] ?? panelKeys().filter(([number]) => number === key).map(([, name]) => panelPath(name))[0]
      if (place) {
        event.preventDefault()
        go(place)
      }
    } else if (key === 'g') {
      waiting = performance.now() + 1500
    } else if (key === '/') {
      const field = document.querySelector('[data-search]')
      if (!field) return
      event.preventDefault()
      field.focus()
      field.select()
    } else if (key === 'p') act('freeze')
    else if (key === 't') act('theme')
    else if (key === '?') act('help')
  })
}

export async function showShortcuts() {
  const rows = [['/', 'Search or filter'], ['g o', 'Overview'], ['g d', 'Dead letters'], ['g a', 'Audit'],
    ...panelKeys().map(([number, name]) => [`g ${number}`, state.doc.panels[name].title ?? name]),
    ['p', 'Pause updating, go on'], ['t', 'Theme'], ['?', 'This list'], ['Esc', 'Leave a field or dialog']]
  const answer = await ask({
    title: 'Keyboard shortcuts', confirm: 'Done', cancel: '',
    body: [h('dl', { class: 'keys' }, rows.map(([keys, what]) => h('div', null, h('dt', null, keys.split(' ').map((key) => h('kbd', null, key))), h('dd', null, what)))),
      h('label', { class: 'check' }, h('input', { type: 'checkbox', name: 'on', checked: on() }), h('span', null, 'Single keys do this'))],
  })
  if (answer) preferences.set('shortcuts', answer.on ? 'on' : 'off')
}
