import type {
  NftChain,
  NftCommand,
  NftConcatenation,
  NftElements,
  NftExpression,
  NftFamily,
  NftField,
  NftFields,
  NftKey,
  NftKeyType,
  NftLookup,
  NftMap,
  NftMapKeys,
  NftMapping,
  NftObject,
  NftRule,
  NftSet,
  NftTarget,
  NftValue,
  NftVerdict,
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
    case 'map':
      return `${verb} ${place} ${setSpec(object)}`
    case 'rule':
      return `add ${place} ${rule(object)}`
    case 'elements':
      return `${verb} ${place} ${elements(object)}`
  }
}

function placeOf(object: NftObject | NftMapKeys): string {
  const { family } = object
  switch (object.kind) {
    case 'table':
      return `table ${family} ${name(object.name)}`
    case 'chain':
      return `chain ${family} ${name(object.table)} ${name(object.name)}`
    case 'set':
    case 'map':
      return `${object.kind} ${family} ${name(object.table)} ${name(object.name)}`
    case 'rule':
      return `rule ${family} ${name(object.table)} ${name(object.chain)}`
    case 'elements':
      return `element ${family} ${name(object.table)} ${name('map' in object ? object.map : object.set)}`
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

function setSpec(set: NftSet | NftMap): string {
  const types = set.kind === 'map' ? `${typeWords(set.type)} : ${typeWords(set.to)}` : typeWords(set.type)
  return `{ type ${types} ; ${set.interval === true ? 'flags interval ; ' : ''}}`
}

function typeWords(type: 'verdict' | NftKeyType | NftConcatenation): string {
  return typeof type === 'string' ? type : type.join(' . ')
}

function elements(object: NftElements | NftMapKeys): string {
  const words = 'map' in object ? object.elements.map(mapping) : object.elements.map(key)
  return `{ ${words.join(', ')} }`
}

function mapping(element: { readonly key: NftKey } | NftMapping): string {
  if (!('to' in element)) return key(element.key)
  const { to } = element
  const isData = typeof to !== 'object' || !('verdict' in to || 'jump' in to || 'goto' in to)
  return `${key(element.key)} : ${isData ? key(to) : verdict(to)}`
}

function key(of: NftKey): string {
  return typeof of === 'object' ? of.map(value).join(' . ') : value(of)
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
  if ('verdict' in expression || 'jump' in expression || 'goto' in expression) return verdict(expression)
  if ('vmap' in expression) return `${selector(expression.vmap.key)} vmap ${looked(expression.vmap)}`
  if ('masquerade' in expression)
    return expression.masquerade.random === true ? 'masquerade random' : 'masquerade'
  if ('snat' in expression) return `snat ${target(expression.snat, family)}`
  if ('dnat' in expression) return `dnat ${target(expression.dnat, family)}`
  if ('reject' in expression) return expression.reject === 'tcp reset' ? 'reject with tcp reset' : 'reject'
  const { mask, setMark } = expression
  if (mask === undefined || mask === ALL) return `meta mark set ${setMark}`
  return `meta mark set meta mark & ${(~mask & ALL) >>> 0} | ${setMark}`
}

const ALL = 0xffff_ffff

function verdict(of: NftVerdict): string {
  if ('jump' in of) return `jump ${name(of.jump)}`
  return 'goto' in of ? `goto ${name(of.goto)}` : of.verdict
}

function match(expression: Extract<NftExpression, { readonly match: unknown }>): string {
  const { match: field, op = '==', value: wanted } = expression
  const not = op === '!=' ? '!= ' : ''
  if ('mask' in expression) return `${field} & ${expression.mask} ${op} ${expression.value}`
  const words = (one: NftValue | readonly NftValue[]): string => {
    if (typeof one === 'object') return key(one)
    return isName(field) ? text(String(one)) : value(one)
  }
  if (typeof wanted === 'object' && 'set' in wanted) return `${selector(field)} ${not}@${name(wanted.set)}`
  if (typeof wanted === 'object') return `${selector(field)} ${not}{ ${wanted.map(words).join(', ')} }`
  return `${selector(field)} ${not}${words(wanted)}`
}

function isName(field: NftField | NftFields): boolean {
  return field === 'iifname' || field === 'oifname'
}

function selector(fields: NftLookup['key']): string {
  return typeof fields === 'string' ? fields : fields.join(' . ')
}

function looked({ map }: NftLookup): string {
  return typeof map === 'string' ? `@${name(map)}` : `{ ${map.map(mapping).join(', ')} }`
}

function target(to: NftTarget, family: NftFamily): string {
  if ('map' in to) {
    const kind = family === 'inet' ? `${to.family} to` : 'to'
    return `${kind} ${selector(to.key)} map ${looked(to)}`
  }
  const v6 = to.address.includes(':')
  const kind = family === 'inet' ? (v6 ? 'ip6 to' : 'ip to') : 'to'
  if (to.port === undefined) return `${kind} ${value(to.address)}`
  return v6 ? `${kind} [${value(to.address)}]:${to.port}` : `${kind} ${value(to.address)}:${to.port}`
}
