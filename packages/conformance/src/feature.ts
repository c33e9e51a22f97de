/**
 * What a subject has. Found out by asking and trying it, never told by the caller:
 *
 * | feature | how it is known |
 * | --- | --- |
 * | `interface` | its ADD leaves CNI_IFNAME in the sandbox; taken for granted when the trial ADD fails |
 * | `new-interface` | and CNI_IFNAME was not there before |
 * | `addresses` | its result has `ips`, or the interface an address, other than those of localhost |
 * | `pod` | `new-interface` and `addresses` |
 * | `routes` | its ADD leaves a route of its own in the sandbox |
 * | `ipam` | its result has `ips`, and it touches no interface |
 * | `check` | it lists a version from 0.4.0 on |
 * | `gc`, `status` | it lists 1.1.0 and, where it is a factory, has the verb |
 * | `no-gc` | it lists 1.1.0 and is a factory without the verb |
 * | `several-nodes` | it has a controller, or the subject says `multiNode` |
 * | `small-pool` | the subject brings a configuration with few addresses |
 * | `within` | its kernel and store can be reached into, to make one step of it fail: a factory |
 */
export type Feature =
  | 'interface'
  | 'new-interface'
  | 'addresses'
  | 'pod'
  | 'routes'
  | 'ipam'
  | 'check'
  | 'gc'
  | 'no-gc'
  | 'status'
  | 'several-nodes'
  | 'small-pool'
  | 'within'

/** Every feature: there (`true`), or why it is not. */
export type Features = Readonly<Record<Feature, true | string>>
