export interface CodeBlock {
  /** The word after the fence. */
  readonly language: string
  /** Line of the fence in the document, from 1. */
  readonly line: number
  readonly text: string
}

/** The fenced code blocks of a Markdown text whose language is exactly `language`. */
export function codeBlocks(markdown: string, language: string): CodeBlock[] {
  const blocks: CodeBlock[] = []
  let open: { fence: string; language: string; line: number; lines: string[] } | undefined
  for (const [index, line] of markdown.split('\n').entries()) {
    if (open === undefined) {
      const [, fence, info] = line.match(/^(```+|~~~+)\s*(.*?)\s*$/) ?? []
      if (fence !== undefined) open = { fence, language: info ?? '', line: index + 1, lines: [] }
    } else if (line.trimEnd() === open.fence) {
      if (open.language === language)
        blocks.push({ language, line: open.line, text: `${open.lines.join('\n')}\n` })
      open = undefined
    } else {
      open.lines.push(line)
    }
  }
  if (open !== undefined) throw new Error(`line ${open.line}: a code block that is never closed`)
  return blocks
}
