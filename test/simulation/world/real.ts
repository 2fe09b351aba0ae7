/** What the simulation itself needs of the real runtime; loaded before anything is replaced. */
export const immediately = setImmediate;
