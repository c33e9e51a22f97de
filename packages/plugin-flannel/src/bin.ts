#!/usr/bin/env node
import { run } from '@podfabric/agent/exec'
import flannel from './index.ts'

await run(flannel)
