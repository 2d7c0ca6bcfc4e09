/* A network as a list of steps over images [height][width][channels], by several threads.
 *
 * A convolution writes what it gives, and the moments that its norm needs; norm and activation are
 * applied by whoever reads that. So nothing goes through memory for them.
 */
#include <immintrin.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>

enum kind { WINOGRAD, DIRECT, TRANSPOSED, HEAD, SUM };

/* What a step reads, [height][width][channels]: max(v, slope * v) of v = data * scale + shift. */
struct source {
  const float *data;
  const float *scale;
  const float *shift;
  float slope;
  int32_t channels; /* in memory: a multiple of 16, but for the tile's */
};

/* library.py has the same fields. Its work is blocks x groups, which are computed in any order. */
struct step {
  int32_t kind;
  int32_t planar; /* whether the source is the tile, [depth][height][width] */
  int32_t sources;
  int32_t depth; /* channels of all sources, which a convolution sees side by side */
  struct source source[2];
  int32_t in_height, in_width, out_height, out_width;
  int32_t channels; /* of the output */
  int32_t heads;    /* planes of the logits, which are not padded */
  int32_t vectors;  /* in a group of output channels: 1 or 2 */
  int32_t kernel_height, kernel_width, stride_height, stride_width, pad_height, pad_width;
  int32_t block;  /* tiles of 4 x 4 pixels, or pixels of a row, that are computed together */
  int32_t blocks; /* of the image */
  int32_t splits; /* parts of the groups, which threads take by themselves */
  int32_t adds;   /* whether to add to the logits that are there */
  /* Whether the tile is read, and the logits are written, from the last row or column on. */
  int32_t mirror_rows, mirror_columns;
  /* [groups][kernel, or 36][depth][vectors * LANES]; of integers two channels lie side by side. */
  const float *weights;
  /* What 1 of the weights stands for, [groups][products][vectors * LANES]: 36 of WINOGRAD, each of a
   * TRANSPOSED kernel, or 1. Null if the weights are floats. */
  const float *units;
  const float *bias;
  float *out; /* [height][width][channels], or the logits, [heads][height][width] */
  /* Of the output's InstanceNormalization, whose scale and shift readers apply; or null. */
  double *moments;       /* [blocks + 1][mean, sum of squared deviations][channels]; the last: all */
  const int32_t *counts; /* pixels of each block */
  const float *gamma, *beta;
  float *scale, *shift;
  double epsilon;
  float largest; /* integer of the input: no sum is then beyond 32 bits */
};

/* Points at which a kernel is looked at: 0, +-A, +-B and infinity; as in weights.py. */
#define POINT_A 0.75f
#define POINT_B 1.5f

/* A float, or two integers of 16 bits. */
typedef int32_t __attribute__((may_alias)) word;

static const float zeros[32];

#ifdef __clang__
#define FOR(instructions) \
  _Pragma(STRING(clang attribute push(__attribute__((target(instructions))), apply_to = function)))
#define END _Pragma("clang attribute pop")
#else
#define FOR(instructions) _Pragma("GCC push_options") _Pragma(STRING(GCC target(instructions)))
#define END _Pragma("GCC pop_options")
#endif
#define STRING(text) #text

/* To be raised with every change of the points, the rows of products, or the weights' order; as in
 * library.py. */
#define VERSION 2

#define LANES 16
#define INTEGERS 0
#define VARIANT avx512
FOR("avx512f,fma")
#include "kernels.h"
END
#undef VARIANT
#undef INTEGERS

#define INTEGERS 1
#define VARIANT vnni
FOR("avx512f,avx512vnni,fma")
#include "kernels.h"
END
#undef VARIANT
#undef INTEGERS
#undef LANES

#define LANES 8
#define INTEGERS 0
#define VARIANT avx2
FOR("avx2,fma")
#include "kernels.h"
END
#undef VARIANT
#undef INTEGERS
#undef LANES

/* Mean and variance of all blocks become the scale and shift of whoever reads the output. */
static void finish(const struct step *step) {
  if (!step->moments) return;
  int channels = step->channels;
  double *totals = step->moments + (ptrdiff_t)step->blocks * 2 * channels, *squares = totals + channels;
  double count = 0;
  memset(totals, 0, 2 * channels * sizeof(double));
  for (int b = 0; b < step->blocks; b++) {
    const double *means = step->moments + (ptrdiff_t)b * 2 * channels;
    count += step->counts[b];
    for (int k = 0; k < channels; k++) totals[k] += step->counts[b] * means[k];
  }
  for (int k = 0; k < channels; k++) totals[k] /= count;
  for (int b = 0; b < step->blocks; b++) {
    const double *means = step->moments + (ptrdiff_t)b * 2 * channels;
    for (int k = 0; k < channels; k++) {
      double off = means[k] - totals[k];
      squares[k] += means[channels + k] + step->counts[b] * off * off;
    }
  }
  for (int k = 0; k < channels; k++) {
    double scale = step->gamma[k] / sqrt(squares[k] / count + step->epsilon);
    step->scale[k] = (float)scale;
    step->shift[k] = (float)(step->beta[k] - totals[k] * scale);
  }
}

