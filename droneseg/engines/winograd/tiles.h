/* Convolutions of 3 x 3 by Winograd's F(4 x 4, 3 x 3). */

/* Interpolated at 0, +-POINT_A, +-POINT_B and infinity. */
#define A2 (POINT_A * POINT_A)
#define B2 (POINT_B * POINT_B)

ALWAYS void NAMED(input_transform)(const vec *x, int stride, vec *out) {
  vec x0 = x[0], x1 = x[stride], x2 = x[2 * stride], x3 = x[3 * stride], x4 = x[4 * stride],
      x5 = x[5 * stride];
  vec even_a = x4 - B2 * x2, odd_a = x3 - B2 * x1;
  vec even_b = x4 - A2 * x2, odd_b = x3 - A2 * x1;
  out[0] = A2 * B2 * x0 - (A2 + B2) * x2 + x4;
  out[1] = even_a + POINT_A * odd_a;
  out[2] = even_a - POINT_A * odd_a;
  out[3] = even_b + POINT_B * odd_b;
  out[4] = even_b - POINT_B * odd_b;
  out[5] = A2 * B2 * x1 - (A2 + B2) * x3 + x5;
}

ALWAYS void NAMED(output_transform)(vec m0, vec m1, vec m2, vec m3, vec m4, vec m5, vec *out) {
  vec sum_a = m1 + m2, difference_a = m1 - m2, sum_b = m3 + m4, difference_b = m3 - m4;
  out[0] = m0 + sum_a + sum_b;
  out[1] = POINT_A * difference_a + POINT_B * difference_b;
  out[2] = A2 * sum_a + B2 * sum_b;
  out[3] = POINT_A * A2 * difference_a + POINT_B * B2 * difference_b + m5;
}

/* The 36 products' input of one tile and LANES channels, at to[e * spread]. */
ALWAYS void NAMED(tile_in)(const struct step *step, const struct source *from, int channel, int y,
                           int x, float *to, ptrdiff_t spread, int inside) {
  struct NAMED(lazy) lazy = NAMED(lazy_of)(from, channel);
  ptrdiff_t row = (ptrdiff_t)step->in_width * from->channels;
  const float *corner = from->data + y * row + (ptrdiff_t)x * from->channels + channel;
  vec half[36];
#pragma GCC unroll 6
  for (int i = 0; i < 6; i++) {
    vec values[6];
#pragma GCC unroll 6
    for (int j = 0; j < 6; j++) {
      if (inside || ((unsigned)(y + i) < (unsigned)step->in_height &&
                     (unsigned)(x + j) < (unsigned)step->in_width))
        values[j] = NAMED(activate)(LOAD(corner + i * row + j * from->channels), lazy);
      else
        values[j] = (vec){0};
    }
    NAMED(input_transform)(values, 1, half + i * 6);
  }
#pragma GCC unroll 6
  for (int j = 0; j < 6; j++) {
    vec column[6];
    NAMED(input_transform)(half + j, 6, column);
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++) STORE(to + (i * 6 + j) * spread, column[i]);
  }
}

/* Of integers each tile has a unit of its own: it is transformed in `room`, and then rounded. */
static void NAMED(tiles_in)(const struct step *step, int first, int count, float *to,
                            ptrdiff_t spread, float *room, float *units) {
  int across = (step->out_width + 3) / 4, depth = step->depth;
  for (int t = 0; t < count; t++) {
    int y = (first + t) / across * 4 - 1, x = (first + t) % across * 4 - 1;
    int inside = y >= 0 && x >= 0 && y + 6 <= step->in_height && x + 6 <= step->in_width;
    float *into = INTEGERS ? room : to + (ptrdiff_t)t * depth;
    ptrdiff_t apart = INTEGERS ? depth : spread;
    for (int s = 0; s < step->sources; s++) {
      const struct source *from = step->source + s;
      for (int c = 0; c < from->channels; c += LANES, into += LANES)
        if (inside)
          NAMED(tile_in)(step, from, c, y, x, into, apart, 1);
        else
          NAMED(tile_in)(step, from, c, y, x, into, apart, 0);
    }
#if INTEGERS
    units[t] = NAMED(unit_of)(step, room, 36 * depth);
    for (int e = 0; e < 36; e++)
      NAMED(round)(room + e * depth, depth, units[t], to + e * spread + (ptrdiff_t)t * WORDS(depth));
#else
    (void)units;
#endif
  }
}

