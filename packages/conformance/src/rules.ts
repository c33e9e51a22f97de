import type { Level } from './level.ts'

/** A clause: where it is written, how binding it is, and what it asks, in our words. */
export interface Rule {
  readonly where: string
  readonly level: Level
  readonly says: string
}

const rule = (where: string, level: Level, says: string): Rule => ({ where, level, says })

const parameters = 'SPEC 1.1.0, section 2, "Parameters"'
const add = 'SPEC 1.1.0, section 2, "ADD"'
const del = 'SPEC 1.1.0, section 2, "DEL"'
const check = 'SPEC 1.1.0, section 2, "CHECK"'
const gc = 'SPEC 1.1.0, section 2, "GC"'
const status = 'SPEC 1.1.0, section 2, "STATUS"'
const version = 'SPEC 1.1.0, section 2, "VERSION"'
const success = 'SPEC 1.1.0, section 5, "ADD Success"'
const error = 'SPEC 1.1.0, section 5, "Error"'
const model = 'Kubernetes, "The Kubernetes network model"'

/**
 * The rules that cases test. What the specification implies without a keyword counts as MUST where its words leave no other
 * reading. NM rules are the Kubernetes network model's; FT rules are this suite's own.
 */
export const rules = {
  'XP-06': rule(parameters, 'MUST', 'CNI_IFNAME is the name of the interface, or ADD fails'),
  'XP-10': rule('SPEC 1.1.0, section 2', 'MUST', 'exit code 0 on success, another on failure'),
  'XP-11': rule('SPEC 1.1.0, section 2', 'SHOULD', 'on failure an error object is printed'),
  'XP-12': rule('SPEC 1.1.0, section 2', 'MUST', 'on success ADD prints exactly one result'),
  'XP-13': rule('SPEC 1.1.0, section 2', 'MUST', 'DEL, CHECK, STATUS and GC print nothing on success'),
  'VS-04': rule('SPEC 0.4.0, "Error"', 'SHOULD', 'a version that is not served is refused with code 1'),
  'VS-05': rule(
    'SPEC 1.1.0, section 1, "Version considerations"',
    'MUST',
    'the answer is in the version asked for',
  ),
  'AD-03': rule(add, 'MUST', 'prevResult is passed through or modified, never lost'),
  'AD-04': rule(add, 'MUST', 'ADD fails when an interface of the requested name exists'),
  'AD-06': rule(add, 'MUST', 'one container may be added again under another interface name'),
  'DL-01': rule(del, 'SHOULD', 'DEL removes the interface, or undoes what ADD changed'),
  'DL-03': rule(del, 'SHOULD', 'DEL succeeds without prevResult'),
  'DL-04': rule(del, 'SHOULD', 'DEL succeeds when what it should remove is missing'),
  'DL-07': rule(del, 'SHOULD', 'DEL cleans up, addresses included, when the namespace is gone'),
  'DL-08': rule(del, 'MUST', 'DEL may be repeated, and succeeds when there is nothing left'),
  'DL-09': rule('SPEC 0.4.0, "DEL"', 'SHOULD', 'without CNI_NETNS DEL frees as much as it can, and succeeds'),
  'DL-10': rule('SPEC 0.4.0, "DEL"', 'SHOULD', 'DEL releases everything held for the attachment'),
  'CK-01': rule(check, 'MUST', 'what is expected is taken from prevResult'),
  'CK-02': rule(check, 'MUST', 'changes that later plugins of the chain make are tolerated'),
  'CK-03': rule(check, 'SHOULD', 'CHECK fails when something that ADD made is missing or wrong'),
  'CK-05': rule(check, 'SHOULD', 'CHECK fails when the container is known to be unreachable'),
  'CK-06': rule(check, 'MUST', 'CHECK succeeds right after ADD'),
  'CK-13': rule('SPEC 0.4.0, "CHECK"', 'MUST', 'CHECK prints nothing or an error'),
  'ST-01': rule(status, 'MUST', 'STATUS exits with 0 when ADD would be served'),
  'ST-03': rule(status, 'SHOULD', 'STATUS fails when a finite resource, such as addresses, is used up'),
  'ST-05': rule(status, 'MUST', 'no other verb depends on STATUS being called, or on its success'),
  'VR-02': rule(version, 'MUST', 'VERSION prints cniVersion and supportedVersions'),
  'VR-03': rule(version, 'MUST', 'VERSION needs CNI_COMMAND alone'),
  'GC-01': rule(gc, 'MUST', 'what is not known to be stale is kept: valid attachments, and other networks'),
  'GC-02': rule(gc, 'SHOULD', 'what belongs to no valid attachment is removed'),
  'GC-09': rule(gc, 'MUST', 'GC prints nothing on success'),
  'LC-03': rule(
    'SPEC 1.1.0, section 3, "Lifecycle & Ordering"',
    'MUST',
    'calls for different containers may run at once',
  ),
  'LC-04': rule(
    'SPEC 1.1.0, section 3, "Lifecycle & Ordering"',
    'MUST',
    'a failed ADD is followed by DEL, which succeeds',
  ),
  'LC-07': rule(
    'SPEC 1.1.0, section 3',
    'MUST',
    'an attachment is a container and an interface name, not a container',
  ),
  'DG-10': rule(
    'SPEC 1.1.0, section 4',
    'MUST',
    'IPAM returns no interfaces, and addresses without an interface',
  ),
  'RS-01': rule(success, 'MUST', 'the result is one object with the cniVersion of the input'),
  'RS-02': rule(success, 'MUST', 'every interface made is listed, host-side ones too, as it is'),
  'RS-03': rule(success, 'MUST', 'ips are addresses with prefix length, and point at their interface'),
  'RS-04': rule(success, 'MUST', 'routes have a destination with prefix length'),
  'RS-07': rule('SPEC 0.4.0, "Result"', 'SHOULD', 'keys of newer versions are left out of older results'),
  'ER-01': rule(error, 'SHOULD', 'an error object has cniVersion, code and msg'),
  'ER-06': rule(error, 'MUST', 'a missing or wrong variable is error 4, and the message names it'),
  'ER-07': rule(
    error,
    'SHOULD',
    'input that cannot be decoded is error 6, a configuration that is wrong error 7',
  ),
  'NM-01': rule(model, 'MUST', 'every pod has an address of its own in the whole cluster'),
  'NM-02': rule(model, 'MUST', 'every pod reaches every other pod, on whichever node'),
  'NM-03': rule(model, 'MUST', 'a node reaches the pods on it'),
  'NM-04': rule(model, 'MUST', 'the containers of a pod share localhost, and no other pod has a part in it'),
  'NM-05': rule(model, 'MUST', "no NAT: who receives a packet sees the sender's own address"),
  'NM-06': rule(
    model,
    'MUST',
    "packets up to the interface's MTU arrive, and larger ones are answered or refused",
  ),
  'FT-01': rule(
    'this suite',
    'MUST',
    'a step that fails makes ADD fail with an error object, or does not matter',
  ),
  'FT-02': rule('this suite', 'SHOULD', 'a failed ADD leaves nothing behind by itself'),
  'FT-03': rule('this suite', 'SHOULD', 'after a kill at any step, DEL or GC brings back what was before'),
} as const satisfies Readonly<Record<string, Rule>>

export type RuleId = keyof typeof rules
