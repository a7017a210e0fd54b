//go:build !hnswlib || !cgo

package main

import "github.com/inmem-db/inmem/cmd/inmem-bench/internal/vectors"

// nativePeers are those that need a C++ compiler: see package hnswlib.
func nativePeers() []vectors.Peer { return nil }
