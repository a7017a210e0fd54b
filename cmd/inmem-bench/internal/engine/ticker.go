package engine

import (
	"errors"
	"sync"
	"time"
)

// Ticker calls a sync function every SyncEvery, for engines that have no such mode of their own. A
// sync that fails is reported by Stop.
type Ticker struct {
	stop chan struct{}
	done sync.WaitGroup
	errs []error // written by the goroutine, read after done
}

// StartTicker begins to call sync.
func StartTicker(sync func() error) *Ticker {
	t := &Ticker{stop: make(chan struct{})}
	t.done.Go(func() {
		tick := time.NewTicker(SyncEvery)
		defer tick.Stop()
		for {
			select {
			case <-t.stop:
				return
			case <-tick.C:
				if err := sync(); err != nil {
					t.errs = append(t.errs, err)
					return
				}
			}
		}
	})
	return t
}

// Stop ends the calls and returns what went wrong in them. A nil Ticker is fine.
func (t *Ticker) Stop() error {
	if t == nil {
		return nil
	}
	close(t.stop)
	t.done.Wait()
	return errors.Join(t.errs...)
}
