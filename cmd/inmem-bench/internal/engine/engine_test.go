package engine_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine/enginetest"
)

func TestConformance(t *testing.T) {
	for _, e := range []engine.Engine{engine.InMem(), engine.GoMap()} {
		t.Run(e.Name, func(t *testing.T) { enginetest.Run(t, e) })
	}
}

func TestTickerReportsWhatFailed(t *testing.T) {
	var none *engine.Ticker
	require.NoError(t, none.Stop())
	calls := make(chan struct{}, 1)
	broken := errors.New("broken")
	ticker := engine.StartTicker(func() error {
		calls <- struct{}{}
		return broken
	})
	select {
	case <-calls:
	case <-time.After(time.Minute):
		t.Fatal("no call")
	}
	require.ErrorIs(t, ticker.Stop(), broken)
	require.NoError(t, engine.StartTicker(func() error { return broken }).Stop(), "not yet called")
}
