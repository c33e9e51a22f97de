export const usage = `cni-conformance: puts a CNI plugin through the conformance suite

  cni-conformance --plugin PACKAGE|FILE|EXECUTABLE --config FILE [options]
  cni-conformance --list

  --plugin WHAT      an npm package or a JavaScript or TypeScript file whose default export is a plugin factory,
                     or an executable in any language
  --config FILE      a network list, or the configuration of one plugin, as JSON
  --with WHAT        a package or file with another plugin's factory: of the list, or one that is delegated to; repeatable
  --path DIR[:DIR]   CNI_PATH, for executables; default: the executable's own folder, then $CNI_PATH
  --only ID[,ID]     only these cases, or families: del, check.after-add
  --kernel KIND      sim: simulated kernels, no privilege needed; linux: real network namespaces, as root.
                     Default: sim for factories, linux for executables
  --serve            the executable is one of Podfabric's: its calls are served by an agent that has the plugins of --with
  --seed N           of the world; default 1
  --small FILE       the same network with few addresses, for the cases about exhaustion
  --addresses N      how many addresses that one has
  --multi-node       pods on different nodes reach each other; known by itself for plugins with a controller
  --ifname NAME      CNI_IFNAME; default eth0
  --report KIND      table, json or junit; default table
  --strict           a failed SHOULD or MAY is a failure too
  --list             print the cases and their clauses, and test nothing
  --help             this text

Exit codes: 0 every MUST that applies holds; 1 a case failed; 2 the command line, the configuration or the plugin makes no
sense; 3 nothing is proven: the suite itself failed, or no case applies.

Examples:
  cni-conformance --plugin ./dist/my-plugin.js --config net.conflist
  cni-conformance --plugin @podfabric/plugin-bridge --with @podfabric/plugin-host-local --config net.conflist
  sudo cni-conformance --plugin /opt/cni/bin/bridge --config net.conflist --report junit > conformance.xml
  cni-conformance --plugin ./dist/my-plugin.js --config net.conflist --only del.idempotent --seed 7
`
