package crashtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/primitives/eventlog"
)

// line is what a child tells. Of each operation it tells the intent before and the outcome after,
// so that the parent knows of every commit what it writes, acknowledged or not.
type line struct {
	Is string // see below
	Op string `json:",omitempty"` // name of the operation, unique over all children
	// Version is the commit's; for a flush and a wait what it made sure of, 0: all told before.
	Version uint64 `json:",omitempty"`
	// Strict says that the commit was acknowledged as durable.
	Strict   bool    `json:",omitempty"`
	Writes   []write `json:",omitempty"`
	Run      string  `json:",omitempty"`
	Stage    stage   `json:",omitempty"` // of Run's life
	Parent   string  `json:",omitempty"` // of Run, forked from it At
	At       uint64  `json:",omitempty"`
	Next     uint64  `json:",omitempty"`
	Clean    bool    `json:",omitempty"`
	Recovery string  `json:",omitempty"`
}

const (
	isOpen    = "open"    // the database is open: Version, Next, Clean
	isIntent  = "intent"  // Op is about to commit Writes
	isDone    = "done"    // Op is committed as Version
	isLost    = "lost"    // Op lost a conflict, or memory: it must never be seen
	isEnters  = "enters"  // Run is about to enter Stage
	isEntered = "entered" // Run has entered Stage
	isFlush   = "flush"   // flush Op is called
	isFlushed = "flushed" // flush Op has returned
	isDurable = "durable" // Version is durable (WaitDurable, DurableVersion)
	isReady   = "ready"   // all workers are at work
	isError   = "error"   // Op failed with Recovery (text)
)

// write is one key of one primitive in one run after a commit.
type write struct {
	Run  string
	Kind kind `json:",omitempty"`
	// Key is the key, the name of the cell, the id of the span or vector, or the name of the event.
	Key   string
	Value string        `json:",omitempty"` // "" is deleted
	TTL   time.Duration `json:",omitempty"`
}

const (
	banks    = 3 // runs that exist for the whole test
	accounts = 4 // in each of them
	balance  = 1000
	workers  = 6
)

