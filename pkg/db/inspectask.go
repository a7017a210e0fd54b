package inmem

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// InspectInfo says what Inspect looks at.
type InspectInfo struct {
	// PID is the process that has the database open.
	PID int
	// Version is that of the checkpoint: everything up to it is there, and nothing above it.
	Version uint64

	_ struct{}
}

// Inspect opens a copy of a database that another process has open, for when Open has answered
// ErrLocked: that process makes a checkpoint, beside the database, and this one opens it. What is
// done to the copy is lost with it. Close closes it and removes it; if this process is killed, the
// other one does. It can be looked at for an hour. Options are those of Open, but for Inspect.
//
// The other process must have said InspectBySocket, and run as the same user. Cost: a checkpoint.
//
// Errors: ErrLocked, with the process and what can be done, if it does not answer, or says no;
// those of Open, ErrTimeout and ErrCanceled.
func Inspect(ctx context.Context, path string, o *Options) (*DB, InspectInfo, error) {
	var info InspectInfo
	l, a, err := askForCopy(ctx, path)
	if err != nil {
		return nil, info, fmt.Errorf("inspect %s: %w", path, err)
	}
	var options Options
	if o != nil {
		options = *o
	}
	options.Inspect = InspectNever
	d, err := Open(a.Dir, &options)
	if err != nil {
		l.end()
		return nil, info, fmt.Errorf("inspect %s: %w", path, err)
	}
	d.lease = l
	return d, InspectInfo{PID: a.PID, Version: a.Version}, nil
}

// lease is a checkpoint that another process has made for this one.
type lease struct {
	conn  net.Conn
	place string // the directory that was made for it
}

// end removes the checkpoint, and says so by the end of the connection.
func (l *lease) end() {
	if l == nil {
		return
	}
	_ = os.RemoveAll(l.place) // if it does not work here, the other process does it
	_ = l.conn.Close()
}

// askForCopy asks the process that has a database open for a checkpoint.
func askForCopy(ctx context.Context, path string) (*lease, *answer, error) {
	dir, err := filepath.EvalSymlinks(path)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrStorage, err)
	}
	socket, done, err := socketIn(dir, inspectSocket)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil, contextEnded(ctx)
		}
		return nil, nil, fmt.Errorf("%w by process %s, which lets nobody look: open it there with "+
			"Options.Inspect, end that process, or let it make a checkpoint (%w)", ErrLocked, ownerOf(dir),
			err)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var a answer
	err = tell(c, &question{Format: inspectFormat, Ask: inspectAsks})
	if err == nil {
		err = c.SetReadDeadline(time.Now().Add(inspectWork + inspectPatience))
	}
	if ctx.Err() != nil {
		err = contextEnded(ctx) // the deadline may have been set after it
	}
	if err == nil {
		err = hearLine(c, &a)
	}
	switch {
	case ctx.Err() != nil:
		err = contextEnded(ctx)
	case err != nil:
		err = fmt.Errorf("%w by process %s, which does not answer: %w", ErrLocked, ownerOf(dir), err)
	case a.Error != "":
		err = fmt.Errorf("%w by process %d, which says: %s", ErrLocked, a.PID, a.Error)
	case a.Format != inspectFormat || filepath.Base(a.Dir) != inspectCopy ||
		!strings.Contains(filepath.Base(filepath.Dir(a.Dir)), inspectSuffix):
		err = fmt.Errorf("%w by process %s, whose answer is of protocol %d, expected %d",
			ErrFormat, ownerOf(dir), a.Format, inspectFormat)
	}
	if err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	return &lease{conn: c, place: filepath.Dir(a.Dir)}, &a, nil
}

func contextEnded(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrTimeout, ctx.Err())
	}
	return fmt.Errorf("%w: %w", ErrCanceled, ctx.Err())
}

// ownerOf is the process that says that it has a directory open.
func ownerOf(dir string) string {
	data, err := os.ReadFile(filepath.Join(dir, "OWNER"))
	if pid := strings.TrimSpace(string(data)); err == nil && pid != "" {
		return pid
	}
	return "unknown"
}
