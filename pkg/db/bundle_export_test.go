package inmem

import "context"

// DropImports does what Open does about imports that a crash has interrupted.
func (d *DB) DropImports(ctx context.Context) error { return d.dropImports(ctx) }
