const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value)

/** RFC 7386. What is unchanged is shared with the old document, which stays as it was. */
export function merged(document, patch) {
  if (!isObject(patch)) return patch
  const result = isObject(document) ? { ...document } : {}
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name]
    else result[name] = merged(result[name], value)
  }
  return result
}
