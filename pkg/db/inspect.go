package inmem

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Inspection says whether other processes may look at a database that this one has open.
type Inspection uint8

const (
	// InspectNever lets nobody. The default.
	InspectNever Inspection = iota
	// InspectBySocket answers those who ask on a Unix socket in the database's directory, INSPECT, of
	// mode 0600: whoever runs as the same user, or as root. Inspect asks. They get a checkpoint of
	// their own, made when they ask; they can change nothing. Not on Windows.
	InspectBySocket
)

// The bounds that keep who asks from being a burden, whatever it does.
const (
	inspectFormat   = 1
	inspectSocket   = "INSPECT"
	inspectAsks     = "checkpoint"
	inspectLine     = 4 << 10          // the longest line that is read
	inspectPatience = 5 * time.Second  // for a line to be said, or taken
	inspectWork     = time.Minute      // for a checkpoint, and for those that wait for their turn
	inspectLease    = 60 * time.Minute // after that a checkpoint is removed, wherever it is looked at
	inspectGuests   = 8                // how many are served at once
)

// question and answer are the lines of the protocol: one of each, in JSON. The connection stays
// open as long as the checkpoint is looked at: when it ends, for whatever reason, it is removed.
type question struct {
	Format int    `json:"inmem"`
	Ask    string `json:"ask"`
}

type answer struct {
	Format  int    `json:"inmem"`
	PID     int    `json:"pid"`
	Dir     string `json:"dir,omitempty"`
	Version uint64 `json:"version,omitempty"`
	Error   string `json:"error,omitempty"`
}

// inspector answers those who want to look at the database.
type inspector struct {
	d      *DB
	dir    string // canonical
	listen net.Listener
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	guests chan struct{} // of capacity inspectGuests: an element for each that is served
	turn   chan struct{} // of capacity 1: an element while a checkpoint is made

	mu    sync.Mutex
	conns map[net.Conn]struct{} // guarded by mu; nil once it is closed
}

// startInspector begins to answer.
func startInspector(d *DB) (*inspector, error) {
	dir, err := filepath.EvalSymlinks(d.path)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return nil, err
	}
	i := &inspector{
		d: d, dir: dir, guests: make(chan struct{}, inspectGuests), turn: make(chan struct{}, 1),
		conns: map[net.Conn]struct{}{},
	}
	i.ctx, i.cancel = context.WithCancel(context.Background())
	if i.listen, err = listenIn(dir); err != nil {
		return nil, fmt.Errorf("%w: inspection socket: %w", ErrStorage, err)
	}
	i.removeOld()
	i.work.Add(1)
	go i.serve()
	return i, nil
}

// close stops answering. Checkpoints that are looked at are left to those who look at them.
func (i *inspector) close() {
	if i == nil || i.ctx.Err() != nil {
		return // the directory may be another process's by now
	}
	i.cancel()
	_ = i.listen.Close()
	_ = os.Remove(filepath.Join(i.dir, inspectSocket))
	i.mu.Lock()
	for c := range i.conns {
		_ = c.Close()
	}
	i.conns = nil
	i.mu.Unlock()
	i.work.Wait()
}

