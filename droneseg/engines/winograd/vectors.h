/* Vectors of LANES floats, and names for each VARIANT. */

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
