/**
 * The part of the margin that queries keep: a query may exceed the calibration inputs by this factor, with the private
 * weights. The rest of the margin is for the private weights.
 */
export const queryRoom = 1.25;

/** Room for queries under a margin; a margin of 1 promises none. */
export const roomForQueries = (margin: number): number => Math.min(queryRoom, margin);
