import { isJsonObject, type Json, type JsonObject } from '@podfabric/cni'

/** The objects of a list; what is no list has none. */
export function objectsIn(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : []
}
