// Pages are made anew from the data each time and merged into what is there, so that focus, selection and
// scroll positions stay. Elements carry no listeners: `data-action` names what a click does (actions.js).

const svgNames = 'http://www.w3.org/2000/svg'

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === true) element.setAttribute(name, '')
    else if (value !== false && value != null) element.setAttribute(name, value)
  }
  element.append(...children.flat(9).filter((child) => child != null && child !== false && child !== ''))
  return element
}

export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children)
export const s = (tag, attributes, ...children) => fill(document.createElementNS(svgNames, tag), attributes, children)

const keyOf = (node) => node.nodeType === 1 ? node.id || node.getAttribute('data-key') : ''

/** Makes `from` like `to`. What belongs to the reader is left alone: what stands open, what is being typed. */
export function morph(from, to) {
  if (from.nodeType === 3) {
    if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue
    return
  }
  if (from.isEqualNode(to)) return
  morphAttributes(from, to)
  morphChildren(from, to)
  if (from.tagName === 'SELECT' && from !== document.activeElement) from.value = to.value
}

function morphAttributes(from, to) {
  const typing = from === document.activeElement
  for (const { name } of [...from.attributes]) {
    if (to.hasAttribute(name) || (name === 'open' && from.tagName === 'DETAILS')) continue
    from.removeAttribute(name)
    if (name === 'value' && !typing) from.value = ''
  }
  for (const { name, value } of to.attributes) {
    if (from.getAttribute(name) === value) continue
    from.setAttribute(name, value)
    if (name === 'value' && !typing) from.value = value
  }
  // Once clicked, a box no longer follows its attribute.
  if (from.type === 'checkbox') from.checked = to.checked
}

function morphChildren(from, to) {
  const keyed = new Map()
  for (const child of from.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child)
  const wanted = new Set([...to.childNodes].map(keyOf).filter(Boolean))
  let at = from.firstChild
  for (const next of [...to.childNodes]) {
    const key = keyOf(next)
    // What is gone makes room first: those that stay need not move then, and keep the focus.
    while (at && keyOf(at) && !wanted.has(keyOf(at))) at = removed(at)
    const known = key ? keyed.get(key) : alike(at, next) ? at : null
    if (!known || known.nodeName !== next.nodeName) {
      from.insertBefore(next, at)
      continue
    }
    if (known === at) at = at.nextSibling
    else from.insertBefore(known, at)
    morph(known, next)
  }
  while (at) at = removed(at)
}

const alike = (node, next) => node && !keyOf(node) && node.nodeName === next.nodeName

function removed(node) {
  const following = node.nextSibling
  node.remove()
  return following
}
