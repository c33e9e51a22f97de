import { launch } from './launch.js'

// What installed plugin executables start when no agent answers.
await launch('cni')
