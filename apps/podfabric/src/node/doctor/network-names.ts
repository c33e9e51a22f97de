import { type Check, error, type Finding, orOk } from './check.ts'

/** State is kept under a network's name: two lists with one name undo each other's work. */
export const networkNames: Check = {
  id: 'network-names',
  title: 'each network has a name of its own',
  run({ files }) {
    const byName = new Map<string, string[]>()
    for (const { path, list } of files) {
      if (list !== undefined) byName.set(list.name, [...(byName.get(list.name) ?? []), path])
    }
    const problems: Finding[] = [...byName]
      .filter(([, paths]) => paths.length > 1)
      .map(([name, paths]) =>
        error(`${paths.join(' and ')} both name their network ${name}`, 'rename one of them'),
      )
    return orOk(problems, 'no two lists have one name')
  },
}
