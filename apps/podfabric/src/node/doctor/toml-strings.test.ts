import fc from 'fast-check'
import { expect, it } from 'vitest'
import { tomlStrings } from './toml-strings.ts'

it('finds texts and lists by table and key, and passes over the rest', () => {
  const document = `version = 2
disabled_plugins = ["cri"] # as one distributor ships it
[plugins."io.containerd.grpc.v1.cri".cni]
  # bin_dir = "/no"
  bin_dir = "/usr/lib/cni"
  max_conf_num = 1
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = [
    '/a',
    # "/no",
    "/b",
  ]
`
  expect(Object.fromEntries(tomlStrings(document))).toEqual({
    disabled_plugins: ['cri'],
    'plugins/io.containerd.grpc.v1.cri/cni/bin_dir': ['/usr/lib/cni'],
    'plugins/io.containerd.cri.v1.runtime/cni/bin_dirs': ['/a', '/b'],
  })
})

it('reads any text to its end', () => {
  fc.assert(fc.property(fc.string(), (text) => tomlStrings(text).size >= 0))
})
