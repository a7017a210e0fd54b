//go:build !amd64 && !arm64

package kernel

func levels() []string { return []string{"portable"} }

// Dot is the sum of a[i]*b[i]. See vector.DotProduct.
func Dot(a, b []float32) float32 { return dotPortable(a, b) }

// SquaredL2 is the sum of (a[i]-b[i])². See vector.SquaredL2.
func SquaredL2(a, b []float32) float32 { return squaredL2Portable(a, b) }

// DotInt8 is the sum of a[i]*b[i]. See vector.DotInt8.
func DotInt8(a, b []int8) int32 { return dotInt8Portable(a, b) }

// Dot4 is Dot of q and four rows. See vector.DotProduct4.
func Dot4(q, a, b, c, d []float32) [4]float32 { return dot4Portable(q, a, b, c, d) }

// SquaredL24 is SquaredL2 of q and four rows. See vector.SquaredL24.
func SquaredL24(q, a, b, c, d []float32) [4]float32 { return squaredL24Portable(q, a, b, c, d) }

// DotInt84 is DotInt8 of q and four rows. See vector.DotInt84.
func DotInt84(q, a, b, c, d []int8) [4]int32 { return dotInt84Portable(q, a, b, c, d) }
