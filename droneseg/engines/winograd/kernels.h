/* The steps' arithmetic for vectors of LANES floats; winograd.c includes this once for each VARIANT.
 *
 * Where INTEGERS is 1, what is multiplied are integers of 16 bits: all of a block's input, or of a
 * tile's, has one scale. Sums are whole, so that nothing but the rounding of both factors is lost.
 *
 * A step's work is cut into blocks of pixels and groups of output channels, which any thread may
 * take: what a block adds to the moments of a norm does not depend on who computes it.
 */
#define PASTE_(name, variant) name##_##variant
#define PASTE(name, variant) PASTE_(name, variant)
#define NAMED(name) PASTE(name, VARIANT)
#define ALWAYS static inline __attribute__((always_inline))

typedef float NAMED(vec) __attribute__((vector_size(LANES * 4)));
typedef float NAMED(loose) __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
#define vec NAMED(vec)
#define loose NAMED(loose)
#define LOAD(from) ((vec) * (const loose *)(from))
#define STORE(to, value) (*(loose *)(to) = (loose)(value))
#if LANES == 16
#define MAX(a, b) ((vec)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define SPREAD(value) ((vec)_mm512_set1_ps(value))
#define ROWS_OF_1 24
#define ROWS_OF_2 12
#else
#define MAX(a, b) ((vec)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define SPREAD(value) ((vec)_mm256_set1_ps(value))
#define ROWS_OF_1 12
#define ROWS_OF_2 6
#endif
/* Factors of a product lie in words of 4 bytes: a float, or two integers of channels side by side. */
#if INTEGERS
#define WORDS(channels) ((channels) / 2)
#else
#define WORDS(channels) (channels)
#endif

/* ---- normalisation and activation of what a step reads ---- */

struct NAMED(lazy) {
  vec scale, shift, slope;
};

ALWAYS struct NAMED(lazy) NAMED(lazy_of)(const struct source *from, int channel) {
  struct NAMED(lazy) lazy;
  lazy.scale = LOAD(from->scale + channel);
  lazy.shift = LOAD(from->shift + channel);
  lazy.slope = SPREAD(from->slope);
  return lazy;
}

ALWAYS vec NAMED(activate)(vec value, struct NAMED(lazy) lazy) {
  value = value * lazy.scale + lazy.shift;
  return MAX(value, value * lazy.slope);
}

/* ---- matrix products ---- */

/* to[rows][vecs * LANES] = initial + scale * the sum over runs of a[rows][words] b[words][vecs *
 * LANES]. The rows of a lie `stride` apart, its runs `run`; those of b follow each other. Floats are
 * not scaled. */
#if INTEGERS
ALWAYS void NAMED(multiply)(const float *a, ptrdiff_t stride, int runs, ptrdiff_t run,
                            const float *b, int words, const float *initial, const float *scale,
                            float *to, int rows, int vecs) {
  __m512i acc[24];
#pragma GCC unroll 24
  for (int i = 0; i < rows * vecs; i++) acc[i] = _mm512_setzero_si512();
  for (int i = 0; i < runs; i++, a += run)
    for (int c = 0; c < words; c++, b += vecs * LANES) {
      __m512i columns[2];
#pragma GCC unroll 2
      for (int v = 0; v < vecs; v++) columns[v] = _mm512_loadu_si512(b + v * LANES);
#pragma GCC unroll 24
      for (int r = 0; r < rows; r++) {
        __m512i pairs = _mm512_set1_epi32(((const word *)a)[r * stride + c]);
#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++)
          __asm__("vpdpwssd %2, %1, %0" : "+v"(acc[r * vecs + v]) : "v"(pairs), "v"(columns[v]));
      }
    }
#pragma GCC unroll 24
  for (int i = 0; i < rows * vecs; i++)
    STORE(to + i * LANES, (vec)_mm512_cvtepi32_ps(acc[i]) * LOAD(scale + i % vecs * LANES) +
                              LOAD(initial + i % vecs * LANES));
}
#else
ALWAYS void NAMED(multiply)(const float *a, ptrdiff_t stride, int runs, ptrdiff_t run,
                            const float *b, int words, const float *initial, const float *scale,
                            float *to, int rows, int vecs) {
  (void)scale;
  vec acc[24];
#pragma GCC unroll 24
  for (int i = 0; i < rows * vecs; i++) acc[i] = LOAD(initial + i % vecs * LANES);
  for (int i = 0; i < runs; i++, a += run)
    for (int c = 0; c < words; c++, b += vecs * LANES) {
      vec columns[2];
#pragma GCC unroll 2
      for (int v = 0; v < vecs; v++) columns[v] = LOAD(b + v * LANES);
#pragma GCC unroll 24
      for (int r = 0; r < rows; r++) {
        vec value = SPREAD(a[r * stride + c]);
#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++) acc[r * vecs + v] += value * columns[v];
      }
    }
#pragma GCC unroll 24
  for (int i = 0; i < rows * vecs; i++) STORE(to + i * LANES, acc[i]);
}
#endif

