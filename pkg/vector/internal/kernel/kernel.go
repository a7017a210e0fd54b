package kernel

// Level names the loops in use.
func Level() string { return "portable" }

// Dot is the sum of a[i]*b[i]. See vector.DotProduct.
func Dot(a, b []float32) float32 { return dotPortable(a, b) }

// SquaredL2 is the sum of (a[i]-b[i])². See vector.SquaredL2.
func SquaredL2(a, b []float32) float32 { return squaredL2Portable(a, b) }

// DotInt8 is the sum of a[i]*b[i]. See vector.DotInt8.
func DotInt8(a, b []int8) int32 { return dotInt8Portable(a, b) }

// Dot4 is Dot of q and four rows.
func Dot4(q, a, b, c, d []float32) [4]float32 {
	return [4]float32{dotPortable(q, a), dotPortable(q, b), dotPortable(q, c), dotPortable(q, d)}
}

// SquaredL24 is SquaredL2 of q and four rows.
func SquaredL24(q, a, b, c, d []float32) [4]float32 {
	return [4]float32{
		squaredL2Portable(q, a), squaredL2Portable(q, b),
		squaredL2Portable(q, c), squaredL2Portable(q, d),
	}
}

// DotInt84 is DotInt8 of q and four rows.
func DotInt84(q, a, b, c, d []int8) [4]int32 {
	return [4]int32{
		dotInt8Portable(q, a), dotInt8Portable(q, b),
		dotInt8Portable(q, c), dotInt8Portable(q, d),
	}
}
