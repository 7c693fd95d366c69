// Figures for people, as the commands print them. What is not known is –, never 0.

export const unknown = '–'
const known = (value) => value !== undefined && value !== null && !Number.isNaN(value)
const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const fixed = (value, digits) => value.toFixed(digits)

/** 18,331 */
export const count = (n) => known(n) ? grouped.format(n) : unknown

/** 12.5 below 100, 1,204 above. */
export function rate(perSecond) {
  if (!known(perSecond)) return unknown
  if (perSecond === 0) return '0'
  return perSecond < 99.95 ? fixed(perSecond, 1) : grouped.format(perSecond)
}

/** 0.4 ms, 18 ms, 1.2 s */
export function latency(seconds) {
  if (!known(seconds)) return unknown
  if (seconds < 0.00995) return `${fixed(seconds * 1000, 1)} ms`
  if (seconds < 0.9995) return `${fixed(seconds * 1000, 0)} ms`
  return seconds < 99.95 ? `${fixed(seconds, 1)} s` : span(seconds)
}

const two = (n) => String(n).padStart(2, '0')

/** 0.3 s, 42 s, 4m02s, 2h03m, 3d04h */
export function span(seconds) {
  if (!known(seconds)) return unknown
  if (seconds === 0) return '0 s'
  const whole = Math.max(0, Math.round(seconds))
  if (seconds < 9.95) return `${fixed(Math.max(0, seconds), 1)} s`
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`
  if (whole < 86400) return `${Math.floor(whole / 3600)}h${two(Math.floor(whole / 60) % 60)}m`
  return `${Math.floor(whole / 86400)}d${two(Math.floor(whole / 3600) % 24)}h`
}

/** A figure that changes each second is hard to read: whole seconds, from a minute on whole minutes. */
export function ago(then, now) {
  if (!known(then)) return unknown
  const seconds = Math.max(0, Math.round((now - then) / 1000))
  if (seconds < 60) return `${seconds} s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ago`
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`
  return `${Math.floor(seconds / 86400)} d ago`
}

/** 0.2%, 12% */
export function share(part, whole) {
  if (!known(part) || !known(whole)) return unknown
  if (part === 0) return '0%'
  if (!(whole > 0)) return unknown
  return ratio(part / whole)
}

export function ratio(value) {
  if (!known(value)) return unknown
  const percent = value * 100
  return `${percent === 0 || percent >= 9.95 ? fixed(percent, 0) : fixed(percent, 1)}%`
}

/** Against an earlier time: +25%, −8%, 0%, or a word such as new. */
export function change(value) {
  if (typeof value !== 'number') return value ?? unknown
  const percent = Math.round(value * 100)
  return `${percent > 0 ? '+' : percent < 0 ? '−' : ''}${grouped.format(Math.abs(percent))}%`
}

/** 94 MiB */
export function bytes(n) {
  if (!known(n)) return unknown
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let at = 0
  for (; n >= 1024 && at < units.length - 1; ++at) n /= 1024
  return `${n < 10 && at > 0 ? fixed(n, 1) : fixed(n, 0)} ${units[at]}`
}

/** 58,758.23 */
export const money = (cents) => known(cents)
  ? (cents / 100).toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 }) : unknown

/** 12:04:03, in the reader's zone */
export function clock(ms) {
  if (!known(ms)) return unknown
  const at = new Date(ms)
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':')
}

/** 2026-11-29 12:04:03 */
export function stamp(ms) {
  if (!known(ms) || Number.isNaN(new Date(ms).getTime())) return unknown
  const at = new Date(ms)
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock(ms)}`
}

/** 1 dead letter, 812 dead letters */
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`

/** JSON laid out for reading, anything else as it is. */
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

export const formats = {
  count, ratio, change, text: (value) => known(value) ? String(value) : unknown,
  money_cents: money, seconds: (value) => latency(value),
}