/* By themselves, as the compiler would not keep all in registers among other code. */
static __attribute__((noinline)) void NAMED(multiply_1)(const float *a, ptrdiff_t stride, int runs,
                                                        ptrdiff_t run, const float *b, int words,
                                                        const float *initial, const float *scale,
                                                        float *to) {
  NAMED(multiply)(a, stride, runs, run, b, words, initial, scale, to, ROWS_OF_1, 1);
}

static __attribute__((noinline)) void NAMED(multiply_2)(const float *a, ptrdiff_t stride, int runs,
                                                        ptrdiff_t run, const float *b, int words,
                                                        const float *initial, const float *scale,
                                                        float *to) {
  NAMED(multiply)(a, stride, runs, run, b, words, initial, scale, to, ROWS_OF_2, 2);
}

/* ---- from floats to what is multiplied ---- */

#if INTEGERS
/* What 1 stands for, so that the largest of the floats is the largest integer. */
static float NAMED(size_of)(const struct step *step, const float *values, ptrdiff_t count) {
  __m512 most = _mm512_setzero_ps();
  for (ptrdiff_t i = 0; i < count; i += LANES)
    most = _mm512_max_ps(most, _mm512_abs_ps((__m512)LOAD(values + i)));
  return _mm512_reduce_max_ps(most) / step->largest;
}

/* `to` may be `values` itself. */
ALWAYS void NAMED(round)(const float *values, ptrdiff_t count, float size, float *to) {
  vec factor = SPREAD(size > 0 ? 1 / size : 0);
  for (ptrdiff_t i = 0; i < count; i += LANES) {
    __m512i whole = _mm512_cvtps_epi32((__m512)(LOAD(values + i) * factor));
    _mm256_storeu_si256((__m256i *)(to + i / 2), _mm512_cvtepi32_epi16(whole));
  }
}
#endif

/* The input of a block, where it lies; what an integer stands for. */
ALWAYS float NAMED(factors)(const struct step *step, float *values, ptrdiff_t count) {
#if INTEGERS
  float size = NAMED(size_of)(step, values, count);
  NAMED(round)(values, count, size, values);
  return size;
#else
  (void)step, (void)values, (void)count;
  return 1;
#endif
}

/* Of the products with some of the weights, whose own scales are given. */
ALWAYS void NAMED(scales)(const float *of_weights, float size, float *to, int vecs) {
  if (INTEGERS)
    for (int v = 0; v < vecs; v++) STORE(to + v * LANES, LOAD(of_weights + v * LANES) * size);
}

/* ---- statistics of a norm ---- */

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

/* ---- convolutions of 3 x 3 by Winograd's F(4 x 4, 3 x 3) ---- */

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

/* Integers are made of one tile after the other, which is in `room` before; of `sizes` each has one. */
static void NAMED(tiles_in)(const struct step *step, int first, int count, float *to,
                            ptrdiff_t spread, float *room, float *sizes) {
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
    sizes[t] = NAMED(size_of)(step, room, 36 * depth);
    for (int e = 0; e < 36; e++)
      NAMED(round)(room + e * depth, depth, sizes[t], to + e * spread + (ptrdiff_t)t * WORDS(depth));
#else
    (void)sizes;
#endif
  }
}

