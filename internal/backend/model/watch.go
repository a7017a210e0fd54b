package model

import (
	"context"
	"fmt"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// lookAgain is how often WaitBeyond looks.
const lookAgain = time.Millisecond

// WaitBeyond implements backend.Backend: it looks again and again.
func (b *Backend) WaitBeyond(ctx context.Context, version uint64) (uint64, error) {
	for {
		b.mu.Lock()
		durable, err := b.published, b.usable(ctx)
		b.mu.Unlock()
		if durable > version {
			return durable, nil
		}
		if err != nil {
			return 0, fmt.Errorf("wait beyond version %d: %w", version, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookAgain):
		}
	}
}

// Checkpoint implements backend.Backend: there is nothing on disk.
func (b *Backend) Checkpoint(ctx context.Context, _ string) (backend.CheckpointInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.usable(ctx)
	if err == nil {
		err = codec.ErrInvalidArgument
	}
	return backend.CheckpointInfo{}, fmt.Errorf("checkpoint: %w", err)
}
