//go:build race

package footprint_test

const raceEnabled = true