/* LANES output channels of all tiles of a block, and their moments. */
ALWAYS void NAMED(tiles_out)(const struct step *step, int block, int first, int count, int channel,
                             const float *products, ptrdiff_t spread, int stride,
                             const float *sizes) {
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
      moments.pivot = INTEGERS ? values[width > 1] * sizes[t] + bias : values[width > 1] + bias;
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
          vec value = INTEGERS ? values[j] * sizes[t] + bias : values[j] + bias;
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

ALWAYS void NAMED(winograd_groups)(const struct step *step, int block, int group, int groups,
                                   float *scratch, int vecs, int rows) {
  int tiles = ((step->out_height + 3) / 4) * ((step->out_width + 3) / 4);
  int first = block * step->block, count = tiles - first < step->block ? tiles - first : step->block;
  int padded = (count + rows - 1) / rows * rows, width = vecs * LANES, words = WORDS(step->depth);
  /* Not a power of two, whose multiples would all lie in the same lines of the cache. */
  ptrdiff_t in_spread = (ptrdiff_t)padded * words + 16, out_spread = (ptrdiff_t)padded * width + 16;
  float *in = scratch, *products = in + 36 * in_spread, *sizes = products + 36 * out_spread;
  NAMED(tiles_in)(step, first, count, in, in_spread, sizes + padded, sizes);
  for (int e = 0; e < 36; e++)
    memset(in + e * in_spread + (ptrdiff_t)count * words, 0,
           (size_t)(padded - count) * words * sizeof(float));
  for (int g = group; g < groups; g++) {
    for (int e = 0; e < 36; e++) {
      ptrdiff_t product = (ptrdiff_t)g * 36 + e;
      const float *a = in + e * in_spread, *b = step->weights + product * words * width;
      float *to = products + e * out_spread;
      for (int t = 0; t < padded; t += rows)
        (vecs == 2 ? NAMED(multiply_2) : NAMED(multiply_1))(
            a + (ptrdiff_t)t * words, words, 1, 0, b, words, zeros, step->scales + product * width,
            to + (ptrdiff_t)t * width);
    }
    for (int v = 0; v < vecs; v++)
      NAMED(tiles_out)(step, block, first, count, g * width + v * LANES, products + v * LANES,
                       out_spread, width, sizes);
  }
}

static void NAMED(winograd)(const struct step *step, int block, int group, int groups,
                            float *scratch) {
  if (step->vectors == 2)
    NAMED(winograd_groups)(step, block, group, groups, scratch, 2, ROWS_OF_2);
  else
    NAMED(winograd_groups)(step, block, group, groups, scratch, 1, ROWS_OF_1);
}

/* ---- other convolutions ---- */

/* Pixels of a row of the tile, mirrored or not, from x + left to x + right. */
static void NAMED(pixels_of_tile)(const struct step *step, int y, int x, int left, int right,
                                  float *to) {
  ptrdiff_t size = (ptrdiff_t)step->in_height * step->in_width, depth = step->depth;
  ptrdiff_t first = (ptrdiff_t)(step->mirror_rows ? step->in_height - 1 - y : y) * step->in_width;
  for (int c = 0; c < depth; c++) {
    const float *row = step->source[0].data + c * size + first;
    if (step->mirror_columns)
      for (int j = left; j < right; j++) to[j * depth + c] = row[step->in_width - 1 - x - j];
    else
      for (int j = left; j < right; j++) to[j * depth + c] = row[x + j];
  }
}

/* Pixels [rows][columns][depth] of the input, activated, with zeros around it. */
static void NAMED(window)(const struct step *step, int y, int x, int rows, int columns, float *to) {
  ptrdiff_t depth = step->depth, row = columns * depth;
  int left = x < 0 ? -x : 0, right = columns < step->in_width - x ? columns : step->in_width - x;
  for (int i = 0; i < rows; i++, to += row) {
    if ((unsigned)(y + i) >= (unsigned)step->in_height) {
      memset(to, 0, row * sizeof(float));
      continue;
    }
    memset(to, 0, left * depth * sizeof(float));
    memset(to + right * depth, 0, (columns - right) * depth * sizeof(float));
    if (step->planar) {
      NAMED(pixels_of_tile)(step, y + i, x, left, right, to);
      continue;
    }
    ptrdiff_t first = (ptrdiff_t)(y + i) * step->in_width + x;
    float *into = to;
    for (int s = 0; s < step->sources; s++) {
      const struct source *from = step->source + s;
      for (int c = 0; c < from->channels; c += LANES, into += LANES) {
        struct NAMED(lazy) lazy = NAMED(lazy_of)(from, c);
        const float *pixels = from->data + first * from->channels + c;
        for (int j = left; j < right; j++)
          STORE(into + j * depth,
                NAMED(activate)(LOAD(pixels + (ptrdiff_t)j * from->channels), lazy));
      }
    }
  }
}

ALWAYS void NAMED(direct_groups)(const struct step *step, int block, int group, int groups,
                                 float *scratch, int vecs, int rows) {
  int across = (step->out_width + step->block - 1) / step->block;
  int y = block / across, x = block % across * step->block;
  int count = step->out_width - x < step->block ? step->out_width - x : step->block;
  int padded = (count + rows - 1) / rows * rows, width = vecs * LANES, words = WORDS(step->depth);
  int columns = (padded - 1) * step->stride_width + step->kernel_width;
  NAMED(window)(step, y * step->stride_height - step->pad_height,
                x * step->stride_width - step->pad_width, step->kernel_height, columns, scratch);
  float size = NAMED(factors)(step, scratch, (ptrdiff_t)step->kernel_height * columns * step->depth);
  for (int g = group; g < groups; g++) {
    const float *weights =
        step->weights +
        (ptrdiff_t)g * step->kernel_height * step->kernel_width * words * width;
    float scales[2 * LANES];
    NAMED(scales)(step->scales + g * width, size, scales, vecs);
    struct NAMED(moments) moments[2] = {{{0}, {0}, {0}}, {{0}, {0}, {0}}};
    for (int t = 0; t < padded; t += rows) {
      float values[24 * LANES];
      /* The columns of a kernel's row lie side by side. */
      (vecs == 2 ? NAMED(multiply_2) : NAMED(multiply_1))(
          scratch + (ptrdiff_t)t * step->stride_width * words,
          (ptrdiff_t)step->stride_width * words, step->kernel_height, (ptrdiff_t)columns * words,
          weights, step->kernel_width * words, step->bias + g * width, scales, values);
      if (t == 0)
        for (int v = 0; v < vecs; v++)
          moments[v].pivot = LOAD(values + ((count > 1) * vecs + v) * LANES);
      float *to = step->out +
                  ((ptrdiff_t)y * step->out_width + x + t) * step->channels + g * width;
#pragma GCC unroll 24
      for (int i = 0; i < rows * vecs; i++)
        if (t + i / vecs < count) {
          vec value = LOAD(values + i * LANES);
          STORE(to + i / vecs * step->channels + i % vecs * LANES, value);
          NAMED(observe)(&moments[i % vecs], value);
        }
    }
    if (step->moments)
      for (int v = 0; v < vecs; v++)
        NAMED(keep_moments)(step, block, g * width + v * LANES, count, moments[v]);
  }
}

static void NAMED(direct)(const struct step *step, int block, int group, int groups,
                          float *scratch) {
  if (step->vectors == 2)
    NAMED(direct_groups)(step, block, group, groups, scratch, 2, ROWS_OF_2);
  else
    NAMED(direct_groups)(step, block, group, groups, scratch, 1, ROWS_OF_1);
}

/* Logits of pixels side by side, of some heads, into their planes. */
static void NAMED(logits)(const struct step *step, int y, int x, int count, int head, int heads,
                          const float *values, int width) {
  ptrdiff_t plane = (ptrdiff_t)step->out_height * step->out_width;
  ptrdiff_t row = step->mirror_rows ? step->out_height - 1 - y : y;
  int column = step->mirror_columns ? step->out_width - 1 - x : x;
  int forward = step->mirror_columns ? -1 : 1;
  for (int k = 0; k < heads; k++) {
    float *to = step->out + (head + k) * plane + row * step->out_width + column;
    if (step->adds)
      for (int r = 0; r < count; r++) to[r * forward] += values[r * width + k];
    else
      for (int r = 0; r < count; r++) to[r * forward] = values[r * width + k];
  }
}

/* A transposed convolution whose kernel is its stride, or the head: each pixel by itself. A pixel
 * becomes kernel_height x kernel_width ones, or a column of planes. */
ALWAYS void NAMED(pointwise_groups)(const struct step *step, int block, int group, int groups,
                                    float *scratch, int vecs, int rows) {
  int across = (step->in_width + step->block - 1) / step->block;
  int y = block / across, x = block % across * step->block;
  int count = step->in_width - x < step->block ? step->in_width - x : step->block;
  int padded = (count + rows - 1) / rows * rows, width = vecs * LANES, words = WORDS(step->depth);
  int taps = step->kernel_height * step->kernel_width;
  NAMED(window)(step, y, x, 1, padded, scratch);
  float size = NAMED(factors)(step, scratch, (ptrdiff_t)padded * step->depth);
  for (int g = group; g < groups; g++)
    for (int tap = 0; tap < taps; tap++) {
      ptrdiff_t product = (ptrdiff_t)g * taps + tap;
      const float *b = step->weights + product * words * width;
      float scales[2 * LANES];
      NAMED(scales)(step->scales + product * width, size, scales, vecs);
      for (int t = 0; t < padded; t += rows) {
        float values[24 * LANES];
        (vecs == 2 ? NAMED(multiply_2) : NAMED(multiply_1))(
            scratch + (ptrdiff_t)t * words, words, 1, 0, b, words, step->bias + g * width, scales,
            values);
        if (step->kind == HEAD) {
          int heads = step->heads - g * width < width ? step->heads - g * width : width;
          NAMED(logits)(step, y, x + t, count - t < rows ? count - t : rows, g * width, heads,
                        values, width);
          continue;
        }
        float *to = step->out +
                    ((ptrdiff_t)(y * step->kernel_height + tap / step->kernel_width) *
                         step->out_width +
                     (x + t) * step->kernel_width + tap % step->kernel_width) *
                        step->channels +
                    g * width;
#pragma GCC unroll 24
        for (int i = 0; i < rows * vecs; i++)
          if (t + i / vecs < count)
            STORE(to + (ptrdiff_t)(i / vecs) * step->kernel_width * step->channels +
                      i % vecs * LANES,
                  LOAD(values + i * LANES));
      }
    }
}

static void NAMED(pointwise)(const struct step *step, int block, int group, int groups,
                             float *scratch) {
  if (step->vectors == 2)
    NAMED(pointwise_groups)(step, block, group, groups, scratch, 2, ROWS_OF_2);
  else
    NAMED(pointwise_groups)(step, block, group, groups, scratch, 1, ROWS_OF_1);
}

/* ---- sums and averages ---- */

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

static void NAMED(compute)(const struct step *step, int block, int group, int groups,
                           float *scratch) {
  switch (step->kind) {
    case WINOGRAD:
      NAMED(winograd)(step, block, group, groups, scratch);
      break;
    case DIRECT:
      NAMED(direct)(step, block, group, groups, scratch);
      break;
    case TRANSPOSED:
    case HEAD:
      NAMED(pointwise)(step, block, group, groups, scratch);
      break;
    case SUM:
      NAMED(row)(step, block);
      break;
  }
}

#undef A2
#undef B2
#undef MAX
#undef SPREAD
#undef ROWS_OF_1
#undef ROWS_OF_2
#undef WORDS
#undef STORE
#undef LOAD
#undef loose
#undef vec
#undef ALWAYS
#undef NAMED
#undef PASTE
#undef PASTE_
