import { type AttachmentId, CniError, type Kernel, onNode, type Resource } from '@podfabric/cni'
import { attach } from './attach.ts'
import { ownChain, ownerComment } from './attachment-rules.ts'
import { detach } from './detach.ts'
import { missingIn } from './missing.ts'
import { families, familyIn, type Published } from './port-mapping.ts'
import { forgetAnsweredBy, forgetUntranslated } from './stale-flows.ts'
import { tableName } from './table.ts'
import { contentsIn } from './table-contents.ts'

/**
 * The attachment's entries in the node's table. All come in one transaction, which the kernel refuses where one of the ports is
 * taken, in whichever network: then CNI_ADDRESS_IN_USE names the holder. UDP connections that the node followed before are
 * forgotten, so that their next packet is looked at anew.
 */
export function portRules(
  kernel: Kernel,
  network: string,
  attachment: AttachmentId,
  published: Published,
): Resource {
  const chain = ownChain(network, attachment)
  const owner = ownerComment(network, attachment)
  const used = families.filter((family) => published.mappings.some((each) => familyIn(each) === family))
  return {
    name: 'published ports',
    ensure: () =>
      onNode(kernel, async (node) => {
        await attach(node, { chain, owner, network, published, used })
        await forgetUntranslated(node, published)
      }),
    verify: () =>
      onNode(kernel, async ({ nft }) => {
        const objects = await nft.list()
        const missing = used.flatMap((family) => {
          const contents = contentsIn(objects, family)
          if (contents === undefined) return [`the table ${family} ${tableName}`]
          return missingIn(contents, chain, published)
        })
        if (missing.length > 0) throw new CniError('CNI_CHECK_FAILED', `missing: ${missing.join(', ')}`)
      }),
    remove: () =>
      onNode(kernel, async (node) => {
        await detach(node, chain, published)
        await forgetAnsweredBy(node, published)
      }),
  }
}
