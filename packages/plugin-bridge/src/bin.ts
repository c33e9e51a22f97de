#!/usr/bin/env node
import { run } from '@podfabric/agent/exec'
import factory from './index.ts'

await run(factory)
