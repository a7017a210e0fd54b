package rows

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

func config() measure.Config {
	return measure.Config{Keys: 200, Seed: measure.DefaultSeed, Mode: "batched"}
}

// run measures the rows that are kept for one short repeat.
func run(t *testing.T, e engine.Engine, keep func(measure.Workload) bool) (
	[]measure.Result, error) {
	s := System(e)
	plan := measure.Plan([]measure.System{s}, config())
	plan = slices.DeleteFunc(plan, func(c measure.Case) bool { return !keep(c.Workload) })
	r := measure.Runner{Repeats: 1, Length: 3 * time.Millisecond, Dir: t.TempDir()}
	return r.Run(context.Background(), plan)
}

func short(w measure.Workload) bool { return !w.Long && !w.Heavy }

func TestEveryRowRuns(t *testing.T) {
	for _, e := range []engine.Engine{engine.InMem(), engine.GoMap()} {
		results, err := run(t, e, short)
		require.NoError(t, err)
		require.Greater(t, len(results), 15)
		for i := range results {
			r := &results[i]
			require.Positive(t, r.Rate().Median, r.Name)
			require.NotEmpty(t, r.About, r.Name)
			require.LessOrEqual(t, len(r.About), 80, r.Name)
			require.True(t, r.Extra, r.Name)
			switch {
			case e.Limit:
				require.Empty(t, r.Mode, "a limit keeps nothing: %s", r.Name)
			case strings.HasPrefix(r.Name, "rows/strict/"):
				require.Equal(t, "strict", r.Mode)
				require.Equal(t, keySize+valueSize, r.Synced)
			default:
				require.Equal(t, "batched", r.Mode, r.Name)
			}
		}
	}
}

func TestRowsThatTakeLong(t *testing.T) {
	if os.Getenv("INMEM_LONG") == "" {
		t.Skip("INMEM_LONG=1 runs it")
	}
	results, err := run(t, engine.InMem(), func(w measure.Workload) bool { return w.Long && !w.Heavy })
	require.NoError(t, err)
	for i := range results {
		if r := &results[i]; strings.HasPrefix(r.Name, "rows/memory/") {
			require.Len(t, r.Metrics(), 3)
		}
	}
}

// A limit has no rows that it has no measure for.
func TestRowsOfALimit(t *testing.T) {
	for _, w := range Workloads(engine.GoMap(), config()) {
		for _, none := range []string{"strict/", "scan", "begin_read", "open_", "beyond", "written"} {
			require.NotContains(t, w.Name, none)
		}
	}
}

// liar is an engine that is wrong in one way.
type liar struct {
	engine.Store
	how string
}

func lying(how string) engine.Engine {
	e := engine.InMem()
	open := e.Open
	e.Open = func(ctx context.Context, dir string, o engine.Options) (engine.Store, error) {
		s, err := open(ctx, dir, o)
		return &liar{s, how}, err
	}
	return e
}

func (l *liar) Get(ctx context.Context, key string, dst []byte) ([]byte, bool, error) {
	v, found, err := l.Store.Get(ctx, key, dst)
	switch {
	case l.how == "get loses":
		return dst, false, err
	case l.how == "get changes" && len(v) > 0:
		v[len(v)-1]++
	case l.how == "get invents":
		return v, true, err
	}
	return v, found, err
}

func (l *liar) Put(ctx context.Context, key, value string) error {
	if l.how == "put loses" {
		return nil
	}
	return l.Store.Put(ctx, key, value)
}

func (l *liar) Update(ctx context.Context, fn func(engine.Tx) error) error {
	err := l.Store.Update(ctx, fn)
	if err == nil && l.how == "update repeats" {
		err = l.Store.Update(ctx, fn)
	}
	return err
}

func (l *liar) CAS(ctx context.Context, key, expected, value string) (bool, error) {
	if l.how == "cas swaps always" {
		return true, l.Store.Put(ctx, key, value)
	}
	return l.Store.CAS(ctx, key, expected, value)
}

func (l *liar) View(ctx context.Context, fn func(engine.Reader) error) error {
	return fn(l)
}

func (l *liar) Scan(ctx context.Context, prefix, from string,
	each func(key, value string) bool) error {
	n := 0
	return l.Store.Scan(ctx, prefix, from, func(key, value string) bool {
		if n++; l.how == "scan skips" && n == 7 {
			return true
		}
		if l.how == "scan ends early" && n == 7 {
			return false
		}
		return each(key, value)
	})
}

func TestWrongAnswersEndTheRun(t *testing.T) {
	for how, names := range map[string][]string{
		"get loses":        {"get_hot", "get_uniform/10k", "get_uniform/10k_2g", "put_insert", "cas"},
		"get changes":      {"get_hot", "get_uniform/1k", "put_overwrite", "put_same/11"},
		"get invents":      {"get_absent"},
		"put loses":        {"put_insert", "put_overwrite", "strict/1", "disjoint_keys/8", "cas"},
		"update repeats":   {"read_modify_write", "same_key/4"},
		"cas swaps always": {"cas"},
		"scan skips":       {"scan_100/10k", "scan_full/10k"},
		"scan ends early":  {"scan_100/10k", "scan_full/10k"},
	} {
		for _, name := range names {
			_, err := run(t, lying(how), func(w measure.Workload) bool { return w.Name == "rows/"+name })
			var wrong *measure.WrongAnswer
			require.ErrorAs(t, err, &wrong, "%s: %s", how, name)
			require.ErrorContains(t, err, "rows/"+name)
		}
	}
}

func TestKeys(t *testing.T) {
	k := keysOf(1000)
	made := keys{n: 1000}
	seen := map[string]bool{}
	for i := range 1000 {
		require.Len(t, k.at(i), keySize)
		require.Equal(t, k.at(i), made.at(i))
		require.True(t, i == 0 || k.at(i-1) < k.at(i))
		require.True(t, strings.HasPrefix(k.at(i), k.prefix(i/groupSize)))
		seen[k.at(shuffled(i, 1000))] = true
		seen[inserted.at(i)] = true
	}
	require.Len(t, seen, 2000, "every key once; those to insert are others")
	require.Len(t, counter, keySize)
	require.Len(t, target, keySize)
	for _, other := range []string{counter, target, inserted.at(0)} {
		require.False(t, strings.HasPrefix(other, present), "scans do not meet it")
	}
	for _, n := range []int{0, 7, 1 << 40} {
		require.Equal(t, n, numberOf(number(nil, n)))
	}
	require.Equal(t, -1, numberOf([]byte("7")))
}
