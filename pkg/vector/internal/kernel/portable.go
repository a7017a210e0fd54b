package kernel

// The portable loops. Several sums run side by side, because one would wait for its own addition.
//
// The products are converted to float32 one by one: this keeps a compiler from fusing them with the
// addition where a CPU can, so that this level gives the same bits on every platform. Rows are read
// through array pointers, so that one check serves eight elements.

func dotPortable(a, b []float32) float32 {
	b = b[:len(a):len(b)]
	var s0, s1, s2, s3 float32
	for len(a) >= 8 {
		x, y := (*[8]float32)(a), (*[8]float32)(b)
		s0 += float32(x[0]*y[0]) + float32(x[4]*y[4])
		s1 += float32(x[1]*y[1]) + float32(x[5]*y[5])
		s2 += float32(x[2]*y[2]) + float32(x[6]*y[6])
		s3 += float32(x[3]*y[3]) + float32(x[7]*y[7])
		a, b = a[8:], b[8:]
	}
	for i, x := range a {
		s0 += float32(x * b[i])
	}
	return (s0 + s1) + (s2 + s3)
}

func squaredL2Portable(a, b []float32) float32 {
	b = b[:len(a):len(b)]
	var s0, s1, s2, s3 float32
	for len(a) >= 8 {
		x, y := (*[8]float32)(a), (*[8]float32)(b)
		d0, d1, d2, d3 := x[0]-y[0], x[1]-y[1], x[2]-y[2], x[3]-y[3]
		d4, d5, d6, d7 := x[4]-y[4], x[5]-y[5], x[6]-y[6], x[7]-y[7]
		s0 += float32(d0*d0) + float32(d4*d4)
		s1 += float32(d1*d1) + float32(d5*d5)
		s2 += float32(d2*d2) + float32(d6*d6)
		s3 += float32(d3*d3) + float32(d7*d7)
		a, b = a[8:], b[8:]
	}
	for i, x := range a {
		d := x - b[i]
		s0 += float32(d * d)
	}
	return (s0 + s1) + (s2 + s3)
}

func dotInt8Portable(a, b []int8) int32 {
	b = b[:len(a):len(b)]
	var s0, s1, s2, s3 int32
	for len(a) >= 8 {
		x, y := (*[8]int8)(a), (*[8]int8)(b)
		s0 += int32(x[0])*int32(y[0]) + int32(x[4])*int32(y[4])
		s1 += int32(x[1])*int32(y[1]) + int32(x[5])*int32(y[5])
		s2 += int32(x[2])*int32(y[2]) + int32(x[6])*int32(y[6])
		s3 += int32(x[3])*int32(y[3]) + int32(x[7])*int32(y[7])
		a, b = a[8:], b[8:]
	}
	for i, x := range a {
		s0 += int32(x) * int32(b[i])
	}
	return (s0 + s1) + (s2 + s3)
}

func dot4Portable(q, a, b, c, d []float32) [4]float32 {
	return [4]float32{dotPortable(q, a), dotPortable(q, b), dotPortable(q, c), dotPortable(q, d)}
}

func squaredL24Portable(q, a, b, c, d []float32) [4]float32 {
	return [4]float32{
		squaredL2Portable(q, a), squaredL2Portable(q, b),
		squaredL2Portable(q, c), squaredL2Portable(q, d),
	}
}

func dotInt84Portable(q, a, b, c, d []int8) [4]int32 {
	return [4]int32{
		dotInt8Portable(q, a), dotInt8Portable(q, b),
		dotInt8Portable(q, c), dotInt8Portable(q, d),
	}
}
