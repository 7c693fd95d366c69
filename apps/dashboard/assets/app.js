import { act } from './actions.js'
import { get } from './api.js'
import { followPointer } from './chart.js'
import { h, morph } from './dom.js'
import { listenToKeys } from './keys.js'
import { Live } from './live.js'
import { actorPage } from './page_actor.js'
import { auditPage } from './page_audit.js'
import { lettersPage } from './page_letters.js'
import { loginPage } from './page_login.js'
import { overviewPage } from './page_overview.js'
import { panelPage } from './page_panel.js'
import { topicsPage } from './page_topics.js'
import { empty, loading, trouble } from './parts.js'
import { onResource, settle } from './resource.js'
import { go, onMove, routeOf } from './router.js'
import { newsBetween, shell } from './shell.js'
import { isStale, preferences, state } from './state.js'

const pages = {
  overview: overviewPage, actor: actorPage, topics: topicsPage, letters: lettersPage, panel: panelPage,
  audit: auditPage, login: loginPage,
  nowhere: () => ({ title: 'Not found', content: empty('There is no page at this address.') }),
}

const live = new Live({
  document(doc) {
    if (doc.at === undefined) return // of a server that has not read anything yet
    if (state.latest?.at !== doc.at) state.changed = performance.now()
    const before = state.latest
    state.latest = doc
    if (state.paused) return
    announce(newsBetween(before, doc))
    state.doc = doc
    draw()
  },
  link(link) {
    if (state.link === link) return
    if (link === 'lost' && state.link === 'live') announce(['The connection is lost'])
    if (link === 'live' && state.link === 'polling') announce(['The connection is back'])
    state.link = link
    draw()
  },
  login: toLogin,
})

function announce(news) {
  if (news.length) document.getElementById('news').textContent = `${news.slice(0, 5).join('. ')}.`
}

function toLogin() {
  live.stop()
  state.session = null
  const from = location.pathname + location.search
  if (routeOf(location).name !== 'login') go(`/login?next=${encodeURIComponent(from)}`)
}

// ---- drawing ----

let due = false
export function draw() {
  if (due) return
  due = true
  requestAnimationFrame(() => {
    due = false
    drawNow()
  })
}

function drawNow() {
  const route = routeOf(location)
  const waits = route.name !== 'login' && (!state.session || !state.doc)
  const page = waits ? { title: titles[route.name] ?? route.argument, content: state.trouble ? trouble(state.trouble) : loading() } : pages[route.name](route)
  document.title = `${page.title} · ${state.doc?.app ?? 'Troupe'}`
  const next = route.name === 'login' ? h('div', { id: 'app', class: 'alone' }, page.content) : shell({ route, ...page })
  document.body.dataset.fresh = isStale() ? 'stale' : 'live'
  morph(document.getElementById('app'), next)
  // Where the live document is old, nothing else would be newer.
  settle({ refresh: !state.paused && !document.hidden && !isStale() })
}

const titles = { overview: 'Overview', topics: 'Dead letters', audit: 'Audit', nowhere: 'Not found' }

// ---- life ----

function moved({ same, back } = {}) {
  if (back) document.activeElement?.blur()
  document.body.dataset.nav = ''
  state.selected.clear()
  drawNow()
  if (same) return
  scrollTo(0, 0)
  document.querySelector('h1')?.focus({ preventScroll: true })
}

function listen() {
  onMove(moved)
  onResource((problem) => problem?.status === 401 ? toLogin() : draw())
  listenToKeys()
  followPointer(document)
  addEventListener('click', clicked)
  addEventListener('keydown', ({ key }) => key === 'Escape' && closeMenu())
  addEventListener('submit', submitted)
  addEventListener('input', ({ target }) => target.dataset.input && act(target.dataset.input, target))
  addEventListener('change', ({ target }) => target.dataset.change && act(target.dataset.change, target))
  // What opens below is made when it is opened.
  document.addEventListener('toggle', draw, true)
  document.addEventListener('troupe:draw', draw)
  document.addEventListener('troupe:session', begin)
  // What is shown grows old by itself.
  setInterval(() => document.hidden || draw(), 1000)
}

function closeMenu() {
  if (!document.body.dataset.nav) return
  document.body.dataset.nav = ''
  document.querySelector('.menu')?.focus()
  draw()
}

function clicked(event) {
  if (!event.target.closest('#side, .menu')) closeMenu()
  const actor = event.target.closest('[data-action]')
  if (actor) return act(actor.dataset.action, actor)
  const link = event.target.closest('a[href^="/"]')
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
  event.preventDefault()
  const { focus } = link.dataset
  go(link.getAttribute('href'), { quiet: 'quiet' in link.dataset })
  if (focus) document.querySelector(focus)?.focus()
}

function submitted(event) {
  if (!event.target.dataset.submit) return
  event.preventDefault()
  act(event.target.dataset.submit, event.target)
}

async function begin() {
  if (routeOf(location).name === 'login') return
  live.start()
  try {
    state.session = await get('/api/v1/session')
    state.trouble = null
  } catch (problem) {
    if (problem.status === 401) return toLogin()
    state.trouble = problem
    setTimeout(begin, 3000)
  }
  draw()
}

document.documentElement.dataset.theme = preferences.get('theme', 'system')
listen()
draw()
begin()
