package diff

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// act is a step of a test: a name and arguments, one letter each.
type act struct{ name, args byte }

// acts is a Source over steps in memory.
type acts struct {
	steps    []act
	at, step int
	err      error // at the end
	open     *int
}

func (s *acts) Next() bool {
	s.at += s.step
	return s.at >= 0 && s.at < len(s.steps)
}

func (s *acts) Type() string { return "tool_call" }

func (s *acts) Args() []byte { return []byte{s.steps[s.at].name, s.steps[s.at].args} }
func (s *acts) Name() string { return string(rune(s.steps[s.at].name)) }
func (s *acts) Err() error   { return s.err }
func (s *acts) Close()       { *s.open-- }
func (s *acts) Step() Step   { return Step{Type: "tool_call", Version: uint64(100 + s.at)} }

// side makes steps ready for Align; open counts the sources that are not closed.
func side(steps []act, open *int) Steps {
	return Steps{
		Len: uint64(len(steps)),
		Forward: func(from uint64) Source {
			*open++
			return &acts{steps: steps, at: int(from) - 1, step: 1, open: open}
		},
		Backward: func() Source {
			*open++
			return &acts{steps: steps, at: len(steps), step: -1, open: open}
		},
	}
}

// copied is an Edit that outlives its visit.
type copied struct {
	Op   Op
	A, B Step
}

func align(t require.TestingT, a, b []act, o AlignOptions) ([]copied, Outcome) {
	open := 0
	var edits []copied
	out, err := Align(side(a, &open), side(b, &open), o, func(e Edit) bool {
		c := copied{Op: e.Op}
		if e.A != nil {
			c.A = e.A.Step
		}
		if e.B != nil {
			c.B = e.B.Step
		}
		edits = append(edits, c)
		return true
	})
	require.NoError(t, err)
	require.Zero(t, open, "sources left open")
	return edits, out
}

// plan writes steps as text: each a letter for the name and a digit for the arguments.
func plan(text string) []act {
	var steps []act
	for i := 0; i+1 < len(text); i += 2 {
		steps = append(steps, act{text[i], text[i+1]})
	}
	return steps
}

// brief shows edits: "-3 +4 2~5" is: step 3 of a gone, 4 of b new, 2 of a became 5 of b.
func brief(edits []copied) string {
	var b []byte
	digit := func(s Step) byte { return '0' + byte(s.Position) }
	for _, e := range edits {
		switch e.Op {
		case Removed:
			b = append(b, '-', digit(e.A), ' ')
		case Added:
			b = append(b, '+', digit(e.B), ' ')
		default:
			b = append(b, digit(e.A), '~', digit(e.B), ' ')
		}
	}
	return string(b)
}

func TestAlign(t *testing.T) {
	for _, test := range []struct{ name, a, b, want string }{
		{"nothing", "", "", ""},
		{"equal", "s1p1b1", "s1p1b1", ""},
		{"goes on", "s1", "s1p1", "+1 "},
		{"one is empty", "", "s1", "+0 "},
		{"other arguments", "s1p1b1", "s1p2b1", "1~1 "},
		{"another step", "s1p1b1", "s1q1b1", "-1 +1 "},
		{"one more", "s1b1", "s1p1b1", "+1 "},
		{"one more, and other arguments", "s1b1z1", "s1p1b2z1", "+1 1~2 "},
		{"order", "s1p1q1b1", "s1q1p1b1", "+1 -2 "},
	} {
		t.Run(test.name, func(t *testing.T) {
			edits, out := align(t, plan(test.a), plan(test.b), AlignOptions{})
			require.Equal(t, test.want, brief(edits))
			require.False(t, out.Windowed)
			require.EqualValues(t, len(test.a)/2, out.A)
			require.EqualValues(t, len(test.b)/2, out.B)
		})
	}
}

