//go:build !race

package footprint_test

const raceEnabled = false
