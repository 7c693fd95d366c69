import { get } from './api.js'
import { merged } from './patch.js'
import { backoff, readEvents } from './sse.js'

const pollEvery = 5000
const hiddenFor = 60_000
const silentFor = 25_000 // the server says something every 10 s

/**
 * The live document. Browsers allow six connections to a server, so all tabs share one stream: the tab that holds
 * the lock reads it and tells the others. `document(doc)` and `link(state)` are called as they change; `login()`
 * when the session is over.
 */
export class Live {
  #hooks
  #doc = null
  #id = null
  #failures = 0
  #leading = false
  #rest = null // what ends this tab's part in it
  #channel = 'BroadcastChannel' in globalThis ? new BroadcastChannel('troupe') : null
  #hidden = 0

  constructor(hooks) {
    this.#hooks = hooks
    if (this.#channel) this.#channel.onmessage = ({ data }) => this.#hear(data)
    document.addEventListener('visibilitychange', () => this.#seen(!document.hidden))
  }

  start() {
    if (this.#rest) return
    const rest = this.#rest = new AbortController()
    this.#hooks.link('connecting')
    this.#tell({ kind: 'hello' })
    const lead = () => this.#lead(rest.signal)
    // Without a secure context there are no locks: then each tab has a stream of its own.
    const turn = navigator.locks ? navigator.locks.request('troupe-live', { signal: rest.signal }, lead) : lead()
    turn.catch((problem) => {
      if (problem.name !== 'AbortError') throw problem
    })
  }

  stop() {
    this.#rest?.abort()
    this.#rest = null
  }

  #seen(visible) {
    clearTimeout(this.#hidden)
    if (visible) this.start()
    else this.#hidden = setTimeout(() => this.stop(), hiddenFor)
  }

  async #lead(signal) {
    this.#leading = true
    try {
      await this.#follow(signal)
    } finally {
      this.#leading = false
    }
  }

  async #follow(signal) {
    while (!signal.aborted) {
      try {
        await this.#stream(signal)
      } catch (problem) {
        if (problem.status === 401) return this.#hooks.login()
      }
      if (signal.aborted) return
      ++this.#failures
      this.#say('lost')
      await this.#wait(backoff(this.#failures), signal)
    }
  }

  async #stream(signal) {
    const own = new AbortController()
    const end = () => own.abort()
    signal.addEventListener('abort', end)
    let silent = setTimeout(end, silentFor)
    const heard = () => {
      clearTimeout(silent)
      silent = setTimeout(end, silentFor)
    }
    try {
      await readEvents('/api/v1/stream', { lastId: this.#id, signal: own.signal, heard, deliver: (e) => this.#take(e) })
    } finally {
      clearTimeout(silent)
      signal.removeEventListener('abort', end)
    }
  }

  #take({ event, id, data }) {
    this.#failures = 0
    const value = JSON.parse(data)
    if (event === 'snapshot') this.#spread({ kind: 'snapshot', id, value })
    else if (event === 'patch' && this.#doc) this.#spread({ kind: 'patch', after: this.#id, id, value })
    this.#say('live')
  }

  /** Until the next attempt; after three that failed, snapshots meanwhile. */
  async #wait(time, signal) {
    const end = Date.now() + time
    while (!signal.aborted && Date.now() < end) {
      await pause(Math.min(pollEvery, end - Date.now()), signal)
      if (this.#failures < 3 || signal.aborted) continue
      try {
        this.#spread({ kind: 'snapshot', id: null, value: await get('/api/v1/snapshot') })
        this.#say('polling')
      } catch (problem) {
        if (problem.status === 401) return this.#hooks.login()
      }
    }
  }

  #spread(news) {
    this.#tell(news)
    this.#apply(news)
  }

  #say(link) {
    this.#tell({ kind: 'link', link })
    this.#hooks.link(link)
  }

  #tell(message) {
    this.#channel?.postMessage(message)
  }

  #apply({ kind, id, value }) {
    this.#doc = kind === 'snapshot' ? value : merged(this.#doc, value)
    this.#id = id
    this.#hooks.document(this.#doc)
  }

  /** What another tab says. */
  #hear(message) {
    if (message.kind === 'hello') {
      if (this.#leading && this.#doc) this.#tell({ kind: 'snapshot', id: this.#id, value: this.#doc })
    } else if (this.#leading || !this.#rest) {
      return
    } else if (message.kind === 'link') {
      this.#hooks.link(message.link)
    } else if (message.kind === 'snapshot' || message.after === this.#id) {
      this.#apply(message)
      this.#hooks.link('live')
    } else {
      this.#tell({ kind: 'hello' })
    }
  }
}

const pause = (time, signal) => new Promise((done) => {
  const timer = setTimeout(done, time)
  signal.addEventListener('abort', () => {
    clearTimeout(timer)
    done()
  }, { once: true })
})
