package vecindex

import (
	"context"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Loading an index reads rows and puts them into memory, at about the same cost each. eachBeside
// does the two at once: a goroutine of its own reads ahead, in batches.
const (
	batchRows  = 256
	batchAhead = 64 // batches; whoever consumes them may have something to do first
)

// rowBatch is some rows in their order.
type rowBatch struct {
	rows   []batchRow
	values []byte // of all, one after the other
}

type batchRow struct {
	id      string
	version uint64
	end     int // of its value
}

// eachBeside calls a function for all rows at a version, with the vector of each, which is only
// valid until the next call.
func (x *index) eachBeside(
	ctx context.Context, at uint64, row func(id string, version uint64, vec []float32) error,
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches, done := make(chan *rowBatch, batchAhead), make(chan error, 1)
	go func() {
		defer close(batches)
		done <- x.readAhead(ctx, at, batches)
	}()
	var room []float32
	err := error(nil)
	for b := range batches { // to the end: the reader must have gone
		if err == nil {
			if room, err = b.each(room, row); err != nil {
				cancel()
			}
		}
	}
	if read := <-done; err == nil {
		err = read
	}
	return err
}

// readAhead is the reader.
func (x *index) readAhead(ctx context.Context, at uint64, to chan<- *rowBatch) error {
	b := &rowBatch{}
	send := func() error {
		select {
		case to <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
		b = &rowBatch{values: make([]byte, 0, cap(b.values))}
		return nil
	}
	err := x.each(ctx, at, func(id string, r *backend.Record) error {
		b.values = append(b.values, r.Value...)
		b.rows = append(b.rows, batchRow{id, r.Version, len(b.values)})
		if len(b.rows) < batchRows {
			return nil
		}
		return send()
	})
	if err != nil {
		return err
	}
	return send()
}

func (b *rowBatch) each(
	room []float32, row func(id string, version uint64, vec []float32) error,
) ([]float32, error) {
	from := 0
	for _, r := range b.rows {
		vec, err := codec.DecodeVector(room[:0], b.values[from:r.end])
		if err == nil {
			err = row(r.id, r.version, vec)
		}
		if err != nil {
			return room, rowError(r.id, err)
		}
		room, from = vec, r.end
	}
	return room, nil
}
