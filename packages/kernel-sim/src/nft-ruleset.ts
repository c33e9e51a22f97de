import {
  KernelError,
  type NftChain,
  type NftCommand,
  type NftElements,
  type NftFamily,
  type NftMap,
  type NftMapKeys,
  type NftObject,
  type NftRule,
  type NftSet,
  type NftSetElements,
  type NftTable,
} from '@podfabric/kernel'
import { ChainState } from './nft-chain.ts'
import { compileRule, listedRule, type RuleState } from './nft-rule.ts'
import { factsOf, NamedSet, parseElement } from './nft-set.ts'
import { TableState } from './nft-table.ts'
import { needsValidation, validateChain } from './nft-validate.ts'
import { invalid } from './nft-value.ts'

/** The tables of one namespace. Changes are transactions: all of a list of commands, or nothing. */
export class Ruleset {
  readonly tables = new Map<string, TableState>()
  /** What takes back the commands of the transaction under way, last first. */
  readonly #undo: (() => void)[] = []
  /** Tables whose jumps and statements the end of the transaction looks at. */
  readonly #unchecked = new Set<TableState>()

  /** ENOENT, EEXIST, EBUSY, EINVAL, EOPNOTSUPP. */
  apply(commands: readonly NftCommand[]): void {
    try {
      for (const command of commands) this.#execute(command)
      for (const { bases } of this.#unchecked) for (const base of bases.values()) validateChain(base)
    } catch (error) {
      for (const undo of this.#undo.reverse()) undo()
      throw error
    } finally {
      this.#undo.length = 0
      this.#unchecked.clear()
    }
  }

  /** Tables, then sets with their elements, chains, and rules with their handles. */
  list(): NftObject[] {
    const tables = [...this.tables.values()]
    const chains = tables.flatMap((table) => [...table.chains.values()])
    return [
      ...tables.map(({ spec }) => spec),
      ...tables.flatMap(({ sets }) => [...sets.values()].flatMap((set) => [set.spec, ...set.listed()])),
      ...chains.map((chain) => chain.listed()),
      ...chains.flatMap(({ rules }) => rules.map(listedRule)),
    ]
  }

  #execute({ verb, object }: NftCommand): void {
    if (object.family === 'bridge') {
      throw new KernelError('EOPNOTSUPP', 'nft', 'the simulated kernel has no tables of family bridge')
    }
    if (verb === 'flush') return this.#flush(object)
    if (verb === 'delete') return this.#delete(object)
    const exclusive = verb === 'create'
    switch (object.kind) {
      case 'table':
        return this.#addTable(object, exclusive)
      case 'chain':
        return this.#addChain(object, exclusive)
      case 'set':
      case 'map':
        return this.#addSet(object, exclusive)
      case 'elements':
        return this.#addElements(object, exclusive)
      case 'rule':
        return this.#addRule(object)
    }
  }

  #addTable(spec: NftTable, exclusive: boolean): void {
    const key = tableKey(spec.family, spec.name)
    if (this.tables.has(key)) return refuseExisting(exclusive, `table ${spec.family} ${spec.name}`)
    checkName(spec.name)
    this.tables.set(key, new TableState({ kind: 'table', family: spec.family, name: spec.name }))
    this.#undo.push(() => this.tables.delete(key))
  }

