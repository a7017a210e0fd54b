package vector

import "math"

// A row is held as an int8 code besides its float32 numbers: row = scale*code + residual. Inner
// products of codes are exact integers, so everything that is decided by them is the same on every
// machine; and what they leave open is bounded, see query.bound.

// tiny is the greatest coordinate that is not worth a code: its scale would lose digits.
const tiny = 1e-30

// quantise writes the code of a row and returns its scale and the length of the residual, rounded
// up.
func quantise(dst []int8, row []float32) (scale, err float32) {
	var most float32
	for _, x := range row {
		most = max(most, x, -x)
	}
	if most < tiny {
		clear(dst)
		return 0, roundUp(math.Sqrt(squares(row)))
	}
	scale = most / 127
	inverse := 1 / scale
	var sum float64
	for i, x := range row {
		c := roundCode(float32(x * inverse))
		dst[i] = int8(c)
		d := float64(x) - float64(scale)*float64(c)
		sum += float64(d * d)
	}
	return scale, roundUp(math.Sqrt(sum))
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
type query struct {
	metric Metric
	row    []float32
	code   []int8
	scale  float32
	norm   float32
	err    float32
	square float32 // of the norm, under L2
	slack  float32 // share of the product of lengths that roundings may take
}

// set prepares q for a vector that has passed CheckVector. The vector is copied.
func (q *query) set(m Metric, vec []float32) {
	q.metric = m
	q.row = append(q.row[:0], vec...)
	q.norm = held(m, q.row)
	if cap(q.code) < len(vec) {
		q.code = make([]int8, len(vec))
	}
	q.code = q.code[:len(vec)]
	q.scale, q.err = quantise(q.code, q.row)
	q.square = 0
	if m == L2 {
		q.square = float32(q.norm * q.norm)
	}
	q.slack = float32(2*len(vec)+64) / (1 << 24)
}

// held changes a vector to what an index holds of it and returns its length.
func held(m Metric, row []float32) float32 {
	if m != Cosine {
		return float32(math.Sqrt(squares(row)))
	}
	if Normalize(row, row) == 0 {
		return 0
	}
	return 1
}

// estimate is the score that the product of the codes tells, but for what is the same for all rows
// of one query: the squared length of the query is missing under L2.
//
// The conversions keep the compiler from fusing operations, which some CPUs would round otherwise.
func (q *query) estimate(dot int32, m *rowMeta) float32 {
	e := float32(float32(q.scale*m.scale) * float32(dot))
	if q.metric != L2 {
		return e
	}
	return float32(2*e) - float32(m.norm*m.norm)
}

// bound is how far the estimate may lie from the score (as computed in float32, plus q.square under
// L2), for a row that is at most norm long with a residual of at most err.
//
// With query q = t*d + f and row x = s*c + e (codes d and c, residuals f and e):
//
//	q.x = t*s*(d.c) + f.(s*c) + q.e, so |q.x - t*s*(d.c)| <= |f|*|s*c| + |q|*|e|,
//
// and |s*c| <= |x| + |e|. Roundings come on top. A sum of n products in float32, in any order, is
// off by at most n*u/(1-n*u) * |q|*|x| with u = 2^-24 (Cauchy-Schwarz on the absolute terms), a sum
// of n squared differences by (n+2)*u*(|q|+|x|)^2 and a bit; a few more roundings are in scale, the
// lengths and the estimate itself. slack = (2n+64)*u covers them all and some.
func (q *query) bound(norm, err float32) float32 {
	b := q.err*(norm+err) + q.norm*err
	if q.metric == L2 {
		lengths := q.norm + norm + q.err + err
		return 1.0001*2*b + q.slack*lengths*lengths
	}
	return 1.0001*b + q.slack*(q.norm+q.err)*(norm+err)
}

// offset is what is added to a score to compare it with estimates.
func (q *query) offset() float32 { return q.square }
