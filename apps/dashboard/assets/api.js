import { state } from './state.js'

/** What the server answered instead; `message` says what to do. */
export class Problem extends Error {
  constructor(status, detail) {
    super(detail)
    this.status = status
  }
}

async function ask(url, options) {
  let answer
  try {
    answer = await fetch(url, { cache: 'no-store', ...options })
  } catch {
    throw new Problem(0, 'The dashboard does not answer. Is `troupe web` still running?')
  }
  const text = await answer.text()
  const json = text && answer.headers.get('Content-Type')?.includes('json') ? JSON.parse(text) : undefined
  if (!answer.ok) throw new Problem(answer.status, json?.detail ?? `The server answered ${answer.status}.`)
  return json
}

export const get = (url) => ask(url, {})

export const post = (url, body) => ask(url, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json', 'X-Troupe-CSRF': state.session?.csrf ?? '' },
  body: JSON.stringify(body ?? {}),
})

/** ?a=1&where=x&where=y; empty ones are left out. */
export function query(parameters) {
  const text = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) if (one !== undefined && one !== null && one !== '') text.append(name, one)
  }
  return `${text}` ? `?${text}` : ''
}
