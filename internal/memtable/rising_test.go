package memtable

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Keys in rising order, inserted while others scan, are each shown once: a scan between two steps
// of an insertion does not take the newest key for a tail.
func TestRisingKeysAreShownOnce(t *testing.T) {
	const keys, rounds = 3000, 5
	for range rounds {
		table := New(Options{SegmentSize: 1 << 20})
		s := table.NewScope(1, true)
		var done atomic.Bool
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				for !done.Load() {
					c := s.Scan('e', "", "", true, ^uint64(0)>>1)
					c.Next()
					c.Close()
				}
			})
		}
		for i := range keys {
			s.Apply('e', fmt.Sprintf("%06d", i), Record{
				Version: uint64(i + 1), Stamp: uint64(i + 1), Value: []byte{1},
			})
		}
		done.Store(true)
		group.Wait()
		c := s.Scan('e', "", "", false, ^uint64(0)>>1)
		n := 0
		for ; c.Next(); n++ {
			require.Equal(t, fmt.Sprintf("%06d", n), c.Key())
		}
		require.Equal(t, keys, n)
		c.Close()
	}
}

// A scan between the two steps of the insertion of a rising key sees the keys before it, and makes
// no tree.
func TestScanBetweenTheStepsOfAnInsertion(t *testing.T) {
	table := New(Options{SegmentSize: 1 << 20})
	s := table.NewScope(1, true)
	for i := range 3 {
		s.Apply('e', fmt.Sprint(i), Record{Version: 1, Stamp: 1, Value: []byte{1}})
	}
	o := s.order('e')
	o.base.Store(4) // the first step; the second publishes the key
	tree, base := o.sorted(s)
	require.Nil(t, tree)
	require.EqualValues(t, 3, base)
}
