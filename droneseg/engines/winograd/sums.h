/* Sums and averages. */

/* A row of the sum of two sources, or of means over kernels. */
static void NAMED(row)(const struct step *step, int y) {
  float *to = step->out + (ptrdiff_t)y * step->out_width * step->channels;
  float share = 1.0f / (step->kernel_height * step->kernel_width);
  for (int x = 0; x < step->out_width; x++)
    for (int c = 0; c < step->channels; c += LANES, to += LANES) {
      vec sum = {0};
      for (int s = 0; s < step->sources; s++) {
        const struct source *from = step->source + s;
        struct NAMED(lazy) lazy = NAMED(lazy_of)(from, c);
        for (int i = 0; i < step->kernel_height; i++)
          for (int j = 0; j < step->kernel_width; j++) {
            ptrdiff_t pixel = (ptrdiff_t)(y * step->kernel_height + i) * step->in_width +
                              x * step->kernel_width + j;
            sum += NAMED(activate)(LOAD(from->data + pixel * from->channels + c), lazy);
          }
      }
      STORE(to, sum * share);
    }
}
