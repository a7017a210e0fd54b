package vector

import (
	"sync/atomic"
)

type graph struct {
	linked atomic.Uint32
	bytes  atomic.Int64
}

func (g *graph) init(Config) {}

type walker struct{}

func (s *searcher) run() {
	s.info.Strategy, s.info.Why = Scan, "no graph"
	s.scan(0, s.n)
}
