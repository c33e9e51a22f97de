const help = `podfabric: the Kubernetes pod network on your machine

Usage
  podfabric demo      the network model, shown by packets
  podfabric --help    this text
`

const [command] = process.argv.slice(2)
if (command === 'demo') {
  console.log('podfabric demo: there is nothing to show yet')
} else if (command === undefined || command === '--help' || command === '-h' || command === 'help') {
  console.log(help)
} else {
  console.error(`podfabric: unknown command "${command}"; see podfabric --help`)
  process.exitCode = 2
}
