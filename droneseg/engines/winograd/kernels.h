/* The steps' arithmetic for vectors of LANES floats; winograd.c includes this once for each VARIANT.
 *
 * Where INTEGERS is 1, what is multiplied are integers of 16 bits: all of a block's input, or of a
 * tile's, has one scale. Sums are whole, so that nothing but the rounding of both factors is lost.
 *
 * A step's work is cut into blocks of pixels and groups of output channels, which any thread may
 * take: what a block adds to the moments of a norm does not depend on who computes it.
 */
#include "vectors.h"
#include "lazy.h"
#include "products.h"
#include "moments.h"
#include "tiles.h"
#include "pixels.h"
#include "sums.h"

static void NAMED(compute)(const struct step *step, int block, int from_group, int to_group,
                           float *scratch) {
  switch (step->kind) {
    case WINOGRAD:
      NAMED(winograd)(step, block, from_group, to_group, scratch);
      break;
    case DIRECT:
      NAMED(direct)(step, block, from_group, to_group, scratch);
      break;
    case TRANSPOSED:
    case HEAD:
      NAMED(pointwise)(step, block, from_group, to_group, scratch);
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
