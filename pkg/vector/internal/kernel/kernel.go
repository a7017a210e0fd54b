package kernel

import (
	"os"
	"slices"
)

// portable is the level that every platform has. Those beyond it are numbered upwards, each
// holding what the one before it needs; which there are is said for each platform by levels.
const portable = 0

// level is the level in use. It is a variable that functions branch on, not a set of function
// variables: a call through one of those makes its rows escape to the heap, and costs more.
var level = choose(levels(), os.Getenv("INMEM_KERNELS"))

// choose returns the index of the forced level, of the last one if there is none of that name.
func choose(names []string, forced string) int {
	if i := slices.Index(names, forced); i >= 0 {
		return i
	}
	return len(names) - 1
}

// Level names the loops in use.
func Level() string { return levels()[level] }
