package inmem

import "fmt"

// Open opens the database in the directory path, which is created if missing, and recovers it if it
// was not closed. Options may be nil. With Durability None the path is only a name.
//
// Errors: ErrInvalidArgument naming every fault of the options, ErrLocked if another process or
// another handle has it open, ErrCorrupt, ErrFormat, ErrStorage.
func Open(path string, o *Options) (*DB, error) {
	options := o.withDefaults()
	if err := options.validate(path); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return nil, fmt.Errorf("open %s: %w: the engine is not connected yet", path, ErrStorage)
}
