import {
  AddressError,
  type IfAddress,
  type Ip,
  type Mac,
  type Prefix,
  parseIfAddress,
  parseIp,
  parseMac,
  parsePrefix,
} from '@podfabric/netaddr'
import * as v from 'valibot'

// Addresses in configurations, as valibot schemas: text in, the canonical value out.

function addressSchema<T>(parse: (text: string) => T) {
  return v.pipe(
    v.string(),
    v.rawTransform<string, T>(({ dataset, addIssue, NEVER }) => {
      try {
        return parse(dataset.value)
      } catch (error) {
        if (!(error instanceof AddressError)) throw error
        addIssue({ message: error.message })
        return NEVER
      }
    }),
  )
}

/** `10.244.0.1`, `fd00::1`. */
export const ipSchema: v.GenericSchema<string, Ip> = addressSchema(parseIp)
/** `10.244.0.0/16`, without host bits. */
export const prefixSchema: v.GenericSchema<string, Prefix> = addressSchema(parsePrefix)
/** `10.244.1.2/24`. */
export const ifAddressSchema: v.GenericSchema<string, IfAddress> = addressSchema(parseIfAddress)
/** `aa:bb:cc:dd:ee:ff`. */
export const macSchema: v.GenericSchema<string, Mac> = addressSchema(parseMac)
