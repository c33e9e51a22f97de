export { type Encapsulation, overhead, podMtu } from './overhead.ts'
export { overlayProtocols } from './overlay-protocols.ts'
export { type PreparedVxlan, prepareVxlan, type VxlanPeer } from './prepared-vxlan.ts'
export { VXLAN_FLAGS_WORD, VXLAN_LENGTH, VXLAN_PORT, VXLAN_PORT_LINUX, type Vxlan, vxlan } from './vxlan.ts'
