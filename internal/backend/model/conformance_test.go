package model_test

import (
	"context"
	"testing"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/backendtest"
	"github.com/inmem-db/inmem/internal/backend/model"
)

func TestConformance(t *testing.T) {
	backendtest.Run(t, func(testing.TB) backendtest.Env {
		clock := backendtest.NewClock()
		b := model.New(clock.Now)
		return backendtest.Env{
			Backend: b,
			Clock:   clock,
			Reopen: func() (backend.Backend, error) {
				b = b.Reopen()
				return b, nil
			},
			Sweep: func(ctx context.Context, opened backend.Backend) error {
				return opened.(*model.Backend).Sweep(ctx, clock.Now())
			},
		}
	})
}
