package vectors

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	"github.com/inmem-db/inmem/pkg/vector"
)

func config(mode string) measure.Config {
	return measure.Config{Seed: measure.DefaultSeed, Mode: mode, Memory: 64 << 20}
}

func run(t *testing.T, w ...measure.Workload) ([]measure.Result, error) {
	var plan []measure.Case
	for _, w := range w {
		plan = append(plan, measure.Case{Workload: w})
	}
	r := measure.Runner{Repeats: 1, Length: 3 * time.Millisecond, Dir: t.TempDir()}
	return r.Run(context.Background(), plan)
}

func TestEveryWorkloadRuns(t *testing.T) {
	small := synthetic("24/2k", 2000, 10, 24, vector.Cosine, short)
	results, err := run(t, of(config("async"), small)...)
	require.NoError(t, err)
	var names []string
	for i := range results {
		r := &results[i]
		names = append(names, strings.Replace(r.Name, "/24/2k", "", 1))
		require.LessOrEqual(t, len(r.About), 80, r.Name)
		if len(r.Metrics()) > 0 {
			m := r.Metrics()[0]
			require.Equal(t, measure.Recall, m.Name)
			require.GreaterOrEqual(t, m.Value, 50.0, r.Name)
		}
	}
	expected := strings.Fields(`vector/search/default
		vector/search/ef_10 vector/search/ef_16 vector/search/ef_32
		vector/search/ef_64 vector/search/ef_128 vector/search/ef_256
		vector/filter/50_percent vector/filter/10_percent vector/filter/1_percent
		vector/filter/10_percent_corr vector/search_view vector/upsert vector/search_adding
		vector/reopen vector/reopen_without_file
		vector/bare/default vector/bare/ef_10 vector/bare/ef_16 vector/bare/ef_32
		vector/bare/ef_64 vector/bare/ef_128 vector/bare/ef_256`)
	for _, f := range filters {
		for _, ef := range append([]int{0}, widths...) {
			expected = append(expected, "vector/bare_filter/"+f.name+"/"+width(ef))
		}
	}
	require.Equal(t, append(expected, "vector/bare_workers/2", "vector/link"), names)
	for _, w := range of(config("none"), small) {
		require.NotContains(t, w.Name, "reopen", "nothing is on disk")
	}
	_, err = run(t, of(config("lazy"), small)[0])
	require.ErrorContains(t, err, "no durability mode is called lazy")
}

// The file of the graph is set aside and put back; what is read without it is exact.
func TestReopenWithoutTheFile(t *testing.T) {
	if testing.Short() {
		t.Skip("an index has a file from 4,096 rows on, and a graph of so few only if they are long")
	}
	large := synthetic("1024/5k", 4500, 10, 1024, vector.Cosine, short)
	s := newStored(config("batched"), large)
	results, err := run(t, s.rebuilt(), s.reopen(), s.rebuilt())
	require.NoError(t, err)
	for _, i := range []int{0, 2} {
		require.Equal(t, measure.Metric{Name: "files set aside", Value: 1}, results[i].Metrics()[1])
	}
}

// What a machine of a test has no time for is at least named right.
func TestAllWorkloadsHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	c := config("batched")
	c.Vectors = "some.npy"
	for _, w := range Workloads(c) {
		require.False(t, seen[w.Name], w.Name)
		require.True(t, w.Extra)
		require.Equal(t, strings.Contains(w.Name, "100k") || strings.Contains(w.Name, "50k") ||
			strings.Contains(w.Name, "60k") || strings.Contains(w.Name, "1m"), w.Long, w.Name)
		seen[w.Name] = true
	}
	require.True(t, seen["vector/search/file/ef_64"])
	require.False(t, seen["vector/filter/file/10_percent_corr"])
}

func TestClusteredSetsAreTheSameEveryTime(t *testing.T) {
	a := clustered("a", 500, 10, 48, vector.L2, 7)
	b := clustered("a", 500, 10, 48, vector.L2, 7)
	require.Equal(t, a, b)
	require.NotEqual(t, a.flat, clustered("a", 500, 10, 48, vector.L2, 8).flat)
	require.Equal(t, 500, a.len())
	require.Len(t, a.queries, 10)
}

func TestTruthIsThatOfASort(t *testing.T) {
	for _, m := range []vector.Metric{vector.Cosine, vector.Dot, vector.L2} {
		s := clustered("a", 300, 4, 20, m, 7)
		for _, allowed := range []func(int) bool{
			nil, func(row int) bool { return row%3 == 1 }, func(row int) bool { return row < 4 },
		} {
			got := s.truth(allowed)
			for q := range s.queries {
				var all []neighbour
				for i := range s.len() {
					if allowed == nil || allowed(i) {
						all = append(all, neighbour{i, s.score(s.queries[q], i)})
					}
				}
				slices.SortFunc(all, func(a, b neighbour) int {
					return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.row, b.row))
				})
				require.Equal(t, all[:min(depth, len(all))], got[q])
			}
		}
	}
}

