package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/inmem-db/inmem/pkg/codec"
)

// The guard looks at a directory before Pebble does. Pebble takes a damaged or missing MANIFEST for
// a smaller database and deletes the tables it no longer knows; so the MANIFEST is read in full
// first, and nothing is deleted until the checks after opening have passed (storeFS.release).

const (
	manifestPrefix = "MANIFEST-"
	markerPrefix   = "marker.manifest."
	formatPrefix   = "marker.format-version."
	optionsPrefix  = "OPTIONS-"
)

// checkFiles verifies that the files which the sentinel vouches for are there and whole.
func checkFiles(fs vfs.FS, dir string, s sentinel) error {
	if s.State == stateCreating {
		return nil // creation did not come to its end: there is nothing to vouch for
	}
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	name, err := newestMarked(names)
	if err == nil {
		err = checkNames(names, s)
	}
	if err != nil {
		return err
	}
	found, err := manifestNumber(name)
	if err != nil {
		return err
	}
	least, err := manifestNumber(s.Manifest)
	if err != nil {
		return err
	}
	if found < least {
		return fmt.Errorf("%w: file %s: an outdated one is in use: found %s, expected %s or newer",
			codec.ErrCorrupt, markerPrefix+"*", name, s.Manifest)
	}
	whole, err := scanManifest(fs, dir, name, s.State == stateClean)
	if err == nil && found == least && whole < int64(s.ManifestSize) {
		err = fmt.Errorf("%w: file %s: offset %d: damaged or cut, %d bytes were whole",
			codec.ErrCorrupt, name, whole, s.ManifestSize)
	}
	return err
}

// currentManifest finds the MANIFEST that Pebble would use: the one named by the newest marker file
// (marker.manifest.<iteration>.<name>).
func currentManifest(fs vfs.FS, dir string) (string, error) {
	names, err := fs.List(dir)
	if err != nil {
		return "", err
	}
	return newestMarked(names)
}

// newestMarked finds the MANIFEST of the newest marker among the names of files.
func newestMarked(names []string) (string, error) {
	var newest uint64
	var current string
	for _, n := range names {
		rest, ok := strings.CutPrefix(n, markerPrefix)
		if !ok {
			continue
		}
		iter, manifest, ok := strings.Cut(rest, ".")
		i, err := strconv.ParseUint(iter, 10, 64)
		if !ok || err != nil {
			return "", fmt.Errorf("%w: file %s: malformed name", codec.ErrCorrupt, n)
		}
		if current == "" || i > newest {
			newest, current = i, manifest
		}
	}
	if current == "" {
		return "", fmt.Errorf("%w: file %s: missing, with it the list of all tables",
			codec.ErrCorrupt, markerPrefix+"*")
	}
	return current, nil
}

// checkNames demands the files that Pebble would do without, at the cost of what was in them.
func checkNames(names []string, s sentinel) error {
	if !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, formatPrefix) }) {
		return fmt.Errorf("%w: file %s: missing, with it the format of all files",
			codec.ErrCorrupt, formatPrefix+"*")
	}
	if s.State != stateOpen {
		return nil // which commits there must be is known
	}
	var newest uint64
	for _, n := range names {
		if number, ok := strings.CutSuffix(n, ".log"); ok {
			found, _ := strconv.ParseUint(number, 10, 64) // 0 is no log of Pebble's
			newest = max(newest, found)
		}
	}
	if newest < s.Log {
		return fmt.Errorf("%w: file %06d.log: missing, with it the newest commits; the newest log "+
			"found is %06d.log", codec.ErrCorrupt, s.Log, newest)
	}
	return nil
}

// checkOptions finds out whether it is the OPTIONS file that keeps Pebble from opening, for Pebble
// does not say so. Nothing else is ever read from it.
func (d *DB) checkOptions() error {
	names, err := d.opts.FS.List(d.opts.Dir)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range slices.Backward(names) {
		if !strings.HasPrefix(name, optionsPrefix) {
			continue
		}
		f, err := d.opts.FS.Open(d.opts.FS.PathJoin(d.opts.Dir, name))
		if err != nil {
			return err
		}
		data, err := io.ReadAll(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		o := d.pebbleOptions(true)
		o.EnsureDefaults()
		if err := o.CheckCompatibility(d.opts.Dir, string(data)); err != nil {
			return fmt.Errorf("%w: file %s: %s; nothing is lost without that file",
				codec.ErrCorrupt, name, firstLine(err))
		}
		return nil
	}
	return nil
}

func manifestNumber(name string) (uint64, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(name, manifestPrefix), 10, 64)
	if err != nil || !strings.HasPrefix(name, manifestPrefix) {
		return 0, fmt.Errorf("%w: %q is not the name of a MANIFEST", codec.ErrCorrupt, name)
	}
	return n, nil
}

// scanManifest reads every record of a MANIFEST, checksums included, and returns where the last
// whole one ends.
//
// Pebble stops silently at the first record that does not check. That is right for a record that a
// crash left half written at the end of the file, and wrong for a damaged one: behind a torn record
// there is nothing, behind a damaged one usually more. What a cut of the last record alone takes
// away (a flush, so commits) is found by the version checks after opening. After a clean close
// nothing can be torn.
func scanManifest(fs vfs.FS, dir, name string, clean bool) (end int64, err error) {
	f, err := fs.Open(fs.PathJoin(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("%w: file %s: missing", codec.ErrCorrupt, name)
	}
	if err != nil {
		return 0, err
	}
	data, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	r := record.NewReader(bytes.NewReader(data), 0)
	for n := 0; ; n++ {
		rec, err := r.Next()
		if err == nil {
			_, err = io.Copy(io.Discard, rec)
		}
		if err == nil {
			end = r.Offset()
			continue
		}
		if errors.Is(err, io.EOF) && n > 0 {
			return end, nil
		}
		if n == 0 || clean || !tornTail(data, end) {
			return end, fmt.Errorf("%w: file %s: offset %d: damaged record: %v",
				codec.ErrCorrupt, name, end, err)
		}
		return end, nil
	}
}

// tornTail tells whether what follows offset may be a record that a crash cut short: its header
// promises more bytes than the file has, or nothing but zeros was ever written there.
func tornTail(data []byte, offset int64) bool {
	const legacyHeader = 7 // checksum 4, length 2, type 1: the chunk format of a MANIFEST
	rest := data[offset:]
	if len(bytes.Trim(rest, "\x00")) == 0 || len(rest) < legacyHeader {
		return true
	}
	length := int(rest[4]) | int(rest[5])<<8
	return legacyHeader+length > len(rest)
}
