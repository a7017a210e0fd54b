//go:build !cgo_sqlite

package main

import _ "modernc.org/sqlite" // the driver "sqlite"

const (
	sqliteDriver = "sqlite"
	sqliteModule = "modernc.org/sqlite"
)
