package vector

import "context"

// Link implements Index.
func (ix *slotIndex) Link(ctx context.Context, n int) (linked int, err error) {
	return 0, ctx.Err()
}
