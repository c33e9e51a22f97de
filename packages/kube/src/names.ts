const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const serviceLabel = /^[a-z]([-a-z0-9]*[a-z0-9])?$/
const qualifiedName = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/

/** A label of RFC 1123: 1 to 63 of a-z, 0-9 and `-`, a letter or digit at both ends. Namespaces, containers, hostnames. */
export function isDnsLabel(text: string): boolean {
  return text.length <= 63 && label.test(text)
}

/** A label of RFC 1035: as RFC 1123's, but it starts with a letter. Services. */
export function isServiceName(text: string): boolean {
  return text.length <= 63 && serviceLabel.test(text)
}

/** Labels of RFC 1123 joined by dots, 253 characters at most. Pods, Nodes, Deployments and most other objects. */
export function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && text.split('.').every((part) => label.test(part))
}

/** A container port's name (RFC 6335): 1 to 15 of a-z, 0-9 and single `-` inside, with at least one letter. */
export function isPortName(text: string): boolean {
  return text.length <= 15 && label.test(text) && /[a-z]/.test(text) && !text.includes('--')
}

/** A label's key: `name` or `prefix.example.com/name`, the name 1 to 63 characters. */
export function isLabelKey(text: string): boolean {
  const slash = text.indexOf('/')
  const name = text.slice(slash + 1)
  return name.length <= 63 && qualifiedName.test(name) && (slash < 0 || isDnsSubdomain(text.slice(0, slash)))
}

/** A label's value: empty, or 1 to 63 of letters, digits, `-`, `_` and `.`, a letter or digit at both ends. */
export function isLabelValue(text: string): boolean {
  return text === '' || (text.length <= 63 && qualifiedName.test(text))
}
