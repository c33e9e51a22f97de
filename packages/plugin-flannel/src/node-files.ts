/**
 * What flannel asks of the node's files: what Flannel's daemon says of the node, and what containers of Flannel's own plugin were
 * attached with. A node's process gives it; without, the subnet is leased in the store.
 */
export interface NodeFiles {
  /** The text of a file; undefined when there is none. */
  read(path: string): Promise<string | undefined>
  /** The names in a folder; undefined when there is none. */
  list(folder: string): Promise<readonly string[] | undefined>
  /** Whoever reads the file finds the old text or the new one, whole. For its owner alone (0600), and so a folder that was missing. */
  write(path: string, text: string): Promise<void>
  /** Succeeds when there is no such file. */
  remove(path: string): Promise<void>
}
