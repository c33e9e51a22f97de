/** Marks a string as checked and canonical. Only the parsers of this package make branded values. */
declare const kind: unique symbol

export type Branded<K extends string> = string & { readonly [kind]: K }
