import type { Resource } from './attachment.ts'
import type { Delegate } from './delegate.ts'
import { CniError } from './error.ts'
import type { Intent } from './intent.ts'
import type { AttachmentRequest, Request } from './request.ts'
import type { AddResult } from './result.ts'

/** The addresses of an attachment, as another plugin gives them. */
export interface IpamResource extends Resource {
  /** What was given; there once it was ensured. Has at least one address. */
  readonly result: AddResult
}

/**
 * Addresses by delegation, as the first resource of an attachment: `ensure` is the delegate's ADD, `verify` its CHECK, `remove` its
 * DEL, also for a GC's request, which names no attachment: the intent does. Without `prevResult` there is nothing to verify.
 */
export function ipamResource(
  /** Asked for when it is needed: where there is no such plugin, only what needs it fails. */
  delegate: () => Delegate,
  request: Request & { readonly prevResult?: AddResult; readonly args?: AttachmentRequest['args'] },
  { containerId, ifName, netns }: Intent,
): IpamResource {
  let given: AddResult | undefined
  const { prevResult, args = {}, ...common } = request
  const attachment = { ...common, containerId, ifName, args }
  return {
    name: 'addresses',
    get result() {
      if (given === undefined) throw new TypeError('addresses are known once they were ensured')
      return given
    },
    async ensure() {
      given = await delegate().add({ ...attachment, netns: netns ?? '', ...(prevResult && { prevResult }) })
      if (given.ips.length > 0) return
      throw new CniError('CNI_INVALID_NETWORK_CONFIG', 'ipam gave no address')
    },
    async verify() {
      if (prevResult !== undefined) await delegate().check({ ...attachment, netns: netns ?? '', prevResult })
    },
    async remove() {
      await delegate().del({
        ...attachment,
        // Undoing is no part of what was given up.
        signal: new AbortController().signal,
        ...(netns !== undefined && { netns }),
        ...(prevResult && { prevResult }),
      })
    },
  }
}
