import type { DissectedLayer, Dissection } from '@podfabric/wire'

/** A packet's headers parted into the tunnel's and the inner packet's. */
export interface TunnelView {
  /** Headers of the tunnel, outermost first; empty for a packet that is in none. */
  readonly outer: readonly DissectedLayer[]
  readonly inner: readonly DissectedLayer[]
}

/** The inner packet begins at the last IP header's link header, where there is more than one IP header. */
export function tunnelView({ layers }: Dissection): TunnelView {
  const ipLayers = layers.flatMap(({ protocol }, i) =>
    protocol === 'ipv4' || protocol === 'ipv6' ? [i] : [],
  )
  const last = ipLayers.at(-1)
  if (ipLayers.length < 2 || last === undefined) return { outer: [], inner: layers }
  const start = layers[last - 1]?.protocol === 'ethernet' ? last - 1 : last
  return { outer: layers.slice(0, start), inner: layers.slice(start) }
}
