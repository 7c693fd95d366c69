/** What the pages are made of. */
export const state = {
  session: null,
  trouble: null,     // why there is no session, as a Problem
  login: null,       // what the page of that name has to say: {trouble, busy}
  doc: null,         // as shown
  latest: null,      // as received; another one than `doc` while updates are paused
  received: 0,       // performance.now() when `latest` came
  changed: 0,        // the same, when its time last moved on
  link: 'connecting', // live, polling, lost
  paused: false,
  selected: new Set(), // dead letters, as partition/offset
  tapping: null,     // the actor whose events are looked at
  olderAudit: [],    // entries that were asked for beyond those of the document
  auditEnds: false,  // there are no older ones
}

/** Kept in this browser. */
export const preferences = {
  get(name, otherwise) {
    try {
      return localStorage.getItem(`troupe.${name}`) ?? otherwise
    } catch {
      return otherwise
    }
  },
  set(name, value) {
    try {
      localStorage.setItem(`troupe.${name}`, value)
    } catch {
      // Storage is forbidden: it holds for this page then.
    }
  },
}

/** The server's time, as far as its last word tells. */
export const serverNow = () => state.latest
  ? state.latest.at + Math.max(0, performance.now() - state.changed) : Date.now()

/** Whether what is shown is older than it should be. */
export function isStale() {
  const { latest } = state
  if (!latest) return false
  if (latest.redis?.up === false) return true
  const patience = Math.max(5000, 2 * (latest.interval_ms ?? 1000) + 1000)
  return performance.now() - state.changed > patience
}

export const mayAct = () => Boolean(state.session?.actions)
/** Actions are sent through Redis: without it they would reach nobody. */
export const canActNow = () => mayAct() && !isStale()
