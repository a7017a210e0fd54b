package soak

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hour is a figure, once a second.
func hour(length time.Duration, at func(second int) float64) []point {
	var list []point
	for i := range int(length / time.Second) {
		list = append(list, point{time.Duration(i) * time.Second, at(i)})
	}
	return list
}

var memory = Bound{Rise, .25, 16 << 20}

// Noise is no drift: a figure that goes up and down by chance, saws, jumps at every reopening, or
// has only warmed up.
func TestNoiseIsNoDrift(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		length := time.Hour
		if seed%2 == 0 {
			length = 4 * time.Minute
		}
		n := length.Seconds()
		for name, at := range map[string]func(i int) float64{
			"even":  func(int) float64 { return 100 << 20 },
			"noise": func(int) float64 { return (100 + 60*r.NormFloat64()) * (1 << 20) },
			"saw":   func(i int) float64 { return float64(50+i%int(n/7)*100/int(n/7)) * (1 << 20) },
			"warm-up": func(i int) float64 {
				return 400 * (1 << 20) * min(1, float64(i)/n*6) * (1 + .1*r.NormFloat64())
			},
			"slight": func(i int) float64 { return (100 + 10*float64(i)/n) * (1 << 20) },
			"small":  func(i int) float64 { return float64(1 + i) },
			"one peak": func(i int) float64 {
				return 100 * (1 << 20) * (1 + 50*math.Exp(-math.Pow((float64(i)/n-.9)*50, 2)))
			},
		} {
			v := judge(hour(length, at), length, memory)
			require.False(t, v.Drifts, "%s, seed %d, %v: %+v", name, seed, length, v)
			require.GreaterOrEqual(t, v.Buckets, leastBuckets)
		}
	}
}

// A leak is found under as much noise as there is.
func TestDriftIsFound(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 2))
		length := []time.Duration{4 * time.Minute, time.Hour}[seed%2]
		n := length.Seconds()
		rising := func(i int) float64 {
			return 100 * (1 << 20) * (1 + float64(i)/n) * (1 + .1*r.NormFloat64())
		}
		v := judge(hour(length, rising), length, memory)
		require.True(t, v.Drifts, "seed %d: %+v", seed, v)
		require.InEpsilon(t, 75<<20, v.Drift, .25)
		falling := func(i int) float64 { return 3 - rising(i)/(100<<20) }
		require.True(t, judge(hour(length, falling), length, Bound{Fall, .25, 0}).Drifts)
		require.False(t, judge(hour(length, falling), length, Bound{Rise, .25, 0}).Drifts)
	}
}

func TestTooShortIsNotJudged(t *testing.T) {
	for _, seconds := range []int{0, 1, 5, 20} {
		length := time.Duration(seconds) * time.Second
		v := judge(hour(length, func(i int) float64 { return float64(i) * (1 << 30) }), length, memory)
		require.False(t, v.Drifts, "%d s", seconds)
		require.Less(t, v.Buckets, leastBuckets)
	}
}

func ExampleVerdict() {
	length := time.Hour
	v := judge(hour(length, func(i int) float64 { return float64(200 + i/18) }), length,
		Bound{Rise, .1, 5})
	fmt.Printf("%.0f minutes: from %.0f to %.0f, drifts: %v\n", float64(v.Buckets), v.Least, v.Most,
		v.Drifts)
	// Output: 48 minutes: from 241 to 398, drifts: true
}
