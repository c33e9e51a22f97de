import type { NftExpression, NftField, NftFields, NftLookup } from '@podfabric/kernel'

type Protocol = 'tcp' | 'udp'

/**
 * Expressions as Linux gives them back: it keeps no difference between the ports of any protocol, in a rule that has asked
 * for one, and that protocol's ports.
 */
export function listedExpressions(given: readonly NftExpression[]): NftExpression[] {
  const listed: NftExpression[] = []
  let known: Protocol | undefined
  for (const expression of given) {
    const asked = askedProtocol(listed.at(-1))
    const fields = fieldsOf(expression)
    if (asked !== undefined && fields.some(isAnyPort)) listed.pop()
    if (fields.some(isAnyPort)) known = asked ?? known
    listed.push(known === undefined ? expression : named(expression, known))
    known = fields.map(protocolOf).find((one) => one !== undefined) ?? known
  }
  return listed
}

/** Of a match that asks for one protocol and nothing else. */
function askedProtocol(expression: NftExpression | undefined): Protocol | undefined {
  if (expression === undefined || !('match' in expression) || expression.match !== 'meta l4proto')
    return undefined
  const { op = '==', value } = expression
  const wanted = Array.isArray(value) && value.length === 1 ? value[0] : value
  if (op !== '==') return undefined
  if (wanted === 'tcp' || wanted === 6) return 'tcp'
  return wanted === 'udp' || wanted === 17 ? 'udp' : undefined
}

function fieldsOf(expression: NftExpression): readonly string[] {
  if ('match' in expression) return [expression.match].flat()
  const lookup = lookupOf(expression)
  return lookup === undefined ? [] : [lookup.key].flat()
}

function lookupOf(expression: NftExpression): NftLookup | undefined {
  if ('vmap' in expression) return expression.vmap
  const target = 'snat' in expression ? expression.snat : 'dnat' in expression ? expression.dnat : undefined
  return target !== undefined && 'map' in target ? target : undefined
}

function isAnyPort(field: string): boolean {
  return field.startsWith('th ')
}

function protocolOf(field: string): Protocol | undefined {
  if (field.startsWith('tcp ')) return 'tcp'
  return field.startsWith('udp ') ? 'udp' : undefined
}

/** With the protocol's own ports. */
function named(expression: NftExpression, protocol: Protocol): NftExpression {
  const key = <Key extends NftLookup['key']>(of: Key): Key => {
    const one = (field: string) => (isAnyPort(field) ? `${protocol}${field.slice(2)}` : field)
    // One field for each field, so that the shape stays.
    return (typeof of === 'string' ? one(of) : of.map(one)) as Key
  }
  if ('mask' in expression) return expression
  if ('match' in expression) {
    const { match } = expression
    return { ...expression, match: key<NftField | NftFields>(match) } as NftExpression
  }
  if ('vmap' in expression) return { vmap: { ...expression.vmap, key: key(expression.vmap.key) } }
  if ('snat' in expression && 'map' in expression.snat)
    return { snat: { ...expression.snat, key: key(expression.snat.key) } }
  if ('dnat' in expression && 'map' in expression.dnat)
    return { dnat: { ...expression.dnat, key: key(expression.dnat.key) } }
  return expression
}
