package cli

import (
	"context"
	"io"
)

// interruptible is an input whose reads end when ctx is done: a read of a terminal or pipe would
// otherwise keep Ctrl-C waiting for the next line. Not safe for concurrent use.
type interruptible struct {
	ctx  context.Context
	r    io.Reader
	left []byte
	more chan block // what the read under way will bring; nil if there is none
}

// block is what one read has brought.
type block struct {
	data []byte
	err  error
}

// Read implements io.Reader. A read that ctx has broken off stays behind: nothing can end it.
func (i *interruptible) Read(p []byte) (int, error) {
	if len(i.left) > 0 {
		n := copy(p, i.left)
		i.left = i.left[n:]
		return n, nil
	}
	if i.more == nil {
		i.more = make(chan block, 1)
		go func(more chan<- block, size int) {
			data := make([]byte, size)
			n, err := i.r.Read(data)
			more <- block{data[:n], err}
		}(i.more, max(len(p), 1))
	}
	select {
	case <-i.ctx.Done():
		return 0, i.ctx.Err()
	case b := <-i.more:
		i.more = nil
		n := copy(p, b.data)
		i.left = b.data[n:]
		return n, b.err
	}
}
