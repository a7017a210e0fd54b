package runindex

import (
	"context"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// walk is what the streams of one walk over the index share. A walk goes up or down.
//
// Where it stands is a bound: up, the smallest place that is not yet passed; down, the smallest
// string behind the places that are not yet passed, so the first place below it is next.
type walk struct {
	ctx      context.Context
	scope    txn.Scope // all reads come from one version
	down     bool
	from, to string // from <= place < to; an empty to is no bound
	// left is what may still be walked, in steps up. What was started is brought to an end, so it
	// may fall below zero.
	left int
	// keys and seeks count what was walked.
	keys, seeks int
	err         error
}

const (
	// What things cost, in steps up, as measured on the engine: a step down, a seek.
	downCost = 4
	seekCost = 16
	// How many steps are tried before a seek.
	patienceUp   = seekCost
	patienceDown = seekCost / downCost
	// unbounded lets a walk go as far as it takes.
	unbounded = int(^uint(0) >> 1)
	// beyond is behind every place.
	beyond = "\xff"
)

// start is the bound at which nothing is passed.
func (w *walk) start() string {
	switch {
	case !w.down:
		return w.from
	case w.to == "":
		return beyond
	}
	return w.to
}

// at is the bound with a place next, past the one with it behind.
func (w *walk) at(place string) string {
	if w.down {
		return place + "\x00"
	}
	return place
}

func (w *walk) past(place string) string {
	if w.down {
		return place
	}
	return place + "\x00"
}

// reached reports whether a place is not passed at a bound.
func (w *walk) reached(place, bound string) bool { return w.down == (place < bound) }

// sooner reports whether the walk comes by bound a before it comes by bound b.
func (w *walk) sooner(a, b string) bool {
	if w.down {
		return a > b
	}
	return a < b
}

// state is what came of a seek.
type state uint8

const (
	found     state = iota + 1 // the stream stands on a place
	cut                        // the walk has used up what it may; where it stands is a bound
	exhausted                  // no place is left
	failed                     // see walk.err
)

// stream is places in the order of a walk.
type stream interface {
	// seek moves to the first place that is not passed at bound; bounds only go on.
	seek(bound string) state
	// place is where it stands. REQUIRES: the last seek found one.
	place() string
	// front is the bound where it was cut off. REQUIRES: the last seek was cut.
	front() string
	close()
}

// entries is the stream of the keys with one prefix.
type entries struct {
	w        *walk
	prefix   string
	from, to string // as those of the walk, or narrower
	cursor   *txn.Cursor
	now      string
	state    state
}

func newEntries(w *walk, s stretch) *entries {
	return &entries{w: w, prefix: s.prefix, from: max(s.from, w.from), to: w.to}
}

func (e *entries) seek(bound string) state {
	patience := patienceUp
	if e.w.down {
		patience = patienceDown
	}
	for range patience {
		if e.cursor == nil || e.state != found || e.w.reached(e.now, bound) {
			break
		}
		e.next()
	}
	if e.cursor == nil || e.state == found && !e.w.reached(e.now, bound) {
		e.open(bound)
	}
	return e.state
}

// open starts anew at a bound.
func (e *entries) open(bound string) {
	e.close()
	from, to := e.from, e.to
	if e.w.down && (to == "" || bound < to) {
		to = bound
	}
	if !e.w.down {
		from = max(from, bound)
	}
	r := txn.Range{Start: e.prefix + from, End: e.prefix + to, Reverse: e.w.down}
	if to == "" {
		r.End = txn.PrefixRange(e.prefix).End
	}
	if e.state = exhausted; r.Start >= r.End {
		return
	}
	e.w.left -= seekCost
	e.w.seeks++
	e.cursor = e.w.scope.Scan(e.w.ctx, codec.RunIndex, r)
	e.next()
}

func (e *entries) next() {
	if e.w.left--; e.w.down {
		e.w.left -= downCost - 1
	}
	e.w.keys++
	if e.cursor.Next() {
		e.now, e.state = e.cursor.Key()[len(e.prefix):], found
		return
	}
	e.state = exhausted
	if err := e.cursor.Err(); err != nil {
		e.w.err, e.state = err, failed
	}
}

func (e *entries) place() string { return e.now }
func (e *entries) front() string { return "" }

func (e *entries) close() {
	if e.cursor != nil {
		e.cursor.Close()
		e.cursor = nil
	}
}

// union is the places that are in any of several streams.
type union struct {
	w       *walk
	members []member
	best    int // the member that stands first
}

type member struct {
	stream
	state state
}

func newUnion(w *walk, streams []stream) stream {
	if len(streams) == 1 {
		return streams[0]
	}
	u := &union{w: w}
	for _, s := range streams {
		u.members = append(u.members, member{stream: s})
	}
	return u
}

func (u *union) seek(bound string) state {
	u.best = -1
	var first string
	for i := range u.members {
		m := &u.members[i]
		if m.state == exhausted {
			continue
		}
		switch m.state = m.seek(bound); m.state {
		case failed:
			return failed
		case exhausted:
			continue
		}
		if at := u.bound(m); u.best < 0 || u.w.sooner(at, first) {
			u.best, first = i, at
		}
	}
	if u.best < 0 {
		return exhausted
	}
	return u.members[u.best].state
}

// bound is where a member stands.
func (u *union) bound(m *member) string {
	if m.state == cut {
		return m.front()
	}
	return u.w.at(m.place())
}

func (u *union) place() string { return u.members[u.best].place() }
func (u *union) front() string { return u.members[u.best].front() }

func (u *union) close() {
	for i := range u.members {
		u.members[i].close()
	}
}

// both is the places that are in each of several streams.
type both struct {
	w       *walk
	streams []stream
	now     string
	bound   string
}

func newBoth(w *walk, streams []stream) stream {
	if len(streams) == 1 {
		return streams[0]
	}
	return &both{w: w, streams: streams}
}

// seek lets each stream in turn go to where the one before it stands, until all agree: no place
// that is passed on the way can be in all of them.
func (b *both) seek(bound string) state {
	start, agreed := bound, 0
	for i := 0; ; i = (i + 1) % len(b.streams) {
		if b.w.left <= 0 && bound != start {
			b.bound = bound
			return cut
		}
		s := b.streams[i]
		switch s.seek(bound) {
		case failed:
			return failed
		case exhausted:
			return exhausted
		case cut:
			b.bound = s.front()
			return cut
		}
		if at := b.w.at(s.place()); at != bound {
			bound, agreed = at, 0
		}
		if agreed++; agreed == len(b.streams) {
			b.now = s.place()
			return found
		}
	}
}

func (b *both) place() string { return b.now }
func (b *both) front() string { return b.bound }

func (b *both) close() {
	for _, s := range b.streams {
		s.close()
	}
}
