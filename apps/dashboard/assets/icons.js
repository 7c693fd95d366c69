import { s } from './dom.js'

const paths = {
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  play: 'M5 3.5v9l7-4.5z',
  sun: 'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M3.4 12.6l.7-.7M11.9 4.1l.7-.7',
  moon: 'M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5z',
  system: 'M2.5 3.5h11v7.5h-11zM6 13.5h4',
  menu: 'M2.5 4.5h11M2.5 8h11M2.5 11.5h11',
  close: 'M4 4l8 8M12 4l-8 8',
  resize: 'M3 6h10M3 10h10M9.5 4v4M6 8v4',
  reset: 'M3.5 8a4.5 4.5 0 1 1 1.4 3.2M3.5 12.5v-2h2',
  replay: 'M12.5 8a4.5 4.5 0 1 1-1.4-3.2M12.5 3.5v2h-2',
  trash: 'M3 4.5h10M6.5 4V2.8h3V4M4.5 4.5l.6 8.5h5.8l.6-8.5',
  edit: 'M3 13l.6-2.7 7-7 2.1 2.1-7 7zM9.3 4.6l2.1 2.1',
  warn: 'M8 2.5l6 10.5H2zM8 6.5v3M8 11.2v.3',
  overview: 'M2.5 2.5h4.5v4.5h-4.5zM9 2.5h4.5v4.5H9zM2.5 9h4.5v4.5h-4.5zM9 9h4.5v4.5H9z',
  letters: 'M2.5 4h11v8.5h-11zM2.5 4.5l5.5 4.5 5.5-4.5',
  panel: 'M2.5 13.5h11M4.5 11V8M8 11V3.5M11.5 11V6',
  audit: 'M4 2.5h8v11H4zM6.2 5.5h3.6M6.2 8h3.6M6.2 10.5h2',
  help: 'M6 6.2a2 2 0 1 1 2.7 1.9c-.5.2-.7.5-.7 1.2M8 11.6v.2M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8',
  leave: 'M6.5 3H3v10h3.5M7 8h6.5M11 5.5L13.5 8 11 10.5',
  up: 'M8 13V3.5M4.5 7L8 3.5 11.5 7',
  down: 'M8 3v9.5M4.5 9L8 12.5 11.5 9',
  level: 'M3 8h9.5M9.5 5l3 3-3 3',
  back: 'M10 3.5L5.5 8l4.5 4.5',
}

export const icon = (name) => s('svg', { class: 'icon', viewBox: '0 0 16 16', 'aria-hidden': 'true' },
  s('path', { d: paths[name] }))

const shapes = {
  ok: () => s('circle', { cx: 5, cy: 5, r: 4 }),
  paused: () => s('path', { d: 'M1.5 1h2.6v8H1.5zM5.9 1h2.6v8H5.9z' }),
  warn: () => s('path', { d: 'M5 .6l4.7 8.6H.3z' }),
  bad: () => s('path', { d: 'M1 2.4L2.4 1 5 3.6 7.6 1 9 2.4 6.4 5 9 7.6 7.6 9 5 6.4 2.4 9 1 7.6 3.6 5z' }),
  off: () => s('rect', { x: 1.5, y: 1.5, width: 7, height: 7, rx: 1 }),
  none: () => s('circle', { cx: 5, cy: 5, r: 3.3, class: 'hollow' }),
  wait: () => s('path', { d: 'M5 1a4 4 0 1 0 0 8 4 4 0 0 0 0-8M5 2.3a2.7 2.7 0 0 1 0 5.4z' }),
}

/** A state as a shape of its own; the colour comes with it, never alone. */
export const mark = (tone) => s('svg', { class: `mark ${tone}`, viewBox: '0 0 10 10', 'aria-hidden': 'true' },
  (shapes[tone] ?? shapes.none)())
