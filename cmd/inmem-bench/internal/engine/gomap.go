package engine

import (
	"context"
	"errors"
	"sync"
)

// GoMap is the limit: a Go map from string to string. For one goroutine it has no lock at all, for
// several an RWMutex. It keeps nothing, validates nothing and cannot scan in order.
func GoMap() Engine {
	return Engine{
		Name: "go-map", Version: "-", Limit: true,
		About: "an unlocked Go map (with an RWMutex where several goroutines use it)",
		Durability: map[string]string{
			Strict: "nothing is kept", Batched: "nothing is kept",
		},
		Open: func(_ context.Context, _ string, o Options) (Store, error) {
			return &goMap{table: map[string]string{}, shared: o.Workers > 1}, nil
		},
	}
}

type goMap struct {
	mu     sync.RWMutex // taken only if shared
	shared bool
	table  map[string]string
}

func (m *goMap) Get(_ context.Context, key string, dst []byte) ([]byte, bool, error) {
	if m.shared {
		m.mu.RLock()
		defer m.mu.RUnlock()
	}
	v, found := m.table[key]
	return append(dst, v...), found, nil
}

func (m *goMap) lock() {
	if m.shared {
		m.mu.Lock()
	}
}

func (m *goMap) unlock() {
	if m.shared {
		m.mu.Unlock()
	}
}

func (m *goMap) Put(_ context.Context, key, value string) error {
	m.lock()
	m.table[key] = value
	m.unlock()
	return nil
}

func (m *goMap) Delete(_ context.Context, key string) (bool, error) {
	m.lock()
	defer m.unlock()
	_, found := m.table[key]
	delete(m.table, key)
	return found, nil
}

// mapTx is a goMap whose lock is held. It takes nothing back.
type mapTx struct{ m *goMap }

func (t mapTx) Get(_ context.Context, key string, dst []byte) ([]byte, bool, error) {
	v, found := t.m.table[key]
	return append(dst, v...), found, nil
}

func (t mapTx) Put(_ context.Context, key, value string) error {
	t.m.table[key] = value
	return nil
}

func (m *goMap) Update(_ context.Context, fn func(Tx) error) error {
	m.lock()
	defer m.unlock()
	return fn(mapTx{m})
}

func (m *goMap) CAS(_ context.Context, key, expected, value string) (bool, error) {
	m.lock()
	defer m.unlock()
	if v, found := m.table[key]; !found || v != expected {
		return false, nil
	}
	m.table[key] = value
	return true, nil
}

func (m *goMap) View(_ context.Context, fn func(Reader) error) error {
	if m.shared {
		m.mu.RLock()
		defer m.mu.RUnlock()
	}
	return fn(mapTx{m})
}

// ErrUnsupported is the answer of a limit to what it cannot do.
var ErrUnsupported = errors.New("not supported by this engine")

func (m *goMap) Scan(context.Context, string, string, func(key, value string) bool) error {
	return ErrUnsupported
}

func (m *goMap) Load(_ context.Context, n int, at func(int) (key, value string)) error {
	m.lock()
	defer m.unlock()
	for i := range n {
		key, value := at(i)
		m.table[key] = value
	}
	return nil
}

func (m *goMap) Flush(context.Context) error { return nil }
func (m *goMap) Close() error                { return nil }