  #addChain(spec: NftChain, exclusive: boolean): void {
    const table = this.#table(spec.family, spec.table)
    const existing = table.chains.get(spec.name)
    if (existing !== undefined) {
      refuseExisting(exclusive, `chain ${spec.table} ${spec.name}`)
      return this.#updateChain(existing, spec)
    }
    checkName(spec.name)
    checkBase(spec)
    table.nextHandle()
    const chain = new ChainState(spec)
    table.chains.set(spec.name, chain)
    if (chain.base !== undefined) table.bases.set(spec.name, chain)
    this.#undo.push(() => {
      table.chains.delete(spec.name)
      table.bases.delete(spec.name)
    })
  }

  /** Of a base chain that is there, the policy alone can be changed. */
  #updateChain(chain: ChainState, spec: NftChain): void {
    const { base } = chain
    if (spec.base === undefined) return
    const name = `chain ${spec.table} ${spec.name}`
    if (base === undefined) {
      // Linux looks at a policy first.
      const code = spec.base.policy === undefined ? 'EEXIST' : 'EOPNOTSUPP'
      throw new KernelError(code, `nft add ${name}`, 'it is there and no base chain')
    }
    const { type, hook, priority, policy = base.policy } = spec.base
    if (type !== base.type || hook !== base.hook || priority !== base.priority) {
      throw new KernelError(
        'EOPNOTSUPP',
        `nft add ${name}`,
        'type, hook and priority of a chain cannot be changed',
      )
    }
    chain.base = { ...base, policy }
    this.#undo.push(() => {
      chain.base = base
    })
  }

  #addSet(spec: NftSet | NftMap, exclusive: boolean): void {
    const table = this.#table(spec.family, spec.table)
    const existing = table.sets.get(spec.name)
    const { interval, key, to } = factsOf(spec)
    if (existing !== undefined) {
      const { facts } = existing
      const same = `${facts.key} ${facts.interval} ${facts.to}` === `${key} ${interval} ${to}`
      return refuseExisting(exclusive || !same, `${spec.kind} ${spec.table} ${spec.name}`)
    }
    checkName(spec.name)
    table.nextHandle()
    const { family, name, type } = spec
    const place = { family, table: spec.table, name, type, ...(interval ? { interval } : {}) }
    const clean: NftSet | NftMap =
      spec.kind === 'set' ? { kind: 'set', ...place } : { kind: 'map', ...place, to: spec.to }
    table.sets.set(name, new NamedSet(clean))
    this.#undo.push(() => table.sets.delete(name))
  }

  #addElements(object: NftElements, exclusive: boolean): void {
    const table = this.#table(object.family, object.table)
    const set = this.#set(table, 'map' in object ? object.map : object.set)
    const { facts, name } = set
    if (!('map' in object) && facts.to !== undefined)
      throw invalid(`${name} is a map: its elements have values`)
    const chainOf = (chain: string): ChainState => this.#jumpable(table, chain)
    const parsed =
      'map' in object
        ? object.elements.map(({ key, to }) => parseElement(name, facts, key, to))
        : object.elements.map((key) => parseElement(name, facts, key))
    for (const element of parsed) {
      const undo = set.add(element, exclusive, chainOf)
      if (undo !== undefined) this.#undo.push(undo)
    }
    if (parsed.some(({ mapped }) => mapped?.leadsTo !== undefined)) this.#unchecked.add(table)
  }

  #deleteElements(object: NftSetElements | NftMapKeys): void {
    const table = this.#table(object.family, object.table)
    const set = this.#set(table, 'map' in object ? object.map : object.set)
    const keys = 'map' in object ? object.elements.map(({ key }) => key) : object.elements
    const parsed = keys.map((key) => parseElement(set.name, set.facts, key))
    for (const element of parsed) this.#undo.push(set.delete(element))
  }

  #addRule(spec: NftRule): void {
    // As nft(8), whatever is wrong with the rule itself is told before names that are not there.
    const { family, table: tableName } = spec
    const table = this.tables.get(tableKey(family, tableName))
    let missingChain: unknown
    const handle = table?.nextHandle() ?? 0
    const rule = compileRule(spec, handle, {
      setOf: (name) => this.#set(this.#table(family, tableName), name),
      chainOf: (name) => {
        try {
          return this.#jumpable(this.#table(family, tableName), name)
        } catch (error) {
          missingChain ??= error
          return new ChainState({ kind: 'chain', family, table: tableName, name })
        }
      },
    })
    const chain = this.#chain(this.#table(family, tableName), spec.chain)
    if (table === undefined || missingChain !== undefined) throw missingChain
    chain.rules.push(rule)
    refer(table, rule, 1)
    if (needsValidation(rule.terminal)) this.#unchecked.add(table)
    this.#undo.push(() => {
      chain.rules.pop()
      refer(table, rule, -1)
    })
  }

  #delete(object: NftObject | NftMapKeys): void {
    switch (object.kind) {
      case 'table':
        return this.#deleteTable(object)
      case 'chain':
        return this.#deleteChain(object)
      case 'set':
      case 'map':
        return this.#deleteSet(object)
      case 'elements':
        return this.#deleteElements(object)
      case 'rule':
        return this.#deleteRule(object)
    }
  }

  #deleteTable({ family, name }: NftTable): void {
    this.#table(family, name)
    this.#remove(this.tables, tableKey(family, name))
  }

  #deleteChain({ family, table: tableName, name }: NftChain): void {
    const table = this.#table(family, tableName)
    const chain = this.#chain(table, name)
    if (chain.uses > 0) throw busy(`chain ${tableName} ${name}`, 'rules or elements of maps lead to it')
    this.#flushChain(table, chain)
    this.#remove(table.chains, name)
    if (chain.base !== undefined) this.#remove(table.bases, name)
  }

  #deleteSet({ family, table: tableName, name }: NftSet | NftMap): void {
    const table = this.#table(family, tableName)
    const set = this.#set(table, name)
    if (set.uses > 0) throw busy(`set ${tableName} ${name}`, 'rules ask it')
    this.#undo.push(set.flush())
    this.#remove(table.sets, name)
  }

  #deleteRule(spec: NftRule): void {
    const table = this.#table(spec.family, spec.table)
    const chain = this.#chain(table, spec.chain)
    if (spec.handle === undefined)
      throw invalid(`a rule of chain ${spec.chain} is deleted by its handle; list gives it`)
    const index = chain.rules.findIndex(({ handle }) => handle === spec.handle)
    const rule = chain.rules[index]
    if (rule === undefined) throw missing(`rule ${spec.table} ${spec.chain} handle ${spec.handle}`)
    chain.rules.splice(index, 1)
    refer(table, rule, -1)
    this.#undo.push(() => {
      chain.rules.splice(index, 0, rule)
      refer(table, rule, 1)
    })
  }

  #flush(object: NftObject | NftMapKeys): void {
    switch (object.kind) {
      case 'table': {
        const table = this.#table(object.family, object.name)
        for (const chain of table.chains.values()) this.#flushChain(table, chain)
        return
      }
      case 'chain': {
        const table = this.#table(object.family, object.table)
        return this.#flushChain(table, this.#chain(table, object.name))
      }
      case 'set':
      case 'map':
        this.#undo.push(this.#set(this.#table(object.family, object.table), object.name).flush())
        return
      default:
        throw invalid(`${object.kind} cannot be flushed`)
    }
  }

  #flushChain(table: TableState, chain: ChainState): void {
    const before = chain.rules
    chain.rules = []
    for (const rule of before) refer(table, rule, -1)
    this.#undo.push(() => {
      chain.rules = before
      for (const rule of before) refer(table, rule, 1)
    })
  }

  /** Takes an entry out so that it can be put back where it was. */
  #remove<T>(map: Map<string, T>, key: string): void {
    const before = [...map]
    map.delete(key)
    this.#undo.push(() => {
      map.clear()
      for (const [name, value] of before) map.set(name, value)
    })
  }

  #table(family: NftFamily, name: string): TableState {
    return this.tables.get(tableKey(family, name)) ?? fail(missing(`table ${family} ${name}`))
  }

  #chain(table: TableState, name: string): ChainState {
    return table.chains.get(name) ?? fail(missing(`chain ${table.spec.name} ${name}`))
  }

  #jumpable(table: TableState, name: string): ChainState {
    const chain = this.#chain(table, name)
    if (chain.base === undefined) return chain
    const reason = `${name} is a base chain: packets enter it at a hook only`
    throw new KernelError('EOPNOTSUPP', 'nft add', reason)
  }

  #set(table: TableState, name: string): NamedSet {
    return table.sets.get(name) ?? fail(missing(`set ${table.spec.name} ${name}`))
  }
}

