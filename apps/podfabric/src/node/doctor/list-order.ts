import { type Check, error, ok, warning } from './check.ts'

/** containerd, CRI-O and kubelet take the first file of the folder; podman takes a network by its name. */
export const listOrder: Check = {
  id: 'list-order',
  title: 'no other network comes before ours',
  run({ files }) {
    const ours = files.findIndex((file) => file.ours)
    const [first] = files
    if (first === undefined || ours < 0) return [ok('there is no list of ours')]
    if (ours > 0) {
      return [
        error(
          `${first.path} comes before ${files[ours]?.path}: containerd, CRI-O and kubelet take the first`,
          `take ${first.path} away, or give ours a name that sorts before it`,
        ),
      ]
    }
    const more = files.slice(1).filter((file) => file.ours)
    if (more.length === 0) return [ok(`${first.path} is the first`)]
    return [
      warning(
        `${first.path} is the first, and ${more.map(({ path }) => path).join(', ')} is used by podman alone`,
        'keep one list where only one network is meant',
      ),
    ]
  },
}
