//go:build unix

package kernel

import (
	"os"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A row that ends where the memory of the process ends: one byte too far is a fault, which no test
// survives. The rows begin behind such an end too.
func TestNothingIsReadAroundARow(t *testing.T) {
	page := os.Getpagesize()
	span := (4096*4 + page - 1) / page * page
	all, err := unix.Mmap(-1, 0, span+2*page, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_ANON|unix.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Munmap(all)) })
	require.NoError(t, unix.Mprotect(all[:page], unix.PROT_NONE))
	require.NoError(t, unix.Mprotect(all[page+span:], unix.PROT_NONE))
	inside := all[page : page+span]

	floats := unsafe.Slice((*float32)(unsafe.Pointer(&inside[0])), span/4)
	bytes := unsafe.Slice((*int8)(unsafe.Pointer(&inside[0])), span)
	for i := range floats {
		floats[i] = 1
	}
	one := unsafe.Slice((*int8)(unsafe.Pointer(&make([]byte, span)[0])), span)
	for i := range one {
		one[i] = 1
	}
	eachLevel(t, func(t *testing.T) {
		for _, n := range lengths() {
			if n > len(floats) {
				continue
			}
			for _, row := range [][]float32{floats[len(floats)-n:], floats[:n]} {
				require.Equal(t, float32(n), Dot(row, row))
				require.Zero(t, SquaredL2(row, row))
				require.Equal(t, [4]float32{float32(n), float32(n), float32(n), float32(n)},
					Dot4(row, row, row, row, row))
				require.Zero(t, SquaredL24(row, row, row, row, row))
			}
			for _, row := range [][]int8{bytes[len(bytes)-n:], bytes[:n]} {
				var want int32
				for _, x := range row {
					want += int32(x)
				}
				require.Equal(t, want, DotInt8(row, one[:n]))
				require.Equal(t, [4]int32{want, want, want, want},
					DotInt84(one[:n], row, row, row, row))
				require.Equal(t, [4]int32{want, want, want, want},
					DotInt84(row, one[:n], one[:n], one[:n], one[:n]))
			}
		}
	})
}
