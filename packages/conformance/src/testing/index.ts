export { testIpam } from './test-ipam.ts'
export { sandbox, type TestKernel, type TestNode, testKernels, within } from './test-kernels.ts'
