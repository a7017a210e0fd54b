package simtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// episode is the life of one database, with its twin beside it.
type episode struct {
	ctx     context.Context
	c       Config
	number  int
	options embedded.Options
	now     atomic.Int64 // the clock of both sides, Unix nanoseconds

	disk        *disk
	engine      *embedded.DB
	twin        *twin
	real, model *side

	runs   []string          // that there are, sorted
	gone   []string          // that there were
	born   int               // ids that were given out
	spaces []inmem.Namespace // that were asked for
	watch  [clients]uint64   // from where a client watches on

	versions []uint64 // that there were after some action

	floor   uint64 // what must survive a crash that comes during the action
	low     bool   // the disk has little space, or had when somebody looked
	pruning bool   // retention is carried out: a crash may leave any part of that
	failure error
	story   []string
	count   *Summary
}

// dir is where the database lies on its disk.
const dir = "db"

// newEpisode opens an empty database, with limits that the seed has drawn.
func newEpisode(ctx context.Context, c Config, number int, count *Summary) *episode {
	r := rand.New(rand.NewPCG(c.Seed, 1<<63|uint64(number)))
	e := &episode{ctx: ctx, c: c, number: number, count: count}
	e.now.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano())
	e.disk = newDisk(disktest.New())
	e.plantOn(e.disk)
	modes := []embedded.Mode{embedded.Strict, embedded.Batched, embedded.Batched, embedded.Async}
	e.options = embedded.Options{
		Dir: dir, Mode: modes[r.IntN(len(modes))], Clock: e.clock, SweepInterval: -1,
		SyncInterval: []time.Duration{time.Hour, time.Hour, 3 * time.Millisecond}[r.IntN(3)],
		SyncCommits:  []int{5, 50, 1000}[r.IntN(3)],
		WriteBuffer:  []uint64{64 << 10, 256 << 10, 4 << 20}[r.IntN(3)],
		MemoryBudget: []int64{128 << 10, 1 << 20, 64 << 20}[r.IntN(3)],
	}
	e.twin = newTwin(e.clock)
	e.tell("episode %d of seed %d: %v, sync after %v and %d commits, write buffer %d, memory %d",
		number, c.Seed, e.options.Mode, e.options.SyncInterval, e.options.SyncCommits,
		e.options.WriteBuffer, e.options.MemoryBudget)
	if err := e.open(); err != nil {
		e.wrong("open: %v", err)
	}
	return e
}

// clock is the time of both sides.
func (e *episode) clock() time.Time { return time.Unix(0, e.now.Load()) }

// tell notes what happens, for the message when something is wrong.
func (e *episode) tell(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	const most = 600
	if len(line) > most {
		line = line[:most] + "..."
	}
	e.story = append(e.story, line)
}

// wrong ends the episode: the first thing that is wrong counts.
func (e *episode) wrong(format string, args ...any) {
	if e.failure == nil {
		e.failure = fmt.Errorf(format, args...)
	}
}

// open opens the engine on the disk, and both sides over it and the twin.
func (e *episode) open() error {
	o := e.options
	o.FS = e.disk
	eng, err := embedded.Open(e.ctx, o)
	if err != nil {
		return err
	}
	e.engine = eng
	return e.sides(eng)
}

// sides assembles both databases, whose authorities hold the same.
func (e *episode) sides(eng *embedded.DB) (err error) {
	b := e.c.plant.wrap(engine{eng, func(n codec.Scope) {
		e.twin.numbers = append(e.twin.numbers, n)
	}})
	if e.real, err = assemble(b, eng.BootEpoch()+1); err != nil {
		return err
	}
	e.real.sweep = func(ctx context.Context) error {
		_, err := eng.Sweep(ctx)
		return err
	}
	if e.model, err = assemble(e.twin, eng.BootEpoch()+1); err != nil {
		return err
	}
	e.twin.onRecord = func(version uint64) bool {
		rec, err := eng.CommitRecord(e.ctx, version)
		return err != nil || rec.Version != 0
	}
	e.model.sweep = func(ctx context.Context) error {
		return e.twin.SweepBy(ctx, e.clock(), e.twin.Commit)
	}
	e.survey()
	for _, s := range []*side{e.real, e.model} {
		if err := s.find(e.ctx, e.runs, e.there()); err != nil {
			return err
		}
	}
	e.tellTime()
	return nil
}

// tellTime has both sides see the time: it stands still for them while the clock goes back, from
// the latest that they have seen.
func (e *episode) tellTime() {
	e.engine.Now()
	e.twin.Now()
}

// survey lists the runs that there are.
func (e *episode) survey() {
	e.runs = nil
	for i, err := range e.model.db.Runs().All(e.ctx, inmem.RunQuery{IncludeArchived: true}) {
		if err != nil {
			e.wrong("the model cannot list its runs: %v", err)
			return
		}
		e.runs = append(e.runs, i.ID)
	}
}

