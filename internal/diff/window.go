package diff

import (
	"errors"
	"fmt"
)

// errShort: a source ended before its length.
var errShort = errors.New("a sequence of steps ended early")

// advance moves a source on; its end is an error.
func advance(s Source) error {
	if s.Next() {
		return nil
	}
	if err := s.Err(); err != nil {
		return err
	}
	return errShort
}

// middle aligns what lies between the equal beginning and the equal end, window by window.
//
// As long as more is to come than the windows hold, only a part of an alignment is trusted: that up
// to the middle one of the steps in common, since near the end of the windows the best partner of a
// step may not be in sight. If the windows have nothing in common, half of what is held goes; of
// one side only, if that side has much more to come, for then the other one's steps may come later
// there.
func (x *aligner) middle() error {
	for !x.stopped {
		// What one side has alone needs no window.
		alone := x.a.rest() == 0 || x.b.rest() == 0
		if err := x.fill(); err != nil {
			return err
		}
		a, b := x.a.held, x.b.held
		if len(a) == 0 && len(b) == 0 {
			return nil
		}
		if alone || x.a.left == 0 && x.b.left == 0 {
			x.settle(len(a), len(b), x.align())
			continue
		}
		x.out.Windowed = true
		pairs := x.align()
		if len(pairs) > 0 {
			pairs = pairs[:(len(pairs)+1)/2]
			last := pairs[len(pairs)-1]
			x.settle(last.a+1, last.b+1, pairs)
			continue
		}
		n, m := x.surplus()
		x.settle(n, m, nil)
	}
	return nil
}

func (x *aligner) fill() error {
	if err := x.a.fill(x.window); err != nil {
		return fmt.Errorf("a: step %d: %w", x.a.at, err)
	}
	if err := x.b.fill(x.window); err != nil {
		return fmt.Errorf("b: step %d: %w", x.b.at, err)
	}
	return nil
}

// surplus is how many steps of each side go where the windows have nothing in common.
func (x *aligner) surplus() (a, b int) {
	half := max(1, x.window/2)
	restA, restB := x.a.rest(), x.b.rest()
	switch {
	case restA >= restB+uint64(half):
		return min(half, len(x.a.held)), 0
	case restB >= restA+uint64(half):
		return 0, min(half, len(x.b.held))
	}
	return min(half, len(x.a.held)), min(half, len(x.b.held))
}

// align finds the steps that are the same in the windows.
func (x *aligner) align() []pair {
	return common(identities(x.a.held), identities(x.b.held))
}

// identities are equal for steps that are the same.
func identities(items []Item) []string {
	list := make([]string, len(items))
	for i := range items {
		list[i] = string(items[i].digest[:]) + items[i].Type
	}
	return list
}

// kinds are equal for steps that may be Changed: those of equal type and name.
func kinds(items []Item) []string {
	list := make([]string, len(items))
	for i := range items {
		list[i] = fmt.Sprintf("%d %s%s", len(items[i].Type), items[i].Type, items[i].Name)
	}
	return list
}

// settle visits the differences among the first n and m steps held, given the pairs that are the
// same, and forgets the steps.
func (x *aligner) settle(n, m int, pairs []pair) {
	x.out.CountSame(uint64(len(pairs)))
	gaps(pairs, n, m, func(a0, a1, b0, b1 int) {
		a, b := x.a.held[a0:a1], x.b.held[b0:b1]
		changed := common(kinds(a), kinds(b))
		i, j := 0, 0
		for _, p := range append(changed, pair{len(a), len(b)}) {
			for ; i < p.a; i++ {
				x.edit(Edit{Op: Removed, A: &a[i]})
			}
			for ; j < p.b; j++ {
				x.edit(Edit{Op: Added, B: &b[j]})
			}
			if i < len(a) && j < len(b) {
				x.edit(Edit{Op: Changed, A: &a[i], B: &b[j]})
			}
			i, j = i+1, j+1
		}
	})
	x.a.drop(n)
	x.b.drop(m)
}

func (x *aligner) edit(e Edit) {
	if x.stopped {
		return
	}
	x.out.Count(e.Op)
	x.stopped = !x.visit(e)
}
