package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
)

// sqliteEngine is SQLite through database/sql, by the driver that was built in: modernc.org/sqlite,
// or with the tag cgo_sqlite the C library by mattn/go-sqlite3.
func sqliteEngine() engine.Engine {
	return engine.Engine{
		Name: "sqlite", Version: engine.ModuleVersion(sqliteModule),
		About: "SQLite by " + sqliteModule + ": WAL, one table WITHOUT ROWID, one writer",
		Durability: map[string]string{
			engine.Strict:  "synchronous=FULL: one sync of the WAL per commit, no sharing",
			engine.Batched: "synchronous=NORMAL, and a timer that syncs the WAL every 100 ms",
		},
		Open: openSQLite,
	}
}

// sqliteStore has one connection that writes, and one for each goroutine that reads.
type sqliteStore struct {
	db     *sql.DB
	setup  []string // what every connection is told first
	mu     sync.Mutex
	writer *sqliteConn // used under mu

	idle   chan *sqliteConn // readers that nobody uses now
	wal    *os.File
	ticker *engine.Ticker
}

// sqliteConn is a connection with its prepared statements.
type sqliteConn struct {
	*sql.Conn
	begin, immediate, commit, rollback, get, put, del, scan *sql.Stmt
}

// mostReaders is more than any row has goroutines.
const mostReaders = 512

func openSQLite(ctx context.Context, dir string, o engine.Options) (_ engine.Store, err error) {
	path := filepath.Join(dir, "db")
	s := &sqliteStore{idle: make(chan *sqliteConn, mostReaders)}
	if s.db, err = sql.Open(sqliteDriver, path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	synchronous := "NORMAL"
	if o.Mode == engine.Strict {
		synchronous = "FULL"
	}
	// Half of the memory is for the connection that writes, half for the one that reads.
	s.setup = []string{
		"PRAGMA journal_mode = WAL", "PRAGMA synchronous = " + synchronous,
		fmt.Sprintf("PRAGMA cache_size = -%d", o.Memory/2/1024), "PRAGMA busy_timeout = 10000",
		"CREATE TABLE IF NOT EXISTS kv (k TEXT PRIMARY KEY, v TEXT NOT NULL) WITHOUT ROWID",
	}
	if s.writer, err = s.connect(ctx); err != nil {
		return nil, err
	}
	if o.Mode != engine.Strict {
		if s.wal, err = os.Open(path + "-wal"); err != nil {
			return nil, err
		}
		s.ticker = engine.StartTicker(s.wal.Sync)
	}
	return s, nil
}

func (s *sqliteStore) connect(ctx context.Context) (_ *sqliteConn, err error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, conn.Close())
		}
	}()
	for _, text := range s.setup {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			return nil, fmt.Errorf("%s: %w", text, err)
		}
	}
	c := &sqliteConn{Conn: conn}
	for text, to := range map[string]**sql.Stmt{
		"BEGIN": &c.begin, "BEGIN IMMEDIATE": &c.immediate, "COMMIT": &c.commit,
		"ROLLBACK":                     &c.rollback,
		"SELECT v FROM kv WHERE k = ?": &c.get,
		"INSERT INTO kv (k, v) VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v": &c.put,
		"DELETE FROM kv WHERE k = ?":                            &c.del,
		"SELECT k, v FROM kv WHERE k >= ? AND k < ? ORDER BY k": &c.scan,
	} {
		if *to, err = conn.PrepareContext(ctx, text); err != nil {
			return nil, fmt.Errorf("%s: %w", text, err)
		}
	}
	return c, nil
}

// reading lends a connection that nobody else uses meanwhile.
func (s *sqliteStore) reading(ctx context.Context, fn func(*sqliteConn) error) error {
	var c *sqliteConn
	select {
	case c = <-s.idle:
	default:
		var err error
		if c, err = s.connect(ctx); err != nil {
			return err
		}
	}
	defer func() { s.idle <- c }()
	return fn(c)
}

// in runs fn between two statements.
func (c *sqliteConn) in(ctx context.Context, begin *sql.Stmt, fn func(engine.Tx) error) error {
	if _, err := begin.ExecContext(ctx); err != nil {
		return err
	}
	if err := fn(c); err != nil {
		_, e := c.rollback.ExecContext(ctx)
		return errors.Join(err, e)
	}
	_, err := c.commit.ExecContext(ctx)
	return err
}

// Get reads on this connection.
func (c *sqliteConn) Get(ctx context.Context, key string, dst []byte) ([]byte, bool, error) {
	var v []byte
	err := c.get.QueryRowContext(ctx, key).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return dst, false, nil
	}
	return append(dst, v...), err == nil, err
}

// Put writes on this connection.
func (c *sqliteConn) Put(ctx context.Context, key, value string) error {
	_, err := c.put.ExecContext(ctx, key, value)
	return err
}
