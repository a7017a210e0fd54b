package codec

import (
	"fmt"
	"math/bits"
)

// FormatVersion is the format that this package writes. docs/format.md has the ladder of versions.
const FormatVersion = 1

// Features is a set of feature bits of a database. A required feature must be known to open it; an
// optional one may be passed over.
type Features uint64

// The features that this package knows. Format 1 has none; the bits below are reserved.
const (
	RequiredFeatures Features = 0
	OptionalFeatures Features = 0
)

// reservedFeatures gives names to the required bits that have a meaning already but no code.
// On-disk: never renumber, never reuse.
var reservedFeatures = [...]string{
	0: "checksum", 1: "compression", 2: "encryption", 3: "external storage", 4: "namespaces",
}

// CheckFormat reports whether this package can read and write a database. Optional features that it
// does not know are no hindrance. Errors: ErrFormat naming the version or the feature.
func CheckFormat(version uint32, required, optional Features) error {
	if version == 0 || version > FormatVersion {
		return fmt.Errorf("%w: format %d, this version of the library reads format 1 to %d",
			ErrFormat, version, FormatVersion)
	}
	if unknown := required &^ RequiredFeatures; unknown != 0 {
		return fmt.Errorf("%w: the database needs %s, which this version of the library lacks",
			ErrFormat, featureName(unknown))
	}
	return nil
}

// featureName names the lowest feature of a set that is not empty.
func featureName(f Features) string {
	bit := bits.TrailingZeros64(uint64(f))
	if bit < len(reservedFeatures) {
		return fmt.Sprintf("feature %q (bit %d)", reservedFeatures[bit], bit)
	}
	return fmt.Sprintf("feature bit %d", bit)
}

// unknownFlags is the refusal of a value whose envelope needs a feature.
func unknownFlags(flags byte) error {
	name := "encryption"
	switch {
	case flags&flagChecksum != 0:
		name = "checksum"
	case flags&flagCompression != 0:
		name = "compression"
	case flags&flagExternal != 0:
		name = "external storage"
	}
	return fmt.Errorf("%w: envelope flags 0x%02x need feature %q, which this version of the "+
		"library lacks", ErrFormat, flags, name)
}
