import type { AddRequest, CheckRequest, DelRequest, GcRequest, StatusRequest } from './request.ts'
import type { AddResult } from './result.ts'

/**
 * Another plugin, called with the request that this one got (SPEC 1.1.0, section 4: the same
 * environment, the whole configuration). Only `source` of the request is read, not `config`.
 */
export interface Delegate {
  add(request: AddRequest): Promise<AddResult>
  check(request: CheckRequest): Promise<void>
  del(request: DelRequest): Promise<void>
  gc(request: GcRequest): Promise<void>
  status(request: StatusRequest): Promise<void>
}
