// Server-sent events read by fetch: EventSource neither says why it failed nor lets us choose when to come back.

/** Takes pieces of text as they arrive; calls `deliver({event, id, data})` for each event that is complete. */
export class EventParser {
  #rest = ''
  #event = {}

  constructor(deliver) {
    this.deliver = deliver
  }

  feed(text) {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()
    for (const line of lines) this.#line(line.endsWith('\r') ? line.slice(0, -1) : line)
  }

  #line(line) {
    if (line === '') {
      if (this.#event.data !== undefined) this.deliver({ event: 'message', ...this.#event })
      this.#event = {}
      return
    }
    const colon = line.indexOf(':')
    if (colon === 0) return // a comment, which only keeps the connection awake
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === 'data') this.#event.data = this.#event.data === undefined ? value : `${this.#event.data}\n${value}`
    else if (name === 'event' || name === 'id') this.#event[name] = value
  }
}

/** Milliseconds before the next attempt: 1 s doubling to 30 s, between half and all of it. */
export function backoff(failures, random = Math.random()) {
  const longest = Math.min(30_000, 1000 * 2 ** Math.max(0, failures - 1))
  return longest * (0.5 + random / 2)
}

/** Reads one stream to its end. `heard` is called for every piece, comments too. */
export async function readEvents(url, { lastId, signal, heard, deliver }) {
  const answer = await fetch(url, {
    signal, cache: 'no-store', headers: { Accept: 'text/event-stream', ...(lastId ? { 'Last-Event-ID': lastId } : {}) },
  })
  if (!answer.ok) throw Object.assign(new Error(`the stream answered ${answer.status}`), { status: answer.status })
  const parser = new EventParser(deliver)
  const decoder = new TextDecoder()
  const reader = answer.body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    heard()
    parser.feed(decoder.decode(value, { stream: true }))
  }
}