func bankID(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", 0xba00+i) }

func account(i int) string { return "account/" + strconv.Itoa(i) }

// loader is a child at work.
type loader struct {
	task task
	db   *inmem.DB
	bank [banks]*inmem.Run
	// pruned is the run that retention leaves little of. Where it is nil no history goes, of
	// deleted runs neither: others want to see all of it.
	pruned *inmem.Run
	others sync.Map // runs that come and go, by id
	next   atomic.Int64
}

// loadChild opens the database and commits all it can until it is killed.
func loadChild(k task) error {
	db, err := inmem.Open(k.Dir, k.options())
	if err != nil {
		return err
	}
	l := &loader{task: k, db: db}
	r := db.Recovery()
	say(line{Is: isOpen, Version: r.Version, Next: r.Next, Clean: r.Clean})
	if err := l.setUp(); err != nil {
		return err
	}
	if err := l.setRetention(); err != nil {
		return err
	}
	var wg sync.WaitGroup
	for i := range workers {
		rng := rand.New(rand.NewPCG(k.Seed, uint64(i)))
		wg.Go(func() {
			for {
				err := l.step(i, rng)
				// A tiny budget ends transactions, also those of BeginRun and End.
				if err != nil && !errors.Is(err, inmem.ErrTxnTooOld) {
					say(line{Is: isError, Recovery: err.Error()})
				}
			}
		})
	}
	wg.Go(l.flusher)
	wg.Go(l.keeper)
	wg.Go(l.watcher)
	say(line{Is: isReady})
	wg.Wait()
	return nil
}

// setUp finds the banks, or founds them.
func (l *loader) setUp() error {
	for i := range l.bank {
		run, err := l.found(bankID(i))
		if err != nil {
			return err
		}
		l.bank[i] = run
		if err := run.Vectors(collection).Ensure(background, collectionOptions); err != nil {
			return err
		}
	}
	alive := write{Run: l.bank[0].ID(), Key: "alive", Value: l.name()}
	if err := l.put(alive); err != nil {
		return err
	}
	ok, err := l.bank[banks-1].KV().Exists(background, account(0))
	if ok || err != nil {
		return err
	}
	var all []write
	for _, run := range l.bank {
		for i := range accounts {
			all = append(all, write{Run: run.ID(), Key: account(i), Value: strconv.Itoa(balance)})
		}
	}
	return l.update(func(*inmem.Tx) ([]write, error) { return all, nil })
}

// found finds a run that exists for the whole test, or founds it.
func (l *loader) found(id string) (*inmem.Run, error) {
	run, err := l.db.Run(background, id)
	if errors.Is(err, inmem.ErrRunNotFound) {
		say(line{Is: isEnters, Run: id, Stage: begun})
		if run, err = l.db.BeginRun(background, inmem.RunOptions{ID: id}); err == nil {
			say(line{Is: isEntered, Run: id, Stage: begun})
		}
	}
	return run, err
}

// step does one operation of worker i.
func (l *loader) step(i int, rng *rand.Rand) error {
	run := l.bank[rng.IntN(banks)]
	key := fmt.Sprintf("own/%d/%d", i, rng.IntN(12))
	switch n := rng.IntN(100); {
	case n < 18:
		return l.update(func(tx *inmem.Tx) ([]write, error) { return l.transfer(tx, rng) })
	case n < 28:
		return l.put(write{Run: run.ID(), Key: key, Value: l.text(rng)})
	case n < 34:
		return l.put(write{Run: run.ID(), Key: key, Value: l.text(rng), TTL: time.Hour})
	case n < 40:
		return l.put(write{Run: run.ID(), Key: key, Value: l.text(rng), TTL: 30 * time.Millisecond})
	case n < 47:
		return l.update(func(*inmem.Tx) ([]write, error) {
			log := write{Run: run.ID(), Key: key + "/log", Value: l.text(rng)}
			return []write{{Run: run.ID(), Key: key}, log}, nil
		})
	case n < 56:
		return l.cas(run, fmt.Sprintf("shared/%d", rng.IntN(3)), rng)
	case n < 91:
		return l.act(i, run, rng)
	case n < 93:
		return l.live(rng)
	case n < 96 && l.pruned != nil:
		return l.put(write{Run: prunedID, Key: fmt.Sprint(rng.IntN(5)), Value: l.text(rng)})
	default:
		return l.update(func(*inmem.Tx) ([]write, error) {
			var many []write
			for j := range 1 + rng.IntN(20) {
				many = append(many, write{Run: l.bank[j%banks].ID(),
					Key: fmt.Sprintf("many/%d/%d", i, j), Value: l.text(rng)})
			}
			return many, nil
		})
	}
}

// name makes the name of an operation; it is in the text of what it writes, too.
func (l *loader) name() string {
	return fmt.Sprintf("%x.%d", l.task.Seed, l.next.Add(1))
}

func (l *loader) text(rng *rand.Rand) string {
	n := rng.IntN(200)
	if l.task.Bulk && rng.IntN(8) == 0 {
		n = 1 + rng.IntN(400<<10)
	}
	return l.name() + strings.Repeat("x", n)
}

// money is what an account holds: the number before the name of the operation.
func money(text string) (int, error) {
	number, _, _ := strings.Cut(text, " ")
	return strconv.Atoi(number)
}

// transfer moves money between two accounts of any runs.
func (l *loader) transfer(tx *inmem.Tx, rng *rand.Rand) ([]write, error) {
	from, to := rng.IntN(banks*accounts), rng.IntN(banks*accounts)
	if from == to {
		return []write{{Run: l.bank[0].ID(), Key: "same", Value: l.name()}}, nil
	}
	amount := rng.IntN(10)
	var out []write
	for _, side := range []struct{ at, add int }{{from, -amount}, {to, amount}} {
		run, key := l.bank[side.at%banks], account(side.at/banks)
		text, _, err := inmem.Get[string](background, tx.On(run).KV(), key)
		if err != nil {
			return nil, err
		}
		n, err := money(text)
		if err != nil {
			return nil, err
		}
		value := fmt.Sprintf("%d %s", n+side.add, l.name())
		out = append(out, write{Run: run.ID(), Key: key, Value: value})
	}
	return append(out, write{Run: l.bank[0].ID(), Key: "last", Value: l.name()}), nil
}

// update commits what make makes, in one transaction over several runs. The last intent told is the
// one that may have been committed: earlier attempts have lost.
func (l *loader) update(compose func(*inmem.Tx) ([]write, error)) error {
	op := l.name()
	var o inmem.TxOptions
	// A Strict commit covers for a bad Flush.
	if l.task.Mode != inmem.None && l.task.Seed%2 == 0 && l.next.Load()%5 == 0 {
		o.Durability = inmem.Strict
	}
	version, err := l.db.UpdateWith(background, o, func(tx *inmem.Tx) error {
		writes, err := compose(tx)
		if err != nil {
			return err
		}
		for _, w := range writes {
			if err := apply(tx.On(l.run(w.Run)), w); err != nil {
				return err
			}
		}
		say(line{Is: isIntent, Op: op, Writes: writes})
		return nil
	})
	if errors.Is(err, inmem.ErrConflict) || errors.Is(err, inmem.ErrTxnTooOld) {
		say(line{Is: isLost, Op: op})
		return nil
	}
	if err == nil {
		say(line{Is: isDone, Op: op, Version: version,
			Strict: o.Durability == inmem.Strict || l.task.Mode == inmem.Strict})
	}
	return err
}

func (l *loader) run(id string) *inmem.Run {
	for _, run := range l.bank {
		if run.ID() == id {
			return run
		}
	}
	if id == prunedID {
		return l.pruned
	}
	run, _ := l.others.Load(id)
	return run.(*inmem.Run)
}

// put is a direct write.
func (l *loader) put(w write) error {
	op, run, value := l.name(), l.run(w.Run), inmem.String(w.Value)
	say(line{Is: isIntent, Op: op, Writes: []write{w}})
	var version uint64
	var err error
	switch {
	case w.Kind == ofEvent:
		var at eventlog.Appended
		at, err = run.Events().Append(background, "told", value)
		version = at.Version
	case w.Kind == ofCell:
		version, err = run.Cell(w.Key).Store(background, value)
	case w.Kind == ofVector:
		version, err = run.Vectors(collection).Upsert(background, w.Key, point(w.Value),
			attributes(w.Value))
	case w.TTL > 0:
		version, err = run.KV().PutWithTTL(background, w.Key, value, w.TTL)
	default:
		version, err = run.KV().Put(background, w.Key, value)
	}
	if err == nil {
		say(line{Is: isDone, Op: op, Version: version, Strict: l.task.Mode == inmem.Strict})
	}
	return err
}

// cas is a direct compare-and-set on a key that all workers want.
func (l *loader) cas(run *inmem.Run, key string, rng *rand.Rand) error {
	e, err := run.KV().GetVersioned(background, key)
	if err != nil {
		return err
	}
	op, text := l.name(), l.text(rng)
	say(line{Is: isIntent, Op: op, Writes: []write{{Run: run.ID(), Key: key, Value: text}}})
	version, err := run.KV().CAS(background, key, e.Version, inmem.String(text))
	if errors.Is(err, inmem.ErrVersionMismatch) {
		say(line{Is: isLost, Op: op})
		return nil
	}
	if err == nil {
		say(line{Is: isDone, Op: op, Version: version, Strict: l.task.Mode == inmem.Strict})
	}
	return err
}

// flusher asks for durability in both ways.
func (l *loader) flusher() {
	for i := 0; ; i++ {
		time.Sleep(time.Duration(5+i%40) * time.Millisecond)
		op := l.name()
		var err error
		switch i % 3 {
		case 0:
			say(line{Is: isFlush, Op: op})
			if err = l.db.Flush(background); err == nil {
				say(line{Is: isFlushed, Op: op})
			}
		case 1:
			version := l.db.Version()
			if err = l.db.WaitDurable(background, version); err == nil {
				say(line{Is: isDurable, Version: version})
			}
		case 2:
			say(line{Is: isDurable, Version: l.db.DurableVersion()})
		}
		if err != nil {
			say(line{Is: isError, Recovery: err.Error()})
		}
	}
}

// holdChild opens the database, tells so, and does nothing more.
func holdChild(k task) error {
	db, err := inmem.Open(k.Dir, k.options())
	if err != nil {
		return err
	}
	say(line{Is: isOpen, Version: db.Version()})
	select {}
}

// onceChild makes one commit, tells its version, and waits for its end.
func onceChild(k task) error {
	db, err := inmem.Open(k.Dir, k.options())
	if err != nil {
		return err
	}
	run, err := db.BeginRun(background, inmem.RunOptions{ID: bankID(0)})
	if err != nil {
		return err
	}
	version, err := run.KV().Put(background, "k", inmem.String("v"))
	if err != nil {
		return err
	}
	say(line{Is: isDone, Version: version})
	select {}
}
