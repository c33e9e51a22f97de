import { type Check, error, ok } from './check.ts'

export const stateFile: Check = {
  id: 'state-file',
  title: 'the state is sound',
  run: ({ state: { file, present, damage, attachments } }) => {
    if (!present) return [ok(`there is no ${file} yet`)]
    if (damage === undefined) return [ok(`${file}; attachments recorded: ${attachments.length}`)]
    return [
      error(
        `${file}: ${damage}`,
        'the next start of podfabric agent sets it aside; then let the runtime delete and create its pods anew',
      ),
    ]
  },
}
