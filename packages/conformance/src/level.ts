/**
 * How binding a rule is, in the words of RFC 2119. A failed MUST makes the plugin non-conformant; a failed SHOULD or MAY is
 * reported and, unless `--strict`, forgiven.
 */
export type Level = 'MUST' | 'SHOULD' | 'MAY'
