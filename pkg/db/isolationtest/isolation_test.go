package isolationtest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/isolation"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// secondsEnv makes the long form: so many seconds for every mode and level.
const secondsEnv = "INMEM_ISOLATION_SECONDS"

// long is the time for each mode and level, 0 for the short form.
func long(t *testing.T) time.Duration {
	text := os.Getenv(secondsEnv)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, secondsEnv)
	return time.Duration(n) * time.Second
}

var modes = []inmem.Durability{inmem.Strict, inmem.Batched, inmem.Async, inmem.None}

var levels = []struct {
	name string
	of   []inmem.Isolation
}{
	{"snapshot", []inmem.Isolation{inmem.Snapshot}},
	{"serializable", []inmem.Isolation{inmem.Serializable}},
	{"mixed", []inmem.Isolation{inmem.Snapshot, inmem.Serializable}},
}

// R060, R073, R164: what many clients see of a few hot keys has an order that the isolation level
// allows, agrees with real time and with the versions, in every mode, in forks too.
func TestIsolation(t *testing.T) {
	budget := long(t)
	var all totals
	began := time.Now()
	if budget > 0 {
		fmt.Println(heading)
		defer func() { fmt.Println(all.line("all", "", time.Since(began))) }()
	}
	for _, mode := range modes {
		for _, level := range levels {
			t.Run(fmt.Sprintf("%v/%s", mode, level.name), func(t *testing.T) {
				start := time.Now()
				var sum totals
				for n := 0; n == 0 || time.Since(start) < budget; n++ {
					sum.add(play(t, mode, level.of, n))
				}
				all.rounds += sum.rounds - 1
				all.add(&sum.Report)
				if budget > 0 {
					fmt.Println(sum.line(mode.String(), level.name, time.Since(start)))
				}
			})
		}
	}
}

// Clients of a round. There are few runs, so that they meet.
const (
	clients = 8
	runs    = 2
)

// play has one database worked on, and judges what was seen.
func play(t *testing.T, mode inmem.Durability, levels []inmem.Isolation, n int) *isolation.Report {
	seed := rand.Uint64()
	path := ""
	if mode != inmem.None {
		path = t.TempDir()
	}
	o := &inmem.Options{Durability: mode, SyncInterval: 5 * time.Millisecond}
	r := &round{t: t, h: &history{}, levels: levels}
	if n%2 == 1 || mode == inmem.Async { // most is read from disk
		o.MemoryBudget, r.load = 1<<20, make([]byte, 200<<10)
	}
	var err error
	r.d, err = inmem.Open(path, o)
	require.NoError(t, err)
	defer func() { require.NoError(t, r.d.Close()) }()
	for i := range runs {
		run, err := r.d.BeginRun(t.Context(), inmem.RunOptions{})
		require.NoError(t, err)
		r.scopes = append(r.scopes, &scope{name: strconv.Itoa(i), run: run})
	}
	each := 60
	switch {
	case long(t) > 0:
		each = 500
	case testing.Short():
		each = 30
	}
	var wg sync.WaitGroup
	for i := range clients {
		c := &client{round: r, id: i, ctx: t.Context(), rng: rand.New(rand.NewPCG(seed, uint64(i)))}
		wg.Go(func() {
			if err := c.work(each); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	r.readAll()
	report := isolation.Check(&r.h.h)
	if len(report.Anomalies) > 0 {
		t.Fatalf("seed %d\n%s", seed, report)
	}
	require.Greater(t, report.Committed, clients, "%s", report)
	require.NotZero(t, min(report.WW, report.WR, report.RW), "%s", report)
	return report
}

// readAll reads everything that was written, so that nothing is gone unnoticed.
func (r *round) readAll() {
	c := &client{round: r, id: clients, ctx: r.t.Context(), rng: rand.New(rand.NewPCG(1, 1))}
	names := map[string]bool{}
	for _, txn := range r.h.h.Txns {
		for _, op := range txn.Ops {
			if op.Kind == isolation.Append {
				names[op.Key.Name] = true
			}
		}
	}
	s := c.session()
	require.NoError(r.t, r.d.View(c.ctx, func(v *inmem.View) error {
		s.pin(v.Version())
		for _, at := range r.scopes {
			p := v.On(at.run)
			require.NoError(r.t, s.scan(p, at.name, 0, width, 0, false))
			require.NoError(r.t, s.log(p, at.name))
			for name := range names { // in any order: all is of one version
				switch name[0] {
				case 'l':
					require.NoError(r.t, s.list(p, at.name, name, false))
				case 'c':
					require.NoError(r.t, s.cell(p, at.name, name, false))
				}
			}
		}
		return nil
	}))
	s.end(isolation.Committed, 0)
}

// totals sum up rounds.
type totals struct {
	rounds int
	isolation.Report
}

// add adds a round.
func (s *totals) add(r *isolation.Report) {
	s.rounds++
	s.Txns += r.Txns
	s.Committed += r.Committed
	s.Aborted += r.Aborted
	s.Ops += r.Ops
	s.WW += r.WW
	s.WR += r.WR
	s.RW += r.RW
	s.Phantoms += r.Phantoms
	s.Anomalies = append(s.Anomalies, r.Anomalies...)
}

const heading = "MODE     LEVEL         ROUNDS    TXNS  COMMITTED  ABORTED      OPS       WW" +
	"       WR       RW  PHANTOM  ANOMALIES   TIME"

func (s *totals) line(mode, level string, d time.Duration) string {
	return fmt.Sprintf("%-8s %-12s %7d %7d %10d %8d %8d %8d %8d %8d %8d %10d %6.1fs", mode, level,
		s.rounds, s.Txns, s.Committed, s.Aborted, s.Ops, s.WW, s.WR, s.RW, s.Phantoms,
		len(s.Anomalies), d.Seconds())
}
