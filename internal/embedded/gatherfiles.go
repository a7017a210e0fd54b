package embedded

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/inmem-db/inmem/pkg/codec"
)

// sortedKeys are the keys of a map in their order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// table reads a table: from its beginning up to what is damaged, from its end down to it, and
// between the two from wherever a scope or a primitive may begin.
func (g *gathering) table(name string) (err error) {
	file := GatheredFile{Name: name}
	defer func() {
		if v := recover(); v != nil { // Pebble is not always polite to what is damaged
			file.Damage = fmt.Sprintf("%v", v)
		}
		g.files = append(g.files, file)
	}()
	path := g.o.FS.PathJoin(g.o.From, name)
	if info, err := g.o.FS.Stat(path); err == nil {
		file.Bytes = info.Size()
	}
	f, err := g.o.FS.Open(path)
	if err != nil {
		file.Damage = err.Error()
		return nil
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		file.Damage = errors.Join(err, f.Close()).Error()
		return nil
	}
	r, err := sstable.NewReader(g.ctx, readable, g.db.pebbleOptions(true).MakeReaderOptions())
	if err != nil {
		file.Damage = "all of it: " + firstLine(errors.Join(err, readable.Close()))
		return nil
	}
	t := tableWalk{g: g, r: r, file: &file}
	if err = t.run(); err == nil {
		err = r.Close()
	}
	return err
}

// tableWalk reads what can be read of one table.
type tableWalk struct {
	g    *gathering
	r    *sstable.Reader
	file *GatheredFile
	low  []byte // read from the beginning up to here, inclusive
	high []byte // and from here, inclusive, to the end; nil: nothing
}

func (t *tableWalk) run() error {
	damage, err := t.forward(nil)
	if err != nil || damage == nil {
		return err
	}
	first := damage
	if err := t.backward(); err != nil {
		return err
	}
	from := t.scopeOf(t.low, 0)
	to := t.scopeOf(t.high, from+fewProbes) // nobody knows what was at its end
	for n := from; n <= min(to, from+mostProbes) && t.g.ctx.Err() == nil; n++ {
		for letter := codec.Primitive('A'); letter <= 'z'; letter++ {
			if n == codec.SystemScope || !probed(letter) {
				continue
			}
			probe := append(codec.KeyPrefix(nil, n, letter), 0)
			if bytes.Compare(probe, t.low) <= 0 {
				continue
			}
			if t.high != nil && bytes.Compare(probe, t.high) >= 0 {
				break
			}
			if _, err := t.forward(probe); err != nil {
				return err
			}
		}
	}
	t.file.Damage = "a part of it: " + firstLine(first)
	return t.g.ctx.Err()
}

// mostProbes bounds how many scopes are looked for between two damaged places: nearly always there
// is but one, and each look costs a read. fewProbes is for where the end is not known either.
const (
	mostProbes = 500
	fewProbes  = 16
)

// probed are the letters at which reading begins again.
func probed(p codec.Primitive) bool {
	switch p {
	case codec.Events, codec.Cells, codec.Journal, codec.KV, codec.Machines, codec.Traces,
		codec.Extensions, codec.Vectors:
		return true
	}
	return false
}

func (t *tableWalk) scopeOf(key []byte, otherwise codec.Scope) codec.Scope {
	n, _, _, _, err := codec.DecodeKey(key)
	if err != nil || key == nil {
		return otherwise
	}
	return n
}

// forward reads from a key, nil is the beginning, up to the end, or to what is damaged, or to what
// backward has read.
func (t *tableWalk) forward(from []byte) (damage, err error) {
	it, err := t.r.NewIter(sstable.NoTransforms, nil, nil, sstable.AssertNoBlobHandles)
	if err != nil {
		return err, nil
	}
	kv := it.First()
	if from != nil {
		kv = it.SeekGE(from, 0)
	}
	for ; kv != nil; kv = it.Next() {
		key := kv.K.UserKey
		if t.high != nil && bytes.Compare(key, t.high) >= 0 {
			break
		}
		if bytes.Compare(key, t.low) > 0 {
			t.low = append(t.low[:0], key...)
		}
		if kv.Kind() != pebble.InternalKeyKindSet && kv.Kind() != pebble.InternalKeyKindSetWithDelete {
			continue // housekeeping
		}
		value, _, bad := kv.Value(nil)
		if bad != nil {
			damage = bad
			continue
		}
		if err := t.take(key, value); err != nil {
			return nil, errors.Join(err, it.Close())
		}
	}
	if bad := it.Error(); bad != nil {
		damage = bad
	}
	if bad := it.Close(); bad != nil && damage == nil {
		damage = bad
	}
	return damage, nil
}

