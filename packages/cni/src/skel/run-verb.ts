import {
  type AddCall,
  type Call,
  type CheckCall,
  type DelCall,
  type Environment,
  type NodeCall,
  parseCall,
} from '../call.ts'
import type { PluginConfig } from '../config.ts'
import { CniError } from '../error.ts'
import { formatError } from '../error-object.ts'
import { formatResult } from '../format-result.ts'
import type { Json, JsonObject } from '../json.ts'
import { isJsonObject, type JsonLimits, parseJson } from '../parse-json.ts'
import { parseResult } from '../parse-result.ts'
import type { Plugin } from '../plugin.ts'
import { parsePluginConfig } from '../plugin-config.ts'
import type { Request } from '../request.ts'
import type { AddResult } from '../result.ts'
import { onceApplied, toCniError } from '../to-cni-error.ts'
import { type CniVersion, isAtLeast, newestCniVersion } from '../version.ts'
import { parseValidAttachments } from './gc-attachments.ts'
import type { PluginHost } from './host.ts'
import { decodeStdin } from './stdin.ts'

/** One call of a plugin, as an executable gets it. */
export interface VerbInput {
  readonly env: Environment
  readonly stdin: Uint8Array | string
  /** Aborted when the caller has given up. */
  readonly signal?: AbortSignal | undefined
  readonly limits?: JsonLimits
  /** Told what a runtime should know but no error says: a `prevResult` that DEL cannot read, a verb that there is not. */
  readonly warn?: (message: string) => void
}

/** What an executable does: at most one document on stdout, and the exit code. */
export interface VerbOutput {
  /** One JSON document and a line feed, or nothing. */
  readonly stdout: string
  readonly exitCode: 0 | 1
}

/**
 * One call from octets to octets: the whole process edge but the process. Never rejects: what fails is an error object
 * (SPEC 1.1.0, "Error") on stdout with exit code 1. The cniVersion of an error is the request's own where it is known.
 */
export async function runVerb(input: VerbInput, host: PluginHost): Promise<VerbOutput> {
  const asked = { version: newestCniVersion as string }
  try {
    const call = parseCall(input.env)
    const document = call.command === 'VERSION' ? undefined : await serve(call, input, host, asked)
    return printed(call.command === 'VERSION' ? versionDocument(input, host) : document)
  } catch (error) {
    return { stdout: `${JSON.stringify(formatError(toCniError(error), asked.version))}\n`, exitCode: 1 }
  }
}

function printed(document: JsonObject | undefined): VerbOutput {
  return { stdout: document === undefined ? '' : `${JSON.stringify(document)}\n`, exitCode: 0 }
}

/** VERSION needs nothing but the command; what stdin asked is given back where it can be read. */
function versionDocument({ stdin, limits }: VerbInput, host: PluginHost): JsonObject {
  const text = decodeStdin(stdin)
  const config = text.trim() === '' ? {} : parseJson(text, { what: 'stdin', ...limits })
  const asked = isJsonObject(config) && typeof config.cniVersion === 'string' ? config.cniVersion : ''
  return { cniVersion: asked || newestCniVersion, supportedVersions: host.versions }
}

const firstVersion: Readonly<Record<Call['command'], CniVersion>> = {
  ADD: '0.1.0',
  DEL: '0.1.0',
  VERSION: '0.1.0',
  CHECK: '0.4.0',
  GC: '1.1.0',
  STATUS: '1.1.0',
}

async function serve(
  call: Call,
  input: VerbInput,
  host: PluginHost,
  asked: { version: string },
): Promise<JsonObject | undefined> {
  const value = parseJson(decodeStdin(input.stdin), { what: 'stdin', ...input.limits })
  if (isJsonObject(value) && typeof value.cniVersion === 'string' && value.cniVersion !== '') {
    asked.version = value.cniVersion.slice(0, 80)
  }
  const source = parsePluginConfig(value, host)
  const least = firstVersion[call.command]
  if (!isAtLeast(source.cniVersion, least)) {
    throw new CniError(
      'CNI_INCOMPATIBLE_VERSION',
      `${call.command} came with version ${least}; cniVersion is ${source.cniVersion}`,
    )
  }
  const plugin = await host.plugin(source.name)
  const signal = input.signal ?? new AbortController().signal
  const request: Request = {
    config: plugin.parse(source),
    source,
    path: call.path,
    signal,
    ...(call.trace && { trace: call.trace }),
  }
  if (call.command === 'ADD' || call.command === 'CHECK') return attach(call, plugin, request)
  if (call.command === 'DEL') return detach(call, plugin, request, input.warn)
  return tend(call, plugin, request, input.warn)
}

async function attach(
  call: AddCall | CheckCall,
  plugin: Plugin,
  request: Request,
): Promise<JsonObject | undefined> {
  const { containerId, ifName, netns, args } = call
  const attachment = { ...request, containerId, ifName, netns, args }
  const prevResult = parsePrevResult(request.source)
  if (call.command === 'ADD') {
    const result = await plugin.add({ ...attachment, ...(prevResult && { prevResult }) })
    return written(result, request.source.cniVersion)
  }
  if (prevResult === undefined) {
    throw new CniError(
      'CNI_INVALID_NETWORK_CONFIG',
      'prevResult: it is missing; CHECK compares with the result of the ADD before it',
    )
  }
  await plugin.check({ ...attachment, prevResult })
  return undefined
}

/** Once a plugin has attached, a result that cannot be written must not read as "nothing was applied". */
function written(result: AddResult, version: CniVersion): JsonObject {
  try {
    return formatResult(result, version)
  } catch (error) {
    throw onceApplied(toCniError(error, 'writing the result'))
  }
}

/** Old runtimes, damaged caches: DEL does without a `prevResult` that cannot be read. */
async function detach(
  call: DelCall,
  plugin: Plugin,
  request: Request,
  warn: VerbInput['warn'],
): Promise<undefined> {
  let prevResult: AddResult | undefined
  try {
    prevResult = parsePrevResult(request.source)
  } catch (error) {
    warn?.(`DEL goes on without prevResult, which cannot be read: ${toCniError(error).message}`)
  }
  const { containerId, ifName, netns, args } = call
  await plugin.del({
    ...request,
    containerId,
    ifName,
    args,
    ...(netns !== undefined && { netns }),
    ...(prevResult && { prevResult }),
  })
}

/** A verb that the plugin does not have succeeds, for nothing it holds needs it; it says so, lest somebody relies on it. */
async function tend(
  call: NodeCall,
  plugin: Plugin,
  request: Request,
  warn: VerbInput['warn'],
): Promise<undefined> {
  if (call.command === 'STATUS') {
    if (plugin.status === undefined)
      warn?.(`${plugin.type} has no STATUS: it is not known whether it is ready`)
    return void (await plugin.status?.(request))
  }
  if (plugin.gc === undefined) warn?.(`${plugin.type} has no GC: nothing was collected`)
  await plugin.gc?.({ ...request, validAttachments: parseValidAttachments(request.source as JsonObject) })
}

function parsePrevResult(source: PluginConfig): AddResult | undefined {
  const value: Json | undefined = source.prevResult
  if (value === undefined || value === null) return undefined
  try {
    return parseResult(value, { version: source.cniVersion, path: 'prevResult' }).result
  } catch (cause) {
    const { message } = toCniError(cause)
    throw new CniError('CNI_INVALID_NETWORK_CONFIG', message, { cause })
  }
}
