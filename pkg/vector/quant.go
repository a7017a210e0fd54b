package vector

import "math"

// A row is held as an int8 code besides its float32 numbers: row = scale*code + residual. Inner
// products of codes are exact integers, so everything that is decided by them is the same on every
// machine; and what they leave open is bounded, see query.bound.

// tiny is the greatest coordinate that is not worth a code: its scale would lose digits.
const tiny = 1e-30

// quantise writes the code of a row and returns what is known of it.
func quantise(dst []int8, row []float32) rowMeta {
	var most float32
	for _, x := range row {
		most = max(most, x, -x)
	}
	if most < tiny {
		clear(dst)
		return rowMeta{err: roundUp(math.Sqrt(squares(row)))}
	}
	scale := most / 127
	inverse := 1 / scale
	var sum float64
	var codes int64
	for i, x := range row {
		c := roundCode(float32(x * inverse))
		dst[i] = int8(c)
		codes += int64(c) * int64(c)
		d := float64(x) - float64(scale)*float64(c)
		sum += float64(d * d)
	}
	return rowMeta{
		scale: scale,
		norm:  float32(float64(scale) * math.Sqrt(float64(codes))),
		err:   roundUp(math.Sqrt(sum)),
	}
}

// roundCode rounds to the nearest integer in -127..127, halves away from zero.
func roundCode(x float32) int32 {
	if x < 0 {
		return max(int32(x-0.5), -127)
	}
	return min(int32(x+0.5), 127)
}

// squares is the sum of squares: the products are exact in float64.
func squares(v []float32) float64 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return sum
}

// roundUp returns a float32 that is surely not below what x stands for, a float64 with a few
// roundings in it.
func roundUp(x float64) float32 {
	return math.Nextafter32(float32(x*(1+1e-6)), math.MaxFloat32)
}

// query is a vector prepared for comparison with rows. Its field row is the vector as an index
// holds it.
//
// Distances are those of the codes, which are a metric space of their own: an estimate made of the
// product of two codes and the true lengths of the rows would be off by as much as the lengths of
// rows and codes differ, and a row that looks nearer to everybody than it is cuts a graph to
// pieces.
type query struct {
	metric Metric
	row    []float32
	code   []int8
	meta   rowMeta
	slack  float32 // share of the squared lengths that roundings may take
}

// set prepares q for a vector that has passed CheckVector. The vector is copied.
func (q *query) set(m Metric, vec []float32) {
	q.metric = m
	q.row = append(q.row[:0], vec...)
	held(m, q.row)
	if cap(q.code) < len(vec) {
		q.code = make([]int8, len(vec))
	}
	q.code = q.code[:len(vec)]
	q.meta = quantise(q.code, q.row)
	q.slack = float32(2*len(vec)+64) / (1 << 24)
}

// held changes a vector to what an index holds of it.
func held(m Metric, row []float32) {
	if m == Cosine {
		Normalize(row, row)
	}
}

// estimate is the score that the product of the codes tells.
//
// The conversions keep the compiler from fusing operations, which some CPUs would round otherwise.
func (q *query) estimate(dot int32, m *rowMeta) float32 {
	product := float64(float64(q.meta.scale)*float64(m.scale)) * float64(dot)
	if q.metric == Dot {
		return float32(product)
	}
	d := q.square(m) - float64(2*product)
	if q.metric == L2 {
		return -float32(d)
	}
	return (q.meta.units() + m.units() - float32(d)) / 2
}

// square is the sum of the squared lengths of two codes.
func (q *query) square(m *rowMeta) float64 {
	return float64(float64(q.meta.norm)*float64(q.meta.norm)) +
		float64(float64(m.norm)*float64(m.norm))
}

// units is the squared length of a row under Cosine: 1, or 0 for a zero row.
func (m *rowMeta) units() float32 {
	if m.norm > 0 {
		return 1
	}
	return 0
}

// bound is how far the estimate may lie from the score as it is computed in float32.
//
// Let query and row be q = t*d + f and x = s*c + e (codes d and c, residuals f and e). Under Dot
//
//	q.x = t*s*(d.c) + f.(s*c) + q.e, so |q.x - t*s*(d.c)| <= |f|*|s*c| + (|t*d| + |f|)*|e|.
//
// Under L2, with D = |t*d - s*c| and r = |f| + |e|, the triangle inequality gives D-r <= |q-x| <=
// D+r, so the squares differ by at most 2*D*r + r*r. Cosine is half of that: q.x = (|q|^2 + |x|^2 -
// |q-x|^2) / 2, where the lengths are 1 or 0.
//
// Roundings come on top. A sum of n products in float32, in any order, is off by at most
// n*u/(1-n*u) * |q|*|x| with u = 2^-24 (Cauchy-Schwarz on the absolute terms), a sum of n squared
// differences by (n+2)*u*(|q|+|x|)^2 and a bit; a few more roundings are in scale, in the lengths,
// in what Normalize wrote and in the estimate itself. slack = (2n+64)*u covers them all and some.
func (q *query) bound(estimate float32, m *rowMeta) float32 {
	lengths := q.meta.norm + q.meta.err + m.norm + m.err
	slack := q.slack * lengths * lengths
	if q.metric == Dot {
		return 1.0001*(q.meta.err*m.norm+(q.meta.norm+q.meta.err)*m.err) + slack
	}
	r := q.meta.err + m.err
	d := -estimate
	if q.metric == Cosine {
		d = q.meta.units() + m.units() - 2*estimate
	}
	d = float32(math.Sqrt(float64(max(d, 0) + slack)))
	return 1.0001*(2*d*r+r*r) + slack
}

// least is an estimate below which no row with a norm and a residual up to the given ones has a
// score of least or more.
func (q *query) least(score float32, most *rowMeta) float32 {
	lengths := q.meta.norm + q.meta.err + most.norm + most.err
	slack := 2 * q.slack * lengths * lengths
	if q.metric == Dot {
		return score - q.bound(0, most) - slack
	}
	// The score is -|q-x|^2, or half of units less that; the estimate may be that of a distance
	// that is farther by both residuals. (A zero row, with a unit less, has score 0: it lies above
	// what this gives for any score that it has to reach.)
	units := float32(0)
	d := -score
	if q.metric == Cosine {
		units = q.meta.units() + 1
		d = units - 2*score
	}
	far := 1.0001 * (float32(math.Sqrt(float64(max(d, 0)+slack))) + q.meta.err + most.err)
	if q.metric == Cosine {
		return (units-far*far)/2 - slack
	}
	return -far*far - slack
}
