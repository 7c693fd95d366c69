import { h } from './dom.js'
import { clock, count, plural, span } from './format.js'
import { icon, mark } from './icons.js'
import { button } from './parts.js'
import { actorPath, panelPath } from './router.js'
import { isStale, state } from './state.js'

/** How an actor is, in a tone and a word. */
export function condition(actor) {
  if (actor.breaker_open > 0) return ['warn', 'breaker open']
  if (actor.paused > 0) return ['paused', actor.paused < actor.reporting ? `paused in ${actor.paused} of ${actor.reporting}` : 'paused']
  if (!(actor.reporting > 0)) return ['none', 'nobody reports']
  return ['ok', 'running']
}

function link(href, route, name, text, badge) {
  const current = route.path === href || (href !== '/' && route.path.startsWith(`${href}/`))
  return h('li', null, h('a', { href, 'aria-current': current ? 'page' : null }, name, h('span', { class: 'name' }, text), badge))
}

function navigation(route) {
  const { doc } = state
  const letters = doc?.summary?.dead_letters
  const actors = Object.entries(doc?.actors ?? {})
  return h('nav', { id: 'nav', 'aria-label': 'Pages' },
    h('ul', null,
      link('/', route, icon('overview'), 'Overview'),
      link('/dlq', route, icon('letters'), 'Dead letters', letters > 0 ? h('span', { class: 'badge v' }, count(letters)) : null),
      Object.entries(doc?.panels ?? {}).map(([name, panel]) => link(panelPath(name), route, icon('panel'), panel.title ?? name)),
      link('/audit', route, icon('audit'), 'Audit')),
    actors.length ? [h('h2', null, 'Actors'), h('ul', null, actors.map(([name, actor]) => {
      const [tone, word] = condition(actor)
      return link(actorPath(name), route, mark(tone), [name, h('span', { class: 'unseen' }, `, ${word}`)],
        actor.behind_s === undefined ? null : h('span', { class: 'aside v', title: 'behind' }, span(actor.behind_s)))
    }))] : null)
}

/** What the clock beside the pages says. */
function pulse() {
  const at = clock(state.doc?.at)
  if (!state.doc) return ['none', state.link === 'lost' ? 'no connection' : 'connecting']
  if (state.paused) return ['paused', `paused ${at}`]
  if (isStale()) return ['none', `as of ${at}`]
  if (state.link === 'polling') return ['wait', `polling ${at}`]
  return ['ok', `live ${at}`]
}

const themes = { system: ['system', 'light'], light: ['sun', 'dark'], dark: ['moon', 'system'] }

function bar(title, crumb) {
  const [tone, text] = pulse()
  const theme = document.documentElement.dataset.theme
  const { session } = state
  return h('header', { class: 'top' },
    h('button', { type: 'button', class: 'button ghost menu', 'data-action': 'menu', 'aria-expanded': String(document.body.dataset.nav === 'open'),
      'aria-controls': 'side', 'aria-label': 'Pages' }, icon('menu')),
    h('div', { class: 'title' }, crumb ? h('a', { href: crumb.href, class: 'crumb' }, crumb.text) : null,
      h('h1', { tabindex: -1 }, title)),
    h('div', { class: 'tools' },
      h('span', { class: `pulse ${tone}` }, mark(tone), h('span', null, text)),
      button('', 'freeze', { icon: state.paused ? 'play' : 'pause', kind: 'ghost', label: state.paused ? 'Go on updating' : 'Pause updating' }),
      button('', 'theme', { icon: themes[theme][0], kind: 'ghost', label: `Theme: ${theme}. Switch to ${themes[theme][1]}`, 'data-theme-next': themes[theme][1] }),
      button('', 'help', { icon: 'help', kind: 'ghost', label: 'Keyboard shortcuts' }),
      session ? h('span', { class: 'who', title: session.user }, session.user ? h('b', null, session.user) : null, h('span', null, session.role)) : null,
      session?.login ? button('', 'logout', { icon: 'leave', kind: 'ghost', label: 'Log out' }) : null))
}

function banners() {
  const { doc, session } = state
  const all = []
  if (session?.banner) all.push(['calm', session.banner])
  if (doc?.redis?.up === false) {
    all.push(['bad', `Redis is down${doc.redis.trouble ? `: ${doc.redis.trouble}` : ''}. What you see is as of ${clock(doc.at)}; ` +
      'actions are off until it is back. The engine goes on.'])
  } else if (doc && state.link === 'lost' && isStale()) {
    all.push(['bad', `No connection to the dashboard: what you see is as of ${clock(doc.at)}. Trying again.`])
  }
  if (doc?.kafka?.up === false) all.push(['warn', `Kafka is down${doc.kafka.trouble ? `: ${doc.kafka.trouble}` : ''}. Lag is not known.`])
  if (doc && doc.summary?.expected > doc.summary?.live) {
    all.push(['warn', `${doc.summary.live} of ${plural(doc.summary.expected, 'process', 'processes')} report: sums are partial.`])
  }
  return all.length ? h('div', { role: 'region', 'aria-label': 'Notices' },
    all.map(([tone, text]) => h('p', { class: `banner ${tone}` }, icon('warn'), h('span', null, text)))) : null
}

/** All around a page. */
export function shell({ route, title, crumb, content }) {
  const { doc } = state
  return h('div', { id: 'app', class: 'frame' },
    h('aside', { id: 'side', 'aria-label': 'Sidebar' },
      h('div', { class: 'brand' }, h('img', { src: '/assets/icon.svg', alt: '', width: 22, height: 22 }),
        h('b', null, doc?.app ?? 'Troupe'), doc ? h('span', { class: 'version' }, doc.version) : null),
      navigation(route)),
    h('div', { class: 'page' }, bar(title, crumb), banners(),
      h('main', { id: 'main', tabindex: -1 }, content)))
}

/** What a reader who does not look should hear of: changes of states, not of figures. */
export function newsBetween(before, after) {
  const news = []
  const differ = (name, says) => {
    const [was, is] = [before?.[name], after?.[name]]
    for (const key of Object.keys(is ?? {})) {
      const [old, now] = [was?.[key] && says(was[key]), says(is[key])]
      if (old !== undefined && old !== now) news.push(`${key}: ${now}`)
    }
  }
  if (!before || !after) return news
  differ('instances', (one) => one.state)
  differ('actors', (one) => condition(one)[1])
  for (const name of ['redis', 'kafka']) {
    if (before[name]?.up !== after[name]?.up) news.push(`${name === 'redis' ? 'Redis' : 'Kafka'} is ${after[name]?.up ? 'back' : 'down'}`)
  }
  return news
}

