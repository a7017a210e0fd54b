package embedded

import (
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/pkg/codec"
)

// The list of commits is thinned (thin.go): a key of it may be found several times, and records
// that had gone are found again.

// setCommits takes over the commit records under one key, unless the same key was found with less:
// that was written later.
func (g *gathering) setCommits(version uint64, key, value []byte) error {
	found, ok := g.commits[version]
	if !ok {
		stored, closer, err := g.store.Get(key)
		if err == nil {
			found, ok = slices.Clone(stored), true
			err = closer.Close()
		}
		if err != nil && !errors.Is(err, pebble.ErrNotFound) {
			return placeFailed(err)
		}
	}
	if ok && !thinner(version, value, found) {
		return nil
	}
	g.commits[version] = slices.Clone(value)
	return g.set(key, value)
}

// thinner tells whether of two values of a key the first was written later: it has fewer records,
// or its first one names an earlier one before it. Both were read before.
func thinner(version uint64, a, b []byte) bool {
	count := func(value []byte) (n int, previous uint64) {
		_ = eachInGroup(version, value, func(rec codec.CommitRecord, err error) error {
			if n++; n == 1 {
				previous = rec.Previous
			}
			return err
		})
		return n, previous
	}
	n, previous := count(a)
	m, other := count(b)
	return n < m || n == m && previous < other
}

// relink takes away again what had gone and has come back, and makes the chain whole. A record that
// names another one than that before it, an earlier one, says that all between the two had gone.
// Where one is missing the record behind it names it as before.
func (g *gathering) relink() error {
	gone, err := g.thinnedSpans()
	if err != nil {
		return err
	}
	last := uint64(0)
	return g.eachGroup(func(key []byte, version uint64, records *codec.GroupReader) error {
		var group codec.GroupBuilder
		changed := false
		for records.Next() {
			data := records.Record()
			rec, _ := codec.DecodeCommitRecord(records.Version(), data) // was read before
			for len(gone) > 0 && gone[0].before <= rec.Version {
				gone = gone[1:]
			}
			if rec.Version <= last || len(gone) > 0 && gone[0].after < rec.Version {
				changed = true // also what was cut off a group, and has come back with all of it
				continue
			}
			last = rec.Version
			group.Add(rec.Version, data)
		}
		switch {
		case !changed:
			return nil
		case group.Len() == 0:
			return g.batch.Delete(key, nil)
		}
		return g.set(key, group.Append(nil))
	})
}

// thinnedSpan are the versions between two commits, of which nothing is to be on record.
type thinnedSpan struct{ after, before uint64 }

// thinnedSpans lists them, in their order, as far as something lies in them.
func (g *gathering) thinnedSpans() (gone []thinnedSpan, err error) {
	last := uint64(0)
	err = g.eachGroup(func(_ []byte, _ uint64, records *codec.GroupReader) error {
		for records.Next() {
			rec, _ := codec.DecodeCommitRecord(records.Version(), records.Record()) // was read before
			if rec.Version <= last {
				continue
			}
			if rec.Previous < last {
				for n := len(gone); n > 0 && gone[n-1].after >= rec.Previous; n = len(gone) {
					gone = gone[:n-1] // within this one
				}
				gone = append(gone, thinnedSpan{after: rec.Previous, before: rec.Version})
			}
			last = rec.Version
		}
		return nil
	})
	return gone, err
}

// eachGroup calls f for the records under each key of the list of commits.
func (g *gathering) eachGroup(
	f func(key []byte, version uint64, records *codec.GroupReader) error,
) error {
	lower, upper := listBounds()
	it, err := g.store.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return placeFailed(err)
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var value []byte
		if value, err = it.ValueAndErr(); err == nil {
			version, _ := codec.DecodeCommitKey(it.Key()) // was read before
			records := codec.OpenGroup(version, value)
			err = f(it.Key(), version, &records)
		}
	}
	return placeFailed(closeIter(it, err))
}
