/* Other convolutions: matrix products over pixels. */

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

ALWAYS void NAMED(direct_groups)(const struct step *step, int block, int from_group, int to_group,
                                 float *scratch, int vecs, int rows) {
  int across = (step->out_width + step->block - 1) / step->block;
  int y = block / across, x = block % across * step->block;
  int count = step->out_width - x < step->block ? step->out_width - x : step->block;
  int padded = (count + rows - 1) / rows * rows, width = vecs * LANES, words = WORDS(step->depth);
  int columns = (padded - 1) * step->stride_width + step->kernel_width;
  NAMED(window)(step, y * step->stride_height - step->pad_height,
                x * step->stride_width - step->pad_width, step->kernel_height, columns, scratch);
  float unit = NAMED(block_in)(step, scratch, (ptrdiff_t)step->kernel_height * columns * step->depth);
  for (int g = from_group; g < to_group; g++) {
    const float *weights =
        step->weights +
        (ptrdiff_t)g * step->kernel_height * step->kernel_width * words * width;
    float units[2 * LANES];
    NAMED(units_of_products)(step, (ptrdiff_t)g * width, unit, units, vecs);
    struct NAMED(moments) moments[2] = {{{0}, {0}, {0}}, {{0}, {0}, {0}}};
    for (int t = 0; t < padded; t += rows) {
      float values[24 * LANES];
      /* The columns of a kernel's row lie side by side. */
      (vecs == 2 ? NAMED(multiply_2) : NAMED(multiply_1))(
          scratch + (ptrdiff_t)t * step->stride_width * words,
          (ptrdiff_t)step->stride_width * words, step->kernel_height, (ptrdiff_t)columns * words,
          weights, step->kernel_width * words, step->bias + g * width, units, values);
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

static void NAMED(direct)(const struct step *step, int block, int from_group, int to_group,
                          float *scratch) {
  if (step->vectors == 2)
    NAMED(direct_groups)(step, block, from_group, to_group, scratch, 2, ROWS_OF_2);
  else
    NAMED(direct_groups)(step, block, from_group, to_group, scratch, 1, ROWS_OF_1);
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
ALWAYS void NAMED(pointwise_groups)(const struct step *step, int block, int from_group, int to_group,
                                    float *scratch, int vecs, int rows) {
  int across = (step->in_width + step->block - 1) / step->block;
  int y = block / across, x = block % across * step->block;
  int count = step->in_width - x < step->block ? step->in_width - x : step->block;
  int padded = (count + rows - 1) / rows * rows, width = vecs * LANES, words = WORDS(step->depth);
  int taps = step->kernel_height * step->kernel_width;
  NAMED(window)(step, y, x, 1, padded, scratch);
  float unit = NAMED(block_in)(step, scratch, (ptrdiff_t)padded * step->depth);
  for (int g = from_group; g < to_group; g++)
    for (int tap = 0; tap < taps; tap++) {
      ptrdiff_t product = (ptrdiff_t)g * taps + tap;
      const float *b = step->weights + product * words * width;
      float units[2 * LANES];
      NAMED(units_of_products)(step, product * width, unit, units, vecs);
      for (int t = 0; t < padded; t += rows) {
        float values[24 * LANES];
        (vecs == 2 ? NAMED(multiply_2) : NAMED(multiply_1))(
            scratch + (ptrdiff_t)t * words, words, 1, 0, b, words, step->bias + g * width, units,
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

static void NAMED(pointwise)(const struct step *step, int block, int from_group, int to_group,
                             float *scratch) {
  if (step->vectors == 2)
    NAMED(pointwise_groups)(step, block, from_group, to_group, scratch, 2, ROWS_OF_2);
  else
    NAMED(pointwise_groups)(step, block, from_group, to_group, scratch, 1, ROWS_OF_1);
}
