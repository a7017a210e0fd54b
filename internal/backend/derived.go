package backend

import (
	"context"
	"io"
)

// Derived is a place for files beside the store that hold nothing which could not be made from it
// again: what loads faster than it is computed. They are no part of the database: no checkpoint and
// no bundle has them, and whoever reads one must be ready to find it gone, old, or damaged. All
// methods are safe for concurrent use. A name is 1 to 100 of the characters a-z, 0-9, - and dots
// inside.
type Derived interface {
	// WriteDerived makes a file of what content writes, in the place of one that was there. After a
	// crash or an error there is the old one, the new one, or, if there was none, none: never a part
	// of one. An authority with nothing on disk keeps no files and answers nil. A name has one writer
	// at a time.
	// Errors: codec.ErrInvalidArgument for a name that is none, those of content, ErrStorage (not
	// sticky: the store goes on), ErrClosed, and the context's.
	WriteDerived(ctx context.Context, name string, content io.WriterTo) error

	// OpenDerived opens a file for reading; the caller closes it. It stays readable when it is
	// replaced or removed meanwhile. Errors: io/fs.ErrNotExist, those of WriteDerived.
	OpenDerived(name string) (io.ReadCloser, error)

	// ListDerived returns the names of all files, sorted, and of those that were being written when a
	// crash came: RemoveDerived removes what is left of them, too. Errors: those of WriteDerived.
	ListDerived() ([]string, error)

	// RemoveDerived removes a file; one that is not there is no error. Errors: those of WriteDerived.
	RemoveDerived(name string) error
}

// maxDerivedName is the longest name of a derived file.
const maxDerivedName = 100

// ValidDerived tells whether a derived file may have a name.
func ValidDerived(name string) bool {
	if name == "" || len(name) > maxDerivedName || name[0] == '.' || name[len(name)-1] == '.' {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return false
		}
	}
	return true
}
