// What Go calls of hnswlib. Whatever is thrown becomes a null pointer or -1.
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void *hnsw_new(size_t dim, int l2, size_t rows, size_t m, size_t construction);
void hnsw_free(void *index);
int hnsw_add(void *index, const float *row, size_t label);

// hnsw_search writes the labels of up to k rows and returns how many. allowed is a byte per label,
// or null for all.
int hnsw_search(void *index, const float *query, size_t k, size_t width, const uint8_t *allowed,
                uint64_t *labels);

int hnsw_filters(void);

#ifdef __cplusplus
}
#endif
