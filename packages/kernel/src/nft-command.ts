import type {
  NftChain,
  NftCommand,
  NftElements,
  NftExpression,
  NftFamily,
  NftField,
  NftObject,
  NftRule,
  NftSet,
  NftValue,
} from './nft.ts'

/**
 * One command in the language of nft(8), without a newline. Names of tables, chains and sets are taken as
 * nft takes them: letters, digits, `_`, `.`, `-` and `/`, beginning with a letter; `RangeError` for others,
 * and for a value that would end its place in the text.
 */
export function formatNft(command: NftCommand): string {
  const { verb, object } = command
  const place = placeOf(object)
  if (verb === 'flush') return `flush ${place}`
  if (verb === 'delete') {
    if (object.kind === 'rule') return `delete ${place} handle ${object.handle ?? missingHandle(object)}`
    if (object.kind === 'elements') return `delete ${place} ${elements(object)}`
    return `delete ${place}`
  }
  switch (object.kind) {
    case 'table':
      return `${verb} ${place}`
    case 'chain':
      return `${verb} ${place}${base(object)}`
    case 'set':
      return `${verb} ${place} ${setSpec(object)}`
    case 'rule':
      return `add ${place} ${rule(object)}`
    case 'elements':
      return `${verb} ${place} ${elements(object)}`
  }
}

function placeOf(object: NftObject): string {
  const { family } = object
  switch (object.kind) {
    case 'table':
      return `table ${family} ${name(object.name)}`
    case 'chain':
      return `chain ${family} ${name(object.table)} ${name(object.name)}`
    case 'set':
      return `set ${family} ${name(object.table)} ${name(object.name)}`
    case 'rule':
      return `rule ${family} ${name(object.table)} ${name(object.chain)}`
    case 'elements':
      return `element ${family} ${name(object.table)} ${name(object.set)}`
  }
}

function missingHandle(rule: NftRule): never {
  throw new RangeError(`a rule of chain ${rule.chain} is deleted by its handle; list gives it`)
}

function name(text: string): string {
  if (!/^[A-Za-z][\w./-]*$/.test(text))
    throw new RangeError(`nftables takes no name like ${JSON.stringify(text)}`)
  return text
}

function base(chain: NftChain): string {
  if (chain.base === undefined) return ''
  const { type, hook, priority, policy } = chain.base
  return ` { type ${type} hook ${hook} priority ${priority} ; ${policy === undefined ? '' : `policy ${policy} ; `}}`
}

function setSpec(set: NftSet): string {
  return `{ type ${set.type} ; ${set.interval === true ? 'flags interval ; ' : ''}}`
}

function elements(object: NftElements): string {
  return `{ ${object.elements.map(value).join(', ')} }`
}

function rule(object: NftRule): string {
  const words = object.expressions.map((expression) => formatExpression(expression, object.family))
  if (object.comment !== undefined) words.push(`comment ${text(object.comment)}`)
  return words.join(' ')
}

function text(content: string): string {
  if (/["\n\r\\]/.test(content))
    throw new RangeError(`nftables takes no text like ${JSON.stringify(content)}`)
  return `"${content}"`
}

function value(of: NftValue): string {
  if (typeof of === 'number') return String(of)
  return /^[\w.:/-]+$/.test(of) ? of : text(of)
}

function formatExpression(expression: NftExpression, family: NftFamily): string {
  if ('match' in expression) return match(expression)
  if ('counter' in expression) {
    return `counter packets ${expression.counter.packets} bytes ${expression.counter.bytes}`
  }
  if ('verdict' in expression) return expression.verdict
  if ('jump' in expression) return `jump ${name(expression.jump)}`
  if ('goto' in expression) return `goto ${name(expression.goto)}`
  if ('masquerade' in expression)
    return expression.masquerade.random === true ? 'masquerade random' : 'masquerade'
  if ('snat' in expression) return `snat ${target(expression.snat, family)}`
  if ('dnat' in expression) return `dnat ${target(expression.dnat, family)}`
  if ('reject' in expression) return expression.reject === 'tcp reset' ? 'reject with tcp reset' : 'reject'
  return `meta mark set ${expression.setMark}`
}

function match(expression: Extract<NftExpression, { readonly match: NftField }>): string {
  const { match: field, op = '==', value: wanted } = expression
  const not = op === '!=' ? '!= ' : ''
  const words = (one: NftValue) => (isName(field) ? text(String(one)) : value(one))
  if (typeof wanted === 'object' && 'set' in wanted) return `${field} ${not}@${name(wanted.set)}`
  if (typeof wanted === 'object') return `${field} ${not}{ ${wanted.map(words).join(', ')} }`
  return `${field} ${not}${words(wanted)}`
}

function isName(field: NftField): boolean {
  return field === 'iifname' || field === 'oifname'
}

function target(to: { readonly address: string; readonly port?: number }, family: NftFamily): string {
  const v6 = to.address.includes(':')
  const kind = family === 'inet' ? (v6 ? 'ip6 to' : 'ip to') : 'to'
  if (to.port === undefined) return `${kind} ${value(to.address)}`
  return v6 ? `${kind} [${value(to.address)}]:${to.port}` : `${kind} ${value(to.address)}:${to.port}`
}
