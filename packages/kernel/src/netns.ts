/**
 * A reference that keeps one network namespace alive, wherever its names went.
 *
 * It is never compared by path: a path can be bound to another namespace, and one namespace can have
 * several paths. Two references name the same namespace exactly when their `id`s are equal.
 * Dispose it when done; a namespace without a name and without a reference is gone, with all its links.
 */
export interface Netns extends AsyncDisposable {
  /** The namespace's identity on this kernel while it lives (on Linux: device and inode number). */
  readonly id: string
  /** The path it was opened by or is bound to; `''` for the host's. For messages and CNI_NETNS only. */
  readonly path: string
}

/** `ip netns`: the named namespaces of one node. */
export interface NetnsTable {
  /** The namespace the node itself lives in. Not disposable: disposing it does nothing. */
  readonly host: Netns
  /** Makes a namespace with only `lo`, down, bound to `<directory>/<name>`. EEXIST; EINVAL for a bad name. */
  create(name: string): Promise<Netns>
  /** Opens the namespace bound to a path. ENOENT where there is nothing; EINVAL where it is not a namespace. */
  open(path: string): Promise<Netns>
  /** Takes the name away. What still holds a reference keeps the namespace. ENOENT. */
  delete(name: string): Promise<void>
  /** The names bound now, in byte order. */
  list(): Promise<readonly NetnsEntry[]>
}

export interface NetnsEntry {
  readonly name: string
  readonly path: string
  readonly id: string
}