// An answer that is wrong in any way ends the run.
func TestExamSeesWrongAnswers(t *testing.T) {
	s := clustered("a", 300, 60, 20, vector.Cosine, 7)
	even := func(row int) bool { return row%2 == 0 }
	truth := s.truth(even)
	right := func(q int) []hit {
		var hits []hit
		for _, n := range truth[q] {
			hits = append(hits, hit{id(n.row), n.score})
		}
		return hits
	}
	for want, spoil := range map[string]func(h []hit) []hit{
		"9 hits, there are 10 rows": func(h []hit) []hit { return h[1:] },
		"is there twice":            func(h []hit) []hit { h[4] = h[3]; return h },
		"does not pass the filter": func(h []hit) []hit {
			return append(h[:9], hit{"1", s.score(s.queries[0], 1)})
		},
		"is better than the one before": func(h []hit) []hit { h[2], h[7] = h[7], h[2]; return h },
		"score":                         func(h []hit) []hit { h[9].score -= 0.01; return h },
		`called "300"`:                  func(h []hit) []hit { h[0].id = "300"; return h },
	} {
		e := &exam{set: s, truth: truth, allowed: even}
		require.NoError(t, e.check(0, right(0)))
		err := e.check(0, spoil(right(0)))
		var wrong *measure.WrongAnswer
		require.ErrorAs(t, err, &wrong)
		require.ErrorContains(t, err, want)
	}

	// Allowed, but far away: not wrong one by one, wrong as a whole.
	e := &exam{set: s, truth: truth, allowed: even, least: 0.9}
	for q := range s.queries {
		hits := right(q)[2:]
		last := hits[len(hits)-1].score
		for row := 0; len(hits) < depth; row += 2 {
			if score := s.score(s.queries[q], row); score < last {
				hits = append(hits, hit{id(row), score})
			}
		}
		slices.SortFunc(hits, func(a, b hit) int { return cmp.Compare(b.score, a.score) })
		require.NoError(t, e.check(q, hits))
		if q == 10 {
			require.NoError(t, e.verdict(), "too few to judge")
		}
	}
	require.ErrorContains(t, e.verdict(), "recall@10 is 0.")
}

// slowPeer looks at all rows, and forgets one of what it found.
type slowPeer struct {
	set  *set
	rows [][]float32
}

func (p *slowPeer) Add(_ context.Context, _ int, v []float32) error {
	p.rows = append(p.rows, v)
	return nil
}

func (p *slowPeer) Search(_ context.Context, dst []int, q []float32, _, _ int) ([]int, error) {
	p.set = &set{dim: len(q), metric: vector.Cosine, flat: slices.Concat(p.rows...)}
	for _, n := range p.set.finish(1).exact(q, nil)[1:] {
		dst = append(dst, n.row)
	}
	return dst, nil
}

func TestPeersAreCounted(t *testing.T) {
	p := Peer{Name: "slow", Widths: []int{32}, New: func(dim, rows int, m vector.Metric) (
		PeerIndex, error,
	) {
		require.Equal(t, []any{32, 300, vector.Cosine}, []any{dim, rows, m})
		return &slowPeer{}, nil
	}}
	small := synthetic("32/300", 300, 5, 32, vector.Cosine, short)
	f := p.fixture(config("none"), small)
	results, err := run(t, f.search(0), f.search(32))
	require.NoError(t, err)
	require.InDelta(t, 90, results[0].Metrics()[0].Value, 1e-9)
	require.Equal(t, "vector/bare/32/300/ef_32", results[1].Name)

	ours := map[string]bool{}
	for _, w := range Workloads(config("batched")) {
		ours[w.Name] = true
	}
	theirs := p.System().Workloads(config("batched"))
	require.Len(t, theirs, 8)
	for _, w := range theirs {
		require.True(t, ours[w.Name], w.Name)
	}

	s := clustered("a", 300, 5, 20, vector.Cosine, 7)
	e := &exam{set: s, truth: s.truth(nil)}
	require.ErrorContains(t, e.count(0, []int{1, 1}), "row 1 is there twice")
	require.ErrorContains(t, e.count(0, []int{300}), "not a row")
}

func TestSetsFromFiles(t *testing.T) {
	in := []byte{0, 0, 8, 3, 0, 0, 0, 200, 0, 0, 0, 1, 0, 0, 0, 2}
	for i := range 200 {
		in = append(in, byte(i), 7)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(in)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	path := filepath.Join(t.TempDir(), "train-images-idx3-ubyte.gz")
	require.NoError(t, os.WriteFile(path, packed.Bytes(), 0o600))
	s, err := fromFile("f", path, 1)
	require.NoError(t, err)
	require.Equal(t, [][]float32{{198, 7}, {199, 7}}, s.queries)
	require.Equal(t, 198, s.len())
	require.Equal(t, vector.L2, s.metric)
	require.Equal(t, 197, s.truth(nil)[0][0].row)

	_, err = fromFile("f", path+".zip", 1)
	require.Error(t, err)
	require.NoError(t, os.WriteFile(path, packed.Bytes()[:60], 0o600))
	_, err = fromFile("f", path, 1)
	require.ErrorContains(t, err, "train-images-idx3-ubyte.gz: idx: ")
}
