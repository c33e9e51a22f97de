import type { Deployment, KubeObject } from '@podfabric/kube'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isAvailable } from './availability.ts'
import { templateHashLabel } from './deployment-controller.ts'
import { type Bench, bench } from './fixtures/control-bench.ts'
import { manifest } from './fixtures/manifest.ts'
import { isTerminating } from './owned.ts'
import { restarted, scaled } from './rollout.ts'

function web(spec: string): Deployment {
  const [object] = manifest(`
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: server }] }
  ${spec}
`)
  if (object?.kind !== 'Deployment') throw new Error('no Deployment')
  return object
}

/** Three nodes and a Deployment whose pods are all ready. */
async function rolledOut(spec: string): Promise<Bench> {
  const made = bench()
  for (const name of ['n1', 'n2', 'n3']) await made.node(name)
  await made.put(web(spec))
  await allReady(made)
  return made
}

/** Plays the kubelets: makes pods ready and lets ending ones end, until nothing changes any more. */
async function allReady(made: Bench): Promise<void> {
  for (;;) {
    const starting = made.living().find((pod) => !isAvailable(pod, 0, made.clock.now()))
    const ending = made.pods().find(isTerminating)
    if (starting) await made.ready(starting.metadata.name)
    else if (ending) await made.gone(ending.metadata.name)
    else return
  }
}

const stored = ({ table }: Bench): Deployment => {
  const found = table.get('Deployment', 'web', 'default')
  if (!found) throw new Error('the Deployment is gone')
  return found
}
const restart = (made: Bench) => made.put(restarted(stored(made), made.clock.now()))
const scale = (made: Bench, replicas: number) => made.put(scaled(stored(made), replicas))
const setsOf = ({ table }: Bench) => table.list('ReplicaSet', 'default')

