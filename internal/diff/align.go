package diff

import (
	"bytes"
	"crypto/sha256"
	"strings"
)

// DefaultWindow is how many steps of each side are aligned at once.
const DefaultWindow = 2048

// Item is a step as it is aligned.
type Item struct {
	Step
	// digest stands for the arguments.
	digest [sha256.Size]byte
}

// Source walks the steps of one side. All methods but Next and Close speak of the step that the
// last Next led to.
type Source interface {
	Next() bool
	// Type and Args decide whether two steps are the same. Args is any encoding in which equal
	// arguments have equal bytes; valid until the next Next.
	Type() string
	Args() []byte
	// Step is the step. Position is set by Align; Name need not be filled.
	Step() Step
	// Name is asked for only where the sides differ.
	Name() string
	// Err tells why Next answered false; nil at the end.
	Err() error
	Close()
}

// Steps is one side of an alignment.
type Steps struct {
	// Len is how many there are.
	Len uint64
	// Forward walks from a position on, Backward from the last one to the first. Align closes what
	// it opens.
	Forward  func(from uint64) Source
	Backward func() Source
}

// AlignOptions configure Align.
type AlignOptions struct {
	// Window is how many steps of each side are aligned at once; default DefaultWindow. It bounds
	// the memory, and the time for sides that are very different: O(window) for each step.
	Window int
	// Known is how many steps at the beginning are known to be the same, and are not looked at.
	Known uint64

	_ struct{}
}

// Edit is a difference: a step of a, one of b, or two of equal type and name. The items are valid
// during the call that they are given to.
type Edit struct {
	Op   Op
	A, B *Item
}

// Outcome is what Align found.
type Outcome struct {
	Counts
	// Prefix and Suffix are how many steps are the same at the beginning and at the end.
	Prefix, Suffix uint64
	// Windowed: see the package comment.
	Windowed bool
	// LastA and LastB are the last common step, without its name; nil if there is none or it is
	// among those known. NextA and NextB are the first steps that differ.
	LastA, LastB, NextA, NextB *Item
}

// aligner is an alignment under way.
type aligner struct {
	a, b   lane
	window int
	out    *Outcome
	visit  func(Edit) bool
	// stopped: visit wants no more.
	stopped bool
}

// lane is one side of an alignment: a source, and the steps that were read from it and are not yet
// aligned.
type lane struct {
	src  Source
	left uint64 // how many are still to be read of those that are to be aligned
	at   uint64 // the position of the next one to be read
	held []Item
	// stands: the source has been moved to the step at position at already.
	stands bool
}

// Align aligns two sequences and calls visit for every difference, in order: what is removed before
// what is added, where both are at the same place. It ends early, without an error, when visit
// answers false; the counts are not complete then.
//
// Memory: the window. Time: one pass over both sides, and see AlignOptions. Errors: those of the
// sources.
func Align(a, b Steps, o AlignOptions, visit func(Edit) bool) (Outcome, error) {
	var out Outcome
	if o.Window == 0 {
		o.Window = DefaultWindow
	}
	x := &aligner{window: o.Window, out: &out, visit: visit}
	x.a, x.b = lane{src: a.Forward(o.Known)}, lane{src: b.Forward(o.Known)}
	defer x.a.src.Close()
	defer x.b.src.Close()
	if err := x.prefix(a.Len, b.Len, o.Known); err != nil {
		return out, err
	}
	least := min(a.Len, b.Len) - out.Prefix
	if least > 0 {
		n, err := suffix(a, b, least)
		if err != nil {
			return out, err
		}
		out.Suffix = n
		out.CountSame(n)
	}
	x.a.begin(out.Prefix, a.Len-out.Prefix-out.Suffix)
	x.b.begin(out.Prefix, b.Len-out.Prefix-out.Suffix)
	err := x.middle()
	return out, err
}

// same reports whether two steps are the same.
func same(a, b Source) bool {
	return a.Type() == b.Type() && bytes.Equal(a.Args(), b.Args())
}

// prefix walks over what is the same at the beginning, and notes where the sides part.
func (x *aligner) prefix(lenA, lenB, known uint64) error {
	p := known
	var lastA, lastB Step
	for ; p < min(lenA, lenB); p++ {
		if err := x.next(); err != nil {
			return err
		}
		x.a.stands, x.b.stands = true, true
		if !same(x.a.src, x.b.src) {
			break
		}
		lastA, lastB = x.a.src.Step(), x.b.src.Step()
		x.a.stands, x.b.stands = false, false
	}
	x.out.Prefix = p
	x.out.CountSame(p)
	if p > known {
		lastA.Position, lastB.Position = p-1, p-1
		x.out.LastA, x.out.LastB = &Item{Step: lastA}, &Item{Step: lastB}
	}
	for _, side := range []struct {
		l    *lane
		n    uint64
		next **Item
	}{{&x.a, lenA, &x.out.NextA}, {&x.b, lenB, &x.out.NextB}} {
		if p == side.n {
			continue
		}
		if !side.l.stands {
			if err := advance(side.l.src); err != nil {
				return err
			}
			side.l.stands = true
		}
		side.l.at = p
		i := side.l.item()
		*side.next = &i
	}
	return nil
}

// next moves both sources on.
func (x *aligner) next() error {
	if err := advance(x.a.src); err != nil {
		return err
	}
	return advance(x.b.src)
}

// suffix counts what is the same at the end, at most so many.
func suffix(a, b Steps, most uint64) (n uint64, err error) {
	x, y := a.Backward(), b.Backward()
	defer x.Close()
	defer y.Close()
	for ; n < most; n++ {
		if err = advance(x); err == nil {
			err = advance(y)
		}
		if err != nil || !same(x, y) {
			return n, err
		}
	}
	return n, nil
}

// begin says what of the source is to be aligned.
func (l *lane) begin(at, n uint64) { l.at, l.left = at, n }

// item is the step at which the source stands.
func (l *lane) item() Item {
	i := Item{Step: l.src.Step(), digest: sha256.Sum256(l.src.Args())}
	// What the source read may be part of a large block: keep nothing of it.
	i.Type, i.ID = strings.Clone(i.Type), strings.Clone(i.ID)
	i.Position, i.Name = l.at, strings.Clone(l.src.Name())
	return i
}

// fill reads on until the window is full or nothing is left.
func (l *lane) fill(window int) error {
	for l.left > 0 && len(l.held) < window {
		if !l.stands {
			if err := advance(l.src); err != nil {
				return err
			}
		}
		l.stands = false
		l.held = append(l.held, l.item())
		l.at, l.left = l.at+1, l.left-1
	}
	return nil
}

// drop forgets the first n steps held.
func (l *lane) drop(n int) { l.held = append(l.held[:0], l.held[n:]...) }

// rest is how many steps are not yet aligned.
func (l *lane) rest() uint64 { return uint64(len(l.held)) + l.left }