struct crew {
  pthread_t *threads;
  int count;
  int lanes;
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  int stop;
  unsigned generation; /* of the work below */
  struct step *steps;
  int steps_count;
  atomic_int next;     /* part of the current step */
  atomic_int arrived;
  atomic_int step;     /* that is computed now */
  atomic_int leaving;
};

struct member {
  struct crew *crew;
  float *scratch;
};

static void work(struct crew *crew, float *scratch) {
  for (int index = 0; index < crew->steps_count; index++) {
    const struct step *step = crew->steps + index;
    int width = step->vectors * crew->lanes;
    int groups = (step->channels + width - 1) / width;
    int parts = step->blocks * step->splits, part;
    while ((part = atomic_fetch_add(&crew->next, 1)) < parts) {
      int split = part / step->blocks;
      int from = groups * split / step->splits, to = groups * (split + 1) / step->splits;
      if (step->units)
        compute_vnni(step, part % step->blocks, from, to, scratch);
      else if (crew->lanes == 16)
        compute_avx512(step, part % step->blocks, from, to, scratch);
      else
        compute_avx2(step, part % step->blocks, from, to, scratch);
    }
    if (atomic_fetch_add(&crew->arrived, 1) == crew->count - 1) {
      finish(step);
      atomic_store(&crew->next, 0);
      atomic_store(&crew->arrived, 0);
      atomic_store(&crew->step, index + 1);
    } else {
      for (int spins = 0; atomic_load(&crew->step) != index + 1;)
        if (spins < 1000)
          spins++, _mm_pause();
        else
          sched_yield();
    }
  }
}

static void *serve(void *argument) {
  struct member *member = argument;
  struct crew *crew = member->crew;
  unsigned seen = 0;
  for (;;) {
    pthread_mutex_lock(&crew->mutex);
    while (!crew->stop && crew->generation == seen) pthread_cond_wait(&crew->wake, &crew->mutex);
    seen = crew->generation;
    int stop = crew->stop;
    pthread_mutex_unlock(&crew->mutex);
    if (stop) break;
    work(crew, member->scratch);
    atomic_fetch_add(&crew->leaving, 1);
  }
  free(member->scratch);
  free(member);
  return NULL;
}

void winograd_free(struct crew *crew);

int winograd_version(void) { return VERSION; }

int winograd_step_bytes(void) { return sizeof(struct step); }

/* Threads, the caller's among them, with memory of their own. Null if they cannot be had. */
struct crew *winograd_new(int threads, int lanes, int64_t scratch_bytes) {
  struct crew *crew = calloc(1, sizeof *crew);
  if (!crew) return NULL;
  pthread_mutex_init(&crew->mutex, NULL);
  pthread_cond_init(&crew->wake, NULL);
  crew->lanes = lanes;
  crew->threads = calloc(threads, sizeof *crew->threads);
  crew->count = 1;
  if (!crew->threads) {
    winograd_free(crew);
    return NULL;
  }
  while (crew->count < threads) {
    struct member *member = malloc(sizeof *member);
    float *scratch = aligned_alloc(64, scratch_bytes);
    if (member && scratch) {
      *member = (struct member){crew, scratch};
      if (!pthread_create(crew->threads + crew->count, NULL, serve, member)) {
        crew->count++;
        continue;
      }
    }
    free(member);
    free(scratch);
    winograd_free(crew);
    return NULL;
  }
  return crew;
}

void winograd_free(struct crew *crew) {
  pthread_mutex_lock(&crew->mutex);
  crew->stop = 1;
  pthread_cond_broadcast(&crew->wake);
  pthread_mutex_unlock(&crew->mutex);
  for (int i = 1; i < crew->count; i++) pthread_join(crew->threads[i], NULL);
  pthread_cond_destroy(&crew->wake);
  pthread_mutex_destroy(&crew->mutex);
  free(crew->threads);
  free(crew);
}

/* Run all steps; one call at a time. */
void winograd_run(struct crew *crew, struct step *steps, int count, float *scratch) {
  crew->steps = steps;
  crew->steps_count = count;
  atomic_store(&crew->step, 0);
  atomic_store(&crew->leaving, 0);
  pthread_mutex_lock(&crew->mutex);
  crew->generation++;
  pthread_cond_broadcast(&crew->wake);
  pthread_mutex_unlock(&crew->mutex);
  work(crew, scratch);
  /* Nobody may still look at this work when the next begins. */
  while (atomic_load(&crew->leaving) != crew->count - 1) sched_yield();
}