func TestAlignFirstDivergence(t *testing.T) {
	_, out := align(t, plan("a1b1c1z1"), plan("a1b1d1e1z1"), AlignOptions{})
	require.EqualValues(t, 2, out.Prefix)
	require.EqualValues(t, 1, out.Suffix)
	require.EqualValues(t, 1, out.LastA.Position)
	require.EqualValues(t, 101, out.LastB.Version)
	require.Equal(t, "c", out.NextA.Name)
	require.Equal(t, "d", out.NextB.Name)

	_, out = align(t, plan("a1"), plan("a1b1"), AlignOptions{})
	require.Nil(t, out.NextA)
	require.Equal(t, "b", out.NextB.Name)

	_, out = align(t, plan("a1"), plan("b1"), AlignOptions{})
	require.Nil(t, out.LastA)
	require.Nil(t, out.LastB)

	// What is known to be the same is not looked at: here it is not even so.
	edits, out := align(t, plan("x1b1c1"), plan("y1b1d1"), AlignOptions{Known: 2})
	require.Equal(t, "-2 +2 ", brief(edits))
	require.Nil(t, out.LastA)
	require.EqualValues(t, 2, out.Prefix)
}

// actsOf draws steps: few names and arguments, so that much is the same.
func actsOf(most int) *rapid.Generator[[]act] {
	return rapid.Custom(func(t *rapid.T) []act {
		args := rapid.SampledFrom([]byte{1, 3, 200}).Draw(t, "args")
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) act {
			return act{'a' + rapid.ByteMax(3).Draw(t, "name"), rapid.ByteMax(args).Draw(t, "args")}
		}), 0, most).Draw(t, "steps")
	})
}

// requireSound plays the edits: a without what was removed and b without what was added are the
// same but for what was changed, and all counts are right.
func requireSound(t require.TestingT, a, b []act, edits []copied, out Outcome) {
	var count Counts
	goneA, goneB := map[uint64]bool{}, map[uint64]bool{}
	changed := map[uint64]uint64{}
	for _, e := range edits {
		count.Count(e.Op)
		switch e.Op {
		case Removed:
			goneA[e.A.Position] = true
		case Added:
			goneB[e.B.Position] = true
		case Changed:
			changed[e.A.Position] = e.B.Position
		}
	}
	i, j, same := 0, 0, uint64(0)
	for i < len(a) || j < len(b) {
		switch {
		case goneA[uint64(i)]:
			i++
			continue
		case goneB[uint64(j)]:
			j++
			continue
		}
		require.Less(t, i, len(a))
		require.Less(t, j, len(b))
		if at, ok := changed[uint64(i)]; ok {
			require.EqualValues(t, j, at)
			require.Equal(t, a[i].name, b[j].name)
			require.NotEqual(t, a[i], b[j])
		} else {
			require.Equal(t, a[i], b[j])
			same++
		}
		i, j = i+1, j+1
	}
	count.CountSame(same)
	require.Equal(t, count, out.Counts)
}

func swapEdits(edits []copied) []copied {
	edits = slices.Clone(edits)
	for i, e := range edits {
		edits[i] = copied{e.Op.swapped(), e.B, e.A}
	}
	return ordered(edits)
}

// ordered puts what is removed before what is added at the same place, as it is not after a swap.
func ordered(edits []copied) []copied {
	edits = slices.Clone(edits)
	for i := 1; i < len(edits); i++ {
		for j := i; j > 0 && edits[j].Op == Removed && edits[j-1].Op == Added; j-- {
			edits[j], edits[j-1] = edits[j-1], edits[j]
		}
	}
	return edits
}

// R208: swapping the sides swaps added and removed, whatever the window; in one window no
// alignment has more in common.
func TestAlignIsSoundAndSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := actsOf(40).Draw(t, "a"), actsOf(40).Draw(t, "b")
		if rapid.Bool().Draw(t, "related") {
			n := rapid.IntRange(0, len(a)).Draw(t, "from")
			b = slices.Concat(a[:n], b, a[n:])
		}
		o := AlignOptions{Window: rapid.SampledFrom([]int{1, 2, 3, 8, 1000}).Draw(t, "window")}
		edits, out := align(t, a, b, o)
		requireSound(t, a, b, edits, out)
		least := dumbLength(a, b)
		require.LessOrEqual(t, out.Same, uint64(least))
		if !out.Windowed {
			require.EqualValues(t, least, out.Same)
		}
		turned, back := align(t, b, a, o)
		require.Equal(t, ordered(edits), swapEdits(turned))
		require.Equal(t, out.Prefix, back.Prefix)
		require.Equal(t, out.Suffix, back.Suffix)
		require.Equal(t, out.Windowed, back.Windowed)
		require.Equal(t, out.NextA, back.NextB)
	})
}