/* LANES output channels of all tiles of a block, and their moments. */
ALWAYS void NAMED(tiles_out)(const struct step *step, int block, int first, int count, int channel,
                             const float *products, ptrdiff_t spread, int stride,
                             const float *units) {
  int across = (step->out_width + 3) / 4;
  ptrdiff_t row = (ptrdiff_t)step->out_width * step->channels;
  vec bias = LOAD(step->bias + channel);
  struct NAMED(moments) moments = {{0}, {0}, {0}};
  int pixels = 0;
  for (int t = 0; t < count; t++, products += stride) {
    int y = (first + t) / across * 4, x = (first + t) % across * 4;
    int height = step->out_height - y < 4 ? step->out_height - y : 4;
    int width = step->out_width - x < 4 ? step->out_width - x : 4;
    float *to = step->out + y * row + (ptrdiff_t)x * step->channels + channel;
    vec half[24];
#pragma GCC unroll 6
    for (int j = 0; j < 6; j++) {
      vec column[4];
      NAMED(output_transform)(LOAD(products + j * spread), LOAD(products + (6 + j) * spread),
                              LOAD(products + (12 + j) * spread), LOAD(products + (18 + j) * spread),
                              LOAD(products + (24 + j) * spread), LOAD(products + (30 + j) * spread),
                              column);
#pragma GCC unroll 4
      for (int i = 0; i < 4; i++) half[i * 6 + j] = column[i];
    }
    if (t == 0) {
      /* Not of the border, where padding makes it unlike the others. */
      vec values[4];
      const vec *h = half + (height > 1) * 6;
      NAMED(output_transform)(h[0], h[1], h[2], h[3], h[4], h[5], values);
      moments.pivot = INTEGERS ? values[width > 1] * units[t] + bias : values[width > 1] + bias;
    }
    struct NAMED(moments) own = {moments.pivot, {0}, {0}};
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      vec values[4];
      const vec *h = half + i * 6;
      NAMED(output_transform)(h[0], h[1], h[2], h[3], h[4], h[5], values);
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++)
        if (i < height && j < width) {
          vec value = INTEGERS ? values[j] * units[t] + bias : values[j] + bias;
          STORE(to + i * row + j * step->channels, value);
          NAMED(observe)(&own, value);
        }
    }
    moments.sum += own.sum;
    moments.squares += own.squares;
    pixels += height * width;
  }
  if (step->moments) NAMED(keep_moments)(step, block, channel, pixels, moments);
}

ALWAYS void NAMED(winograd_groups)(const struct step *step, int block, int from_group, int to_group,
                                   float *scratch, int vecs, int rows) {
  int tiles = ((step->out_height + 3) / 4) * ((step->out_width + 3) / 4);
  int first = block * step->block, count = tiles - first < step->block ? tiles - first : step->block;
  int padded = (count + rows - 1) / rows * rows, width = vecs * LANES, words = WORDS(step->depth);
  /* Not a power of two, whose multiples would all lie in the same lines of the cache. */
  ptrdiff_t in_spread = (ptrdiff_t)padded * words + 16, out_spread = (ptrdiff_t)padded * width + 16;
  float *in = scratch, *products = in + 36 * in_spread, *units = products + 36 * out_spread;
  NAMED(tiles_in)(step, first, count, in, in_spread, units + padded, units);
  for (int e = 0; e < 36; e++)
    memset(in + e * in_spread + (ptrdiff_t)count * words, 0,
           (size_t)(padded - count) * words * sizeof(float));
  for (int g = from_group; g < to_group; g++) {
    for (int e = 0; e < 36; e++) {
      ptrdiff_t product = (ptrdiff_t)g * 36 + e;
      const float *a = in + e * in_spread, *b = step->weights + product * words * width;
      float *to = products + e * out_spread;
      for (int t = 0; t < padded; t += rows)
        (vecs == 2 ? NAMED(multiply_2) : NAMED(multiply_1))(
            a + (ptrdiff_t)t * words, words, 1, 0, b, words, zeros, NAMED(units_of)(step, product * width),
            to + (ptrdiff_t)t * width);
    }
    for (int v = 0; v < vecs; v++)
      NAMED(tiles_out)(step, block, first, count, g * width + v * LANES, products + v * LANES,
                       out_spread, width, units);
  }
}

static void NAMED(winograd)(const struct step *step, int block, int from_group, int to_group,
                            float *scratch) {
  if (step->vectors == 2)
    NAMED(winograd_groups)(step, block, from_group, to_group, scratch, 2, ROWS_OF_2);
  else
    NAMED(winograd_groups)(step, block, from_group, to_group, scratch, 1, ROWS_OF_1);
}
