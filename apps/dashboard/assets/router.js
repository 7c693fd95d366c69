import { query } from './api.js'

/** What the address asks for: {name, argument, query}. */
export function routeOf(location) {
  const parts = location.pathname.split('/').filter(Boolean).map(decoded)
  const parameters = new URLSearchParams(location.search)
  const [first = '', argument] = parts
  const name = parts.length > 2 ? 'nowhere'
    : first === '' ? 'overview'
      : first === 'actors' && argument ? 'actor'
        : first === 'panels' && argument ? 'panel'
          : first === 'dlq' ? (argument ? 'letters' : 'topics')
            : (first === 'audit' || first === 'login') && !argument ? first : 'nowhere'
  return { name, argument, parameters, path: location.pathname }
}

function decoded(text) {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

export const actorPath = (name) => `/actors/${encodeURIComponent(name)}`
export const lettersPath = (topic, parameters = {}) => `/dlq/${encodeURIComponent(topic)}${query(parameters)}`
export const panelPath = (name) => `/panels/${encodeURIComponent(name)}`

/** The address of the page that is shown with other parameters; undefined removes one. */
export function withParameters(changes) {
  const now = new URLSearchParams(location.search)
  for (const [name, value] of Object.entries(changes)) {
    now.delete(name)
    for (const one of [value].flat()) if (one !== undefined && one !== null && one !== '') now.append(name, one)
  }
  return location.pathname + (`${now}` ? `?${now}` : '')
}

let moved = () => {}
export function onMove(callback) {
  moved = callback
  addEventListener('popstate', () => moved({ back: true }))
}

/** `quiet`: the same page seen otherwise; no new title, no focus, and in the history in place of the old one. */
export function go(url, { quiet = false } = {}) {
  const same = new URL(url, location.href).pathname === location.pathname
  if (quiet) history.replaceState(null, '', url)
  else history.pushState(null, '', url)
  moved({ same: quiet || same })
}
