package crashtest

import (
	"cmp"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// ledger is what an outside observer knows of a database over many lives of its owner.
type ledger struct {
	// All that was found after the last crash, and the greatest version ever told.
	state   map[place]cell
	greater uint64           // every version from now on is greater than this one
	since   uint64           // up to here all commits were looked at
	lives   map[string]story // runs as they were found, with their stage in found

	// What the life that has just ended told. at is the number of the line.
	at      int
	opened  line
	ready   bool
	ops     map[string]*op
	runs    map[string]*story
	flushes map[string]int // flush under way: line of its call
	covered int            // everything told before this line was flushed
	durable uint64         // every version up to here was acknowledged as durable
	errors  []string
}

// place is a key of a primitive in a run.
type place struct {
	run  string
	kind kind
	key  string
}

func (w write) place() place { return place{w.Run, w.Kind, w.Key} }

// cell is a key's state: absent when value is "".
type cell struct {
	value    string
	versions []uint64 // one of these; more than one where timing decides what was written
	ttl      time.Duration
}

// op is one operation.
type op struct {
	name     string
	writes   []write
	intended int    // line of the (last) intent
	done     int    // line of the acknowledgement, 0 for none
	version  uint64 // acknowledged, or found afterwards
	lost     bool
}

func newLedger() *ledger {
	l := &ledger{state: map[place]cell{}, lives: map[string]story{}}
	l.newLife()
	return l
}

func (l *ledger) newLife() {
	l.at, l.opened, l.ready, l.covered, l.durable, l.errors = 0, line{}, false, 0, 0, nil
	l.ops, l.runs, l.flushes = map[string]*op{}, map[string]*story{}, map[string]int{}
}

// note takes one line of a child.
func (l *ledger) note(t *testing.T, data []byte) {
	var n line
	if err := json.Unmarshal(data, &n); err != nil {
		t.Errorf("line %q: %v", data, err)
		return
	}
	l.at++
	switch n.Is {
	case isOpen:
		l.opened = n
	case isReady:
		l.ready = true
	case isIntent:
		l.ops[n.Op] = &op{name: n.Op, writes: n.Writes, intended: l.at}
	case isDone:
		o := l.ops[n.Op]
		o.done, o.version = l.at, n.Version
		if n.Strict {
			l.durable = max(l.durable, n.Version)
		}
	case isLost:
		if o := l.ops[n.Op]; o != nil { // else it did not come as far as an intent
			o.lost = true
		}
	case isEnters:
		l.story(n).enters[n.Stage] = l.at
	case isEntered:
		l.story(n).entered[n.Stage] = l.at
	case isFlush:
		l.flushes[n.Op] = l.at
	case isFlushed:
		l.covered = max(l.covered, l.flushes[n.Op])
	case isDurable:
		l.durable = max(l.durable, n.Version)
	case isError:
		l.errors = append(l.errors, n.Recovery)
	}
}

// acknowledged are the operations that were, in version order.
func (l *ledger) acknowledged() []*op {
	var all []*op
	for _, o := range l.ops {
		if o.done > 0 {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b *op) int { return cmp.Compare(a.version, b.version) })
	return all
}

// checkPromises demands of what was told that versions are new and different, and of what was found
// that only a suffix is lost, nothing that was acknowledged as durable in it.
func (l *ledger) checkPromises(t *testing.T, r inmem.Recovery, mode inmem.Durability) (lost int) {
	t.Helper()
	require.Empty(t, l.errors)
	previous := l.greater
	for _, o := range l.acknowledged() {
		require.Greater(t, o.version, previous, "%s: a version comes again", o.name)
		previous = o.version
		if o.done < l.covered || mode == inmem.Strict {
			l.durable = max(l.durable, o.version)
		}
		if o.version > r.Version {
			lost++
		}
	}
	require.GreaterOrEqual(t, r.Version, l.durable, "a durable commit is gone")
	require.False(t, r.Created && l.opened.Is != "")
	require.LessOrEqual(t, r.Durable, r.Version)
	l.greater = max(previous, l.greater, r.Version)
	require.Greater(t, r.Next, l.greater, "a version will come again")
	if l.opened.Is != "" {
		require.False(t, r.Clean, "the last owner was killed")
		require.GreaterOrEqual(t, r.Version, l.opened.Version)
		require.GreaterOrEqual(t, r.Next, l.opened.Next)
	}
	return lost
}

// expected is what the acknowledged commits up to a version make of the keys.
func (l *ledger) expected(upTo uint64) map[place]cell {
	state := map[place]cell{}
	for p, c := range l.state {
		state[p] = c
	}
	for _, o := range l.acknowledged() {
		if o.version > upTo {
			continue
		}
		for _, w := range o.writes {
			state[w.place()] = state[w.place()].after(w, o.version)
		}
	}
	return state
}

// short is a time to live that is over when the parent looks.
func (c cell) short() bool { return c.ttl > 0 && c.ttl < time.Second }

// after is the cell after a write. A delete of what is absent writes nothing.
func (c cell) after(w write, version uint64) cell {
	switch {
	case w.Value != "":
		return cell{value: w.Value, versions: []uint64{version}, ttl: w.TTL}
	case c.value == "":
		return c
	case c.short(): // expired when it was deleted, or not
		return cell{versions: append(slices.Clone(c.versions), version)}
	}
	return cell{versions: []uint64{version}}
}

// places are all keys that were ever spoken of.
func (l *ledger) places() []place {
	seen := map[place]bool{}
	for p := range l.state {
		seen[p] = true
	}
	for _, o := range l.ops {
		for _, w := range o.writes {
			seen[w.place()] = true
		}
	}
	var all []place
	for p := range seen {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.run, b.run), cmp.Compare(a.kind, b.kind),
			cmp.Compare(a.key, b.key))
	})
	return all
}
