import { h } from './dom.js'
import { button } from './parts.js'

/**
 * Asks in a dialog; resolves to the form's fields, or to null where it was left. `guards` are texts that have to be
 * typed before it can be confirmed: {name, text, label}. `revise(fields)` answers what to ask instead after a change
 * of a field marked so. The focus comes back to where it was.
 */
export function ask(question) {
  return new Promise((resolve) => {
    const form = h('form', { method: 'dialog' })
    const dialog = h('dialog', { 'aria-labelledby': 'dialog-title', class: question.wide ? 'wide' : null }, form)
    let guards = []
    let answer = null
    const fields = () => Object.fromEntries(new FormData(form))
    const agree = () => form.querySelector('[data-agree]')
    const check = () => {
      if (agree()) agree().disabled = guards.some(({ name, text }) => plain(fields()[name]) !== plain(text))
    }
    const show = (asked) => {
      guards = asked.guards ?? []
      form.replaceChildren(...contents(asked))
      check()
    }
    form.addEventListener('input', check)
    form.addEventListener('change', async ({ target }) => {
      if (!('revise' in target.dataset)) return
      const { name } = target
      show(await question.revise(fields()))
      form.elements[name]?.focus()
    })
    form.addEventListener('submit', (event) => {
      if (agree()?.disabled) event.preventDefault()
      else answer = fields()
    })
    form.addEventListener('click', ({ target }) => {
      if (target.closest('[data-cancel]')) dialog.close()
    })
    dialog.addEventListener('close', () => {
      dialog.remove()
      resolve(answer)
    })
    show(question)
    document.body.append(dialog)
    dialog.showModal()
  })
}

const plain = (text = '') => text.trim().replaceAll(',', '')

function contents({ title, body, confirm, guards = [], danger, cancel = 'Cancel' }) {
  return [h('h2', { id: 'dialog-title' }, title), body,
    guards.map(({ name, text, label }) => h('label', { class: 'field' }, h('span', null, label),
      h('input', { name, autocomplete: 'off', spellcheck: 'false', autofocus: true, inputmode: /^\d+$/.test(text) ? 'numeric' : null }))),
    h('footer', null, cancel ? button(cancel, null, { 'data-cancel': true, autofocus: guards.length === 0 }) : null,
      confirm ? h('button', { type: 'submit', class: `button ${danger ? 'danger' : 'primary'}`, 'data-agree': true },
        h('span', null, confirm)) : null)].flat().filter(Boolean)
}

/** Says what became of it; goes by itself unless it is trouble. Answers a function that says more in its place. */
export function toast(text, tone = 'calm') {
  const message = h('span')
  const note = h('div', { class: 'toast' }, message, button('', null, { icon: 'close', label: 'Dismiss', kind: 'ghost' }))
  let timer
  const say = (words, how) => {
    message.textContent = words
    note.className = `toast ${how}`
    clearTimeout(timer)
    if (how === 'ok') timer = setTimeout(() => note.remove(), 6000)
  }
  note.querySelector('button').addEventListener('click', () => note.remove())
  say(text, tone)
  document.getElementById('toasts').append(note)
  return say
}
