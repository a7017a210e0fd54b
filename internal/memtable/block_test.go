package memtable

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// mixedWalk walks by blocks, of at most most records, and by Next where they say nothing: the tests
// of scans use it in place of a cursor.
type mixedWalk struct {
	*Cursor
	most  int // 0: no blocks
	block Block
	at    int
	rec   Record
}

func (w *mixedWalk) Next() bool {
	if w.at++; w.at < w.block.Len {
		return true
	}
	if w.at, w.block.Len = 0, 0; w.most > 0 {
		w.NextBlock(&w.block, w.most)
	}
	return w.block.Len > 0 || w.Cursor.Next()
}

func (w *mixedWalk) Key() string {
	if w.at < w.block.Len {
		return w.block.Keys[w.at]
	}
	return w.Cursor.Key()
}

func (w *mixedWalk) Ref() Ref {
	if w.at < w.block.Len {
		return Ref(w.block.Hints[w.at])
	}
	return w.Cursor.Ref()
}

func (w *mixedWalk) Record() *Record {
	if w.at < w.block.Len {
		v := w.block.Versions[w.at]
		w.rec = Record{Version: v, Stamp: v, Value: w.block.Values[w.at]}
		return &w.rec
	}
	return w.Cursor.Record()
}

// Blocks end at what is not ordinary, keep to the most that is asked for, and leave the rest for
// Next; both ways give what Next alone gives, from the base, the tree and both.
func TestBlocks(t *testing.T) {
	for _, shape := range []string{"rising", "falling", "mixed"} {
		for _, reverse := range []bool{false, true} {
			tb := New(Options{})
			s := tb.NewScope(1, true)
			for i := range 500 {
				v := uint64(i + 1)
				k := map[string]int{"rising": i, "falling": 499 - i, "mixed": i * 7 % 500}[shape]
				r := Record{Version: v, Stamp: v, Value: []byte{byte(i)}}
				switch {
				case i%50 == 7:
					r.Expiry = 1 << 60
				case i%50 == 9:
					r = Record{Version: v, Stamp: v, Deleted: true}
				case i%50 == 11: // its length is a word of its own
					r.Value = bytes.Repeat(r.Value, longLen+i)
				}
				s.Apply('k', fmt.Sprintf("%03d", k), r)
			}
			alone := s.Scan('k', "010", "480", reverse, 500)
			var b Block
			alone.NextBlock(&b, 1000)
			require.LessOrEqual(t, b.Len, BlockSize)
			require.Positive(t, b.Len)
			alone.NextBlock(&b, 3)
			require.LessOrEqual(t, b.Len, 3)
			alone.Close()
			for _, most := range []int{1, 3, 8, 64} {
				c := s.Scan('k', "010", "480", reverse, 450)
				w := &mixedWalk{Cursor: s.Scan('k', "010", "480", reverse, 450), most: most}
				blocks := 0
				for c.Next() {
					require.True(t, w.Next(), "after %q", c.Key())
					require.Equal(t, c.Key(), w.Key())
					require.Equal(t, c.Ref(), w.Ref())
					require.Equal(t, *c.Record(), *w.Record())
					if w.at < w.block.Len {
						blocks++
					}
				}
				require.False(t, w.Next() || w.Partial())
				require.Greater(t, blocks, 300)
			}
		}
	}
}

// An eviction between two blocks ends them: the cursor says that it cannot go on.
func TestEvictionOvertakesBlocks(t *testing.T) {
	for _, reverse := range []bool{false, true} {
		tb := New(Options{SegmentSize: minSegmentSize})
		s := tb.NewScope(1, true)
		for i := range 60 {
			s.Apply('k', fmt.Sprintf("%02d", i*37%60), Record{Version: uint64(i + 1),
				Stamp: uint64(i + 1), Value: make([]byte, 200)})
		}
		c := s.Scan('k', "", "", reverse, 60)
		var b Block
		c.NextBlock(&b, 10)
		require.Equal(t, 10, b.Len)
		entries, _ := tb.Evict(60, 1)
		require.Positive(t, entries)
		c.NextBlock(&b, 10)
		require.Zero(t, b.Len)
		require.False(t, c.Next())
		require.True(t, c.Partial())
	}
}

// A block says nothing either when what was evicted is not in it: the serials that were freed may
// lead to other keys by now.
func TestEvictionElsewhereEndsBlocks(t *testing.T) {
	for _, reverse := range []bool{false, true} {
		tb := New(Options{SegmentSize: minSegmentSize})
		s := tb.NewScope(1, true)
		for i := range 60 {
			key := i // so that the oldest keys, which go first, come last
			if !reverse {
				key = 59 - i
			}
			s.Apply('k', fmt.Sprintf("%02d", key), Record{Version: uint64(i + 1),
				Stamp: uint64(i + 1), Value: make([]byte, 200)})
		}
		c := s.Scan('k', "", "", reverse, 60)
		var b Block
		c.NextBlock(&b, 10)
		require.Equal(t, 10, b.Len)
		entries, _ := tb.Evict(20, 1)
		require.Positive(t, entries)
		c.NextBlock(&b, 10)
		require.Zero(t, b.Len)
		require.False(t, c.Next())
		require.True(t, c.Partial())
	}
}

// Values that were replaced lie in other segments than their entries, and blocks have them. No
// pointer leads out of a segment, not for a moment: a build that checks pointers would end there.
func TestBlocksOfReplacedValues(t *testing.T) {
	tb := New(Options{SegmentSize: minSegmentSize})
	s := tb.NewScope(1, true)
	version := uint64(0)
	for round := range 10 {
		for i := range 200 {
			version++
			s.Apply('k', fmt.Sprintf("%03d", i), Record{Version: version, Stamp: version,
				Value: []byte{byte(i), byte(round)}})
		}
		c := s.Scan('k', "", "", round%2 == 1, version)
		var b Block
		seen := 0
		for c.NextBlock(&b, BlockSize); b.Len > 0; c.NextBlock(&b, BlockSize) {
			for _, v := range b.Values[:b.Len] {
				require.Equal(t, byte(round), v[1])
			}
			seen += b.Len
		}
		require.Equal(t, 200, seen)
		c.Close()
	}
}
