/** exp(−10⁴) is 0 in every format that we compute in: an absent score. */
export const maskedScore = -1e4;
