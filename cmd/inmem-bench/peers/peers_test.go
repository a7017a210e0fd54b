package main

import (
	"testing"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine/enginetest"
)

func TestConformance(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			enginetest.Run(t, e)
		})
	}
}
