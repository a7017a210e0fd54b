package inmem_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/model"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// authority is what a history plays on.
type authority struct {
	b     backend.Backend
	epoch uint64
	sweep func() error
	// open opens the authority again. With lost it crashes before: of what was not synced this
	// percentage is left. It returns the version of the newest commit that is there.
	open func(lost int) uint64
	// crashes says whether open can lose anything.
	crashes bool
}

// lossless asks for a clean close.
const lossless = -1

func modelAuthority(_ testing.TB, clock *testClock) *authority {
	m := model.New(clock.now)
	return &authority{
		b: m, epoch: 1,
		sweep: func() error { return m.Sweep(context.Background(), clock.now()) },
		open:  func(int) uint64 { return m.Published() },
	}
}

func embeddedAuthority(t testing.TB, clock *testClock) *authority {
	mem := disktest.New()
	a := &authority{crashes: true}
	var e *embedded.DB
	a.sweep = func() error {
		_, err := e.Sweep(context.Background())
		return err
	}
	a.open = func(lost int) uint64 {
		old := e
		if lost != lossless {
			mem = mem.CrashClone(vfs.CrashCloneCfg{
				UnsyncedDataPercent: lost, RNG: rand.New(rand.NewPCG(uint64(lost), 1)),
			})
		}
		if old != nil {
			require.NoError(t, old.Close())
		}
		var err error
		e, err = embedded.Open(context.Background(), embedded.Options{
			Dir: "db", Mode: embedded.Batched, SyncInterval: time.Hour, FS: mem, Clock: clock.now,
			SweepInterval: -1, WriteBuffer: 64 << 10, MemoryBudget: 256 << 10,
		})
		require.NoError(t, err)
		a.b, a.epoch = e, e.BootEpoch()+1 // OpenOn's first is 1
		return e.Recovery().Last
	}
	a.open(lossless)
	return a
}

// staying is an authority that outlives the databases over it.
type staying struct{ backend.Backend }

func (staying) Close() error { return nil }

// history is one random history.
type history struct {
	t      testing.TB
	r      *rapid.T
	rng    *rand.Rand // for what is looked at: there is nothing to shrink in it
	ctx    context.Context
	clock  *testClock
	a      *authority
	d      *inmem.DB
	m      *mirror
	runs   map[string]*inmem.Run
	shared map[string]*inmem.Shared
	spaces map[string]inmem.Namespace
	dead   []*inmem.Run
	at     string // where the last deed was
	held   []heldView
	states []state
	story  []string
}

// state is what the database was at a version.
type state struct {
	version uint64
	m       *mirror
}

// heldView is a view that is kept open, with what it has to show.
type heldView struct {
	h   hands
	m   *mirror
	end func() error
}

func newHistory(
	t testing.TB, r *rapid.T, make func(testing.TB, *testClock) *authority,
) *history {
	h := &history{
		t: t, r: r, ctx: context.Background(), clock: newTestClock(),
		spaces: map[string]inmem.Namespace{}, rng: rand.New(rand.NewPCG(1, 2)),
	}
	h.a = make(t, h.clock)
	h.m = newMirror(h.clock.now())
	h.assemble()
	return h
}

// tell notes what happens, for the message when something is wrong.
func (h *history) tell(format string, args ...any) {
	h.story = append(h.story, fmt.Sprintf(format, args...))
}

// wrong fails with the whole story.
func (h *history) wrong(format string, args ...any) {
	h.r.Helper()
	text := ""
	for _, line := range h.story {
		text += line + "\n"
	}
	h.r.Fatalf("%s%s", text, fmt.Sprintf(format, args...))
}

func (h *history) must(err error) {
	h.r.Helper()
	if err != nil {
		h.wrong("%v", err)
	}
}

// assemble makes the database over the authority, and finds its scopes again.
func (h *history) assemble() {
	h.d = h.over(staying{h.a.b})
	h.m.epoch = int(h.a.epoch)
	h.runs, h.shared, h.dead = map[string]*inmem.Run{}, map[string]*inmem.Shared{}, nil
	before := h.d.Version()
	for _, id := range h.m.names(true) {
		run, err := h.d.Run(h.ctx, id)
		h.must(err)
		h.runs[id] = run
	}
	for _, name := range h.m.names(false) {
		s, err := h.d.Shared(h.ctx, h.spaces[name])
		h.must(err)
		h.shared[name] = s
	}
	if h.d.Version() != before {
		h.wrong("looking for scopes wrote something")
	}
	h.remember()
}

func (h *history) over(b backend.Backend) *inmem.DB {
	d, err := inmem.OpenOn(inmem.Hooks{
		Backend: b, Epoch: h.a.epoch,
		Sleep:  func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		Int64N: func(int64) int64 { return 0 },
	}, &inmem.Options{Guards: historyGuards})
	h.must(err)
	return d
}

// remember keeps the state at the newest version.
func (h *history) remember() {
	v := h.d.Version()
	if n := len(h.states); n == 0 || h.states[n-1].version < v {
		h.states = append(h.states, state{v, h.m.clone()})
	}
}

// reopen closes the database and opens it again, perhaps with a crash between.
func (h *history) reopen(lost int) {
	h.release()
	h.must(h.d.Close())
	durable := h.a.b.Durable()
	newest := h.a.open(lost)
	h.tell("reopen, lost %d: version %d of %d", lost, newest, h.states[len(h.states)-1].version)
	if newest < durable {
		h.wrong("version %d was durable", durable)
	}
	if lost == lossless && newest != h.states[len(h.states)-1].version {
		h.wrong("a clean close lost something")
	}
	for h.states[len(h.states)-1].version > newest {
		h.states = h.states[:len(h.states)-1]
	}
	if last := h.states[len(h.states)-1]; last.version != newest {
		h.wrong("no commit made version %d; the one before is %d", newest, last.version)
	} else {
		h.m = last.m.clone()
	}
	maps.DeleteFunc(h.m.dead, func(_ int, version uint64) bool { return version > newest })
	h.m.now = h.clock.now()
	h.assemble()
}

// release ends all views.
func (h *history) release() {
	for _, v := range h.held {
		h.must(v.end())
	}
	h.held = nil
}

func (h *history) close() {
	h.release()
	h.must(h.d.Close())
	h.must(h.a.b.Close())
}
