import type { World } from './world.ts'

export async function simulatedWorld(_seed: number): Promise<World> {
  throw new Error('pending')
}
