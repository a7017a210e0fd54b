package txn

import (
	"fmt"

	"github.com/inmem-db/inmem/pkg/codec"
)

// checkKey refuses a key that no primitive can store, before anything is done with it.
func checkKey(key string) error {
	if len(key) > codec.MaxKeySize {
		return fmt.Errorf("%w: key of %d bytes, at most %d",
			codec.ErrTooLarge, len(key), codec.MaxKeySize)
	}
	return nil
}

// checkSize says whether a transaction of that many keys and bytes stays within the limits.
func (m *Manager) checkSize(keys int, bytes int64) error {
	if keys > m.cfg.MaxWrites {
		return fmt.Errorf("%w: more than %d writes in one transaction",
			codec.ErrTooLarge, m.cfg.MaxWrites)
	}
	if bytes > m.cfg.MaxBytes {
		return fmt.Errorf("%w: transaction of %d bytes, at most %d",
			codec.ErrTooLarge, bytes, m.cfg.MaxBytes)
	}
	return nil
}

// size is what a buffered write counts for: the bytes that the caller gave.
func size(key string, value []byte) int64 { return int64(len(key) + len(value)) }
