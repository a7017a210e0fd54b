package transcript

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
)

// identities gives out the ids of the runs of one source. An id is made from the name of the
// source, the text of the record without the space between its tokens, and how many equal records
// came before: so what was imported is known again wherever the file lies, however it is indented,
// and whatever was added to it, and equal attempts remain several.
type identities struct {
	source string
	seen   map[[16]byte]uint32 // how often a record has come, by its digest
	h      hash.Hash
}

func newIdentities(source string) identities {
	return identities{source: source, seen: map[[16]byte]uint32{}, h: sha256.New()}
}

// of returns the id for a record.
func (x *identities) of(record []byte) string {
	x.h.Reset()
	hashTokens(x.h, record)
	return x.next()
}

// ofLines returns the id for the lines of a run.
func (x *identities) ofLines(lines []line) string {
	x.h.Reset()
	for i := range lines {
		hashTokens(x.h, lines[i].text)
		_, _ = x.h.Write([]byte("\n"))
	}
	return x.next()
}

// next returns the id for what was hashed.
func (x *identities) next() string {
	record := [16]byte(x.h.Sum(nil))
	nth := x.seen[record]
	x.seen[record]++
	b := append([]byte("in-mem transcript 1\x00"), x.source...)
	b = append(append(b, 0), record[:]...)
	b = binary.BigEndian.AppendUint32(b, nth)
	return formatID(shortDigest(b))
}

// hashTokens hashes a JSON text without the space between its tokens.
func hashTokens(h hash.Hash, b []byte) {
	var f frame
	start := 0
	for i, c := range b {
		if !f.inString && (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
			if i > start {
				_, _ = h.Write(b[start:i])
			}
			start = i + 1
			continue
		}
		f.step(c)
	}
	_, _ = h.Write(b[start:])
}

// shortDigest is the beginning of the SHA-256.
func shortDigest(b []byte) [16]byte {
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16])
}

// formatID makes a UUID of version 8, that of ids with a meaning of their own, from a digest.
func formatID(d [16]byte) string {
	d[6] = d[6]&0x0f | 0x80
	d[8] = d[8]&0x3f | 0x80
	text := hex.EncodeToString(d[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