// play plays an action and looks whether the power went meanwhile.
func (e *episode) play(a Action) {
	floor, told := e.engine.Durable(), e.watch
	if e.disk.wreck() != nil { // between two actions: what counts is what was durable before
		e.powerCut()
		floor, told = e.engine.Durable(), e.watch
	}
	e.floor, e.twin.numbers, e.pruning = floor, nil, a.Kind == "retention-apply"
	e.count.Kinds[a.Kind]++
	e.count.Steps++
	kindOf[a.Kind].play(e, a)
	if e.failure != nil {
		return
	}
	if e.disk.wreck() != nil {
		e.watch = told // what a watch tells after the cut nobody remembers
		e.powerCut()
	}
	if got, want := e.real.db.Version(), e.model.db.Version(); e.failure == nil && got != want {
		e.wrong("the newest version is %d, should be %d", got, want)
	}
	if now := e.real.db.Version(); now > 0 && (len(e.versions) == 0 || e.last() < now) {
		e.versions = append(e.versions, now)
	}
	if len(e.twin.deed) > 2000 {
		if err := e.twin.settle(e.engine.Durable()); err != nil {
			e.wrong("%v", err)
		}
	}
}

// last is the newest version after some action.
func (e *episode) last() uint64 { return e.versions[len(e.versions)-1] }

// look has both sides answer a question, and compares.
func (e *episode) look(a Action, what string, ask func(s *side) string) (said string) {
	got := ask(e.real)
	if e.disk.hasFired() && troubled(got) {
		e.tell("%v: %s -> %s", a, what, got)
		e.count.Faults["failed read, answered with an error"]++
		return got
	}
	if e.tooOld(a, what, got) {
		return got
	}
	want := ask(e.model)
	return e.same(a, what, got, want)
}

// tooOld notices that a client's transaction was ended because it held more in memory than the
// budget allows. When that is depends on how fast the engine hands over: the model goes along.
func (e *episode) tooOld(a Action, what, got string) bool {
	if !strings.Contains(got, "too old") || e.engine.Stats().TooOld == 0 {
		return false
	}
	e.tell("%v: %s -> %s", a, what, got)
	e.count.Faults["transaction ended for lack of memory"]++
	e.drop(a.Client)
	return true
}

// same compares two answers.
func (e *episode) same(a Action, what, got, want string) string {
	e.tell("%v: %s -> %s", a, what, got)
	if got != want && !(ended[got] && ended[want]) {
		e.wrong("%v: %s\n  says      %s\n  should be %s", a, what, got, want)
	}
	return got
}

// ended are the answers to a write to several runs one of which takes none: which of the reasons is
// told is open.
var ended = map[string]bool{"run not found": true, "run not active": true}

// do has both sides change something, and compares what they say. When the disk has failed the
// database is opened again, and whether the change took place is seen then.
func (e *episode) do(a Action, what string, act func(s *side) string) (said string) {
	before := e.real.db.Version()
	got := act(e.real)
	switch {
	case e.disk.hasFired() && troubled(got):
		e.tell("%v: %s -> %s", a, what, got)
		e.count.Faults["failed operation, opened again"]++
		e.tell("  in the model: %s", act(e.model)) // perhaps it took place
		e.survey()
		e.broken(a)
		return got
	case e.low && strings.Contains(got, "no space"):
		e.tell("%v: %s -> %s", a, what, got)
		e.count.Faults["commit refused, disk nearly full"]++
		e.drop(a.Client)
		if e.real.db.Version() == before && !e.pruning {
			return got
		}
		if !inSteps[a.Kind] {
			e.wrong("%v: it was refused and took a version", a)
			return got
		}
		e.tell("  in the model: %s", act(e.model)) // a part of it took place
		e.survey()
		e.broken(a)
		return got
	case e.real.db.Version() == before && e.tooOld(a, what, got):
		return got
	}
	return e.same(a, what, got, act(e.model))
}

// inSteps are the kinds of actions that make several commits.
var inSteps = map[string]bool{
	"tenant-delete": true, "promote": true, "carry": true, "retention-apply": true,
	"run-delete-flatten": true, "sweep": true, "repair": true, "run-begin": true, "run-fork": true,
	"update": true,
}

// drop ends a client's transaction on both sides.
func (e *episode) drop(client int) {
	for _, s := range []*side{e.real, e.model} {
		if tx := s.txs[client]; tx != nil {
			_ = tx.Rollback() // it may have ended
			s.txs[client] = nil
		}
	}
}

// end closes everything. A fault may have met a goroutine of the engine behind the last action: the
// close is the first to tell of it then.
func (e *episode) end() {
	e.disk.hurry()
	fired := e.disk.disarm()
	e.disk.fill(false)
	if e.real != nil {
		e.real.release()
		err := e.real.db.Close()
		if err != nil && e.failure == nil && !(fired && troubled(word(err))) {
			e.wrong("close: %v", err)
		}
	}
	if e.model != nil {
		e.model.release()
		e.closeModel()
	}
}
