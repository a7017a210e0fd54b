package workloads

import (
	"fmt"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// durability commits in mode strict, whatever the mode of the other workloads.
func (m *maker) durability() []measure.Workload {
	var all []measure.Workload
	for _, n := range []int{1, 8, 64} {
		about := fmt.Sprintf("%d goroutines put new keys of their own, every commit synced", n)
		if n == 1 {
			about = "put a new key, every commit synced"
		}
		all = append(all, m.writes(measure.Workload{
			Name: fmt.Sprintf("durability/strict_put/%d", n), About: about,
			Mode: modeStrict, Workers: n,
			Setup: m.open(modeStrict, load{}, m.insertTrial(n, 1, putDirect)),
		}, 1))
	}
	return all
}
