package inmem

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
)

// mostSocketPath is how long the path of a socket may be on every system that has them.
const mostSocketPath = 103

// socketIn returns a path for a socket in a directory that is short enough. It is good until done
// is called.
func socketIn(dir, name string) (path string, done func(), err error) {
	path = filepath.Join(dir, name)
	if len(path) <= mostSocketPath {
		return path, func() {}, nil
	}
	if runtime.GOOS != "linux" {
		return "", nil, fmt.Errorf("%w: the path %s is longer than %d bytes, the most for a socket",
			ErrInvalidArgument, path, mostSocketPath)
	}
	f, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", f.Fd(), name), func() { _ = f.Close() }, nil
}

// listenIn makes the socket of a database directory. It is made in a directory that only its owner
// can enter, and moves to its place with its mode: nobody else can be first, and what a killed
// process has left is replaced. REQUIRES: this process has the directory locked.
func listenIn(dir string) (net.Listener, error) {
	private := filepath.Join(dir, inspectSocket+".new")
	err := os.RemoveAll(private)
	if err == nil {
		err = os.Mkdir(private, 0o700)
	}
	if err != nil {
		return nil, err
	}
	path, done, err := socketIn(private, "s")
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(private))
	}
	defer done()
	listen, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(private))
	}
	listen.SetUnlinkOnClose(false) // it will be elsewhere
	made := filepath.Join(private, "s")
	if err = os.Chmod(made, 0o600); err == nil {
		err = os.Rename(made, filepath.Join(dir, inspectSocket))
	}
	if err = errors.Join(err, os.RemoveAll(private)); err != nil {
		return nil, errors.Join(err, listen.Close())
	}
	return listen, nil
}
