/**
 * What host-local asks of the node's files: in order to read `resolvConf`, and to take over from an implementation that keeps
 * addresses in files. A node's process gives it; without, both are refused or not done.
 */
export interface NodeFiles {
  /** The text of a file; undefined when there is none. Rejects for anything else, files above 1 MiB included. */
  read(path: string): Promise<string | undefined>
  /** The names in a folder; undefined when there is none. */
  list(folder: string): Promise<readonly string[] | undefined>
  /** A text that is another one when names have come to the folder or gone; undefined when there is no folder. */
  stamp(folder: string): Promise<string | undefined>
  /** Succeeds when there is no such file. */
  remove(path: string): Promise<void>
  /** Works while holding the exclusive flock(2) of this file, which is made where it is missing. */
  locked<T>(path: string, work: () => Promise<T>): Promise<T>
}
