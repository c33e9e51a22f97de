import type { Case } from '../case.ts'
import { errorOf, outcomeOf } from '../harness/exchange.ts'
import { exhaust } from '../harness/exhaustion.ts'
import { hasSucceeded } from '../harness/expectations.ts'

export const statusCases: readonly Case[] = [
  {
    id: 'status.ready',
    level: 'MUST',
    rule: 'ST-01',
    title: 'STATUS exits with 0 and prints nothing when ADD would be served',
    requires: ['status'],
    async run(t) {
      const exchange = await t.tryStatus(t.node)
      t.succeeded(exchange)
      t.must('nothing on stdout', exchange.stdout === '', exchange.stdout)
      await t.add(await t.pod())
    },
  },
  {
    id: 'status.exhausted',
    level: 'SHOULD',
    rule: 'ST-03',
    title: 'STATUS fails with error 50 or 51 when every address is given',
    requires: ['status', 'small-pool', 'addresses'],
    async run(t) {
      await exhaust(t)
      const exchange = await t.tryStatus(t.node)
      t.failed(exchange, 'there is no address left')
      const code = errorOf(exchange)?.code
      t.must('error 50 or 51', code === 50 || code === 51, outcomeOf(exchange))
    },
  },
  {
    id: 'status.not-needed',
    level: 'MUST',
    rule: 'ST-05',
    title: 'ADD and DEL work without STATUS before them, and after a STATUS that failed',
    requires: ['status', 'small-pool', 'addresses'],
    async run(t) {
      const [first] = await exhaust(t)
      await t.tryStatus(t.node)
      if (first === undefined) return
      const exchange = await t.tryDel(first)
      t.must('DEL to succeed after it', hasSucceeded(exchange), outcomeOf(exchange))
      await t.add(await t.pod())
    },
  },
]
