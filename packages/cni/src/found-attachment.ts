import type { IfAddress } from '@podfabric/netaddr'
import type { AttachmentId } from './request.ts'

/**
 * An attachment that lives on this node, found without the store: by a link of the node whose alias is our mark and
 * `<type>/<network>/<container id>/<interface>`, or by what a container runtime remembers and the interface being there.
 */
export interface FoundAttachment extends AttachmentId {
  /** Where its interface is, or, where that was not seen, what the runtime remembers as CNI_NETNS. */
  readonly netns?: string
  /**
   * Those that its interface has, and those that the runtime remembers of it: the same one may be there with two prefix lengths.
   * Empty where neither is known.
   */
  readonly addresses: readonly IfAddress[]
  /** Types of the plugins whose mark a link of the node carries for it. Empty for what another implementation attached. */
  readonly markedBy: readonly string[]
}
