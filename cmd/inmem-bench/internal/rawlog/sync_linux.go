package rawlog

import (
	"errors"
	"os"
	"syscall"
)

// syncData is fdatasync, which is what the engine's log uses here.
func syncData(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
