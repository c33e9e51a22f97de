/** Whether two values of a sysctl say the same: a kernel puts a tab where a person types a space. */
export function isSameSetting(one: string, other: string): boolean {
  return one === other || plain(one) === plain(other)
}

function plain(value: string): string {
  return value.trim().replace(/\s+/g, ' ')
}
