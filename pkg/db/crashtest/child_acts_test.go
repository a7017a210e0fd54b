package crashtest

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/vector"
)

// kind is the primitive that a write belongs to.
type kind string

const (
	ofKV     kind = ""
	ofEvent  kind = "event"
	ofCell   kind = "cell"
	ofSpan   kind = "span"
	ofVector kind = "vector"
)

const (
	collection = "notes"
	ended      = " ended" // behind the text of a span that has
	textOf     = "text"   // where spans and vectors keep theirs
)

var collectionOptions = inmem.CollectionOptions{Dim: 4, Metric: vector.L2}

// apply makes a write in a transaction.
func apply(tx *inmem.Tx, w write) (err error) {
	value := inmem.String(w.Value)
	switch w.Kind {
	case ofEvent:
		_, err = tx.Events().Append(background, "told", value)
	case ofCell:
		if w.Value == "" {
			_, err = tx.Cell(w.Key).Delete(background)
			return err
		}
		_, err = tx.Cell(w.Key).Store(background, value)
	case ofSpan:
		if strings.HasSuffix(w.Value, ended) {
			end := inmem.SpanEnd{Attributes: attributes(w.Value), InputTokens: 7}
			return tx.Traces().End(background, w.Key, end)
		}
		_, err = tx.Traces().Start(background, inmem.Span{
			ID: w.Key, Type: inmem.SpanToolCall, Name: "search", Attributes: attributes(w.Value),
		})
	case ofVector:
		if w.Value == "" {
			_, err = tx.Vectors(collection).Delete(background, w.Key)
			return err
		}
		_, err = tx.Vectors(collection).Upsert(background, w.Key, point(w.Value), attributes(w.Value))
	default:
		if w.Value == "" {
			_, err = tx.KV().Delete(background, w.Key)
			return err
		}
		_, err = tx.KV().Put(background, w.Key, value)
	}
	return err
}

// attributes wraps a text as spans and vectors carry it.
func attributes(text string) inmem.Value {
	v, err := inmem.ValueOf(map[string]string{textOf: text})
	if err != nil {
		panic(err)
	}
	return v
}

// point is the vector that goes with a text.
func point(text string) []float32 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	sum, v := h.Sum64(), make([]float32, collectionOptions.Dim)
	for i := range v {
		v[i] = float32(sum >> (16 * i) & 0xffff)
	}
	return v
}

// act does something of an agent's: in one primitive, or a whole turn in one transaction.
func (l *loader) act(i int, run *inmem.Run, rng *rand.Rand) error {
	event := func() write {
		name := l.name()
		value := name + " " + strings.Repeat("e", rng.IntN(200))
		return write{Run: run.ID(), Kind: ofEvent, Key: name, Value: value}
	}
	at := func(k kind) write {
		key := fmt.Sprintf("own/%d/%d", i, rng.IntN(6))
		return write{Run: run.ID(), Kind: k, Key: key, Value: l.text(rng)}
	}
	span := func() write {
		return write{Run: run.ID(), Kind: ofSpan, Key: l.name(), Value: l.text(rng)}
	}
	gone := func(w write) write { w.Value = ""; return w }
	all := func(writes ...write) error {
		return l.update(func(*inmem.Tx) ([]write, error) { return writes, nil })
	}
	switch rng.IntN(9) {
	case 0, 1:
		return l.put(event())
	case 2:
		return l.put(at(ofCell))
	case 3:
		return l.put(at(ofVector))
	case 4:
		return all(gone(at(ofVector)), gone(at(ofCell)), event())
	case 5:
		s := span()
		if err := all(s); err != nil {
			return err
		}
		s.Value = l.name() + ended // an id that a lost transaction took is not there: ErrNotFound
		if err := all(s, event()); !errors.Is(err, inmem.ErrNotFound) {
			return err
		}
		return nil
	case 6:
		return all(event(), event(), span(), at(ofVector))
	default:
		return all(event(), span(), at(ofCell), at(ofKV), at(ofVector), event())
	}
}

// stage is how far a run that comes and goes has come. It never goes back.
type stage int

const (
	nowhere stage = iota
	begun
	tagged
	completed
	deleted
)

// live begins a run, by itself or as a fork, and leads it through some of its life.
func (l *loader) live(rng *rand.Rand) error {
	id := fmt.Sprintf("00000000-0000-4000-8000-%012x", rng.Uint64()>>16)
	told := line{Is: isEnters, Run: id, Stage: begun}
	parent := l.bank[rng.IntN(banks)]
	if rng.IntN(2) == 0 {
		told.Parent, told.At = parent.ID(), l.db.Version()
	}
	say(told)
	var run *inmem.Run
	var err error
	if told.Parent != "" {
		run, err = parent.Fork(background, inmem.ForkOptions{ID: id, At: told.At})
	} else {
		run, err = l.db.BeginRun(background, inmem.RunOptions{ID: id, Tenant: "acme"})
	}
	if err != nil {
		return err
	}
	say(line{Is: isEntered, Run: id, Stage: begun})
	l.others.Store(id, run)
	if err := l.update(func(*inmem.Tx) ([]write, error) {
		return []write{
			{Run: id, Key: "own", Value: l.text(rng)}, {Run: parent.ID(), Key: "born", Value: id},
		}, nil
	}); err != nil {
		return err
	}
	for s := tagged; s <= deleted && rng.IntN(5) > 0; s++ {
		if s == deleted && l.pruned == nil {
			break
		}
		say(line{Is: isEnters, Run: id, Stage: s})
		switch s {
		case tagged:
			err = run.Record().SetTags(background, "tagged", "second")
		case completed:
			err = run.End(background, inmem.Completed)
		case deleted:
			err = l.db.DeleteRun(background, id)
		}
		if err != nil {
			return err
		}
		say(line{Is: isEntered, Run: id, Stage: s})
	}
	return nil
}

var prunedID = bankID(0xfff)

// setRetention founds the run of which three commits are kept.
func (l *loader) setRetention() (err error) {
	if l.pruned, err = l.found(prunedID); err != nil {
		return err
	}
	_, err = l.db.SetRetention(background, inmem.RetentionTarget{Run: prunedID},
		inmem.Keep{Commits: 3})
	return err
}

// keeper prunes, and makes checkpoints: what is in one is durable.
func (l *loader) keeper() {
	for n := 0; ; n++ {
		time.Sleep(time.Duration(20+n%50) * time.Millisecond) // a pace, nothing waits for it
		if _, err := l.db.ApplyRetention(background, nil); err != nil {
			say(line{Is: isError, Recovery: "retention: " + err.Error()})
		}
		if l.task.Mode == inmem.None {
			continue // there is nothing to copy
		}
		copied := fmt.Sprintf("%s-copy-%x-%d", l.task.Dir, l.task.Seed, n)
		info, err := l.db.Checkpoint(background, copied)
		if err != nil {
			say(line{Is: isError, Recovery: "checkpoint: " + err.Error()})
		} else {
			say(line{Is: isDurable, Version: info.Version})
		}
		if err := os.RemoveAll(copied); err != nil {
			say(line{Is: isError, Recovery: "remove the checkpoint: " + err.Error()})
		}
	}
}

// watcher watches the whole database: what it is told is durable.
func (l *loader) watcher() {
	for {
		for c, err := range l.db.Watch(background, inmem.WatchOptions{From: inmem.FromNow}) {
			switch {
			case errors.Is(err, inmem.ErrPruned): // it was slower than the keeper
			case err != nil:
				say(line{Is: isError, Recovery: "watch: " + err.Error()})
			default:
				say(line{Is: isDurable, Version: c.Version})
			}
		}
	}
}
