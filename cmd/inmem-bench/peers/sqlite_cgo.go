//go:build cgo_sqlite

package main

import _ "github.com/mattn/go-sqlite3" // the driver "sqlite3"

const (
	sqliteDriver = "sqlite3"
	sqliteModule = "github.com/mattn/go-sqlite3"
)
