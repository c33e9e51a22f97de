import { type Check, error, ok, unknown } from './check.ts'

export const stateFile: Check = {
  id: 'state-file',
  title: 'the state is sound',
  run: ({ hidden, state: { file, present, damage, attachments } }) => {
    if (!present) return [ok(`there is no ${file} yet`)]
    if (damage === undefined) return [ok(`${file}; attachments recorded: ${attachments.length}`)]
    if (hidden !== '') return [unknown(`${damage}; ${hidden}`)]
    return [
      error(
        `${file}: ${damage}`,
        'the next start of podfabric agent sets it aside; then let the runtime delete and create its pods anew',
      ),
    ]
  },
}