describe('a Deployment', () => {
  it('makes a ReplicaSet for its template, which makes the pods', async () => {
    const made = await rolledOut('replicas: 3')
    const [set, ...more] = setsOf(made)
    expect(more).toEqual([])
    expect(made.pods()).toHaveLength(3)
    const hash = set?.metadata.labels[templateHashLabel]
    expect(set?.metadata.name).toBe(`web-${hash}`)
    for (const { metadata } of made.pods()) {
      expect(metadata.name).toMatch(new RegExp(`^web-${hash}-.{5}$`))
      expect(metadata.labels).toEqual({ app: 'web', [templateHashLabel]: hash })
    }
    expect(stored(made).status).toMatchObject({ replicas: 3, updatedReplicas: 3, availableReplicas: 3 })
  })

  it('is scaled from 3 to 13 to 1', async () => {
    const made = await rolledOut('replicas: 3')
    const first = made.names()
    await scale(made, 13)
    expect(made.living()).toHaveLength(13)
    expect(made.names()).toEqual(expect.arrayContaining([...first]))
    await allReady(made)
    await scale(made, 1)
    expect(made.living()).toHaveLength(1)
    expect(setsOf(made)).toHaveLength(1)
  })

  it('replaces all pods when its template changes, and goes back to the old set with the old template', async () => {
    const made = await rolledOut('replicas: 3')
    const before = stored(made)
    const first = made.names()
    await restart(made)
    await allReady(made)
    expect(made.names().filter((name) => first.includes(name))).toEqual([])
    expect(setsOf(made)).toHaveLength(2)
    await made.put({ ...stored(made), spec: before.spec })
    await allReady(made)
    expect(setsOf(made)).toHaveLength(2)
    expect(made.pods()).toHaveLength(3)
  })

  it('is not rolled over by the order of a template’s keys', async () => {
    const made = await rolledOut('replicas: 1')
    const { spec } = stored(made)
    const template = Object.fromEntries(
      Object.entries(spec.template).reverse(),
    ) as unknown as typeof spec.template
    await made.put({ ...stored(made), spec: { ...spec, template } })
    expect(setsOf(made)).toHaveLength(1)
  })

  it('never has more pods than maxSurge allows nor fewer available than maxUnavailable does, while it rolls', async () => {
    const amount = (least: number) =>
      fc.oneof(
        fc.integer({ min: least, max: 6 }),
        fc.integer({ min: least, max: 100 }).map((percent): `${number}%` => `${percent}%`),
      )
    const params = fc
      .record({
        replicas: fc.integer({ min: 0, max: 9 }),
        maxSurge: amount(0),
        maxUnavailable: amount(0),
        minReadySeconds: fc.constantFrom(0, 0, 5),
        choices: fc.infiniteStream(fc.nat()),
      })
      .filter(
        ({ maxSurge, maxUnavailable }) => !/^0%?$/.test(`${maxSurge}`) || !/^0%?$/.test(`${maxUnavailable}`),
      )
    await fc.assert(
      fc.asyncProperty(params, async ({ replicas, maxSurge, maxUnavailable, minReadySeconds, choices }) => {
        const count = (value: number | string, round: (x: number) => number) =>
          typeof value === 'number' ? value : round((Number.parseInt(value, 10) * replicas) / 100)
        const surge = count(maxSurge, Math.ceil)
        const missing = count(maxUnavailable, Math.floor)
        const most = replicas + surge
        const least = replicas - (surge === 0 && missing === 0 ? 1 : missing)
        const made = await rolledOut(
          [
            `replicas: ${replicas}`,
            `minReadySeconds: ${minReadySeconds}`,
            `strategy: { rollingUpdate: { maxSurge: ${maxSurge}, maxUnavailable: ${maxUnavailable} } }`,
          ].join('\n  '),
        )
        await made.clock.advance(10_000)
        await made.loop.idle()
        const available = () =>
          made.living().filter((pod) => isAvailable(pod, minReadySeconds, made.clock.now()))
        expect(available()).toHaveLength(replicas)

        // Every change of any object is looked at, not only where the parts come to rest.
        const broken: string[] = []
        made.table.watch(() => {
          if (made.living().length > Math.max(most, replicas))
            broken.push(`${made.living().length} pods of at most ${most}`)
          if (available().length < least) broken.push(`${available().length} available of at least ${least}`)
        })
        await restart(made)
        let steps = 0
        for (;;) {
          const starting = made.living().filter((pod) => !isAvailable(pod, 0, made.clock.now()))
          const ending = made.pods().filter(isTerminating)
          const waiting = minReadySeconds > 0 && available().length < made.living().length - starting.length
          const turns = [
            ...starting.map(
              ({ metadata }) =>
                () =>
                  made.ready(metadata.name),
            ),
            ...ending.map(
              ({ metadata }) =>
                () =>
                  made.gone(metadata.name),
            ),
            ...(waiting ? [() => made.clock.advance(1000)] : []),
          ]
          if (turns.length === 0) break
          const { value } = choices.next()
          await turns[(value as number) % turns.length]?.()
          await made.loop.idle()
          if (++steps > 2000) throw new Error('it never comes to an end')
        }
        expect(broken).toEqual([])
        expect(stored(made).status).toMatchObject({
          replicas,
          updatedReplicas: replicas,
          availableReplicas: replicas,
        })
      }),
      { numRuns: 60 },
    )
  }, 60_000)

  it('first replaces pods that do not work, which costs nothing', async () => {
    const made = await rolledOut(
      'replicas: 4\n  strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }',
    )
    const [broken = ''] = made.names()
    await made.unready(broken)
    await restart(made)
    expect(isTerminating(made.podNamed(broken))).toBe(true)
  })

  it('with Recreate ends all old pods before it makes a new one', async () => {
    const made = await rolledOut('replicas: 3\n  revisionHistoryLimit: 0\n  strategy: { type: Recreate }')
    const first = made.names()
    await restart(made)
    expect(made.pods().every(isTerminating)).toBe(true)
    await made.gone(first[0] as string)
    await made.gone(first[1] as string)
    expect(made.living()).toEqual([])
    await made.gone(first[2] as string)
    expect(made.living()).toHaveLength(3)
  })

  it('that is paused is not rolled over, yet scaled, and goes on when it is resumed', async () => {
    const made = await rolledOut('replicas: 3')
    const first = made.names()
    const pause = (paused: boolean): KubeObject => ({
      ...stored(made),
      spec: { ...stored(made).spec, paused },
    })
    await made.put(pause(true))
    await restart(made)
    expect(made.names()).toEqual(first)
    expect(setsOf(made)).toHaveLength(1)
    await scale(made, 5)
    expect(made.living()).toHaveLength(5)
    await allReady(made)
    await made.put(pause(false))
    await allReady(made)
    expect(setsOf(made)).toHaveLength(2)
    expect(made.names().filter((name) => first.includes(name))).toEqual([])
    expect(made.pods()).toHaveLength(5)
  })

  it('keeps as many old sets as its history limit says, those used last', async () => {
    const made = await rolledOut('replicas: 1\n  revisionHistoryLimit: 2')
    const seen: string[] = []
    for (let i = 0; i < 4; i++) {
      seen.push(
        ...setsOf(made)
          .map(({ metadata }) => metadata.name)
          .filter((name) => !seen.includes(name)),
      )
      await made.clock.advance(1000)
      await restart(made)
      await allReady(made)
    }
    const names = setsOf(made).map(({ metadata }) => metadata.name)
    expect(names).toHaveLength(3)
    expect(names).toEqual(expect.arrayContaining(seen.slice(-2)))
  })

  it('takes its sets and pods with it when it is deleted', async () => {
    const made = await rolledOut('replicas: 2')
    made.table.remove('Deployment', 'web', 'default')
    await made.loop.idle()
    expect(setsOf(made)).toEqual([])
    expect(made.pods().every(isTerminating)).toBe(true)
  })
})
