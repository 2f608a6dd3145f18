/** The masked score: exp(−10⁴) is 0 in every format of the compiler. */
export const maskedScore = -1e4;
