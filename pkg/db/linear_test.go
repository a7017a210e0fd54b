package inmem_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Direct operations on one key are linearizable: there is one order of them that agrees with real
// time and in which every operation returned what it had to (R045, R046, R048, R065, E31).
// Porcupine looks for it. Versions are part of what is checked: a put's version is greater than all
// before, a get sees the version of the last write, a CAS succeeds exactly on the version it names.
func TestSingleKeysAreLinearizable(t *testing.T) {
	for _, mode := range []inmem.Durability{inmem.Batched, inmem.Strict, inmem.None} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			history := keyHistory(t, mode, seed)
			result, _ := porcupine.CheckOperationsVerbose(keyModel, history, time.Minute)
			require.Equal(t, porcupine.Ok, result, "%d operations, seed %d", len(history), seed)
		})
	}
}

// The checker is worth something: it accepts what is right, and refuses histories, one operation
// after the other, in which one answer is wrong.
func TestLinearizabilityCheckerCatches(t *testing.T) {
	type step struct {
		in  keyInput
		out keyOutput
	}
	put := func(value int64, version uint64) step {
		return step{keyInput{op: opPut, value: value}, keyOutput{version: version}}
	}
	get := func(value int64, version uint64) step {
		return step{keyInput{op: opGet}, keyOutput{version: version, value: value, ok: value != 0}}
	}
	cas := func(expected uint64, value int64, version uint64) step {
		return step{keyInput{op: opCAS, expected: expected, value: value},
			keyOutput{version: version, ok: version != 0}}
	}
	remove := func(existed bool) step { return step{keyInput{op: opDelete}, keyOutput{ok: existed}} }
	const ok, illegal = porcupine.Ok, porcupine.Illegal
	for _, c := range []struct {
		name string
		want porcupine.CheckResult
		ops  []step
	}{
		{"right", ok, []step{put(1, 5), get(1, 5), cas(5, 2, 7), cas(5, 3, 0),
			remove(true), get(0, 9), remove(false), cas(9, 4, 10), get(4, 10)}},
		{"stale read", illegal, []step{put(1, 5), put(2, 6), get(1, 5)}},
		{"read of nothing", illegal, []step{put(1, 5), get(0, 0)}},
		{"lost compare-and-set that had to win", illegal, []step{put(1, 5), cas(5, 2, 0)}},
		{"won compare-and-set that had to lose", illegal, []step{put(1, 5), put(2, 6), cas(5, 3, 7)}},
		{"version that comes again", illegal, []step{put(1, 5), put(2, 5)}},
		{"version that goes back", illegal, []step{put(1, 5), remove(true), put(2, 4)}},
		{"delete that undoes itself", illegal, []step{put(1, 5), remove(true), get(1, 5)}},
		{"delete twice", illegal, []step{put(1, 5), remove(true), remove(true)}},
		{"lost update", illegal, []step{put(1, 5), cas(5, 2, 6), cas(5, 3, 7)}},
	} {
		var history []porcupine.Operation
		for i, s := range c.ops {
			history = append(history, porcupine.Operation{
				Input: s.in, Output: s.out, Call: int64(2 * i), Return: int64(2*i + 1)})
		}
		require.Equal(t, c.want, porcupine.CheckOperationsTimeout(keyModel, history, 0), c.name)
	}
}

type keyOp int

const (
	opGet keyOp = iota
	opPut
	opCAS
	opDelete
)

type keyInput struct {
	op       keyOp
	key      string
	value    int64
	expected uint64 // CAS
}

type keyOutput struct {
	version uint64 // of the write, or found by a get
	value   int64
	ok      bool // get: exists; CAS: won; delete: existed
}

// keyState is one key. A delete does not tell its version: then it is only known to be above floor.
type keyState struct {
	version uint64
	known   bool
	value   int64
	live    bool
}

var keyModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, op := range history {
			key := op.Input.(keyInput).key
			byKey[key] = append(byKey[key], op)
		}
		var parts [][]porcupine.Operation
		for _, ops := range byKey {
			parts = append(parts, ops)
		}
		return parts
	},
	Init: func() any { return keyState{known: true} },
	Step: func(state, input, output any) (bool, any) {
		return stepKey(state.(keyState), input.(keyInput), output.(keyOutput))
	},
}

func stepKey(s keyState, in keyInput, out keyOutput) (bool, any) {
	switch in.op {
	case opPut:
		return out.version > s.version, keyState{out.version, true, in.value, true}
	case opDelete:
		if out.ok != s.live {
			return false, s
		}
		if !s.live {
			return true, s
		}
		return true, keyState{version: s.version}
	case opCAS:
		matches := s.version == in.expected
		if !s.known { // the tombstone lies somewhere above the last version that was seen
			matches = in.expected > s.version
		}
		if !out.ok {
			return !matches || !s.known, s
		}
		return matches && out.version > s.version, keyState{out.version, true, in.value, true}
	}
	if out.ok != s.live || (s.live && out.value != s.value) {
		return false, s
	}
	if !s.known {
		return out.version > s.version, keyState{version: out.version, known: true}
	}
	return out.version == s.version, s
}

// keyHistory lets goroutines work on few keys and writes down what they did and when.
func keyHistory(t *testing.T, mode inmem.Durability, seed uint64) []porcupine.Operation {
	path := ""
	if mode != inmem.None {
		path = t.TempDir()
	}
	d, err := inmem.Open(path, &inmem.Options{Durability: mode})
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	ctx := context.Background()
	run, err := d.BeginRun(ctx, inmem.RunOptions{})
	require.NoError(t, err)
	const clients, each = 6, 120
	histories := make([][]porcupine.Operation, clients)
	start := time.Now()
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(c)))
			seen := map[string]uint64{}
			for i := range each {
				in := keyInput{op: keyOp(rng.IntN(4)), key: fmt.Sprint(rng.IntN(3))}
				in.value, in.expected = int64(c*each+i), seen[in.key]
				called := time.Since(start).Nanoseconds()
				out, err := doKey(ctx, run.KV(), in)
				if err != nil {
					t.Error(err)
					return
				}
				seen[in.key] = max(seen[in.key], out.version)
				histories[c] = append(histories[c], porcupine.Operation{
					ClientId: c, Input: in, Call: called,
					Output: out, Return: time.Since(start).Nanoseconds(),
				})
			}
		})
	}
	wg.Wait()
	var all []porcupine.Operation
	for _, h := range histories {
		all = append(all, h...)
	}
	return all
}

func doKey(ctx context.Context, k inmem.KV, in keyInput) (out keyOutput, err error) {
	switch in.op {
	case opPut:
		out.version, err = k.Put(ctx, in.key, inmem.Int(in.value))
	case opDelete:
		out.ok, err = k.Delete(ctx, in.key)
	case opCAS:
		out.version, err = k.CAS(ctx, in.key, in.expected, inmem.Int(in.value))
		if out.ok = err == nil; errors.Is(err, inmem.ErrVersionMismatch) {
			out.version, err = 0, nil
		}
	default:
		e, err := k.GetVersioned(ctx, in.key)
		if err != nil {
			return out, err
		}
		out.version, out.ok = e.Version, e.Exists
		if e.Exists {
			out.value, err = e.Value.AsInt()
		}
		return out, err
	}
	return out, err
}
