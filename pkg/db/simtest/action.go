package simtest

import (
	"fmt"
	"math/rand/v2"
)

// Action is one step of a script: one action of one client. What its numbers mean depends on the
// kind; they choose among what there is when the action is played, so that a script stays playable
// whatever is left out of it.
type Action struct {
	Step   int
	Client int
	Kind   string
	Args   [8]uint64
}

// String names the action; what it did is in the story of a failure.
func (a Action) String() string {
	return fmt.Sprintf("step %d client %d %s", a.Step, a.Client, a.Kind)
}

// clients is how many there are in an episode.
const clients = 6

// actionAt is the action of a step of an episode: a pure function of these three numbers.
func actionAt(seed uint64, episode, step int) Action {
	r := rand.New(rand.NewPCG(seed, uint64(episode)<<32|uint64(step)))
	a := Action{Step: step, Client: r.IntN(clients)}
	n := r.IntN(allWeights)
	for _, k := range kinds {
		if n -= k.weight; n < 0 {
			a.Kind = k.name
			break
		}
	}
	for i := range a.Args {
		a.Args[i] = r.Uint64()
	}
	return a
}

// kind is a kind of action: how often it comes, and what it does.
type kind struct {
	name   string
	weight int
	play   func(e *episode, a Action)
}

var (
	kinds      []kind
	kindOf     = map[string]kind{}
	allWeights int
)

// The order of registration is that of this list: it decides what a seed means.
func init() {
	for _, group := range [][]kind{
		keyKinds, eventKinds, cellKinds, spanKinds, vectorKinds, runKinds, recordKinds, txKinds,
		viewKinds, historyKinds, upkeepKinds, timeKinds, faultKinds,
	} {
		for _, k := range group {
			kinds, kindOf[k.name] = append(kinds, k), k
			allWeights += k.weight
		}
	}
}

// args hands out the numbers of an action one after the other.
type args struct {
	left []uint64
	rng  *rand.Rand
}

// draws are the numbers of an action, and as many more as are asked for.
func (a Action) draws() *args {
	return &args{left: a.Args[:], rng: rand.New(rand.NewPCG(a.Args[0], a.Args[7]))}
}

// below is a number below n.
func (d *args) below(n int) int {
	if len(d.left) == 0 {
		return d.rng.IntN(n)
	}
	x := d.left[0]
	d.left = d.left[1:]
	return int(x % uint64(n))
}

// odds is true once in n times.
func (d *args) odds(n int) bool { return d.below(n) == n-1 }

// one is one of several.
func one[T any](d *args, from ...T) T { return from[d.below(len(from))] }
