import { CaseFailure } from '../failure.ts'
import type { Attachment } from './attachment.ts'
import { attachmentOf } from './attachment.ts'
import { hasSucceeded } from './expectations.ts'
import type { Harness } from './harness.ts'

/** Attaches pods until every address of the small configuration is given. An ADD that fails before that fails the case. */
export async function exhaust(t: Harness): Promise<readonly Attachment[]> {
  const attachments: Attachment[] = []
  for (let count = 0; count < t.smallPool; count++) {
    const pod = await t.pod()
    const exchange = await t.tryAdd(pod)
    if (!hasSucceeded(exchange)) {
      throw new CaseFailure(`all ${t.smallPool} addresses to be given`, `ADD failed after ${count}`)
    }
    attachments.push(attachmentOf(pod, t.ifName, exchange, t.list.cniVersion))
  }
  return attachments
}
