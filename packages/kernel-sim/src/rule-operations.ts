import { KernelError, type Rule } from '@podfabric/kernel'
import { prefixFamily, prefixLength } from '@podfabric/netaddr'
import type { NetworkNamespace } from './network-namespace.ts'
import { PROTOCOL_KERNEL } from './route-entry.ts'
import { RuleEntry } from './rule-entry.ts'

/** EEXIST where there is the very same rule. Rules of one priority are asked in the order they came. */
export function addRule(netns: NetworkNamespace, wish: Rule, operation: string): void {
  checkRule(wish, operation)
  const rule = plain(wish)
  const routing = rule.family === 4 ? netns.ipv4 : netns.ipv6
  if (routing.rules.some((known) => isSameRule(known.row, rule))) {
    throw new KernelError('EEXIST', operation, 'there is such a rule already')
  }
  const place = routing.rules.findIndex(({ row: { priority } }) => priority > rule.priority)
  const at = place < 0 ? routing.rules.length : place
  routing.rules = [...routing.rules.slice(0, at), new RuleEntry(rule), ...routing.rules.slice(at)]
  if (netns.watched) netns.notify({ table: 'rules', type: 'new', row: rule })
}

/** The row as it is listed: what says nothing is left out. */
function plain({ invert, from, to, ...rest }: Rule): Rule {
  return {
    ...rest,
    ...(from !== undefined && prefixLength(from) > 0 && { from }),
    ...(to !== undefined && prefixLength(to) > 0 && { to }),
    ...(invert === true && { invert }),
  }
}

function checkRule({ priority, family, from, to }: Rule, operation: string): void {
  if (!Number.isInteger(priority) || priority < 0 || priority > 0xffff_ffff) {
    throw new KernelError('EINVAL', operation, `${priority} is no priority`)
  }
  for (const prefix of [from, to]) {
    if (prefix !== undefined && prefixFamily(prefix) !== family) {
      throw new KernelError('EINVAL', operation, `${prefix} is not of the rule's family`)
    }
  }
}

/** As Linux compares them: prefixes that the new one does not name are not compared, nor is `invert`; its own rules never. */
function isSameRule(known: Rule, added: Rule): boolean {
  if (known.protocol === PROTOCOL_KERNEL) return false
  if (added.from !== undefined && added.from !== known.from) return false
  if (added.to !== undefined && added.to !== known.to) return false
  const rest = ({ priority, mark, input, output, action }: Rule): string =>
    JSON.stringify([priority, mark?.value, mark?.mask, input, output, action])
  return rest(known) === rest(added)
}

/** ENOENT. The first rule that has all that is given. */
export function deleteRule(netns: NetworkNamespace, wish: Rule, operation: string): void {
  const rule = plain(wish)
  const routing = rule.family === 4 ? netns.ipv4 : netns.ipv6
  const found = routing.rules.find(({ row }) => fits(row, rule))
  if (found === undefined) throw new KernelError('ENOENT', operation, 'there is no such rule')
  routing.rules = routing.rules.filter((other) => other !== found)
  if (netns.watched) netns.notify({ table: 'rules', type: 'gone', row: found.row })
}

function fits(row: Rule, key: Rule): boolean {
  return Object.entries(key).every(([name, value]) => {
    if (value === undefined) return true
    const own = row[name as keyof Rule] ?? (name === 'invert' ? false : undefined)
    return JSON.stringify(own) === JSON.stringify(value)
  })
}

export function listRules(netns: NetworkNamespace): Rule[] {
  return [...netns.ipv4.rules, ...netns.ipv6.rules].map(({ row }) => row)
}
