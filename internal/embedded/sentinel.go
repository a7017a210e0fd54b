package embedded

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/inmem-db/inmem/pkg/codec"
)

// sentinelName is the file that says what a directory holds and what must be found in it. It is
// replaced as a whole (write, sync, rename, sync of the directory), so that a crash leaves the old
// one or the new one.
const sentinelName = "INMEM"

// sentinel is the content of that file: lines of "name value", closed by a checksum line.
type sentinel struct {
	Format   uint32         // codec.FormatVersion that wrote the directory
	Required codec.Features // features a reader must know
	Optional codec.Features
	ID       string // of the database, for people
	State    string // creating, open, clean
	Boot     uint64 // rises with every open after a crash
	Durable  uint64 // every commit up to this version was on stable storage
	Flushed  uint64 // every commit up to this version is in tables, out of the log
	Versions uint64 // no version above this one was handed out
	Scopes   uint64 // no scope number above this one was handed out
	// Manifest is Pebble's MANIFEST when this was written: an older one must not be in use, and so
	// many bytes of this one must be whole.
	Manifest     string
	ManifestSize uint64
	// Log is the number of the newest log when this was written: it, or a newer one, must be there
	// after a crash. 0 in files of before there was such a line.
	Log uint64
}

const (
	stateCreating = "creating" // Open has not come to its end once: there is no data yet
	stateOpen     = "open"     // a process has it open, or died
	stateClean    = "clean"    // closed: the newest commit is exactly Durable
)

const sentinelTitle = "in-mem database"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode renders the file.
func (s sentinel) encode() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nformat %d\nrequired %d\noptional %d\nid %s\nstate %s\nboot %d\n",
		sentinelTitle, s.Format, s.Required, s.Optional, s.ID, s.State, s.Boot)
	fmt.Fprintf(&b, "durable %d\nflushed %d\nversions %d\nscopes %d\n",
		s.Durable, s.Flushed, s.Versions, s.Scopes)
	fmt.Fprintf(&b, "manifest %s\nmanifestsize %d\nlog %d\n", s.Manifest, s.ManifestSize, s.Log)
	fmt.Fprintf(&b, "crc32c %08x\n", crc32.Checksum([]byte(b.String()), castagnoli))
	return []byte(b.String())
}

// decodeSentinel parses the file. The first and the checksum line are the same in all formats; the
// format number is judged before the other lines, so that a newer format is refused by name and not
// as damage.
func decodeSentinel(data []byte) (sentinel, error) {
	var s sentinel
	text := string(data)
	rest, ok := strings.CutPrefix(text, sentinelTitle+"\n")
	if !ok {
		return s, corruptSentinel("it does not begin with %q", sentinelTitle)
	}
	body, sum, ok := strings.Cut(rest, "crc32c ")
	if !ok {
		return s, corruptSentinel("it has no checksum line")
	}
	want := fmt.Sprintf("%08x\n", crc32.Checksum([]byte(sentinelTitle+"\n"+body), castagnoli))
	if sum != want {
		return s, corruptSentinel("checksum is %q, expected %q", sum, want)
	}
	fields := map[string]string{}
	for line := range strings.Lines(body) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		fields[name] = value
	}
	number := func(name string, bits int) uint64 {
		n, err := strconv.ParseUint(fields[name], 10, bits)
		ok = ok && err == nil
		return n
	}
	s.Format = uint32(number("format", 32))
	s.Required = codec.Features(number("required", 64))
	s.Optional = codec.Features(number("optional", 64))
	if ok {
		if err := codec.CheckFormat(s.Format, s.Required, s.Optional); err != nil {
			return s, err
		}
	}
	s.Boot, s.Durable, s.Flushed = number("boot", 64), number("durable", 64), number("flushed", 64)
	s.Versions, s.Scopes = number("versions", 64), number("scopes", 64)
	s.ManifestSize = number("manifestsize", 64)
	if _, there := fields["log"]; there {
		s.Log = number("log", 64)
	}
	s.ID, s.State, s.Manifest = fields["id"], fields["state"], fields["manifest"]
	if !ok || (s.State != stateCreating && s.State != stateOpen && s.State != stateClean) {
		return s, corruptSentinel("a line is missing or malformed")
	}
	return s, nil
}

func corruptSentinel(format string, args ...any) error {
	return fmt.Errorf("%w: file %s: %s", codec.ErrCorrupt, sentinelName, fmt.Sprintf(format, args...))
}

// readSentinel reads the file of a directory; the error is fs.ErrNotExist if there is none.
func readSentinel(fs vfs.FS, dir string) (sentinel, error) {
	f, err := fs.Open(fs.PathJoin(dir, sentinelName))
	if err != nil {
		return sentinel{}, err
	}
	data, err := io.ReadAll(io.LimitReader(f, 1<<16))
	if err = errors.Join(err, f.Close()); err != nil {
		return sentinel{}, err
	}
	return decodeSentinel(data)
}

// writeSentinel replaces the file; when it returns, the new one is on stable storage.
func writeSentinel(fs vfs.FS, dir string, s sentinel) error {
	temp := fs.PathJoin(dir, sentinelName+".tmp")
	f, err := fs.Create(temp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(s.encode())
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(temp, fs.PathJoin(dir, sentinelName)); err != nil {
		return err
	}
	return syncDir(fs, dir)
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
