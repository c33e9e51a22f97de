/**
 * The texts and lists of texts of a TOML document, by table and key joined with `/`; other values are passed over. Enough for
 * the folders that runtimes' configurations name: no inline tables, no escapes, no multi-line texts.
 */
export function tomlStrings(document: string): ReadonlyMap<string, readonly string[]> {
  const values = new Map<string, readonly string[]>()
  let table: readonly string[] = []
  const statement = /^[ \t]*(?:\[([^[\]\n]+)\]|([\w-]+)[ \t]*=[ \t]*(\[[^\]]*\]|"[^"\n]*"|'[^'\n]*'))/gm
  for (const [, header, key, value = ''] of document.matchAll(statement)) {
    if (header !== undefined) table = parts(header)
    else if (key !== undefined) values.set([...table, key].join('/'), texts(value))
  }
  return values
}

function parts(header: string): readonly string[] {
  return [...header.matchAll(/"([^"]*)"|'([^']*)'|([^\s."']+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? '',
  )
}

function texts(value: string): readonly string[] {
  const uncommented = value.replace(/^[ \t]*#.*$/gm, '')
  return [...uncommented.matchAll(/"([^"\n]*)"|'([^'\n]*)'/g)].map(
    ([, double, single]) => double ?? single ?? '',
  )
}
