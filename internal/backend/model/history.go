package model

import (
	"context"
	"fmt"
	"sort"
)

// NewestCommit implements backend.History.
func (b *Backend) NewestCommit(ctx context.Context, at uint64) (uint64, int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.usable(ctx); err != nil {
		return 0, 0, fmt.Errorf("newest commit at %d: %w", at, err)
	}
	version, time := uint64(0), int64(0)
	for _, c := range b.commits {
		if c.Version <= at {
			version, time = c.Version, c.Time
		}
	}
	return version, time, nil
}

// VersionAt implements backend.History.
func (b *Backend) VersionAt(ctx context.Context, time int64) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.usable(ctx); err != nil {
		return 0, fmt.Errorf("version at time %d: %w", time, err)
	}
	later := sort.Search(len(b.commits), func(i int) bool { return b.commits[i].Time > time })
	if later == 0 {
		return 0, nil
	}
	return b.commits[later-1].Version, nil
}
