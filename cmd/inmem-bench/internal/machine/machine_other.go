//go:build !linux

package machine

// What the standard library does not tell on this system stays empty.

func cpuModel() string { return "" }

func kernel() string { return "" }

func load() string { return "" }

func filesystem(string) (name string, inMemory bool) { return "", false }