func (i *inspector) serve() {
	defer i.work.Done()
	for {
		c, err := i.listen.Accept()
		if i.ctx.Err() != nil {
			if err == nil {
				_ = c.Close()
			}
			return
		}
		if err != nil { // too many open files, say: it may pass
			select {
			case <-i.ctx.Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		select {
		case i.guests <- struct{}{}:
			i.admit(c)
		default:
			i.say(c, answer{Error: "too many look at it: try again"})
			_ = c.Close()
		}
	}
}

// admit serves a connection in a goroutine of its own.
func (i *inspector) admit(c net.Conn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.conns == nil {
		_ = c.Close()
		<-i.guests
		return
	}
	i.conns[c] = struct{}{}
	i.work.Add(1)
	go func() {
		defer i.work.Done()
		i.receive(c)
		_ = c.Close()
		i.mu.Lock()
		delete(i.conns, c)
		i.mu.Unlock()
		<-i.guests
	}()
}

// receive serves a connection.
func (i *inspector) receive(c net.Conn) {
	var q question
	if err := hear(c, &q); err != nil {
		return
	}
	if q.Format != inspectFormat || q.Ask != inspectAsks {
		i.say(c, answer{Error: fmt.Sprintf("asked for %.40q of protocol %d, expected %q of %d", q.Ask,
			q.Format, inspectAsks, inspectFormat)})
		return
	}
	place, version, err := i.checkpoint()
	if err != nil {
		i.say(c, answer{Error: err.Error()})
		return
	}
	if !i.say(c, answer{Dir: filepath.Join(place, inspectCopy), Version: version}) {
		i.remove(place)
		return
	}
	if err := c.SetReadDeadline(time.Now().Add(inspectLease)); err == nil {
		_, _ = c.Read(make([]byte, 1)) // it returns when the other side has ended, one way or another
	}
	if i.ctx.Err() == nil {
		i.remove(place)
	}
}

// inspectCopy is the name of the checkpoint in the directory that is made for it.
const inspectCopy = "db"

// checkpoint makes a checkpoint in a new directory, of mode 0700, beside the database, where it
// costs next to nothing; if nothing can be made there, where temporary files belong.
func (i *inspector) checkpoint() (place string, version uint64, err error) {
	ctx, cancel := context.WithTimeout(i.ctx, inspectWork)
	defer cancel()
	select {
	case i.turn <- struct{}{}:
		defer func() { <-i.turn }()
	case <-ctx.Done():
		return "", 0, ctx.Err()
	}
	pattern := filepath.Base(i.dir) + inspectSuffix + "*"
	if place, err = os.MkdirTemp(filepath.Dir(i.dir), pattern); err != nil {
		place, err = os.MkdirTemp("", pattern)
	}
	if err != nil {
		return "", 0, err
	}
	info, err := i.d.Checkpoint(ctx, filepath.Join(place, inspectCopy))
	if err != nil {
		i.remove(place)
		return "", 0, err
	}
	return place, info.Version, nil
}

const inspectSuffix = ".inspect-"

func (i *inspector) remove(place string) {
	if err := os.RemoveAll(place); err != nil {
		i.d.options.Logger.Warn("a checkpoint that was looked at stays", slog.Any("error", err))
	}
}

// removeOld removes what processes have left that were killed.
func (i *inspector) removeOld() {
	left, _ := filepath.Glob(globQuote(i.dir) + inspectSuffix + "*")
	for _, place := range left {
		info, err := os.Stat(place)
		if err == nil && time.Since(info.ModTime()) > inspectLease {
			i.remove(place)
		}
	}
}

// globQuote lets a path stand for itself in a pattern.
func globQuote(path string) string {
	var b []byte
	for _, c := range []byte(path) {
		if c == '*' || c == '?' || c == '[' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return string(b)
}

// say writes a line. It reports whether that was possible.
func (i *inspector) say(c net.Conn, a answer) bool {
	a.Format, a.PID = inspectFormat, os.Getpid()
	return tell(c, &a) == nil
}

func tell(c net.Conn, line any) error {
	data, err := json.Marshal(line)
	if err != nil {
		return err
	}
	if err := c.SetWriteDeadline(time.Now().Add(inspectPatience)); err != nil {
		return err
	}
	_, err = c.Write(append(data, '\n'))
	return err
}

// hear reads a line.
func hear(c net.Conn, line any) error {
	if err := c.SetReadDeadline(time.Now().Add(inspectPatience)); err != nil {
		return err
	}
	return hearLine(c, line)
}

func hearLine(c net.Conn, line any) error {
	data, err := bufio.NewReader(io.LimitReader(c, inspectLine)).ReadBytes('\n')
	if errors.Is(err, io.EOF) && len(data) >= inspectLine {
		err = errors.New("the line is too long")
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(data, line)
}
