/* Statistics of a norm. */

/* Of some pixels of LANES channels: sums of differences from a pivot, which is one of them. */
struct NAMED(moments) {
  vec pivot, sum, squares;
};

ALWAYS void NAMED(observe)(struct NAMED(moments) *moments, vec value) {
  vec difference = value - moments->pivot;
  moments->sum += difference;
  moments->squares += difference * difference;
}

static void NAMED(keep_moments)(const struct step *step, int block, int channel, int count,
                                struct NAMED(moments) moments) {
  double *means = step->moments + (ptrdiff_t)block * 2 * step->channels + channel;
  double *deviations = means + step->channels;
  for (int lane = 0; lane < LANES; lane++) {
    double sum = moments.sum[lane];
    means[lane] = moments.pivot[lane] + sum / count;
    deviations[lane] = moments.squares[lane] - sum * sum / count;
  }
}
