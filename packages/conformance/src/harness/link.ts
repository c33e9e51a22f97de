import type { Link } from '@podfabric/kernel'
import { CaseFailure } from '../failure.ts'
import type { Place } from './place.ts'

/** The link of this name; its absence fails the case. */
export async function linkOf(place: Place, name: string): Promise<Link> {
  const links = await place.at.links.list()
  const link = links.find((each) => each.name === name)
  if (link !== undefined) return link
  throw new CaseFailure(`a link ${name} in ${place.name}`, links.map((each) => each.name).join(', '))
}

export async function hasLink(place: Place, name: string): Promise<boolean> {
  return (await place.at.links.list()).some((each) => each.name === name)
}
