package rows

import (
	"math"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// zipf draws numbers below n of which small ones are frequent: YCSB's generator, after Gray et al.,
// "Quickly Generating Billion-Record Synthetic Databases", with its constant 0.99. It is read-only
// once made.
type zipf struct {
	n                float64
	zeta, alpha, eta float64
	zetaOfTwo        float64
}

const theta = .99

func newZipf(n int) *zipf {
	z := &zipf{n: float64(n), alpha: 1 / (1 - theta), zetaOfTwo: 1 + math.Pow(.5, theta)}
	for i := 1; i <= n; i++ {
		z.zeta += 1 / math.Pow(float64(i), theta)
	}
	z.eta = (1 - math.Pow(2/z.n, 1-theta)) / (1 - z.zetaOfTwo/z.zeta)
	return z
}

// rank draws: 0 is the most frequent.
func (z *zipf) rank(g *measure.LCG) int {
	u := float64(g.Below(1<<53)) / (1 << 53)
	uz := u * z.zeta
	switch {
	case uz < 1:
		return 0
	case uz < z.zetaOfTwo:
		return 1
	}
	return min(int(z.n*math.Pow(z.eta*u-z.eta+1, z.alpha)), int(z.n)-1)
}

// scatter spreads ranks over the keys, so that frequent ones are not neighbours. It is the hash FNV
// of YCSB.
func scatter(v int) uint64 {
	hash := uint64(0xCBF29CE484222325)
	for shift := 0; shift < 64; shift += 8 {
		hash = (hash ^ uint64(v)>>shift&0xff) * 1099511628211
	}
	return hash
}
