package inmem_test

import (
	"context"

	"github.com/inmem-db/inmem/internal/backend"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Check implements backend.Inspector, of what has something stored.
func (s staying) Check(
	ctx context.Context, o backend.CheckOptions, report func(backend.Problem),
) (backend.CheckInfo, error) {
	return s.Backend.(backend.Inspector).Check(ctx, o, report)
}

// Sizes implements backend.Inspector.
func (s staying) Sizes(ctx context.Context, f func(backend.SizeInfo) error) error {
	return s.Backend.(backend.Inspector).Sizes(ctx, f)
}

// Shape implements backend.Inspector.
func (s staying) Shape() (backend.ShapeInfo, error) {
	return s.Backend.(backend.Inspector).Shape()
}

// verify demands that Verify finds nothing in what a history has left.
func (h *history) verify() {
	if _, ok := h.a.b.(backend.Inspector); !ok {
		return
	}
	report, err := h.d.Verify(h.ctx, inmem.VerifyOptions{})
	h.must(err)
	for i := range report.Problems {
		h.tell("problem %s", report.Problems[i].String())
	}
	if !report.Sound() || report.Version != h.d.Version() {
		h.wrong("verify found %d problems at version %d of %d", report.Found, report.Version,
			h.d.Version())
	}
}
