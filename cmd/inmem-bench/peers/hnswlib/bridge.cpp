//go:build hnswlib

#include <memory>

#include <hnswlib/hnswlib.h>

#include "bridge.h"

namespace {

struct Index {
  std::unique_ptr<hnswlib::SpaceInterface<float>> space;
  std::unique_ptr<hnswlib::HierarchicalNSW<float>> graph;
};

#ifdef HNSWLIB_FILTERS
struct Allowed : hnswlib::BaseFilterFunctor {
  const uint8_t *allowed;
  explicit Allowed(const uint8_t *a) : allowed(a) {}
  bool operator()(hnswlib::labeltype label) override { return allowed[label] != 0; }
};
#endif

}  // namespace

extern "C" void *hnsw_new(size_t dim, int l2, size_t rows, size_t m, size_t construction) {
  try {
    auto index = std::make_unique<Index>();
    if (l2) {
      index->space.reset(new hnswlib::L2Space(dim));
    } else {
      index->space.reset(new hnswlib::InnerProductSpace(dim));
    }
    index->graph.reset(
        new hnswlib::HierarchicalNSW<float>(index->space.get(), rows, m, construction));
    return index.release();
  } catch (...) {
    return nullptr;
  }
}

extern "C" void hnsw_free(void *index) { delete static_cast<Index *>(index); }

extern "C" int hnsw_add(void *index, const float *row, size_t label) {
  try {
    static_cast<Index *>(index)->graph->addPoint(row, label);
    return 0;
  } catch (...) {
    return -1;
  }
}

extern "C" int hnsw_search(void *index, const float *query, size_t k, size_t width,
                           const uint8_t *allowed, uint64_t *labels) {
  try {
    auto &graph = *static_cast<Index *>(index)->graph;
    graph.setEf(width);
#ifdef HNSWLIB_FILTERS
    Allowed filter(allowed);
    auto found = graph.searchKnn(query, k, allowed ? &filter : nullptr);
#else
    if (allowed) return -1;
    auto found = graph.searchKnn(query, k);
#endif
    int n = 0;
    for (; !found.empty(); found.pop()) labels[n++] = found.top().second;
    return n;
  } catch (...) {
    return -1;
  }
}

extern "C" int hnsw_filters(void) {
#ifdef HNSWLIB_FILTERS
  return 1;
#else
  return 0;
#endif
}
