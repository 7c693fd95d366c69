import { get, post } from './api.js'
import { pausePool, resetPool, resizePool, resumePool } from './commands.js'
import { showShortcuts } from './keys.js'
import * as letters from './letters.js'
import { go, withParameters } from './router.js'
import { preferences, state } from './state.js'

const redraw = () => document.dispatchEvent(new Event('troupe:draw'))

const actions = {
  menu() {
    document.body.dataset.nav = document.body.dataset.nav === 'open' ? '' : 'open'
    if (document.body.dataset.nav) document.querySelector('#side a').focus()
  },
  freeze() {
    state.paused = !state.paused
    if (!state.paused) state.doc = state.latest
  },
  theme() {
    const next = { system: 'light', light: 'dark', dark: 'system' }[document.documentElement.dataset.theme]
    preferences.set('theme', next)
    document.documentElement.dataset.theme = next
  },
  help: showShortcuts,
  async logout() {
    await post('/api/v1/logout')
    location.assign('/login')
  },
  async login(form) {
    const { user, password } = Object.fromEntries(new FormData(form))
    state.login = { busy: true }
    redraw()
    try {
      state.session = await post('/api/v1/login', { user, password })
      state.login = null
      const next = new URLSearchParams(location.search).get('next')
      // Only a path of ours: not //elsewhere.
      go(next && /^\/(?![/\\])/.test(next) ? next : '/')
      document.dispatchEvent(new Event('troupe:session'))
    } catch (problem) {
      state.login = { trouble: problem.message }
    }
  },
  pause: ({ dataset }) => pausePool(dataset.actor),
  resume: ({ dataset }) => resumePool(dataset.actor),
  resize: ({ dataset }) => resizePool(dataset.actor),
  reset: ({ dataset }) => resetPool(dataset.actor),
  tap({ dataset }) {
    state.tapping = state.tapping === dataset.actor ? null : dataset.actor
  },
  /** A field whose text is a parameter of the address. */
  parameter({ name, value }) {
    go(withParameters({ [name]: value }), { quiet: true })
  },
  async olderAudit({ dataset }) {
    const { entries } = await get(`/api/v1/audit?before=${encodeURIComponent(dataset.before)}&max=200`)
    state.olderAudit = [...state.olderAudit, ...entries]
    state.auditEnds = entries.length === 0
  },
  ...letters.actions,
}

/** Does what a button, a form or a key asks for. */
export async function act(name, element) {
  await actions[name]?.(element)
  redraw()
}