// Long inserts, longer than the window, do not throw the alignment off, and edits far apart are
// found as such.
func TestAlignWindows(t *testing.T) {
	steps := make([]act, 20_000)
	for i := range steps {
		steps[i] = act{byte(i), byte(i >> 8)}
	}
	insert := make([]act, 5000)
	for i := range insert {
		insert[i] = act{byte(i), 200}
	}
	edited := slices.Concat(steps[:5000], insert, steps[5000:18_000], steps[18_001:])
	edits, out := align(t, steps, edited, AlignOptions{Window: 64})
	requireSound(t, steps, edited, edits, out)
	require.True(t, out.Windowed)
	require.EqualValues(t, 5000, out.Added+out.Changed)
	require.EqualValues(t, 1, out.Removed+out.Changed)
	require.EqualValues(t, 5000, out.Prefix)
	require.EqualValues(t, 20_000-18_001, out.Suffix)

	// One insert needs no window: the ends are equal.
	edits, out = align(t, steps, slices.Concat(steps[:7], insert, steps[7:]), AlignOptions{Window: 64})
	require.Len(t, edits, 5000)
	require.False(t, out.Windowed)
}

// Small windows find nearly what one look at everything would: with a step in three that is found
// everywhere, and with stretches nearly as long as the window that only one side has.
func TestAlignWindowsAreGood(t *testing.T) {
	var base []act
	for i := range 6000 {
		if base = append(base, act{byte(i), byte(i >> 8)}); i%3 == 0 {
			base = append(base, act{'n', 255})
		}
	}
	own := make([]act, 100)
	for i := range own {
		own[i] = act{byte(i), 250}
	}
	var a, b []act
	for i := 0; i+500 <= len(base); i += 500 {
		part := base[i : i+500]
		a, b = append(a, part...), append(b, part...)
		switch i / 500 % 5 {
		case 0:
			a = append(a, own...)
		case 1:
			b = append(b, own[:40]...)
		case 2:
			a, b = append(a, own[:20]...), append(b, own[20:50]...)
		case 3:
			b = b[:len(b)-70]
		case 4:
			a = append(a, own[:30]...)
			a, b = append(a, own[60:90]...), append(b, own[30:]...)
		}
	}
	a, b = append(a, act{1, 251}), append(b, act{2, 251}) // no equal end
	best, all := align(t, a, b, AlignOptions{Window: len(a) + len(b)})
	requireSound(t, a, b, best, all)
	require.False(t, all.Windowed)
	edits, out := align(t, a, b, AlignOptions{Window: 128})
	requireSound(t, a, b, edits, out)
	require.True(t, out.Windowed)
	t.Logf("%d steps in common, %d in windows", all.Same, out.Same)
	require.Greater(t, out.Same, all.Same*99/100)
}

func TestAlignEndsEarlyAndFails(t *testing.T) {
	open, n := 0, 0
	a, b := side(plan("a1a2a3a4"), &open), side(plan("b1b2b3b4"), &open)
	_, err := Align(a, b, AlignOptions{}, func(Edit) bool { n++; return n < 3 })
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Zero(t, open)

	broken := errors.New("broken")
	for _, err := range []error{broken, nil} {
		short := side(plan("a1"), &open)
		short.Len = 3
		short.Forward = func(uint64) Source {
			open++
			return &acts{steps: plan("a1"), at: -1, step: 1, err: err, open: &open}
		}
		want := err
		if want == nil {
			want = errShort
		}
		_, err = Align(short, a, AlignOptions{}, func(Edit) bool { return true })
		require.ErrorIs(t, err, want)
		_, err = Align(a, short, AlignOptions{}, func(Edit) bool { return true })
		require.ErrorIs(t, err, want)
		require.Zero(t, open)
	}
}

func FuzzAlign(f *testing.F) {
	f.Add([]byte("a1b1c1"), []byte("a1c1b1"), 4)
	f.Fuzz(func(t *testing.T, x, y []byte, window int) {
		if window < 1 || len(x) > 400 || len(y) > 400 {
			return
		}
		a, b := plan(string(x)), plan(string(y))
		edits, out := align(t, a, b, AlignOptions{Window: window})
		requireSound(t, a, b, edits, out)
	})
}
