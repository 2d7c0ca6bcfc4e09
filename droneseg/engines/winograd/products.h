/* Matrix products, of floats or of integers of 16 bits. */

#if INTEGERS
typedef __m512i NAMED(factors);

ALWAYS NAMED(factors) NAMED(begin)(const float *initial) {
  (void)initial;
  return _mm512_setzero_si512();
}

ALWAYS NAMED(factors) NAMED(spread)(const float *of) { return _mm512_set1_epi32(*(const word *)of); }

/* GCC would copy the sum before and after the intrinsic of it. */
ALWAYS void NAMED(add)(NAMED(factors) *sum, NAMED(factors) a, NAMED(factors) b) {
  __asm__("vpdpwssd %2, %1, %0" : "+v"(*sum) : "v"(a), "v"(b));
}

ALWAYS vec NAMED(end)(NAMED(factors) sum, const float *initial, const float *units) {
  return (vec)_mm512_cvtepi32_ps(sum) * LOAD(units) + LOAD(initial);
}
#else
typedef vec NAMED(factors);

ALWAYS NAMED(factors) NAMED(begin)(const float *initial) { return LOAD(initial); }

ALWAYS NAMED(factors) NAMED(spread)(const float *of) { return SPREAD(*of); }

ALWAYS void NAMED(add)(NAMED(factors) *sum, NAMED(factors) a, NAMED(factors) b) { *sum += a * b; }

ALWAYS vec NAMED(end)(NAMED(factors) sum, const float *initial, const float *units) {
  (void)initial, (void)units;
  return sum;
}
#endif

/* to[rows][vecs * LANES] = initial + the sum over runs of a[rows][words] b[words][vecs * LANES], of
 * integers times units. The rows of a lie `stride` apart, its runs `run`; those of b follow each
 * other. */
ALWAYS void NAMED(multiply)(const float *a, ptrdiff_t stride, int runs, ptrdiff_t run,
                            const float *b, int words, const float *initial, const float *units,
                            float *to, int rows, int vecs) {
  NAMED(factors) sums[24];
#pragma GCC unroll 24
  for (int i = 0; i < rows * vecs; i++) sums[i] = NAMED(begin)(initial + i % vecs * LANES);
  for (int i = 0; i < runs; i++, a += run)
    for (int c = 0; c < words; c++, b += vecs * LANES) {
      NAMED(factors) columns[2];
#pragma GCC unroll 2
      for (int v = 0; v < vecs; v++) columns[v] = (NAMED(factors))LOAD(b + v * LANES);
#pragma GCC unroll 24
      for (int r = 0; r < rows; r++) {
        NAMED(factors) value = NAMED(spread)(a + r * stride + c);
#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++) NAMED(add)(&sums[r * vecs + v], value, columns[v]);
      }
    }
#pragma GCC unroll 24
  for (int i = 0; i < rows * vecs; i++)
    STORE(to + i * LANES,
          NAMED(end)(sums[i], initial + i % vecs * LANES, units + i % vecs * LANES));
}

/* By themselves, as the compiler would not keep all in registers among other code. */
static __attribute__((noinline)) void NAMED(multiply_1)(const float *a, ptrdiff_t stride, int runs,
                                                        ptrdiff_t run, const float *b, int words,
                                                        const float *initial, const float *units,
                                                        float *to) {
  NAMED(multiply)(a, stride, runs, run, b, words, initial, units, to, ROWS_OF_1, 1);
}

static __attribute__((noinline)) void NAMED(multiply_2)(const float *a, ptrdiff_t stride, int runs,
                                                        ptrdiff_t run, const float *b, int words,
                                                        const float *initial, const float *units,
                                                        float *to) {
  NAMED(multiply)(a, stride, runs, run, b, words, initial, units, to, ROWS_OF_2, 2);
}

/* ---- from floats to what is multiplied ---- */

#if INTEGERS
/* What 1 stands for if the largest of the floats is to be the largest integer. Not a number if one
 * of them is not: of their bits these have the largest. */
static float NAMED(unit_of)(const struct step *step, const float *values, ptrdiff_t count) {
  __m512i most = _mm512_setzero_si512();
  for (ptrdiff_t i = 0; i < count; i += LANES)
    most = _mm512_max_epu32(most, _mm512_castps_si512(_mm512_abs_ps((__m512)LOAD(values + i))));
  unsigned bits = _mm512_reduce_max_epu32(most);
  float largest;
  memcpy(&largest, &bits, sizeof largest);
  return largest / step->largest;
}

/* `to` may be `values` itself. */
ALWAYS void NAMED(round)(const float *values, ptrdiff_t count, float unit, float *to) {
  vec factor = SPREAD(unit > 0 ? 1 / unit : 0);
  for (ptrdiff_t i = 0; i < count; i += LANES) {
    __m512i whole = _mm512_cvtps_epi32((__m512)(LOAD(values + i) * factor));
    _mm256_storeu_si256((__m256i *)(to + i / 2), _mm512_cvtepi32_epi16(whole));
  }
}
#endif

/* Turn the input of a block into factors, where it lies; what 1 of them stands for. */
ALWAYS float NAMED(block_in)(const struct step *step, float *values, ptrdiff_t count) {
#if INTEGERS
  float unit = NAMED(unit_of)(step, values, count);
  NAMED(round)(values, count, unit, values);
  return unit;
#else
  (void)step, (void)values, (void)count;
  return 1;
#endif
}

/* What 1 of the weights of some products stands for; of floats anything. */
ALWAYS const float *NAMED(units_of)(const struct step *step, ptrdiff_t first) {
  return INTEGERS ? step->units + first : zeros;
}

/* What 1 of a block's products stands for. */
ALWAYS void NAMED(units_of_products)(const struct step *step, ptrdiff_t first, float unit, float *to,
                                     int vecs) {
  const float *of_weights = NAMED(units_of)(step, first);
  for (int v = 0; v < vecs; v++) STORE(to + v * LANES, LOAD(of_weights + v * LANES) * unit);
}
