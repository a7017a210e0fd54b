package model

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// WriteDerived implements backend.Derived.
func (b *Backend) WriteDerived(ctx context.Context, name string, content io.WriterTo) error {
	var all bytes.Buffer
	if _, err := content.WriteTo(&all); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.derivable(ctx, name); err != nil {
		return err
	}
	b.derived[name] = all.Bytes()
	return nil
}

// OpenDerived implements backend.Derived.
func (b *Backend) OpenDerived(name string) (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.derivable(context.Background(), name); err != nil {
		return nil, err
	}
	content, ok := b.derived[name]
	if !ok {
		return nil, fmt.Errorf("file %s: %w", name, fs.ErrNotExist)
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}

// ListDerived implements backend.Derived.
func (b *Backend) ListDerived() ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.usable(context.Background()); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(b.derived)), nil
}

// RemoveDerived implements backend.Derived.
func (b *Backend) RemoveDerived(name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.derivable(context.Background(), name); err != nil {
		return err
	}
	delete(b.derived, name)
	return nil
}

// derivable answers for calls that name a derived file. Callers hold mu.
func (b *Backend) derivable(ctx context.Context, name string) error {
	if !backend.ValidDerived(name) {
		return fmt.Errorf("%w: %q is no name of a derived file", codec.ErrInvalidArgument, name)
	}
	return b.usable(ctx)
}