// backward reads from the end down to what is damaged.
func (t *tableWalk) backward() error {
	it, err := t.r.NewIter(sstable.NoTransforms, nil, nil, sstable.AssertNoBlobHandles)
	if err != nil {
		return nil // forward has told
	}
	var high []byte
	for kv := it.Last(); kv != nil; kv = it.Prev() {
		key := kv.K.UserKey
		if bytes.Compare(key, t.low) <= 0 {
			break
		}
		high = append(high[:0], key...)
		if kv.Kind() != pebble.InternalKeyKindSet && kv.Kind() != pebble.InternalKeyKindSetWithDelete {
			continue
		}
		value, _, bad := kv.Value(nil)
		if bad != nil {
			continue
		}
		if err := t.take(key, value); err != nil {
			return errors.Join(err, it.Close())
		}
	}
	t.high = high
	_ = it.Close() // it is damaged, which forward has told
	return nil
}

func (t *tableWalk) take(key, value []byte) error {
	took, err := t.g.take(key, value)
	if took {
		t.file.Records++
	}
	return err
}

// logBlock is the size of the blocks of a log: behind a damaged chunk reading begins again with the
// next one.
const logBlock = 32 << 10

// log reads a log.
func (g *gathering) log(name string) error {
	file := GatheredFile{Name: name}
	defer func() { g.files = append(g.files, file) }()
	number, err := strconv.ParseUint(strings.TrimSuffix(name, ".log"), 10, 32)
	if err != nil {
		return nil // no log of Pebble's
	}
	f, err := g.o.FS.Open(g.o.FS.PathJoin(g.o.From, name))
	if err != nil {
		file.Damage = err.Error()
		return nil
	}
	data, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		file.Damage = err.Error()
		return nil
	}
	file.Bytes = int64(len(data))
	for start := 0; start < len(data); {
		end, damage, err := g.chunk(data[start:], number, &file)
		if err != nil {
			return err
		}
		stopped := min(start+int(end), len(data))
		if len(bytes.TrimRight(data[stopped:], "\x00")) == 0 {
			return nil
		}
		// What follows may be the rest of another log, whose file was used again: it does no harm to
		// look.
		if !errors.Is(damage, io.EOF) && file.Damage == "" {
			file.Damage = fmt.Sprintf("at offset %d: %s", stopped, firstLine(damage))
		}
		start = (stopped/logBlock + 1) * logBlock
	}
	return nil
}

// chunk reads the records of a log from a block on, and returns where it stopped, and why.
func (g *gathering) chunk(
	data []byte, number uint64, file *GatheredFile,
) (end int64, damage, err error) {
	r := newLogReader(data, number)
	for {
		end = r.Offset()
		rec, bad := r.Next()
		var repr []byte
		if bad == nil {
			repr, bad = io.ReadAll(rec)
		}
		if bad != nil {
			return end, bad, nil
		}
		if err := g.batchOf(repr, file); err != nil {
			return end, nil, err
		}
	}
}

// batchOf takes over what a batch of Pebble's sets, as far as it can be read. Pebble's reader is
// for batches that were written whole: it looks behind the end of one that was not.
func (g *gathering) batchOf(repr []byte, file *GatheredFile) error {
	if len(repr) < batchrepr.HeaderLen {
		return nil
	}
	var key, value []byte
	var ok bool
	for rest := repr[batchrepr.HeaderLen:]; len(rest) > 0; {
		kind := pebble.InternalKeyKind(rest[0])
		key, rest, ok = nextString(rest[1:])
		switch kind {
		case pebble.InternalKeyKindSet, pebble.InternalKeyKindRangeDelete,
			pebble.InternalKeyKindDeleteSized:
			if ok {
				value, rest, ok = nextString(rest)
			}
		case pebble.InternalKeyKindDelete, pebble.InternalKeyKindLogData:
		default:
			ok = false // no database writes it
		}
		if !ok {
			return nil // nor can what is behind it
		}
		if kind != pebble.InternalKeyKindSet {
			continue
		}
		took, err := g.take(key, value)
		if took {
			file.Records++
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// nextString takes a string with its length before it off the front.
func nextString(b []byte) (s, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	b = b[n:]
	return b[:size], b[size:], true
}

// newLogReader reads a log of a number. A file that was used before may have the records of another
// one at its end.
func newLogReader(data []byte, number uint64) *record.Reader {
	var info pebble.SSTableInfo
	return record.NewReader(bytes.NewReader(data), typed(number, info.BackingSSTNum))
}

// typed gives a number the type of another one, which Pebble has no public name for.
func typed[T ~uint64](n uint64, _ T) T { return T(n) }
