package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/cockroachkvs"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/wal"
)

// pebbleOptions are Pebble's settings. Comparer, key schema and format are what the stock tool
// knows, so that it opens our directories without flags; the rest measured well for embedded use.
func (d *DB) pebbleOptions(mustExist bool) *pebble.Options {
	o := &pebble.Options{
		FS:                          d.fs,
		Cache:                       d.cache,
		Comparer:                    &cockroachkvs.Comparer,
		KeySchema:                   cockroachkvs.KeySchema.Name,
		KeySchemas:                  sstable.MakeKeySchemas(&cockroachkvs.KeySchema),
		BlockPropertyCollectors:     cockroachkvs.BlockPropertyCollectors,
		FormatMajorVersion:          pebble.FormatValueSeparation,
		ErrorIfNotExists:            mustExist,
		DisableWAL:                  d.opts.Mode == None,
		MemTableSize:                d.opts.WriteBuffer,
		MemTableStopWritesThreshold: outOfReach,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       outOfReach,
		FlushDelayDeleteRange:       rangeFlushDelay,
		MaxOpenFiles:                1000,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 1 },
		Logger:                      (*pebbleLogger)(d),
		EventListener:               d.pebbleEvents(),
	}
	if d.opts.Mode == None { // no log, no log events; and memory does not fail
		o.MemTableStopWritesThreshold, o.L0StopWritesThreshold = writeBuffers, maxSublevels
	}
	// Zstd in the last level took a sixth of all processor time of puts, and more of cold reads.
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings {
		return pebble.DBCompressionFastest
	})
	for i := range o.Levels {
		o.Levels[i].BlockSize = 16 << 10
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].FilterType = pebble.TableFilter
	}
	return o
}

// rangeFlushDelay is how long the deletion of a range (a run's keys) may lie in Pebble's memtable.
// Only when it is flushed the tables that it covers give their space back.
const rangeFlushDelay = 3 * time.Second

// openPebble opens the store; a panic in there is a failure to open, not the host's end.
func openPebble(dir string, o *pebble.Options) (store *pebble.DB, err error) {
	defer func() {
		if v := recover(); v != nil {
			store, err = nil, fmt.Errorf("pebble: %v", v)
		}
	}()
	return pebble.Open(dir, o)
}

// closePebble closes the store. Pebble panics where it finds that something still uses it.
func closePebble(store *pebble.DB) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("pebble: close: %v", v)
		}
	}()
	return store.Close()
}

// flushMarks follow which commits have left the log. All are written by Pebble's event calls.
type flushMarks struct {
	logged             atomic.Uint64 // last commit handed to Pebble
	current, previous  atomic.Uint64 // logged, when the newest log file and the one before it began
	flushing           atomic.Uint64 // previous, when the flush under way began
	log                atomic.Uint64 // number of the newest log file
	lastCorruptionNote atomic.Int64
}

// pebbleEvents listens to what Pebble does in the background. Handlers run under Pebble's locks:
// they only note.
func (d *DB) pebbleEvents() *pebble.EventListener {
	return &pebble.EventListener{
		CompactionEnd: func(info pebble.CompactionInfo) {
			if err := info.Err; err == nil {
				d.pressure.blocked.Store(nil)
			} else if !errors.Is(err, pebble.ErrCancelledCompaction) {
				d.pressure.blocked.Store(&err)
			}
		},
		BackgroundError: func(err error) {
			d.opts.Logger.Error("background work of the store failed", "error", err)
			// Pebble tries again at once and for ever; once the fault is set that leads nowhere.
			time.Sleep(backgroundPause)
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			// Repeated for every read that meets the damage: thousands in seconds.
			now := d.opts.Clock().Unix()
			if last := d.marks.lastCorruptionNote.Swap(now); now != last {
				d.opts.Logger.Error("damaged table", "file", info.Path, "error", info.Details)
			}
		},
		ManifestCreated: func(info pebble.ManifestCreateInfo) {
			if info.Err == nil {
				name := d.fs.PathBase(info.Path)
				d.manifest.Store(&name)
				if d.fs.serving.Load() {
					signal(d.keeper.work)
				}
			}
		},
		WALCreated: func(info pebble.WALCreateInfo) {
			if info.Err == nil { // and its name is on stable storage
				d.marks.log.Store(uint64(info.FileNum))
			}
			d.marks.previous.Store(d.marks.current.Load())
			d.marks.current.Store(d.marks.logged.Load())
			d.pressure.look.Store(true)
		},
		FlushBegin: func(pebble.FlushInfo) { d.marks.flushing.Store(d.marks.previous.Load()) },
		FlushEnd: func(info pebble.FlushInfo) {
			if info.Err == nil {
				d.inTables(d.marks.flushing.Load())
			}
			if d.fs.serving.Load() {
				signal(d.keeper.work) // the log it was in may be deleted now
			}
		},
	}
}

// inTables notes up to which version every commit is in tables.
func (d *DB) inTables(version uint64) {
	for {
		known := d.flushed.Load()
		if version <= known || d.flushed.CompareAndSwap(known, version) {
			return
		}
	}
}

// backgroundPause keeps a failing background job from burning a core.
const backgroundPause = 100 * time.Millisecond

// pebbleLogger receives Pebble's messages. Fatalf is where Pebble would end the process: it sets
// the fault instead, and returns; what comes after works on a frozen image.
type pebbleLogger DB

// Infof implements pebble.Logger. Pebble's chatter is for its own developers; one line of it tells
// where the log that was replayed ended, and no other call does.
func (l *pebbleLogger) Infof(format string, args ...any) {
	if strings.Contains(format, "stopped reading at offset") && len(args) > 2 {
		if offset, ok := args[2].(wal.Offset); ok {
			(*DB)(l).noteLogEnd(offset)
		}
	}
}

// Errorf implements pebble.Logger.
func (l *pebbleLogger) Errorf(format string, args ...any) {
	l.opts.Logger.Error("store", "message", fmt.Sprintf(format, args...))
}

// Fatalf implements pebble.Logger. It is where Pebble would end the process, because it cannot go
// on, for failures that storeFS did not keep from it. So it sets the fault, and a background job of
// Pebble's ends here (the deferred unlocks run). Reads do not need these jobs, and nothing else is
// done any more. A call of ours goes on: it asks for the fault.
func (l *pebbleLogger) Fatalf(format string, args ...any) {
	d := (*DB)(l)
	d.setFault("store", fmt.Errorf(format, args...))
	if !calledByUs() {
		d.fault.stick()
		runtime.Goexit() // lint:allow calls: a goroutine of Pebble's, which would end the process
	}
}

// calledByUs tells whether this goroutine came into Pebble through this package.
func calledByUs() bool {
	pcs := make([]uintptr, 128)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)]) // behind Fatalf itself
	for {
		f, more := frames.Next()
		if strings.Contains(f.Function, "internal/embedded.") {
			return true
		}
		if !more {
			return false
		}
	}
}

// noteLogEnd records where replay of the last log stopped, and what lies behind.
func (d *DB) noteLogEnd(offset wal.Offset) {
	d.report.LogFile = d.fs.PathBase(offset.PhysicalFile)
	d.report.LogOffset, d.report.LogDropped = offset.Physical, 0
	f, err := d.fs.Open(offset.PhysicalFile)
	if err != nil {
		return
	}
	data, err := io.ReadAll(io.NewSectionReader(f, offset.Physical, 1<<30))
	if err = errors.Join(err, f.Close()); err != nil {
		return
	}
	d.report.LogDropped = int64(len(bytes.TrimRight(data, "\x00")))
}
