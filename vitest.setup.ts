import fc from 'fast-check'

// Property tests draw the same values in every run, so that a red run was made red by a change. FC_SEED explores others:
// a number, or `random`; a failure prints the seed that repeats it.
const asked = process.env.FC_SEED ?? '1'
const seed = asked === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(asked)
if (!Number.isInteger(seed)) throw new Error(`FC_SEED=${asked}: expected a whole number, or random`)
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed })
