package vectors

import (
	"errors"
	"fmt"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/vector"
)

// source is where a set comes from. Sets are made when their turn comes, not before.
type source struct {
	name   string // with its size, as in "384/20k"
	length length
	filed  bool // from a file, so nothing is known of its clusters
	metric vector.Metric
	load   func(seed uint64) (*set, error)
}

// length says whether a set is for short runs too.
type length uint8

const (
	short length = iota
	long
)

// synthetic is a source of a clustered set.
func synthetic(name string, n, queries, dim int, m vector.Metric, l length) source {
	return source{name: name, length: l, metric: m, load: func(seed uint64) (*set, error) {
		return clustered(name, n, queries, dim, m, seed), nil
	}}
}

// sources are the sets of one invocation: ours, Fashion-MNIST where its package is installed, and
// the file that is named.
func sources(cfg measure.Config) []source {
	all := []source{
		synthetic("384/20k", 20_000, 500, 384, vector.Cosine, short),
		synthetic("768/10k", 10_000, 500, 768, vector.Cosine, short),
		synthetic("384/100k", 100_000, 1000, 384, vector.Cosine, long),
		synthetic("768/50k", 50_000, 1000, 768, vector.Cosine, long),
		synthetic("128/1m", 1_000_000, 500, 128, vector.L2, long),
	}
	if path := fashion(); path != "" {
		all = append(all, filed("fmnist/60k", path, long))
	}
	if cfg.Vectors != "" {
		all = append(all, filed("file", cfg.Vectors, short))
	}
	return all
}

// filed is a source of a file's set.
func filed(name, path string, l length) source {
	return source{name: name, length: l, filed: true, load: func(seed uint64) (*set, error) {
		return fromFile(name, path, seed)
	}}
}

// Workloads lists them; all come when their groups are named.
func Workloads(cfg measure.Config) []measure.Workload {
	var all []measure.Workload
	for _, src := range sources(cfg) {
		for _, w := range of(cfg, src) {
			w.Extra, w.Long = true, src.length == long
			all = append(all, w)
		}
	}
	return all
}

// widths are the widths of a search whose recall is plotted against its speed.
var widths = []int{10, 16, 32, 64, 128, 256}

// of are the workloads of one set: through the database, then the index below it by itself.
func of(cfg measure.Config, src source) []measure.Workload {
	s := newStored(cfg, src)
	all := []measure.Workload{s.search(0)}
	for _, ef := range widths {
		all = append(all, s.search(ef))
	}
	for _, f := range filtersOf(src) {
		all = append(all, s.filtered(f))
	}
	all = append(all, s.viewed(), s.upsert(), s.adding())
	if cfg.Mode != inmem.None.String() { // there would be nothing on disk
		all = append(all, s.reopen(), s.rebuilt())
	}
	b := newBare(cfg, src)
	all = append(all, b.search(0))
	for _, ef := range widths {
		all = append(all, b.search(ef))
	}
	for _, f := range filtersOf(src) {
		for _, ef := range append([]int{0}, widths...) {
			all = append(all, b.filtered(f, ef))
		}
	}
	return append(all, b.workers(), b.link())
}

// width names a width in the name of a workload.
func width(ef int) string {
	if ef == 0 {
		return "default"
	}
	return fmt.Sprintf("ef_%d", ef)
}

// durability finds the mode by its name.
func durability(mode string) (inmem.Durability, error) {
	for _, d := range []inmem.Durability{inmem.Strict, inmem.Batched, inmem.Async, inmem.None} {
		if d.String() == mode {
			return d, nil
		}
	}
	return 0, errors.New("no durability mode is called " + mode)
}