function tableKey(family: NftFamily, name: string): string {
  return `${family} ${name}`
}

/** Counts what a rule uses, when it comes and when it goes. */
function refer(table: TableState, rule: RuleState, by: 1 | -1): void {
  if (rule.tracks) table.tracking += by
  for (const set of rule.sets) set.uses += by
  for (const chain of rule.chains) chain.uses += by
}

function refuseExisting(refused: boolean, what: string): void {
  if (refused) throw new KernelError('EEXIST', `nft create ${what}`, 'it is there already')
}

function missing(what: string): KernelError {
  return new KernelError('ENOENT', 'nft', `there is no ${what}`)
}

function busy(what: string, why: string): KernelError {
  return new KernelError('EBUSY', `nft delete ${what}`, why)
}

function fail(error: KernelError): never {
  throw error
}

function checkName(name: string): void {
  if (!/^[A-Za-z][\w./-]*$/.test(name)) throw invalid(`nftables takes no name like ${JSON.stringify(name)}`)
}

/** Connections are followed at this priority; translation needs to know them. */
const CONNECTION_TRACKING = -200

function checkBase({ name, base }: NftChain): void {
  if (base === undefined) return
  const { type, hook, priority, policy } = base
  const hooks: readonly string[] = ['prerouting', 'input', 'forward', 'output', 'postrouting']
  if (!hooks.includes(hook)) throw invalid(`chain ${name} has no hook like ${JSON.stringify(hook)}`)
  if (!Number.isInteger(priority) || Math.abs(priority) > 0x7fff_ffff) {
    throw invalid(`chain ${name} has no priority like ${priority}`)
  }
  if (policy !== undefined && policy !== 'accept' && policy !== 'drop') {
    throw invalid(`chain ${name} has no policy like ${JSON.stringify(policy)}`)
  }
  if (type !== 'nat' && type !== 'filter')
    throw invalid(`chain ${name} has no type like ${JSON.stringify(type)}`)
  if (type === 'nat' && (hook === 'forward' || priority <= CONNECTION_TRACKING)) {
    const reason = `no nat chain at ${hook} with priority ${priority}: connections are not known there`
    throw new KernelError('EOPNOTSUPP', `nft add chain ${name}`, reason)
  }
}
