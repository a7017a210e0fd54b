//go:build !linux

package rawlog

import "os"

// syncData is the system's full sync: the standard library has nothing smaller here.
func syncData(f *os.File) error { return f.Sync() }
