import { h } from './dom.js'
import { state } from './state.js'

export function loginPage() {
  const { trouble, busy } = state.login ?? {}
  const field = (name, label, type, autocomplete) => h('label', { class: 'field' }, h('span', null, label),
    h('input', { name, type, autocomplete, required: true, autocapitalize: 'none', spellcheck: 'false', 'aria-describedby': trouble ? 'login-trouble' : null }))
  return {
    title: 'Log in', content: h('main', { id: 'main', class: 'login', tabindex: -1 },
      h('form', { 'data-submit': 'login', class: 'card' },
        h('img', { src: '/assets/icon.svg', alt: '', width: 36, height: 36 }), h('h1', { tabindex: -1 }, 'Log in to Troupe'),
        field('user', 'Name', 'text', 'username'), field('password', 'Password', 'password', 'current-password'),
        trouble ? h('p', { class: 'trouble', id: 'login-trouble', role: 'alert' }, trouble) : null,
        h('button', { type: 'submit', class: 'button primary', disabled: busy }, h('span', null, busy ? 'Logging in…' : 'Log in')))),
  }
}
