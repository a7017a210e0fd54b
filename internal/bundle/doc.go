// Package bundle is the codec of a bundle: the file that holds one run with its history.
//
// docs/format.md ("Bundles") says what every byte means. In short: the file is a sequence of zstd
// frames, so that stock tools unpack it, with skippable frames between them that carry the format
// version and a checksum of each block. What comes out is a sequence of CBOR items in deterministic
// form, each after its length: a header, the record of the run, every commit with its changes in
// the order in which they were made, and a trailer with the counts and a SHA-256 over all before
// it.
//
// Index entries are not in it: they are made again from what they index. Hashes of events are not
// in it either, but the last one is, which proves all of them.
//
// # Guarantees
//
// The same header and commits make the same bytes, every time: blocks are of a fixed size and
// compressed with fixed parameters by one goroutine, and nothing depends on the clock or on the
// order of a map. (Another version of the compressor may make other bytes of the same content; the
// digest in the trailer stays.)
//
// A Reader that came to io.EOF has seen a bundle in which nothing is damaged, missing, or left
// over, and in which the commits, their changes and the chain of the events are such as a run can
// have. Every error before that names the place in the file.
//
// Both ways memory is bounded by some megabytes and the largest value, whatever the size of the
// file, also for one that was made to do harm.
package bundle
