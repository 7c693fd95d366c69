import { get } from './api.js'

// What pages show beside the live document. A page that is shown says with `use` what it needs; it is fetched once,
// then again each `every` milliseconds for as long as it is used.
const entries = new Map()
let changed = () => {}
let round = 0

export const onResource = (callback) => { changed = callback }

/** {value?, trouble?, loading}: the value stays while it is fetched again. */
export function use(url, every = 0) {
  let entry = entries.get(url)
  if (!entry) entries.set(url, entry = { url, at: -Infinity, loading: false })
  entry.every = every
  entry.round = round
  return { value: entry.value, trouble: entry.trouble, loading: entry.value === undefined && !entry.trouble }
}

/** Called after a page was made: forgets what it did not use, fetches what is due. */
export function settle({ refresh }) {
  for (const [url, entry] of entries) {
    if (entry.round !== round) {
      entries.delete(url)
      continue
    }
    const age = performance.now() - entry.at
    if (entry.loading || (entry.at > -Infinity && !(refresh && entry.every && age >= entry.every))) continue
    load(entry)
  }
  ++round
}

async function load(entry) {
  entry.loading = true
  entry.at = performance.now()
  try {
    entry.value = await get(entry.url)
    entry.trouble = undefined
  } catch (problem) {
    entry.trouble = problem
  }
  entry.loading = false
  if (entries.get(entry.url) === entry) changed(entry.trouble)
}

/** Those whose address begins so are fetched anew. */
export function stale(prefix) {
  for (const entry of entries.values()) if (entry.url.startsWith(prefix)) entry.at = -Infinity
  changed()
}
