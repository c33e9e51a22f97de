import { type Check, error, ok } from './check.ts'

export const kernelAccess: Check = {
  id: 'kernel-access',
  title: 'the kernel can be worked on',
  run: ({ hidden }) => [
    hidden === ''
      ? ok('links, addresses, routes and nftables can be changed')
      : error(hidden, 'run plugins and this command as root, on Linux'),
  ],
}
