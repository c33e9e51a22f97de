import { type Format, type Output, structured, table } from '../../output.ts'
import { nodeFolders } from '../node-folders.ts'
import { type Check, type Finding, unknown } from './check.ts'
import { checks } from './checks.ts'
import { type NodeView, nodeView } from './node-view.ts'

/** Looks at this machine and names each reason for which pods get no network, with the fix. Exit code 1 when one is an error. */
export async function doctor(options: Readonly<Record<string, unknown>>, output: Output): Promise<number> {
  const node = await nodeView(nodeFolders(options), process.env)
  try {
    const results: (Finding & { readonly check: string; readonly title: string })[] = []
    for (const check of checks) {
      for (const finding of await run(check, node))
        results.push({ check: check.id, title: check.title, ...finding })
    }
    const format = options.output as Format
    if (format === 'table') print(results, output)
    else output.line(structured(results, format))
    return results.some(({ status }) => status === 'error') ? 1 : 0
  } finally {
    await node[Symbol.asyncDispose]()
  }
}

/** One look that fails leaves the others: what it would have found is not known. */
async function run({ run: look }: Check, node: NodeView): Promise<readonly Finding[]> {
  try {
    return await look(node)
  } catch (failure) {
    return [unknown(`the check failed: ${failure instanceof Error ? failure.message : failure}`)]
  }
}

function print(results: readonly (Finding & { readonly check: string })[], output: Output): void {
  output.line(
    table(
      ['CHECK', 'STATUS', 'FINDING'],
      results.map(({ check, status, finding }) => [check, status, finding]),
    ),
  )
  for (const each of results) if ('fix' in each) output.note(`${each.check}: ${each.fix}`)
}
